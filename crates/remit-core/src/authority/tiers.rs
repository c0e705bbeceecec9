//! Risk tiers: what the organisation asks of every call by how bad a mistake would be, whatever a remit grants.
//!
//! A tier that asks people becomes a guardrail, so that asking, remedies, records and replay are those of any
//! other guardrail; and an approval that a remit demands does not stand in for the tier's.

use crate::approval::{ApprovalRule, Factor};
use crate::authority::guardrail::GuardrailFile;
use crate::ids::RuleId;
use crate::registry::{Risk, Tool, quoted};

/// Where the guardrails of the tiers are said to stand: no file of a folder's guardrails has this name.
const FILE: &str = "remit.yaml";

/// What is asked of a call, by the risk of its tool. A tool of low risk goes through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tiers {
    /// Calls of medium risk go through, and wait for somebody to look at them afterwards.
    pub review_medium: bool,
    /// The rule that asks before a call of high or critical risk.
    pub high: Option<RuleId>,
    /// The rule that asks before a call that cannot be undone, whatever its risk. It takes the place of `high`.
    pub irreversible: Option<RuleId>,
}

impl Tiers {
    /// Whether somebody has to look at a call of this tool after it went through.
    #[must_use]
    pub fn reviews(&self, tool: &Tool) -> bool {
        self.review_medium && tool.risk == Risk::Medium
    }

    /// The tiers that ask, as guardrails.
    pub(crate) fn guardrails(&self) -> Option<GuardrailFile> {
        let risky = [Risk::High, Risk::Critical].map(|risk| quoted(risk.as_str())).join(", ");
        let risky = format!("[{risky}].contains(context.risk)");
        // Where both apply only the stronger asks: two rules of the same people would be one question too many.
        let high = match &self.irreversible {
            Some(_) => format!("{risky} && context.reversible"),
            None => risky,
        };
        let asks = [
            (&self.high, "risk-high", high, "a mistake with this tool would hurt people or the organisation"),
            (
                &self.irreversible,
                "risk-irreversible",
                "!context.reversible".into(),
                "what this tool does cannot be undone",
            ),
        ];
        let asks = asks.into_iter().filter_map(|(rule, id, when, reason)| {
            let rule = quoted(rule.as_ref()?.as_str());
            Some(format!(
                "@id(\"{id}\") @reason(\"{reason}\")\nforbid(principal, action, resource) when {{ {when} }} \
                 unless {{ context.approved.contains({rule}) }};\n"
            ))
        });
        let text: String = asks.collect();
        (!text.is_empty()).then(|| GuardrailFile { name: FILE.to_owned(), text })
    }
}

/// Whether one rule demands a better proof of its voters than another; a passkey is as good as it gets.
#[must_use]
pub fn asks_better(rule: &ApprovalRule, than: Option<&ApprovalRule>) -> bool {
    rule.factor == Some(Factor::Passkey) || rule.factor > than.and_then(|than| than.factor)
}

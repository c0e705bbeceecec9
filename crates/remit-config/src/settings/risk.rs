//! Risk tiers of `remit.yaml`.

use remit_core::approval::ApprovalRule;
use remit_core::authority::{Tiers, asks_better};

use crate::at::At;
use crate::report::Report;
use crate::settings::file::{AskFile, RiskFile};

/// The tiers, held against the rules there are. What cannot be undone must ask for a better proof than what can.
pub(super) fn tiers(file: Option<RiskFile>, rules: &[ApprovalRule], report: &mut Report<'_>) -> Tiers {
    let Some(RiskFile { tiers }) = file else { return Tiers::default() };
    let high = tiers.high.as_ref().and_then(|ask| rule(ask, rules, report));
    let irreversible = tiers.irreversible.as_ref().and_then(|ask| rule(ask, rules, report));
    if let (Some(ask), Some(own)) = (&tiers.irreversible, irreversible)
        && !asks_better(own, high)
    {
        let message = match high.and_then(|high| high.factor.map(|factor| (&high.id, factor))) {
            Some((id, factor)) => {
                format!("`{}` demands no better proof of its voters than `{id}`: {}", own.id, factor.as_str())
            }
            None => format!("`{}` demands no proof of its voters", own.id),
        };
        report.fault(&ask.approval, message, "write `factor: passkey` in that rule, or name another");
    }
    let id = |rule: Option<&ApprovalRule>| rule.map(|rule| rule.id.clone());
    Tiers { review_medium: tiers.medium.is_some(), high: id(high), irreversible: id(irreversible) }
}

fn rule<'r>(ask: &AskFile, rules: &'r [ApprovalRule], report: &mut Report<'_>) -> Option<&'r ApprovalRule> {
    let named: &At<String> = &ask.approval;
    let found = rules.iter().find(|rule| rule.id.as_str() == named.as_str());
    if found.is_none() {
        report.unknown(named, "approval rule", named, rules.iter().map(|rule| rule.id.as_str()));
    }
    found
}

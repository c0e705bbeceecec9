//! What a decision says. A verdict is built in one place, [`decide`](crate::decide()), and a
//! refusal always carries a stable code, a reason and a remedy.

mod code;

use jiff::Timestamp;
use serde_json::Value;

pub use code::{Code, Fault};

use crate::access::Offer;
use crate::budget::{BudgetKey, Reservation};
use crate::identity::Link;
use crate::ids::{Digest, QuestionId, RuleId};

/// A verdict with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// The policies that determined it: grants as `agent:support-bot/trigger.0`, guardrails as
    /// `guardrails/payments.cedar#no-night-refunds`.
    pub policies: Vec<String>,
    /// What rules in `observe` mode would have refused.
    pub observed: Vec<Refusal>,
    /// Budgets that this call brings to or past their warning threshold.
    pub warnings: Vec<BudgetKey>,
    /// The authority under which it was made.
    pub snapshot: Digest,
}

/// Allow, ask people, or deny.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// May go ahead, once what it holds is reserved and what it uses up is used up.
    Allow {
        /// To reserve, on every budget or on none.
        reservations: Vec<Reservation>,
        /// Approvals that this call uses up.
        approvals: Vec<RuleId>,
    },
    /// May go ahead once people have satisfied these rules, and everything else still holds.
    Ask {
        /// The rules, each needs its own votes.
        rules: Vec<RuleId>,
        /// What stands in the way without them.
        refusal: Refusal,
    },
    /// May not go ahead.
    Deny(Refusal),
}

/// Why not, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable, for programs.
    pub code: Code,
    /// For people and models.
    pub reason: String,
    /// What would make the call pass: an approval, a grant, a time, a smaller argument.
    pub remedy: Box<str>,
    /// The link of the caller's chain whose authority was missing.
    pub factor: Option<Link>,
    /// When a repetition could pass, if that is known.
    pub retry_at: Option<Timestamp>,
    /// What the calling agent may ask people for, so that the call could pass.
    pub may_request: Box<[Offer]>,
    /// The call that a person has put in this one's place, when one has.
    pub narrowed: Option<Box<Narrowed>>,
}

/// The call that a person has put in the place of another one: of the same tool, with other arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrowed {
    /// Its exact arguments.
    pub arguments: Value,
    /// What it waits for; `None` when nothing needed to be asked.
    pub question: Option<QuestionId>,
}

impl Refusal {
    /// A refusal with the code's own remedy.
    #[must_use]
    pub fn new(code: Code, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self {
            code,
            reason,
            remedy: code.remedy().into(),
            factor: None,
            retry_at: None,
            may_request: Box::default(),
            narrowed: None,
        }
    }

    /// The same, with a remedy that fits this case better than the code's own.
    #[must_use]
    pub fn with_remedy(self, remedy: impl Into<Box<str>>) -> Self {
        Self { remedy: remedy.into(), ..self }
    }
}

impl Verdict {
    /// The word used in records and metrics.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Allow { .. } => "allow",
            Self::Ask { .. } => "ask",
            Self::Deny(_) => "deny",
        }
    }
}

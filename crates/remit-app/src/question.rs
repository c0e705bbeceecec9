//! Questions that held calls wait for, and people's answers.

use jiff::Timestamp;
use remit_core::approval::CallParties;
use remit_core::ids::{AgentId, Digest, OperatorId, QuestionId, RecordId, RuleId, RunId, UserId};
use serde_json::Value;

/// What a held call waits for: who, how many, by when, for exactly which call.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Its id.
    pub id: QuestionId,
    /// The exact call.
    pub call: Digest,
    /// The decision record that asked.
    pub intent: RecordId,
    /// The digest of that record.
    pub decision: Digest,
    /// The run.
    pub run: RunId,
    /// Who calls.
    pub agent: AgentId,
    /// For whom.
    pub user: Option<UserId>,
    /// Agents that delegated.
    pub via: Vec<AgentId>,
    /// The people around the call, for rules that exclude some of them.
    pub parties: CallParties,
    /// The tool.
    pub tool: String,
    /// The arguments, exactly as they would be forwarded.
    pub arguments: Value,
    /// What it touches.
    pub resource: String,
    /// What it costs, in micro-USD.
    pub cost: u64,
    /// Why it is asked.
    pub reason: String,
    /// The rules to satisfy, under their definitions at that time.
    pub rules: Vec<QuestionRule>,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// From when on nobody can answer, and what was approved cannot be used.
    pub expires_at: Timestamp,
    /// Votes so far.
    pub votes: Vec<Vote>,
    /// Whether an admitted call has used it up.
    pub used: bool,
}

/// One rule of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionRule {
    /// The rule.
    pub id: RuleId,
    /// Its definition's digest.
    pub definition: Digest,
    /// How many votes it needs.
    pub quorum: u32,
}

/// One person's vote on one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// On which question.
    pub question: QuestionId,
    /// On which rule.
    pub rule: RuleId,
    /// Who, from an authenticated session.
    pub by: OperatorId,
    /// Yes or no.
    pub approve: bool,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// The digest of its approval record, once there is one.
    pub record: Option<Digest>,
}

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionState {
    /// Waits for people.
    Open,
    /// Every rule has its quorum; the call may be made once.
    Approved,
    /// Somebody said no.
    Denied,
    /// Nobody answered in time, or the approval was not used in time.
    Expired,
    /// The call was made.
    Used,
}

impl Question {
    /// Where it stands at this moment.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> QuestionState {
        if self.used {
            QuestionState::Used
        } else if self.votes.iter().any(|vote| !vote.approve) {
            QuestionState::Denied
        } else if self.expires_at <= now {
            QuestionState::Expired
        } else if self.rules.iter().all(|rule| self.yes(&rule.id) >= rule.quorum as usize) {
            QuestionState::Approved
        } else {
            QuestionState::Open
        }
    }

    /// How many people have approved under this rule. Nobody counts twice.
    #[must_use]
    pub fn yes(&self, rule: &RuleId) -> usize {
        let mut people: Vec<_> = self.votes.iter().filter(|v| v.approve && v.rule == *rule).map(|v| &v.by).collect();
        people.sort();
        people.dedup();
        people.len()
    }
}

impl QuestionState {
    /// The word used in answers and listings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Used => "used",
        }
    }
}

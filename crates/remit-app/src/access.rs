//! Access requests, and the grants that came of them.

use jiff::Timestamp;
use remit_core::access::{AccessGrant, Terms};
use remit_core::ids::{AgentId, Digest, GrantId, OperatorId, QuestionId, RuleId, UserId};

/// What an agent asks people for. It is decided as a question, under the rule that the remit names.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessRequest {
    /// Its id: that of the question that was asked first.
    pub id: QuestionId,
    /// The question that decides it now; another one after it was narrowed.
    pub question: QuestionId,
    /// For which agent.
    pub agent: AgentId,
    /// For whom the agent works.
    pub user: Option<UserId>,
    /// What is asked for.
    pub terms: Terms,
    /// After how many seconds a grant of it that nobody has used ends.
    pub unused_secs: u64,
    /// The approval rule that decides it.
    pub rule: RuleId,
    /// Why, in the words of whoever asks.
    pub why: String,
    /// The person who asks in the agent's place, when it is not the agent itself.
    pub by: Option<OperatorId>,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// The digest of the record that says so.
    pub record: Digest,
    /// Where it stands.
    pub state: RequestState,
}

/// Where a request stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestState {
    /// Waits for people.
    Open,
    /// This grant came of it.
    Granted(GrantId),
    /// Somebody said no.
    Refused,
    /// Nobody answered in time.
    Lapsed,
}

/// A grant, with how it came about and how it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// What decisions rest on.
    pub grant: AccessGrant,
    /// The request it came of.
    pub request: Option<QuestionId>,
    /// When it was given.
    pub given_at: Timestamp,
    /// The emergency it was taken for.
    pub emergency: Option<Emergency>,
    /// The digest of the record that gave it.
    pub record: Digest,
    /// How it ended; `None` while it is in force.
    pub end: Option<End>,
}

/// An emergency in which somebody broke the glass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emergency {
    /// Who.
    pub by: OperatorId,
    /// The user they are, as far as is known: one person under two names is one person.
    pub user: Option<UserId>,
    /// The incident it was for.
    pub incident: String,
    /// Why.
    pub reason: String,
    /// What a second person said of it; `None` until somebody has looked.
    pub review: Option<Review>,
}

/// What a second person says of an emergency afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Who.
    pub by: OperatorId,
    /// When.
    pub at: Timestamp,
    /// Whether it was right to do.
    pub justified: bool,
    /// In their words.
    pub note: String,
}

/// The end of a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// How.
    pub how: Ending,
    /// When.
    pub at: Timestamp,
    /// Who ended it, when somebody did.
    pub by: Option<OperatorId>,
    /// Why.
    pub reason: String,
}

/// How a grant ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A person took it back.
    Revoked,
    /// Its time was over.
    Expired,
    /// Nobody used it.
    Unused,
}

impl AccessRequest {
    /// After how many seconds a grant of it that nobody has used ends; none when its time is over by then anyway.
    #[must_use]
    pub fn ends_unused(&self) -> Option<u64> {
        Some(self.unused_secs).filter(|secs| *secs < self.terms.secs)
    }
}

impl RequestState {
    /// The word used in listings and stores.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Granted(_) => "granted",
            Self::Refused => "refused",
            Self::Lapsed => "lapsed",
        }
    }
}

impl Ending {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Revoked, Self::Expired, Self::Unused];

    /// The word used in records, listings and stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Unused => "expired_unused",
        }
    }
}

impl Given {
    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> &'static str {
        self.end.as_ref().map_or("live", |end| end.how.as_str())
    }

    /// Whether it was taken in an emergency that nobody has reviewed.
    #[must_use]
    pub fn unreviewed(&self) -> bool {
        self.emergency.as_ref().is_some_and(|emergency| emergency.review.is_none())
    }
}

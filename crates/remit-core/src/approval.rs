//! Approval rules: named requirements that people can satisfy for one exact call.

use crate::call::Call;
use crate::ids::{Digest, OperatorId, RuleId, TeamId, UserId};
use crate::json::canonical;
use serde_json::json;

/// From whom a vote counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Voter {
    /// One person.
    Person(UserId),
    /// Anybody in a team, looked up when the vote is cast.
    Team(TeamId),
}

/// Whom an approver must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distinct {
    /// The user on whose behalf the call is made.
    User,
    /// Anybody in the team that owns the calling agent.
    AgentOwner,
    /// Anybody in the team that owns the tool.
    ToolOwner,
}

/// A named requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRule {
    /// Its name, by which policies ask for it.
    pub id: RuleId,
    /// How many different people must approve; at least one.
    pub quorum: u32,
    /// Whose votes count.
    pub from: Vec<Voter>,
    /// How long the question stays open, and an approval stays usable, in seconds.
    pub within_secs: u64,
    /// Whom an approver must not be.
    pub distinct_from: Vec<Distinct>,
}

/// How a person proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Factor {
    /// By the word of a channel that passed their click on; the weakest there is.
    Channel,
    /// By a key listed in `keys.yaml`.
    Key,
    /// By a password and a one-time code (RFC 6238).
    Password,
    /// By another party's word (OpenID Connect).
    Oidc,
    /// By a passkey of their own (WebAuthn).
    Passkey,
}

impl Factor {
    /// The word used in files and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Channel => "channel",
            Self::Key => "key",
            Self::Password => "password+totp",
            Self::Oidc => "oidc",
            Self::Passkey => "passkey",
        }
    }
}

/// A person about to vote, as the store and the session know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// The authenticated operator.
    pub id: OperatorId,
    /// The user this operator is when acting through an agent, when there is one.
    pub user: Option<UserId>,
    /// The teams they are in at this moment.
    pub teams: Vec<TeamId>,
    /// How they proved who they are this time.
    pub factor: Factor,
}

/// Why a vote does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEntitled {
    /// Not among those whose votes count.
    #[error("approval rule `{0}` does not count votes of this person")]
    NotListed(RuleId),
    /// Among those the rule excludes.
    #[error("approval rule `{0}` excludes this person: they are {1}")]
    NotDistinct(RuleId, &'static str),
}

impl ApprovalRule {
    /// The digest of the rule's definition: votes given under one definition do not count under another.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let from: Vec<_> = self
            .from
            .iter()
            .map(|voter| match voter {
                Voter::Person(id) => format!("user:{id}"),
                Voter::Team(id) => format!("team:{id}"),
            })
            .collect();
        let distinct: Vec<_> = self.distinct_from.iter().map(|d| d.as_str()).collect();
        let text = canonical(&json!({
            "id": self.id.as_str(), "quorum": self.quorum, "from": from,
            "within_secs": self.within_secs, "distinct_from": distinct,
        }));
        Digest::of(text.as_bytes())
    }

    /// Whether this person's vote counts for that call.
    ///
    /// # Errors
    /// Says why it does not.
    pub fn entitles(&self, approver: &Approver, call: &CallParties) -> Result<(), NotEntitled> {
        let listed = self.from.iter().any(|voter| match voter {
            Voter::Person(id) => approver.user.as_ref() == Some(id) || approver.id.as_str() == id.as_str(),
            Voter::Team(team) => approver.teams.contains(team),
        });
        if !listed {
            return Err(NotEntitled::NotListed(self.id.clone()));
        }
        for distinct in &self.distinct_from {
            let same = match distinct {
                // An approver whose own user nobody has named cannot be told apart from the caller's.
                Distinct::User => call.user.as_ref().is_some_and(|user| {
                    approver.user.as_ref().is_none_or(|own| own == user) || approver.id.as_str() == user.as_str()
                }),
                Distinct::AgentOwner => call.agent_owner.as_ref().is_some_and(|t| approver.teams.contains(t)),
                Distinct::ToolOwner => call.tool_owner.as_ref().is_some_and(|t| approver.teams.contains(t)),
            };
            if same {
                return Err(NotEntitled::NotDistinct(self.id.clone(), distinct.describe()));
            }
        }
        Ok(())
    }
}

/// The people around a call, for `distinct_from`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallParties {
    /// The user on whose behalf it is made.
    pub user: Option<UserId>,
    /// The team that owns the calling agent.
    pub agent_owner: Option<TeamId>,
    /// The team that owns the tool.
    pub tool_owner: Option<TeamId>,
}

impl CallParties {
    /// The people around this call.
    #[must_use]
    pub fn of(call: &Call) -> Self {
        Self {
            user: call.caller.user().cloned(),
            agent_owner: call.agent_owner.clone(),
            tool_owner: call.tool.owner.clone(),
        }
    }
}

impl Distinct {
    /// The word used in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::AgentOwner => "agent_owner",
            Self::ToolOwner => "tool_owner",
        }
    }

    const fn describe(self) -> &'static str {
        match self {
            Self::User => "the user on whose behalf the call is made, or keys.yaml does not say which user they are",
            Self::AgentOwner => "in the team that owns the agent",
            Self::ToolOwner => "in the team that owns the tool",
        }
    }
}

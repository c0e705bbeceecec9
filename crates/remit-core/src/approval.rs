//! Approval rules: named requirements that people can satisfy for one exact call.

mod on_call;
mod rule;
mod stand_in;

use crate::call::Call;
use crate::ids::{OperatorId, TeamId, UserId};

pub use on_call::{OnCall, Rotation};
pub use rule::{ApprovalRule, Distinct, Escalation, Hour, NotEntitled, Voter, same_person};

/// How a person proved who they are, the weakest first: a rule may demand a least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Factor {
    /// By the word of a channel that passed their click on; the weakest there is.
    Channel,
    /// By a key listed in `keys.yaml`.
    Key,
    /// By a password and a one-time code (RFC 6238).
    Password,
    /// By another party's word (OpenID Connect), given longer ago than a rule that asks for it lets it be.
    OidcEarlier,
    /// By another party's word, given just now.
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
            Self::OidcEarlier => "oidc-earlier",
            Self::Oidc => "oidc",
            Self::Passkey => "passkey",
        }
    }

    /// Reads the word of a record. What a rule may demand is another list: nobody demands a channel's word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Channel, Self::Key, Self::Password, Self::OidcEarlier, Self::Oidc, Self::Passkey];
        all.into_iter().find(|factor| factor.as_str() == word)
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

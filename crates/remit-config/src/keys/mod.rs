//! `keys.yaml`: who may call, and who may steer. Only digests of keys are ever written down.

mod check;
pub(crate) mod file;

use jiff::Timestamp;
use remit_core::identity::MayDeclare;
use remit_core::ids::{AgentId, Digest, OperatorId, TeamId, UserId};

pub(crate) use check::check;
pub use remit_core::steering::Role;

/// All keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys {
    /// Keys of agents, in the order of the file.
    pub agents: Vec<AgentKey>,
    /// Operators, in the order of the file.
    pub operators: Vec<OperatorKey>,
}

/// A key by which an agent proves itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentKey {
    /// Its name, for records.
    pub id: String,
    /// The agent.
    pub agent: AgentId,
    /// The user for whom every call under this key is made.
    pub user: Option<UserId>,
    /// For whom this key may open runs.
    pub may_declare: MayDeclare,
    /// Digest of the key's text.
    pub sha256: Digest,
    /// From this moment on it is worth nothing.
    pub expires: Timestamp,
    /// Whether it was withdrawn.
    pub revoked: bool,
}

/// A person who steers the gateway, by a key or by signing in to the console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorKey {
    /// The person.
    pub id: OperatorId,
    /// The user this person is when acting through an agent.
    pub user: Option<UserId>,
    /// Their teams, for approval rules.
    pub teams: Vec<TeamId>,
    /// What they may do.
    pub roles: Vec<Role>,
    /// Where they are written to.
    pub email: Option<String>,
    /// Their key; somebody who only signs in has none.
    pub proof: Option<KeyProof>,
    /// Whether they were sent away: neither key nor signing in counts.
    pub revoked: bool,
}

/// What proves a person, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyProof {
    /// Digest of the key's text.
    pub sha256: Digest,
    /// From this moment on it is worth nothing.
    pub expires: Timestamp,
}

impl Keys {
    /// The agent's key with this digest, expired and revoked ones included.
    #[must_use]
    pub fn agent(&self, sha256: &Digest) -> Option<&AgentKey> {
        self.agents.iter().find(|key| key.sha256 == *sha256)
    }

    /// The operator's key with this digest, expired and revoked ones included.
    #[must_use]
    pub fn operator(&self, sha256: &Digest) -> Option<&OperatorKey> {
        self.operators.iter().find(|key| key.proof.is_some_and(|proof| proof.sha256 == *sha256))
    }
}

impl AgentKey {
    /// Whether it is worth anything at this moment.
    #[must_use]
    pub fn usable(&self, now: Timestamp) -> bool {
        !self.revoked && now < self.expires
    }
}

impl OperatorKey {
    /// Whether their key is worth anything at this moment.
    #[must_use]
    pub fn usable(&self, now: Timestamp) -> bool {
        !self.revoked && self.proof.is_some_and(|proof| now < proof.expires)
    }
}

//! Holds: what must not be deleted while somebody may need it, whatever its age and whoever asks.

use std::fmt;

use jiff::Timestamp;
use remit_core::ids::{OperatorId, RunId, UserId};

use crate::gate::Gate;
use crate::intent::Unavailable;

/// What a hold keeps.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HoldTarget {
    /// Everything.
    All,
    /// What one run has disclosed.
    Run(RunId),
    /// What is disclosed of one person, and in their runs.
    User(UserId),
}

/// A hold in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// What it keeps.
    pub target: HoldTarget,
    /// Who placed it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

impl HoldTarget {
    /// Reads `all`, `run:r` or `user:u`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None => (text == "all").then_some(Self::All),
            Some(("run", id)) => RunId::parse(id).ok().map(Self::Run),
            Some(("user", id)) => UserId::parse(id).ok().map(Self::User),
            Some(_) => None,
        }
    }
}

impl fmt::Display for HoldTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Run(run) => write!(f, "run:{run}"),
            Self::User(user) => write!(f, "user:{user}"),
        }
    }
}

impl Gate {
    /// Keeps something from being deleted, from now on.
    ///
    /// # Errors
    /// When the store is unavailable; nothing is held then by this order.
    pub async fn place_hold(&self, target: HoldTarget, by: &OperatorId, reason: &str) -> Result<(), Unavailable> {
        let reason = reason.chars().take(200).collect();
        let hold = Hold { target, by: by.to_string(), reason, since: self.now() };
        let draft = self.hold_draft(&hold.target, by.as_str(), &hold.reason, true, hold.since);
        let record = self.writer.sign(&self.writer.ticket(), draft, &self.randomness());
        self.ports.store.put_hold(hold, record).await
    }

    /// Lifts a hold; false when there was none.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn lift_hold(&self, target: &HoldTarget, by: &OperatorId, reason: &str) -> Result<bool, Unavailable> {
        if !self.ports.store.holds().await?.iter().any(|hold| hold.target == *target) {
            return Ok(false);
        }
        let draft = self.hold_draft(target, by.as_str(), reason, false, self.now());
        let record = self.writer.sign(&self.writer.ticket(), draft, &self.randomness());
        self.ports.store.lift_hold(target, record).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_reads_as_it_is_shown() {
        for text in ["all", "run:run_1", "user:ada@acme.example"] {
            assert_eq!(HoldTarget::parse(text).map(|target| target.to_string()).as_deref(), Some(text));
        }
        for text in ["", "everything", "agent:bot", "run:", "user:"] {
            assert_eq!(HoldTarget::parse(text), None, "{text}");
        }
    }
}

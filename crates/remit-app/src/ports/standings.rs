//! What was counted of agents.

use async_trait::async_trait;
use remit_core::ids::AgentId;

use crate::intent::{CommitError, Unavailable};
use crate::standing::{Counted, Counter};

/// How often what happened to agents. Part of [`super::Store`]; the same promises hold. Counted from the records, which
/// stay: who lost these would count again. They name agents and no person, so nothing of them is ever erased.
#[async_trait]
pub trait Standings: Send + Sync {
    /// How far the records are counted.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn counted(&self) -> Result<Counted, Unavailable>;

    /// Adds what was counted in the records between two places, all of it or nothing.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] with `standing` when the records are counted as far as somewhere else than `from`:
    /// nothing is ever counted twice.
    async fn count_on(&self, from: Counted, to: Counted, more: Vec<(Counter, u64)>) -> Result<(), CommitError>;

    /// What was counted of this agent under the authority of this place and all later ones, each with its place.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn standing(&self, agent: &AgentId, since: u64) -> Result<Vec<(Counter, u64)>, Unavailable>;
}

//! What was counted of agents.

use std::collections::BTreeMap;

use async_trait::async_trait;
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ports::Standings;
use remit_app::standing::{Counted, Counter};
use remit_core::ids::AgentId;

use super::MemoryStore;

/// What was counted, and how far.
#[derive(Default)]
pub(crate) struct Room {
    counted: Counted,
    counts: BTreeMap<Counter, u64>,
}

#[async_trait]
impl Standings for MemoryStore {
    async fn counted(&self) -> Result<Counted, Unavailable> {
        Ok(self.open()?.standings.counted)
    }

    async fn count_on(&self, from: Counted, to: Counted, more: Vec<(Counter, u64)>) -> Result<(), CommitError> {
        let mut state = self.open()?;
        if state.standings.counted != from {
            return Err(CommitError::Conflict("standing"));
        }
        state.standings.counted = to;
        for (counter, count) in more {
            *state.standings.counts.entry(counter).or_default() += count;
        }
        Ok(())
    }

    async fn standing(&self, agent: &AgentId, since: u64) -> Result<Vec<(Counter, u64)>, Unavailable> {
        let state = self.open()?;
        let own = state.standings.counts.iter().filter(|(key, _)| key.agent == *agent && key.since >= since);
        Ok(own.map(|(counter, count)| (counter.clone(), *count)).collect())
    }
}

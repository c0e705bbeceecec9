//! Checkpoints that a third party has stamped.

use async_trait::async_trait;
use remit_app::intent::Unavailable;
use remit_app::ports::Stamps;
use remit_app::stamp::Stamped;

use super::MemoryStore;

#[async_trait]
impl Stamps for MemoryStore {
    async fn keep_stamp(&self, stamped: Stamped) -> Result<(), Unavailable> {
        let mut state = self.open()?;
        let same = |known: &Stamped| known.origin == stamped.origin && known.size == stamped.size;
        if !state.stamps.iter().any(same) {
            state.stamps.push(stamped);
        }
        Ok(())
    }

    async fn last_stamp(&self, origin: &str) -> Result<Option<Stamped>, Unavailable> {
        let state = self.open()?;
        let own = state.stamps.iter().filter(|stamped| stamped.origin == origin);
        Ok(own.max_by_key(|stamped| stamped.size).cloned())
    }

    async fn stamp_over(&self, origin: &str, leaf: u64) -> Result<Option<Stamped>, Unavailable> {
        let state = self.open()?;
        let over = state.stamps.iter().filter(|stamped| stamped.origin == origin && stamped.size > leaf);
        Ok(over.min_by_key(|stamped| stamped.size).cloned())
    }
}

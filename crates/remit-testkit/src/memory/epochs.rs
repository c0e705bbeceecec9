//! The logs one after the other, in memory.

use async_trait::async_trait;
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ledger::{Epoch, Head, Turn};
use remit_app::ports::Epochs;

use super::MemoryStore;

#[async_trait]
impl Epochs for MemoryStore {
    async fn epochs(&self) -> Result<Vec<Epoch>, Unavailable> {
        Ok(self.open()?.epochs.clone())
    }

    async fn begin_epoch(&self, from: &Head, turn: &Turn) -> Result<(), CommitError> {
        let mut state = self.open()?;
        let (epoch, before) = (&turn.epoch, state.epochs.last().map_or(0, |epoch| epoch.first));
        let (size, ended) = (from.edge.size(), &epoch.ended);
        let stands = state.head.as_ref().map(Head::mark) == Some(from.mark()) && ended.origin == from.origin;
        let sealed = before + size == state.records.len() as u64;
        let grown = ended.edge.size() == size + 1 && epoch.first == before + size + 1;
        let known = epoch.origin == from.origin || state.epochs.iter().any(|known| known.ended.origin == epoch.origin);
        if !stands || !sealed || !grown || known {
            return Err(CommitError::Conflict("head"));
        }
        let fate = state.on_advance.as_ref().and_then(|ask| ask());
        if fate != Some(false) {
            state.append(turn.last.clone())?;
            state.append(turn.first.clone())?;
            state.head = None;
            state.epochs.push(epoch.clone());
        }
        fate.map_or(Ok(()), |_| Err(CommitError::Unavailable(Unavailable("fault on order".into()))))
    }
}

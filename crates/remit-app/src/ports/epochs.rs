//! The logs of one store, one after the other.

use async_trait::async_trait;

use crate::intent::{CommitError, Unavailable};
use crate::ledger::{Epoch, Head, Turn};

/// The logs over the records, one after the other. Part of [`super::Store`]; the same promises hold.
#[async_trait]
pub trait Epochs: Send + Sync {
    /// The logs after the first one, in their order.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn epochs(&self) -> Result<Vec<Epoch>, Unavailable>;

    /// Ends the log that is signed now and begins the next: appends the last record of the one and the first of
    /// the other, keeps the final head for ever, and has no head of the next one yet. All of it or none, durable
    /// on return.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] with `head` when the head is not `from` (its tree, whatever its note), when a
    /// record is not sealed by it, when the final tree is not one leaf larger, or when there was a log of this
    /// name.
    async fn begin_epoch(&self, from: &Head, turn: &Turn) -> Result<(), CommitError>;
}

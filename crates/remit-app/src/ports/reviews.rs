//! Calls that wait for a person to look at them afterwards.

use async_trait::async_trait;
use remit_core::ids::RecordId;
use remit_evidence::writer::SignedRecord;

use crate::intent::{CommitError, Unavailable};
use crate::review::{Backlog, Closed, Review, ReviewFilter};

/// Calls that wait for a person to look at them afterwards: each admitted intent that asks for it, from the
/// transaction that admits it. Part of [`super::Store`]; the same promises hold.
#[async_trait]
pub trait Reviews: Send + Sync {
    /// Reviews, oldest first.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn reviews(&self, filter: &ReviewFilter) -> Result<Vec<Review>, Unavailable>;

    /// The review of one call; `None` when the call asked for none.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn review(&self, call: &RecordId) -> Result<Option<Review>, Unavailable>;

    /// Closes a review that waits, and appends the record, both or neither.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] with `review` when none waits.
    async fn close_review(&self, call: &RecordId, closed: Closed, record: SignedRecord) -> Result<(), CommitError>;

    /// How much waits.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn backlog(&self) -> Result<Backlog, Unavailable>;
}

//! Who may vote in whose place.

use async_trait::async_trait;
use jiff::Timestamp;
use remit_core::ids::RecordId;
use remit_evidence::writer::SignedRecord;

use crate::delegation::Delegation;
use crate::intent::{CommitError, Unavailable};

/// Who may vote in whose place. Part of [`super::Store`]; the same promises hold.
#[async_trait]
pub trait Delegations: Send + Sync {
    /// The delegations in force at this moment, oldest first.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn delegations(&self, now: Timestamp) -> Result<Vec<Delegation>, Unavailable>;

    /// Puts a delegation into force and appends the record, both or neither.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] with `delegation` when one of the same two people for the same rule is in force.
    async fn put_delegation(&self, delegation: Delegation, record: SignedRecord) -> Result<(), CommitError>;

    /// Ends a delegation and appends the record; false, and nothing is recorded, when none of this id is in force.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn end_delegation(&self, id: &RecordId, now: Timestamp, record: SignedRecord) -> Result<bool, Unavailable>;
}

//! What is said about questions, beside the votes on them.

use async_trait::async_trait;
use remit_core::ids::QuestionId;
use remit_evidence::writer::SignedRecord;

use crate::intent::CommitError;
use crate::question::{Question, Remark};
use jiff::Timestamp;

/// What is said about questions, beside the votes on them. Part of [`super::Store`]; the same promises hold.
#[async_trait]
pub trait Questions: Send + Sync {
    /// Adds a remark and appends its record, both or neither. Answers the question with it.
    ///
    /// # Errors
    /// [`CommitError::Conflict`], and nothing is changed: `question` when there is none, its state when it is not
    /// open at the remark's time, `remarks` when there are as many as are kept
    /// ([`REMARKS_MAX`](crate::question::REMARKS_MAX)).
    async fn remark(&self, id: &QuestionId, remark: Remark, record: SignedRecord) -> Result<Question, CommitError>;

    /// Puts so many steps of the escalation into force and appends the record, both or neither.
    ///
    /// # Errors
    /// [`CommitError::Conflict`], and nothing is changed: `question` when there is none, its state when it is not
    /// open at that time, `steps` when so many are in force already.
    async fn escalate(
        &self,
        id: &QuestionId,
        steps: u32,
        at: Timestamp,
        record: SignedRecord,
    ) -> Result<Question, CommitError>;
}

//! What is said about questions, beside the votes on them.

use async_trait::async_trait;
use remit_core::ids::QuestionId;
use remit_evidence::writer::SignedRecord;

use crate::intent::{CommitError, Unavailable};
use crate::preview::Preview;
use crate::question::{Narrowed, Question, Remark};
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

    /// Puts so many steps of the escalation into force and appends the record, both or neither. They are to be noticed
    /// from then on.
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

    /// Questions that are open at this moment and wait for their preview, the oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn awaiting_preview(&self, now: Timestamp, limit: u32) -> Result<Vec<QuestionId>, Unavailable>;

    /// Puts what an upstream says a call would do beside its question, and makes due what people are still to be
    /// told of its being asked, both or neither; false, and nothing is changed, when the question does not wait for it, or is not open at this time.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn attach_preview(&self, id: &QuestionId, preview: Preview, at: Timestamp) -> Result<bool, Unavailable>;

    /// Closes an open question as narrowed, opens the question about the call in its place when there is one to open,
    /// and appends the records; all of it or none. Answers the closed question.
    ///
    /// # Errors
    /// [`CommitError::Conflict`], and nothing is changed: `question` when there is none, its state when it is not
    /// open at that time, `narrower` when a question about the call in its place is open that asks the same.
    async fn narrow(&self, id: &QuestionId, narrowing: Narrowing) -> Result<Question, CommitError>;
}

/// A question on its way to being closed by another call in its place.
#[derive(Clone, Debug)]
pub struct Narrowing {
    /// What is put in its place, and when.
    pub narrowed: Narrowed,
    /// The question about that, to be opened, with the decision record that asks it.
    pub asks: Option<(Question, SignedRecord)>,
    /// The record of the narrowing.
    pub record: SignedRecord,
}

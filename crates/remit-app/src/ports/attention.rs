//! What is known of people's attention: what was shown to them, how they voted, and the requests that must be denied.

use async_trait::async_trait;
use jiff::Timestamp;
use remit_core::ids::{OperatorId, QuestionId, RuleId};
use remit_evidence::writer::SignedRecord;

use crate::attention::Given;
use crate::canary::{Canary, Tally, Verdict};
use crate::escalate::Mark;
use crate::intent::{CommitError, Unavailable};
use crate::question::Question;

/// What is known of people's attention. Part of [`super::Store`]; the same promises hold.
#[async_trait]
pub trait Attention: Send + Sync {
    /// Notes that a person was shown a question; only the first time counts. Only handed over: losing one loses no fact
    /// that a decision rests on.
    ///
    /// # Errors
    /// When the store is unavailable.
    fn saw(&self, question: &QuestionId, operator: &OperatorId, at: Timestamp) -> Result<(), Unavailable>;

    /// The votes since this moment, in the order in which they were cast.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn given(&self, since: Timestamp) -> Result<Vec<Given>, Unavailable>;

    /// Questions that are open at this moment and have a step of their escalation to be noticed by now, at most `limit`.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn steps_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Question>, Unavailable>;

    /// Says when the next step of a question is to be noticed; none when there is none to come. Nothing is changed when
    /// it is not to be noticed at `from` any more: somebody has called in the next people meanwhile.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn plan_step(&self, question: &QuestionId, from: Timestamp, to: Option<Timestamp>)
    -> Result<(), Unavailable>;

    /// Notes that a step of an escalation has been reached; false when that was noted before.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn reach_step(&self, mark: Mark) -> Result<bool, Unavailable>;

    /// The steps that a question has reached under this rule.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn steps_reached(&self, question: &QuestionId, rule: &RuleId) -> Result<usize, Unavailable>;

    /// How many votes there were, and at how many of them the last canary was planted.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn tally(&self) -> Result<Tally, Unavailable>;

    /// The newest question that people voted on and that is no canary.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn last_answered(&self) -> Result<Option<Question>, Unavailable>;

    /// Stores a question that must be denied, with its mark and the record that asks, all of it or none.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] with `canary` when more were planted since the tally was read.
    async fn plant(&self, canary: Canary, question: Question, record: SignedRecord) -> Result<(), CommitError>;

    /// The canaries whose end is not recorded yet, with their questions.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn canaries(&self) -> Result<Vec<(Canary, Question)>, Unavailable>;

    /// Records how a canary ended, once.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] with `canary` when that is recorded, or there is no such canary.
    async fn end_canary(
        &self,
        question: &QuestionId,
        verdict: Verdict,
        record: SignedRecord,
    ) -> Result<(), CommitError>;
}

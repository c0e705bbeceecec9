//! What is said about questions, beside the votes on them.

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::delivery::{Delivery, Event};
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ports::{Narrowing, Questions};
use remit_app::preview::Preview;
use remit_app::question::{Question, Remark};
use remit_core::ids::QuestionId;
use remit_evidence::writer::SignedRecord;

use super::{MemoryStore, State};

#[async_trait]
impl Questions for MemoryStore {
    async fn remark(&self, id: &QuestionId, remark: Remark, record: SignedRecord) -> Result<Question, CommitError> {
        let mut state = self.open()?;
        let at = find(&state, id)?;
        let mut question = state.questions.get(at).cloned().ok_or(CommitError::Conflict("question"))?;
        question.hears(remark.at).map_err(CommitError::Conflict)?;
        state.append(record)?;
        question.remarks.push(remark);
        state.questions.splice(at..=at, [question.clone()]);
        Ok(question)
    }

    async fn escalate(
        &self,
        id: &QuestionId,
        steps: u32,
        now: Timestamp,
        record: SignedRecord,
    ) -> Result<Question, CommitError> {
        let mut state = self.open()?;
        let at = find(&state, id)?;
        let mut question = state.questions.get(at).cloned().ok_or(CommitError::Conflict("question"))?;
        question.escalates(steps, now).map_err(CommitError::Conflict)?;
        state.append(record)?;
        (question.escalated, question.step_at) = (steps, Some(now));
        state.questions.splice(at..=at, [question.clone()]);
        Ok(question)
    }

    async fn awaiting_preview(&self, now: Timestamp, limit: u32) -> Result<Vec<QuestionId>, Unavailable> {
        let state = self.open()?;
        let awaiting = state.questions.iter().filter(|question| question.takes_preview(now));
        Ok(awaiting.take(limit as usize).map(|question| question.id.clone()).collect())
    }

    async fn attach_preview(&self, id: &QuestionId, preview: Preview, at: Timestamp) -> Result<bool, Unavailable> {
        let mut state = self.open()?;
        let found = state.questions.iter_mut().find(|question| question.id == *id && question.takes_preview(at));
        let Some(question) = found else { return Ok(false) };
        question.preview = Some(preview);
        state.tell_now(id, Event::Asked, at);
        Ok(true)
    }

    async fn narrow(&self, id: &QuestionId, narrowing: Narrowing) -> Result<Question, CommitError> {
        let mut state = self.open()?;
        let at = find(&state, id)?;
        let mut question = state.questions.get(at).cloned().ok_or(CommitError::Conflict("question"))?;
        question.narrows(narrowing.narrowed.at).map_err(CommitError::Conflict)?;
        if let Some((next, decision)) = narrowing.asks {
            if state.hold(&next, u32::MAX)? != next.id {
                return Err(CommitError::Conflict("narrower"));
            }
            state.append(decision)?;
        }
        state.append(narrowing.record)?;
        let at_narrowing = narrowing.narrowed.at;
        question.narrowed = Some(narrowing.narrowed);
        state.owe(Delivery::owed_after(&question, at_narrowing));
        state.questions.splice(at..=at, [question.clone()]);
        Ok(question)
    }
}

fn find(state: &State, id: &QuestionId) -> Result<usize, CommitError> {
    state.questions.iter().position(|question| question.id == *id).ok_or(CommitError::Conflict("question"))
}

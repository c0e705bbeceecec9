//! Delegations, reviews and people's attention in memory.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::attention::Given;
use remit_app::canary::{Canary, Tally, Verdict};
use remit_app::delegation::Delegation;
use remit_app::delivery::Delivery;
use remit_app::escalate::Mark;
use remit_app::intent::{CommitError, Unavailable};
use remit_app::outcome::Outcome;
use remit_app::ports::{Attention, Delegations, Reviews};
use remit_app::question::{Question, QuestionState};
use remit_app::review::{Backlog, Closed, Review, ReviewFilter};
use remit_core::ids::{AgentId, OperatorId, QuestionId, RecordId, RuleId};
use remit_evidence::writer::SignedRecord;

use super::{MemoryStore, State};

/// What the rooms hold.
#[derive(Default)]
pub(crate) struct Rooms {
    delegations: Vec<Delegation>,
    closed: BTreeMap<RecordId, Closed>,
    sightings: BTreeMap<(QuestionId, OperatorId), Timestamp>,
    steps: BTreeSet<(QuestionId, RuleId, usize)>,
    canaries: Vec<(Canary, Option<Verdict>)>,
    /// Questions in the order in which they were voted on.
    pub answered: Vec<QuestionId>,
}

impl Rooms {
    pub(super) fn forget(&mut self, person: &str) {
        self.delegations.retain(|lent| lent.from.as_str() != person && lent.to.as_str() != person);
        self.sightings.retain(|(_, operator), _| operator.as_str() != person);
        if let Ok(nobody) = OperatorId::parse("erased") {
            for closed in self.closed.values_mut().filter(|closed| closed.by.as_str() == person) {
                closed.by = nobody.clone();
                closed.note.clear();
            }
        }
    }
}

impl State {
    /// How many questions of this agent are open, or approved and not yet used.
    pub(super) fn unsettled_questions(&self, agent: &AgentId, now: Timestamp) -> usize {
        let counts = |question: &&Question| {
            question.agent == *agent
                && matches!(question.state(now), QuestionState::Open | QuestionState::Approved)
                && !self.care.canaries.iter().any(|(canary, _)| canary.question == question.id)
        };
        self.questions.iter().filter(counts).count()
    }

    fn reviews(&self) -> impl Iterator<Item = Review> {
        self.intents.iter().filter(|admitted| admitted.intent.review).map(|admitted| {
            let intent = &admitted.intent;
            Review {
                call: intent.record.id.clone(),
                decision: intent.record.digest,
                run: intent.record.run.clone(),
                agent: intent.agent.clone(),
                user: intent.user.clone(),
                tool: intent.tool.clone(),
                at: intent.at,
                unknown: admitted.outcome.as_ref().is_some_and(Outcome::is_unknown),
                closed: self.care.closed.get(&intent.record.id).cloned(),
            }
        })
    }
}

#[async_trait]
impl Delegations for MemoryStore {
    async fn delegations(&self, now: Timestamp) -> Result<Vec<Delegation>, Unavailable> {
        Ok(self.open()?.care.delegations.iter().filter(|lent| lent.until > now).cloned().collect())
    }

    async fn put_delegation(&self, new: Delegation, record: SignedRecord) -> Result<(), CommitError> {
        let mut state = self.open()?;
        let same = |old: &Delegation| (&old.from, &old.to, &old.rule) == (&new.from, &new.to, &new.rule);
        if state.care.delegations.iter().any(|old| old.until > new.since && same(old)) {
            return Err(CommitError::Conflict("delegation"));
        }
        state.append(record)?;
        state.care.delegations.push(new);
        Ok(())
    }

    async fn end_delegation(&self, id: &RecordId, now: Timestamp, record: SignedRecord) -> Result<bool, Unavailable> {
        let mut state = self.open()?;
        if !state.care.delegations.iter().any(|lent| lent.id == *id && lent.until > now) {
            return Ok(false);
        }
        state.append(record)?;
        state.care.delegations.retain(|lent| lent.id != *id);
        Ok(true)
    }
}

#[async_trait]
impl Reviews for MemoryStore {
    async fn reviews(&self, filter: &ReviewFilter) -> Result<Vec<Review>, Unavailable> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit as usize };
        let state = self.open()?;
        Ok(state.reviews().filter(|review| filter.closed || review.closed.is_none()).take(limit).collect())
    }

    async fn review(&self, call: &RecordId) -> Result<Option<Review>, Unavailable> {
        Ok(self.open()?.reviews().find(|review| review.call == *call))
    }

    async fn close_review(&self, call: &RecordId, closed: Closed, record: SignedRecord) -> Result<(), CommitError> {
        let mut state = self.open()?;
        if !state.reviews().any(|review| review.call == *call && review.closed.is_none()) {
            return Err(CommitError::Conflict("review"));
        }
        state.append(record)?;
        state.care.closed.insert(call.clone(), closed);
        Ok(())
    }

    async fn backlog(&self) -> Result<Backlog, Unavailable> {
        let state = self.open()?;
        let waiting: Vec<_> = state.reviews().filter(|review| review.closed.is_none()).collect();
        Ok(Backlog { waiting: waiting.len() as u64, oldest: waiting.iter().map(|review| review.at).min() })
    }
}

#[async_trait]
impl Attention for MemoryStore {
    fn saw(&self, question: &QuestionId, operator: &OperatorId, at: Timestamp) -> Result<(), Unavailable> {
        self.open()?.care.sightings.entry((question.clone(), operator.clone())).or_insert(at);
        Ok(())
    }

    async fn given(&self, since: Timestamp) -> Result<Vec<Given>, Unavailable> {
        let state = self.open()?;
        let mut turns: BTreeMap<&QuestionId, usize> = BTreeMap::new();
        let mut found = Vec::new();
        for id in &state.care.answered {
            let Some(question) = state.questions.iter().find(|question| question.id == *id) else { continue };
            let turn = turns.entry(id).or_default();
            let Some(vote) = question.votes.get(*turn) else { continue };
            *turn += 1;
            found.push(Given {
                by: vote.by.clone(),
                approve: vote.approve,
                at: vote.at,
                asked_at: question.asked_at,
                saw_at: state.care.sightings.get(&(id.clone(), vote.by.clone())).copied(),
                canary: state.care.canaries.iter().any(|(canary, _)| canary.question == *id),
            });
        }
        found.retain(|given| given.at >= since);
        Ok(found)
    }

    async fn steps_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Question>, Unavailable> {
        let state = self.open()?;
        let due = |question: &&Question| {
            question.step_at.is_some_and(|at| at <= now) && question.state(now) == QuestionState::Open
        };
        Ok(state.questions.iter().filter(due).take(limit as usize).cloned().collect())
    }

    async fn plan_step(
        &self,
        question: &QuestionId,
        from: Timestamp,
        to: Option<Timestamp>,
    ) -> Result<(), Unavailable> {
        let mut state = self.open()?;
        let planned = |known: &&mut Question| known.id == *question && known.step_at == Some(from);
        state.questions.iter_mut().filter(planned).for_each(|known| known.step_at = to);
        Ok(())
    }

    async fn reach_step(&self, mark: Mark) -> Result<bool, Unavailable> {
        Ok(self.open()?.care.steps.insert((mark.question, mark.rule, mark.step)))
    }

    async fn steps_reached(&self, question: &QuestionId, rule: &RuleId) -> Result<usize, Unavailable> {
        let state = self.open()?;
        let reached = state.care.steps.iter().filter(|(q, r, _)| q == question && r == rule);
        Ok(reached.map(|(_, _, step)| *step).max().unwrap_or(0))
    }

    async fn tally(&self) -> Result<Tally, Unavailable> {
        let state = self.open()?;
        let planted_at = state.care.canaries.iter().map(|(canary, _)| canary.at_votes).max().unwrap_or(0);
        Ok(Tally { votes: state.care.answered.len() as u64, planted_at })
    }

    async fn last_answered(&self) -> Result<Option<Question>, Unavailable> {
        let state = self.open()?;
        let real = |id: &&QuestionId| !state.care.canaries.iter().any(|(canary, _)| canary.question == **id);
        let found = state.care.answered.iter().rev().filter(real);
        let mut found = found.filter_map(|id| state.questions.iter().find(|question| question.id == *id));
        Ok(found.find(|question| !question.arguments.is_null()).cloned())
    }

    async fn plant(&self, canary: Canary, question: Question, record: SignedRecord) -> Result<(), CommitError> {
        let mut state = self.open()?;
        if canary.at_votes > 0 && state.care.canaries.iter().any(|(old, _)| old.at_votes >= canary.at_votes) {
            return Err(CommitError::Conflict("canary"));
        }
        state.append(record)?;
        // Like any other, in what people are told of it too.
        state.owe(Delivery::owed(&question));
        state.questions.push(question);
        state.care.canaries.push((canary, None));
        Ok(())
    }

    async fn canaries(&self) -> Result<Vec<(Canary, Question)>, Unavailable> {
        let state = self.open()?;
        let waiting = state.care.canaries.iter().filter(|(_, ended)| ended.is_none());
        let with = waiting.filter_map(|(canary, _)| {
            let question = state.questions.iter().find(|question| question.id == canary.question)?;
            Some((canary.clone(), question.clone()))
        });
        Ok(with.collect())
    }

    async fn end_canary(
        &self,
        question: &QuestionId,
        verdict: Verdict,
        record: SignedRecord,
    ) -> Result<(), CommitError> {
        let mut state = self.open()?;
        let waits = |(canary, ended): &(Canary, Option<Verdict>)| canary.question == *question && ended.is_none();
        if !state.care.canaries.iter().any(waits) {
            return Err(CommitError::Conflict("canary"));
        }
        state.append(record)?;
        for (canary, ended) in &mut state.care.canaries {
            if canary.question == *question {
                *ended = Some(verdict);
            }
        }
        Ok(())
    }
}

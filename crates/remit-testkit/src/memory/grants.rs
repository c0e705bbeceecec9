//! Access requests, and the grants that came of them.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::access::{AccessRequest, End, Given, RequestState, Review};
use remit_app::delivery::{Delivery, Event, Subject};
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ports::Grants;
use remit_app::question::{Question, QuestionState};
use remit_core::access::{AccessGrant, Terms, Whom};
use remit_core::ids::{GrantId, OperatorId, QuestionId, UserId};
use remit_evidence::writer::SignedRecord;

use super::MemoryStore;
use super::state::State;

impl State {
    fn open_at(&self, id: &QuestionId) -> Option<usize> {
        self.requests.iter().position(|(request, _)| request.id == *id && request.state == RequestState::Open)
    }

    fn state_of(&self, question: &QuestionId, at: Timestamp) -> QuestionState {
        let found = self.questions.iter().find(|known| known.id == *question);
        found.map_or(QuestionState::Expired, |question| question.state(at))
    }

    fn put(&mut self, given: Given, record: SignedRecord) -> Result<(), CommitError> {
        if self.grants.iter().any(|known| known.grant.id == given.grant.id) {
            return Err(CommitError::Conflict("grant"));
        }
        self.append(record)?;
        if given.unreviewed() {
            let about = Subject::Emergency(given.grant.id.clone());
            self.owe([Delivery::new(about, Event::GlassBroken, None, given.given_at)]);
        }
        self.grants.push(given);
        self.grants_changed += 1;
        Ok(())
    }

    /// Whether something given to this person is in force.
    pub(super) fn is_given_to(&self, person: &UserId) -> bool {
        let theirs = |given: &Given| given.grant.whom == Whom::Exactly(Some(person.clone()));
        self.grants.iter().any(|given| given.end.is_none() && theirs(given))
    }

    /// Blanks what is said of a person in requests and grants that are over; the questions of theirs.
    pub(super) fn forget_access(&mut self, person: &UserId) -> Vec<QuestionId> {
        let mut asked = Vec::new();
        let Ok(nobody) = OperatorId::parse("erased") else { return asked };
        let theirs = |by: &OperatorId| by.as_str() == person.as_str();
        for (request, _) in &mut self.requests {
            if request.user.as_ref() == Some(person) {
                asked.push(request.question.clone());
                request.user = None;
                request.why.clear();
            }
            request.by.iter_mut().filter(|by| theirs(by)).for_each(|by| *by = nobody.clone());
        }
        for given in &mut self.grants {
            if given.grant.whom == Whom::Exactly(Some(person.clone())) {
                given.grant.whom = Whom::Exactly(None);
            }
            if let Some(emergency) = &mut given.emergency {
                if theirs(&emergency.by) {
                    (emergency.by, emergency.user) = (nobody.clone(), None);
                    emergency.reason.clear();
                }
                for review in emergency.review.iter_mut().filter(|review| theirs(&review.by)) {
                    review.by = nobody.clone();
                    review.note.clear();
                }
            }
            if let Some(end) = given.end.as_mut().filter(|end| end.by.as_ref().is_some_and(theirs)) {
                end.by = Some(nobody.clone());
                end.reason.clear();
            }
        }
        asked
    }
}

#[async_trait]
impl Grants for MemoryStore {
    async fn open_request(
        &self,
        request: AccessRequest,
        question: Question,
        record: SignedRecord,
    ) -> Result<AccessRequest, CommitError> {
        let mut state = self.open()?;
        state.check_new(&record)?;
        let held = state.hold(&question, u32::MAX)?;
        if held != question.id {
            let open = |known: &&(AccessRequest, _)| known.0.question == held && known.0.state == RequestState::Open;
            let known = state.requests.iter().find(open).map(|(request, _)| request.clone());
            return known.ok_or(CommitError::Conflict("question"));
        }
        state.append(record)?;
        state.requests.push((request.clone(), Vec::new()));
        Ok(request)
    }

    async fn narrow_request(
        &self,
        id: &QuestionId,
        from: &QuestionId,
        terms: Terms,
        question: Question,
        record: SignedRecord,
    ) -> Result<AccessRequest, CommitError> {
        let mut state = self.open()?;
        let at = state.open_at(id).ok_or(CommitError::Conflict("request"))?;
        if state.requests.get(at).is_none_or(|(request, _)| request.question != *from) {
            return Err(CommitError::Conflict("request"));
        }
        let found = state.state_of(from, question.asked_at);
        if found != QuestionState::Open {
            return Err(CommitError::Conflict(found.as_str()));
        }
        let same = |known: &Question| known.call == question.call && !known.used && known.id != *from;
        let waits = |known: &Question| known.state(question.asked_at) == QuestionState::Open;
        if state.questions.iter().any(|known| same(known) && waits(known)) {
            return Err(CommitError::Conflict("question"));
        }
        state.append(record)?;
        for old in state.questions.iter_mut().filter(|known| known.id == *from) {
            old.expires_at = question.asked_at;
        }
        state.tell_now(from, Event::Lapsed, question.asked_at);
        let held = state.hold(&question, u32::MAX)?;
        let (request, before) = state.requests.get_mut(at).ok_or(CommitError::Conflict("request"))?;
        before.push(std::mem::replace(&mut request.question, held));
        request.terms = terms;
        Ok(request.clone())
    }

    async fn grant_request(&self, id: &QuestionId, given: Given, record: SignedRecord) -> Result<(), CommitError> {
        let mut state = self.open()?;
        let at = state.open_at(id).ok_or(CommitError::Conflict("request"))?;
        let question = state.requests.get(at).map(|(request, _)| request.question.clone());
        let question = question.ok_or(CommitError::Conflict("request"))?;
        let found = state.state_of(&question, given.given_at);
        if found != QuestionState::Approved {
            return Err(CommitError::Conflict(found.as_str()));
        }
        let grant = given.grant.id.clone();
        state.put(given, record)?;
        state.questions.iter_mut().filter(|known| known.id == question).for_each(|known| known.used = true);
        if let Some((request, _)) = state.requests.get_mut(at) {
            request.state = RequestState::Granted(grant);
        }
        Ok(())
    }

    async fn end_request(&self, id: &QuestionId, at: Timestamp, record: SignedRecord) -> Result<bool, Unavailable> {
        let mut state = self.open()?;
        let Some(place) = state.open_at(id) else { return Ok(false) };
        let question = state.requests.get(place).map(|(request, _)| request.question.clone());
        let ended = match question.map(|question| state.state_of(&question, at)) {
            Some(QuestionState::Open | QuestionState::Approved) => return Ok(false),
            Some(QuestionState::Denied) => RequestState::Refused,
            _ => RequestState::Lapsed,
        };
        state.append(record)?;
        if let Some((request, _)) = state.requests.get_mut(place) {
            request.state = ended;
        }
        Ok(true)
    }

    async fn request(&self, id: &QuestionId) -> Result<Option<AccessRequest>, Unavailable> {
        Ok(self.open()?.requests.iter().find(|(request, _)| request.id == *id).map(|(request, _)| request.clone()))
    }

    async fn request_of(&self, question: &QuestionId) -> Result<Option<AccessRequest>, Unavailable> {
        let state = self.open()?;
        let named = |known: &&(AccessRequest, _)| known.0.question == *question || known.0.id == *question;
        Ok(state.requests.iter().find(named).map(|(request, _)| request.clone()))
    }

    async fn requests(&self, open: bool) -> Result<Vec<AccessRequest>, Unavailable> {
        let state = self.open()?;
        let all = state.requests.iter().rev().map(|(request, _)| request);
        Ok(all.filter(|request| !open || request.state == RequestState::Open).take(1_000).cloned().collect())
    }

    async fn put_grant(&self, given: Given, record: SignedRecord) -> Result<(), CommitError> {
        self.open()?.put(given, record)
    }

    async fn end_grant(&self, id: &GrantId, end: End, record: SignedRecord) -> Result<bool, Unavailable> {
        let mut state = self.open()?;
        let Some(at) = state.grants.iter().position(|given| given.grant.id == *id && given.end.is_none()) else {
            return Ok(false);
        };
        state.append(record)?;
        if let Some(given) = state.grants.get_mut(at) {
            given.end = Some(end);
        }
        state.grants_changed += 1;
        Ok(true)
    }

    async fn review_grant(&self, id: &GrantId, review: Review, record: SignedRecord) -> Result<Given, CommitError> {
        let mut state = self.open()?;
        let due = |given: &Given| {
            let other = given.emergency.as_ref().is_some_and(|emergency| emergency.by != review.by);
            given.grant.id == *id && given.unreviewed() && other
        };
        let at = state.grants.iter().position(due).ok_or(CommitError::Conflict("review"))?;
        state.append(record)?;
        let given = state.grants.get_mut(at).ok_or(CommitError::Conflict("review"))?;
        if let Some(emergency) = &mut given.emergency {
            emergency.review = Some(review);
        }
        Ok(given.clone())
    }

    async fn grant(&self, id: &GrantId) -> Result<Option<Given>, Unavailable> {
        Ok(self.open()?.grants.iter().find(|given| given.grant.id == *id).cloned())
    }

    async fn grants(&self, live: bool) -> Result<Vec<Given>, Unavailable> {
        let state = self.open()?;
        let asked = state.grants.iter().rev().filter(|given| !live || given.end.is_none());
        Ok(asked.take(if live { usize::MAX } else { 1_000 }).cloned().collect())
    }

    async fn unreviewed(&self) -> Result<Vec<Given>, Unavailable> {
        Ok(self.open()?.grants.iter().filter(|given| given.unreviewed()).cloned().collect())
    }

    async fn live_grants(&self) -> Result<(u64, Arc<Vec<AccessGrant>>), Unavailable> {
        let state = self.open()?;
        let live = state.grants.iter().filter(|given| given.end.is_none());
        Ok((state.grants_changed, Arc::new(live.map(|given| given.grant.clone()).collect())))
    }
}

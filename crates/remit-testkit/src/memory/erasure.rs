//! Deleting in memory: what is held of a person, and what is kept no longer.

use jiff::Timestamp;
use remit_app::access::AccessRequest;
use remit_app::action::Salt;
use remit_app::intent::CommitError;
use remit_app::outcome::{Answer, Outcome};
use remit_app::ports::{Erasure, Retired, Retirement};
use remit_app::question::{Question, QuestionState, Vote};
use remit_core::ids::{Digest, OperatorId, RecordId, RunId, UserId};
use serde_json::Value;

use remit_app::hold::{Hold, HoldTarget};

use super::State;
use super::state::Admitted;

impl State {
    fn at(&self, position: u64) -> Option<usize> {
        let at = usize::try_from(position).ok()?.checked_sub(1)?;
        (at < self.records.len()).then_some(at)
    }

    fn runs_of(&self, person: &UserId) -> Vec<RunId> {
        let theirs = self.runs.iter().filter(|(run, _)| run.user.as_ref() == Some(person));
        theirs.map(|(run, _)| run.id.clone()).collect()
    }

    /// Fails when a hold keeps any of it, or something of theirs is not over.
    pub(super) fn check_erasable(&self, erasure: &Erasure) -> Result<(), CommitError> {
        let person = &erasure.person;
        let runs = self.runs_of(person);
        let records = erasure.positions.iter().filter_map(|position| self.records.get(self.at(*position)?));
        let mut concerned = records.filter_map(|record| record.run.as_ref()).chain(&runs);
        let held = |run: &RunId| self.holds.contains_key(&HoldTarget::Run(run.clone()));
        let whole = [HoldTarget::All, HoldTarget::User(person.clone())];
        if whole.iter().any(|target| self.holds.contains_key(target)) || concerned.any(held) {
            return Err(CommitError::Conflict("held"));
        }
        if self.runs.iter().any(|(run, _)| run.user.as_ref() == Some(person) && run.closed_at.is_none()) {
            return Err(CommitError::Conflict("an open run"));
        }
        if self.intents.iter().any(|call| call.outcome.is_none() && call.intent.user.as_ref() == Some(person)) {
            return Err(CommitError::Conflict("a call under way"));
        }
        if self.is_given_to(person) {
            return Err(CommitError::Conflict("a grant in force"));
        }
        let asked = |question: &Question| {
            let of = |request: &AccessRequest| request.question == question.id && request.user.as_ref() == Some(person);
            runs.contains(&question.run) || self.requests.iter().any(|(request, _)| of(request))
        };
        let live = |question: &&Question| {
            matches!(question.state(erasure.now), QuestionState::Open | QuestionState::Approved)
                && question.expires_at > erasure.now
        };
        if !erasure.also_open && self.questions.iter().filter(live).any(asked) {
            return Err(CommitError::Conflict("an open question"));
        }
        let voted = |question: &Question| question.votes.iter().any(|vote| is(vote, person));
        if self.questions.iter().filter(live).any(voted) {
            return Err(CommitError::Conflict("an open question that they voted on"));
        }
        if self.changes.voted_on_open(person.as_str(), erasure.now) {
            return Err(CommitError::Conflict("an open change that they voted on"));
        }
        Ok(())
    }

    pub(super) fn erase(&mut self, erasure: &Erasure) {
        let person = &erasure.person;
        let runs = self.runs_of(person);
        let mut calls: Vec<RecordId> = Vec::new();
        for at in erasure.positions.iter().filter_map(|position| self.at(*position)).collect::<Vec<_>>() {
            if let Some(record) = self.records.get_mut(at) {
                record.disclosures.clear();
                calls.push(record.id.clone());
            }
        }
        for call in &mut self.intents {
            if runs.contains(&call.intent.run) || calls.contains(&call.intent.record.id) {
                forget_call(call);
            }
        }
        let asked = self.forget_access(person);
        for question in &mut self.questions {
            if runs.contains(&question.run) || asked.contains(&question.id) {
                forget_question(question, erasure.now);
            }
            forget_voter(question, person);
        }
        for halt in self.halts.values_mut().filter(|halt| halt.by == person.as_str()) {
            "erased".clone_into(&mut halt.by);
            self.halts_changed += 1;
        }
        let placed = |hold: &&mut Hold| hold.by == person.as_str();
        self.holds.values_mut().filter(placed).for_each(|hold| "erased".clone_into(&mut hold.by));
        self.people.forget(person.as_str());
        self.changes.forget(person.as_str());
        self.care.forget(person.as_str());
        for (run, _) in self.runs.iter_mut().filter(|(run, _)| run.user.as_ref() == Some(person)) {
            (run.user, run.intent) = (None, None);
        }
    }

    pub(super) fn retire(&mut self, retirement: &Retirement) -> Retired {
        let mut retired = Retired::default();
        for position in &retirement.disclosures {
            let record = self.at(*position).and_then(|at| self.records.get_mut(at));
            if let Some(record) = record.filter(|record| !record.disclosures.is_empty()) {
                record.disclosures.clear();
                retired.disclosures += 1;
            }
        }
        for position in &retirement.outcomes {
            let id = self.at(*position).and_then(|at| self.records.get(at)).map(|record| record.id.clone());
            let call = id.and_then(|id| self.by_record.get(&id).copied()).and_then(|at| self.intents.get_mut(at));
            retired.outcomes += u64::from(call.and_then(|call| call.outcome.as_mut()).is_some_and(forget));
        }
        if let Some(before) = retirement.spans_ended_before {
            let objects = &mut self.objects;
            self.budgets.retain(|(key, span), counter| {
                let held = objects.iter().any(|((k, s, _), object)| k == key && s == span && object.holders > 0);
                let ended = counter.ends.is_some_and(|ends| ends < before);
                let goes = ended && counter.reserved == 0 && !held;
                if goes {
                    objects.retain(|(k, s, _), _| k != key || s != span);
                    retired.spans += 1;
                }
                !goes
            });
        }
        retired
    }
}

/// Forgets what was answered; whether there was something.
fn forget(outcome: &mut Outcome) -> bool {
    match outcome {
        Outcome::Completed(Answer::Error { data: None, .. }) | Outcome::NotStarted { .. } | Outcome::Unknown { .. } => {
            false
        }
        Outcome::Completed(Answer::Error { data, .. }) => {
            *data = None;
            true
        }
        Outcome::Completed(answer @ Answer::Result(_)) => {
            *answer = Answer::forgotten();
            true
        }
    }
}

/// Forgets for whom a call was made, and what came of it.
fn forget_call(call: &mut Admitted) {
    let Some(outcome) = call.outcome.as_mut() else { return };
    call.intent.user = None;
    call.intent.idempotency = None;
    forget(outcome);
    // An upstream's own words, unless they are ours in their place.
    if let Outcome::Completed(answer @ Answer::Error { .. }) = outcome
        && *answer != Answer::forgotten()
        && let Answer::Error { message, .. } = answer
    {
        message.clear();
    }
}

/// Forgets what was asked, for whom, and what was said about it.
fn forget_question(question: &mut Question, now: Timestamp) {
    question.call = Digest::from_bytes([0; 32]);
    question.salt = Salt::NONE;
    (question.user, question.parties.user) = (None, None);
    question.arguments = Value::Null;
    question.resource.clear();
    question.reason.clear();
    question.remarks.clear();
    question.votes.iter_mut().for_each(|vote| vote.reason.clear());
    question.preview = None;
    if let Some(narrowed) = &mut question.narrowed {
        (narrowed.arguments, narrowed.reason) = (Value::Null, String::new());
    }
    question.expires_at = question.expires_at.min(now);
}

/// Forgets who said something about a question or voted on it, where it was this person.
fn forget_voter(question: &mut Question, person: &UserId) {
    for (at, remark) in question.remarks.iter_mut().enumerate() {
        if remark.by.as_ref().is_some_and(|by| by.as_str() == person.as_str()) {
            (remark.by, remark.text) = (OperatorId::parse(&format!("erased-{at}")).ok(), String::new());
        }
    }
    let theirs = |(operator, user): &(OperatorId, Option<UserId>)| {
        operator.as_str() == person.as_str() || user.as_ref() == Some(person)
    };
    if question.votes.iter().any(|vote| is(vote, person) || vote.behalf.as_ref().is_some_and(theirs)) {
        question.voters = Salt::NONE;
    }
    for (at, vote) in question.votes.iter_mut().enumerate() {
        let Ok(nobody) = OperatorId::parse(&format!("erased-{at}")) else { continue };
        if is(vote, person) {
            (vote.by, vote.user) = (nobody.clone(), None);
            vote.reason.clear();
        }
        if vote.behalf.as_ref().is_some_and(theirs) {
            vote.behalf = Some((nobody, None));
        }
    }
}

fn is(vote: &Vote, person: &UserId) -> bool {
    vote.by.as_str() == person.as_str() || vote.user.as_ref() == Some(person)
}

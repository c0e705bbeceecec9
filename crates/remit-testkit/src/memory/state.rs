//! What the store in memory holds, and how each deed changes it.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use remit_app::access::{AccessRequest, Given};
use remit_app::delivery::Delivery;
use remit_app::hold::{Hold, HoldTarget};
use remit_app::intent::{Carrier, CommitError, Effect, Intent, Settlement, Unavailable};
use remit_app::ledger::{Epoch, Head};
use remit_app::outcome::Outcome;
use remit_app::question::{Question, QuestionState};
use remit_app::run::Run;
use remit_core::budget::{Budget, BudgetKey, BudgetState, Reservation, Span, Unit};
use remit_core::halt::{Halt, HaltTarget};
use remit_core::ids::{Digest, QuestionId, RecordId, RunId};
use remit_evidence::writer::SignedRecord;

#[derive(Default)]
pub(crate) struct State {
    pub closed: bool,
    pub records: Vec<SignedRecord>,
    /// Admitted calls, in the order of their admission.
    pub intents: Vec<Admitted>,
    pub by_record: HashMap<RecordId, usize>,
    pub budgets: BTreeMap<(BudgetKey, String), Counter>,
    pub objects: BTreeMap<(BudgetKey, String, String), Object>,
    /// Runs in the order of their opening, each with its version.
    pub runs: Vec<(Run, u64)>,
    pub questions: Vec<Question>,
    pub halts: BTreeMap<HaltTarget, Halt>,
    pub halts_changed: u64,
    /// Requests with the questions that decided them before they were narrowed.
    pub requests: Vec<(AccessRequest, Vec<QuestionId>)>,
    pub grants: Vec<Given>,
    pub grants_changed: u64,
    pub holds: BTreeMap<HoldTarget, Hold>,
    pub people: super::people::Rooms,
    pub care: super::care::Rooms,
    /// In the order in which they were added.
    pub deliveries: Vec<Delivery>,
    /// The head of the last log, and the logs after the first.
    pub head: Option<Head>,
    pub epochs: Vec<Epoch>,
    pub stamps: Vec<remit_app::stamp::Stamped>,
    pub standings: super::standings::Room,
    pub changes: super::changes::ChangeState,
    pub on_advance: Option<OnAdvance>,
}

/// What becomes of the next change of the head: `None` lets it go, `Some(done)` reports it as failed, done
/// or not.
pub type OnAdvance = Box<dyn Fn() -> Option<bool> + Send>;

pub(super) struct Admitted {
    pub intent: Intent,
    pub reservations: Vec<Reservation>,
    pub outcome: Option<Outcome>,
}

impl Admitted {
    /// Whether a service says what came of it.
    pub const fn is_reported(&self) -> bool {
        matches!(self.intent.effect, Effect::Admit { carrier: Carrier::Service { .. }, .. })
    }

    /// What it is settled with when nobody says what came of it.
    pub fn abandoned(&self) -> Settlement {
        let Intent { record, run, at, .. } = &self.intent;
        Settlement::abandoned(record.id.clone(), record.digest, run.clone(), *at, self.reservations.clone())
    }
}

#[derive(Clone, Copy, Default)]
pub(super) struct Counter {
    pub ends: Option<Timestamp>,
    pub settled: u64,
    pub reserved: u64,
}

/// An object within a span: held by so many unsettled calls, and booked once one was charged.
pub(super) struct Object {
    pub amount: u64,
    pub holders: u64,
    pub booked: bool,
}

impl State {
    /// Fails when there is a record of this id, or at this place of its writer's sequence.
    pub(super) fn check_new(&self, record: &SignedRecord) -> Result<(), Unavailable> {
        let same = |old: &SignedRecord| old.id == record.id || (old.writer == record.writer && old.seq == record.seq);
        if self.records.iter().any(same) { Err(Unavailable("there is such a record already".into())) } else { Ok(()) }
    }

    pub(super) fn append(&mut self, record: SignedRecord) -> Result<(), Unavailable> {
        self.check_new(&record)?;
        self.records.push(record);
        Ok(())
    }

    pub(super) fn run_mut(&mut self, id: &RunId) -> Option<&mut (Run, u64)> {
        self.runs.iter_mut().find(|(run, _)| run.id == *id)
    }

    /// Questions for this call that were neither used nor have lapsed, oldest first.
    pub(super) fn live(&self, call: Digest, now: Timestamp) -> impl DoubleEndedIterator<Item = &Question> {
        self.questions.iter().filter(move |q| q.call == call && !q.used && q.expires_at > now)
    }

    pub(super) fn counter(&self, key: &BudgetKey, span: &Span) -> Counter {
        self.budgets.get(&(key.clone(), span.id.clone())).copied().unwrap_or_default()
    }

    pub(super) fn budget(&self, budget: &Budget, span: &Span, object: Option<&String>) -> BudgetState {
        let Counter { settled, mut reserved, .. } = self.counter(&budget.key, span);
        let object = object.and_then(|o| self.objects.get(&(budget.key.clone(), span.id.clone(), o.clone())));
        // What this very object holds is no room lost to another call on it: the call will hold it too.
        reserved -= object.filter(|object| !object.booked).map_or(0, |object| object.amount);
        let object_known = object.is_some_and(|object| object.booked);
        BudgetState { budget: budget.clone(), span: span.clone(), settled, reserved, object_known }
    }

    pub(super) fn reserve(&mut self, r: &Reservation) -> Result<(), CommitError> {
        let named = r.object.clone().map(|object| (r.key.clone(), r.span.id.clone(), object));
        if let Some(object) = named.as_ref().and_then(|named| self.objects.get_mut(named)) {
            object.holders += 1;
            return Ok(());
        }
        let counter = self.budgets.entry((r.key.clone(), r.span.id.clone())).or_default();
        let sum = (counter.settled + counter.reserved).checked_add(r.amount);
        if sum.is_none_or(|sum| sum > r.limit.min(i64::MAX.unsigned_abs())) {
            return Err(CommitError::Conflict("budget"));
        }
        counter.reserved += r.amount;
        counter.ends = r.span.ends;
        if let Some(named) = named {
            self.objects.insert(named, Object { amount: r.amount, holders: 1, booked: false });
        }
        Ok(())
    }

    /// Books or releases one reservation.
    pub(super) fn let_go(&mut self, r: &Reservation, charged: bool) {
        let named = r.object.clone().map(|object| (r.key.clone(), r.span.id.clone(), object));
        let mut amount = r.amount;
        if let Some(named) = named {
            let Some(object) = self.objects.get_mut(&named) else { return };
            object.holders -= 1;
            let moves = !object.booked && (charged || object.holders == 0);
            amount = if moves { object.amount } else { 0 };
            object.booked |= charged;
            if object.holders == 0 && !object.booked {
                self.objects.remove(&named);
            }
        }
        if let Some(counter) = self.budgets.get_mut(&(r.key.clone(), r.span.id.clone())) {
            counter.reserved -= amount;
            counter.settled += if charged { amount } else { 0 };
        }
    }

    /// Checks everything, then changes everything; only budgets are tried one by one, and given back.
    pub(super) fn admit(&mut self, intent: &Intent, reservations: &[Reservation]) -> Result<(), CommitError> {
        let Effect::Admit { approvals, carrier, .. } = &intent.effect else { return Ok(()) };
        if intent.basis.halts != self.halts_changed {
            return Err(CommitError::Conflict("halts"));
        }
        if intent.basis.grants != self.grants_changed {
            return Err(CommitError::Conflict("grants"));
        }
        let run = self
            .runs
            .iter()
            .position(|(run, version)| run.id == intent.run && *version == intent.basis.run && run.closed_at.is_none());
        let run = run.ok_or(CommitError::Conflict("run"))?;
        let mut used = Vec::new();
        for rule in approvals {
            let named = intent.basis.approvals.iter().find(|(approved, _)| approved == rule);
            let question = named.and_then(|(_, id)| self.questions.iter().position(|q| q.id == *id));
            let usable = question.filter(|at| {
                self.questions.get(*at).is_some_and(|q| {
                    let quorum = q.rules.iter().find(|asked| asked.id == *rule).map(|asked| asked.quorum as usize);
                    q.usable(&intent.run, intent.at)
                        && q.call == intent.call
                        && quorum.is_some_and(|quorum| q.yes(rule) >= quorum)
                })
            });
            let usable = usable.ok_or(CommitError::Conflict("approval"))?;
            if !used.contains(&usable) {
                used.push(usable);
            }
        }
        for (at, reservation) in reservations.iter().enumerate() {
            if let Err(conflict) = self.reserve(reservation) {
                for done in reservations.iter().take(at) {
                    self.let_go(done, false);
                }
                return Err(conflict);
            }
        }
        for at in used {
            if let Some(question) = self.questions.get_mut(at) {
                question.uses += 1;
                question.used = question.uses >= question.uses_max();
            }
        }
        if let Some((run, version)) = self.runs.get_mut(run) {
            run.calls += 1;
            run.used_at = run.used_at.max(intent.at);
            if let Carrier::Service { labels } = carrier {
                let before = run.labels.clone();
                run.labels.collect(labels);
                *version += u64::from(run.labels != before);
            }
        }
        Ok(())
    }

    pub(super) fn settle(&mut self, settlement: Settlement) -> Result<(), Unavailable> {
        let at = self.by_record.get(&settlement.intent).copied();
        let Some(admitted) = at.and_then(|at| self.intents.get(at)) else {
            return Err(Unavailable(format!("there is no admitted call `{}`", settlement.intent)));
        };
        if admitted.outcome.is_some() {
            return Ok(());
        }
        if !settlement.charged && !matches!(settlement.outcome, Outcome::NotStarted { .. }) {
            return Err(Unavailable("only a call that never started is released".into()));
        }
        let (reservations, run) = (admitted.reservations.clone(), admitted.intent.run.clone());
        settlement.record.as_ref().map_or(Ok(()), |record| self.check_new(record))?;
        if let Some(admitted) = at.and_then(|at| self.intents.get_mut(at)) {
            admitted.outcome = Some(settlement.outcome);
            admitted.intent.review |= settlement.review;
        }
        for reservation in &reservations {
            self.let_go(reservation, settlement.charged);
        }
        // One call's cost is reserved on several levels of the tree, and spent once.
        let money = reservations.iter().filter(|r| r.unit == Unit::MicroUsd).map(|r| r.amount).max().unwrap_or(0);
        if let Some((run, version)) = self.run_mut(&run) {
            run.spend += if settlement.charged { money } else { 0 };
            let before = run.labels.clone();
            settlement.labels.iter().for_each(|new| run.labels.collect(new));
            *version += u64::from(run.labels != before);
        }
        settlement.record.map_or(Ok(()), |record| self.append(record))
    }

    /// Stores a question, or keeps an open one for the same call that asks the same.
    pub(super) fn hold(&mut self, question: &Question, most: u32) -> Result<QuestionId, CommitError> {
        let same = |old: &&Question| {
            old.state(question.asked_at) == QuestionState::Open && question.rules.iter().all(|r| old.rules.contains(r))
        };
        if let Some(old) = self.live(question.call, question.asked_at).rev().find(same) {
            return Ok(old.id.clone());
        }
        if self.unsettled_questions(&question.agent, question.asked_at) >= most as usize {
            return Err(CommitError::Conflict("questions"));
        }
        self.questions.push(question.clone());
        self.owe(Delivery::owed(question));
        Ok(question.id.clone())
    }
}

//! The store in memory: the contract of `remit_app::ports::Store` with nothing between it and the
//! reader. One lock, no durability. It is the reference that other stores are compared with, so it
//! shares no code with them.

mod care;
mod changes;
mod epochs;
mod erasure;
mod grants;
mod listing;
mod outbox;
mod people;
mod questions;
mod stamps;
mod standings;
mod state;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::delivery::Delivery;
use remit_app::hold::{Hold, HoldTarget};
use remit_app::intent::{Basis, Case, CommitError, Committed, Effect, Intent, Receipt, Settlement, Unavailable};
use remit_app::ledger::Head;
use remit_app::outcome::{RunOutcome, StoredOutcome};
use remit_app::ports::{CaseQuery, Erasure, RecordFilter, Retired, Retirement, Store};
use remit_app::question::{Question, QuestionState, Vote};
use remit_app::run::{Run, RunFilter};
use remit_core::budget::{Budget, Span};
use remit_core::halt::{Halt, HaltTarget};
use remit_core::ids::{AgentId, QuestionId, RecordId, RunId, UserId};
use remit_core::{CaseFile, RunFacts};
use remit_evidence::log::leaf::Leaf;
use remit_evidence::writer::SignedRecord;

pub use self::state::OnAdvance;
use self::state::{Admitted, State};

/// A store that forgets everything when it is dropped.
#[derive(Default)]
pub struct MemoryStore(Mutex<State>);

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks about each change of the head from now on. For tests of whoever changes it.
    pub fn on_advance(&self, ask: OnAdvance) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).on_advance = Some(ask);
    }

    fn open(&self) -> Result<MutexGuard<'_, State>, Unavailable> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed { Err(Unavailable("the store was closed".into())) } else { Ok(state) }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load_case(&self, query: &CaseQuery<'_>) -> Result<Case, Unavailable> {
        let state = self.open()?;
        let unknown = || Unavailable(format!("there is no run `{}`", query.run));
        let (run, version) = state.runs.iter().find(|(run, _)| run.id == *query.run).ok_or_else(unknown)?;
        let salt = state.live(query.call, query.now).next_back().map(|question| question.salt);
        let mut approvals = Vec::new();
        for (rule, definition, quorum) in query.rules {
            let satisfied = state.live(query.call, query.now).find(|q| {
                let asked = q.rules.iter().find(|asked| asked.id == *rule && asked.definition == *definition);
                Some(q.salt) == salt
                    && q.usable(query.run, query.now)
                    && asked.is_some_and(|asked| q.yes(rule) >= asked.quorum.max(*quorum) as usize)
            });
            approvals.extend(satisfied.map(|question| (rule.clone(), question.id.clone())));
        }
        let mut newest = state.live(query.call, query.now).rev();
        let open = newest.find(|q| q.state(query.now) == QuestionState::Open).map(|q| q.id.clone());
        let refused = state.live(query.call, query.now).rev().find_map(|question| question.denial(query.now));
        let narrowed = state.live(query.call, query.now).rev().find_map(|question| question.narrowed.clone());
        Ok(Case {
            file: CaseFile {
                run: RunFacts {
                    labels: run.labels.clone(),
                    calls: run.calls,
                    spend: run.spend,
                    environment: run.environment.clone(),
                    release_phase: run.release_phase.clone(),
                    closed: run.closed_at.is_some(),
                },
                budgets: query.budgets.iter().map(|(b, span, object)| state.budget(b, span, object.as_ref())).collect(),
                approved: approvals.iter().map(|(rule, _)| rule.clone()).collect(),
                refused: refused.map(str::to_owned),
                narrowed: narrowed.as_ref().map(|narrowed| narrowed.reason.clone()),
                halts: state.halts.values().cloned().collect(),
                origins: Vec::new(),
                grants: Vec::new(),
            },
            basis: Basis { halts: state.halts_changed, run: *version, grants: 0, approvals },
            open_question: open,
            salt,
            narrowed,
        })
    }

    async fn commit_intent(&self, intent: Intent) -> Result<Committed, CommitError> {
        let mut state = self.open()?;
        let same = |old: &&Admitted| {
            let old = &old.intent;
            old.idempotency == intent.idempotency && old.agent == intent.agent && old.user == intent.user
        };
        let earlier = intent.idempotency.as_ref().and_then(|_| state.intents.iter().find(same));
        let previewed = |old: &&Admitted| old.intent.preview_of == intent.preview_of;
        let earlier = earlier.or_else(|| intent.preview_of.as_ref().and_then(|_| state.intents.iter().find(previewed)));
        if let Some(Admitted { intent: old, .. }) = earlier {
            return Ok(Committed::Repeated { intent: old.record.id.clone(), call: old.call });
        }
        state.check_new(&intent.record)?;
        let record = intent.record.clone();
        let committed = match intent.effect.clone() {
            Effect::Admit { reservations, .. } => {
                state.admit(&intent, &reservations)?;
                let at = state.intents.len();
                state.by_record.insert(record.id.clone(), at);
                state.intents.push(Admitted { intent, reservations, outcome: None });
                Committed::Admitted(Receipt::assert_committed(record.id.clone()))
            }
            Effect::Hold(question) => Committed::Held(state.hold(&question, intent.questions_max)?),
            Effect::Refuse => Committed::Refused,
        };
        state.append(record)?;
        Ok(committed)
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), Unavailable> {
        self.open()?.settle(settlement)
    }

    fn settle_soon(&self, settlement: Settlement) -> Result<(), Unavailable> {
        self.open()?.settle(settlement)
    }

    async fn outcome(&self, intent: &RecordId) -> Result<Option<StoredOutcome>, Unavailable> {
        let state = self.open()?;
        let found = state.by_record.get(intent).and_then(|at| state.intents.get(*at));
        Ok(found.map(|admitted| match &admitted.outcome {
            None => StoredOutcome::Pending,
            Some(outcome) => StoredOutcome::Settled(outcome.clone()),
        }))
    }

    async fn outcomes(&self, run: &RunId, limit: u32) -> Result<Vec<RunOutcome>, Unavailable> {
        let state = self.open()?;
        let told = |admitted: &&Admitted| admitted.intent.run == *run && admitted.intent.preview_of.is_none();
        let of_run = state.intents.iter().rev().filter(told);
        let shown = of_run.take(limit as usize).map(|admitted| {
            let outcome = admitted.outcome.clone().map_or(StoredOutcome::Pending, StoredOutcome::Settled);
            RunOutcome { tool: admitted.intent.tool.clone(), reported: admitted.is_reported(), outcome }
        });
        Ok(shown.collect())
    }

    async fn unreported(&self, intent: &RecordId) -> Result<Option<Settlement>, Unavailable> {
        let state = self.open()?;
        let found = state.by_record.get(intent).and_then(|at| state.intents.get(*at));
        Ok(found.filter(|admitted| admitted.outcome.is_none() && admitted.is_reported()).map(Admitted::abandoned))
    }

    async fn unsettled(&self, before: Timestamp) -> Result<Vec<Settlement>, Unavailable> {
        let state = self.open()?;
        let pending = state.intents.iter().filter(|a| a.outcome.is_none() && a.intent.at < before);
        let mut found: Vec<_> = pending.map(Admitted::abandoned).collect();
        found.sort_by_key(|settlement| settlement.at);
        Ok(found)
    }

    async fn open_run(&self, run: &Run, record: SignedRecord) -> Result<(), CommitError> {
        let mut state = self.open()?;
        if state.runs.iter().any(|(known, _)| known.id == run.id) {
            return Err(CommitError::Conflict("run"));
        }
        state.append(record)?;
        state.runs.push((run.clone(), 0));
        Ok(())
    }

    async fn close_run(&self, run: &RunId, at: Timestamp, record: SignedRecord) -> Result<(), CommitError> {
        let mut state = self.open()?;
        if !state.runs.iter().any(|(known, _)| known.id == *run && known.closed_at.is_none()) {
            return Err(CommitError::Conflict("run"));
        }
        state.append(record)?;
        if let Some((run, version)) = state.run_mut(run) {
            run.closed_at = Some(at);
            *version += 1;
        }
        Ok(())
    }

    async fn run(&self, id: &RunId) -> Result<Option<Run>, Unavailable> {
        Ok(self.open()?.runs.iter().find(|(run, _)| run.id == *id).map(|(run, _)| run.clone()))
    }

    async fn idle_run(
        &self,
        agent: &AgentId,
        user: Option<&UserId>,
        since: Timestamp,
    ) -> Result<Option<RunId>, Unavailable> {
        let state = self.open()?;
        let idle = state.runs.iter().map(|(run, _)| run).filter(|run| {
            let open = run.implicit && run.closed_at.is_none() && run.used_at >= since;
            open && run.agent == *agent && run.user.as_ref() == user
        });
        Ok(idle.max_by_key(|run| run.opened_at).map(|run| run.id.clone()))
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>, Unavailable> {
        let state = self.open()?;
        let asked = |run: &&Run| {
            filter.agent.as_ref().is_none_or(|agent| run.agent == *agent)
                && (filter.user.is_none() || run.user == filter.user)
                && !(filter.open && run.closed_at.is_some())
        };
        let mut runs: Vec<Run> = state.runs.iter().rev().map(|(run, _)| run).filter(asked).cloned().collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.opened_at));
        runs.truncate(if filter.limit == 0 { 100 } else { filter.limit as usize });
        Ok(runs)
    }

    async fn question(&self, id: &QuestionId) -> Result<Option<Question>, Unavailable> {
        Ok(self.open()?.questions.iter().find(|question| question.id == *id).cloned())
    }

    async fn answer_question(&self, vote: Vote, record: SignedRecord) -> Result<Question, CommitError> {
        let mut state = self.open()?;
        let found = state.questions.iter().position(|question| question.id == vote.question);
        let at = found.ok_or(CommitError::Conflict("question"))?;
        let mut question = state.questions.get(at).cloned().ok_or(CommitError::Conflict("question"))?;
        question.takes(&vote).map_err(CommitError::Conflict)?;
        state.append(record)?;
        state.care.answered.push(question.id.clone());
        let at_vote = vote.at;
        question.votes.push(vote);
        state.owe(Delivery::owed_after(&question, at_vote));
        state.questions.splice(at..=at, [question.clone()]);
        Ok(question)
    }

    async fn halts(&self) -> Result<Vec<Halt>, Unavailable> {
        Ok(self.open()?.halts.values().cloned().collect())
    }

    async fn put_halt(&self, halt: Halt, record: SignedRecord) -> Result<(), Unavailable> {
        let mut state = self.open()?;
        state.append(record)?;
        state.halts.insert(halt.target.clone(), halt);
        state.halts_changed += 1;
        Ok(())
    }

    async fn lift_halt(&self, target: &HaltTarget, record: SignedRecord) -> Result<bool, Unavailable> {
        let mut state = self.open()?;
        if !state.halts.contains_key(target) {
            return Ok(false);
        }
        state.append(record)?;
        state.halts.remove(target);
        state.halts_changed += 1;
        Ok(true)
    }

    async fn holds(&self) -> Result<Vec<Hold>, Unavailable> {
        Ok(self.open()?.holds.values().cloned().collect())
    }

    async fn put_hold(&self, hold: Hold, record: SignedRecord) -> Result<(), Unavailable> {
        let mut state = self.open()?;
        state.append(record)?;
        state.holds.insert(hold.target.clone(), hold);
        Ok(())
    }

    async fn lift_hold(&self, target: &HoldTarget, record: SignedRecord) -> Result<bool, Unavailable> {
        let mut state = self.open()?;
        if !state.holds.contains_key(target) {
            return Ok(false);
        }
        state.append(record)?;
        state.holds.remove(target);
        Ok(true)
    }

    async fn erase(&self, erasure: Erasure, record: SignedRecord) -> Result<bool, CommitError> {
        let mut state = self.open()?;
        state.check_erasable(&erasure)?;
        state.append(record)?;
        state.erase(&erasure);
        Ok(false)
    }

    async fn retire(&self, retirement: Retirement) -> Result<Retired, CommitError> {
        let mut state = self.open()?;
        let mut held = retirement.held.clone();
        held.sort();
        if state.holds.keys().ne(&held) {
            return Err(CommitError::Conflict("holds"));
        }
        Ok(state.retire(&retirement))
    }

    async fn append(&self, record: SignedRecord) -> Result<(), Unavailable> {
        self.open()?.append(record)
    }

    async fn record(&self, id: &RecordId) -> Result<Option<SignedRecord>, Unavailable> {
        Ok(self.open()?.records.iter().find(|record| record.id == *id).cloned())
    }

    async fn places(&self, ids: &[RecordId]) -> Result<Vec<Option<u64>>, Unavailable> {
        let state = self.open()?;
        let place = |id: &RecordId| state.records.iter().position(|record| record.id == *id).map(|at| at as u64);
        Ok(ids.iter().map(place).collect())
    }

    async fn records(&self, filter: &RecordFilter) -> Result<Vec<SignedRecord>, Unavailable> {
        let state = self.open()?;
        let asked = |record: &&SignedRecord| {
            (filter.run.is_none() || record.run == filter.run) && filter.kind.is_none_or(|kind| record.kind == kind)
        };
        let limit = if filter.limit == 0 { 1_000 } else { filter.limit as usize };
        let after = usize::try_from(filter.after).unwrap_or(usize::MAX);
        Ok(state.records.iter().filter(asked).skip(after).take(limit).cloned().collect())
    }

    async fn count(&self) -> Result<u64, Unavailable> {
        Ok(self.open()?.records.len() as u64)
    }

    async fn leaves(&self, after: u64, limit: u32) -> Result<Vec<Leaf>, Unavailable> {
        let state = self.open()?;
        let after = usize::try_from(after).unwrap_or(usize::MAX);
        let records = state.records.iter().skip(after).take(limit as usize);
        let leaves = records.map(|record| Leaf::of(&record.envelope, record.seq));
        leaves.collect::<Result<_, _>>().map_err(|error| Unavailable(error.to_string()))
    }

    async fn head(&self) -> Result<Option<Head>, Unavailable> {
        Ok(self.open()?.head.clone())
    }

    async fn advance_head(&self, from: Option<&Head>, to: &Head) -> Result<(), CommitError> {
        let mut state = self.open()?;
        let same = state.head.as_ref().map(Head::mark) == from.map(Head::mark);
        let follows = from
            .is_none_or(|from| from.origin == to.origin && (from.edge.size() < to.edge.size() || from.edge == to.edge));
        let named = state.epochs.last().is_none_or(|epoch| epoch.origin == to.origin);
        if !same || !follows || !named {
            return Err(CommitError::Conflict("head"));
        }
        let fate = state.on_advance.as_ref().and_then(|ask| ask());
        if fate != Some(false) {
            state.head = Some(to.clone());
        }
        fate.map_or(Ok(()), |_| Err(CommitError::Unavailable(Unavailable("fault on order".into()))))
    }

    async fn usage(&self, budgets: &[(Budget, Span)]) -> Result<Vec<(u64, u64)>, Unavailable> {
        let state = self.open()?;
        let counters = budgets.iter().map(|(budget, span)| state.counter(&budget.key, span));
        Ok(counters.map(|counter| (counter.settled, counter.reserved)).collect())
    }

    fn health(&self) -> Result<(), Unavailable> {
        self.open().map(drop)
    }

    async fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
    }
}

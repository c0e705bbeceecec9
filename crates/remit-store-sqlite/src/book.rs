//! The book: counters and runs that calls keep changing, held in memory and written once a group.
//!
//! Each call changes the same few rows: its budgets, its run. Written one by one they would be most of a
//! deed's cost, so the writer keeps them here, and puts what has changed into the file with the
//! group's commit. A case is read from here too, so that reading needs no look at the file.
//!
//! What is read may be ahead of the file by the group that is just being written, and by the calls that were admitted
//! [ahead](crate::ahead) of it. That is sound: a decision made on it is itself written after them, and if their group
//! fails the store is dead. A crash loses the book: all of it stands in the file too, but for what is ahead.
//!
//! INVARIANT (limits are never overspent): `Counter::reserve` alone adds, and it compares first. The
//! table's constraint says it again when the counter is written.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use remit_core::RunFacts;
use remit_core::budget::{Reservation, Span};
use remit_core::ids::{Digest, RecordId, RunId};
use remit_core::labels::Labels;
use rusqlite::Connection;

use crate::ahead::Ahead;
use crate::failure::Failure;
use crate::{budgets, runs};

/// Most rows of each kind that stay in memory after a commit. Beyond, all go, and come back as they
/// are asked for.
const ROWS_MAX: usize = 20_000;
/// Most calls under way that are remembered; the others are read from the file when they end.
const PENDING_MAX: usize = 100_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Book {
    counters: HashMap<String, Vec<(String, Counter)>>,
    runs: HashMap<RunId, Page>,
    pending: HashMap<RecordId, Pending>,
    /// Calls about which there is or was a question that is not used up.
    asked: HashSet<Digest>,
    /// How often halts have changed.
    pub halts: u64,
    /// How often grants have changed.
    pub grants: u64,
    /// What has been changed since the last group. A deed that was undone may have left more than is.
    changed: Vec<Changed>,
    /// What is admitted and settled here, and not in the file yet.
    pub ahead: Ahead,
    /// Whether the writer is in the middle of a deed, whose steps may have to be taken back.
    busy: bool,
    /// How to take the present deed back, last step first.
    steps: Vec<Step>,
}

/// One budget within one span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counter {
    pub ends: Option<Timestamp>,
    pub settled: u64,
    pub reserved: u64,
    pub limit: u64,
    dirty: bool,
}

/// One run.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub facts: RunFacts,
    pub used_at: Timestamp,
    pub version: u64,
    dirty: bool,
}

/// One admitted call that has not ended.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    /// Where its intent stands; `None` as long as it stands [ahead](crate::ahead) of the file.
    pub position: Option<i64>,
    /// Whether it may be settled [ahead](crate::ahead) of the file: nobody waits for it, and all that it uses is here.
    pub batched: bool,
    pub run: RunId,
    pub reservations: Vec<Reservation>,
}

/// A row to be written.
#[derive(Debug)]
pub(crate) enum Row {
    Counter(String, String, Counter),
    Run(RunId, Page),
}

impl Row {
    pub(crate) fn write(&self, db: &Connection) -> Result<(), Failure> {
        match self {
            Self::Counter(key, span, counter) => budgets::write(db, key, span, counter),
            Self::Run(run, page) => runs::write(db, run, page),
        }
    }
}

#[derive(Debug)]
enum Changed {
    Counter(String, Span),
    Run(RunId),
}

#[derive(Debug)]
enum Step {
    Counter(String, String, Option<Counter>),
    Run(RunId, Option<Box<Page>>),
    Began(RecordId),
    Ended(RecordId, Option<Pending>),
    Halts(u64),
    Grants(u64),
}

impl Counter {
    pub(crate) const fn new(ends: Option<Timestamp>, settled: u64, reserved: u64, limit: u64) -> Self {
        Self { ends, settled, reserved, limit, dirty: false }
    }

    /// The counter with so much more reserved, if there is room for it under this limit.
    pub(crate) fn reserve(self, amount: u64, limit: u64) -> Option<Self> {
        let limit = limit.min(i64::MAX.unsigned_abs());
        let reserved = self.reserved.checked_add(amount)?;
        (self.settled.checked_add(reserved)? <= limit).then_some(Self { reserved, limit, ..self })
    }

    /// The counter with so much of what was reserved booked, or released.
    pub(crate) fn settle(self, amount: u64, charged: bool) -> Self {
        let settled = self.settled.saturating_add(if charged { amount } else { 0 });
        Self { settled, reserved: self.reserved.saturating_sub(amount), ..self }
    }
}

impl Page {
    pub(crate) const fn new(facts: RunFacts, used_at: Timestamp, version: u64) -> Self {
        Self { facts, used_at, version, dirty: false }
    }

    /// The page with one call more, unless the run is no longer as the decision saw it.
    pub(crate) fn with_call(mut self, version: u64, at: Timestamp) -> Option<Self> {
        self.facts.calls = self.facts.calls.saturating_add(1);
        self.used_at = self.used_at.max(at);
        (self.version == version && !self.facts.closed).then_some(self)
    }

    /// The page with what a settled call spent and what its answer carried; `None` when nothing changes. The
    /// version changes only when the labels do: most answers bring nothing new, and must not turn other calls into
    /// conflicts.
    pub(crate) fn with_answer(mut self, spend: u64, labels: Option<&Labels>) -> Option<Self> {
        let before = self.facts.labels.clone();
        labels.into_iter().for_each(|new| self.facts.labels.collect(new));
        let brings_labels = before != self.facts.labels;
        self.facts.spend = self.facts.spend.saturating_add(spend).min(i64::MAX.unsigned_abs());
        self.version += u64::from(brings_labels);
        (spend > 0 || brings_labels).then_some(self)
    }
}

impl Book {
    /// A book that knows the calls people are or were asked about.
    pub(crate) fn open(asked: HashSet<Digest>, halts: u64, grants: u64, ahead: Ahead) -> Self {
        Self { asked, halts, grants, ahead, ..Self::default() }
    }

    /// A deed begins: from here on steps can be taken back.
    pub(crate) fn begin(&mut self) {
        self.steps.clear();
    }

    /// The writer begins a deed, and looks here more than once until it has [ended](Self::end_deed) it.
    pub(crate) fn begin_deed(&mut self) {
        self.begin();
        self.busy = true;
    }

    pub(crate) fn end_deed(&mut self) {
        self.busy = false;
    }

    /// Whether the writer is in the middle of a deed.
    pub(crate) const fn is_busy(&self) -> bool {
        self.busy
    }

    /// The present deed is undone.
    pub(crate) fn undo(&mut self) {
        while let Some(step) = self.steps.pop() {
            match step {
                Step::Counter(key, span, Some(counter)) => self.put(&key, &span, counter),
                Step::Counter(key, span, None) => {
                    if let Some(spans) = self.counters.get_mut(&key) {
                        spans.retain(|(known, _)| *known != span);
                    }
                }
                Step::Run(run, page) => drop(match page {
                    Some(page) => self.runs.insert(run, *page),
                    None => self.runs.remove(&run),
                }),
                Step::Began(intent) => drop(self.pending.remove(&intent)),
                Step::Ended(intent, Some(pending)) => drop(self.pending.insert(intent, pending)),
                Step::Ended(_, None) => {}
                Step::Halts(version) => self.halts = version,
                Step::Grants(version) => self.grants = version,
            }
        }
    }

    fn put(&mut self, key: &str, span: &str, counter: Counter) {
        let Some(spans) = self.counters.get_mut(key) else {
            self.counters.insert(key.to_owned(), vec![(span.to_owned(), counter)]);
            return;
        };
        match spans.iter_mut().find(|(known, _)| known == span) {
            Some((_, known)) => *known = counter,
            None => spans.push((span.to_owned(), counter)),
        }
    }

    pub(crate) fn counter(&self, key: &str, span: &Span) -> Option<&Counter> {
        self.counters.get(key)?.iter().find(|(known, _)| *known == span.id).map(|(_, counter)| counter)
    }

    /// Forgets a counter whose row is deleted; false when this group is about to write it.
    pub(crate) fn forget_counter(&mut self, key: &str, span: &str) -> bool {
        let Some(spans) = self.counters.get_mut(key) else { return true };
        let quiet = !spans.iter().any(|(known, counter)| known == span && (counter.dirty || counter.reserved > 0));
        if quiet {
            spans.retain(|(known, _)| known != span);
        }
        quiet
    }

    /// Changes a counter in the present deed.
    pub(crate) fn set_counter(&mut self, key: &str, span: &Span, counter: Counter) {
        let before = self.counter(key, span).cloned();
        if before.as_ref().is_none_or(|before| !before.dirty) {
            self.changed.push(Changed::Counter(key.to_owned(), span.clone()));
        }
        self.steps.push(Step::Counter(key.to_owned(), span.id.clone(), before));
        self.put(key, &span.id, Counter { dirty: true, ..counter });
    }

    pub(crate) fn run(&self, run: &RunId) -> Option<&Page> {
        self.runs.get(run)
    }

    /// Changes a run in the present deed.
    pub(crate) fn set_run(&mut self, run: &RunId, page: Page) {
        let before = self.runs.insert(run.clone(), Page { dirty: true, ..page });
        if before.as_ref().is_none_or(|before| !before.dirty) {
            self.changed.push(Changed::Run(run.clone()));
        }
        self.steps.push(Step::Run(run.clone(), before.map(Box::new)));
    }

    /// A call was admitted.
    pub(crate) fn began(&mut self, intent: &RecordId, pending: Pending) {
        if self.pending.len() < PENDING_MAX {
            self.steps.push(Step::Began(intent.clone()));
            self.pending.insert(intent.clone(), pending);
        }
    }

    pub(crate) fn pending(&self, intent: &RecordId) -> Option<&Pending> {
        self.pending.get(intent)
    }

    /// An intent that stood ahead of the file has come into it.
    pub(crate) fn placed(&mut self, intent: &RecordId, position: i64) {
        if let Some(pending) = self.pending.get_mut(intent) {
            pending.position = Some(position);
        }
    }

    /// A call has ended.
    pub(crate) fn ended(&mut self, intent: &RecordId) {
        let before = self.pending.remove(intent);
        self.steps.push(Step::Ended(intent.clone(), before));
    }

    /// A question is about to be asked about this call. Too many are remembered rather than too few: it
    /// only decides whether the file is looked at.
    pub(crate) fn will_ask(&mut self, call: Digest) {
        self.asked.insert(call);
    }

    pub(crate) fn was_asked(&self, call: &Digest) -> bool {
        self.asked.contains(call)
    }

    /// Halts have changed.
    pub(crate) fn halts_changed(&mut self) {
        self.steps.push(Step::Halts(self.halts));
        self.halts += 1;
    }

    /// Grants have changed.
    pub(crate) fn grants_changed(&mut self) {
        self.steps.push(Step::Grants(self.grants));
        self.grants += 1;
    }

    /// What has changed since the last group, to be written with this one.
    pub(crate) fn take_changed(&mut self) -> Vec<Row> {
        let mut rows = Vec::with_capacity(self.changed.len());
        for changed in std::mem::take(&mut self.changed) {
            match changed {
                Changed::Counter(key, span) => {
                    let spans = self.counters.get_mut(&key).into_iter().flatten();
                    for (_, counter) in spans.filter(|(known, counter)| *known == span.id && counter.dirty) {
                        counter.dirty = false;
                        rows.push(Row::Counter(key.clone(), span.id.clone(), counter.clone()));
                    }
                }
                Changed::Run(run) => {
                    if let Some(page) = self.runs.get_mut(&run).filter(|page| page.dirty) {
                        page.dirty = false;
                        rows.push(Row::Run(run, page.clone()));
                    }
                }
            }
        }
        rows
    }

    /// After a commit: keeps the book within its bounds. What has changed meanwhile stays, for the next group.
    pub(crate) fn trim(&mut self) {
        self.steps.clear();
        if self.counters.values().map(Vec::len).sum::<usize>() > ROWS_MAX {
            self.counters.retain(|_, spans| {
                spans.retain(|(_, counter)| counter.dirty);
                !spans.is_empty()
            });
        }
        if self.runs.len() > ROWS_MAX {
            self.runs.retain(|_, page| page.dirty);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span() -> Span {
        Span { id: "2026-11-21".into(), ends: None }
    }

    fn reserved(book: &Book) -> Option<u64> {
        book.counter("bot", &span()).map(|counter| counter.reserved)
    }

    #[test]
    fn a_deed_that_is_undone_leaves_the_book_as_it_was() {
        let mut book = Book::default();
        book.begin();
        book.set_counter("bot", &span(), Counter::new(None, 0, 5, 9));
        book.begin();
        book.set_counter("bot", &span(), Counter::new(None, 0, 6, 9));
        book.set_counter("bot", &span(), Counter::new(None, 0, 7, 9));
        book.halts_changed();
        book.undo();
        assert_eq!((reserved(&book), book.halts), (Some(5), 0));
        let rows = book.take_changed();
        assert!(matches!(&rows[..], [Row::Counter(_, _, counter)] if counter.reserved == 5), "{rows:?}");
        book.begin();
        book.set_counter("other", &span(), Counter::new(None, 0, 1, 9));
        book.undo();
        assert!(book.counter("other", &span()).is_none() && book.take_changed().is_empty());
    }

    #[test]
    fn what_was_written_is_not_written_again() {
        let mut book = Book::default();
        for reserved in [1, 2] {
            book.begin();
            book.set_counter("bot", &span(), Counter::new(None, 0, reserved, 9));
            assert_eq!(book.take_changed().len(), 1);
            assert!(book.take_changed().is_empty());
        }
    }
}

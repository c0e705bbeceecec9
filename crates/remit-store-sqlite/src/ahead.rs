//! Calls that are admitted ahead of the file.
//!
//! A batched intent asks nothing of the file when the [book](crate::book) knows its run and its budgets. So
//! whoever calls admits it there, without waiting for anybody, and the writer puts it into the file with its
//! next group, or by itself after half of the bound. The receipt of such a call goes the same way. At low load that
//! spares a read two hand-overs between threads; at any load most of its commits.
//!
//! A crash of this process loses what stands here, as a crash of the machine loses what had no fsync: only batched
//! records, of no more than the bound, and always the newest (`docs/decisions/0022-reads-ahead-of-the-file.md`).
//!
//! INVARIANT (the file is whole): what is ahead has changed the book and stands on the list, both under one lock, and
//! the writer takes both under one lock. So no counter in the file counts a call that is not in it.
//!
//! INVARIANT (one order): the writer empties the list before each deed, and nobody comes here in the middle of one. So
//! a deed finds all that was admitted before it was handed over, and one that is undone undoes nothing of this. As long as
//! a deed is on its way that nobody waits for, nobody comes here either: it would get into the file before its time, and
//! what a crash loses would not be the end.

use std::time::Instant;

use remit_app::intent::{Carrier, Effect, Intent, Settlement};
use remit_core::budget::Reservation;
use remit_core::ids::RecordId;
use rusqlite::Connection;

use crate::book::{Book, Pending};
use crate::failure::Failure;
use crate::intents;

/// From how many on the writer is woken before half of the bound is over: it bounds memory, and the length of
/// one transaction.
const WAKE_AT: usize = 512;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    entries: Vec<Entry>,
    since: Option<Instant>,
    /// Whether the writer is just writing what it took.
    writing: bool,
    /// How many deeds that nobody waits for are on their way to the writer.
    behind: usize,
    /// How many may stand here. None in a store that promises every record before its answer.
    room: usize,
}

/// A call that began or ended here.
#[derive(Debug)]
pub(crate) enum Entry {
    Admitted(Box<Intent>),
    /// With the place of its intent in the file, when it has one already.
    Settled(Option<i64>, Box<Settlement>),
}

/// What the writer has to hear of something that came to stand ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    /// Nothing: it knows that there is something.
    No,
    /// It is the first: the bound begins.
    Bound,
    /// There is a lot.
    Now,
}

impl Ahead {
    pub(crate) const fn with_room(room: usize) -> Self {
        Self { entries: Vec::new(), since: None, writing: false, behind: 0, room }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When the oldest of them came.
    pub(crate) const fn since(&self) -> Option<Instant> {
        self.since
    }

    /// Takes all of them, in order, to be written.
    pub(crate) fn take(&mut self) -> Vec<Entry> {
        self.since = None;
        self.writing |= !self.entries.is_empty();
        std::mem::take(&mut self.entries)
    }

    /// The group of those that were taken is committed.
    pub(crate) const fn written(&mut self) {
        self.writing = false;
    }

    /// Whether everything that ever stood here can be read from the file.
    pub(crate) const fn is_written(&self) -> bool {
        self.entries.is_empty() && !self.writing
    }

    /// Nobody comes here any more: the store is being closed.
    pub(crate) const fn close(&mut self) {
        self.room = 0;
    }

    /// A deed that nobody waits for is about to be handed over.
    pub(crate) const fn stays_behind(&mut self) {
        self.behind += 1;
    }

    /// Such a deed is done, or was not taken.
    pub(crate) const fn went_in(&mut self) {
        self.behind = self.behind.saturating_sub(1);
    }

    const fn is_open(&self) -> bool {
        self.behind == 0 && self.entries.len() < self.room
    }

    fn push(&mut self, entry: Entry) -> Wake {
        self.entries.push(entry);
        self.since.get_or_insert_with(Instant::now);
        match self.entries.len() {
            1 => Wake::Bound,
            many if many.is_multiple_of(WAKE_AT) => Wake::Now,
            _ => Wake::No,
        }
    }
}

impl Entry {
    /// Writes it into the file. An intent then has a place there.
    pub(crate) fn write(self, db: &Connection) -> Result<Option<(RecordId, i64)>, Failure> {
        match self {
            Self::Admitted(intent) => {
                let position = intents::insert(db, &intent, reserved(&intent).unwrap_or_default())?;
                Ok(Some((intent.record.id, position)))
            }
            Self::Settled(position, settlement) => intents::end(db, position, &settlement).map(|()| None),
        }
    }
}

/// What a batched intent reserves, if nothing about it needs the file.
fn reserved(intent: &Intent) -> Option<&[Reservation]> {
    let Effect::Admit { reservations, approvals, batched: true, carrier: Carrier::Gate } = &intent.effect else {
        return None;
    };
    let alone = intent.idempotency.is_none() && intent.preview_of.is_none() && approvals.is_empty();
    (alone && !intents::counts_objects(reservations)).then_some(reservations)
}

impl Book {
    /// Admits a call here, or gives it back: then it goes to the writer, who finds out all that there is to find out, and
    /// answers a conflict only when the next case shows it.
    pub(crate) fn admit_ahead(&mut self, intent: Box<Intent>) -> Result<Wake, Box<Intent>> {
        if self.is_busy() || !self.ahead.is_open() || self.draw(&intent).is_none() {
            return Err(intent);
        }
        Ok(self.ahead.push(Entry::Admitted(intent)))
    }

    /// Takes what a call uses up, if all of it is in this book and there is room.
    fn draw(&mut self, intent: &Intent) -> Option<()> {
        let reservations = reserved(intent)?;
        let unchanged = self.halts == intent.basis.halts && self.grants == intent.basis.grants;
        let page = self.run(&intent.run).filter(|_| unchanged)?.clone().with_call(intent.basis.run, intent.at)?;
        self.begin();
        for reservation in reservations {
            let counter = self.counter(&reservation.key.0, &reservation.span).cloned();
            let Some(counter) = counter.and_then(|known| known.reserve(reservation.amount, reservation.limit)) else {
                self.undo();
                return None;
            };
            self.set_counter(&reservation.key.0, &reservation.span, counter);
        }
        self.set_run(&intent.run, page);
        let pending =
            Pending { position: None, batched: true, run: intent.run.clone(), reservations: reservations.to_vec() };
        self.began(&intent.record.id, pending);
        Some(())
    }

    /// Settles a call that was admitted here, or gives the settlement back: then it goes to the writer.
    pub(crate) fn settle_ahead(&mut self, settlement: Box<Settlement>) -> Result<Wake, Box<Settlement>> {
        if self.is_busy() || !self.ahead.is_open() || !intents::is_sound(&settlement) {
            return Err(settlement);
        }
        match self.discharge(&settlement) {
            Some(position) => Ok(self.ahead.push(Entry::Settled(position, settlement))),
            None => Err(settlement),
        }
    }

    /// Books or releases what a call had reserved, if all of it is in this book; where its intent stands.
    fn discharge(&mut self, settlement: &Settlement) -> Option<Option<i64>> {
        let pending = self.pending(&settlement.intent).filter(|pending| pending.batched)?.clone();
        let page = self.run(&pending.run)?.clone();
        self.begin();
        for Reservation { key, span, amount, .. } in &pending.reservations {
            let Some(counter) = self.counter(&key.0, span).cloned() else {
                self.undo();
                return None;
            };
            self.set_counter(&key.0, span, counter.settle(*amount, settlement.charged));
        }
        let spend = if settlement.charged { intents::spend(&pending.reservations) } else { 0 };
        if let Some(page) = page.with_answer(spend, settlement.labels.as_ref()) {
            self.set_run(&pending.run, page);
        }
        self.ended(&settlement.intent);
        Some(pending.position)
    }
}

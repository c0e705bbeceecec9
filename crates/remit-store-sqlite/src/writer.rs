//! The writer: one thread, one connection, and many deeds per commit.
//!
//! The thread takes every deed that waits, applies each as a whole or not at all (a conflict undoes that
//! deed and no other), commits once, and only then answers them all: callers share one fsync, and
//! whoever decides again after a conflict reads what it conflicted with. Counters and runs that many
//! deeds of a group change are changed in the [book](crate::book), and written once.
//!
//! A group commits with an fsync (`synchronous=FULL`) as soon as one of its deeds asks for that. A
//! group of nothing but batched intents and handed-over receipts is committed to the log without one
//! (`NORMAL`): everybody sees it, a crash of this process loses nothing of it, and only a crash of
//! the machine can, until the next fsync. The log is one file written in one order, so that fsync
//! covers all that came before: what a crash loses is always a tail, never something in between.
//! `within` bounds how long that fsync may wait; it is begun after half of it. What stands
//! [ahead](crate::ahead) of the file goes into the next group, before each of its deeds, or into one of its own then.
//!
//! INVARIANT (nothing is promised twice): once a commit or a checkpoint has failed, nobody knows what
//! the file holds: after a failed fsync the kernel may drop the very pages it could not write. The
//! store is then dead for good, every waiting and every later deed is answered `Unavailable`, and
//! nothing is tried again. Opening the file anew finds out what it holds. The same goes for a lock that
//! somebody else holds on our file: the gateway's file is no place to write to while it runs.

use std::fs::File;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use crate::ahead::Entry;
use crate::book::Book;
use crate::failure::Failure;
use crate::faults::{Fault, Faults};
use crate::store::Shared;
use crate::{grants, halts};

/// Most deeds in one commit. It bounds how long the first of them waits for the last.
const GROUP_MAX: usize = 1024;
/// How long a group that nobody waits for stays open for others; a part of the bound at most.
const LINGER: Duration = Duration::from_millis(2);
/// After how many deeds the log is copied into the file. At two or three pages a deed this keeps the
/// log at some ten megabytes.
const CHECKPOINT_DEEDS: usize = 2_000;

/// How long one attempt to empty the log waits for readers, and so holds up the deeds behind it.
const EMPTYING: Duration = Duration::from_millis(50);
/// How long a lock of somebody else is waited for.
pub(crate) const BUSY: Duration = Duration::from_secs(5);

/// When a deed must be durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Before it is answered.
    Now,
    /// Within the bound.
    Soon,
}

/// What is handed to the thread. It ends when nobody can hand over any more, after the last of them.
pub(crate) enum Message {
    /// A deed.
    Deed(Urgency, Box<dyn Deed>),
    /// Something stands ahead of the file.
    Ahead,
    /// So much stands ahead of the file that it should not wait.
    MuchAhead,
}

/// What a deed works on: the file, and the book.
pub(crate) struct Desk<'a> {
    pub db: &'a Connection,
    shared: &'a Shared,
}

impl Desk<'_> {
    /// The book. Held for one look or one change, never while the file is used.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.book()
    }
}

impl Desk<'_> {
    /// Has the log emptied after this group's commit: what was deleted must not stay there.
    pub(crate) fn empty_the_log(&self) {
        self.shared.must_empty_the_log(true);
    }
}

/// One deed on its way.
pub(crate) trait Deed: Send {
    /// Does it. An error means that it must be undone.
    fn apply(&mut self, desk: &Desk<'_>) -> Result<(), Undo>;
    /// Whether it may have changed the file when it fails, so that a savepoint must guard it.
    fn guarded(&self) -> bool;
    /// Tells the caller, once the group's fate is known.
    fn answer(self: Box<Self>, fate: Result<(), &str>);
    /// Whether a caller waits for the answer.
    fn awaited(&self) -> bool;
}

/// Why a deed is undone.
pub(crate) enum Undo {
    /// It concerns this deed only.
    Alone,
    /// It concerns the file.
    File(String),
}

/// A deed that is a function, and whoever waits for it.
pub(crate) struct Waiting<T, F> {
    deed: Option<F>,
    guarded: bool,
    result: Option<Result<T, Failure>>,
    reply: Option<oneshot::Sender<Result<T, Failure>>>,
}

impl<T, F> Waiting<T, F> {
    pub(crate) fn new(deed: F, guarded: bool, reply: Option<oneshot::Sender<Result<T, Failure>>>) -> Self {
        Self { deed: Some(deed), guarded, result: None, reply }
    }
}

impl<T: Send, F: FnOnce(&Desk<'_>) -> Result<T, Failure> + Send> Deed for Waiting<T, F> {
    fn guarded(&self) -> bool {
        self.guarded
    }

    fn awaited(&self) -> bool {
        self.reply.is_some()
    }

    fn apply(&mut self, desk: &Desk<'_>) -> Result<(), Undo> {
        let Some(deed) = self.deed.take() else { return Err(Undo::Alone) };
        match deed(desk) {
            Err(Failure::Broken(why)) => Err(Undo::File(why)),
            result => {
                let undo = if result.is_ok() { Ok(()) } else { Err(Undo::Alone) };
                self.result = Some(result);
                undo
            }
        }
    }

    fn answer(self: Box<Self>, fate: Result<(), &str>) {
        let Some(reply) = self.reply else { return };
        let result = match fate {
            Ok(()) => self.result.unwrap_or_else(|| Err(Failure::rejected("the deed was lost"))),
            Err(why) => Err(Failure::Broken(why.to_owned())),
        };
        // Whoever has gone away wanted no answer; the deed is done all the same.
        let _gone = reply.send(result);
    }
}

/// The thread's own state.
pub(crate) struct Writer {
    pub db: Connection,
    pub queue: Receiver<Message>,
    pub shared: Arc<Shared>,
    /// How long a record may wait for its fsync; zero means not at all.
    pub within: Duration,
    pub faults: Faults,
    /// Since when there is something without an fsync.
    pub unsynced: Option<Instant>,
    pub deeds_since_checkpoint: usize,
    /// Whether commits end with an fsync at present.
    pub full: bool,
    /// Held as long as the thread runs, so that no second process writes.
    pub _lock: File,
}

impl Writer {
    /// Runs until the store is closed, dropped or dead. `ended` is dropped at the very end.
    pub(crate) fn run(mut self, ended: watch::Sender<()>) {
        // Whatever ends the thread, a panic too: nobody may take the store for alive afterwards.
        let _last_word = LastWord { shared: Arc::clone(&self.shared), _ended: ended };
        while let Ok(first) = self.next() {
            let group = self.gather(first);
            let done = self.commit(group);
            if let Err(why) = done.and_then(|()| self.shared.alive()) {
                return self.die(&why);
            }
        }
        self.finish();
    }

    /// Since when something has no fsync, in the file or ahead of it.
    fn waiting_since(&self) -> Option<Instant> {
        let ahead = self.shared.book().ahead.since();
        self.unsynced.into_iter().chain(ahead).min()
    }

    /// The next message; nothing when the bound is due, and an error when there will be none.
    fn next(&self) -> Result<Option<Message>, ()> {
        loop {
            let message = match self.waiting_since() {
                None => self.queue.recv().map_err(drop)?,
                Some(since) => match self.queue.recv_timeout((self.within / 2).saturating_sub(since.elapsed())) {
                    Ok(message) => message,
                    Err(RecvTimeoutError::Timeout) => return Ok(None),
                    Err(RecvTimeoutError::Disconnected) => return Err(()),
                },
            };
            // Nobody waits for what stands ahead; from here on its bound is known.
            if !matches!(message, Message::Ahead) {
                return Ok(Some(message));
            }
        }
    }

    /// Everything that waits, in order.
    fn gather(&self, first: Option<Message>) -> Group {
        let due = self.waiting_since().is_some_and(|since| since.elapsed() >= self.within / 2);
        let mut group = Group { deeds: Vec::new(), full: due || self.within.is_zero() };
        let mut next = first;
        let mut awaited = false;
        let until = Instant::now() + LINGER.min(self.within / 4);
        while let Some(message) = next {
            if let Message::Deed(urgency, deed) = message {
                group.full |= urgency == Urgency::Now;
                awaited |= deed.awaited();
                group.deeds.push(deed);
            } else {
                awaited = true;
            }
            next = match group.deeds.len() {
                GROUP_MAX.. => None,
                _ => self.queue.try_recv().ok(),
            };
            // Receipts that nobody waits for keep the group open for the call that comes next: at low
            // load that is one commit a call instead of two.
            if next.is_none() && !awaited && !group.full {
                next = self.queue.recv_timeout(until.saturating_duration_since(Instant::now())).ok();
            }
        }
        group
    }

    /// Applies and commits one group, and answers it.
    fn commit(&mut self, group: Group) -> Result<(), String> {
        let Group { mut deeds, full } = group;
        let done = self.transact(&mut deeds, full);
        for deed in deeds {
            deed.answer(done.as_ref().copied().map_err(String::as_str));
        }
        done
    }

    fn transact(&mut self, deeds: &mut [Box<dyn Deed>], full: bool) -> Result<(), String> {
        let waiting = self.waiting_since();
        if deeds.is_empty() && (waiting.is_none() || (!full && self.shared.book().ahead.is_written())) {
            return Ok(());
        }
        let ahead = match self.set_full(full).and_then(|()| self.apply(deeds, full)) {
            Ok(ahead) => ahead,
            Err(why) => {
                self.shared.declare_dead(&why);
                return Err(why);
            }
        };
        self.unsynced = if full { None } else { waiting.or_else(|| Some(Instant::now())) };
        if !self.shared.log_is_emptied() {
            self.empty_the_log()?;
        }
        self.deeds_since_checkpoint += deeds.len() + ahead;
        if self.deeds_since_checkpoint >= CHECKPOINT_DEEDS {
            self.deeds_since_checkpoint = 0;
            // What was committed is durable, or will be, whatever happens here; but an fsync that
            // failed here is a failed fsync, and the answers of this group are the last ones.
            if let Err(why) = self.checkpoint("PASSIVE") {
                self.shared.declare_dead(&why);
            }
        }
        Ok(())
    }

    /// Says how many stood ahead.
    fn apply(&self, deeds: &mut [Box<dyn Deed>], full: bool) -> Result<usize, String> {
        let text = |error: rusqlite::Error| error.to_string();
        self.execute("BEGIN IMMEDIATE").map_err(text)?;
        let desk = Desk { db: &self.db, shared: &self.shared };
        let mut ahead = 0;
        for deed in deeds.iter_mut() {
            ahead += self.begin_deed(&desk)?;
            self.one(&desk, deed.as_mut())?;
            let mut book = desk.book();
            book.end_deed();
            if !deed.awaited() {
                book.ahead.went_in();
            }
        }
        let (entries, changed) = {
            let mut book = desk.book();
            (book.ahead.take(), book.take_changed())
        };
        ahead += self.catch_up(&desk, entries)?;
        for row in changed {
            row.write(&self.db).map_err(disagree)?;
        }
        if full && self.unsynced.is_some() {
            // A commit without changes has no fsync. This one makes sure that there is something.
            self.execute("UPDATE meta SET value = value + 1 WHERE name = 'flushes'").map_err(text)?;
        }
        self.faults.strike(Fault::BeforeCommit)?;
        self.execute("COMMIT").map_err(text)?;
        self.faults.strike(Fault::AfterCommit)?;
        self.refresh_halts().map_err(|_| "the halts and grants could not be read back".to_owned())?;
        Ok(ahead)
    }

    /// Begins a deed once nothing stands ahead of it. Says how many did.
    fn begin_deed(&self, desk: &Desk<'_>) -> Result<usize, String> {
        let mut ahead = 0;
        loop {
            let entries = {
                let mut book = desk.book();
                if book.ahead.is_empty() {
                    book.begin_deed();
                    return Ok(ahead);
                }
                book.ahead.take()
            };
            ahead += self.catch_up(desk, entries)?;
        }
    }

    /// Puts into the file what stood ahead of it. Says how many.
    fn catch_up(&self, desk: &Desk<'_>, entries: Vec<Entry>) -> Result<usize, String> {
        let count = entries.len();
        for entry in entries {
            if let Some((intent, position)) = entry.write(&self.db).map_err(disagree)? {
                desk.book().placed(&intent, position);
            }
        }
        Ok(count)
    }

    /// Applies one deed. When it fails it has changed nothing.
    fn one(&self, desk: &Desk<'_>, deed: &mut dyn Deed) -> Result<(), String> {
        let text = |error: rusqlite::Error| error.to_string();
        if !deed.guarded() {
            let changes = self.db.total_changes();
            return match deed.apply(desk) {
                Ok(()) => Ok(()),
                Err(Undo::File(why)) => Err(why),
                // INVARIANT (all of a deed or none): an unguarded deed changes the file last, and cannot
                // fail any more then. If it did, half of it stands there.
                Err(Undo::Alone) if self.db.total_changes() != changes => Err("a deed was left half done".into()),
                Err(Undo::Alone) => {
                    desk.book().undo();
                    Ok(())
                }
            };
        }
        self.execute("SAVEPOINT deed").map_err(text)?;
        match deed.apply(desk) {
            Ok(()) => {}
            Err(Undo::Alone) => {
                desk.book().undo();
                self.execute("ROLLBACK TO deed").map_err(text)?;
            }
            Err(Undo::File(why)) => return Err(why),
        }
        self.execute("RELEASE deed").map_err(text)
    }

    /// Brings the copies of the halts and grants that every case is read with up to date. Before the answers go
    /// out: whoever has ordered a halt, or conflicted with one, must see it in the next case.
    fn refresh_halts(&self) -> Result<(), Failure> {
        let version = self.shared.book().halts;
        if version != self.shared.halts().version {
            self.shared.set_halts(halts::all(&self.db)?);
        }
        let version = self.shared.book().grants;
        if version != self.shared.grants().version {
            self.shared.set_grants(grants::live(&self.db)?);
        }
        let mut book = self.shared.book();
        book.ahead.written();
        book.trim();
        Ok(())
    }

    /// Switches the fsync at commit on or off. Between transactions only: inside one SQLite refuses.
    fn set_full(&mut self, full: bool) -> Result<(), String> {
        if self.full != full {
            let level = if full { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
            self.db.execute_batch(level).map_err(|error| error.to_string())?;
            self.full = full;
        }
        Ok(())
    }

    /// Copies the log into the file. SQLite does this by itself too, but would keep an error to itself.
    fn checkpoint(&self, mode: &str) -> Result<(), String> {
        let sql = format!("PRAGMA wal_checkpoint({mode})");
        self.db.query_row(&sql, [], |_| Ok(())).map_err(|error| format!("checkpoint: {error}"))
    }

    /// Copies the log into the file and cuts it off. Readers in the way are waited for only briefly: it stays
    /// to be done then, with the next group.
    fn empty_the_log(&self) -> Result<(), String> {
        let emptied = self
            .db
            .busy_timeout(EMPTYING)
            .and_then(|()| self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)));
        let waiting = self.db.busy_timeout(BUSY);
        match emptied.and_then(|busy| waiting.map(|()| busy)) {
            Ok(busy) => self.shared.must_empty_the_log(busy != 0),
            Err(error) => {
                let why = format!("checkpoint: {error}");
                self.shared.declare_dead(&why);
                return Err(why);
            }
        }
        Ok(())
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.db.prepare_cached(sql)?.execute([]).map(drop)
    }

    /// Ends in good order: what is without an fsync gets one, and the log goes into the file.
    fn finish(mut self) {
        self.shared.book().ahead.close();
        let flushed = self.transact(&mut [], true).and_then(|()| self.checkpoint("TRUNCATE"));
        self.shared.declare_dead(flushed.as_ref().err().map_or("it was closed", String::as_str));
    }

    /// Ends without another write. What still waits finds the store dead.
    fn die(self, why: &str) {
        self.shared.declare_dead(why);
        while let Ok(message) = self.queue.try_recv() {
            if let Message::Deed(_, deed) = message {
                deed.answer(Err(why));
            }
        }
    }
}

/// Whatever SQLite says of a row that the book holds, a broken constraint too: the book and the file disagree.
fn disagree(failure: Failure) -> String {
    remit_app::intent::Unavailable::from(failure).0
}

struct Group {
    deeds: Vec<Box<dyn Deed>>,
    full: bool,
}

/// Spoken when the thread is over. By then the file is closed and its lock is free.
struct LastWord {
    shared: Arc<Shared>,
    _ended: watch::Sender<()>,
}

impl Drop for LastWord {
    fn drop(&mut self) {
        self.shared.declare_dead("its writer has stopped");
    }
}

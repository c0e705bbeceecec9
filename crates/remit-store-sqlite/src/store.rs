//! The port: each deed goes to the writer, each question to a reader.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::JoinHandle;

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::hold::{Hold, HoldTarget};
use remit_app::intent::{Case, CommitError, Committed, Effect, Intent, Receipt, Settlement, Unavailable};
use remit_app::ledger::Head;
use remit_app::outcome::{RunOutcome, StoredOutcome};
use remit_app::ports::{CaseQuery, Erasure, RecordFilter, Retired, Retirement, Store};
use remit_app::question::{Question, Vote};
use remit_app::run::{Run, RunFilter};
use remit_core::budget::{Budget, Span};
use remit_core::halt::{Halt, HaltTarget};
use remit_core::ids::{AgentId, Digest, QuestionId, RecordId, RunId, UserId};
use remit_evidence::log::leaf::Leaf;
use remit_evidence::writer::SignedRecord;
use rusqlite::Connection;
use tokio::sync::{oneshot, watch};

use crate::ahead::{Ahead, Wake};
use crate::book::Book;
use crate::failure::Failure;
use crate::grants::Live;
use crate::halts::Halts;
use crate::intents::Applied;
use crate::readers::Readers;
use crate::writer::{Deed, Desk, Message, Urgency, Waiting};
use crate::{budgets, case, erasure, halts, head, holds, intents, questions, records, runs};

/// How often the log is tried to be emptied after something was erased; each attempt waits 50 ms at most.
const EMPTYING_ATTEMPTS: u32 = 200;

/// The [`Store`] port on one SQLite file. Dropping it waits for what was handed over, as
/// [`Store::close`] does.
pub struct SqliteStore {
    readers: Readers,
    shared: Arc<Shared>,
    /// None when the file was opened for looking only, and once the store is closed.
    sender: Mutex<Option<SyncSender<Message>>>,
    /// The writer's thread, and what is closed when it has ended.
    thread: Option<(JoinHandle<()>, watch::Receiver<()>)>,
}

/// What the writer's thread tells the others.
pub(crate) struct Shared {
    dead: OnceLock<String>,
    /// The halts of the last commit. Every case needs them, and they hardly ever change.
    halts: RwLock<Arc<Halts>>,
    /// The grants of the last commit that have not ended, likewise.
    grants: RwLock<Arc<Live>>,
    /// Counters and runs, ahead of the file.
    book: Mutex<Book>,
    /// Whether something was deleted that may still be in the log.
    emptying: AtomicBool,
}

impl Shared {
    pub(crate) fn new(halts: Halts, grants: Live, asked: HashSet<Digest>, ahead: Ahead) -> Self {
        let book = Mutex::new(Book::open(asked, halts.version, grants.version, ahead));
        let (halts, grants) = (RwLock::new(Arc::new(halts)), RwLock::new(Arc::new(grants)));
        Self { dead: OnceLock::new(), halts, grants, book, emptying: AtomicBool::new(false) }
    }

    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was deleted: the log is to be emptied, and until then this says so.
    pub(crate) fn must_empty_the_log(&self, must: bool) {
        self.emptying.store(must, Ordering::Release);
    }

    pub(crate) fn log_is_emptied(&self) -> bool {
        !self.emptying.load(Ordering::Acquire)
    }

    /// The store can promise nothing any more. The first reason stays.
    pub(crate) fn declare_dead(&self, why: &str) {
        let _first = self.dead.set(why.to_owned());
    }

    pub(crate) fn halts(&self) -> Arc<Halts> {
        Arc::clone(&self.halts.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_halts(&self, halts: Halts) {
        *self.halts.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(halts);
    }

    pub(crate) fn grants(&self) -> Arc<Live> {
        Arc::clone(&self.grants.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set_grants(&self, grants: Live) {
        *self.grants.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(grants);
    }

    pub(crate) fn alive(&self) -> Result<(), String> {
        self.dead.get().map_or(Ok(()), |why| Err(format!("the store has stopped: {why}")))
    }
}

impl SqliteStore {
    pub(crate) fn writing(
        readers: Readers,
        shared: Arc<Shared>,
        sender: SyncSender<Message>,
        thread: JoinHandle<()>,
        ended: watch::Receiver<()>,
    ) -> Self {
        Self { readers, shared, sender: Mutex::new(Some(sender)), thread: Some((thread, ended)) }
    }

    pub(crate) fn looking(readers: Readers) -> Self {
        Self {
            readers,
            shared: Arc::new(Shared::new(Halts::default(), Live::default(), HashSet::new(), Ahead::default())),
            sender: Mutex::new(None),
            thread: None,
        }
    }

    fn hand_over(&self, message: Message) -> Result<(), Failure> {
        self.shared.alive().map_err(Failure::Broken)?;
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = sender.as_ref() else {
            return Err(Failure::rejected("the store was opened for looking only, or was closed"));
        };
        sender.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => Failure::rejected("too many deeds are waiting to be written"),
            TrySendError::Disconnected(_) => self.stopped(),
        })
    }

    fn stopped(&self) -> Failure {
        Failure::Broken(self.shared.alive().err().unwrap_or_else(|| "the store's writer has stopped".to_owned()))
    }

    /// Does a deed that must be durable when this returns.
    pub(crate) async fn write<T, F>(&self, deed: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Desk<'_>) -> Result<T, Failure> + Send + 'static,
    {
        self.write_as(Urgency::Now, true, deed).await
    }

    /// Hands a deed over that nobody waits for.
    pub(crate) fn write_soon<F>(&self, deed: F) -> Result<(), Failure>
    where
        F: FnOnce(&Desk<'_>) -> Result<(), Failure> + Send + 'static,
    {
        self.hand_over_unawaited(Waiting::new(deed, false, None))
    }

    fn hand_over_unawaited(&self, deed: impl Deed + 'static) -> Result<(), Failure> {
        self.shared.book().ahead.stays_behind();
        let handed_over = self.hand_over(Message::Deed(Urgency::Soon, Box::new(deed)));
        if handed_over.is_err() {
            self.shared.book().ahead.went_in();
        }
        handed_over
    }

    async fn write_as<T, F>(&self, urgency: Urgency, guarded: bool, deed: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Desk<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.hand_over(Message::Deed(urgency, Box::new(Waiting::new(deed, guarded, Some(reply)))))?;
        answer.await.unwrap_or_else(|_| Err(self.stopped()))
    }

    /// Waits until what was deleted is no longer in the log either. Each attempt is short, for the writer's
    /// sake; readers that are in the way end soon.
    async fn empty_the_log(&self) -> Result<(), Failure> {
        for _ in 0..EMPTYING_ATTEMPTS {
            if self.shared.log_is_emptied() {
                return Ok(());
            }
            self.write_as(Urgency::Now, false, |_| Ok(())).await?;
        }
        Err(Failure::rejected("what was erased is still in the log, because somebody keeps reading: erase it again"))
    }

    /// Reads the file, once all is in it that was admitted ahead of it.
    pub(crate) async fn read<T, F>(&self, read: F) -> Result<T, Unavailable>
    where
        F: FnOnce(&Connection) -> Result<T, Failure> + Send,
    {
        if self.thread.is_some() && !self.shared.book().ahead.is_written() {
            self.write_as(Urgency::Soon, false, |_| Ok(())).await?;
        }
        self.look(read)
    }

    /// Reads the file as it is, for those who know from the book what it lacks.
    fn look<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Unavailable> {
        self.shared.alive().map_err(Failure::Broken)?;
        Ok(self.readers.read(read)?)
    }

    /// Wakes the writer, if that is called for. One that cannot be told is awake already, or gone.
    fn wake(&self, wake: Wake) {
        let message = match wake {
            Wake::No => return,
            Wake::Bound => Message::Ahead,
            Wake::Now => Message::MuchAhead,
        };
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let _told = sender.as_ref().map(|sender| sender.try_send(message));
    }

    /// The grants that have not ended: the writer's copy, or the file's when this process does not write.
    pub(crate) fn live(&self) -> Result<Arc<Live>, Unavailable> {
        if self.thread.is_some() {
            self.shared.alive().map_err(Failure::Broken)?;
            return Ok(self.shared.grants());
        }
        self.look(|db| crate::grants::live(db).map(Arc::new))
    }

    /// The halts in force: the writer's copy, or the file's when this process does not write.
    fn halts_in_force(&self, db: &Connection) -> Result<Arc<Halts>, Failure> {
        if self.thread.is_some() { Ok(self.shared.halts()) } else { halts::all(db).map(Arc::new) }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn load_case(&self, query: &CaseQuery<'_>) -> Result<Case, Unavailable> {
        let book = self.thread.is_some().then_some(&self.shared.book);
        if book.is_some() {
            self.shared.alive().map_err(Failure::Broken)?;
            let halts = self.shared.halts();
            let at_hand = case::at_hand(&self.shared.book(), query, &halts);
            if let Some(case) = at_hand {
                return Ok(case);
            }
        }
        self.look(|db| case::load(db, book, query, &*self.halts_in_force(db)?))
    }

    async fn commit_intent(&self, intent: Intent) -> Result<Committed, CommitError> {
        self.shared.alive().map_err(Failure::Broken)?;
        let (mut intent, mut urgency) = (Box::new(intent), Urgency::Now);
        if matches!(intent.effect, Effect::Admit { batched: true, .. }) {
            let record = intent.record.id.clone();
            let ahead = self.shared.book().admit_ahead(intent);
            (intent, urgency) = match ahead {
                Ok(wake) => {
                    self.wake(wake);
                    return Ok(Committed::Admitted(Receipt::assert_committed(record)));
                }
                Err(intent) => (intent, Urgency::Soon),
            };
        }
        let guarded = intents::is_guarded(&intent);
        let applied = self.write_as(urgency, guarded, move |desk| intents::commit(desk, &intent)).await?;
        // Committed: only now is there a receipt.
        Ok(match applied {
            Applied::Admitted(record) => Committed::Admitted(Receipt::assert_committed(record)),
            Applied::Held(question) => Committed::Held(question),
            Applied::Refused => Committed::Refused,
            Applied::Repeated { intent, call } => Committed::Repeated { intent, call },
        })
    }

    async fn settle(&self, settlement: Settlement) -> Result<(), Unavailable> {
        let guarded = intents::counts_objects(&settlement.reservations);
        Ok(self.write_as(Urgency::Now, guarded, move |desk| intents::settle(desk, &settlement)).await?)
    }

    fn settle_soon(&self, settlement: Settlement) -> Result<(), Unavailable> {
        self.shared.alive().map_err(Failure::Broken)?;
        let ahead = self.shared.book().settle_ahead(Box::new(settlement));
        let settlement = match ahead {
            Ok(wake) => {
                self.wake(wake);
                return Ok(());
            }
            Err(settlement) => settlement,
        };
        let guarded = intents::counts_objects(&settlement.reservations);
        let deed = move |desk: &Desk<'_>| intents::settle(desk, &settlement);
        Ok(self.hand_over_unawaited(Waiting::new(deed, guarded, None))?)
    }

    async fn outcome(&self, intent: &RecordId) -> Result<Option<StoredOutcome>, Unavailable> {
        self.read(|db| intents::outcome(db, intent)).await
    }

    async fn outcomes(&self, run: &RunId, limit: u32) -> Result<Vec<RunOutcome>, Unavailable> {
        // Answered after everything that was handed over before.
        self.write_as(Urgency::Soon, false, |_| Ok(())).await?;
        self.read(|db| intents::outcomes(db, run, limit)).await
    }

    async fn unreported(&self, intent: &RecordId) -> Result<Option<Settlement>, Unavailable> {
        self.read(|db| intents::unreported(db, intent)).await
    }

    async fn unsettled(&self, before: Timestamp) -> Result<Vec<Settlement>, Unavailable> {
        self.read(|db| intents::unsettled(db, before)).await
    }

    async fn open_run(&self, run: &Run, record: SignedRecord) -> Result<(), CommitError> {
        let run = run.clone();
        Ok(self.write(move |desk| runs::open(desk, &run, &record)).await?)
    }

    async fn close_run(&self, run: &RunId, at: Timestamp, record: SignedRecord) -> Result<(), CommitError> {
        let run = run.clone();
        Ok(self.write(move |desk| runs::close(desk, &run, at, &record)).await?)
    }

    async fn run(&self, id: &RunId) -> Result<Option<Run>, Unavailable> {
        self.read(|db| Ok(runs::one(db, id)?.map(|(run, _)| run))).await
    }

    async fn idle_run(
        &self,
        agent: &AgentId,
        user: Option<&UserId>,
        since: Timestamp,
    ) -> Result<Option<RunId>, Unavailable> {
        self.read(|db| runs::idle(db, agent, user, since)).await
    }

    async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>, Unavailable> {
        self.read(|db| runs::some(db, filter)).await
    }

    async fn question(&self, id: &QuestionId) -> Result<Option<Question>, Unavailable> {
        self.look(|db| questions::one(db, id))
    }

    async fn answer_question(&self, vote: Vote, record: SignedRecord) -> Result<Question, CommitError> {
        Ok(self.write(move |desk| questions::answer(desk.db, &vote, &record)).await?)
    }

    async fn halts(&self) -> Result<Vec<Halt>, Unavailable> {
        if self.thread.is_some() {
            self.shared.alive().map_err(Failure::Broken)?;
            return Ok(self.shared.halts().list.clone());
        }
        self.look(|db| Ok(halts::all(db)?.list))
    }

    async fn put_halt(&self, halt: Halt, record: SignedRecord) -> Result<(), Unavailable> {
        Ok(self.write(move |desk| halts::put(desk, &halt, &record)).await?)
    }

    async fn lift_halt(&self, target: &HaltTarget, record: SignedRecord) -> Result<bool, Unavailable> {
        let target = target.clone();
        Ok(self.write(move |desk| halts::lift(desk, &target, &record)).await?)
    }

    async fn holds(&self) -> Result<Vec<Hold>, Unavailable> {
        self.read(holds::all).await
    }

    async fn put_hold(&self, hold: Hold, record: SignedRecord) -> Result<(), Unavailable> {
        Ok(self.write(move |desk| holds::put(desk.db, &hold, &record)).await?)
    }

    async fn lift_hold(&self, target: &HoldTarget, record: SignedRecord) -> Result<bool, Unavailable> {
        let target = target.clone();
        Ok(self.write(move |desk| holds::lift(desk.db, &target, &record)).await?)
    }

    async fn erase(&self, erasure: Erasure, record: SignedRecord) -> Result<bool, CommitError> {
        let more = self.write(move |desk| erasure::erase(desk, &erasure, &record)).await?;
        self.empty_the_log().await?;
        Ok(more)
    }

    async fn retire(&self, retirement: Retirement) -> Result<Retired, CommitError> {
        Ok(self.write(move |desk| erasure::retire(desk, &retirement)).await?)
    }

    async fn append(&self, record: SignedRecord) -> Result<(), Unavailable> {
        Ok(self.write_as(Urgency::Now, false, move |desk| records::append(desk.db, &record).map(drop)).await?)
    }

    async fn record(&self, id: &RecordId) -> Result<Option<SignedRecord>, Unavailable> {
        self.read(|db| records::one(db, id)).await
    }

    async fn places(&self, ids: &[RecordId]) -> Result<Vec<Option<u64>>, Unavailable> {
        self.read(|db| ids.iter().map(|id| records::place(db, id)).collect()).await
    }

    async fn records(&self, filter: &RecordFilter) -> Result<Vec<SignedRecord>, Unavailable> {
        self.read(|db| records::some(db, filter)).await
    }

    async fn count(&self) -> Result<u64, Unavailable> {
        self.read(records::count).await
    }

    async fn leaves(&self, after: u64, limit: u32) -> Result<Vec<Leaf>, Unavailable> {
        // Answered after a commit with an fsync: whatever is counted here is covered by it.
        let durable = self.write_as(Urgency::Now, false, |desk| records::count(desk.db)).await?;
        self.look(|db| records::leaves(db, after, durable, limit))
    }

    async fn head(&self) -> Result<Option<Head>, Unavailable> {
        self.read(head::read).await
    }

    async fn advance_head(&self, from: Option<&Head>, to: &Head) -> Result<(), CommitError> {
        let (from, to) = (from.map(Head::mark), to.clone());
        Ok(self.write(move |desk| head::advance(desk.db, from.as_ref(), &to)).await?)
    }

    async fn usage(&self, budgets: &[(Budget, Span)]) -> Result<Vec<(u64, u64)>, Unavailable> {
        self.read(|db| budgets.iter().map(|(budget, span)| budgets::used(db, &budget.key.0, &span.id)).collect()).await
    }

    fn health(&self) -> Result<(), Unavailable> {
        self.shared.alive().map_err(Unavailable)
    }

    async fn close(&self) {
        drop(self.sender.lock().unwrap_or_else(PoisonError::into_inner).take());
        if let Some((_, ended)) = &self.thread {
            let mut ended = ended.clone();
            while ended.changed().await.is_ok() {}
        }
    }
}

impl Drop for SqliteStore {
    /// Without a sender the thread writes what is waiting, and ends. The lock is free when this returns.
    fn drop(&mut self) {
        drop(self.sender.get_mut().unwrap_or_else(PoisonError::into_inner).take());
        if let Some((thread, _)) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

//! One running process: who writes to it, who reads from it, and who sees it end.

use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use remit_app::permit::Progress;
use remit_app::secret::Secret;
use remit_core::ids::UpstreamId;
use tokio::io::{AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use super::group::Group;
use super::lines::{Line, Lines};
use super::waiting::{Answered, Waiting};
use super::{handshake, spawn};
use crate::upstream::ANSWER_BYTES_MAX;
use crate::upstream::changes::Changes;
use crate::upstream::failure::{Failure, not_started, unknown};
use crate::upstream::footing::Footing;
use crate::upstream::frame;
use crate::upstream::message::{Message, guessed_id};
use crate::upstream::spec::Spec;

/// Most frames that wait to be written. Requests beyond that wait outside and can still go back.
const OUTBOX_FRAMES: usize = 64;
/// Longest line of standard error that is logged, in bytes.
const LOG_LINE_BYTES_MAX: usize = 4 * 1024;
/// How long a process may take to go after its input was closed, or to be read out after it went.
const GOODBYE_TIME_MAX: Duration = Duration::from_secs(2);

/// How far a process has come.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// No footing yet.
    Starting,
    /// It can be asked.
    Ready(Arc<Footing>),
    /// It ended, or there is no footing to be had with it.
    Failed {
        /// For operators.
        reason: String,
        /// Whether it ended upon being asked for the modern era.
        asked_to_death: bool,
    },
}

/// A process. It ends when this is dropped.
pub(super) struct Process {
    shared: Arc<Shared>,
    outbox: mpsc::Sender<Outgoing>,
    ids: AtomicU64,
    ended: watch::Receiver<bool>,
    /// Sent to, it asks the process to go; dropped, it kills it.
    leave: std::sync::Mutex<Option<oneshot::Sender<()>>>,
}

/// What the tasks of one process share.
struct Shared {
    upstream: UpstreamId,
    waiting: Waiting,
    state: watch::Sender<State>,
    changes: Arc<Changes>,
}

/// What is to be written.
enum Outgoing {
    /// A request, written only as long as somebody waits for it.
    Request(u64, String),
    /// Something that is not waited for.
    Notice(String),
}

impl Process {
    /// Starts a process and begins the handshake, which goes on by itself: a caller who cannot wait
    /// for its end leaves it to the next.
    ///
    /// # Errors
    /// [`Failure::NotStarted`].
    pub async fn start(
        spec: &Spec,
        secret: Option<&Secret>,
        ask: bool,
        changes: Arc<Changes>,
    ) -> Result<Arc<Self>, Failure> {
        let mut child = spawn::start(spawn::command(spec, secret)?).await?;
        let group = child.id().and_then(Group::led_by);
        let (Some(group), Some(stdin), Some(stdout), Some(stderr)) =
            (group, child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(not_started("its process ended at once"));
        };
        let shared = Arc::new(Shared {
            upstream: spec.id.clone(),
            waiting: Waiting::new(),
            state: watch::channel(State::Starting).0,
            changes,
        });
        let (outbox, frames) = mpsc::channel(OUTBOX_FRAMES);
        let writer = tokio::spawn(write(shared.clone(), stdin, frames));
        // The reader's own hold on the outbox is weak: dropping the process must close the input.
        let reader = tokio::spawn(read(shared.clone(), stdout, outbox.downgrade()));
        tokio::spawn(log(spec.id.clone(), stderr));
        let (leave, left) = oneshot::channel();
        let (end, ended) = watch::channel(false);
        let keeper = Keeper { shared: shared.clone(), child, group, writer, reader };
        tokio::spawn(async move {
            keeper.keep(left).await;
            let _ = end.send(true);
        });
        let ids = AtomicU64::new(1);
        let process = Arc::new(Self { shared, outbox, ids, ended, leave: std::sync::Mutex::new(Some(leave)) });
        tokio::spawn(handshake::shake(Arc::downgrade(&process), ask));
        Ok(process)
    }

    /// A new id.
    pub fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether it can be, or may soon be, asked.
    pub fn is_alive(&self) -> bool {
        self.shared.waiting.is_open() && !matches!(*self.shared.state.borrow(), State::Failed { .. })
    }

    /// Whether this is the footing we have with it.
    pub fn stands_on(&self, footing: &Arc<Footing>) -> bool {
        matches!(&*self.shared.state.borrow(), State::Ready(current) if Arc::ptr_eq(current, footing))
    }

    /// Waits for the end of the handshake.
    pub async fn settled(&self) -> State {
        let mut state = self.shared.state.subscribe();
        let settled = state.wait_for(|state| !matches!(state, State::Starting)).await;
        settled.map_or(State::Starting, |state| state.clone())
    }

    /// Says how the handshake ended. A process without a footing is of no use and ends.
    pub fn settle(&self, state: State) {
        let failed = matches!(state, State::Failed { .. });
        self.shared.state.send_if_modified(|current| {
            let open = matches!(current, State::Starting);
            if open {
                *current = state;
            }
            open
        });
        if failed {
            self.dismiss();
        }
    }

    /// Sends a request and waits for its answer. Dropped, the request is taken back.
    ///
    /// # Errors
    /// [`Failure::NotStarted`] as long as the request was not handed to the writer, afterwards
    /// [`Failure::Unknown`].
    pub async fn exchange(
        &self,
        id: u64,
        frame: String,
        progress: Option<Progress>,
        deadline: Instant,
    ) -> Result<Answered, Failure> {
        let answered = self.shared.waiting.enter(id, progress)?;
        let mut entry = Entry { process: self, id, sent: false };
        let place = timeout_at(deadline, self.outbox.reserve()).await;
        let place = place.map_err(|_| not_started("it does not read its input"))?;
        place.map_err(|_| not_started("its process has ended"))?.send(Outgoing::Request(id, frame));
        entry.sent = true;
        match timeout_at(deadline, answered).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) => Err(unknown("its process has ended")),
            Err(_) => Err(unknown("it did not answer in time")),
        }
    }

    /// Sends something that is not waited for. Lost when the process does not read.
    pub fn tell(&self, frame: String) {
        let _full = self.outbox.try_send(Outgoing::Notice(frame));
    }

    /// Asks the process to go, waits until it is gone, and kills what it left behind.
    pub async fn end(&self) {
        self.dismiss();
        let mut ended = self.ended.clone();
        let _ = ended.wait_for(|ended| *ended).await;
    }

    /// Asks the process to go.
    pub fn dismiss(&self) {
        let mut leave = self.leave.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(leave) = leave.take() {
            let _gone = leave.send(());
        }
    }
}

/// A request's entry in the table of those that wait.
struct Entry<'a> {
    process: &'a Process,
    id: u64,
    sent: bool,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let waited = self.process.shared.waiting.strike(self.id);
        // `initialize` is the one request that must not be taken back.
        let ready = matches!(*self.process.shared.state.borrow(), State::Ready(_));
        if waited && self.sent && ready {
            self.process.tell(frame::cancelled(self.id));
        }
    }
}

/// Writes whole frames. It alone holds the input, so a caller who gives up leaves no half of one.
async fn write(shared: Arc<Shared>, mut stdin: ChildStdin, mut frames: mpsc::Receiver<Outgoing>) {
    while let Some(outgoing) = frames.recv().await {
        let mut text = match outgoing {
            Outgoing::Request(id, text) if shared.waiting.holds(id) => text,
            Outgoing::Request(..) => continue,
            Outgoing::Notice(text) => text,
        };
        text.push('\n');
        if stdin.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Reads messages until the output ends.
async fn read(shared: Arc<Shared>, stdout: ChildStdout, outbox: mpsc::WeakSender<Outgoing>) {
    let mut lines = Lines::new(BufReader::with_capacity(64 * 1024, stdout), ANSWER_BYTES_MAX);
    loop {
        match lines.next().await {
            Ok(Line::Whole(line)) => hear(&shared, line, &outbox),
            Ok(Line::TooLong(head, tail)) => {
                let why = format!("its answer is larger than {ANSWER_BYTES_MAX} bytes");
                match guessed_id(head, tail) {
                    Some(id) => shared.waiting.answer(id, Err(unknown(why))),
                    // It may be anybody's answer, and nobody else will tell them.
                    None => shared.waiting.give_up(&why),
                }
            }
            Ok(Line::End) | Err(_) => return,
        }
    }
}

fn hear(shared: &Shared, line: &[u8], outbox: &mpsc::WeakSender<Outgoing>) {
    match Message::read(line) {
        Ok(Message::Answer { id: Some(id), reply }) => {
            shared.waiting.answer(id, Ok(Answered { reply, bytes: line.len() }));
        }
        Ok(Message::Progress { token, notice }) => shared.waiting.progress(token, notice),
        Ok(Message::ListChanged) => shared.changes.told(),
        Ok(Message::Request { id, ping }) => {
            if let Some(outbox) = outbox.upgrade() {
                let _full = outbox.try_send(Outgoing::Notice(frame::answer(&id, ping)));
            }
        }
        Ok(Message::Answer { id: None, .. } | Message::Other) => {}
        // Programs print all kinds of things. What looks like an answer is one that cannot be read;
        // nothing is said to the process, for some answer even that with an error.
        Err(error) if line.first() == Some(&b'{') => {
            let ends = (&line[..line.len().min(256)], &line[line.len().saturating_sub(256)..]);
            if let Some(id) = guessed_id(ends.0, ends.1) {
                shared.waiting.answer(id, Err(unknown(format!("its answer is no acceptable JSON: {error}"))));
            }
        }
        Err(_) => {}
    }
}

/// Passes standard error on to the log, for those who debug an upstream.
async fn log(upstream: UpstreamId, stderr: ChildStderr) {
    let mut lines = Lines::new(BufReader::new(stderr), LOG_LINE_BYTES_MAX);
    loop {
        match lines.next().await {
            Ok(Line::Whole(line) | Line::TooLong(line, _)) => {
                let line = String::from_utf8_lossy(line);
                tracing::debug!(%upstream, line = %line.escape_debug(), "standard error");
            }
            Ok(Line::End) | Err(_) => return,
        }
    }
}

/// Sees a process to its end. Dropped with its runtime, it kills the process too.
struct Keeper {
    shared: Arc<Shared>,
    child: Child,
    group: Group,
    writer: JoinHandle<()>,
    reader: JoinHandle<()>,
}

impl Keeper {
    async fn keep(mut self, left: oneshot::Receiver<()>) {
        let ended = tokio::select! {
            status = self.child.wait() => ended(status.ok()),
            _ = &mut self.reader => "it closed its output".to_owned(),
            // Also when the process is dropped, and with it the last way to ask for anything.
            _ = &mut self.writer => "its input is closed".to_owned(),
            asked = left => {
                self.writer.abort();
                if asked.is_ok() {
                    let _ = timeout(GOODBYE_TIME_MAX, self.child.wait()).await;
                }
                "it was ended".to_owned()
            }
        };
        let Self { shared, mut child, group, writer, reader } = self;
        writer.abort();
        // Whoever else holds the output goes first, or it would never end.
        drop(group);
        // An answer that was given with the last breath still counts.
        if !reader.is_finished() {
            let _ = timeout(GOODBYE_TIME_MAX, reader).await;
        }
        shared.waiting.close(&format!("its process has ended: {ended}"));
        // A handshake that is under way fails with this, and says so itself.
        let was_ready = matches!(*shared.state.borrow(), State::Ready(_));
        let _ = child.wait().await;
        tracing::info!(upstream = %shared.upstream, %ended, "an upstream's process has ended");
        if was_ready {
            shared.changes.lost();
        }
    }
}

fn ended(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "nobody knows how".to_owned(), |status| status.to_string())
}

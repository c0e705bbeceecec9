//! The witness at work: one desk for each log, one request at a desk at a time. Owns what was cosigned
//! last, in memory and on disk, and the order: judge, sign, make durable, answer.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use remit_app::ports::Clock;
use remit_core::ids::Digest;
use remit_evidence::log::note::SignatureLine;
use remit_evidence::log::vkey::VerifierKey;
use tokio::sync::{Mutex, Notify};

use super::disk::Disk;
use super::forks::{Forks, Found};
use super::head::Seen;
use super::judge::{Refusal, caught, extends, note, signed};
use super::request::Request;
use super::trust::Logs;
use crate::signer::Signer;

/// Why a witness cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Unopened {
    /// A file that it wrote cannot be read or written anew.
    #[error("`{0}`: {1}")]
    Io(String, #[source] io::Error),
    /// A file is not one that it wrote. To go on without it would be to forget a tree.
    #[error(
        "`{0}` is not a checkpoint that this witness cosigned: {1}; it must not go on without: see docs/witnesses.md"
    )]
    Foreign(String, String),
}

/// A witness.
pub struct Witness {
    signers: Vec<Signer>,
    desks: BTreeMap<String, Arc<Desk>>,
    heads: Box<dyn Disk>,
    forks: Forks,
    clock: Box<dyn Clock>,
    /// The latest time that was stated. A clock that goes backwards does not take it along.
    stated: AtomicU64,
    stopped: AtomicBool,
    ended: Notify,
}

struct Desk {
    keys: Vec<VerifierKey>,
    /// The file of its head, which is also its name for monitors.
    name: String,
    // INVARIANT (one request at a desk): between the look at what was seen and the write of what is
    // seen next, nobody else looks.
    seen: Arc<Mutex<Option<Seen>>>,
    /// What monitors are shown: only what is durable.
    shown: ArcSwapOption<String>,
}

impl Witness {
    /// A witness that goes on from what these files hold.
    ///
    /// # Errors
    /// See [`Unopened`].
    pub fn open(
        signers: Vec<Signer>,
        logs: &Logs,
        heads: Box<dyn Disk>,
        forks: Box<dyn Disk>,
        clock: Box<dyn Clock>,
    ) -> Result<Arc<Self>, Unopened> {
        let mut desks: BTreeMap<String, Desk> = BTreeMap::new();
        for (origin, keys) in logs.by_origin() {
            desks.insert(origin.to_owned(), Desk::new(origin, keys.to_vec(), None));
        }
        let mut stated = 1;
        for name in heads.names().map_err(|error| Unopened::Io("heads".into(), error))? {
            let io = |error| Unopened::Io(format!("heads/{name}"), error);
            let bytes = heads.read(&name).map_err(io)?;
            let keys = signers.iter().map(Signer::vkey);
            let seen = Seen::recall(&name, &bytes, keys);
            let seen = seen.map_err(|why| Unopened::Foreign(format!("heads/{name}"), why))?;
            // The run that wrote it may have died before it was durable. Nothing is built on it before it is,
            // and an fsync of what an earlier one failed on proves nothing: only new bytes do.
            heads.replace(&name, &bytes).map_err(io)?;
            stated = stated.max(seen.time);
            let origin = seen.head.origin.clone();
            // A log that is not known any more is still remembered, and shown to monitors.
            let keys = desks.remove(&origin).map_or(Vec::new(), |desk| desk.keys);
            desks.insert(origin.clone(), Desk::new(&origin, keys, Some(seen)));
        }
        Ok(Arc::new(Self {
            signers,
            desks: desks.into_iter().map(|(origin, desk)| (origin, Arc::new(desk))).collect(),
            heads,
            forks: Forks::new(forks),
            clock,
            stated: AtomicU64::new(stated),
            stopped: AtomicBool::new(false),
            ended: Notify::new(),
        }))
    }

    /// Cosigns a checkpoint, if it extends what was seen. The answer is lines of signature.
    ///
    /// # Errors
    /// See [`Refusal`].
    pub async fn add_checkpoint(self: &Arc<Self>, body: &[u8]) -> Result<String, Refusal> {
        let request = Request::parse(body)?;
        let desk = self.desks.get(&request.origin).filter(|desk| !desk.keys.is_empty());
        let desk = desk.ok_or(Refusal::Unknown)?.clone();
        // Before the queue: without a checkpoint of the log nobody can make others wait for its desk.
        let lines = signed(&request, &desk.keys)?;
        let mut seen = desk.seen.clone().lock_owned().await;
        let own = self.clone();
        // It goes on when the client goes away: half a step would have to be repaired by somebody.
        let done = tokio::task::spawn_blocking(move || own.step(&desk, &mut seen, &request, lines)).await;
        done.unwrap_or_else(|error| Err(self.stop(&error.to_string())))
    }

    /// The checkpoint of a log that was cosigned last, by the hash of its origin.
    #[must_use]
    pub fn latest(&self, origin_hash: &str) -> Option<Arc<String>> {
        self.desks.values().find(|desk| desk.name == origin_hash)?.shown.load_full()
    }

    /// Waits until the witness has stopped itself. Only a new process may go on.
    pub async fn ended(&self) {
        let ended = self.ended.notified();
        tokio::pin!(ended);
        ended.as_mut().enable();
        if !self.stopped.load(Ordering::SeqCst) {
            ended.await;
        }
    }

    /// The keys under which it cosigns.
    pub fn keys(&self) -> impl Iterator<Item = &VerifierKey> {
        self.signers.iter().map(Signer::vkey)
    }

    /// One request at its desk.
    fn step(
        &self,
        desk: &Desk,
        seen: &mut Option<Seen>,
        request: &Request,
        lines: Vec<SignatureLine>,
    ) -> Result<String, Refusal> {
        if self.stopped.load(Ordering::SeqCst) {
            return Err(Refusal::Stopped("it has to be started anew".into()));
        }
        let before = seen.as_ref().map(|seen| &seen.head);
        let head = match extends(request, before) {
            Ok(head) => head.clone(),
            Err(refusal) => {
                self.note_catch(seen.as_ref(), request, lines, &refusal);
                return Err(refusal);
            }
        };
        let time = self.time();
        if let Some(seen) = seen.as_ref().filter(|seen| seen.answers(request, &lines, time)) {
            return Ok(seen.answer.clone());
        }
        let next = Seen::cosign(head, request, lines, &self.signers, time)?;
        let answer = next.answer.clone();
        // INVARIANT (durable before anybody sees it): the lines in `answer` leave only below this point. A
        // crash here leaves the old head or the new one, and a log that asks again with the size it is told.
        if let Err(error) = self.heads.replace(&desk.name, next.note.as_bytes()) {
            return Err(self.stop(&format!("a checkpoint could not be made durable: {error}")));
        }
        desk.shown.store(Some(next.note.clone()));
        *seen = Some(next);
        Ok(answer)
    }

    /// Now, but never before a time that was stated, and never zero, which would state none.
    fn time(&self) -> u64 {
        let now = u64::try_from(self.clock.now().as_second()).unwrap_or_default();
        self.stated.fetch_max(now, Ordering::SeqCst).max(now)
    }

    fn note_catch(&self, seen: Option<&Seen>, request: &Request, lines: Vec<SignatureLine>, refusal: &Refusal) {
        let Some(catch) = caught(request, seen.map(|seen| &seen.head), refusal) else { return };
        let (Some(seen), Ok(shown)) = (seen, note(request.note.text(), lines)) else { return };
        let (origin, old, proof) = (&request.origin[..], request.old, &request.proof[..]);
        self.forks.keep(&Found { catch, origin, seen: &seen.note, shown: &shown.to_string(), old, proof });
    }

    fn stop(&self, why: &str) -> Refusal {
        tracing::error!(why, "the witness stops");
        self.stopped.store(true, Ordering::SeqCst);
        self.ended.notify_waiters();
        Refusal::Stopped(why.to_owned())
    }
}

impl Desk {
    fn new(origin: &str, keys: Vec<VerifierKey>, seen: Option<Seen>) -> Self {
        let shown = ArcSwapOption::new(seen.as_ref().map(|seen| seen.note.clone()));
        let name = Digest::of(origin.as_bytes()).to_string();
        Self { keys, name, seen: Arc::new(Mutex::new(seen)), shown }
    }
}

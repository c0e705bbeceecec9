//! The turn from one log to the next: the last leaf of the one names the other and its keys, the first leaf of
//! the other commits to the final checkpoint of the one. Both are signed by the gateway's root.
//!
//! As with every head, nothing is shown before the store has it: the final note is signed in memory, and one
//! deed of the store holds both records, the final head and the new log. A crash before it leaves the old log
//! as it was; after it, the new log stands, and [`Sealer::behind`] finishes the old one.

use jiff::Timestamp;
use remit_core::ids::Digest;
use remit_core::json::Object;
use remit_evidence::log::leaf::Leaf;
use remit_evidence::log::vkey::VerifierKey;
use remit_evidence::record::{Draft, Kind};
use remit_evidence::writer::{SignedRecord, Writer};

use super::outcome::Stop;
use super::{Sealed, Sealer};
use crate::intent::CommitError;
use crate::ledger::{Epoch, Head, Mark, Turn};
use crate::ports::Entropy;
use crate::records::{self, plain};

/// The log that is to begin.
pub struct Next<'a> {
    /// Its name.
    pub origin: &'a str,
    /// Its keys. Their name is its origin, and they have signed nothing yet.
    pub keys: Vec<VerifierKey>,
}

/// Why no log was ended. All of it is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTurned {
    /// The log is not sealed to its last record.
    #[error("the log cannot be sealed to its last record: {0}")]
    Unsealed(String),
    /// Too few witnesses have seen how it ends.
    #[error("{0} of {1} witnesses that are needed have cosigned the log: ask again when they answer")]
    Unwitnessed(usize, usize),
    /// The keys were used before, or are not of this origin.
    #[error("a log has keys of its own: {0}")]
    Keys(String),
    /// Nothing has happened.
    #[error("the store has changed meanwhile, or had a log of this name: {0}")]
    Conflict(&'static str),
    /// It may have happened or not.
    #[error("whether the turn was stored is unknown: {0}; start again to find out")]
    Unknown(String),
}

/// A record that takes a key of a log back from a leaf on. Its statement counts through the trust document that
/// follows; the record says that it was made, and when.
#[must_use]
pub fn revocation(key: &VerifierKey, from: u64, root: &Writer, now: Timestamp, entropy: &dyn Entropy) -> SignedRecord {
    let mut body = Object::new();
    body.text("event", "log_key_revoked").text("log", key.name()).text("key", &key.to_string()).number("from", from);
    signed(body, Vec::new(), root, now, entropy)
}

/// The gateway's root numbers and signs what becomes of its logs, outside of any writer's sequence.
fn signed(
    body: Object,
    links: Vec<(&'static str, Digest)>,
    root: &Writer,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> SignedRecord {
    let id = records::record_id(now, &entropy.bytes());
    root.sign(&root.ticket(), Draft { links, ..plain(Kind::Key, id, now, body) }, &records::randomness(entropy))
}

impl Sealer {
    /// Ends this log and begins the next, when it is sealed to its last record and witnessed. `root` is the
    /// gateway's own key. Nobody else may write to the store.
    ///
    /// # Errors
    /// See [`NotTurned`]. Only with `Unknown` it may have happened.
    pub async fn turn(mut self, next: &Next<'_>, root: &Writer, entropy: &dyn Entropy) -> Result<Epoch, NotTurned> {
        self.check_keys(next)?;
        let from = self.sealed_whole().await?;
        let turn = self.draft_turn(&from, next, root, entropy).map_err(|stop| NotTurned::Unsealed(stop.told()))?;
        // INVARIANT (one tree for each size): the final note has been seen by nobody yet.
        match self.tools.store.begin_epoch(&from, &turn).await {
            Ok(()) => Ok(turn.epoch),
            Err(CommitError::Conflict(what)) => Err(NotTurned::Conflict(what)),
            Err(CommitError::Unavailable(why)) => Err(NotTurned::Unknown(why.0)),
        }
    }

    /// A key that has signed for one log and signs for another could be made to vouch for either.
    fn check_keys(&self, next: &Next<'_>) -> Result<(), NotTurned> {
        let used = |key: &&VerifierKey| self.keys.iter().any(|own| own.public_key() == key.public_key());
        if let Some(key) = next.keys.iter().find(used) {
            return Err(NotTurned::Keys(format!("`{key}` signs the log `{}`", self.origin)));
        }
        match next.keys.iter().find(|key| key.name() != next.origin) {
            Some(key) => Err(NotTurned::Keys(format!("`{key}` is not of `{}`", next.origin))),
            None if next.keys.is_empty() => Err(NotTurned::Keys("it has none".into())),
            None => Ok(()),
        }
    }

    /// Seals until nothing is left, and has enough witnesses for it.
    async fn sealed_whole(&mut self) -> Result<Head, NotTurned> {
        // So that the last round asks the witnesses, whatever was asked before.
        self.stand = None;
        loop {
            match self.round().await {
                Sealed::Published(report) if report.fresh > 0 => {}
                Sealed::Published(report) if !report.quorum => {
                    return Err(NotTurned::Unwitnessed(report.cosigned, self.quorum));
                }
                Sealed::Published(_) => break,
                Sealed::Idle if self.stand.as_ref().is_some_and(|stand| stand.signed.is_none()) => {
                    return Err(NotTurned::Unsealed("it has no leaf yet".into()));
                }
                // What is young was witnessed by the round that signed it, or is signed again below.
                Sealed::Idle => {
                    if let Some(stand) = &mut self.stand {
                        stand.signed = None;
                    }
                }
                Sealed::Later(why) => return Err(NotTurned::Unsealed(why)),
                Sealed::Lost(lost) => return Err(NotTurned::Unsealed(lost.to_string())),
            }
        }
        let head = self.stand.as_ref().and_then(|stand| stand.head.clone());
        head.ok_or_else(|| NotTurned::Unsealed("it has no leaf yet".into()))
    }

    fn draft_turn(&self, from: &Head, next: &Next<'_>, root: &Writer, entropy: &dyn Entropy) -> Result<Turn, Stop> {
        let now = self.tools.clock.now();
        let mut body = Object::new();
        body.text("event", "log_ended").text("log", &self.origin);
        body.object("next", |of| {
            of.text("log", next.origin).texts("keys", next.keys.iter().map(ToString::to_string));
        });
        let last = signed(body, Vec::new(), root, now, entropy);
        let leaf = Leaf::of(&last.envelope, last.seq).map_err(|error| Stop::Later(error.to_string()))?;
        let edge = self.grow(&from.edge, &[leaf])?.edge;
        let ended = self.sign(edge, now)?;
        let Mark { origin, size, root: hash } = ended.mark();
        let mut body = Object::new();
        body.text("event", "log_begun").text("log", next.origin);
        body.object("previous", |of| {
            of.text("log", &origin).number("size", size).text("root", &hash.to_string());
            of.texts("keys", self.keys.iter().map(ToString::to_string));
        });
        let first = signed(body, vec![("ended", last.digest)], root, now, entropy);
        let (keys, ended_keys) = (next.keys.clone(), self.keys.clone());
        let epoch = Epoch { origin: next.origin.to_owned(), keys, first: self.first + size, ended, ended_keys };
        Ok(Turn { epoch, last, first })
    }
}

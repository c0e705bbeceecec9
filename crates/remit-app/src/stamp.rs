//! Stamping: a third party states that it saw the log's checkpoint at a time (RFC 3161). Owns when it is asked and what of
//! its answers is kept; how it is reached is the adapter's. No call and no checkpoint ever waits for this.
//!
//! A token proves itself and is about a checkpoint, so it is kept beside the records and has none of its own. What is
//! kept was verified as an auditor will verify it, by the same code and the same certificate.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use remit_evidence::bundle::Head;
use remit_evidence::log::note::Note;
use remit_evidence::stamp::{Timestamper, answered, query, verify, whole};

use crate::ledger::Tiles;
use crate::ports::{Clock, Entropy, Store};

/// How long after a first failure it is asked again; after each further one, twice as long.
const RETRY: SignedDuration = SignedDuration::from_secs(15);
const RETRY_MAX: SignedDuration = SignedDuration::from_mins(10);
/// How far its clock and ours may be apart. A stamp beyond that would contradict the records under it.
const APART_MAX: SignedDuration = SignedDuration::from_mins(5);

/// A checkpoint with a token over it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The name of the log.
    pub origin: String,
    /// How many leaves its tree has.
    pub size: u64,
    /// The signed checkpoint, byte for byte as it was stamped.
    pub note: String,
    /// The token.
    pub token: Vec<u8>,
    /// When it was seen at the latest, says the timestamper.
    pub at: Timestamp,
}

/// A timestamper, reached over whatever the adapter speaks.
#[async_trait]
pub trait Timestamping: Send + Sync {
    /// Sends a query and reads the answer, both as RFC 3161 has them. What is answered is not believed here.
    ///
    /// # Errors
    /// Says in the operator's words why there is no answer.
    async fn ask(&self, query: Vec<u8>) -> Result<Vec<u8>, String>;
}

/// What the stamper works with.
pub struct Tools {
    /// Where stamps are kept.
    pub store: Arc<dyn Store>,
    /// The published log.
    pub tiles: Arc<dyn Tiles>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Nonces.
    pub entropy: Arc<dyn Entropy>,
    /// Who is asked.
    pub timestamping: Arc<dyn Timestamping>,
}

/// What came of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Round {
    /// Not due, or nothing is new.
    Idle,
    /// A checkpoint was stamped.
    Kept(Stamped),
    /// Not this time.
    Later(String),
}

/// Has the checkpoints of one log stamped.
pub struct Stamper {
    tools: Tools,
    origin: String,
    timestamper: Timestamper,
    every: SignedDuration,
    /// How many leaves were stamped last; unknown until the store was asked.
    stamped: Option<u64>,
    /// When it was asked last, and from when on it may be asked again.
    pause: Option<(Timestamp, Timestamp)>,
    failures: u32,
}

impl Stamper {
    /// A stamper of this log that asks at most once in so long, and believes this timestamper only.
    #[must_use]
    pub fn new(origin: &str, tools: Tools, timestamper: Timestamper, every: SignedDuration) -> Self {
        let (stamped, pause, failures) = (None, None, 0);
        Self { tools, origin: origin.to_owned(), timestamper, every, stamped, pause, failures }
    }

    /// Has the checkpoint stamped if that is due and the log has grown. Call it once a second.
    pub async fn round(&mut self) -> Round {
        let now = self.tools.clock.now();
        // A clock that was set back pauses nothing.
        if self.pause.is_some_and(|(asked, until)| (asked..until).contains(&now)) {
            return Round::Idle;
        }
        match self.advance(now).await {
            Ok(None) => Round::Idle,
            Ok(Some(stamped)) => {
                self.failures = 0;
                self.pause(now, self.every);
                self.stamped = Some(stamped.size);
                Round::Kept(stamped)
            }
            Err(why) => {
                self.pause(now, RETRY.saturating_mul(1 << self.failures.min(10)).min(RETRY_MAX));
                self.failures = self.failures.saturating_add(1);
                Round::Later(why)
            }
        }
    }

    fn pause(&mut self, now: Timestamp, wait: SignedDuration) {
        self.pause = Some((now, now.saturating_add(wait).unwrap_or(now)));
    }

    async fn advance(&mut self, now: Timestamp) -> Result<Option<Stamped>, String> {
        let store = &self.tools.store;
        let stamped = match self.stamped {
            Some(stamped) => stamped,
            None => {
                let last = store.last_stamp(&self.origin).await.map_err(|error| error.to_string())?;
                let size = last.as_ref().map_or(0, |last| last.size);
                self.stamped = Some(size);
                if let Some(last) =
                    last.filter(|last| last.at <= now && now < last.at.saturating_add(self.every).unwrap_or(now))
                {
                    self.pause = Some((last.at, last.at.saturating_add(self.every).unwrap_or(now)));
                    return Ok(None);
                }
                size
            }
        };
        let head = store.head().await.map_err(|error| error.to_string())?;
        if head.is_none_or(|head| head.edge.size() <= stamped) {
            return Ok(None);
        }
        let Some((published, size)) = self.published()?.filter(|(_, size)| *size > stamped) else { return Ok(None) };
        let kept = self.stamp(published, size, now).await?;
        store.keep_stamp(kept.clone()).await.map_err(|error| error.to_string())?;
        Ok(Some(kept))
    }

    /// The checkpoint that everybody sees, and its size.
    fn published(&self) -> Result<Option<(String, u64)>, String> {
        let Some(bytes) = self.tools.tiles.published().map_err(|error| error.to_string())? else { return Ok(None) };
        let note = Note::parse(&bytes).map_err(|error| error.to_string())?;
        let head = Head::stated(&note).map_err(|error| error.to_string())?;
        if head.origin != self.origin {
            return Err(format!("what is published is of another log: {}", head.origin));
        }
        Ok(Some((note.to_string(), head.size)))
    }

    /// INVARIANT (nothing unverified is kept): what is returned is what an auditor who knows this timestamper will
    /// find, and answers this query.
    async fn stamp(&self, note: String, size: u64, now: Timestamp) -> Result<Stamped, String> {
        let [a, b, c, d, e, f, g, h, ..] = self.tools.entropy.bytes();
        let nonce = [a, b, c, d, e, f, g, h];
        let answer = self.tools.timestamping.ask(query(note.as_bytes(), nonce)).await?;
        let token = answered(&answer).map_err(|error| error.to_string())?;
        let timestampers = std::slice::from_ref(&self.timestamper);
        let stamp = verify(token, note.as_bytes(), timestampers).map_err(|error| error.to_string())?;
        if stamp.nonce.as_deref() != Some(&whole(nonce)) {
            return Err("the answer is to another query: its nonce is another".into());
        }
        let at = Timestamp::from_millisecond(stamp.at).map_err(|error| error.to_string())?;
        if at.duration_since(now).abs() > APART_MAX {
            return Err(format!("its time is {at}, and here it is {now}: one of the clocks is wrong"));
        }
        Ok(Stamped { origin: self.origin.clone(), size, note, token: token.to_vec(), at })
    }
}

//! Sealing: durable records become leaves of the log, and its new head is signed and published.
//!
//! The order is the safety. Leaves are durable in the store before anything is signed. The note is
//! signed in memory, and the head is swapped in the store before anybody can see it: the store says
//! for each size which tree was signed, once. Files, guard and checkpoint follow from the head
//! and the leaves, so a crash anywhere is caught up by `stand.rs`. No call waits for this, and none
//! goes ahead when it has not happened for too long (`lag.rs`).

mod cosign;
mod ended;
mod lag;
mod outcome;
mod reader;
mod stand;
mod turn;

use std::sync::Arc;

use jiff::Timestamp;
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::growth::{self, Growth};
use remit_evidence::log::leaf::{LEAF_BYTES, Leaf};
use remit_evidence::log::merkle::Frontier;
use remit_evidence::log::note::NoteSigner;
use remit_evidence::log::tile::{Content, Tile, WIDTH_FULL};
use remit_evidence::log::vkey::VerifierKey;

use crate::intent::CommitError;
use crate::ledger::{Epoch, Guard, Head, Mark, Tiles};
use crate::ports::{Clock, Store};
use crate::prove::{LogFiles, Prover};

use outcome::Stop;

pub use cosign::Cosigner;
pub use lag::Lag;
pub use outcome::{Lost, Report, Sealed};
pub use reader::{Reader, Unread};
pub use turn::{Next, NotTurned, revocation};

/// Most leaves in one step of the head. It bounds memory; what is left over is sealed in the next round.
const LEAVES_MAX: u32 = 16_384;
/// How many full tiles without partial ones mean that there are none before them: as many as one step fills.
const CLEAN_STRETCH: u32 = LEAVES_MAX / WIDTH_FULL as u32;
/// After how many seconds a head is signed again although nothing is new: a checkpoint that is older
/// says that sealing has stopped.
pub const HEARTBEAT_SECS: i64 = 60;

/// What the sealer works with.
pub struct Tools {
    /// Where records and head are.
    pub store: Arc<dyn Store>,
    /// The files everybody may read.
    pub tiles: Arc<dyn Tiles>,
    /// What was signed last, kept apart.
    pub guard: Arc<dyn Guard>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The log's own keys. Their name is its origin.
    pub signers: Vec<Box<dyn NoteSigner + Send + Sync>>,
}

/// Seals one log. There is one for a store; a second one loses the first race, and stops.
pub struct Sealer {
    tools: Tools,
    origin: String,
    /// The keys that its notes are signed with.
    keys: Vec<VerifierKey>,
    /// How many records stand before its first leaf.
    first: u64,
    /// Its final head, when it has ended: then nothing is signed any more.
    ended: Option<Head>,
    /// The final mark of the log before it.
    succeeds: Option<Mark>,
    /// That log, as long as something is left to do for it.
    before: Option<Box<Sealer>>,
    cosigners: Vec<Cosigner>,
    quorum: usize,
    /// None: what stands has to be read anew.
    stand: Option<Stand>,
    lost: Option<Lost>,
    lag: Arc<Lag>,
    /// Whether this process has looked for what earlier ones left.
    swept: bool,
    /// What was noticed since the last report.
    remarks: Vec<String>,
}

/// What was signed last, and when by this process.
struct Stand {
    head: Option<Head>,
    signed: Option<Timestamp>,
}

impl Sealer {
    /// A sealer that has looked at nothing yet. `quorum` of the cosigners are enough.
    #[must_use]
    pub fn new(origin: &str, tools: Tools, cosigners: Vec<Cosigner>, quorum: usize) -> Self {
        let keys = tools.signers.iter().map(|signer| signer.key().clone()).collect();
        Self {
            tools,
            origin: origin.to_owned(),
            keys,
            first: 0,
            ended: None,
            succeeds: None,
            before: None,
            cosigners,
            quorum,
            stand: None,
            lost: None,
            lag: Arc::default(),
            swept: false,
            remarks: Vec::new(),
        }
    }

    /// This one, behind the log that ended where it begins. `before` finishes that log: its files, its guard and
    /// its witnesses.
    #[must_use]
    pub fn behind(self, epoch: &Epoch, before: Self) -> Self {
        let succeeds = Some(epoch.ended.mark());
        Self { first: epoch.first, succeeds, before: Some(Box::new(before)), ..self }
    }

    /// Says there how far the log is behind.
    #[must_use]
    pub fn telling(self, lag: Arc<Lag>) -> Self {
        Self { lag, ..self }
    }

    /// How far the log is behind.
    #[must_use]
    pub fn lag(&self) -> Arc<Lag> {
        Arc::clone(&self.lag)
    }

    /// Seals what is new, or signs again what is old. Call it once a second, and once more after the
    /// store's last record.
    pub async fn round(&mut self) -> Sealed {
        if let Some(lost) = &self.lost {
            return Sealed::Lost(lost.clone());
        }
        match self.advance().await {
            Ok(sealed) => sealed,
            // `stand` is gone by now: nothing that this process remembers is built upon.
            Err(Stop::Later(why)) => Sealed::Later(why),
            Err(Stop::Lost(lost)) => {
                self.lag.stop(lost.code());
                self.lost = Some(lost.clone());
                Sealed::Lost(lost)
            }
        }
    }

    async fn advance(&mut self) -> Result<Sealed, Stop> {
        self.finish_before().await?;
        let stand = match self.stand.take() {
            Some(stand) => stand,
            None => self.take_up().await?,
        };
        let now = self.tools.clock.now();
        let edge = stand.head.as_ref().map_or_else(Frontier::default, |head| head.edge.clone());
        let leaves = self.tools.store.leaves(self.first + edge.size(), LEAVES_MAX).await?;
        let more = leaves.len() >= LEAVES_MAX as usize;
        if leaves.is_empty() && !stand.is_due(now) {
            self.lag.caught_up(now);
            self.stand = Some(stand);
            return Ok(Sealed::Idle);
        }
        let growth = self.grow(&edge, &leaves)?;
        let head = self.sign(growth.edge.clone(), now)?;
        self.swap(stand.head.as_ref(), &head).await?;
        // A crash from here on is caught up: the head is durable, and all below follows from it.
        self.lay_down(&growth)?;
        self.publish(&head)?;
        if !more {
            self.lag.caught_up(now);
        }
        self.tidy(&growth);
        let cosigned = self.cosign(&head).await?;
        if !std::mem::replace(&mut self.swept, true) {
            self.sweep(head.edge.size());
        }
        let report = Report {
            head: remit_evidence::bundle::Head {
                origin: self.origin.clone(),
                size: head.edge.size(),
                root: head.edge.root(),
            },
            fresh: leaves.len(),
            more,
            at: now,
            cosigned,
            quorum: cosigned >= self.quorum,
            trouble: std::mem::take(&mut self.remarks),
        };
        self.stand = Some(Stand { head: Some(head), signed: Some(now) });
        Ok(Sealed::Published(report))
    }

    /// The files that these leaves need. The edge is read back and compared with what was signed.
    fn grow(&self, edge: &Frontier, leaves: &[Leaf]) -> Result<Growth, Stop> {
        let entries: Vec<[u8; LEAF_BYTES]> = leaves.iter().map(Leaf::to_bytes).collect();
        let entries: Vec<&[u8]> = entries.iter().map(|entry| &entry[..]).collect();
        Ok(growth::grow(edge, &entries, &self.reader())?)
    }

    fn sign(&self, edge: Frontier, now: Timestamp) -> Result<Head, Stop> {
        let signers: Vec<&dyn NoteSigner> = self.tools.signers.iter().map(|signer| &**signer as _).collect();
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let note = Checkpoint::new(&self.origin, edge.size(), edge.root()).sign(&signers, seconds);
        let note = note.map_err(|error| Stop::Later(error.to_string()))?;
        Ok(Head { origin: self.origin.clone(), edge, note: note.to_string() })
    }

    /// INVARIANT (one tree for each size): a note leaves the process only when this has returned.
    async fn swap(&self, from: Option<&Head>, to: &Head) -> Result<(), Stop> {
        let store = &self.tools.store;
        let why = match store.advance_head(from, to).await {
            Ok(()) => return Ok(()),
            Err(CommitError::Conflict(_)) => return Err(Stop::Lost(Lost::Raced)),
            Err(CommitError::Unavailable(why)) => why,
        };
        // A store that lives has not done what it failed to do (too many deeds were waiting, say). It
        // has to show that; otherwise nobody knows.
        let unmoved = store.health().is_ok() && store.head().await.is_ok_and(|head| head.as_ref() == from);
        if unmoved { Err(Stop::Later(why.0)) } else { Err(Stop::Lost(Lost::Unknown(why.0))) }
    }

    /// Writes the files, entries first, and reads the new edge back: a checkpoint is published only
    /// over what can be read.
    fn lay_down(&self, growth: &Growth) -> Result<(), Stop> {
        for (tile, bytes) in growth.bundles.iter().chain(&growth.tiles) {
            self.tools.tiles.put(*tile, bytes)?;
        }
        self.grow(&growth.edge, &[]).map(drop)
    }

    /// The guard first: what it does not know of, nobody else does.
    fn publish(&self, head: &Head) -> Result<(), Stop> {
        let (mark, last) = (head.mark(), self.tools.guard.last()?);
        match &last {
            Some(last) if *last == mark => {}
            // It has been passed on to the next log.
            Some(last) if self.ended.is_some() && last.origin != self.origin => {}
            Some(last) if self.succeeds.as_ref() == Some(last) => self.tools.guard.pass_on(last, &mark)?,
            _ => self.tools.guard.raise(&mark)?,
        }
        Ok(self.tools.tiles.publish(&head.note)?)
    }

    /// Deletes partial files that full ones have replaced.
    fn tidy(&self, growth: &Growth) {
        for (tile, _) in growth.bundles.iter().chain(&growth.tiles).filter(|(tile, _)| tile.is_full()) {
            let _any = self.tools.tiles.discard_partials(*tile);
        }
    }

    /// Deletes what processes left that died before they had tidied up. It lies beside the newest full tiles:
    /// whoever goes back from the edge finds it before a stretch that is clean.
    fn sweep(&self, size: u64) {
        let mut level = 0;
        let mut full = size / u64::from(WIDTH_FULL);
        while full > 0 {
            let entries = (level == 0).then_some(Content::Entries);
            for content in entries.into_iter().chain([Content::Hashes(level)]) {
                let mut clean = 0;
                for tile in (0..full).rev().filter_map(|index| Tile::new(content, index, WIDTH_FULL)) {
                    clean = if self.tools.tiles.discard_partials(tile) { 0 } else { clean + 1 };
                    if clean > CLEAN_STRETCH {
                        break;
                    }
                }
            }
            (level, full) = (level + 1, full / u64::from(WIDTH_FULL));
        }
    }

    /// What proves places in this log.
    #[must_use]
    pub fn prover(&self) -> Prover {
        let log = LogFiles { origin: self.origin.clone(), first: self.first, tiles: self.tools.tiles.clone() };
        Prover::new(self.tools.store.clone(), vec![log])
    }

    fn reader(&self) -> Reader<'_> {
        Reader(&*self.tools.tiles)
    }
}

impl Stand {
    /// Whether the head has to be signed again. A clock that was set back makes it due.
    fn is_due(&self, now: Timestamp) -> bool {
        let age = self.signed.map(|signed| now.as_second() - signed.as_second());
        self.head.is_some() && age.is_none_or(|age| !(0..HEARTBEAT_SECS).contains(&age))
    }
}

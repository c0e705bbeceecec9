//! What sealing needs from the outside: the head that the [`Store`](crate::ports::Store) keeps, the files
//! that everybody may read, and the guard that remembers what was signed last.
//!
//! These ports are synchronous: the sealer has a thread of its own, and no call ever waits for it.

use remit_core::ids::Digest;
use remit_evidence::log::merkle::Frontier;
use remit_evidence::log::tile::Tile;
use remit_evidence::log::vkey::VerifierKey;
use remit_evidence::writer::SignedRecord;

use crate::intent::Unavailable;
use crate::ports::Store;

/// The head of the log: the tree that was signed last. It is the one truth about what was signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The name of the log.
    pub origin: String,
    /// The right edge of its tree, with size and root.
    pub edge: Frontier,
    /// The signed checkpoint. It leaves the process only once this head is durable.
    pub note: String,
}

impl Head {
    /// Which tree it is the head of.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark { origin: self.origin.clone(), size: self.edge.size(), root: self.edge.root() }
    }
}

/// A log after the first one of its store: it goes on where the one before it has ended, under keys of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// The name of the log.
    pub origin: String,
    /// Its verifier keys.
    pub keys: Vec<VerifierKey>,
    /// How many records stand before its first leaf.
    pub first: u64,
    /// The final head of the log before it.
    pub ended: Head,
    /// The verifier keys of that log.
    pub ended_keys: Vec<VerifierKey>,
}

/// From one log to the next. Each of the two records names the other log, so that neither can be put in the
/// place of another one unseen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The log that begins, with the final head of the one that ends.
    pub epoch: Epoch,
    /// The last leaf of the log that ends: it names the next one and its keys.
    pub last: SignedRecord,
    /// The first leaf of the log that begins: it commits to the final checkpoint.
    pub first: SignedRecord,
}

/// How many records are under a head, of whichever log.
///
/// # Errors
/// When the store is unavailable.
pub async fn sealed(store: &dyn Store) -> Result<u64, Unavailable> {
    let first = store.epochs().await?.last().map_or(0, |epoch| epoch.first);
    Ok(first + store.head().await?.map_or(0, |head| head.edge.size()))
}

/// A tree, in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The name of the log.
    pub origin: String,
    /// How many leaves.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

/// Why a file of the ledger could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Not now. It may be tried again.
    #[error("{0}")]
    Failed(String),
    /// Nobody knows what the disk holds (a failed fsync), or it holds other bytes than were to be
    /// written. Never tried again.
    #[error("{0}")]
    Broken(String),
}

/// The files of the log: tiles, bundles and the checkpoint. Whoever may read them may read all of them.
pub trait Tiles: Send + Sync {
    /// The bytes of a file; `None` when it is not there.
    ///
    /// # Errors
    /// When it cannot be read.
    fn get(&self, tile: Tile) -> Result<Option<Vec<u8>>, LedgerError>;

    /// Writes a file, durable on return. A file that is there with the same bytes stays; one with other
    /// bytes stays too, and the ledger is [`Broken`](LedgerError::Broken), as it is when the bytes
    /// are not as many as the tile is wide.
    ///
    /// # Errors
    /// When it is not there afterwards, or nobody knows.
    fn put(&self, tile: Tile, bytes: &[u8]) -> Result<(), LedgerError>;

    /// Deletes the partial files of a full tile that stands; whether there were any, as far as is known. Losing this
    /// loses disk space only.
    fn discard_partials(&self, full: Tile) -> bool;

    /// The checkpoint that everybody sees.
    ///
    /// # Errors
    /// When it cannot be read.
    fn published(&self) -> Result<Option<Vec<u8>>, LedgerError>;

    /// Replaces the checkpoint that everybody sees, durable on return.
    ///
    /// # Errors
    /// When it is unknown which one they see.
    fn publish(&self, note: &str) -> Result<(), LedgerError>;
}

/// Remembers the largest tree that was signed, apart from store and ledger: whoever restores both from
/// an old backup is stopped here.
pub trait Guard: Send + Sync {
    /// The last mark; `None` when there is none yet.
    ///
    /// # Errors
    /// When it cannot be read, or is no mark.
    fn last(&self) -> Result<Option<Mark>, LedgerError>;

    /// Replaces the mark, durable on return. A smaller tree, or another one of the same size, is
    /// [`Broken`](LedgerError::Broken).
    ///
    /// # Errors
    /// When it is unknown which mark stands.
    fn raise(&self, mark: &Mark) -> Result<(), LedgerError>;

    /// Replaces the final mark of a log by the first one of the log after it, durable on return. When it holds
    /// anything else than that final mark, it is [`Broken`](LedgerError::Broken).
    ///
    /// # Errors
    /// As [`Guard::raise`].
    fn pass_on(&self, ended: &Mark, begun: &Mark) -> Result<(), LedgerError>;
}

//! What comes of a round of sealing, and which errors end it for good.

use jiff::Timestamp;
use remit_evidence::bundle::Head;
use remit_evidence::log::growth::Stuck;
use remit_evidence::log::tile::TileError;

use super::Unread;
use crate::intent::Unavailable;
use crate::ledger::LedgerError;

/// What came of a round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sealed {
    /// Nothing is new, and the checkpoint is young.
    Idle,
    /// A checkpoint was published.
    Published(Report),
    /// Not this time; the next round begins with what the store says.
    Later(String),
    /// Never again in this process.
    Lost(Lost),
}

/// A checkpoint that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which tree it is of.
    pub head: Head,
    /// How many of them are new.
    pub fresh: usize,
    /// Whether more records may wait already.
    pub more: bool,
    /// When it was signed.
    pub at: Timestamp,
    /// How many witnesses have cosigned it.
    pub cosigned: usize,
    /// Whether those are enough.
    pub quorum: bool,
    /// What an operator should know: a guard that began anew, what witnesses said who have not cosigned.
    pub trouble: Vec<String>,
}

/// Why nothing is signed any more. All of it is for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Somebody has seen a larger tree than the store has: it was restored from an old backup, and
    /// going on would sign a second history.
    #[error(
        "ledger.behind: {who} has {theirs} leaves and the store's head has {ours}: restore newer data, or begin a \
         new store under another origin"
    )]
    Behind {
        /// Who.
        who: String,
        /// What they have.
        theirs: u64,
        /// What the store has.
        ours: u64,
    },
    /// Somebody has seen another tree of a size that was signed.
    #[error("ledger.forked: {who} has another tree of {size} leaves than the store: nothing may be signed on either")]
    Forked {
        /// Who.
        who: String,
        /// Of which size.
        size: u64,
    },
    /// The head is not the one this sealer left there.
    #[error("ledger.raced: another sealer has advanced the head: one store has one sealer")]
    Raced,
    /// The head may be the old one or the new one. The note that was signed is forgotten.
    #[error("ledger.unknown: whether the head was advanced is unknown: {0}; start again to find out")]
    Unknown(String),
    /// Files, records or keys are not those of the log that was signed.
    #[error("ledger.damaged: {0}; run `remit ledger fsck`")]
    Damaged(String),
}

impl Lost {
    /// A stable word for it.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Behind { .. } => "ledger.behind",
            Self::Forked { .. } => "ledger.forked",
            Self::Raced => "ledger.raced",
            Self::Unknown(_) => "ledger.unknown",
            Self::Damaged(_) => "ledger.damaged",
        }
    }
}

/// Why a round ends early.
pub(super) enum Stop {
    Later(String),
    Lost(Lost),
}

impl Stop {
    /// Why, in words.
    pub(super) fn told(self) -> String {
        match self {
            Self::Later(why) => why,
            Self::Lost(lost) => lost.to_string(),
        }
    }
}

impl From<Unavailable> for Stop {
    fn from(error: Unavailable) -> Self {
        Self::Later(error.0)
    }
}

impl From<Lost> for Stop {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Failed(why) => Self::Later(why),
            LedgerError::Broken(why) => Self::Lost(Lost::Damaged(why)),
        }
    }
}

impl From<TileError<Unread>> for Stop {
    fn from(error: TileError<Unread>) -> Self {
        match error {
            // It may be there the next time, and `stand.rs` rebuilds it if not.
            TileError::Read(..) => Self::Later(error.to_string()),
            other => Self::Lost(Lost::Damaged(other.to_string())),
        }
    }
}

impl From<Stuck<Unread>> for Stop {
    fn from(error: Stuck<Unread>) -> Self {
        match error {
            Stuck::Edge(error) => error.into(),
            other => Self::Lost(Lost::Damaged(other.to_string())),
        }
    }
}

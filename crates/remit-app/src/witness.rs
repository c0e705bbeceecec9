//! What the gateway asks of a witness: somebody else who remembers the head of our log, and cosigns only
//! what extends it (C2SP tlog-witness).

use async_trait::async_trait;
use remit_core::ids::Digest;
use remit_evidence::log::note::{Note, SignatureLine};

/// One witness, reached over whatever the adapter speaks.
#[async_trait]
pub trait Witness: Send + Sync {
    /// Its name, as its key states it.
    fn name(&self) -> &str;

    /// Asks it to cosign this checkpoint, which extends the tree of `old` leaves by this proof (empty
    /// when `old` is zero or the present size).
    ///
    /// # Errors
    /// See [`Declined`].
    async fn add_checkpoint(
        &self,
        old: u64,
        proof: &[Digest],
        checkpoint: &Note,
    ) -> Result<Vec<SignatureLine>, Declined>;

    /// The latest checkpoint of this origin that it has cosigned; `None` when it knows of none.
    ///
    /// # Errors
    /// See [`Declined`].
    async fn latest(&self, origin: &str) -> Result<Option<Note>, Declined>;
}

/// Why a witness did not cosign. The texts are for operators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// It has seen another size than `old`: prove from this one (409).
    #[error("the witness has seen {0} leaves")]
    Seen(u64),
    /// It has seen another tree of the same size, or the proof does not hold (422). Somebody forked the log.
    #[error("the witness refuses this checkpoint: {0}")]
    Inconsistent(String),
    /// It does not know the log, or could not read the request (400, 403, 404).
    #[error("the witness does not take this log: {0}")]
    Refused(String),
    /// No answer, or one that is none.
    #[error("the witness cannot be reached: {0}")]
    Unreachable(String),
}

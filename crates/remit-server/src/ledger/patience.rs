//! How long a witness may take. Whoever asks one waits for it, and one that never answers would hold up
//! the next checkpoint for ever.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use remit_app::witness::{Declined, Witness};
use remit_core::ids::Digest;
use remit_evidence::log::note::{Note, SignatureLine};

/// How long one answer may take.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(5);

/// A witness that answers in time or counts as unreachable.
pub struct Patience(Arc<dyn Witness>);

impl Patience {
    /// Bounds what this witness may take.
    #[must_use]
    pub fn with(witness: Arc<dyn Witness>) -> Self {
        Self(witness)
    }
}

async fn in_time<T>(answer: impl Future<Output = Result<T, Declined>>) -> Result<T, Declined> {
    let answer = tokio::time::timeout(ANSWER_TIME_MAX, answer).await;
    answer.unwrap_or_else(|_| Err(Declined::Unreachable(format!("no answer in {} s", ANSWER_TIME_MAX.as_secs()))))
}

#[async_trait]
impl Witness for Patience {
    fn name(&self) -> &str {
        self.0.name()
    }

    async fn add_checkpoint(
        &self,
        old: u64,
        proof: &[Digest],
        checkpoint: &Note,
    ) -> Result<Vec<SignatureLine>, Declined> {
        in_time(self.0.add_checkpoint(old, proof, checkpoint)).await
    }

    async fn latest(&self, origin: &str) -> Result<Option<Note>, Declined> {
        in_time(self.0.latest(origin)).await
    }
}

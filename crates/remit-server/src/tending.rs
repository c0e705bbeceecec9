//! The task that tends what waits for people: it notices steps of escalations that are due, plants and ends
//! canaries, completes requests that people have decided and nobody completed, ends grants that are over, and
//! reminds of emergencies that nobody has reviewed. It also counts how agents fare, for when people ask.

use std::sync::Arc;
use std::time::Duration;

use remit_app::Gate;
use tokio::task::JoinHandle;

/// How often it looks. No decision waits for it: whose votes count, and which grants do, follows from the time.
const EVERY: Duration = Duration::from_secs(2);
/// After how many rounds it looks at grants again.
const GRANTS: u64 = 2;
/// After how many rounds it reminds again.
const REMIND: u64 = 1800;
/// How many records it counts in a round: few, as calls go on meanwhile. Whoever looks counts the rest.
const COUNTED: u64 = 1_000;

/// The task. It ends when this is dropped; each of its deeds is done or not, never half.
pub struct Tending(JoinHandle<()>);

impl Tending {
    /// Begins.
    #[must_use]
    pub fn start(gate: Arc<Gate>) -> Self {
        Self(tokio::spawn(async move {
            let mut round = 0u64;
            loop {
                questions(&gate).await;
                if round.is_multiple_of(GRANTS)
                    && let Err(error) = gate.tend_grants().await
                {
                    tracing::error!(%error, "requests and grants could not be tended");
                }
                if round.is_multiple_of(REMIND) {
                    for given in gate.ports().store.unreviewed().await.unwrap_or_default() {
                        tracing::warn!(grant = %given.grant.id, "the glass was broken, and nobody has reviewed it");
                    }
                }
                if round.is_multiple_of(GRANTS)
                    && let Err(error) = gate.notice_reviews().await
                {
                    tracing::error!(%error, "calls that wait for a review could not be counted");
                }
                if let Err(error) = gate.count_standings(COUNTED).await {
                    tracing::error!(%error, "how agents fare could not be counted");
                }
                round += 1;
                tokio::time::sleep(EVERY).await;
            }
        }))
    }
}

async fn questions(gate: &Gate) {
    match gate.notice_steps(gate.ports().clock.now()).await {
        Ok(0) => {}
        Ok(steps) => tracing::info!(steps, "questions escalated"),
        Err(error) => tracing::error!(%error, "escalations could not be tended"),
    }
    if let Err(error) = gate.tend_canaries().await {
        tracing::error!(%error, "canaries could not be tended");
    }
}

impl Drop for Tending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

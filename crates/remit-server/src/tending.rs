//! The task that tends requests and grants: it completes what people have decided and nobody completed, ends
//! what is over, and reminds of emergencies that nobody has reviewed.

use std::sync::Arc;
use std::time::Duration;

use remit_app::Gate;
use tokio::task::JoinHandle;

/// How often it looks. A decision does not wait for it: what is over counts for nothing from its moment on.
const EVERY: Duration = Duration::from_secs(5);
/// After how many rounds it reminds again.
const REMIND: u64 = 720;

/// The task. It ends when this is dropped; each of its deeds is done or not, never half.
pub struct Tending(JoinHandle<()>);

impl Tending {
    /// Begins.
    #[must_use]
    pub fn start(gate: Arc<Gate>) -> Self {
        Self(tokio::spawn(async move {
            let mut round = 0u64;
            loop {
                if let Err(error) = gate.tend_grants().await {
                    tracing::error!(%error, "requests and grants could not be tended");
                }
                if round.is_multiple_of(REMIND) {
                    for given in gate.ports().store.unreviewed().await.unwrap_or_default() {
                        tracing::warn!(grant = %given.grant.id, "the glass was broken, and nobody has reviewed it");
                    }
                }
                round += 1;
                tokio::time::sleep(EVERY).await;
            }
        }))
    }
}

impl Drop for Tending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

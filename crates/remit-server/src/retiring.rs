//! The task that deletes what is kept no longer: at the start, and once an hour.

use std::sync::Arc;
use std::time::Duration;

use remit_app::Gate;
use remit_app::retain::{Retention, Walk};
use tokio::task::JoinHandle;

/// How often it looks. Nothing is kept to the minute.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// The task. It ends when this is dropped; a batch that it has handed over is done or not, never half.
pub struct Retiring(JoinHandle<()>);

impl Retiring {
    /// Begins. Without anything to delete there is nothing to do.
    #[must_use]
    pub fn start(gate: Arc<Gate>, retention: Retention) -> Self {
        Self(tokio::spawn(async move {
            let mut walk = Walk::default();
            while retention != Retention::default() {
                match gate.retire(&retention, &mut walk, gate.ports().clock.now()).await {
                    Ok(retired) if retired == Default::default() => {}
                    Ok(retired) => tracing::info!(
                        disclosures = retired.disclosures,
                        outcomes = retired.outcomes,
                        budget_spans = retired.spans,
                        "deleted what is kept no longer"
                    ),
                    Err(error) => tracing::error!(%error, "what is kept no longer could not be deleted"),
                }
                tokio::time::sleep(EVERY).await;
            }
        }))
    }
}

impl Drop for Retiring {
    fn drop(&mut self) {
        self.0.abort();
    }
}

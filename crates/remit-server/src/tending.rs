//! The task that looks after questions: it notices steps of escalations that are due, and plants and ends canaries.

use std::sync::Arc;
use std::time::Duration;

use remit_app::Gate;
use tokio::task::JoinHandle;

/// How often it looks. Whose votes count does not wait for it.
const EVERY: Duration = Duration::from_secs(2);

/// The task. It ends when this is dropped; what it has handed over is done or not, never half.
pub struct Tending(JoinHandle<()>);

impl Tending {
    /// Begins.
    #[must_use]
    pub fn start(gate: Arc<Gate>) -> Self {
        Self(tokio::spawn(async move {
            loop {
                match gate.notice_steps(gate.ports().clock.now()).await {
                    Ok(0) => {}
                    Ok(steps) => tracing::info!(steps, "questions escalated"),
                    Err(error) => tracing::error!(%error, "escalations could not be looked after"),
                }
                if let Err(error) = gate.tend_canaries().await {
                    tracing::error!(%error, "canaries could not be looked after");
                }
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

//! The thread that has checkpoints stamped. Nothing waits for it: without stamps the gateway runs and seals as ever.

use std::sync::Arc;
use std::time::Duration;

use remit_app::stamp::{Round, Stamper};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::telemetry::Metrics;

/// How often it looks whether a stamp is due.
const BEAT: Duration = Duration::from_secs(1);

/// Stamping, under way. It ends when this is dropped; a stamp is kept or not, never half.
pub struct Stamping {
    _stop: oneshot::Sender<()>,
}

impl Stamping {
    /// Begins, on a thread of its own: the published checkpoint is read where nobody waits.
    ///
    /// # Errors
    /// When there can be no such thread.
    pub fn start(stamper: Stamper, metrics: Arc<Metrics>) -> std::io::Result<Self> {
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = Handle::current();
        std::thread::Builder::new().name("remit-stamp".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = run(stamper, metrics) => {}
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { _stop: stop })
    }
}

async fn run(mut stamper: Stamper, metrics: Arc<Metrics>) {
    let mut last = String::new();
    loop {
        match stamper.round().await {
            Round::Idle => {}
            Round::Kept(stamped) => {
                metrics.stamped(stamped.at);
                tracing::info!(size = stamped.size, at = %stamped.at, "the log was stamped");
                last.clear();
            }
            Round::Later(why) => {
                metrics.not_stamped();
                if why != last {
                    tracing::warn!(%why, "the log was not stamped; it is tried again");
                }
                last = why;
            }
        }
        tokio::time::sleep(BEAT).await;
    }
}

//! The thread that seals: a round a second, and a last one when the store has its last record.

use std::sync::Arc;
use std::time::Duration;

use remit_app::seal::{Lag, Sealed, Sealer};
use remit_evidence::bundle::Head;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

use crate::telemetry::Metrics;

/// How often there may be a checkpoint.
const BEAT: Duration = Duration::from_secs(1);

/// Sealing, under way.
pub struct Sealing {
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Sealing {
    /// Begins to seal, on a thread of its own: files are written where nobody waits for them. `saw` is told of each
    /// checkpoint once it is published.
    ///
    /// # Errors
    /// When there can be no such thread.
    pub fn start(sealer: Sealer, metrics: Arc<Metrics>, saw: impl Fn(&Head) + Send + 'static) -> std::io::Result<Self> {
        let ((stop, stopped), (end, ended)) = (oneshot::channel(), oneshot::channel());
        let runtime = Handle::current();
        let thread = std::thread::Builder::new().name("remit-seal".into());
        thread.spawn(move || {
            let _last_word = LastWord(metrics.clone(), sealer.lag());
            runtime.block_on(run(sealer, Teller { metrics, saw, last: String::new() }, stopped));
            let _nobody_waits = end.send(());
        })?;
        Ok(Self { stop, ended })
    }

    /// Seals what is left and ends. Call it when nothing is recorded any more, before the store is closed.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.ended.await;
    }
}

/// Spoken when the thread dies: nobody may take sealing for alive afterwards.
struct LastWord(Arc<Metrics>, Arc<Lag>);

impl Drop for LastWord {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.sealing_ended();
            self.1.stop("ledger.died");
            tracing::error!("sealing has died");
        }
    }
}

async fn run<S: Fn(&Head)>(mut sealer: Sealer, mut teller: Teller<S>, mut stopped: oneshot::Receiver<()>) {
    let mut beat = tokio::time::interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = beat.tick() => {}
            _ = &mut stopped => break,
        }
        // Who is behind does not wait for the next beat.
        loop {
            let sealed = sealer.round().await;
            teller.tell(&sealed);
            if !matches!(sealed, Sealed::Published(report) if report.more) {
                break;
            }
        }
    }
    loop {
        let sealed = sealer.round().await;
        teller.tell(&sealed);
        if !matches!(sealed, Sealed::Published(report) if report.fresh > 0) {
            break;
        }
    }
}

/// Tells the operator, once for each change.
struct Teller<S> {
    metrics: Arc<Metrics>,
    saw: S,
    last: String,
}

impl<S: Fn(&Head)> Teller<S> {
    fn tell(&mut self, sealed: &Sealed) {
        match sealed {
            Sealed::Idle => {}
            Sealed::Published(report) => {
                self.metrics.sealed(report.at, report.cosigned);
                (self.saw)(&report.head);
                tracing::debug!(size = report.head.size, fresh = report.fresh, cosigned = report.cosigned, "sealed");
                let short = (!report.quorum).then(|| format!("only {} witnesses have cosigned", report.cosigned));
                let trouble = short.into_iter().chain(report.trouble.iter().cloned()).collect::<Vec<_>>().join("; ");
                if self.is_new(&trouble) && !trouble.is_empty() {
                    tracing::warn!(%trouble, "sealed, and somebody should look");
                }
            }
            Sealed::Later(why) => {
                if self.is_new(why) {
                    tracing::warn!(%why, "nothing was sealed; it is tried again");
                }
            }
            Sealed::Lost(lost) => {
                self.metrics.sealing_ended();
                if self.is_new(&lost.to_string()) {
                    tracing::error!(%lost, "sealing has stopped: records are kept, and no checkpoint covers the new ones");
                }
            }
        }
    }

    fn is_new(&mut self, text: &str) -> bool {
        let new = self.last != text;
        text.clone_into(&mut self.last);
        new
    }
}

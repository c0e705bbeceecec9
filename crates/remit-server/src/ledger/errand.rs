//! Asynchronous work for a caller that is not: a thread with a runtime of its own runs one errand after
//! the other, and whoever sent it waits. The thread that seals already stands in a runtime, in which
//! another one can neither be entered nor dropped.

use std::pin::Pin;
use std::sync::mpsc;
use std::time::Duration;

use remit_app::ledger::LedgerError;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// How long one errand may take, with all that it tries again.
const ERRAND_MAX: Duration = Duration::from_secs(30);

type Errand = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The thread that runs errands. It ends when this is dropped, and nobody waits for that.
pub struct Errands(UnboundedSender<Errand>);

impl Errands {
    /// Starts the thread.
    pub fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (queue, errands) = unbounded_channel();
        std::thread::Builder::new().name("remit-bucket".into()).spawn(move || runtime.block_on(run(errands)))?;
        Ok(Self(queue))
    }

    /// Runs an errand, and waits for what it brings.
    pub fn run<T: Send + 'static>(
        &self,
        errand: impl Future<Output = Result<T, LedgerError>> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let (tell, told) = mpsc::sync_channel(1);
        let errand = async move {
            let brought = tokio::time::timeout(ERRAND_MAX, errand).await;
            let late = |_| Err(LedgerError::Failed("the object store took too long".into()));
            let _nobody_waits = tell.send(brought.unwrap_or_else(late));
        };
        let gone = || LedgerError::Failed("the thread that speaks to the object store is gone".into());
        self.0.send(Box::pin(errand)).map_err(|_| gone())?;
        told.recv().map_err(|_| gone())?
    }
}

async fn run(mut errands: UnboundedReceiver<Errand>) {
    while let Some(errand) = errands.recv().await {
        // A task of its own: a panic in one errand is not the end of all others.
        let _told_or_dead = tokio::spawn(errand).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errand_is_run_inside_of_another_runtime_and_survives_one_that_dies() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let errands = Errands::start().expect("a thread");
            let dead = errands.run::<()>(async { panic!("as a test") });
            assert!(matches!(dead, Err(LedgerError::Failed(_))), "{dead:?}");
            assert_eq!(errands.run(async { Ok(7) }), Ok(7));
        });
    }
}

//! An errand is carried to its end even when nobody waits for it any more: a connection that is lost takes
//! no receipt with it. As long as somebody waits, it runs where it is waited for, without a task of its own.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use tokio::runtime::Handle;

/// The errand ended without an answer: something in it panicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken;

type Running<T> = Pin<Box<dyn Future<Output = Result<T, Broken>> + Send>>;

/// A future that outlives whoever polls it.
pub(crate) struct Errand<T: Send + 'static>(Option<Running<T>>);

impl<T: Send + 'static> Errand<T> {
    pub(crate) fn new(errand: impl Future<Output = T> + Send + 'static) -> Self {
        let guarded = AssertUnwindSafe(errand).catch_unwind();
        Self(Some(Box::pin(guarded.map(|ended| ended.map_err(|_| Broken)))))
    }
}

impl<T: Send + 'static> Future for Errand<T> {
    type Output = Result<T, Broken>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(running) = self.0.as_mut() else { return Poll::Ready(Err(Broken)) };
        let ended = running.as_mut().poll(context);
        if ended.is_ready() {
            self.0 = None;
        }
        ended
    }
}

impl<T: Send + 'static> Drop for Errand<T> {
    fn drop(&mut self) {
        if let (Some(rest), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_nobody_waits_for_is_done_all_the_same() {
        let (begin, begun) = oneshot::channel::<()>();
        let (done, mut was_done) = oneshot::channel::<()>();
        let errand = Errand::new(async move {
            let _ = begun.await;
            let _ = done.send(());
        });
        assert!(tokio::time::timeout(Duration::from_millis(1), errand).await.is_err(), "it waits, and is dropped");
        assert!(was_done.try_recv().is_err());
        begin.send(()).expect("it still runs");
        was_done.await.expect("it was carried to its end");
    }

    #[tokio::test]
    async fn a_panic_is_an_end_without_an_answer() {
        let errand: Errand<()> = Errand::new(async { panic!("on purpose") });
        assert_eq!(errand.await, Err(Broken));
    }
}

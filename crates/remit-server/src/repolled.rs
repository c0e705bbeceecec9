//! A future that wakes itself while it is polled is polled again at once.
//!
//! hyper's connection does that for each request with a body: the handler asks for it in the middle of the connection's
//! own poll. The runtime would put the task at the end of its queue and wake another thread to take it: two system
//! calls a request, and a connection that wanders from core to core.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

/// How often in a row. Whoever goes on waking itself then lets others have their turn.
const TURNS_MAX: usize = 8;

/// Nobody polls it: a wake goes to the task.
const IDLE: u8 = 0;
/// It is being polled.
const POLLED: u8 = 1;
/// A bit: it has been woken since a poll began, or since the task was woken.
const WOKEN: u8 = 2;

/// See the module.
pub(crate) struct Repolled<F> {
    future: Pin<Box<F>>,
    relay: Arc<Relay>,
    waker: Waker,
}

/// What wakers of the future wake.
struct Relay {
    state: AtomicU8,
    task: AtomicWaker,
}

/// Polls this future again at once when it has woken itself.
pub(crate) fn repolled<F: Future>(future: F) -> Repolled<F> {
    let relay = Arc::new(Relay { state: AtomicU8::new(IDLE), task: AtomicWaker::new() });
    Repolled { future: Box::pin(future), waker: Waker::from(Arc::clone(&relay)), relay }
}

impl<F: Future> Future for Repolled<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Self { future, relay, waker } = &mut *self;
        relay.task.register(context.waker());
        for _ in 0..TURNS_MAX {
            // A swap and no store: whatever was said before a wake that this clears is seen by the poll that follows.
            relay.state.swap(POLLED, Ordering::AcqRel);
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(waker)) {
                return Poll::Ready(output);
            }
            // Woken up to here: polled again. Woken from here on: the task is.
            if relay.state.compare_exchange(POLLED, IDLE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                return Poll::Pending;
            }
        }
        relay.state.swap(IDLE, Ordering::AcqRel);
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Writes in each case, so that the next swap takes what was said before this wake, also when it is not the first.
        if self.state.fetch_or(WOKEN, Ordering::AcqRel) == IDLE {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Counts how often a task is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Polls once, a future that wakes itself so often before it is ready.
    fn polled(own_wakes: usize) -> (Poll<usize>, usize) {
        let mut polls = 0;
        let future = std::future::poll_fn(move |context: &mut Context<'_>| {
            polls += 1;
            if polls > own_wakes {
                return Poll::Ready(polls);
            }
            context.waker().wake_by_ref();
            Poll::Pending
        });
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let polled = Box::pin(repolled(future)).as_mut().poll(&mut Context::from_waker(&waker));
        (polled, count.0.load(Ordering::SeqCst))
    }

    #[test]
    fn who_wakes_itself_is_polled_again_without_the_task() {
        assert_eq!(polled(0), (Poll::Ready(1), 0));
        assert_eq!(polled(3), (Poll::Ready(4), 0));
        assert_eq!(polled(usize::MAX), (Poll::Pending, 1), "others get their turn");
    }

    /// Wakes itself once.
    async fn own_wake() {
        let mut woken = false;
        std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            if std::mem::replace(&mut woken, true) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_wake_from_elsewhere_is_lost() {
        for _ in 0..2_000 {
            let (sender, receiver) = tokio::sync::oneshot::channel();
            tokio::spawn(async move { sender.send(()) });
            let both = repolled(async {
                own_wake().await;
                receiver.await
            });
            let waited = tokio::time::timeout(std::time::Duration::from_secs(30), both);
            assert!(matches!(waited.await, Ok(Ok(()))), "it was woken");
        }
    }
}

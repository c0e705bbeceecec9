//! Changes: the number that grows whenever what an upstream serves may have become another.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

/// An upstream that tells of changes more often than this is heard this often, so that one that
/// tells of a change whenever it is asked cannot keep its owner asking.
const NOTICE_GAP: Duration = Duration::from_secs(1);

/// Counts the changes of one upstream.
pub(super) struct Changes {
    epoch: watch::Sender<u64>,
    told: Mutex<Told>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Nothing lately.
    Quiet,
    /// Something, a moment ago.
    Lately,
    /// And something again since.
    Again,
}

impl Changes {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { epoch: watch::channel(0).0, told: Mutex::new(Told::Quiet) })
    }

    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.epoch.subscribe()
    }

    /// The process or session is gone; another may serve something else.
    pub fn lost(&self) {
        self.epoch.send_modify(|epoch| *epoch += 1);
    }

    /// The upstream says that a list has changed. The first notice counts at once, and all that
    /// follow within the gap count once at its end.
    pub fn told(self: &Arc<Self>) {
        match self.exchange(|told| if told == Told::Quiet { Told::Lately } else { Told::Again }) {
            Told::Quiet => {}
            Told::Lately | Told::Again => return,
        }
        self.lost();
        let changes = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                sleep(NOTICE_GAP).await;
                let Some(changes) = changes.upgrade() else { return };
                match changes.exchange(|told| if told == Told::Again { Told::Lately } else { Told::Quiet }) {
                    Told::Again => changes.lost(),
                    Told::Lately | Told::Quiet => return,
                }
            }
        });
    }

    /// Puts in what follows from what was there, and gives what was there.
    fn exchange(&self, next: impl FnOnce(Told) -> Told) -> Told {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let was = *told;
            *told = next(was);
            was
        }
    }
}

//! The requests that wait for an answer of one process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use remit_app::permit::Progress;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::upstream::failure::{Failure, not_started, unknown};

/// What came back for a request.
#[derive(Debug)]
pub(super) struct Answered {
    /// The answer.
    pub reply: Result<Value, Failure>,
    /// The length of its text, in bytes.
    pub bytes: usize,
}

/// Where an answer goes.
struct Waiter {
    answer: oneshot::Sender<Result<Answered, Failure>>,
    progress: Option<Progress>,
}

/// The table of waiting requests. Its lock is held for single look-ups only, never while anything
/// is read, written, waited for or called.
pub(super) struct Waiting(Mutex<Option<HashMap<u64, Waiter>>>);

impl Waiting {
    /// An empty table.
    pub fn new() -> Self {
        Self(Mutex::new(Some(HashMap::new())))
    }

    /// Enters a request.
    ///
    /// # Errors
    /// [`Failure::NotStarted`] when nothing will be answered any more.
    pub fn enter(
        &self,
        id: u64,
        progress: Option<Progress>,
    ) -> Result<oneshot::Receiver<Result<Answered, Failure>>, Failure> {
        let (answer, answered) = oneshot::channel();
        let mut table = self.table();
        let table = table.as_mut().ok_or_else(|| not_started("its process has ended"))?;
        table.insert(id, Waiter { answer, progress });
        Ok(answered)
    }

    /// Whether this request still waits.
    pub fn holds(&self, id: u64) -> bool {
        self.table().as_ref().is_some_and(|table| table.contains_key(&id))
    }

    /// Whether anything will be answered.
    pub fn is_open(&self) -> bool {
        self.table().is_some()
    }

    /// Strikes a request out; false when it does not wait any more.
    pub fn strike(&self, id: u64) -> bool {
        self.table().as_mut().is_some_and(|table| table.remove(&id).is_some())
    }

    /// Gives a request its answer. An answer that nobody waits for is dropped.
    pub fn answer(&self, id: u64, answered: Result<Answered, Failure>) {
        let waiter = self.table().as_mut().and_then(|table| table.remove(&id));
        if let Some(waiter) = waiter {
            let _gone = waiter.answer.send(answered);
        }
    }

    /// Tells whoever listens to a request's progress.
    pub fn progress(&self, id: u64, notice: Value) {
        let progress = self.table().as_ref().and_then(|table| table.get(&id)?.progress.clone());
        if let Some(progress) = progress {
            progress.0(notice);
        }
    }

    /// Gives up on every request that waits now.
    pub fn give_up(&self, why: &str) {
        let waiters = self.table().as_mut().map(std::mem::take);
        fail(waiters, why);
    }

    /// Gives up on every request, and on all that would come.
    pub fn close(&self, why: &str) {
        let waiters = self.table().take();
        fail(waiters, why);
    }

    fn table(&self) -> MutexGuard<'_, Option<HashMap<u64, Waiter>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fail(waiters: Option<HashMap<u64, Waiter>>, why: &str) {
    for waiter in waiters.into_iter().flat_map(HashMap::into_values) {
        let _gone = waiter.answer.send(Err(unknown(why)));
    }
}

//! The task that asks upstreams what held calls would do, for the people who are asked about them. No caller waits for it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use remit_app::Gate;
use remit_core::ids::QuestionId;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::{JoinHandle, JoinSet};

use crate::notices::{Notice, Notices};

/// How long an upstream may take.
const TIME_MAX: Duration = Duration::from_secs(5);
/// How many are asked at once.
const AT_ONCE: usize = 8;
/// How long it sleeps at most. Nothing is missed by that but a notice that was lost.
const SLEEP_MAX: Duration = Duration::from_secs(5);

/// The task. What was under way when it is dropped is not asked for again: its effect is unknown.
pub struct Previewing(JoinHandle<()>);

impl Previewing {
    /// Begins, with what the last end has left.
    #[must_use]
    pub fn start(gate: Arc<Gate>, notices: &Notices) -> Self {
        Self(tokio::spawn(work(gate, notices.subscribe())))
    }
}

impl Drop for Previewing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn work(gate: Arc<Gate>, mut notices: Receiver<Notice>) {
    let (mut asked, mut under_way) = (JoinSet::new(), HashSet::new());
    loop {
        let room = AT_ONCE.saturating_sub(asked.len());
        // As many more as are under way: those are still listed as awaited.
        let limit = u32::try_from(room + under_way.len()).unwrap_or(u32::MAX);
        match gate.ports().store.awaiting_preview(gate.ports().clock.now(), limit).await {
            Ok(awaiting) => {
                let new: Vec<_> = awaiting.into_iter().filter(|id| !under_way.contains(id)).take(room).collect();
                for id in new {
                    under_way.insert(id.clone());
                    asked.spawn(ask(gate.clone(), id));
                }
            }
            Err(error) => tracing::warn!(%error, "questions that wait for a preview could not be read"),
        }
        tokio::select! {
            heard = notices.recv() => if matches!(heard, Err(RecvError::Closed)) {
                // Nobody will say anything any more: the gateway ends.
                return;
            },
            () = tokio::time::sleep(SLEEP_MAX) => {}
            Some(ended) = asked.join_next() => match ended {
                Ok(id) => {
                    under_way.remove(&id);
                }
                Err(error) => {
                    // Which one it was is not known any more: all may be asked about again, and none is called twice.
                    tracing::error!(%error, "a preview ended badly");
                    under_way.clear();
                }
            }
        }
    }
}

/// Asks about one question; which it was.
async fn ask(gate: Arc<Gate>, id: QuestionId) -> QuestionId {
    match gate.preview(&id, Box::pin(tokio::time::sleep(TIME_MAX))).await {
        Ok(true) => {}
        // Another gateway is at it, or the store says no: not again at once.
        Ok(false) => tokio::time::sleep(SLEEP_MAX).await,
        Err(error) => {
            tracing::warn!(%error, question = %id, "a preview could not be made");
            tokio::time::sleep(SLEEP_MAX).await;
        }
    }
    id
}

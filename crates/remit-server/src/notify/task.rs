//! The task that works off what people are to be told: at the start what a crash has left, then whenever
//! something happens or an attempt is due again.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use remit_app::Gate;
use remit_app::delivery::{Delivery, Progress};
use remit_core::ids::ChannelId;
use tokio::sync::{broadcast, oneshot};
use tokio::task::{JoinHandle, JoinSet};

use super::Channels;
use crate::notices::Notices;
use crate::telemetry::Metrics;

/// How many deliveries are looked at together.
const LOOKED_AT: u32 = 512;
/// How many are under way at once, and through one channel: a slow one holds up no other.
const AT_ONCE: usize = 32;
const AT_ONCE_BY_CHANNEL: usize = 8;
/// How long it sleeps at most. Nothing is missed by that but a notice that was lost.
const SLEEP_MAX: Duration = Duration::from_secs(30);
/// How long it waits when the store is unavailable.
const SLEEP_SICK: Duration = Duration::from_secs(2);
/// How long deliveries that are over can be looked at.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);
/// How long those under way may take when the gateway is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// The task. When it is dropped instead of stopped, what was under way is sent again by the next start.
pub struct Telling {
    task: JoinHandle<()>,
    stop: Option<oneshot::Sender<()>>,
}

impl Telling {
    /// Begins.
    #[must_use]
    pub fn start(gate: Arc<Gate>, channels: Arc<Channels>, notices: &Notices, metrics: Arc<Metrics>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let desk = Desk { gate, channels, metrics, under_way: HashSet::new(), busy: BTreeMap::new() };
        Self { task: tokio::spawn(desk.work(notices.subscribe(), stopped)), stop: Some(stop) }
    }

    /// Starts nothing more, and waits a moment for what is under way.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "telling people ended badly");
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Desk {
    gate: Arc<Gate>,
    channels: Arc<Channels>,
    metrics: Arc<Metrics>,
    under_way: HashSet<String>,
    busy: BTreeMap<Option<ChannelId>, usize>,
}

/// A delivery whose turn has ended.
type Ended = Delivery;

impl Desk {
    async fn work(mut self, mut notices: broadcast::Receiver<crate::notices::Notice>, mut stop: oneshot::Receiver<()>) {
        let mut turns: JoinSet<Ended> = JoinSet::new();
        let mut forgotten = Timestamp::UNIX_EPOCH;
        loop {
            let now = self.gate.ports().clock.now();
            if now.duration_since(forgotten) >= SignedDuration::from_hours(1) {
                forgotten = now;
                self.forget(now).await;
            }
            let sleep = self.begin(&mut turns, now).await;
            tokio::select! {
                _ = &mut stop => break,
                _ = notices.recv() => {}
                () = tokio::time::sleep(sleep) => {}
                Some(ended) = turns.join_next() => self.ended(ended),
            }
            while let Some(ended) = turns.try_join_next() {
                self.ended(ended);
            }
        }
        let rest = async { while turns.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, rest).await.is_err() {
            tracing::info!("some messages were cut off; they are sent again");
        }
    }

    /// Begins what is due and has room; for how long there is nothing to do.
    async fn begin(&mut self, turns: &mut JoinSet<Ended>, now: Timestamp) -> Duration {
        let store = self.gate.ports().store.clone();
        let found = async { Ok((store.due(now, LOOKED_AT).await?, store.next_due(now).await?)) };
        let (due, next) = match found.await {
            Ok(found) => found,
            Err(remit_app::intent::Unavailable(error)) => {
                tracing::warn!(error, "what people are to be told could not be read");
                return SLEEP_SICK;
            }
        };
        for delivery in due {
            let busy = self.busy.entry(delivery.channel.clone()).or_default();
            let room = turns.len() < AT_ONCE && *busy < AT_ONCE_BY_CHANNEL;
            if room && self.under_way.insert(delivery.id()) {
                *busy += 1;
                turns.spawn(turn(self.gate.clone(), self.channels.clone(), self.metrics.clone(), delivery));
            }
        }
        let until = next.map(|next| next.duration_since(now).unsigned_abs());
        until.map_or(SLEEP_MAX, |until| until.min(SLEEP_MAX))
    }

    fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        let Ok(delivery) = ended else {
            // Whose turn it was is not known any more: all may begin again.
            tracing::error!("a message ended badly");
            self.under_way.clear();
            self.busy.clear();
            return;
        };
        self.under_way.remove(&delivery.id());
        if let Some(busy) = self.busy.get_mut(&delivery.channel) {
            *busy = busy.saturating_sub(1);
        }
    }

    async fn forget(&self, now: Timestamp) {
        let Ok(before) = now.checked_sub(KEPT) else { return };
        match self.gate.forget_deliveries(before).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "forgot deliveries that are long over"),
            Err(error) => tracing::warn!(%error, "deliveries that are long over could not be forgotten"),
        }
    }
}

/// One delivery's turn.
async fn turn(gate: Arc<Gate>, channels: Arc<Channels>, metrics: Arc<Metrics>, delivery: Delivery) -> Ended {
    let plan = channels.plan();
    let outcome = gate.deliver(&plan.telling, &*channels, &delivery).await;
    let (id, about) = (delivery.id(), &delivery.about);
    let Some(channel) = &delivery.channel else {
        if let Err(error) = outcome {
            tracing::warn!(%error, %about, "what people are to be told could not be routed");
            tokio::time::sleep(SLEEP_SICK).await;
        }
        return delivery;
    };
    match outcome {
        // Another gateway is at it, or has written down what came of it.
        Ok(None) => {}
        Ok(Some(Progress::Delivered)) => {
            metrics.delivery(channel.as_str(), "delivered");
            tracing::info!(delivery = id, %about, %channel, event = %delivery.event, "told people");
        }
        Ok(Some(Progress::Later(at, error))) => {
            metrics.delivery(channel.as_str(), "failed");
            tracing::warn!(delivery = id, %about, %channel, error, %at, "a message was not taken; it is tried again");
        }
        Ok(Some(Progress::Dead(error))) => {
            metrics.delivery(channel.as_str(), "dead");
            tracing::error!(delivery = id, %about, %channel, error, "a message was given up; the next channel takes over, if there is one");
        }
        Ok(Some(Progress::Gone)) => metrics.delivery(channel.as_str(), "moot"),
        Err(error) => {
            tracing::warn!(delivery = id, %error, "what came of a message could not be written down; it is sent again");
            // The store said no: a message that goes out each time it does would flood people.
            tokio::time::sleep(SLEEP_SICK).await;
        }
    }
    delivery
}

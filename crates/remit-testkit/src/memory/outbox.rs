//! What is to be told to people elsewhere, until it was delivered.

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::delivery::{Delivery, DeliveryFilter, DeliveryState, Event, Progress, Subject};
use remit_app::intent::Unavailable;
use remit_app::ports::Outbox;
use remit_core::ids::QuestionId;

use super::MemoryStore;
use super::state::State;

/// As many go at once in the store on disk.
const ROWS: usize = 500;

#[async_trait]
impl Outbox for MemoryStore {
    async fn enqueue(&self, deliveries: Vec<Delivery>) -> Result<usize, Unavailable> {
        Ok(self.open()?.owe(deliveries))
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Delivery>, Unavailable> {
        let state = self.open()?;
        let mut due: Vec<_> = state.waiting().filter(|delivery| delivery.is_due(now)).cloned().collect();
        due.sort_by_key(Delivery::due_at);
        due.truncate(limit as usize);
        Ok(due)
    }

    async fn claim(&self, id: &str, now: Timestamp, until: Timestamp) -> Result<bool, Unavailable> {
        let mut state = self.open()?;
        let found = state.deliveries.iter_mut().find(|delivery| delivery.id() == id && delivery.is_due(now));
        Ok(found.map(|delivery| delivery.claimed_until = Some(until)).is_some())
    }

    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, Unavailable> {
        let state = self.open()?;
        Ok(state.waiting().map(Delivery::due_at).filter(|at| *at > after).min())
    }

    async fn attempted(&self, id: &str, progress: Progress, then: Vec<Delivery>) -> Result<bool, Unavailable> {
        let mut state = self.open()?;
        let waits = |delivery: &Delivery| delivery.state == DeliveryState::Waiting && delivery.id() == id;
        let Some(at) = state.deliveries.iter().position(waits) else { return Ok(false) };
        if progress == Progress::Gone {
            state.deliveries.remove(at);
        } else if let Some(delivery) = state.deliveries.get_mut(at) {
            delivery.attempts += 1;
            delivery.claimed_until = None;
            match progress {
                Progress::Later(at, error) => (delivery.next_at, delivery.last_error) = (at, Some(error)),
                Progress::Dead(error) => (delivery.state, delivery.last_error) = (DeliveryState::Dead, Some(error)),
                Progress::Delivered | Progress::Gone => {
                    (delivery.state, delivery.last_error) = (DeliveryState::Delivered, None);
                }
            }
        }
        state.owe(then);
        Ok(true)
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, Unavailable> {
        let state = self.open()?;
        let asked = |delivery: &&Delivery| {
            delivery.channel.is_some()
                && filter.about.as_ref().is_none_or(|about| delivery.about == *about)
                && filter.state.is_none_or(|state| delivery.state == state)
        };
        let limit = if filter.limit == 0 { 100 } else { filter.limit as usize };
        Ok(state.deliveries.iter().rev().filter(asked).take(limit).cloned().collect())
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Result<u64, Unavailable> {
        let mut state = self.open()?;
        let mut forgotten = 0;
        state.deliveries.retain(|delivery| {
            let over = delivery.state != DeliveryState::Waiting && delivery.created_at < before;
            let goes = over && forgotten < ROWS;
            forgotten += usize::from(goes);
            !goes
        });
        Ok(forgotten as u64)
    }
}

impl State {
    fn waiting(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.iter().filter(|delivery| delivery.state == DeliveryState::Waiting)
    }

    /// Makes due what is still to be told of this event of a question.
    pub(super) fn tell_now(&mut self, about: &QuestionId, event: Event, at: Timestamp) {
        let about = Subject::Question(about.clone());
        let owed =
            |delivery: &&mut Delivery| delivery.about == about && delivery.event == event && delivery.channel.is_none();
        self.deliveries.iter_mut().filter(owed).for_each(|delivery| delivery.next_at = delivery.next_at.min(at));
    }

    /// Adds deliveries that are not there; how many are new.
    pub(super) fn owe(&mut self, deliveries: impl IntoIterator<Item = Delivery>) -> usize {
        let before = self.deliveries.len();
        for delivery in deliveries {
            if !self.deliveries.iter().any(|known| known.id() == delivery.id()) {
                self.deliveries.push(delivery);
            }
        }
        self.deliveries.len() - before
    }
}

//! What is to be told to people elsewhere, until it was delivered.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::delivery::{Delivery, DeliveryFilter, Progress};
use crate::intent::Unavailable;

/// What is to be told to people elsewhere, until it was delivered. Part of [`super::Store`]; the same promises hold.
///
/// Deeds of the store fill it besides, each in its own transaction: a question that is stored owes
/// [`Delivery::owed`]; the vote that closes one, and another call in its place, owe [`Delivery::owed_after`]; a change that
/// is opened and a grant that somebody took in an emergency are news themselves. A question that another one takes the
/// place of makes due what it owes when it lapses.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Adds deliveries; all or none. One of the same question, event and channel stays as it is, whatever
    /// its state. Durable on return; how many are new.
    async fn enqueue(&self, deliveries: Vec<Delivery>) -> Result<usize, Unavailable>;

    /// Deliveries that wait and are due at this moment and that nobody has claimed ([`Delivery::is_due`]), the longest
    /// due first, at most `limit`.
    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Delivery>, Unavailable>;

    /// Claims a delivery that is due at `now` until then; false, and nothing has changed, when it is not due, or not any
    /// more, or somebody else has claimed it. So of several gateways one works on it, and another one if that ends
    /// before it has written down what came of it. Durable on return.
    async fn claim(&self, id: &str, now: Timestamp, until: Timestamp) -> Result<bool, Unavailable>;

    /// The first moment after `after` at which a delivery that waits becomes due ([`Delivery::due_at`]).
    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, Unavailable>;

    /// Writes down what came of working on a delivery, and adds those that follow from it as
    /// [`Outbox::enqueue`] does; all of it or none. It is not claimed any more. Every progress but `Gone` counts as an attempt. False,
    /// and nothing has changed, when the delivery does not wait any more. Durable on return.
    async fn attempted(&self, id: &str, progress: Progress, then: Vec<Delivery>) -> Result<bool, Unavailable>;

    /// Deliveries with a channel, newest first.
    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, Unavailable>;

    /// Deletes a bounded number of deliveries that do not wait any more and were made before `before`.
    async fn forget_deliveries(&self, before: Timestamp) -> Result<u64, Unavailable>;
}

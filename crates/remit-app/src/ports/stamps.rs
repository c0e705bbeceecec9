//! Checkpoints that a third party has stamped.

use async_trait::async_trait;

use crate::intent::Unavailable;
use crate::stamp::Stamped;

/// Checkpoints that a third party has stamped. Part of [`super::Store`]; the same promises hold. A token is no record
/// and is deleted with none: it says nothing but that a tree was there.
#[async_trait]
pub trait Stamps: Send + Sync {
    /// Keeps a stamp. One over the same size of the same log stays as it is. Durable on return.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn keep_stamp(&self, stamped: Stamped) -> Result<(), Unavailable>;

    /// The stamp over the largest tree of this log.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn last_stamp(&self, origin: &str) -> Result<Option<Stamped>, Unavailable>;

    /// The stamp over the smallest tree of this log in which this leaf stands.
    ///
    /// # Errors
    /// When the store is unavailable.
    async fn stamp_over(&self, origin: &str, leaf: u64) -> Result<Option<Stamped>, Unavailable>;
}

//! What is to be told to people elsewhere, until it was delivered.

use async_trait::async_trait;

/// What is to be told to people elsewhere, until it was delivered. Part of [`super::Store`]; the same promises hold.
#[async_trait]
pub trait Outbox: Send + Sync {}

//! Lists for people who look.

use async_trait::async_trait;

/// Lists for people who look. Part of [`super::Store`]; the same promises hold.
#[async_trait]
pub trait Listing: Send + Sync {}

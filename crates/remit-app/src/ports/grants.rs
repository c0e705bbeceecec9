//! Access requests, and the grants that came of them.

use async_trait::async_trait;

/// Access requests, and the grants that came of them. Part of [`super::Store`]; the same promises hold.
#[async_trait]
pub trait Grants: Send + Sync {}

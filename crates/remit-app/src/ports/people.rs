//! People who sign in: how they prove themselves, and their sessions.

use async_trait::async_trait;

/// People who sign in: how they prove themselves, and their sessions. Part of [`super::Store`]; the same promises hold.
#[async_trait]
pub trait People: Send + Sync {}

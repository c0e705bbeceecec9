//! People who sign in: how they prove themselves, and their sessions.

use async_trait::async_trait;
use remit_app::ports::People;

use crate::store::SqliteStore;

#[async_trait]
impl People for SqliteStore {}

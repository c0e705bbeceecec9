//! Access requests, and the grants that came of them.

use async_trait::async_trait;
use remit_app::ports::Grants;

use super::MemoryStore;

#[async_trait]
impl Grants for MemoryStore {}

//! What is to be told to people elsewhere, until it was delivered.

use async_trait::async_trait;
use remit_app::ports::Outbox;

use super::MemoryStore;

#[async_trait]
impl Outbox for MemoryStore {}

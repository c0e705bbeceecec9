//! Lists for people who look.

use async_trait::async_trait;
use remit_app::ports::Listing;

use super::MemoryStore;

#[async_trait]
impl Listing for MemoryStore {}

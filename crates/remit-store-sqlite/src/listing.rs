//! Lists for people who look.

use async_trait::async_trait;
use remit_app::ports::Listing;

use crate::store::SqliteStore;

#[async_trait]
impl Listing for SqliteStore {}

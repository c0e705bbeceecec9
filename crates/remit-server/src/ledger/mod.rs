//! The ledger: the log's files in a folder or a bucket, its keys, the guard beside it, and the thread that seals.

pub mod bucket;
pub mod disk;
pub mod files;
pub mod folder;
pub mod guard;
pub mod keys;
pub mod patience;
pub mod sealing;

mod durable;
mod errand;
mod once;

//! The ledger: the log's files in a folder or a bucket, its keys, the guard beside it, the thread that seals, and the one
//! that has checkpoints stamped.

pub mod bucket;
pub mod disk;
pub mod files;
pub mod folder;
pub mod guard;
pub mod keys;
pub mod patience;
pub mod sealing;
pub mod stamping;
pub mod timestamper;

mod durable;
mod errand;
mod once;

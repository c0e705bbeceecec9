//! The ledger: the log's files in a folder, its keys, the guard beside it, and the thread that seals.

pub mod files;
pub mod folder;
pub mod guard;
pub mod keys;
pub mod patience;
pub mod sealing;

mod durable;

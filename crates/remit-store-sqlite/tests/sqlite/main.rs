//! What SQLite promises: the contract of every store, and what the port leaves to the adapter: what
//! survives a crash, and who may open the file.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod conformance;
mod crash;
mod faults;
mod opening;

use std::path::{Path, PathBuf};
use std::time::Duration;

use remit_store_sqlite::{Options, SqliteStore};

/// A folder of one's own, and the store's file in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("remit.db");
    (folder, file)
}

/// Opens a store whose bound is so long that nothing is flushed by the clock during a test.
fn open(file: &Path) -> SqliteStore {
    SqliteStore::open(file, Options { within: Duration::from_secs(600), ..Options::default() }).expect("it opens")
}

/// The file beside the store's: `-wal`, `-shm`, `.lock`.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Looks at the file with SQLite alone.
fn look(file: &Path, sql: &str) -> String {
    let db = rusqlite::Connection::open(file).expect("it opens");
    db.query_row(sql, [], |row| row.get::<_, rusqlite::types::Value>(0)).map(|value| format!("{value:?}")).expect(sql)
}

//! Reading: connections that cannot write, each used by one thread at a time.
//!
//! A read runs where it is asked for, on the thread of the async task, without `spawn_blocking`:
//! it takes microseconds, never waits for the writer (the log keeps the last commit readable), and
//! a hand-over to another thread would cost more than the read. Nothing is awaited while a
//! connection is out, so there are never more of them than threads that run tasks.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::failure::Failure;

/// Connections that are not in use.
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    /// Reads as of one moment: the last commit at the time of the first look.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let db = match idle {
            Some(db) => db,
            None => open(&self.path)?,
        };
        db.prepare_cached("BEGIN")?.execute([])?;
        // On an error the connection is dropped, and its transaction with it.
        let found = read(&db)?;
        db.prepare_cached("COMMIT")?.execute([])?;
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(db);
        Ok(found)
    }
}

/// Opens a file for reading only.
pub(crate) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    db.busy_timeout(Duration::from_secs(1))?;
    db.set_prepared_statement_cache_capacity(64);
    db.execute_batch("PRAGMA query_only = ON;")?;
    Ok(db)
}

//! Opening a file: whose it is, who may see it, and that nobody else writes to it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use tokio::sync::watch;

use crate::ahead::Ahead;
use crate::failure::Failure;
use crate::faults::Faults;
use crate::readers::{self, Readers};
use crate::schema::{self, SchemaError};
use crate::store::{Shared, SqliteStore};
use crate::writer::{BUSY, Writer};
use crate::{grants, halts, outbox, questions};

/// How a store behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Within what time a batched intent and a handed-over receipt become durable. Zero: they are
    /// treated like everything else, and wait for their fsync.
    pub within: Duration,
    /// Most deeds that may wait, and most batched records that may stand ahead of the file. One more deed is refused as unavailable: a gateway that cannot write as
    /// fast as it is asked denies.
    pub queue: usize,
    /// Most pages (of 4 KiB) the file may have; `None` means as many as the disk holds.
    pub pages_max: Option<u32>,
    /// Faults on order. Tests only.
    #[doc(hidden)]
    pub faults: Faults,
}

impl Default for Options {
    fn default() -> Self {
        Self { within: Duration::from_millis(100), queue: 8_192, pages_max: None, faults: Faults::default() }
    }
}

/// Why a store cannot be opened. All of it is for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody else on this machine could put another file in its place.
    #[error("`{}` can be written by everybody on this machine", .0.display())]
    WorldWritable(PathBuf),
    /// Another process has it open for writing.
    #[error("another gateway is using `{}`: one file serves one gateway", .0.display())]
    InUse(PathBuf),
    /// It is not a file of ours, or of a newer program.
    #[error("`{}`: {why}", .path.display())]
    NotOurs {
        /// Which file.
        path: PathBuf,
        /// What it is.
        why: String,
    },
    /// It does not exist.
    #[error("there is no store at `{}`", .0.display())]
    Missing(PathBuf),
    /// The file or its folder cannot be used.
    #[error("`{}`: {source}", .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite cannot use the file.
    #[error("`{}`: {source}", .path.display())]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

impl SqliteStore {
    /// Opens the store in this file, and makes it when there is none. A folder that does not exist is
    /// made for nobody else (0700), and so is the file (0600).
    ///
    /// # Errors
    /// When the folder is open to everybody, another process writes to the file, or it is not ours.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io)?;
        if folder.metadata().map_err(io)?.mode() & 0o002 != 0 {
            return Err(OpenError::WorldWritable(folder.to_owned()));
        }
        let lock = lock(path)?;
        // SQLite gives its log and its index the permissions of the file.
        OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(io)?;
        let unsynced = has_log(path).then(Instant::now);
        let db = writing(path, &options)?;
        outbox::unclaim(&db).map_err(|failure| not_ours(path, failure))?;
        let halts = halts::all(&db).map_err(|failure| not_ours(path, failure))?;
        let grants = grants::live(&db).map_err(|failure| not_ours(path, failure))?;
        let asked = questions::asked(&db).map_err(|failure| not_ours(path, failure))?;
        let room = if options.within.is_zero() { 0 } else { options.queue };
        let shared = Arc::new(Shared::new(halts, grants, asked, Ahead::with_room(room)));
        let (sender, queue) = sync_channel(options.queue.max(1));
        let writer = Writer {
            db,
            queue,
            shared: Arc::clone(&shared),
            within: options.within,
            faults: options.faults,
            unsynced,
            deeds_since_checkpoint: 0,
            full: true,
            _lock: lock,
        };
        let (end, ended) = watch::channel(());
        let thread = std::thread::Builder::new().name("remit-store".into());
        let thread = thread.spawn(move || writer.run(end)).map_err(io)?;
        Ok(Self::writing(Readers::new(path), shared, sender, thread, ended))
    }

    /// Opens the store in this file for looking only, also while a gateway uses it. Every deed that
    /// would write is unavailable.
    ///
    /// # Errors
    /// When there is no such file or it is not ours.
    pub fn inspect(path: &Path) -> Result<Self, OpenError> {
        if !path.exists() {
            return Err(OpenError::Missing(path.to_owned()));
        }
        let db = readers::open(path).map_err(|source| OpenError::Sqlite { path: path.to_owned(), source })?;
        match schema::check(&db) {
            Ok(true) => Ok(Self::looking(Readers::new(path))),
            Ok(false) => Err(OpenError::Missing(path.to_owned())),
            Err(error) => Err(refused(path, error)),
        }
    }
}

/// Takes the lock beside the file. The system gives it back when the process ends, however it ends.
fn lock(path: &Path) -> Result<File, OpenError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".lock");
    let beside = PathBuf::from(beside);
    let io = |source| OpenError::Io { path: beside.clone(), source };
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&beside).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
        Err(TryLockError::Error(source)) => return Err(io(source)),
    }
    // Whose lock it is, for people who look; nothing reads it.
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(io)?;
    Ok(file)
}

/// Whether a process that did not end in good order has left a log. What is in it may never have
/// had an fsync; the first commit, within the bound, makes up for that.
fn has_log(path: &Path) -> bool {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-wal");
    PathBuf::from(beside).metadata().is_ok_and(|log| log.len() > 0)
}

fn writing(path: &Path, options: &Options) -> Result<Connection, OpenError> {
    let sqlite = |source| OpenError::Sqlite { path: path.to_owned(), source };
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).map_err(sqlite)?;
    db.busy_timeout(BUSY).map_err(sqlite)?;
    db.set_prepared_statement_cache_capacity(64);
    // Before anything is changed: a file of somebody else stays as it is.
    schema::check(&db).map_err(|error| refused(path, error))?;
    // No checkpoint behind our back: see `Writer::checkpoint`. `cell_size_check` finds damage early.
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;
         PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON;",
    )
    .map_err(sqlite)?;
    schema::prepare(&db).map_err(|error| refused(path, error))?;
    rebuild(&db).map_err(sqlite)?;
    if let Some(pages) = options.pages_max {
        db.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).map_err(sqlite)?;
    }
    Ok(db)
}

/// After an erasure, writes the whole file anew: where a page was once split, a gap may hold the rest of a row
/// that was erased since. A crash in here leaves the old file and the mark, and the next start does it.
fn rebuild(db: &Connection) -> rusqlite::Result<()> {
    let erasures: i64 = db.query_row("SELECT value FROM meta WHERE name = 'erasures'", [], |row| row.get(0))?;
    if erasures > 0 {
        db.execute_batch("VACUUM; UPDATE meta SET value = 0 WHERE name = 'erasures';")?;
        db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    }
    Ok(())
}

fn refused(path: &Path, error: SchemaError) -> OpenError {
    match error {
        SchemaError::Sqlite(source) => OpenError::Sqlite { path: path.to_owned(), source },
        other => OpenError::NotOurs { path: path.to_owned(), why: other.to_string() },
    }
}

fn not_ours(path: &Path, failure: Failure) -> OpenError {
    OpenError::NotOurs { path: path.to_owned(), why: remit_app::intent::Unavailable::from(failure).0 }
}

//! Replacing a file so that after a crash there is the old one or the new one, and after `Ok` the new
//! one. A failed fsync is the end: the kernel may have dropped the very pages it could not write.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use remit_app::ledger::LedgerError;

/// A folder that stays open: an error that the disk reports late is reported to whoever holds it.
pub struct OpenFolder {
    path: PathBuf,
    handle: File,
}

impl OpenFolder {
    /// Opens a folder, which must be there.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), handle: File::open(path)? })
    }

    /// Opens a folder below `top`, and makes it durably when it is not there.
    pub fn make(top: &Path, path: &Path) -> Result<Self, LedgerError> {
        if !path.is_dir() && path != top {
            let above = Self::make(top, path.parent().unwrap_or(top))?;
            match DirBuilder::new().mode(0o755).create(path) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(path, &error)),
                _ => above.sync()?,
            }
        }
        Self::open(path).map_err(|error| failed(path, &error))
    }

    /// Puts a file with these bytes under this name.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        let (path, draft) = (self.path.join(name), self.path.join(format!("{name}.draft")));
        let mut file = (OpenOptions::new().create(true).truncate(true).write(true).mode(0o644))
            .open(&draft)
            .map_err(|error| failed(&draft, &error))?;
        file.write_all(bytes).map_err(|error| failed(&draft, &error))?;
        file.sync_all().map_err(|error| broken(&draft, &error))?;
        std::fs::rename(&draft, &path).map_err(|error| failed(&path, &error))?;
        self.sync()
    }

    /// Makes a file durable that was found under this name: a crash may have come before its fsync.
    pub fn settle(&self, name: &str) -> Result<(), LedgerError> {
        let path = self.path.join(name);
        let file = File::open(&path).map_err(|error| failed(&path, &error))?;
        file.sync_all().map_err(|error| broken(&path, &error))?;
        self.sync()
    }

    fn sync(&self) -> Result<(), LedgerError> {
        self.handle.sync_all().map_err(|error| broken(&self.path, &error))
    }
}

/// The bytes of a file; `None` when there is none.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, LedgerError> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(path, &error)),
    }
}

fn failed(path: &Path, error: &io::Error) -> LedgerError {
    LedgerError::Failed(format!("`{}`: {error}", path.display()))
}

fn broken(path: &Path, error: &io::Error) -> LedgerError {
    LedgerError::Broken(format!("`{}` could not be made durable: {error}", path.display()))
}

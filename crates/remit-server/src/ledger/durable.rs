//! Replacing a file so that after a crash there is the old one or the new one, and after `Ok` the new
//! one. A failed fsync is the end: the kernel may have dropped the very pages it could not write.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use remit_app::ledger::LedgerError;

use super::disk::{Disk, Handle};

/// A folder that stays open: an error that the disk reports late is reported to whoever holds it.
pub struct OpenFolder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    handle: Box<dyn Handle>,
}

impl OpenFolder {
    /// Opens a folder, which must be there.
    pub fn open(disk: &Arc<dyn Disk>, path: &Path) -> io::Result<Self> {
        Ok(Self { disk: Arc::clone(disk), path: path.to_owned(), handle: disk.open(path)? })
    }

    /// Opens a folder in this one, made durably: also when it is there, as a process may have died between making
    /// it and making it durable.
    pub fn folder(&self, path: &Path) -> Result<Self, LedgerError> {
        match self.disk.make_folder(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(path, &error)),
            _ => self.sync()?,
        }
        Self::open(&self.disk, path).map_err(|error| failed(path, &error))
    }

    /// Puts a file with these bytes under this name.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), LedgerError> {
        let (path, draft) = (self.path.join(name), self.path.join(format!("{name}.draft")));
        let file = self.disk.write(&draft, bytes).map_err(|error| failed(&draft, &error))?;
        file.sync().map_err(|error| broken(&draft, &error))?;
        self.disk.rename(&draft, &path).map_err(|error| failed(&path, &error))?;
        self.sync()
    }

    /// Makes a file durable that was found under this name: a crash may have come before its fsync.
    pub fn settle(&self, name: &str) -> Result<(), LedgerError> {
        let path = self.path.join(name);
        let file = self.disk.open(&path).map_err(|error| failed(&path, &error))?;
        file.sync().map_err(|error| broken(&path, &error))?;
        self.sync()
    }

    fn sync(&self) -> Result<(), LedgerError> {
        self.handle.sync().map_err(|error| broken(&self.path, &error))
    }
}

/// The bytes of a file; `None` when there is none.
pub fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>, LedgerError> {
    match disk.read(path) {
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

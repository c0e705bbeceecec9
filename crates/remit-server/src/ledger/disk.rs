//! What ledger and guard do to a disk, one operation at a time. Tests bring a disk that fails, fills up and
//! forgets what was not made durable.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// A disk. Nothing that it does survives a crash of the machine before it was made durable.
pub trait Disk: Send + Sync {
    /// The bytes of a file.
    ///
    /// # Errors
    /// When it is not there, or cannot be read.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Makes a folder in one that is there.
    ///
    /// # Errors
    /// When it is there already, or cannot be made.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Writes a file anew, and leaves it open.
    ///
    /// # Errors
    /// When that cannot be done. The file may be there, with some of its bytes.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<Box<dyn Handle>>;

    /// Opens a file or a folder that is there.
    ///
    /// # Errors
    /// When it cannot be opened.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>>;

    /// Gives a file another name, in place of the file that had it.
    ///
    /// # Errors
    /// When that cannot be done.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Deletes a folder with all that is in it.
    ///
    /// # Errors
    /// When it is not there, or some of it stays.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;
}

/// Something that is open. The disk reports late errors to whoever holds it.
pub trait Handle: Send + Sync {
    /// Makes the bytes of a file, or the names in a folder, durable.
    ///
    /// # Errors
    /// When nobody knows what is. Asking again proves nothing: what could not be written may be forgotten.
    fn sync(&self) -> io::Result<()>;
}

impl Handle for File {
    fn sync(&self) -> io::Result<()> {
        self.sync_all()
    }
}

/// The disks of this machine.
pub struct Local;

impl Disk for Local {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o755).create(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<Box<dyn Handle>> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o644).open(path)?;
        file.write_all(bytes)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        Ok(Box::new(File::open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(path)
    }
}

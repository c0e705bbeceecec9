//! A folder of small files that are replaced whole or not at all. Owns the order of writing: draft,
//! fsync, rename, fsync of the folder. Never repeats a step that failed: what a failed fsync left
//! behind nobody knows, and a second one may say that all is well.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Largest file that is read back.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
const DRAFT: &str = ".draft";

/// What a folder can do. Tests bring one that fails and forgets.
pub trait Disk: Send + Sync {
    /// The names of all files but drafts.
    ///
    /// # Errors
    /// When the folder cannot be read.
    fn names(&self) -> io::Result<Vec<String>>;

    /// What this file holds.
    ///
    /// # Errors
    /// When it cannot be read.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Writes a file anew and makes its bytes durable. Its name may yet be lost.
    ///
    /// # Errors
    /// When that cannot be done; then nobody knows what it holds.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Gives a file another name, in place of the file that had it.
    ///
    /// # Errors
    /// When that cannot be done; then either file may have the name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Makes all names durable.
    ///
    /// # Errors
    /// When that cannot be done; then nobody knows which names there are.
    fn sync(&self) -> io::Result<()>;

    /// Puts these bytes under this name, durably: after a crash it is the old file or the new.
    ///
    /// # Errors
    /// When any step failed. It may have happened or not.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let draft = format!("{name}{DRAFT}");
        self.write(&draft, bytes)?;
        self.rename(&draft, name)?;
        self.sync()
    }
}

/// Whether a file is one that was not finished.
#[must_use]
pub fn is_draft(name: &str) -> bool {
    name.ends_with(DRAFT)
}

/// A folder of the operating system.
pub struct Folder {
    path: PathBuf,
    // Kept open: an error of the folder that is reported to nobody is lost with its last handle.
    handle: File,
}

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), handle: File::open(path)? })
    }
}

impl Disk for Folder {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let name = entry?.file_name().into_string().map_err(|_| io::ErrorKind::InvalidData)?;
            if !is_draft(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = File::open(self.path.join(name))?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if read as u64 > FILE_BYTES_MAX { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes) }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options.create(true).truncate(true).write(true).mode(0o600).open(self.path.join(name))?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path.join(from), self.path.join(to))
    }

    fn sync(&self) -> io::Result<()> {
        self.handle.sync_all()
    }
}

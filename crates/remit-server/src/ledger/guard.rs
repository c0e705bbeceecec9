//! The [`Guard`] port on a file of three lines: origin, size and root of the largest tree that was
//! signed. It belongs on another volume than store and ledger, in no backup with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use remit_app::ledger::{Guard, LedgerError, Mark};
use remit_evidence::log::checkpoint::Checkpoint;

use super::disk::{Disk, Local};
use super::durable::{self, OpenFolder};

/// The file.
pub struct GuardFile {
    disk: Arc<dyn Disk>,
    folder: OpenFolder,
    path: PathBuf,
    name: String,
}

impl GuardFile {
    /// Takes the file at this path. Its folder must be there: a volume that is not mounted is no guard.
    ///
    /// # Errors
    /// When the folder is not there.
    pub fn at(path: &Path) -> std::io::Result<Self> {
        Self::on(Arc::new(Local), path)
    }

    /// As [`at`](Self::at), on this disk.
    ///
    /// # Errors
    /// When the folder is not there.
    pub fn on(disk: Arc<dyn Disk>, path: &Path) -> std::io::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("last_signed").to_owned();
        Ok(Self { folder: OpenFolder::open(&disk, folder)?, path: folder.join(&name), name, disk })
    }
}

impl Guard for GuardFile {
    fn last(&self) -> Result<Option<Mark>, LedgerError> {
        let Some(bytes) = durable::read(&*self.disk, &self.path)? else { return Ok(None) };
        let read = String::from_utf8(bytes).ok().and_then(|text| Checkpoint::parse(&text).ok());
        let read = read.ok_or_else(|| LedgerError::Broken(format!("`{}` is no guard file", self.path.display())))?;
        Ok(Some(Mark { origin: read.origin, size: read.size, root: read.root }))
    }

    fn raise(&self, mark: &Mark) -> Result<(), LedgerError> {
        if let Some(last) = self.last()? {
            let follows = last.origin == mark.origin && (last.size < mark.size || last == *mark);
            if !follows {
                let why = format!("the guard has {} leaves of `{}` and goes back to none", last.size, last.origin);
                return Err(LedgerError::Broken(why));
            }
        }
        self.write(mark)
    }

    fn pass_on(&self, ended: &Mark, begun: &Mark) -> Result<(), LedgerError> {
        if self.last()?.as_ref() != Some(ended) {
            return Err(LedgerError::Broken(format!("the guard does not hold the end of `{}`", ended.origin)));
        }
        self.write(begun)
    }
}

impl GuardFile {
    fn write(&self, mark: &Mark) -> Result<(), LedgerError> {
        let text = Checkpoint::new(&mark.origin, mark.size, mark.root).to_string();
        self.folder.write(&self.name, text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use remit_core::ids::Digest;

    use super::*;

    #[test]
    fn the_guard_only_rises() {
        let place = tempfile::tempdir().expect("a folder");
        let guard = GuardFile::at(&place.path().join("last_signed")).expect("it opens");
        let mark = |size, text: &str| Mark { origin: "a".into(), size, root: Digest::of(text.as_bytes()) };
        assert_eq!(guard.last(), Ok(None));
        for next in [mark(3, "a"), mark(3, "a"), mark(7, "b")] {
            guard.raise(&next).expect("raised");
            assert_eq!(guard.last(), Ok(Some(next)));
        }
        for bad in [mark(6, "a"), mark(7, "c"), Mark { origin: "b".into(), ..mark(9, "d") }] {
            assert!(matches!(guard.raise(&bad), Err(LedgerError::Broken(_))), "{bad:?}");
        }
        assert_eq!(guard.last(), Ok(Some(mark(7, "b"))));
        // A log passes it on at its end, and nowhere else.
        let next = Mark { origin: "b".into(), ..mark(1, "d") };
        for bad in [mark(3, "a"), mark(7, "c")] {
            assert!(matches!(guard.pass_on(&bad, &next), Err(LedgerError::Broken(_))), "{bad:?}");
        }
        guard.pass_on(&mark(7, "b"), &next).expect("passed on");
        assert_eq!(guard.last(), Ok(Some(next)));
        assert!(GuardFile::at(&place.path().join("unmounted").join("last_signed")).is_err());
    }
}

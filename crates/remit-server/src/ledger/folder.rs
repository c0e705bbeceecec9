//! The [`Tiles`] port on a folder that any web server may show: `checkpoint` and `tile/…`, laid out as
//! C2SP tlog-tiles has it. A file is written once; only `checkpoint` is ever replaced.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use remit_app::ledger::{LedgerError, Tiles};
use remit_evidence::log::tile::Tile;

use super::disk::{Disk, Local};
use super::durable::{self, OpenFolder};
use super::once::{self, Breach};

const CHECKPOINT: &str = "checkpoint";
/// Most folders that are kept open.
const OPEN_MAX: usize = 32;

/// A folder that holds one log.
pub struct LedgerFolder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    top: Arc<OpenFolder>,
    /// Folders below it that this process has made durable.
    open: Mutex<HashMap<PathBuf, Arc<OpenFolder>>>,
    breach: Breach,
}

impl LedgerFolder {
    /// Opens the folder, and makes it when there is none.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        let path = std::path::absolute(path)?;
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        Self::on(Arc::new(Local), &path)
    }

    /// As [`open`](Self::open), on a disk where the folder above is there.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn on(disk: Arc<dyn Disk>, path: &Path) -> std::io::Result<Self> {
        match (disk.make_folder(path), path.parent()) {
            (Ok(()), Some(above)) => disk.open(above)?.sync()?,
            // If its name is not durable after all, the checkpoint goes with it, and all is made again.
            (Err(error), _) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            (made, _) => made?,
        }
        let top = Arc::new(OpenFolder::open(&disk, path)?);
        Ok(Self { disk, path: path.to_owned(), top, open: Mutex::default(), breach: Breach::default() })
    }

    fn put(&self, tile: Tile, bytes: &[u8]) -> Result<(), LedgerError> {
        once::whole(tile, bytes)?;
        let path = self.path.join(tile.to_string());
        let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(LedgerError::Failed(format!("`{}` is no path of a file", path.display())));
        };
        let put = match durable::read(&*self.disk, &path)? {
            None => self.folder(folder).and_then(|folder| folder.write(name, bytes)),
            Some(there) if there == bytes => self.folder(folder).and_then(|folder| folder.settle(name)),
            Some(_) => Err(once::other(tile)),
        };
        if put.is_err() {
            // Somebody may have moved a folder away, and what is held open is no longer where it was.
            self.held().clear();
        }
        put
    }

    fn held(&self) -> MutexGuard<'_, HashMap<PathBuf, Arc<OpenFolder>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A folder at or below the top.
    fn folder(&self, path: &Path) -> Result<Arc<OpenFolder>, LedgerError> {
        if path == self.path {
            return Ok(Arc::clone(&self.top));
        }
        if let Some(open) = self.held().get(path) {
            return Ok(Arc::clone(open));
        }
        let above = self.folder(path.parent().unwrap_or(&self.path))?;
        let open = Arc::new(above.folder(path)?);
        let mut held = self.held();
        if held.len() >= OPEN_MAX {
            held.clear();
        }
        held.insert(path.to_owned(), Arc::clone(&open));
        Ok(open)
    }
}

impl Tiles for LedgerFolder {
    fn get(&self, tile: Tile) -> Result<Option<Vec<u8>>, LedgerError> {
        durable::read(&*self.disk, &self.path.join(tile.to_string()))
    }

    fn put(&self, tile: Tile, bytes: &[u8]) -> Result<(), LedgerError> {
        self.breach.or(|| self.put(tile, bytes))
    }

    fn discard_partials(&self, full: Tile) -> bool {
        let stands = full.is_full() && self.disk.open(&self.path.join(full.to_string())).is_ok();
        let partials = self.path.join(format!("{full}.p"));
        self.held().remove(&partials);
        stands && self.disk.remove_folder(&partials).is_ok()
    }

    fn published(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        durable::read(&*self.disk, &self.path.join(CHECKPOINT))
    }

    fn publish(&self, note: &str) -> Result<(), LedgerError> {
        self.breach.or(|| self.top.write(CHECKPOINT, note.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tile(path: &str) -> Tile {
        Tile::parse(path).expect("a path")
    }

    fn opened() -> (tempfile::TempDir, LedgerFolder) {
        let place = tempfile::tempdir().expect("a folder");
        let folder = LedgerFolder::open(&place.path().join("ledger")).expect("it opens");
        (place, folder)
    }

    #[test]
    fn a_file_is_written_once() {
        let (_place, folder) = opened();
        let (full, part) = (tile("tile/0/x001/234"), tile("tile/0/x001/234.p/2"));
        for (tile, bytes) in [(full, vec![7; 256 * 32]), (part, vec![7; 64])] {
            assert_eq!(folder.get(tile), Ok(None));
            Tiles::put(&folder, tile, &bytes).expect("written");
            Tiles::put(&folder, tile, &bytes).expect("the same again");
            assert_eq!(folder.get(tile), Ok(Some(bytes)));
        }
        assert!(matches!(Tiles::put(&folder, full, &[8; 256 * 32]), Err(LedgerError::Broken(_))));
        assert_eq!(folder.get(full), Ok(Some(vec![7; 256 * 32])));
        let other = Tiles::put(&folder, tile("tile/0/000.p/1"), &[1; 32]);
        assert!(matches!(other, Err(LedgerError::Broken(_))), "nothing is written after that");
    }

    #[test]
    fn a_truncated_tile_is_never_written() {
        for (path, bytes) in
            [("tile/0/000", 255 * 32), ("tile/1/000", 8191), ("tile/entries/000", 0), ("tile/0/000.p/3", 64)]
        {
            let (_place, folder) = opened();
            assert!(matches!(Tiles::put(&folder, tile(path), &vec![1; bytes]), Err(LedgerError::Broken(_))), "{path}");
            assert_eq!(folder.get(tile(path)), Ok(None));
        }
    }

    #[test]
    fn partial_files_go_when_the_full_one_stands() {
        let (_place, folder) = opened();
        let (full, part) = (tile("tile/0/000"), tile("tile/0/000.p/2"));
        Tiles::put(&folder, part, &[7; 64]).expect("written");
        assert!(!folder.discard_partials(full));
        assert!(folder.get(part).expect("read").is_some(), "the full one does not stand yet");
        Tiles::put(&folder, full, &[7; 256 * 32]).expect("written");
        assert!(folder.discard_partials(full) && !folder.discard_partials(full));
        assert_eq!(folder.get(part), Ok(None));
    }
}

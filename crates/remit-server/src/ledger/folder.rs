//! The [`Tiles`] port on a folder that any web server may show: `checkpoint` and `tile/…`, laid out as
//! C2SP tlog-tiles has it. A file is written once; only `checkpoint` is ever replaced.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use remit_app::ledger::{LedgerError, Tiles};
use remit_evidence::log::tile::Tile;

use super::durable::{self, OpenFolder};
use super::once::{self, Breach};

const CHECKPOINT: &str = "checkpoint";

/// A folder that holds one log.
pub struct LedgerFolder {
    path: PathBuf,
    top: OpenFolder,
    breach: Breach,
}

impl LedgerFolder {
    /// Opens the folder, and makes it when there is none.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path)?;
        Ok(Self { path: path.to_owned(), top: OpenFolder::open(path)?, breach: Breach::default() })
    }

    fn put(&self, tile: Tile, bytes: &[u8]) -> Result<(), LedgerError> {
        once::whole(tile, bytes)?;
        let path = self.path.join(tile.to_string());
        let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
            return Err(LedgerError::Failed(format!("`{}` is no path of a file", path.display())));
        };
        match durable::read(&path)? {
            None => OpenFolder::make(&self.path, folder)?.write(name, bytes),
            Some(there) if there == bytes => OpenFolder::make(&self.path, folder)?.settle(name),
            Some(_) => Err(once::other(tile)),
        }
    }
}

impl Tiles for LedgerFolder {
    fn get(&self, tile: Tile) -> Result<Option<Vec<u8>>, LedgerError> {
        durable::read(&self.path.join(tile.to_string()))
    }

    fn put(&self, tile: Tile, bytes: &[u8]) -> Result<(), LedgerError> {
        self.breach.or(|| self.put(tile, bytes))
    }

    fn discard_partials(&self, full: Tile) {
        let path = self.path.join(full.to_string());
        if full.is_full() && path.is_file() {
            let _disk_space = std::fs::remove_dir_all(self.path.join(format!("{full}.p")));
        }
    }

    fn published(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        durable::read(&self.path.join(CHECKPOINT))
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
        folder.discard_partials(full);
        assert!(folder.get(part).expect("read").is_some(), "the full one does not stand yet");
        Tiles::put(&folder, full, &[7; 256 * 32]).expect("written");
        folder.discard_partials(full);
        assert_eq!(folder.get(part), Ok(None));
    }
}

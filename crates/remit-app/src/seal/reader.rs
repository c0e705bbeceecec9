//! Reading tiles through the port.

use remit_evidence::log::tile::{Tile, TileReader, WIDTH_FULL};

use crate::ledger::{LedgerError, Tiles};

/// Reads tiles; a partial one whose full one stands is cut out of it.
pub struct Reader<'t>(pub &'t dyn Tiles);

/// Why a tile was not read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is not there.
    #[error("it is not there")]
    Missing,
    /// It cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl TileReader for Reader<'_> {
    type Error = Unread;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, Unread> {
        if let Some(bytes) = self.0.get(tile)? {
            return Ok(bytes);
        }
        let full = Tile::new(tile.content(), tile.index(), WIDTH_FULL).filter(|_| !tile.is_full());
        let full = full.map(|full| self.0.get(full)).transpose()?.flatten();
        full.and_then(|full| tile.cut(&full)).ok_or(Unread::Missing)
    }
}

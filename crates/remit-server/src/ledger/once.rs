//! What every place of a ledger holds to: a tile is as wide as its path says, and after a breach nothing
//! is written any more.

use std::sync::OnceLock;

use remit_app::ledger::LedgerError;
use remit_evidence::log::bundle;
use remit_evidence::log::tile::{Content, Tile};

/// Why nothing is written any more, once there is a reason.
#[derive(Default)]
pub struct Breach(OnceLock<String>);

impl Breach {
    /// Writes unless something was broken before, and remembers when it is now.
    pub fn or(&self, change: impl FnOnce() -> Result<(), LedgerError>) -> Result<(), LedgerError> {
        if let Some(why) = self.0.get() {
            return Err(LedgerError::Broken(why.clone()));
        }
        let changed = change();
        if let Err(LedgerError::Broken(why)) = &changed {
            let _first = self.0.set(why.clone());
        }
        changed
    }
}

/// INVARIANT (a full tile is full): a truncated one at its path would be believed for ever, so bytes that
/// are not as many hashes or entries as the tile is wide are never written.
pub fn whole(tile: Tile, bytes: &[u8]) -> Result<(), LedgerError> {
    let whole = match tile.content() {
        Content::Entries => bundle::decode(tile, bytes).is_some(),
        Content::Hashes(_) => tile.hashes(bytes).is_some(),
    };
    if whole {
        return Ok(());
    }
    Err(LedgerError::Broken(format!("`{tile}` was to hold something else than its path says")))
}

/// A file of the ledger that is there, and is not what was sealed.
pub fn other(tile: Tile) -> LedgerError {
    LedgerError::Broken(format!("`{tile}` holds something else than was sealed"))
}

//! Tiles: how the tree lies in files (C2SP tlog-tiles). Coordinates and paths, which files growth
//! needs, and hashes read back out of them. A full tile never changes; this room never names the
//! path of a full tile for fewer than 256 hashes.

use std::fmt;

use remit_core::ids::Digest;

use super::bundle;
use super::merkle::{HashReader, root_of};

/// How many hashes or entries a full tile has.
pub const WIDTH_FULL: u16 = 256;
/// Highest level of a tile (C2SP tlog-tiles, "Merkle Tree").
pub const LEVEL_MAX: u8 = 63;
const HEIGHT: u32 = 8;
const HASH_BYTES: usize = 32;

/// What lies in a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Content {
    /// The entries themselves, see [`bundle`].
    Entries,
    /// Hashes: of leaves at level 0, of full tiles one level below above it.
    Hashes(u8),
}

/// One file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    // INVARIANT (content is at most level 63, width is 1 to 256): made by `new` and `parse` only.
    content: Content,
    index: u64,
    width: u16,
}

/// A file to be written: where, and its bytes.
pub type File = (Tile, Vec<u8>);

/// Why tiles cannot be read or grown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError<E> {
    /// No path of a tile, or not the only way to write it.
    #[error("`{0}` is no path of a tile")]
    Path(String),
    /// The store failed.
    #[error("`{0}` could not be read: {1}")]
    Read(Tile, E),
    /// The file's bytes are not what its path promises.
    #[error("`{0}` has wrong content")]
    Content(Tile),
    /// The tree has no such hash.
    #[error("the tree has no node {1} at height {0}")]
    Outside(u32, u64),
}

/// Reads files of the log.
pub trait TileReader {
    /// What can go wrong with the store.
    type Error;

    /// The bytes of a file. A reader may cut them out of the full tile when a partial one is gone.
    ///
    /// # Errors
    /// When it cannot be read or is not there.
    fn tile(&self, tile: Tile) -> Result<Vec<u8>, Self::Error>;
}

impl<R: TileReader + ?Sized> TileReader for &R {
    type Error = R::Error;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, Self::Error> {
        (**self).tile(tile)
    }
}

impl Tile {
    /// The tile with these coordinates, if there can be one.
    #[must_use]
    pub const fn new(content: Content, index: u64, width: u16) -> Option<Self> {
        if width == 0 || width > WIDTH_FULL || matches!(content, Content::Hashes(level) if level > LEVEL_MAX) {
            return None;
        }
        Some(Self { content, index, width })
    }

    /// The tile in which number `at` of its level lies, as wide as a tree of `size` leaves has it.
    #[must_use]
    pub fn holding(content: Content, at: u64, size: u64) -> Option<Self> {
        let count = match content {
            Content::Entries => size,
            Content::Hashes(level) => size.checked_shr(HEIGHT * u32::from(level)).unwrap_or(0),
        };
        let index = at >> HEIGHT;
        let width = count.checked_sub(index << HEIGHT)?.min(u64::from(WIDTH_FULL));
        if at >= count { None } else { Self::new(content, index, u16::try_from(width).ok()?) }
    }

    /// What lies in it.
    #[must_use]
    pub const fn content(&self) -> Content {
        self.content
    }

    /// Its number within its level.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it has.
    #[must_use]
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// Whether it is full and therefore never changes.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == WIDTH_FULL
    }

    /// Reads a path, strictly: there is one way to write each tile.
    ///
    /// # Errors
    /// When this is not it.
    pub fn parse(path: &str) -> Result<Self, TileError<std::convert::Infallible>> {
        // What was read is written again: only the canonical text comes back the same.
        Self::read(path).filter(|tile| tile.to_string() == path).ok_or_else(|| TileError::Path(path.to_owned()))
    }

    fn read(path: &str) -> Option<Self> {
        let (level, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let content = if level == "entries" { Content::Entries } else { Content::Hashes(level.parse().ok()?) };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok().filter(|width| *width < WIDTH_FULL)?),
            None => (rest, WIDTH_FULL),
        };
        let mut index = 0_u64;
        for group in number.split('/') {
            let digits = group.trim_start_matches('x').parse::<u64>().ok().filter(|digits| *digits < 1000)?;
            index = index.checked_mul(1000)?.checked_add(digits)?;
        }
        Self::new(content, index, width)
    }

    /// This tile's bytes out of those of the full tile at its place. A partial tile may be deleted once
    /// the full one is there; whoever still needs it cuts it out.
    #[must_use]
    pub fn cut(&self, full: &[u8]) -> Option<Vec<u8>> {
        let (whole, width) = (Self { width: WIDTH_FULL, ..*self }, usize::from(self.width));
        match self.content {
            Content::Entries => bundle::encode(bundle::decode(whole, full)?.into_iter().take(width)).ok(),
            Content::Hashes(_) => whole.hashes(full).and(full.get(..width * HASH_BYTES)).map(<[u8]>::to_vec),
        }
    }

    /// The hashes of this tile in these bytes, if they are as many as it is wide.
    #[must_use]
    pub fn hashes(&self, bytes: &[u8]) -> Option<Vec<Digest>> {
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        let whole = rest.is_empty() && hashes.len() == usize::from(self.width);
        whole.then(|| hashes.iter().copied().map(Digest::from_bytes).collect())
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            Content::Entries => f.write_str("tile/entries/")?,
            Content::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let mut groups = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}/", rest % 1000));
            rest /= 1000;
        }
        groups.iter().rev().try_for_each(|group| f.write_str(group))?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// Reads node hashes of a tree of `size` leaves out of its tiles.
#[derive(Clone, Copy, Debug)]
pub struct TiledHashes<R> {
    /// Where the tiles are.
    pub reader: R,
    /// How many leaves the tree has.
    pub size: u64,
}

impl<R: TileReader> HashReader for TiledHashes<R> {
    type Error = TileError<R::Error>;

    fn hash(&self, height: u32, index: u64) -> Result<Digest, Self::Error> {
        let outside = || TileError::Outside(height, index);
        let (level, inside) = (height / HEIGHT, height % HEIGHT);
        let content = Content::Hashes(u8::try_from(level).map_err(|_| outside())?);
        let first = index.checked_mul(1 << inside).ok_or_else(outside)?;
        let last = first.checked_add((1 << inside) - 1).ok_or_else(outside)?;
        // The last hash must exist, so that a node is complete or does not exist at all.
        let tile = Tile::holding(content, last, self.size).ok_or_else(outside)?;
        let bytes = self.reader.tile(tile).map_err(|error| TileError::Read(tile, error))?;
        let hashes = tile.hashes(&bytes).ok_or(TileError::Content(tile))?;
        // A node of height below eight lies in one tile.
        let from = usize::try_from(first % u64::from(WIDTH_FULL)).map_err(|_| outside())?;
        hashes.get(from..from + (1 << inside)).map(root_of).ok_or_else(outside)
    }
}

/// The hash tiles that a tree of `old` leaves needs beside its own to become the tree with these
/// leaf hashes appended, lowest level first: every full tile once, and the partial ones at the right
/// edge. Partial tiles of the old edge are read back.
///
/// # Errors
/// When a tile of the old edge cannot be read or is malformed.
pub fn grow<R: TileReader + ?Sized>(old: u64, leaves: &[Digest], reader: &R) -> Result<Vec<File>, TileError<R::Error>> {
    let (mut tiles, mut new) = (Vec::new(), leaves.to_vec());
    for level in 0..=LEVEL_MAX {
        let content = Content::Hashes(level);
        let count = old.checked_shr(HEIGHT * u32::from(level)).unwrap_or(0);
        if new.is_empty() {
            break;
        }
        let mut hashes = Vec::new();
        if let Some(edge) = Tile::holding(content, count.wrapping_sub(1), old).filter(|tile| !tile.is_full()) {
            let bytes = reader.tile(edge).map_err(|error| TileError::Read(edge, error))?;
            hashes = edge.hashes(&bytes).ok_or(TileError::Content(edge))?;
        }
        hashes.append(&mut new);
        for (index, part) in (count >> HEIGHT..).zip(hashes.chunks(usize::from(WIDTH_FULL))) {
            let width = u16::try_from(part.len()).unwrap_or(WIDTH_FULL);
            if let Some(tile) = Tile::new(content, index, width) {
                tiles.push((tile, part.iter().flat_map(|hash| *hash.as_bytes()).collect()));
                if tile.is_full() {
                    new.push(root_of(part));
                }
            }
        }
    }
    Ok(tiles)
}

#[cfg(test)]
pub(crate) mod tests;

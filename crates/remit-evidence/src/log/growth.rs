//! Growth: all files a log needs to hold more entries, and its new head. The old edge is read back
//! from the store and checked first: a bit that flipped there would otherwise be signed into the
//! next root, and no log survives that.

use super::bundle::{self, TooLarge, Ungrown};
use super::merkle::{Frontier, leaf_hash};
use super::tile::{self, Content, File, Tile, TileError, TileReader, TiledHashes};

/// Why a log must not grow now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stuck<E> {
    /// An entry is too large for a bundle.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// A file at the edge cannot be read or is malformed.
    #[error(transparent)]
    Edge(#[from] TileError<E>),
    /// The tiles at the edge are not those of the tree that was signed last. Audit the log.
    #[error("the tiles at the edge are not those of the tree that was signed last")]
    Tiles,
    /// This bundle does not hold the entries that were hashed. Audit the log.
    #[error("`{0}` does not hold the entries that were hashed")]
    Bundle(Tile),
}

/// What is to be written, in this order, before the new head may be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The entries, first: a hash without its entry can be shown to nobody.
    pub bundles: Vec<File>,
    /// The hashes.
    pub tiles: Vec<File>,
    /// The right edge afterwards, with size and root.
    pub edge: Frontier,
}

/// The growth of a log by these entries. `edge` is that of the tree that was signed last, from where
/// it was kept apart from the tiles.
///
/// # Errors
/// When an entry is too large, or what is stored at the edge is not what was signed.
pub fn grow<R: TileReader + ?Sized>(edge: &Frontier, entries: &[&[u8]], reader: &R) -> Result<Growth, Stuck<R::Error>> {
    let size = edge.size();
    // The partial tiles at the edge hold the peaks and nothing else, so this covers all of them.
    if Frontier::read(size, &TiledHashes { reader, size })? != *edge {
        return Err(Stuck::Tiles);
    }
    check_bundle(size, reader)?;
    let bundles = bundle::grow(size, entries, reader).map_err(|error| match error {
        Ungrown::TooLarge(error) => Stuck::TooLarge(error),
        Ungrown::Edge(error) => Stuck::Edge(error),
    })?;
    let leaves: Vec<_> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let tiles = tile::grow(size, &leaves, reader)?;
    let mut edge = edge.clone();
    leaves.into_iter().for_each(|leaf| edge.push(leaf));
    Ok(Growth { bundles, tiles, edge })
}

/// Compares the partial bundle at the edge with the hashes of its entries.
fn check_bundle<R: TileReader + ?Sized>(size: u64, reader: &R) -> Result<(), Stuck<R::Error>> {
    let at_edge = |content| Tile::holding(content, size.wrapping_sub(1), size).filter(|tile| !tile.is_full());
    let (Some(entries), Some(hashes)) = (at_edge(Content::Entries), at_edge(Content::Hashes(0))) else {
        return Ok(());
    };
    let read = |tile: Tile| reader.tile(tile).map_err(|error| TileError::Read(tile, error));
    let (told, kept) = (read(entries)?, read(hashes)?);
    let told = bundle::decode(entries, &told).ok_or(TileError::Content(entries))?;
    let kept = hashes.hashes(&kept).ok_or(TileError::Content(hashes))?;
    let same = told.into_iter().map(leaf_hash).eq(kept);
    if same { Ok(()) } else { Err(Stuck::Bundle(entries)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::audit::audit;
    use crate::log::tile::tests::Files;

    fn entries(size: usize) -> Vec<Vec<u8>> {
        (0..size).map(|at| format!("entry {at}").into_bytes()).collect()
    }

    fn step(edge: &Frontier, new: &[Vec<u8>], files: &mut Files) -> Frontier {
        let new: Vec<&[u8]> = new.iter().map(Vec::as_slice).collect();
        let growth = grow(edge, &new, files).expect("grown");
        files.write(growth.bundles);
        files.write(growth.tiles);
        growth.edge
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_log_that_grew_has_no_faults(steps in prop::collection::vec(0_usize..600, 1..5)) {
            let all = entries(steps.iter().sum());
            let (mut files, mut edge, mut old) = (Files::default(), Frontier::default(), 0);
            for by in steps {
                edge = step(&edge, &all[old..old + by], &mut files);
                old += by;
                prop_assert_eq!(edge.size(), old as u64);
                prop_assert_eq!(audit(edge.size(), &edge.root(), &files), []);
            }
        }
    }

    #[test]
    fn a_bit_that_flipped_at_the_edge_is_never_built_upon() {
        for size in [1, 100, 300, 600, 65_600] {
            let mut files = Files::default();
            let edge = step(&Frontier::default(), &entries(size), &mut files);
            for (path, bytes) in files.0.clone().into_iter().filter(|(path, _)| path.contains(".p/")) {
                for at in (0..bytes.len()).step_by(97) {
                    let mut bad = files.clone();
                    bad.0.get_mut(&path).expect("there")[at] ^= 8;
                    let stuck = grow(&edge, &[b"new"], &bad).expect_err("noticed");
                    assert!(matches!(stuck, Stuck::Tiles | Stuck::Bundle(_) | Stuck::Edge(_)), "{path} {at}");
                }
            }
        }
    }

    #[test]
    fn a_log_grows_from_the_tree_that_was_signed_only() {
        let mut files = Files::default();
        let edge = step(&Frontier::default(), &entries(300), &mut files);
        let mut other = Frontier::default();
        (0..300).for_each(|_| other.push(leaf_hash(b"other")));
        assert_eq!(grow(&other, &[], &files), Err(Stuck::Tiles));
        assert!(matches!(grow(&edge, &[], &Files::default()), Err(Stuck::Edge(_))));
        let large = vec![0; bundle::ENTRY_BYTES_MAX + 1];
        assert_eq!(grow(&edge, &[&large], &files), Err(Stuck::TooLarge(TooLarge)));
    }
}

//! The audit of a stored log: recomputes the tree from its entries, compares every tile on the way
//! and names each file that is wrong. One flipped bit on a disk has ended logs before.

use std::fmt::Display;

use remit_core::ids::Digest;

use super::bundle;
use super::merkle::{empty_root, leaf_hash, node_hash, root_of};
use super::tile::{Content, Tile, TileReader, WIDTH_FULL};

/// What is wrong with a stored log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A file cannot be read.
    #[error("`{0}` cannot be read: {1}")]
    Unreadable(Tile, String),
    /// A file is shorter, longer or otherwise not what its path promises.
    #[error("`{0}` is malformed")]
    Malformed(Tile),
    /// A file holds something else than the rest of the log says.
    #[error("`{0}` holds something else than the rest of the log says")]
    Wrong(Tile),
    /// Two files contradict each other and nothing says which of them is wrong.
    #[error("`{0}` and `{1}` contradict each other")]
    Contradiction(Tile, Tile),
    /// The entries lead to another root than the checkpoint's. More than the files named is wrong.
    #[error("the entries lead to another root than the checkpoint's")]
    Root,
}

/// Audits a log of `size` entries whose checkpoint has this root. An empty answer means that every
/// file a tree of that size needs is there and right.
#[must_use]
pub fn audit<R: TileReader>(size: u64, root: &Digest, reader: &R) -> Vec<Fault>
where
    R::Error: Display,
{
    let mut run = Run { reader, size, faults: Vec::new() };
    let (mut levels, mut edge) = (vec![Vec::new()], None);
    for at in (0..size).step_by(usize::from(WIDTH_FULL)) {
        let tiles = Tile::holding(Content::Entries, at, size).zip(Tile::holding(Content::Hashes(0), at, size));
        let Some((entries, hashes)) = tiles else { continue };
        let (told, kept) = (run.entries(entries), run.hashes(hashes));
        if !hashes.is_full() {
            edge = Some((entries, hashes, told, kept));
        } else if let Some(subtree) = run.settle(entries, hashes, told, kept) {
            levels[0].push(subtree);
        } else {
            // Nothing is known of these 256 entries, so nothing can be said about what is above them.
            return run.faults;
        }
    }
    run.above(&mut levels);
    run.edge(root, &levels, edge);
    run.faults
}

type Edge = (Tile, Tile, Option<Vec<Digest>>, Option<Vec<Digest>>);

struct Run<'r, R> {
    reader: &'r R,
    size: u64,
    faults: Vec<Fault>,
}

impl<R: TileReader> Run<'_, R>
where
    R::Error: Display,
{
    fn bytes(&mut self, tile: Tile) -> Option<Vec<u8>> {
        let unreadable = |error: R::Error| self.faults.push(Fault::Unreadable(tile, error.to_string()));
        self.reader.tile(tile).map_err(unreadable).ok()
    }

    /// The leaf hashes that the entries of a bundle have.
    fn entries(&mut self, tile: Tile) -> Option<Vec<Digest>> {
        let bytes = self.bytes(tile)?;
        let hashes = bundle::decode(tile, &bytes).map(|entries| entries.into_iter().map(leaf_hash).collect());
        hashes.or_else(|| self.malformed(tile))
    }

    /// The hashes that a tile holds.
    fn hashes(&mut self, tile: Tile) -> Option<Vec<Digest>> {
        let bytes = self.bytes(tile)?;
        tile.hashes(&bytes).or_else(|| self.malformed(tile))
    }

    fn malformed<T>(&mut self, tile: Tile) -> Option<T> {
        self.faults.push(Fault::Malformed(tile));
        None
    }

    /// The root of 256 entries. Where bundle and tile differ, the tile above says which is right.
    fn settle(
        &mut self,
        entries: Tile,
        hashes: Tile,
        told: Option<Vec<Digest>>,
        kept: Option<Vec<Digest>>,
    ) -> Option<Digest> {
        let (told, kept) = (told.map(|hashes| root_of(&hashes)), kept.map(|hashes| root_of(&hashes)));
        if told == kept && told.is_some() {
            return told;
        }
        let above = Tile::holding(Content::Hashes(1), hashes.index(), self.size).and_then(|above| {
            let stored = above.hashes(&self.reader.tile(above).ok()?)?;
            stored.get(usize::try_from(hashes.index() % u64::from(WIDTH_FULL)).ok()?).copied()
        });
        match (told, kept) {
            (Some(told), Some(kept)) => {
                self.faults.push(match above {
                    Some(above) if above == told => Fault::Wrong(hashes),
                    Some(above) if above == kept => Fault::Wrong(entries),
                    _ => Fault::Contradiction(entries, hashes),
                });
                Some(if above == Some(kept) { kept } else { told })
            }
            (told, kept) => told.or(kept).or(above),
        }
    }

    /// Compares the tiles of level 1 and above with what the level below leads to.
    fn above(&mut self, levels: &mut Vec<Vec<Digest>>) {
        for level in 1.. {
            let Some(hashes) = levels.last().filter(|hashes| !hashes.is_empty()) else { break };
            let mut roots = Vec::new();
            for (at, part) in (0..).step_by(usize::from(WIDTH_FULL)).zip(hashes.chunks(usize::from(WIDTH_FULL))) {
                let Some(tile) = Tile::holding(Content::Hashes(level), at, self.size) else { continue };
                if self.hashes(tile).is_some_and(|stored| stored != part) {
                    self.faults.push(Fault::Wrong(tile));
                }
                if tile.is_full() {
                    roots.push(root_of(part));
                }
            }
            levels.push(roots);
        }
    }

    /// Compares the whole with the checkpoint, which also judges between bundle and tile at the edge.
    fn edge(&mut self, root: &Digest, levels: &[Vec<Digest>], edge: Option<Edge>) {
        let Some((entries, hashes, told, kept)) = edge else {
            if whole(levels, &[]) != *root {
                self.faults.push(Fault::Root);
            }
            return;
        };
        let leads = |leaves: &Option<Vec<Digest>>| leaves.as_ref().is_some_and(|leaves| whole(levels, leaves) == *root);
        if told.is_some() && kept.is_some() && told != kept {
            self.faults.push(match (leads(&told), leads(&kept)) {
                (true, _) => Fault::Wrong(hashes),
                (_, true) => Fault::Wrong(entries),
                _ => Fault::Contradiction(entries, hashes),
            });
        }
        if !leads(&told) && !leads(&kept) {
            self.faults.push(Fault::Root);
        }
    }
}

/// The root of a tree, from the roots of its full tiles by level and the leaves behind them.
fn whole(levels: &[Vec<Digest>], leaves: &[Digest]) -> Digest {
    let mut peaks = Vec::new();
    let behind = |hashes: &Vec<Digest>| hashes.len() - hashes.len() % usize::from(WIDTH_FULL);
    let edges = levels.iter().rev().filter_map(|hashes| hashes.get(behind(hashes)..));
    for mut rest in edges.chain([leaves]) {
        while let Some(height) = rest.len().checked_ilog2() {
            let (subtree, behind) = rest.split_at(1 << height);
            peaks.push(root_of(subtree));
            rest = behind;
        }
    }
    peaks.into_iter().rev().reduce(|right, left| node_hash(&left, &right)).unwrap_or_else(empty_root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::tile::tests::Files;
    use crate::log::{merkle, tile};

    fn log(size: u64) -> (Files, Digest) {
        let entries: Vec<Vec<u8>> = (0..size).map(|at| format!("entry {at}").into_bytes()).collect();
        let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        let leaves: Vec<Digest> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let mut files = Files::default();
        files.write(bundle::grow(0, &entries, &Files::default()).expect("grown"));
        files.write(tile::grow(0, &leaves, &Files::default()).expect("grown"));
        (files, merkle::root_of(&leaves))
    }

    #[test]
    fn a_sound_log_has_no_faults() {
        for size in [0, 1, 255, 256, 257, 600, 65_535, 65_536, 66_000] {
            let (files, root) = log(size);
            assert_eq!(audit(size, &root, &files), [], "{size}");
            assert_eq!(audit(size, &leaf_hash(b"other"), &files), [Fault::Root], "{size}");
        }
    }

    #[test]
    fn every_flipped_bit_names_its_file() {
        let (files, root) = log(600);
        for (path, bytes) in &files.0 {
            for at in (0..bytes.len()).step_by(61).chain([bytes.len() - 1]) {
                let mut bad = files.clone();
                bad.0.get_mut(path).expect("there")[at] ^= 4;
                let wrong = Tile::parse(path).expect("path");
                let faults = audit(600, &root, &bad);
                assert!(
                    matches!(faults[..], [Fault::Wrong(tile) | Fault::Malformed(tile)] if tile == wrong),
                    "{faults:?}"
                );
            }
        }
    }

    #[test]
    fn a_missing_or_cut_file_is_named() {
        let (files, root) = log(600);
        for path in files.0.keys() {
            let tile = Tile::parse(path).expect("path");
            let mut bad = files.clone();
            bad.0.remove(path);
            assert_eq!(audit(600, &root, &bad), [Fault::Unreadable(tile, "not there".into())]);
            let mut bad = files.clone();
            bad.0.get_mut(path).expect("there").pop();
            assert_eq!(audit(600, &root, &bad), [Fault::Malformed(tile)]);
        }
    }

    #[test]
    fn a_log_rewritten_in_entries_and_hashes_alike_is_noticed() {
        let ((mut files, root), (other, _)) = (log(600), log(700));
        for path in ["tile/entries/001", "tile/0/001"] {
            let mut bytes = other.0[path].clone();
            if path.contains("entries") {
                bytes[3] ^= 1
            } else {
                bytes[..32].copy_from_slice(&[0; 32])
            }
            files.0.insert(path.into(), bytes);
        }
        assert!(!audit(600, &root, &files).is_empty());
    }
}

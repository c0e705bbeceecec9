//! Paths, growth in steps, and a store of files for the tests of other rooms.

use std::collections::BTreeMap;
use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::log::merkle::{Frontier, leaf_hash};

/// Files by path.
#[derive(Clone, Default)]
pub(crate) struct Files(pub BTreeMap<String, Vec<u8>>);

impl TileReader for Files {
    type Error = &'static str;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, Self::Error> {
        self.0.get(&tile.to_string()).cloned().ok_or("not there")
    }
}

impl Files {
    pub(crate) fn write(&mut self, tiles: Vec<(Tile, Vec<u8>)>) {
        for (tile, bytes) in tiles {
            if let Some(old) = self.0.insert(tile.to_string(), bytes.clone()) {
                assert_eq!(old, bytes, "a written file never changes: {tile}");
            }
        }
    }
}

fn leaves(size: u64) -> Vec<Digest> {
    (0..size).map(|at| leaf_hash(&at.to_be_bytes())).collect()
}

#[test]
fn paths_are_those_of_the_specification() {
    let path = |content, index, width| Tile::new(content, index, width).expect("tile").to_string();
    assert_eq!(path(Content::Hashes(0), 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(path(Content::Hashes(63), 0, 1), "tile/63/000.p/1");
    assert_eq!(path(Content::Entries, 1000, 255), "tile/entries/x001/000.p/255");
    assert!(Tile::new(Content::Hashes(64), 0, 1).is_none());
    assert!(Tile::new(Content::Entries, 0, 0).is_none());
    assert!(Tile::new(Content::Entries, 0, 257).is_none());
}

#[test]
fn there_is_one_way_to_write_a_tile() {
    for bad in [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "tile/0/1",
        "tile/0/0001",
        "tile/00/001",
        "tile/64/001",
        "tile/-1/001",
        "tile/+1/001",
        "tile/0/x000/001",
        "tile/0/001/001",
        "tile/0/x001",
        "tile/0/x001/x001",
        "tile/0/xx001/001",
        "tile/0/001.p/0",
        "tile/0/001.p/256",
        "tile/0/001.p/01",
        "tile/0/001.p/",
        "tile/0/001.p",
        "tile/0/001.p/1/",
        "tile/0/001/",
        "/tile/0/001",
        "tile/entries",
        "tile/Entries/001",
        "tile/data/001",
        "tile/0/../001",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/001.p/+1",
        "tile/0/+01",
        "tile/0/001\n",
    ] {
        assert!(Tile::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_tree_of_seventy_thousand_has_the_tiles_of_the_specification() {
    let mut files = Files::default();
    files.write(grow(0, &leaves(70_000), &Files::default()).expect("grown"));
    let count = |prefix: &str| files.0.keys().filter(|path| path.starts_with(prefix)).count();
    assert_eq!((count("tile/0/"), count("tile/1/"), count("tile/2/")), (274, 2, 1));
    for path in ["tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"] {
        assert!(files.0.contains_key(path), "{path}");
    }
}

proptest! {
    #[test]
    fn paths_come_back(level in 0_u8..65, index in any::<u64>(), shift in 0_u32..64, width in 1_u16..=256) {
        let content = if level == 64 { Content::Entries } else { Content::Hashes(level) };
        let tile = Tile::new(content, index >> shift, width).expect("tile");
        prop_assert_eq!(Tile::parse(&tile.to_string()), Ok(tile));
    }

    #[test]
    fn any_text_is_a_canonical_path_or_none(text in "tile/[0-9e]{1,2}/[x0-9/]{0,12}(\\.p/[0-9]{0,4})?") {
        if let Ok(tile) = Tile::parse(&text) {
            prop_assert_eq!(tile.to_string(), text);
        }
    }

    #[test]
    fn growth_in_steps_leads_to_the_same_tree(steps in prop::collection::vec(1_u64..700, 1..6)) {
        let all = leaves(steps.iter().sum());
        let (mut files, mut edge, mut old) = (Files::default(), Frontier::default(), 0_u64);
        for step in steps {
            let new = &all[usize::try_from(old).expect("small")..usize::try_from(old + step).expect("small")];
            let tiles = grow(old, new, &files).expect("grown");
            files.write(tiles);
            new.iter().for_each(|leaf| edge.push(*leaf));
            old += step;
            let stored = TiledHashes { reader: &files, size: old };
            prop_assert_eq!(Frontier::read(old, &stored), Ok(edge.clone()));
            prop_assert!(stored.hash(0, old).is_err());
        }
    }
}

#[test]
fn a_partial_tile_is_cut_out_of_the_full_one() {
    let mut files = Files::default();
    let entries: Vec<Vec<u8>> = (0..300_u64).map(|at| at.to_be_bytes()[..at as usize % 9].to_vec()).collect();
    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    for (old, new) in [(0, 100), (100, 300)] {
        files.write(grow(old as u64, &leaves(300)[old..new], &files).expect("grown"));
        files.write(bundle::grow(old as u64, &entries[old..new], &files).expect("grown"));
    }
    for content in [Content::Hashes(0), Content::Entries] {
        let (part, full) = (Tile::new(content, 0, 100).expect("tile"), Tile::new(content, 0, 256).expect("tile"));
        let bytes = files.tile(full).expect("there");
        assert_eq!(part.cut(&bytes), files.tile(part).ok());
        assert_eq!(full.cut(&bytes), Some(bytes.clone()));
        assert_eq!(part.cut(&bytes[1..]), None);
    }
}

#[test]
fn a_tile_of_another_length_is_refused() {
    let mut files = Files::default();
    files.write(grow(0, &leaves(300), &Files::default()).expect("grown"));
    files.0.get_mut("tile/0/001.p/44").expect("edge").pop();
    let edge = Tile::parse("tile/0/001.p/44").expect("path");
    assert_eq!(grow(300, &leaves(1), &files), Err(TileError::Content(edge)));
    assert_eq!(TiledHashes { reader: &files, size: 300 }.hash(0, 299), Err(TileError::Content(edge)));
    let _: Result<Tile, TileError<Infallible>> = Tile::parse("");
}

//! Entry bundles: the entries of a log in files of 256 (C2SP tlog-tiles, "Log entries"). Each entry
//! stands behind its length in two bytes, big-endian.

use super::tile::{Content, File, Tile, TileError, TileReader, WIDTH_FULL};

/// The largest entry a bundle can hold.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// An entry that is too large for a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an entry has at most {ENTRY_BYTES_MAX} bytes")]
pub struct TooLarge;

/// Writes entries, one behind the other.
///
/// # Errors
/// When one of them is too large.
pub fn encode<'e>(entries: impl IntoIterator<Item = &'e [u8]>) -> Result<Vec<u8>, TooLarge> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| TooLarge)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// Reads the entries of this bundle: exactly as many as it is wide, and nothing behind them.
#[must_use]
pub fn decode(tile: Tile, bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut entries, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let (length, behind) = rest.split_first_chunk::<2>()?;
        let (entry, behind) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry);
        rest = behind;
    }
    (tile.content() == Content::Entries && entries.len() == usize::from(tile.width())).then_some(entries)
}

/// Why bundles cannot be grown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ungrown<E> {
    /// An entry is too large.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The partial bundle at the edge cannot be used.
    #[error(transparent)]
    Edge(#[from] TileError<E>),
}

/// The bundles that a log of `old` entries needs beside its own to hold these entries too. The
/// partial bundle of the old edge is read back.
///
/// # Errors
/// When an entry is too large, or the bundle at the edge cannot be read or is malformed.
pub fn grow<R: TileReader + ?Sized>(old: u64, entries: &[&[u8]], reader: &R) -> Result<Vec<File>, Ungrown<R::Error>> {
    let mut edge = Vec::new();
    let tile = Tile::holding(Content::Entries, old.wrapping_sub(1), old).filter(|tile| !tile.is_full());
    let stored = tile.map(|tile| reader.tile(tile).map_err(|error| TileError::Read(tile, error))).transpose()?;
    if let (Some(tile), Some(bytes)) = (tile, &stored) {
        edge = decode(tile, bytes).ok_or(TileError::Content(tile))?;
    }
    if entries.is_empty() {
        return Ok(Vec::new());
    }
    edge.extend_from_slice(entries);
    let mut bundles = Vec::new();
    for (index, part) in (old / u64::from(WIDTH_FULL)..).zip(edge.chunks(usize::from(WIDTH_FULL))) {
        let width = u16::try_from(part.len()).unwrap_or(WIDTH_FULL);
        if let Some(tile) = Tile::new(Content::Entries, index, width) {
            bundles.push((tile, encode(part.iter().copied())?));
        }
    }
    Ok(bundles)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::tile::tests::Files;

    fn bundle(width: u16) -> Tile {
        Tile::new(Content::Entries, 0, width).expect("tile")
    }

    #[test]
    fn a_bundle_is_read_whole_or_not_at_all() {
        let bytes = encode([&b"ab"[..], b"", b"c"]).expect("small");
        assert_eq!(bytes, b"\0\x02ab\0\0\0\x01c");
        assert_eq!(decode(bundle(3), &bytes), Some(vec![&b"ab"[..], b"", b"c"]));
        assert_eq!(decode(bundle(2), &bytes), None);
        assert_eq!(decode(bundle(4), &bytes), None);
        for end in 0..bytes.len() {
            assert_eq!(decode(bundle(3), &bytes[..end]), None, "cut at {end}");
        }
        assert_eq!(decode(bundle(3), &[&bytes[..], b"\0"].concat()), None);
        assert_eq!(decode(Tile::new(Content::Hashes(0), 0, 3).expect("tile"), &bytes), None);
        assert_eq!(encode([&vec![0; ENTRY_BYTES_MAX + 1][..]]), Err(TooLarge));
        assert!(encode([&vec![0; ENTRY_BYTES_MAX][..]]).is_ok());
    }

    proptest! {
        #[test]
        fn bundles_grown_in_steps_hold_every_entry(steps in prop::collection::vec(0_usize..400, 1..6)) {
            let all: Vec<Vec<u8>> = (0..steps.iter().sum()).map(|at: usize| at.to_be_bytes()[5..].to_vec()).collect();
            let (mut files, mut old) = (Files::default(), 0);
            for step in steps {
                let new: Vec<&[u8]> = all[old..old + step].iter().map(Vec::as_slice).collect();
                let bundles = grow(old as u64, &new, &files).expect("grown");
                files.write(bundles);
                old += step;
            }
            let mut read = Vec::new();
            for at in (0..old as u64).step_by(256) {
                let tile = Tile::holding(Content::Entries, at, old as u64).expect("inside");
                let bytes = files.tile(tile).expect("there");
                read.extend(decode(tile, &bytes).expect("well formed").into_iter().map(<[u8]>::to_vec));
            }
            prop_assert_eq!(read, all);
        }

        #[test]
        fn any_bytes_are_a_bundle_or_none(bytes in prop::collection::vec(0_u8..4, 0..40)) {
            for width in 1..=16 {
                if let Some(entries) = decode(bundle(width), &bytes) {
                    prop_assert_eq!(encode(entries).expect("small"), bytes.clone());
                }
            }
        }
    }
}

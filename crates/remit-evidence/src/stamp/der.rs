//! DER, as much of it as tokens of time need (X.690). Owns one strict pass over bytes: lengths in their shortest
//! form, one-byte tags, nothing left over. Knows no structure, never recurses, and copies nothing.

use super::NotStamped;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BYTES: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// A field with this number: `[0] EXPLICIT`, or `[0] IMPLICIT` over something constructed.
pub(super) const fn field(number: u8) -> u8 {
    0xa0 | number
}

/// `[0] IMPLICIT` over something primitive.
pub(super) const fn plain(number: u8) -> u8 {
    0x80 | number
}

type Read<T> = Result<T, NotStamped>;

/// One element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'d> {
    pub tag: u8,
    pub value: &'d [u8],
    /// With tag and length.
    pub whole: &'d [u8],
}

/// What is still to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'d>(pub &'d [u8]);

impl<'d> Reader<'d> {
    /// Reads all of it: what is left over is a fault.
    pub(super) fn all<T>(bytes: &'d [u8], read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        let mut reader = Self(bytes);
        let read = read(&mut reader)?;
        reader.end()?;
        Ok(read)
    }

    pub(super) fn end(&self) -> Read<()> {
        if self.0.is_empty() { Ok(()) } else { Err(NotStamped::Malformed("something is left over")) }
    }

    pub(super) fn next(&mut self) -> Read<Element<'d>> {
        element(self.0).map(|(element, rest)| {
            self.0 = rest;
            element
        })
    }

    pub(super) fn take(&mut self, tag: u8) -> Read<Element<'d>> {
        let found = self.next()?;
        if found.tag == tag { Ok(found) } else { Err(NotStamped::Malformed("another element was expected")) }
    }

    /// An element that may be missing.
    pub(super) fn maybe(&mut self, tag: u8) -> Read<Option<Element<'d>>> {
        if self.0.first() == Some(&tag) { self.take(tag).map(Some) } else { Ok(None) }
    }

    /// All elements that are left.
    pub(super) fn rest(&mut self) -> Read<Vec<Element<'d>>> {
        let mut found = Vec::new();
        while !self.0.is_empty() {
            found.push(self.next()?);
        }
        Ok(found)
    }
}

fn element(bytes: &[u8]) -> Read<(Element<'_>, &[u8])> {
    let cut = || NotStamped::Malformed("it ends too early");
    let (&tag, rest) = bytes.split_first().ok_or_else(cut)?;
    let (&first, rest) = rest.split_first().ok_or_else(cut)?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // Two bytes of length are 64 KiB, more than any token has.
        0x81 | 0x82 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or_else(cut)?;
            let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            if length < 0x80 || (first == 0x82 && length < 0x100) {
                return Err(NotStamped::Malformed("a length is not in its shortest form"));
            }
            (length, rest)
        }
        _ => return Err(NotStamped::Malformed("a length that tokens do not have")),
    };
    if tag & 0x1f == 0x1f {
        return Err(NotStamped::Malformed("a tag that tokens do not have"));
    }
    let (value, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
    let whole = bytes.get(..bytes.len() - rest.len()).ok_or_else(cut)?;
    Ok((Element { tag, value, whole }, rest))
}

/// Writes an element of at most 127 bytes.
pub(super) fn write(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    debug_assert!(value.len() < 0x80, "longer than what is written here");
    [&[tag, value.len() as u8][..], &value].concat()
}

/// A whole number that is not negative and fits.
pub(super) fn number(value: &[u8]) -> Option<u64> {
    let digits = match value {
        [0, digits @ ..] if digits.first().is_some_and(|digit| *digit >= 0x80) => digits,
        [0] => value,
        [first, ..] if (1..0x80).contains(first) => value,
        _ => return None,
    };
    let small = digits.len() <= 8;
    small.then(|| digits.iter().fold(0, |number, digit| number << 8 | u64::from(*digit)))
}

//! The leaf: what the log holds of a record. A fixed commitment of 138 bytes, so that tiles may be
//! shown to anybody: the nonce inside the record keeps its digest and signature from being guessed.

use remit_core::ids::Digest;
use remit_core::json;
use serde_json::Value;

use super::merkle::leaf_hash;
use crate::dsse::Envelope;

/// The length of a leaf.
pub const LEAF_BYTES: usize = 138;
const VERSION: u8 = 1;

/// Bytes or an envelope from which no leaf can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no leaf: {0}")]
pub struct NoLeaf(&'static str);

/// The commitment to one record: version, flags, place, record, key and signature, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The record's place in its writer's sequence. A number that is missing is a record that was lost.
    pub seq: u64,
    /// The digest by which other records refer to it.
    pub record: Digest,
    /// SHA-256 of the writer's public key. Every use of a key can be seen without any payload.
    pub key: Digest,
    /// The writer's signature over the record.
    pub signature: [u8; 64],
}

impl Leaf {
    /// The leaf of a record at this place. The key is the one the envelope names; whether it really
    /// signed is for [`verify`](crate::verify) to say.
    ///
    /// # Errors
    /// When the envelope names its key by something else than a digest.
    pub fn of(envelope: &Envelope, seq: u64) -> Result<Self, NoLeaf> {
        let key = Digest::from_hex(&envelope.signature.keyid).ok_or(NoLeaf("the key is not named by its digest"))?;
        Ok(Self { seq, record: envelope.digest(), key, signature: envelope.signature.bytes })
    }

    /// The leaf of a record at the place the record itself states.
    ///
    /// # Errors
    /// When it states none, or as [`Leaf::of`].
    pub fn stated(envelope: &Envelope) -> Result<Self, NoLeaf> {
        let statement = json::parse(&envelope.payload).map_err(|_| NoLeaf("the payload is no JSON of ours"))?;
        let seq = statement.pointer("/predicate/writer/seq").and_then(Value::as_u64);
        Self::of(envelope, seq.ok_or(NoLeaf("the record states no place in a sequence"))?)
    }

    /// The 138 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; LEAF_BYTES] {
        let mut bytes = [0; LEAF_BYTES];
        let parts: [&[u8]; 5] =
            [&[VERSION, 0], &self.seq.to_be_bytes(), self.record.as_bytes(), self.key.as_bytes(), &self.signature];
        for (to, from) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *to = *from;
        }
        bytes
    }

    /// Reads a leaf, strictly: its length, the one version there is, no flags.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoLeaf> {
        if bytes.len() != LEAF_BYTES {
            return Err(NoLeaf("a leaf has 138 bytes"));
        }
        let (head, rest) = bytes.split_first_chunk::<2>().ok_or(NoLeaf("a leaf has 138 bytes"))?;
        if *head != [VERSION, 0] {
            return Err(NoLeaf("unknown version or flags"));
        }
        let read = || {
            let (seq, rest) = rest.split_first_chunk::<8>()?;
            let (record, rest) = rest.split_first_chunk::<32>()?;
            let (key, signature) = rest.split_first_chunk::<32>()?;
            Some(Self {
                seq: u64::from_be_bytes(*seq),
                record: Digest::from_bytes(*record),
                key: Digest::from_bytes(*key),
                signature: signature.try_into().ok()?,
            })
        };
        read().ok_or(NoLeaf("a leaf has 138 bytes"))
    }

    /// The hash under which it stands in the tree.
    #[must_use]
    pub fn hash(&self) -> Digest {
        leaf_hash(&self.to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dsse::{Signature, keyid};

    fn envelope(payload: &str) -> Envelope {
        Envelope { payload: payload.into(), signature: Signature { keyid: keyid(&[7; 32]), bytes: [9; 64] } }
    }

    #[test]
    fn a_leaf_is_laid_out_as_written_down() {
        let envelope = envelope(r#"{"predicate":{"writer":{"seq":258}}}"#);
        let leaf = Leaf::of(&envelope, 258).expect("leaf");
        assert_eq!(Leaf::stated(&envelope), Ok(leaf.clone()));
        let bytes = leaf.to_bytes();
        assert_eq!(bytes[..10], [1, 0, 0, 0, 0, 0, 0, 0, 1, 2]);
        assert_eq!(bytes[10..42], *envelope.digest().as_bytes());
        assert_eq!(bytes[42..74], *Digest::of(&[7; 32]).as_bytes());
        assert_eq!(bytes[74..], [9; 64]);
    }

    #[test]
    fn a_record_without_place_or_key_has_no_leaf() {
        for payload in ["{}", "[]", "x", r#"{"predicate":{"writer":{"seq":-1}}}"#] {
            assert!(Leaf::stated(&envelope(payload)).is_err(), "{payload}");
        }
        let mut renamed = envelope("{}");
        renamed.signature.keyid = "root".into();
        assert!(Leaf::of(&renamed, 0).is_err());
    }

    proptest! {
        #[test]
        fn bytes_and_leaves_are_one_to_one(mut bytes in prop::collection::vec(any::<u8>(), LEAF_BYTES - 2..LEAF_BYTES + 2)) {
            let own = bytes.len() == LEAF_BYTES;
            prop_assert_eq!(Leaf::parse(&bytes).is_ok(), own && bytes[..2] == [1, 0]);
            (bytes[0], bytes[1]) = (1, 0);
            if own {
                prop_assert_eq!(&Leaf::parse(&bytes).expect("leaf").to_bytes()[..], &bytes[..]);
            }
        }
    }
}

//! Receipts in COSE (RFC 9942): an inclusion proof for the tools of SCITT. Export only, in the few
//! forms of deterministic CBOR it takes (RFC 8949, 4.2.1); nothing here reads CBOR.

use remit_core::ids::Digest;

use super::checkpoint::Checkpoint;
use super::merkle::{Unproven, verify_inclusion};
use super::note::{NoteSigner, SignError};
use super::vkey::Algorithm;

/// Why there is no receipt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReceipt {
    /// The proof does not hold, so nobody signs it.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// A path has at least one hash (RFC 9942, 4.2): the only leaf of a log has none.
    #[error("the only leaf of a log has no receipt")]
    Alone,
    /// The signer failed or its key makes no such signatures.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// The receipt of a leaf in the tree of a checkpoint (RFC 9942, 5.2). The root is detached: whoever
/// verifies it makes it again from the leaf and the path. The log of the checkpoint signs.
///
/// # Errors
/// When the proof does not hold, has no hashes, or cannot be signed.
pub fn receipt(
    checkpoint: &Checkpoint,
    index: u64,
    leaf: &Digest,
    path: &[Digest],
    signer: &dyn NoteSigner,
) -> Result<Vec<u8>, NoReceipt> {
    verify_inclusion(leaf, index, checkpoint.size, path, &checkpoint.root)?;
    if path.is_empty() {
        return Err(NoReceipt::Alone);
    }
    let key = signer.key();
    // Code points of the IANA registry of COSE algorithms.
    let algorithm = match key.algorithm() {
        Algorithm::Ed25519 => -8,
        Algorithm::MlDsa44 => -48,
        Algorithm::Ed25519Cosignature => return Err(SignError::Text("a witness makes no receipts").into()),
    };
    // Keys ascend by their encoding: alg, kid, CWT claims with the issuer, verifiable data structure.
    let kid = Digest::of(key.public_key());
    let protected = map(&[
        (int(1), int(algorithm)),
        (int(4), bytes(kid.as_bytes())),
        (int(15), map(&[(int(1), text(&checkpoint.origin))])),
        (int(395), int(1)),
    ]);
    let root = bytes(checkpoint.root.as_bytes());
    let message = array(&[text("Signature1"), bytes(&protected), bytes(&[]), root]);
    let signature = signer.sign(&message).map_err(SignError::Signer)?;
    if !key.signed(&message, &signature) {
        return Err(SignError::Faulty(key.name().to_owned()).into());
    }
    let steps: Vec<Vec<u8>> = path.iter().map(|step| bytes(step.as_bytes())).collect();
    let proof = array(&[uint(0, checkpoint.size), uint(0, index), array(&steps)]);
    let proofs = map(&[(int(-1), array(&[bytes(&proof)]))]);
    let mut out = uint(TAG, 18);
    out.extend(array(&[bytes(&protected), map(&[(int(396), proofs)]), vec![NULL], bytes(&signature)]));
    Ok(out)
}

const TAG: u8 = 6;
const NULL: u8 = 0xf6;

/// The head of an item: its major type and a number in the fewest bytes (RFC 8949, 3 and 4.2.1).
fn uint(major: u8, number: u64) -> Vec<u8> {
    let big = number.to_be_bytes();
    let (short, from) = match number {
        0..24 => (big[7], 8),
        24..0x100 => (24, 7),
        0x100..0x1_0000 => (25, 6),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 0),
    };
    [&[major << 5 | short], &big[from..]].concat()
}

fn int(number: i64) -> Vec<u8> {
    if number < 0 { uint(1, number.unsigned_abs() - 1) } else { uint(0, number.unsigned_abs()) }
}

fn bytes(content: &[u8]) -> Vec<u8> {
    [&uint(2, content.len() as u64)[..], content].concat()
}

fn text(content: &str) -> Vec<u8> {
    [&uint(3, content.len() as u64)[..], content.as_bytes()].concat()
}

fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [uint(4, items.len() as u64), items.concat()].concat()
}

/// Keys must ascend already; there are few, and they are known.
fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let entries_: Vec<u8> = entries.iter().flat_map(|(key, value)| [&key[..], value].concat()).collect();
    [uint(5, entries.len() as u64), entries_].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::merkle::{leaf_hash, node_hash};
    use crate::log::note::tests::{ed25519, ml_dsa_44};

    #[test]
    fn numbers_take_the_fewest_bytes() {
        // The examples of RFC 8949, appendix A.
        for (number, expected) in [
            (0, "00"),
            (23, "17"),
            (24, "1818"),
            (100, "1864"),
            (1000, "1903e8"),
            (1_000_000, "1a000f4240"),
            (1_000_000_000_000, "1b000000e8d4a51000"),
            (-1, "20"),
            (-10, "29"),
            (-100, "3863"),
            (-1000, "3903e7"),
        ] {
            let hex: String = int(number).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected);
        }
        assert_eq!(uint(0, u64::MAX), [0x1b, 255, 255, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn a_receipt_is_signed_only_for_a_proof_that_holds() {
        let (leaf, beside) = (leaf_hash(b"a"), leaf_hash(b"b"));
        let head = Checkpoint::new("log", 2, node_hash(&leaf, &beside));
        for (log, size) in [(ed25519("log", Algorithm::Ed25519, 1), 64), (ml_dsa_44("log", 1), 2420)] {
            let receipt_ = receipt(&head, 0, &leaf, &[beside], &log).expect("receipt");
            assert_eq!(receipt_[..2], [0xd2, 0x84]);
            assert!(receipt_.len() > size);
            assert_eq!(receipt(&head, 1, &leaf, &[beside], &log), Err(Unproven::Root.into()));
            assert_eq!(receipt(&head, 0, &leaf, &[], &log), Err(Unproven::Length.into()));
            assert_eq!(receipt(&Checkpoint::new("log", 1, leaf), 0, &leaf, &[], &log), Err(NoReceipt::Alone));
        }
        let witness = ed25519("w", Algorithm::Ed25519Cosignature, 1);
        assert!(receipt(&head, 0, &leaf, &[beside], &witness).is_err());
    }
}

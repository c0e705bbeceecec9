//! Proofs of logging, one text that stands alone (C2SP tlog-proof@v1): index, path to the root, the
//! checkpoint, and in `extra` the record itself. Nothing in it is trusted; the policy is given.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remit_core::ids::Digest;

use super::checkpoint::{Checkpoint, CheckpointError, decimal, hash};
use super::leaf::{Leaf, NoLeaf};
use super::merkle::{Unproven, verify_inclusion};
use super::note::{NOTE_BYTES_MAX, Note, NoteError};
use super::policy::{Accepted, Policy, Rejected};
use crate::dsse::{Envelope, MalformedEnvelope};

/// Largest proof that is read, in bytes.
pub const PROOF_BYTES_MAX: usize = 1024 * 1024;
const HEAD: &str = "c2sp.org/tlog-proof@v1\n";
const STEPS_MAX: usize = 63;

/// Why a proof is none, or does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// No proof at all.
    #[error("not a proof: {0}")]
    Malformed(&'static str),
    /// Its checkpoint is no signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Its checkpoint is not accepted by the policy.
    #[error(transparent)]
    Rejected(#[from] Rejected),
    /// The leaf is not where it should be.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// It carries no record of ours.
    #[error(transparent)]
    Envelope(#[from] MalformedEnvelope),
    /// The record it carries has no leaf.
    #[error(transparent)]
    Leaf(#[from] NoLeaf),
}

/// A proof that has been read. It proves nothing before it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Not authenticated by itself. Ours carries the record's envelope, from which the leaf is made again.
    pub extra: Option<Vec<u8>>,
    /// The place of the leaf, counted from zero.
    pub index: u64,
    /// The hashes beside the way from the leaf to the root.
    pub path: Vec<Digest>,
    /// The checkpoint with its signatures.
    pub checkpoint: Note,
}

/// What a proof proves: this leaf stands at this place of the tree of a checkpoint that was accepted.
#[derive(Clone, Debug)]
pub struct Proven<'p> {
    /// The place of the leaf.
    pub index: u64,
    /// The checkpoint and who stands behind it.
    pub accepted: Accepted<'p>,
}

impl Proof {
    /// The proof of a record, which it carries.
    #[must_use]
    pub fn of(envelope: &Envelope, index: u64, path: Vec<Digest>, checkpoint: Note) -> Self {
        Self { extra: Some(envelope.to_json().to_string().into_bytes()), index, path, checkpoint }
    }

    /// Reads a proof, strictly.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let bad = ProofError::Malformed;
        if bytes.len() > PROOF_BYTES_MAX {
            return Err(bad("too large"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| bad("not UTF-8"))?;
        let text = text.strip_prefix(HEAD).ok_or(bad("another first line"))?;
        let (head, checkpoint) = text.split_once("\n\n").ok_or(bad("no checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        let extra = lines.next_if(|line| line.starts_with("extra ")).and_then(|line| line.strip_prefix("extra "));
        let extra = extra.map(|text| STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty()));
        let extra = extra.map(|extra| extra.ok_or(bad("malformed `extra`"))).transpose()?;
        let index = lines.next().and_then(|line| decimal(line.strip_prefix("index ")?)).ok_or(bad("no index"))?;
        let path: Option<Vec<Digest>> = lines.map(hash).collect();
        let path = path.filter(|path| path.len() <= STEPS_MAX).ok_or(bad("malformed path"))?;
        let checkpoint = Note::parse(checkpoint.as_bytes())?;
        // What stands here is a checkpoint even for somebody who knows none of its keys.
        Checkpoint::parse(checkpoint.text()).map_err(Rejected::from)?;
        Ok(Self { extra, index, path, checkpoint })
    }

    /// Verifies it for a leaf hash that was made elsewhere.
    ///
    /// # Errors
    /// Says why it does not hold.
    pub fn verify<'p>(&self, leaf: &Digest, policy: &'p Policy) -> Result<Proven<'p>, ProofError> {
        let accepted = policy.open(&self.checkpoint)?;
        let Checkpoint { size, root, .. } = &accepted.checkpoint;
        verify_inclusion(leaf, self.index, *size, &self.path, root)?;
        Ok(Proven { index: self.index, accepted })
    }

    /// Verifies it for the record it carries: the leaf is made again from it, so that the record is
    /// the one that was logged. Who wrote it is still to be verified.
    ///
    /// # Errors
    /// Says why it does not hold, or that it carries no record.
    pub fn verify_record<'p>(&self, policy: &'p Policy) -> Result<(Envelope, Proven<'p>), ProofError> {
        let extra = self.extra.as_deref().ok_or(ProofError::Malformed("it carries no record"))?;
        let envelope = Envelope::parse(extra)?;
        let proven = self.verify(&Leaf::stated(&envelope)?.hash(), policy)?;
        Ok((envelope, proven))
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HEAD)?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|step| writeln!(f, "{}", STANDARD.encode(step.as_bytes())))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

impl From<CheckpointError> for ProofError {
    fn from(error: CheckpointError) -> Self {
        Self::Rejected(error.into())
    }
}

const _: () = assert!(PROOF_BYTES_MAX > NOTE_BYTES_MAX, "a proof holds a note and a record");

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::dsse::{Signature, keyid};
    use crate::log::merkle::{leaf_hash, node_hash};
    use crate::log::note::NoteSigner as _;
    use crate::log::note::tests::{ed25519, ml_dsa_44};
    use crate::log::vkey::Algorithm;

    fn proof() -> (Proof, Policy) {
        let origin = "example.com/log";
        let log = ed25519(origin, Algorithm::Ed25519, 1);
        let witness = ed25519("w", Algorithm::Ed25519Cosignature, 2);
        let signature = Signature { keyid: keyid(&[7; 32]), bytes: [9; 64] };
        let envelope = Envelope { payload: br#"{"predicate":{"writer":{"seq":7}}}"#.to_vec(), signature };
        let leaf = Leaf::of(&envelope, 7).expect("leaf").hash();
        let beside = leaf_hash(b"beside");
        let head = Checkpoint::new(origin, 2, node_hash(&leaf, &beside));
        let mut note = head.sign(&[&log, &ml_dsa_44(origin, 1)], 5).expect("signed");
        note.push(crate::log::cosignature::cosign(&witness, &head.to_string(), 6).expect("cosigned"));
        let policy = format!("log {}\nwitness w {}\nquorum w\n", log.key(), witness.key());
        let policy = Policy::parse(policy.as_bytes()).expect("policy");
        (Proof::of(&envelope, 0, vec![beside], note), policy)
    }

    #[test]
    fn a_proof_comes_back_and_proves_its_record() {
        let (proof, policy) = proof();
        let text = proof.to_string();
        let read = Proof::parse(text.as_bytes()).expect("proof");
        assert_eq!((&read, read.to_string()), (&proof, text));
        let (envelope, proven) = read.verify_record(&policy).expect("proven");
        assert_eq!((envelope.signature.bytes, proven.index, proven.accepted.witnesses.len()), ([9; 64], 0, 1));
    }

    #[test]
    fn every_changed_byte_is_noticed_or_of_a_key_nobody_knows() {
        let (proof, policy) = proof();
        let text = proof.to_string();
        // The ML-DSA key is not in the policy, so its line may say anything. Nothing else may.
        let unknown = text.match_indices("\u{2014} ").nth(1).map(|(at, _)| at).expect("line");
        let unknown = unknown..unknown + text[unknown..].find('\n').expect("end");
        for at in 0..text.len() {
            let mut bad = text.as_bytes().to_vec();
            bad[at] ^= 1;
            let verdict = Proof::parse(&bad).and_then(|proof| proof.verify_record(&policy).map(|_| ()));
            assert!(verdict.is_err() || unknown.contains(&at), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_proof_or_none(at in 0_usize..900, text in "[ \nA=0x]{0,4}", cut in 0_usize..4) {
            static GOOD: LazyLock<String> = LazyLock::new(|| proof().0.to_string());
            let good = &*GOOD;
            let Some((head, rest)) = good.split_at_checked(at) else { return Ok(()) };
            let bad = format!("{head}{text}{}", rest.get(cut..).unwrap_or_default());
            if let Ok(read) = Proof::parse(bad.as_bytes()) {
                prop_assert_eq!(read.to_string(), bad);
            }
        }
    }

    #[test]
    fn malformed_proofs_are_refused() {
        let (proof, policy) = proof();
        let good = proof.to_string();
        for (from, to) in [
            ("@v1", "@v2"),
            ("index 0", "index 00"),
            ("index 0", "index -0"),
            ("index 0\n", ""),
            ("extra ", "extra  "),
            ("extra ", "Extra "),
            ("index 0\n", "index 0\n\n"),
            ("index 0\n", "index 0\r\n"),
            ("\n\n", "\n"),
            ("index 0\n", "index 0\nAAAA\n"),
        ] {
            assert!(Proof::parse(good.replacen(from, to, 1).as_bytes()).is_err(), "{from:?} {to:?}");
        }
        let empty = Proof { extra: Some(Vec::new()), ..proof.clone() };
        assert!(Proof::parse(empty.to_string().as_bytes()).is_err());
        let long = Proof { path: vec![leaf_hash(b""); 64], ..proof.clone() };
        assert!(Proof::parse(long.to_string().as_bytes()).is_err());
        let without = Proof { extra: None, ..proof.clone() };
        assert!(without.verify_record(&policy).is_err());
        let moved = Proof { index: 1, ..proof.clone() };
        assert_eq!(moved.verify_record(&policy).map(|_| ()), Err(Unproven::Root.into()));
        let short = Proof { path: Vec::new(), ..proof };
        assert_eq!(short.verify_record(&policy).map(|_| ()), Err(Unproven::Length.into()));
    }
}

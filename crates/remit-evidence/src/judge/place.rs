//! Where a record stands: the checkpoint with its signatures, the witnesses, the way to the root.
//! Owns steps four to six; who wrote the record is not its business.

use std::collections::BTreeSet;

use super::statement::Statement;
use super::{Court, Outcome, Step};
use crate::bundle::{Claim, Head};
use crate::log::checkpoint::{Checkpoint, CheckpointError, Opened};
use crate::log::leaf::Leaf;
use crate::log::merkle::verify_inclusion;
use crate::log::note::{Note, NoteError};
use crate::log::proof::Proof;
use crate::log::vkey::{Algorithm, VerifierKey};
use crate::trust::{RevokedLog, Trust};

/// A place in a tree that a known log has signed.
pub(super) struct Place {
    pub head: Head,
    pub index: u64,
    /// Whether the policy's quorum and the number of witnesses asked for are met.
    pub quorum: bool,
    /// Different witnesses that saw it, of how many that are known.
    pub seen: usize,
    pub known: usize,
    /// What the earliest of them says the time was, in milliseconds since 1970.
    pub existed_by: Option<i64>,
}

impl Court {
    pub(super) fn place(
        &mut self,
        at: usize,
        claim: &Claim,
        statement: Option<&Statement>,
        trust: &Trust,
    ) -> Option<Place> {
        let Some(proof) = &claim.proof else {
            self.say(Step::Inclusion, Some(at), Outcome::Missing, "no proof that it was logged");
            return None;
        };
        let opened = match open(&proof.checkpoint, trust) {
            Ok(opened) => opened,
            Err((outcome, detail)) => {
                self.say(Step::Checkpoint, Some(at), outcome, detail);
                return None;
            }
        };
        let Checkpoint { origin, size, .. } = &opened.checkpoint;
        let least = trust.require.tree_size;
        if *size < least {
            let detail = format!("a tree of {size} leaves; {least} are required");
            self.say(Step::Checkpoint, Some(at), Outcome::Missing, detail);
            return None;
        }
        self.say(Step::Checkpoint, Some(at), Outcome::Holds, format!("the log {origin} signed its {size} leaves"));
        let place = self.witnesses(at, proof, &opened, trust);
        if !(place.quorum && place.seen > 0) && revocations(&opened, trust).next().is_some() {
            let detail = "its key was taken back later, and no witness has seen this before";
            self.say(Step::Checkpoint, Some(at), Outcome::Missing, detail);
            return None;
        }
        let (head, index) = (&place.head, place.index);
        let leaf = Leaf::of(&claim.envelope, statement?.seq).map(|leaf| leaf.hash());
        let proven = leaf.is_ok_and(|leaf| verify_inclusion(&leaf, index, head.size, &proof.path, &head.root).is_ok());
        let (outcome, detail) = if proven {
            (Outcome::Holds, format!("leaf {index} of {}", head.size))
        } else {
            (Outcome::Fails, "the record is not in the tree of this checkpoint".into())
        };
        self.say(Step::Inclusion, Some(at), outcome, detail);
        proven.then_some(place)
    }

    fn witnesses(&mut self, at: usize, proof: &Proof, opened: &Opened<'_>, trust: &Trust) -> Place {
        let known: Vec<&VerifierKey> = trust.policy.witnesses().map(|(_, key)| key).collect();
        let seals = || opened.seals.iter().filter(|seal| known.contains(&seal.key));
        // INVARIANT (one signer, one vote): by public key, not by line, name or id.
        let seen = seals().map(|seal| seal.key.public_key()).collect::<BTreeSet<_>>().len();
        let quorum = trust.policy.is_met(seals().map(|seal| seal.key)) && seen as u64 >= trust.require.witnesses;
        let (outcome, what) = if quorum { (Outcome::Holds, "enough") } else { (Outcome::Missing, "too few") };
        self.say(Step::Quorum, Some(at), outcome, format!("seen by {seen} of {} witnesses: {what}", known.len()));
        // A witness that states no time states zero.
        let earliest = seals().filter_map(|seal| seal.time).filter(|time| *time > 0).min();
        let existed_by = earliest.and_then(|time| i64::try_from(time).ok()?.checked_mul(1000));
        Place { head: Head::of(&opened.checkpoint), index: proof.index, quorum, seen, known: known.len(), existed_by }
    }
}

/// A checkpoint that a known log has signed as it must.
pub(super) fn open<'t>(note: &Note, trust: &'t Trust) -> Result<Opened<'t>, (Outcome, String)> {
    let logs: Vec<&VerifierKey> = trust.policy.logs().collect();
    let opened = Checkpoint::open(note, logs.iter().copied(), trust.policy.witnesses().map(|(_, key)| key));
    let opened = opened.map_err(|error| match error {
        CheckpointError::Note(NoteError::Unsigned) | CheckpointError::Foreign(_) => {
            (Outcome::Missing, "signed by no log that is known".to_owned())
        }
        error => (Outcome::Fails, error.to_string()),
    })?;
    if !opened.checkpoint.extensions.is_empty() {
        // An ML-DSA signature does not cover them, so nobody may rely on them, and nobody needs them.
        return Err((Outcome::Fails, "the checkpoint has lines that not every signature covers".into()));
    }
    let Checkpoint { origin, size, root, .. } = &opened.checkpoint;
    if trust
        .ended
        .iter()
        .any(|end| end.origin == *origin && (end.size < *size || end.size == *size && end.root != *root))
    {
        return Err((Outcome::Diverges, "not the tree with which this log has ended".into()));
    }
    if revocations(&opened, trust).any(|revoked| revoked.from < *size) {
        return Err((Outcome::Fails, "signed by a key of the log that was taken back for its last leaves".into()));
    }
    let own =
        |seal: &&crate::log::note::Seal<'_>| logs.contains(&seal.key) && seal.key.name() == opened.checkpoint.origin;
    let algorithms: BTreeSet<Algorithm> = opened.seals.iter().filter(own).map(|seal| seal.key.algorithm()).collect();
    if !trust.require.log_algorithms.is_subset(&algorithms) {
        return Err((Outcome::Missing, "the log has not signed by all algorithms that are required".into()));
    }
    Ok(opened)
}

/// What was taken back of the keys that signed this.
fn revocations<'t>(opened: &'t Opened<'_>, trust: &'t Trust) -> impl Iterator<Item = &'t RevokedLog> {
    trust.revoked_logs.iter().filter(|revoked| opened.seals.iter().any(|seal| *seal.key == revoked.key))
}

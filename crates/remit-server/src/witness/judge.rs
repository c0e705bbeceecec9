//! The judgement: whether a checkpoint may be cosigned, given the one that was cosigned last. Pure.
//! Owns the order in which a request is refused; writes and signs nothing.

use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::merkle::verify_consistency;
use remit_evidence::log::note::{Note, SignatureLine};
use remit_evidence::log::vkey::{Algorithm, VerifierKey};

use super::request::{Malformed, Request};

/// Why a witness does not cosign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No request (400).
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Nobody told it to know this log (404).
    #[error("this log is not known here")]
    Unknown,
    /// No key of the log has signed, or one has a line that does not verify (403).
    #[error("not signed by the log: {0}")]
    Unsigned(String),
    /// It has seen another size than the request says (409).
    #[error("the latest checkpoint that was cosigned has {0} leaves")]
    Seen(u64),
    /// The checkpoint does not extend what it has seen (422).
    #[error("{0}")]
    Inconsistent(&'static str),
    /// A key could not sign. Nothing has changed (500).
    #[error("this witness cannot sign: {0}")]
    Signer(String),
    /// What was about to be signed could not be made durable, or an earlier one could not. Nobody
    /// knows what the disk holds; only a new start finds out (500).
    #[error("this witness has stopped: {0}")]
    Stopped(String),
}

/// What a log is caught with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catch {
    /// It signed two trees of one size. The two checkpoints prove it to anybody.
    Fork,
    /// It signed a larger tree, and the proof that came with it does not hold. That may be the log's
    /// fault or the sender's.
    Unproven,
}

/// The lines by which the log itself has signed, one for each of its keys.
///
/// # Errors
/// [`Refusal::Unsigned`].
pub fn signed(request: &Request, keys: &[VerifierKey]) -> Result<Vec<SignatureLine>, Refusal> {
    let seals = request.note.seals(keys).map_err(|error| Refusal::Unsigned(error.to_string()))?;
    // An ML-DSA signature covers the tree only. Without another, the lines behind the root may be anybody's.
    let text = seals.iter().any(|seal| seal.key.algorithm() == Algorithm::Ed25519);
    if !text && request.head.as_ref().is_some_and(|head| !head.extensions.is_empty()) {
        return Err(Refusal::Unsigned("its extension lines are covered by no signature".into()));
    }
    let mut lines: Vec<SignatureLine> = Vec::new();
    for line in request.note.signatures() {
        let known = keys.iter().any(|key| key.name() == line.name() && key.id() == line.id());
        if known && lines.iter().all(|kept| kept.id() != line.id()) {
            lines.push(line.clone());
        }
    }
    Ok(lines)
}

/// The checkpoint of a request the log has signed, if it extends what was seen.
///
/// # Errors
/// [`Refusal::Seen`] and [`Refusal::Inconsistent`].
pub fn extends<'r>(request: &'r Request, seen: Option<&Checkpoint>) -> Result<&'r Checkpoint, Refusal> {
    let no = |why| Err(Refusal::Inconsistent(why));
    let size = seen.map_or(0, |seen| seen.size);
    if request.old != size {
        return Err(Refusal::Seen(size));
    }
    let Some(head) = &request.head else { return no("the empty tree has one root only") };
    let Some(seen) = seen.filter(|seen| seen.size > 0) else {
        return if request.proof.is_empty() { Ok(head) } else { no("nothing can be proved from an empty tree") };
    };
    // RFC 9162 has no proof between equal sizes: the roots are all there is.
    if head.size == seen.size {
        return match (head.root == seen.root, request.proof.is_empty()) {
            (false, _) => no("another tree of this size was cosigned"),
            (true, false) => no("nothing is to be proved between equal sizes"),
            (true, true) => Ok(head),
        };
    }
    match verify_consistency(seen.size, &seen.root, head.size, &head.root, &request.proof) {
        Ok(()) => Ok(head),
        Err(_) => no("the consistency proof does not hold"),
    }
}

/// What a refused request shows about the log that signed it.
#[must_use]
pub fn caught(request: &Request, seen: Option<&Checkpoint>, refusal: &Refusal) -> Option<Catch> {
    let (head, seen) = (request.head.as_ref()?, seen?);
    if head.size == seen.size && head.root != seen.root {
        return Some(Catch::Fork);
    }
    let larger = head.size > seen.size && seen.size > 0;
    (larger && matches!(refusal, Refusal::Inconsistent(_))).then_some(Catch::Unproven)
}

/// The checkpoint with these lines only.
pub(super) fn note(text: &str, lines: impl IntoIterator<Item = SignatureLine>) -> Result<Note, Refusal> {
    let mut note = Note::sign(text, &[], 0).map_err(|error| Refusal::Signer(error.to_string()))?;
    lines.into_iter().for_each(|line| note.push(line));
    Ok(note)
}

//! The body of `add-checkpoint`: how it is read and written. Strict and bounded; believes nothing.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remit_core::ids::Digest;
use remit_evidence::log::checkpoint::{Checkpoint, CheckpointError, SIZE_MAX, decimal, hash};
use remit_evidence::log::note::Note;

/// Largest body that is read.
pub const BODY_BYTES_MAX: usize = 128 * 1024;
/// Most hashes of a proof. A tree has no more levels.
pub const PROOF_LINES_MAX: usize = 63;

/// What a log asks: that its checkpoint is cosigned as an extension of the tree of `old` leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The size the witness is believed to have seen.
    pub old: u64,
    /// The consistency proof from there.
    pub proof: Vec<Digest>,
    /// The checkpoint as it was signed.
    pub note: Note,
    /// The log it says it is of.
    pub origin: String,
    /// What it says; `None` for an empty tree with a root that an empty tree does not have.
    pub head: Option<Checkpoint>,
}

/// Why bytes are no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed request: {0}")]
pub struct Malformed(pub String);

impl Request {
    /// Reads a body.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let bad = |what: &str| Malformed(what.to_owned());
        if body.len() > BODY_BYTES_MAX {
            return Err(bad("too large"));
        }
        let text = std::str::from_utf8(body).map_err(|_| bad("not UTF-8"))?;
        let (lines, note) = text.split_once("\n\n").ok_or(bad("no empty line before the checkpoint"))?;
        let mut lines = lines.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old = old.filter(|old| *old <= SIZE_MAX).ok_or(bad("no old size"))?;
        let proof: Option<Vec<Digest>> = lines.map(hash).collect();
        let proof = proof.ok_or(bad("a line of the proof is no hash"))?;
        if proof.len() > PROOF_LINES_MAX {
            return Err(bad("the proof is too long"));
        }
        let note = Note::parse(note.as_bytes()).map_err(|error| Malformed(error.to_string()))?;
        let head = match Checkpoint::parse(note.text()) {
            Ok(head) => Some(head),
            Err(CheckpointError::EmptyRoot) => None,
            Err(error) => return Err(Malformed(error.to_string())),
        };
        if old > head.as_ref().map_or(0, |head| head.size) {
            return Err(bad("the old size is larger than the checkpoint's"));
        }
        let origin = note.text().split('\n').next().unwrap_or_default().to_owned();
        Ok(Self { old, proof, note, origin, head })
    }
}

/// The body that asks for a cosignature.
#[must_use]
pub fn write(old: u64, proof: &[Digest], checkpoint: &Note) -> String {
    let proof: String = proof.iter().map(|step| STANDARD.encode(step.as_bytes()) + "\n").collect();
    format!("old {old}\n{proof}\n{checkpoint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    const LINE: &str = "\u{2014} log.example/a AAAAAQAA";

    fn note(size: &str, root: &str) -> String {
        format!("log.example/a\n{size}\n{root}\n\n{LINE}\n")
    }

    fn check(text: &str) -> Result<Request, Malformed> {
        Request::parse(text.as_bytes())
    }

    #[test]
    fn a_request_comes_back() {
        let text = format!("old 3\n{HASH}\n{HASH}\n\n{}", note("5", HASH));
        let request = check(&text).expect("request");
        assert_eq!((request.old, request.proof.len(), &request.origin[..]), (3, 2, "log.example/a"));
        assert_eq!(write(request.old, &request.proof, &request.note), text);
        let empty = check(&format!("old 0\n\n{}", note("0", HASH))).expect("request");
        assert_eq!((empty.head, &empty.origin[..]), (None, "log.example/a"));
    }

    #[test]
    fn everything_else_is_malformed() {
        let good = note("5", HASH);
        let long = format!("{HASH}\n").repeat(64);
        for bad in [
            String::new(),
            good.clone(),
            format!("old 3\n{good}"),
            format!("old 03\n\n{good}"),
            format!("old +3\n\n{good}"),
            format!("old  3\n\n{good}"),
            format!("Old 3\n\n{good}"),
            format!("old 3 \n\n{good}"),
            format!("old 3\r\n\r\n{good}"),
            format!("old -1\n\n{good}"),
            format!("old 6\n\n{good}"),
            format!("old 18446744073709551616\n\n{good}"),
            format!("old 3\n{HASH} \n\n{good}"),
            format!("old 3\nCsUY\n\n{good}"),
            format!("old 3\n{}\n\n{good}", HASH.trim_end_matches('=')),
            format!("old 3\n{long}\n{good}"),
            format!("old 3\n\n\n{good}"),
            format!("old 3\n\n{}", good.trim_end()),
            format!("old 3\n\n{}", note("05", HASH)),
            format!("old 3\n\n{}", note("9223372036854775808", HASH)),
            format!("old 1\n\n{}", note("0", HASH)),
            format!("old 3\n\n{}", "a".repeat(BODY_BYTES_MAX)),
        ] {
            assert!(check(&bad).is_err(), "{bad:?}");
        }
    }
}

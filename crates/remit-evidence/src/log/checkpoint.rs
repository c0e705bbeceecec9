//! Checkpoints: the head of a log at a size, as the text of a note (C2SP tlog-checkpoint).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remit_core::ids::Digest;

use super::merkle::empty_root;
use super::note::{Note, NoteError, NoteSigner, Seal, SignError};
use super::vkey::VerifierKey;

/// The largest tree: what other implementations can count.
pub const SIZE_MAX: u64 = i64::MAX as u64;

/// Why a text is no checkpoint, or not one to believe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// No checkpoint.
    #[error("not a checkpoint: {0}")]
    Malformed(&'static str),
    /// The head of an empty tree, but with a root that an empty tree does not have.
    #[error("the empty tree has one root only")]
    EmptyRoot,
    /// No note, or one that may not be believed.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Signed by keys that are known, but by none of the log it names.
    #[error("not signed by the log `{0}`")]
    Foreign(String),
}

/// The head of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Digest,
    /// Lines behind the root, without meaning here. Ours has none, and an ML-DSA signature does not cover them.
    pub extensions: Vec<String>,
}

/// A checkpoint that its log has signed.
#[derive(Clone, Debug)]
pub struct Opened<'k> {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The signatures of all keys that were given, the log's and others.
    pub seals: Vec<Seal<'k>>,
}

impl Checkpoint {
    /// The head of a log without extension lines.
    #[must_use]
    pub fn new(origin: &str, size: u64, root: Digest) -> Self {
        Self { origin: origin.to_owned(), size, root, extensions: Vec::new() }
    }

    /// Reads the text of a note, strictly.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let bad = CheckpointError::Malformed;
        let body = text.strip_suffix('\n').ok_or(bad("the last line does not end"))?;
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(bad("no origin"))?.to_owned();
        let size = lines.next().and_then(decimal).filter(|size| *size <= SIZE_MAX).ok_or(bad("no size"))?;
        let root = lines.next().and_then(hash).ok_or(bad("no root"))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(bad("an empty line"));
        }
        if size == 0 && root != empty_root() {
            return Err(CheckpointError::EmptyRoot);
        }
        Ok(Self { origin, size, root, extensions })
    }

    /// Signs it. Whoever calls it has made the tree durable and has never signed another of this size.
    ///
    /// # Errors
    /// When it cannot be written as a checkpoint, or a signer fails or has another name than the log.
    pub fn sign(&self, signers: &[&dyn NoteSigner], time: u64) -> Result<Note, SignError> {
        let text = self.to_string();
        if Self::parse(&text).as_ref() != Ok(self) {
            return Err(SignError::Text("it is no checkpoint"));
        }
        if signers.iter().any(|signer| signer.key().name() != self.origin) {
            return Err(SignError::Text("a log signs under its own name"));
        }
        Note::sign(&text, signers, time)
    }

    /// Reads a checkpoint that must be signed by one of these logs, under the name it states as its
    /// origin. Every line of a known key must verify, that of a known witness too.
    ///
    /// # Errors
    /// Says why it is not believed.
    pub fn open<'k>(
        note: &Note,
        logs: impl IntoIterator<Item = &'k VerifierKey>,
        witnesses: impl IntoIterator<Item = &'k VerifierKey>,
    ) -> Result<Opened<'k>, CheckpointError> {
        let logs: Vec<&VerifierKey> = logs.into_iter().collect();
        let seals = note.seals(logs.iter().copied().chain(witnesses))?;
        let checkpoint = Self::parse(note.text())?;
        let own = |seal: &Seal<'_>| seal.key.name() == checkpoint.origin && logs.contains(&seal.key);
        if !seals.iter().any(own) {
            return Err(CheckpointError::Foreign(checkpoint.origin));
        }
        Ok(Opened { checkpoint, seals })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A number in ASCII digits, without sign and leading zero.
#[must_use]
pub fn decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    canonical.then(|| text.parse().ok()).flatten()
}

/// A hash in base64.
#[must_use]
pub fn hash(text: &str) -> Option<Digest> {
    Some(Digest::from_bytes(STANDARD.decode(text).ok()?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::note::tests::{TEXT, ed25519, ml_dsa_44};
    use crate::log::vkey::Algorithm;

    #[test]
    fn a_checkpoint_comes_back_and_nothing_else_is_one() {
        let checkpoint = Checkpoint::parse(TEXT).expect("checkpoint");
        assert_eq!((&checkpoint.origin[..], checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(checkpoint.to_string(), TEXT);
        let extended = format!("{TEXT}extra line\n");
        assert_eq!(Checkpoint::parse(&extended).expect("tolerated").to_string(), extended);
        let empty = Checkpoint::new("log", 0, empty_root()).to_string();
        assert!(Checkpoint::parse(&empty).is_ok());
        for (from, to) in [
            ("20852163", "020852163"),
            ("20852163", "+20852163"),
            ("20852163", "-1"),
            ("20852163", ""),
            ("20852163", " 1"),
            ("20852163", "9223372036854775808"),
            ("20852163", "99999999999999999999"),
            ("20852163", "0"),
            ("20852163", "1\r"),
            ("I=\n", "I=\n\n"),
            ("I=\n", "I\n"),
            ("I=\n", "J=\n"),
            ("I=\n", "I="),
            ("example.com/behind-the-sofa", ""),
            ("20852163\n", ""),
            ("Cs", "CsCs"),
        ] {
            let bad = TEXT.replacen(from, to, 1);
            assert!(Checkpoint::parse(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_checkpoint_is_believed_from_its_own_log_only() {
        let origin = "example.com/log";
        let checkpoint = Checkpoint::new(origin, 1, empty_root());
        let (log, quantum) = (ed25519(origin, Algorithm::Ed25519, 1), ml_dsa_44(origin, 1));
        let note = checkpoint.sign(&[&log, &quantum], 5).expect("signed");
        let note = Note::parse(note.to_string().as_bytes()).expect("note");
        let open = |logs: &[&VerifierKey], witnesses: &[&VerifierKey]| {
            Checkpoint::open(&note, logs.iter().copied(), witnesses.iter().copied()).map(|opened| opened.seals.len())
        };
        assert_eq!(open(&[log.key(), quantum.key()], &[]), Ok(2));
        assert_eq!(open(&[quantum.key()], &[]), Ok(1));
        assert_eq!(open(&[], &[quantum.key()]), Err(CheckpointError::Foreign(origin.into())));
        assert_eq!(open(&[ed25519(origin, Algorithm::Ed25519, 9).key()], &[]), Err(NoteError::Unsigned.into()));
        // The key of another log vouches for nothing here.
        let other = ed25519("example.com/other", Algorithm::Ed25519, 3);
        assert!(checkpoint.sign(&[&other], 5).is_err());
        let note = Note::sign(&checkpoint.to_string(), &[&other], 5).expect("signed");
        let opened = Checkpoint::open(&note, [other.key()], []);
        assert_eq!(opened.map(|_| ()), Err(CheckpointError::Foreign(origin.into())));
    }

    #[test]
    fn what_is_no_checkpoint_is_not_signed() {
        let log = ed25519("log", Algorithm::Ed25519, 1);
        for bad in [Checkpoint::new("log", SIZE_MAX + 1, empty_root()), Checkpoint::new("log", 0, Digest::of(b"x"))] {
            assert!(bad.sign(&[&log], 5).is_err());
        }
    }
}

//! Policies of trust (C2SP tlog-policy): which logs are known, which witnesses, and how many of them
//! must have seen a checkpoint. Owns the file and the counting; never decides what a record is worth.

use super::checkpoint::{Checkpoint, CheckpointError, decimal};
use super::note::{Note, Seal};
use super::vkey::{Algorithm, NoKey, VerifierKey};

/// Largest policy that is read, in bytes.
pub const POLICY_BYTES_MAX: usize = 1024 * 1024;
const NONE: &[u8] = b"none";

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// What is wrong, and in which line, counted from one.
    #[error("line {0}: {1}")]
    Line(usize, LineError),
    /// There is no line that says what is enough. Silence is no policy.
    #[error("no `quorum` line")]
    NoQuorum,
    /// Larger than any policy.
    #[error("the policy has more than {POLICY_BYTES_MAX} bytes")]
    TooLarge,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The file was cut off, or written by a tool that does not end lines.
    #[error("the line does not end in a newline")]
    Unended,
    /// A carriage return, for instance.
    #[error("a control character")]
    Control,
    /// The first word is none of `log`, `witness`, `group`, `quorum`.
    #[error("unknown word `{0}`")]
    Unknown(String),
    /// Too few words or too many.
    #[error("expected `{0}`")]
    Shape(&'static str),
    /// The key cannot be read.
    #[error(transparent)]
    Key(#[from] NoKey),
    /// A log key makes plain signatures or ML-DSA ones, a witness key cosignatures.
    #[error("a key of this kind cannot stand here")]
    Kind,
    /// One key may have one role under one name, or it would count twice.
    #[error("the same public key stands in an earlier line")]
    DuplicateKey,
    /// The name is taken, or is `none`.
    #[error("the name `{0}` is taken")]
    Taken(String),
    /// No earlier line defines the name.
    #[error("no earlier line defines `{0}`")]
    Undefined(String),
    /// A name may be a member once, in one group, or a witness would count twice.
    #[error("`{0}` is a member of a group already")]
    Again(String),
    /// The number is not between one and the number of members.
    #[error("a group needs `any`, `all` or a number from 1 to the number of its members")]
    Threshold,
    /// A second quorum line.
    #[error("there is a `quorum` line already")]
    SecondQuorum,
}

/// A policy that has been read and makes sense.
#[derive(Clone, Debug)]
pub struct Policy {
    // INVARIANT (one signer, one vote): no public key stands twice, and no name is a member twice.
    logs: Vec<VerifierKey>,
    // INVARIANT (no circles): a group has members that stand before it only.
    parts: Vec<Part>,
    quorum: Quorum,
}

#[derive(Clone, Copy, Debug)]
enum Quorum {
    None,
    Part(usize),
}

#[derive(Clone, Debug)]
struct Part {
    name: Vec<u8>,
    rule: Rule,
    /// Whether it is a member of a group.
    member: bool,
}

#[derive(Clone, Debug)]
enum Rule {
    Witness(Box<VerifierKey>),
    Group(usize, Vec<usize>),
}

/// Why a checkpoint is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// No checkpoint of a log that is known.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Too few witnesses have seen it; those that have are named.
    #[error("not seen by enough witnesses, only by: {}", .0.join(", "))]
    Quorum(Vec<String>),
}

/// A checkpoint that a policy accepts.
#[derive(Clone, Debug)]
pub struct Accepted<'p> {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The log's own signatures.
    pub log: Vec<Seal<'p>>,
    /// The cosignatures of known witnesses, with the names the policy gives them.
    pub witnesses: Vec<(String, Seal<'p>)>,
}

impl Policy {
    /// Reads a policy, strictly.
    ///
    /// # Errors
    /// Says what is wrong and in which line.
    pub fn parse(text: &[u8]) -> Result<Self, PolicyError> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::TooLarge);
        }
        let mut draft = Draft { logs: Vec::new(), parts: Vec::new(), quorum: None };
        for (number, line) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
            draft.line(line).map_err(|error| PolicyError::Line(number, error))?;
        }
        let quorum = draft.quorum.ok_or(PolicyError::NoQuorum)?;
        Ok(Self { logs: draft.logs, parts: draft.parts, quorum })
    }

    /// The keys of the logs that are known.
    pub fn logs(&self) -> impl Iterator<Item = &VerifierKey> {
        self.logs.iter()
    }

    /// The witnesses that are known: the names the policy gives them, and their keys.
    pub fn witnesses(&self) -> impl Iterator<Item = (String, &VerifierKey)> {
        self.parts.iter().filter_map(|part| match &part.rule {
            Rule::Witness(key) => Some((text(&part.name), &**key)),
            Rule::Group(..) => None,
        })
    }

    /// Reads a checkpoint and accepts it, if a known log has signed it and enough witnesses saw it.
    ///
    /// # Errors
    /// Says why it is not accepted.
    pub fn open(&self, note: &Note) -> Result<Accepted<'_>, Rejected> {
        let opened = Checkpoint::open(note, self.logs(), self.witnesses().map(|(_, key)| key))?;
        let (log, witnesses): (Vec<Seal<'_>>, Vec<Seal<'_>>) =
            opened.seals.into_iter().partition(|seal| self.logs.contains(seal.key));
        let name = |seal: &Seal<'_>| self.witnesses().find(|(_, key)| *key == seal.key).map(|(name, _)| name);
        let witnesses: Vec<_> = witnesses.into_iter().map(|seal| (name(&seal).unwrap_or_default(), seal)).collect();
        if !self.is_met(witnesses.iter().map(|(_, seal)| seal.key)) {
            return Err(Rejected::Quorum(witnesses.into_iter().map(|(name, _)| name).collect()));
        }
        Ok(Accepted { checkpoint: opened.checkpoint, log, witnesses })
    }

    /// Whether these keys are enough. A key counts once, however often it is given.
    #[must_use]
    pub fn is_met<'k>(&self, cosigners: impl IntoIterator<Item = &'k VerifierKey>) -> bool {
        let cosigners: Vec<&VerifierKey> = cosigners.into_iter().collect();
        let mut met: Vec<bool> = Vec::with_capacity(self.parts.len());
        for part in &self.parts {
            met.push(match &part.rule {
                Rule::Witness(key) => cosigners.contains(&&**key),
                Rule::Group(threshold, members) => {
                    members.iter().filter(|member| met.get(**member) == Some(&true)).count() >= *threshold
                }
            });
        }
        match self.quorum {
            Quorum::None => true,
            Quorum::Part(part) => met.get(part) == Some(&true),
        }
    }
}

struct Draft {
    logs: Vec<VerifierKey>,
    parts: Vec<Part>,
    quorum: Option<Quorum>,
}

impl Draft {
    fn line(&mut self, line: &[u8]) -> Result<(), LineError> {
        // A file cut off within a name could otherwise name a weaker group.
        let line = line.strip_suffix(b"\n").ok_or(LineError::Unended)?;
        if line.iter().any(|byte| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f) {
            return Err(LineError::Control);
        }
        let words: Vec<&[u8]> =
            line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty()).collect();
        match words.split_first() {
            None => Ok(()),
            Some((word, _)) if word.starts_with(b"#") => Ok(()),
            Some((&b"log", rest)) => self.log(rest),
            Some((&b"witness", rest)) => self.witness(rest),
            Some((&b"group", rest)) => self.group(rest),
            Some((&b"quorum", rest)) => self.quorum(rest),
            Some((word, _)) => Err(LineError::Unknown(text(word))),
        }
    }

    fn log(&mut self, words: &[&[u8]]) -> Result<(), LineError> {
        let ([key] | [key, _]) = words else { return Err(LineError::Shape("log <vkey> [<url>]")) };
        let key = self.key(key, Algorithm::Ed25519)?;
        self.logs.push(key);
        Ok(())
    }

    fn witness(&mut self, words: &[&[u8]]) -> Result<(), LineError> {
        let ([name, key] | [name, key, _]) = words else {
            return Err(LineError::Shape("witness <name> <vkey> [<url>]"));
        };
        let key = self.key(key, Algorithm::Ed25519Cosignature)?;
        self.define(name, Rule::Witness(Box::new(key)))
    }

    fn group(&mut self, words: &[&[u8]]) -> Result<(), LineError> {
        let [name, threshold, names @ ..] = words else {
            return Err(LineError::Shape("group <name> <k>|any|all <name>..."));
        };
        let mut members = Vec::new();
        for name in names {
            let at = self.find(name)?;
            let part = self.parts.get_mut(at).filter(|part| !part.member);
            part.ok_or_else(|| LineError::Again(text(name)))?.member = true;
            members.push(at);
        }
        let threshold = match *threshold {
            b"any" => Some(1),
            b"all" => Some(members.len()),
            number => std::str::from_utf8(number).ok().and_then(decimal).and_then(|k| usize::try_from(k).ok()),
        };
        let threshold = threshold.filter(|k| (1..=members.len()).contains(k)).ok_or(LineError::Threshold)?;
        self.define(name, Rule::Group(threshold, members))
    }

    fn quorum(&mut self, words: &[&[u8]]) -> Result<(), LineError> {
        let [name] = words else { return Err(LineError::Shape("quorum <name>|none")) };
        let quorum = if *name == NONE { Quorum::None } else { Quorum::Part(self.find(name)?) };
        if self.quorum.replace(quorum).is_some() { Err(LineError::SecondQuorum) } else { Ok(()) }
    }

    /// A key that is either of this kind or of ML-DSA, and stands nowhere else: neither under another
    /// name, nor as a log that would be its own witness.
    fn key(&self, word: &[u8], kind: Algorithm) -> Result<VerifierKey, LineError> {
        let key = VerifierKey::parse(std::str::from_utf8(word).map_err(|_| NoKey::Name)?)?;
        if key.algorithm() != kind && key.algorithm() != Algorithm::MlDsa44 {
            return Err(LineError::Kind);
        }
        let witnesses = self.parts.iter().filter_map(|part| match &part.rule {
            Rule::Witness(key) => Some(&**key),
            Rule::Group(..) => None,
        });
        if self.logs.iter().chain(witnesses).any(|known| known.public_key() == key.public_key()) {
            return Err(LineError::DuplicateKey);
        }
        Ok(key)
    }

    fn define(&mut self, name: &[u8], rule: Rule) -> Result<(), LineError> {
        if name == NONE || self.find(name).is_ok() {
            return Err(LineError::Taken(text(name)));
        }
        self.parts.push(Part { name: name.to_vec(), rule, member: false });
        Ok(())
    }

    fn find(&self, name: &[u8]) -> Result<usize, LineError> {
        let at = self.parts.iter().position(|part| part.name == name);
        at.ok_or_else(|| LineError::Undefined(text(name)))
    }
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
pub(crate) mod tests;

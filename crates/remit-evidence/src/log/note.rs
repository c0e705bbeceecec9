//! Signed notes: a text and lines of signatures (C2SP signed-note). Owns how a note is read and
//! when it may be believed; what the text means is for others.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::cosignature;
use super::vkey::{Algorithm, VerifierKey, is_key_name};

/// Largest note that is read, in bytes. A post-quantum signature takes more than 3 KiB of it.
pub const NOTE_BYTES_MAX: usize = 512 * 1024;
/// Most signatures that are read. The specification demands at least 16.
pub const SIGNATURES_MAX: usize = 64;
const DASH: &str = "\u{2014} ";

/// Why a note is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// No note at all.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// A key that is known has a line under its name that it did not sign. The whole note is refused.
    #[error("the signature of `{0}` does not verify")]
    Signature(String),
    /// None of the keys that are known has signed.
    #[error("no key that is known has signed")]
    Unsigned,
    /// Two keys that are known share name and id, so that no line says which of them signed.
    #[error("two keys share the name and id of `{0}`")]
    Ambiguous(String),
}

/// Why a note could not be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The signer refused or could not be reached.
    #[error("the signer failed: {0}")]
    Signer(String),
    /// The signer's bytes do not verify under its own key. They are never shown to anybody.
    #[error("`{0}` made a signature that does not verify")]
    Faulty(String),
    /// The text cannot be signed by this kind of key.
    #[error("this text cannot be signed: {0}")]
    Text(&'static str),
}

/// Signs with a private key that stays where it is.
pub trait NoteSigner {
    /// The key under which the signature verifies.
    fn key(&self) -> &VerifierKey;

    /// The bare signature over this message: 64 bytes (RFC 8032) or 2420 bytes (FIPS 204, empty context).
    ///
    /// # Errors
    /// Says in the operator's words why it cannot.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String>;
}

/// One line of signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine {
    // INVARIANT (a line is one line): the name may name a key. Made by `make` and `parse` only.
    name: String,
    id: [u8; 4],
    /// What stands behind the id: the signature, for cosignatures with the time before it.
    bytes: Vec<u8>,
}

impl SignatureLine {
    /// Signs a text. The time, in seconds since 1970, is stated by the algorithms that state one.
    ///
    /// # Errors
    /// When the signer fails, or its kind of key cannot sign this text.
    pub fn make(signer: &dyn NoteSigner, text: &str, time: u64) -> Result<Self, SignError> {
        let key = signer.key();
        let message = cosignature::message(key, text, time).map_err(SignError::Text)?;
        let signature = signer.sign(&message).map_err(SignError::Signer)?;
        // A flipped bit here would make the whole note invalid for everybody who knows the key.
        if !key.signed(&message, &signature) {
            return Err(SignError::Faulty(key.name().to_owned()));
        }
        let stated = key.algorithm().is_timed().then(|| time.to_be_bytes());
        let bytes = [stated.as_ref().map_or(&[][..], |time| &time[..]), &signature].concat();
        Ok(Self { name: key.name().to_owned(), id: key.id(), bytes })
    }

    /// The name of the key that is said to have signed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of that key, a hint.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// Reads a line without its newline.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(line: &str) -> Result<Self, NoteError> {
        let bad = || NoteError::Malformed("a line of signature is malformed");
        let (name, signature) = line.strip_prefix(DASH).and_then(|rest| rest.split_once(' ')).ok_or_else(bad)?;
        let bytes = STANDARD.decode(signature).map_err(|_| bad())?;
        let (id, bytes) = bytes.split_first_chunk::<4>().ok_or_else(bad)?;
        if !is_key_name(name) || bytes.is_empty() {
            return Err(bad());
        }
        Ok(Self { name: name.to_owned(), id: *id, bytes: bytes.to_vec() })
    }
}

impl fmt::Display for SignatureLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DASH}{} {}", self.name, STANDARD.encode([&self.id[..], &self.bytes].concat()))
    }
}

/// A signature that has been verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal<'k> {
    /// Who signed.
    pub key: &'k VerifierKey,
    /// When, in seconds since 1970, if the algorithm states it.
    pub time: Option<u64>,
}

/// A text with signatures. Holding one means nothing: ask [`Note::seals`] before reading the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

impl Note {
    /// Signs a text with these keys.
    ///
    /// # Errors
    /// When the text is none a note can hold, or a signer fails.
    pub fn sign(text: &str, signers: &[&dyn NoteSigner], time: u64) -> Result<Self, SignError> {
        if !is_text(text) {
            return Err(SignError::Text("a text ends in a newline and has no control characters"));
        }
        let signatures = signers.iter().map(|signer| SignatureLine::make(*signer, text, time));
        Ok(Self { text: text.to_owned(), signatures: signatures.collect::<Result<_, _>>()? })
    }

    /// Reads a note, strictly. The text ends at the last empty line.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > NOTE_BYTES_MAX {
            return Err(NoteError::Malformed("too large"));
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("not UTF-8"))?;
        let end = note.rfind("\n\n").ok_or(NoteError::Malformed("no empty line before the signatures"))?;
        let (text, lines) = note.split_at(end + 1);
        if !is_text(text) {
            return Err(NoteError::Malformed("a control character"));
        }
        let lines = lines.strip_prefix('\n').and_then(|lines| lines.strip_suffix('\n'));
        let lines = lines.ok_or(NoteError::Malformed("the last line does not end"))?;
        let signatures = lines.split('\n').map(SignatureLine::parse).collect::<Result<Vec<_>, _>>()?;
        if signatures.len() > SIGNATURES_MAX {
            return Err(NoteError::Malformed("too many signatures"));
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, with its last newline.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lines of signature, none of them verified.
    #[must_use]
    pub fn signatures(&self) -> &[SignatureLine] {
        &self.signatures
    }

    /// Adds a line of signature, a witness's for instance.
    pub fn push(&mut self, line: SignatureLine) {
        self.signatures.push(line);
    }

    /// The signatures of keys that are known; lines of other keys are passed over.
    ///
    /// # Errors
    /// When a known key has a line that does not verify, even if others do, and when none has signed.
    pub fn seals<'k>(&self, keys: impl IntoIterator<Item = &'k VerifierKey>) -> Result<Vec<Seal<'k>>, NoteError> {
        let keys: Vec<&VerifierKey> = keys.into_iter().collect();
        let mut seals = Vec::new();
        for line in &self.signatures {
            let mut named = keys.iter().filter(|key| key.name() == line.name && key.id() == line.id);
            let Some(key) = named.next() else { continue };
            if named.any(|other| other != key) {
                return Err(NoteError::Ambiguous(line.name.clone()));
            }
            let seal = self.seal(key, line).ok_or_else(|| NoteError::Signature(line.name.clone()))?;
            seals.push(seal);
        }
        if seals.is_empty() { Err(NoteError::Unsigned) } else { Ok(seals) }
    }

    fn seal<'k>(&self, key: &'k VerifierKey, line: &SignatureLine) -> Option<Seal<'k>> {
        let (time, signature) = match key.algorithm() {
            Algorithm::Ed25519 => (None, &line.bytes[..]),
            Algorithm::Ed25519Cosignature | Algorithm::MlDsa44 => {
                let (time, signature) = line.bytes.split_first_chunk::<8>()?;
                (Some(u64::from_be_bytes(*time)), signature)
            }
        };
        let message = cosignature::message(key, &self.text, time.unwrap_or_default()).ok()?;
        key.signed(&message, signature).then_some(Seal { key, time })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

fn is_text(text: &str) -> bool {
    text.ends_with('\n') && !text.bytes().any(|byte| byte < 0x20 && byte != b'\n')
}

#[cfg(test)]
pub(crate) mod tests;

//! Verifier keys: who may sign notes and how (C2SP signed-note, "Verifier keys"). Owns the three
//! algorithms that are accepted; never holds a private key.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::VerifyingKey;
use ml_dsa::signature::Verifier as _;
use ml_dsa::{EncodedVerifyingKey, MlDsa44};
use remit_core::ids::Digest;

/// How a key signs. The bytes are those C2SP signed-note assigns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// Ed25519 over the text of the note. Logs sign so.
    Ed25519 = 0x01,
    /// Ed25519 over time and checkpoint: `cosignature/v1`. Witnesses sign so.
    Ed25519Cosignature = 0x04,
    /// ML-DSA-44 over name, time, origin, size and root. Both logs and witnesses sign so.
    MlDsa44 = 0x06,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ed25519, Self::Ed25519Cosignature, Self::MlDsa44];

    /// The byte in key ids and verifier keys.
    #[must_use]
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// The length of a public key.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Ed25519 | Self::Ed25519Cosignature => 32,
            Self::MlDsa44 => 1312,
        }
    }

    /// The length of a signature, without the time that cosignatures put before it.
    #[must_use]
    pub const fn signature_bytes(self) -> usize {
        match self {
            Self::Ed25519 | Self::Ed25519Cosignature => 64,
            Self::MlDsa44 => 2420,
        }
    }

    /// Whether a signature states when it was made, and is over a checkpoint only.
    #[must_use]
    pub const fn is_timed(self) -> bool {
        !matches!(self, Self::Ed25519)
    }
}

/// Why a text or these parts are no verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoKey {
    /// Not three parts joined by `+`.
    #[error("a verifier key is name, id and key, joined by `+`")]
    Shape,
    /// A name is not empty and has no space, `+` or control character.
    #[error("the name of a key is empty or has a space, `+` or control character")]
    Name,
    /// An algorithm that is not accepted here.
    #[error("unknown algorithm {0:#04x}")]
    Algorithm(u8),
    /// The key has a wrong length or is no point that may sign.
    #[error("the public key is malformed")]
    Key,
    /// The id stated is not the id of this name and key.
    #[error("the id does not belong to this name and key")]
    Id,
}

/// A public key with the name it signs under.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VerifierKey {
    name: String,
    algorithm: Algorithm,
    public_key: Vec<u8>,
    id: [u8; 4],
}

impl VerifierKey {
    /// A key under a name.
    ///
    /// # Errors
    /// When the name may not name a key, or the bytes are no key of this algorithm.
    pub fn new(name: &str, algorithm: Algorithm, public_key: &[u8]) -> Result<Self, NoKey> {
        if !is_key_name(name) {
            return Err(NoKey::Name);
        }
        let sound = public_key.len() == algorithm.key_bytes()
            && (algorithm == Algorithm::MlDsa44 || ed25519(public_key).is_some());
        if !sound {
            return Err(NoKey::Key);
        }
        let hashed = Digest::of(&[name.as_bytes(), b"\n", &[algorithm.byte()], public_key].concat());
        let [a, b, c, d, ..] = *hashed.as_bytes();
        Ok(Self { name: name.to_owned(), algorithm, public_key: public_key.to_vec(), id: [a, b, c, d] })
    }

    /// Reads `name+id+key`, strictly.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, NoKey> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoKey::Shape);
        };
        let bytes = STANDARD.decode(key).map_err(|_| NoKey::Shape)?;
        let (byte, public_key) = bytes.split_first().ok_or(NoKey::Shape)?;
        let algorithm = Algorithm::ALL.into_iter().find(|known| known.byte() == *byte);
        let key = Self::new(name, algorithm.ok_or(NoKey::Algorithm(*byte))?, public_key)?;
        if key.id_text() == id { Ok(key) } else { Err(NoKey::Id) }
    }

    /// The name it signs under; for a log the origin of its checkpoints.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first four bytes of the digest of name, algorithm and key. Short on purpose: a hint.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The key itself, by which signers are told apart: names and ids can be chosen.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Whether this is its signature over exactly this message.
    #[must_use]
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let ed = || {
            let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
            // Strict: keys and signatures that some libraries accept and others refuse are refused.
            ed25519(&self.public_key)?.verify_strict(message, &signature).ok()
        };
        let ml = || {
            let key = EncodedVerifyingKey::<MlDsa44>::try_from(&self.public_key[..]).ok()?;
            let signature = ml_dsa::Signature::<MlDsa44>::try_from(signature).ok()?;
            ml_dsa::VerifyingKey::<MlDsa44>::decode(&key).verify(message, &signature).ok()
        };
        match self.algorithm {
            Algorithm::Ed25519 | Algorithm::Ed25519Cosignature => ed().is_some(),
            Algorithm::MlDsa44 => ml().is_some(),
        }
    }

    fn id_text(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[self.algorithm.byte()], &self.public_key[..]].concat());
        write!(f, "{}+{}+{key}", self.name, self.id_text())
    }
}

/// A point that may sign: not of small order, and written in the one canonical way, so that one key
/// cannot pass for two.
pub(crate) fn ed25519(bytes: &[u8]) -> Option<VerifyingKey> {
    let key = VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
    (!key.is_weak() && key.to_edwards().compress().as_bytes() == bytes).then_some(key)
}

/// Whether this may name a key (C2SP signed-note, "Format").
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXAMPLE: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

    #[test]
    fn the_key_of_the_specification_comes_back() {
        let key = VerifierKey::parse(EXAMPLE).expect("key");
        assert_eq!((key.name(), key.algorithm()), ("example.com/foo", Algorithm::Ed25519));
        assert_eq!(key.to_string(), EXAMPLE);
    }

    #[test]
    fn every_changed_byte_of_a_key_is_noticed() {
        for at in 0..EXAMPLE.len() {
            let mut bad = EXAMPLE.as_bytes().to_vec();
            bad[at] ^= 1;
            let bad = String::from_utf8(bad).expect("text");
            assert!(VerifierKey::parse(&bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_one_key_or_none(text in "[a-c.+]{0,3}\\+[0-9a-f]{8}\\+(A|B|Q)[A-Za-z0-9+/=]{0,50}") {
            if let Ok(key) = VerifierKey::parse(&text) {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }

    #[test]
    fn weak_keys_and_bad_names_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        for weak in [[0; 32], identity, [0xff; 32]] {
            assert_eq!(VerifierKey::new("a", Algorithm::Ed25519, &weak), Err(NoKey::Key));
        }
        // The same point written as y and as y + p: the second is refused.
        let mut second = [0xff; 32];
        (second[0], second[31]) = (0xed + 9, 0x7f);
        assert_eq!(VerifierKey::new("a", Algorithm::Ed25519, &second), Err(NoKey::Key));
        let good = VerifierKey::parse(EXAMPLE).expect("key");
        for name in ["", "a b", "a+b", "a\u{2003}b", "a\nb", "\u{a0}"] {
            assert_eq!(VerifierKey::new(name, Algorithm::Ed25519, good.public_key()), Err(NoKey::Name), "{name:?}");
        }
        assert_eq!(VerifierKey::new("a", Algorithm::MlDsa44, good.public_key()), Err(NoKey::Key));
    }
}

//! The logs a witness knows: their keys, by origin. Owns the file that lists them, one key in a line.

use std::collections::BTreeMap;

use remit_evidence::log::vkey::{Algorithm, NoKey, VerifierKey};

/// Why a key is not taken for a log's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// It is no key, or a weak one.
    #[error("`{0}` cannot be trusted: {1}")]
    Key(String, NoKey),
    /// A log signs plain Ed25519 or ML-DSA-44.
    #[error("`{0}` is a witness's key, not a log's")]
    Kind(String),
    /// One key under two names would be two logs that can vouch for each other.
    #[error("the key of `{0}` is listed already")]
    Again(String),
    /// No line would say which of the two signed.
    #[error("`{0}` has a key with this id already")]
    Id(String),
    /// A witness that signed a log could not be told from it.
    #[error("the key of `{0}` is this witness's own")]
    Own(String),
}

/// The logs that are known.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    // INVARIANT (one key, one log): no public key stands twice.
    keys: BTreeMap<String, Vec<VerifierKey>>,
}

impl Logs {
    /// Reads the file.
    ///
    /// # Errors
    /// Says which key cannot be trusted.
    pub fn parse(text: &str, own: &[VerifierKey]) -> Result<Self, Distrust> {
        let mut logs = Self::default();
        text.lines().try_for_each(|line| logs.add(line, own))?;
        Ok(logs)
    }

    /// Adds a key, in the text of a verifier key, to those of the log it names.
    ///
    /// # Errors
    /// See [`Distrust`].
    pub fn add(&mut self, vkey: &str, own: &[VerifierKey]) -> Result<(), Distrust> {
        let key = VerifierKey::parse(vkey).map_err(|error| Distrust::Key(vkey.to_owned(), error))?;
        // An ML-DSA cosignature states the origin behind its length in one byte.
        if key.name().len() > usize::from(u8::MAX) {
            return Err(Distrust::Key(vkey.to_owned(), NoKey::Name));
        }
        let name = || key.name().to_owned();
        if key.algorithm() == Algorithm::Ed25519Cosignature {
            return Err(Distrust::Kind(name()));
        }
        if own.iter().any(|own| own.public_key() == key.public_key()) {
            return Err(Distrust::Own(name()));
        }
        if self.all().any(|known| known.public_key() == key.public_key()) {
            return Err(Distrust::Again(name()));
        }
        let keys = self.keys.entry(name()).or_default();
        if keys.iter().any(|known| known.id() == key.id()) {
            return Err(Distrust::Id(name()));
        }
        keys.push(key);
        Ok(())
    }

    /// All keys.
    pub fn all(&self) -> impl Iterator<Item = &VerifierKey> {
        self.keys.values().flatten()
    }

    /// The logs and their keys.
    pub fn by_origin(&self) -> impl Iterator<Item = (&str, &[VerifierKey])> {
        self.keys.iter().map(|(origin, keys)| (&origin[..], &keys[..]))
    }

    /// What the file holds.
    #[must_use]
    pub fn text(&self) -> String {
        self.all().map(|key| format!("{key}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signer::Signer;

    #[test]
    fn a_log_has_several_keys_and_a_key_one_log() {
        let ed = Signer::ed25519("log.example/a", Algorithm::Ed25519, &[1; 32]).expect("key");
        let ml = Signer::ml_dsa_44("log.example/a", &[1; 32]).expect("key");
        let own = Signer::ed25519("witness.example/w", Algorithm::Ed25519Cosignature, &[2; 32]).expect("key");
        let own = [own.vkey().clone()];
        let mut logs = Logs::default();
        for key in [&ed, &ml] {
            logs.add(&key.vkey().to_string(), &own).expect("trusted");
        }
        let read = Logs::parse(&logs.text(), &own).expect("read back");
        assert_eq!(
            read.by_origin().map(|(origin, keys)| (origin, keys.len())).collect::<Vec<_>>(),
            [("log.example/a", 2)]
        );

        let mut check = |key: VerifierKey, expected: Distrust| {
            assert_eq!(logs.add(&key.to_string(), &own), Err(expected));
        };
        let under = |name: &str, algorithm, seed: u8| {
            Signer::ed25519(name, algorithm, &[seed; 32]).expect("key").vkey().clone()
        };
        check(under("log.example/b", Algorithm::Ed25519, 1), Distrust::Again("log.example/b".into()));
        check(under("log.example/b", Algorithm::Ed25519, 2), Distrust::Own("log.example/b".into()));
        check(under("log.example/b", Algorithm::Ed25519Cosignature, 3), Distrust::Kind("log.example/b".into()));
        assert!(matches!(logs.add("log.example/b+00000000+AQ==", &own), Err(Distrust::Key(..))));
    }
}

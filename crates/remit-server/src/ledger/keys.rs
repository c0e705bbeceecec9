//! The log's own keys: one pair for one origin, Ed25519 for everybody and ML-DSA-44 for the day on which
//! Ed25519 no longer holds. Each is a seed in a file that only its owner may read.

use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, ML_DSA_44_SIGNING, PqdsaKeyPair};
use remit_evidence::log::note::NoteSigner;
use remit_evidence::log::vkey::{Algorithm, VerifierKey};

use crate::keys::{KeyUnusable, secret_in_file};

/// A key that signs checkpoints under the name of its log.
pub struct LogKey {
    pair: Pair,
    key: VerifierKey,
}

enum Pair {
    Ed25519(Box<Ed25519KeyPair>),
    MlDsa44(Box<PqdsaKeyPair>),
}

/// The names of the two files.
pub const FILES: [&str; 2] = ["log-ed25519.key", "log-ml-dsa-44.key"];

/// Both keys of the log of this origin, from this folder, made when the files are missing.
///
/// # Errors
/// When a file can be read by others, is no key, or cannot be made; or the origin names no key.
pub fn in_folder(folder: &Path, origin: &str) -> Result<[LogKey; 2], KeyUnusable> {
    let [ed25519, ml_dsa_44] = FILES.map(|name| secret_in_file(&folder.join(name)));
    Ok([LogKey::ed25519(&ed25519?, origin)?, LogKey::ml_dsa_44(&ml_dsa_44?, origin)?])
}

impl LogKey {
    /// The Ed25519 key of this seed.
    ///
    /// # Errors
    /// When the origin names no key.
    pub fn ed25519(seed: &[u8; 32], origin: &str) -> Result<Self, KeyUnusable> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|error| KeyUnusable(error.to_string()))?;
        let key = named(origin, Algorithm::Ed25519, pair.public_key().as_ref())?;
        Ok(Self { pair: Pair::Ed25519(Box::new(pair)), key })
    }

    /// The ML-DSA-44 key of this seed (FIPS 204, algorithm 6).
    ///
    /// # Errors
    /// As [`LogKey::ed25519`].
    pub fn ml_dsa_44(seed: &[u8; 32], origin: &str) -> Result<Self, KeyUnusable> {
        let pair = PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, seed).map_err(|error| KeyUnusable(error.to_string()))?;
        let key = named(origin, Algorithm::MlDsa44, pair.public_key().as_ref())?;
        Ok(Self { pair: Pair::MlDsa44(Box::new(pair)), key })
    }
}

fn named(origin: &str, algorithm: Algorithm, public_key: &[u8]) -> Result<VerifierKey, KeyUnusable> {
    VerifierKey::new(origin, algorithm, public_key).map_err(|error| KeyUnusable(format!("`{origin}`: {error}")))
}

impl NoteSigner for LogKey {
    fn key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        match &self.pair {
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::MlDsa44(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                let length = pair.sign(message, &mut signature).map_err(|error| error.to_string())?;
                signature.truncate(length);
                Ok(signature)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use remit_evidence::log::checkpoint::Checkpoint;
    use remit_evidence::log::merkle::empty_root;

    use super::*;

    #[test]
    fn both_keys_sign_what_others_verify() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = in_folder(folder.path(), "log.example/acme").expect("made");
        let signers = [&keys[0] as &dyn NoteSigner, &keys[1]];
        let note = Checkpoint::new("log.example/acme", 0, empty_root()).sign(&signers, 1_700_000_000).expect("signed");
        // The verifier is another implementation than the signer.
        let seals = note.seals(keys.iter().map(NoteSigner::key)).expect("both verify");
        assert_eq!(seals.iter().map(|seal| seal.time).collect::<Vec<_>>(), [None, Some(1_700_000_000)]);
        let again = in_folder(folder.path(), "log.example/acme").expect("read");
        assert!(keys.iter().map(NoteSigner::key).eq(again.iter().map(NoteSigner::key)));
        assert!(in_folder(folder.path(), "a b").is_err());
    }
}

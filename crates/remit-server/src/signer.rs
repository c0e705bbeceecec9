//! Private keys that sign notes, a log's and a witness's, from seeds of 32 bytes. Owns no files.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, ML_DSA_44_SIGNING, PqdsaKeyPair};
use remit_evidence::log::note::NoteSigner;
use remit_evidence::log::vkey::{Algorithm, NoKey, VerifierKey};

/// A private key with the name it signs under.
pub struct Signer {
    key: VerifierKey,
    private: Private,
}

enum Private {
    Ed25519(Ed25519KeyPair),
    MlDsa44(PqdsaKeyPair),
}

impl Signer {
    /// An Ed25519 key that signs plainly or cosigns, as the algorithm says.
    ///
    /// # Errors
    /// When the name may not name a key.
    pub fn ed25519(name: &str, algorithm: Algorithm, seed: &[u8; 32]) -> Result<Self, NoKey> {
        let private = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| NoKey::Key)?;
        let key = VerifierKey::new(name, algorithm, private.public_key().as_ref())?;
        Ok(Self { key, private: Private::Ed25519(private) })
    }

    /// An ML-DSA-44 key.
    ///
    /// # Errors
    /// When the name may not name such a key.
    pub fn ml_dsa_44(name: &str, seed: &[u8; 32]) -> Result<Self, NoKey> {
        // The name is part of what is signed, behind its length in one byte.
        if name.len() > usize::from(u8::MAX) {
            return Err(NoKey::Name);
        }
        let private = PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, seed).map_err(|_| NoKey::Key)?;
        let key = VerifierKey::new(name, Algorithm::MlDsa44, private.public_key().as_ref())?;
        Ok(Self { key, private: Private::MlDsa44(private) })
    }

    /// The key under which its signatures verify.
    #[must_use]
    pub fn vkey(&self) -> &VerifierKey {
        &self.key
    }
}

impl NoteSigner for Signer {
    fn key(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        match &self.private {
            Private::Ed25519(private) => Ok(private.sign(message).as_ref().to_vec()),
            Private::MlDsa44(private) => {
                let mut signature = vec![0; Algorithm::MlDsa44.signature_bytes()];
                let length = private.sign(message, &mut signature).map_err(|_| "ML-DSA-44 failed".to_owned())?;
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
    fn every_kind_of_key_makes_signatures_that_another_library_accepts() {
        let text = Checkpoint::new("log.example/a", 0, empty_root());
        for signer in [
            Signer::ed25519("log.example/a", Algorithm::Ed25519, &[1; 32]).expect("key"),
            Signer::ml_dsa_44("log.example/a", &[1; 32]).expect("key"),
        ] {
            let note = text.sign(&[&signer], 7).expect("signed");
            assert_eq!(note.seals([signer.vkey()]).expect("valid").len(), 1);
        }
        assert_eq!(Signer::ml_dsa_44(&"n".repeat(256), &[1; 32]).err(), Some(NoKey::Name));
    }
}

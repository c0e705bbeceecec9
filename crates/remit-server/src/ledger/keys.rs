//! The log's own keys: one pair for one origin, Ed25519 for everybody and ML-DSA-44 for the day on which
//! Ed25519 no longer holds. Each is a seed in a file that only its owner may read; the first may be in a
//! token instead ([`pkcs11`](crate::pkcs11)).

use std::path::Path;

use remit_evidence::log::vkey::{Algorithm, NoKey};

use crate::keys::{KeyUnusable, secret_in_file};
use crate::signer::Signer;

/// The names of the two files, Ed25519 and ML-DSA-44: those of a gateway's first log, or of a later one of this name.
#[must_use]
pub fn files(later: Option<&str>) -> [String; 2] {
    let log = later.map_or_else(|| "log".to_owned(), |name| format!("log-{name}"));
    ["ed25519", "ml-dsa-44"].map(|algorithm| format!("{log}-{algorithm}.key"))
}

/// The Ed25519 key of the log of this origin from this file, made when the file is missing.
///
/// # Errors
/// When the file can be read by others, is no key, or cannot be made; or the origin names no key.
pub fn ed25519(file: &Path, origin: &str) -> Result<Signer, KeyUnusable> {
    Signer::ed25519(origin, Algorithm::Ed25519, &secret_in_file(file)?).map_err(|error| named(origin, &error))
}

/// The ML-DSA-44 key of the log of this origin from this file, made when the file is missing.
///
/// # Errors
/// As [`ed25519`].
pub fn ml_dsa_44(file: &Path, origin: &str) -> Result<Signer, KeyUnusable> {
    Signer::ml_dsa_44(origin, &secret_in_file(file)?).map_err(|error| named(origin, &error))
}

fn named(origin: &str, error: &NoKey) -> KeyUnusable {
    KeyUnusable(format!("`{origin}`: {error}"))
}

#[cfg(test)]
mod tests {
    use remit_evidence::log::checkpoint::Checkpoint;
    use remit_evidence::log::merkle::empty_root;
    use remit_evidence::log::note::NoteSigner;

    use super::*;

    #[test]
    fn both_keys_sign_what_others_verify() {
        let folder = tempfile::tempdir().expect("a folder");
        let [first, second] = files(None).map(|name| folder.path().join(name));
        let both = || [ed25519(&first, "log.example/acme"), ml_dsa_44(&second, "log.example/acme")];
        let keys = both().map(|key| key.expect("made"));
        let signers = [&keys[0] as &dyn NoteSigner, &keys[1]];
        let note = Checkpoint::new("log.example/acme", 0, empty_root()).sign(&signers, 1_700_000_000).expect("signed");
        // The verifier is another implementation than the signer.
        let seals = note.seals(keys.iter().map(NoteSigner::key)).expect("both verify");
        assert_eq!(seals.iter().map(|seal| seal.time).collect::<Vec<_>>(), [None, Some(1_700_000_000)]);
        let again = both().map(|key| key.expect("read"));
        assert!(keys.iter().map(NoteSigner::key).eq(again.iter().map(NoteSigner::key)));
        assert!(ed25519(&first, "a b").is_err() && ml_dsa_44(&second, "a b").is_err());
    }
}

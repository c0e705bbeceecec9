//! The log's own keys: one pair for one origin, Ed25519 for everybody and ML-DSA-44 for the day on which
//! Ed25519 no longer holds. Each is a seed in a file that only its owner may read.

use std::path::Path;

use remit_evidence::log::vkey::{Algorithm, NoKey};

use crate::keys::{KeyUnusable, secret_in_file};
use crate::signer::Signer;

/// The names of the two files.
pub const FILES: [&str; 2] = ["log-ed25519.key", "log-ml-dsa-44.key"];

/// Both keys of the log of this origin, from this folder, made when the files are missing.
///
/// # Errors
/// When a file can be read by others, is no key, or cannot be made; or the origin names no key.
pub fn in_folder(folder: &Path, origin: &str) -> Result<[Signer; 2], KeyUnusable> {
    let [ed25519, ml_dsa_44] = FILES.map(|name| secret_in_file(&folder.join(name)));
    let named = |error: NoKey| KeyUnusable(format!("`{origin}`: {error}"));
    let ed25519 = Signer::ed25519(origin, Algorithm::Ed25519, &ed25519?).map_err(named)?;
    Ok([ed25519, Signer::ml_dsa_44(origin, &ml_dsa_44?).map_err(named)?])
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

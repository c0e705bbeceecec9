//! The gateway's own signing keys, and its randomness.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use remit_app::ports::{Clock, Entropy};
use remit_evidence::writer::Sign;

/// An Ed25519 key in memory.
pub struct Ed25519(Ed25519KeyPair);

/// A key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyUnusable(pub(crate) String);

impl Ed25519 {
    /// A fresh key that exists in this process only.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate() -> Result<Self, KeyUnusable> {
        let seed = random().map_err(|error| KeyUnusable(error.to_string()))?;
        Self::from_seed(&seed)
    }

    fn from_seed(seed: &[u8; 32]) -> Result<Self, KeyUnusable> {
        Ed25519KeyPair::from_seed_unchecked(seed).map(Self).map_err(|error| KeyUnusable(error.to_string()))
    }

    /// The key in this file, made when the file is missing. Only its owner may read it.
    ///
    /// # Errors
    /// When the file can be read by others, is no key, or cannot be made.
    pub fn in_file(path: &Path) -> Result<Self, KeyUnusable> {
        let seed = secret_in_file(path)?;
        Self::from_seed(&seed)
    }
}

/// The 32 secret bytes in this file, made when the file is missing.
///
/// # Errors
/// As [`Ed25519::in_file`].
pub fn secret_in_file(path: &Path) -> Result<[u8; 32], KeyUnusable> {
    let fail = |what: &str| KeyUnusable(format!("`{}` {what}", path.display()));
    if !path.exists() {
        let seed = random().map_err(|error| KeyUnusable(error.to_string()))?;
        // Whole or not at all: a crash on the way leaves a draft, and not an empty key that no later
        // start could use. The link, unlike a rename, never replaces a key that is there already.
        let draft = path.with_extension("draft");
        let _ = std::fs::remove_file(&draft);
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(&draft);
        let mut file = file.map_err(|error| fail(&format!("cannot be made: {error}")))?;
        file.write_all(&seed)
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::hard_link(&draft, path))
            .map_err(|error| fail(&format!("cannot be written: {error}")))?;
        let _ = std::fs::remove_file(&draft);
    }
    let metadata = std::fs::metadata(path).map_err(|error| fail(&format!("cannot be read: {error}")))?;
    if metadata.mode() & 0o077 != 0 {
        return Err(fail("can be read by others; use mode 600"));
    }
    let bytes = std::fs::read(path).map_err(|error| fail(&format!("cannot be read: {error}")))?;
    bytes.try_into().map_err(|_| fail("is no key of 32 bytes"))
}

fn random() -> Result<[u8; 32], getrandom::Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map(|()| bytes)
}

impl Sign for Ed25519 {
    fn public_key(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap_or([0; 32])
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).as_ref().try_into().unwrap_or([0; 64])
    }
}

/// The operating system's clock and randomness.
#[derive(Debug, Default)]
pub struct Machine;

impl Clock for Machine {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

impl Entropy for Machine {
    fn bytes(&self) -> [u8; 32] {
        // Without randomness nothing can be made unguessable: stopping is the only honest answer.
        #[expect(clippy::expect_used, reason = "a machine without randomness cannot run a gateway")]
        random().expect("the operating system gives randomness")
    }
}

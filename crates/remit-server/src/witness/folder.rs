//! The folder of a witness: its name, keys, the logs it knows, the heads it cosigned, and the lock that
//! keeps a second process out.
//!
//! ```text
//! name             who it is; written last, so a folder without it is not a witness yet
//! ed25519.key      32 secret bytes, mode 600
//! ml-dsa-44.key    the same, if this kind of key was made
//! logs             verifier keys of the logs it knows, one in a line
//! heads/HASH       the checkpoint of each log that was cosigned last
//! forks/           what logs were caught with
//! lock             held by the process that serves
//! logs.lock        held while `logs` is changed
//! ```

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use remit_app::ports::Clock;
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::vkey::{Algorithm, NoKey, VerifierKey};

use super::desk::{Unopened, Witness};
use super::disk::{Disk as _, Folder};
use super::head::Seen;
use super::trust::{Distrust, Logs};
use crate::keys::{KeyUnusable, secret_in_file};
use crate::signer::Signer;

const NAME: &str = "name";
const ED25519: &str = "ed25519.key";
const ML_DSA_44: &str = "ml-dsa-44.key";
const LOGS: &str = "logs";
const HEADS: &str = "heads";
const FORKS: &str = "forks";
const LOCK: &str = "lock";
const LOGS_LOCK: &str = "logs.lock";

/// What is wrong with a folder.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A file or folder cannot be used.
    #[error("`{0}`: {1}")]
    Io(PathBuf, #[source] io::Error),
    /// There is a witness already.
    #[error("`{0}` is a witness already; one identity stays one for life")]
    Made(PathBuf),
    /// There is none.
    #[error("`{0}` is no witness; `remit witness init` makes one")]
    Missing(PathBuf),
    /// What it had seen is gone.
    #[error("`{0}` is missing: this witness has lost what it has seen and must not go on; see docs/witnesses.md")]
    Lost(PathBuf),
    /// Another process has it.
    #[error("another process uses `{0}`")]
    InUse(PathBuf),
    /// The name may not name a key.
    #[error("`{0}` cannot be its name: {1}")]
    Name(String, NoKey),
    /// A secret cannot be used.
    #[error(transparent)]
    Key(#[from] KeyUnusable),
    /// A key of a log cannot be trusted.
    #[error(transparent)]
    Distrust(#[from] Distrust),
    /// What it wrote cannot be gone on from.
    #[error(transparent)]
    Unopened(#[from] Unopened),
}

/// What is to be said about a witness.
#[derive(Debug)]
pub struct Status {
    /// The keys it cosigns with.
    pub keys: Vec<VerifierKey>,
    /// The keys of the logs it knows.
    pub logs: Vec<VerifierKey>,
    /// The checkpoints it cosigned last, and when, in seconds since 1970.
    pub heads: Vec<(Checkpoint, u64)>,
    /// The names of the files in `forks/`.
    pub forks: Vec<String>,
}

/// Makes a witness: keys, then the name. Answers with the keys that others are to know.
///
/// # Errors
/// See [`FolderError`].
pub fn make(path: &Path, name: &str, ml_dsa: bool) -> Result<Vec<VerifierKey>, FolderError> {
    let io = |error| FolderError::Io(path.to_owned(), error);
    // Before anything is written: the seed does not matter for whether a name may be one.
    let named = |error| FolderError::Name(name.to_owned(), error);
    Signer::ml_dsa_44(name, &[0; 32]).map_err(named)?;
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
    let _lock = lock(path, LOCK)?;
    if path.join(NAME).exists() {
        return Err(FolderError::Made(path.to_owned()));
    }
    for folder in [HEADS, FORKS] {
        DirBuilder::new().recursive(true).mode(0o700).create(path.join(folder)).map_err(io)?;
    }
    secret_in_file(&path.join(ED25519))?;
    if ml_dsa {
        secret_in_file(&path.join(ML_DSA_44))?;
    }
    let disk = Folder::open(path).map_err(io)?;
    disk.sync().and_then(|()| disk.replace(NAME, format!("{name}\n").as_bytes())).map_err(io)?;
    Ok(signers(path)?.iter().map(|signer| signer.vkey().clone()).collect())
}

/// Adds keys of logs. All of them, or none; a running witness knows them after its next start.
///
/// # Errors
/// See [`FolderError`].
pub fn trust(path: &Path, vkeys: &[String]) -> Result<Logs, FolderError> {
    let own: Vec<VerifierKey> = signers(path)?.iter().map(|signer| signer.vkey().clone()).collect();
    let _lock = lock(path, LOGS_LOCK)?;
    let mut logs = logs(path, &own)?;
    vkeys.iter().try_for_each(|vkey| logs.add(vkey, &own))?;
    let disk = Folder::open(path).map_err(|error| FolderError::Io(path.to_owned(), error))?;
    disk.replace(LOGS, logs.text().as_bytes()).map_err(|error| FolderError::Io(path.join(LOGS), error))?;
    Ok(logs)
}

/// Opens a witness to serve, and with it the lock, to be held as long as it serves.
///
/// # Errors
/// See [`FolderError`].
pub fn open(path: &Path, clock: Box<dyn Clock>) -> Result<(Arc<Witness>, File), FolderError> {
    let signers = signers(path)?;
    let held = lock(path, LOCK)?;
    let own: Vec<VerifierKey> = signers.iter().map(|signer| signer.vkey().clone()).collect();
    let logs = logs(path, &own)?;
    let folder = |name: &str| {
        let path = path.join(name);
        Folder::open(&path).map(Box::new).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => FolderError::Lost(path),
            _ => FolderError::Io(path, error),
        })
    };
    Ok((Witness::open(signers, &logs, folder(HEADS)?, folder(FORKS)?, clock)?, held))
}

/// Looks at a witness, whether it serves or not.
///
/// # Errors
/// See [`FolderError`].
pub fn look(path: &Path) -> Result<Status, FolderError> {
    let keys: Vec<VerifierKey> = signers(path)?.iter().map(|signer| signer.vkey().clone()).collect();
    let logs = logs(path, &keys)?.all().cloned().collect();
    let folder = |name: &str| Folder::open(&path.join(name)).map_err(|error| FolderError::Io(path.join(name), error));
    let names = |disk: &Folder, name| disk.names().map_err(|error| FolderError::Io(path.join(name), error));
    let disk = folder(HEADS)?;
    let mut heads = Vec::new();
    for name in names(&disk, HEADS)? {
        let foreign = |why: String| Unopened::Foreign(format!("{HEADS}/{name}"), why);
        let bytes = disk.read(&name).map_err(|error| FolderError::Io(path.join(HEADS), error))?;
        let seen = Seen::recall(&name, &bytes, keys.iter()).map_err(foreign)?;
        heads.push((seen.head, seen.time));
    }
    heads.sort_by(|(one, _), (other, _)| one.origin.cmp(&other.origin));
    Ok(Status { keys, logs, heads, forks: names(&folder(FORKS)?, FORKS)? })
}

/// The keys of a witness. None is made here: a key that is missing is not replaced by another.
fn signers(path: &Path) -> Result<Vec<Signer>, FolderError> {
    let name = match std::fs::read_to_string(path.join(NAME)) {
        Ok(name) => name.trim_end_matches('\n').to_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(FolderError::Missing(path.to_owned())),
        Err(error) => return Err(FolderError::Io(path.join(NAME), error)),
    };
    let named = |error| FolderError::Name(name.clone(), error);
    let file = path.join(ED25519);
    if !file.exists() {
        return Err(FolderError::Lost(file));
    }
    let seed = secret_in_file(&file)?;
    let mut signers = vec![Signer::ed25519(&name, Algorithm::Ed25519Cosignature, &seed).map_err(named)?];
    if path.join(ML_DSA_44).exists() {
        let seed = secret_in_file(&path.join(ML_DSA_44))?;
        signers.push(Signer::ml_dsa_44(&name, &seed).map_err(named)?);
    }
    Ok(signers)
}

fn logs(path: &Path, own: &[VerifierKey]) -> Result<Logs, FolderError> {
    match std::fs::read_to_string(path.join(LOGS)) {
        Ok(text) => Ok(Logs::parse(&text, own)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Logs::default()),
        Err(error) => Err(FolderError::Io(path.join(LOGS), error)),
    }
}

/// Takes a lock. The system gives it back when the process ends, however it ends.
fn lock(path: &Path, name: &str) -> Result<File, FolderError> {
    let file = path.join(name);
    let io = |error| FolderError::Io(file.clone(), error);
    let held = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&file).map_err(io)?;
    match held.try_lock() {
        Ok(()) => Ok(held),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

//! The [`Tiles`] port on a bucket in an object store that speaks S3: the same names as in a folder, below a
//! prefix. An object is created once, and the object store itself refuses to create it again; only
//! `checkpoint` is ever replaced. Knows neither who may read the bucket nor how it is kept.

mod access;

use std::sync::{Arc, OnceLock};

use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, PutPayload,
};
use remit_app::ledger::{LedgerError, Tiles};
use remit_evidence::log::tile::Tile;

pub use self::access::Access;
use super::errand::Errands;
use super::files;
use super::once::{self, Breach};

/// Most bytes that are read of one object: a bundle of 256 entries that are as long as they can be.
const OBJECT_BYTES_MAX: u64 = 256 * (2 + 65_535);
/// Longest text of an error: an object store may answer with a page.
const ERROR_CHARS_MAX: usize = 300;

/// A bucket that holds one log, below a prefix.
pub struct LedgerBucket {
    objects: Arc<dyn ObjectStore>,
    prefix: Path,
    errands: Errands,
    breach: Breach,
    /// Set once the object store has refused to create what is there.
    refuses: OnceLock<()>,
}

impl LedgerBucket {
    /// A bucket in an object store. Reads its credentials once, so that a missing one is found now, and
    /// sends nothing.
    ///
    /// # Errors
    /// When a credential cannot be read, or there can be no client.
    pub fn open(access: &Access) -> Result<Self, LedgerError> {
        Self::over(access.client()?, &access.prefix)
    }

    /// The ledger below this prefix of an object store.
    ///
    /// # Errors
    /// When the prefix is none, or there can be no thread.
    pub fn over(objects: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self, LedgerError> {
        let failed = |error: &dyn std::fmt::Display| LedgerError::Failed(format!("`{prefix}`: {error}"));
        Ok(Self {
            objects,
            prefix: Path::parse(prefix).map_err(|error| failed(&error))?,
            errands: Errands::start().map_err(|error| failed(&error))?,
            breach: Breach::default(),
            refuses: OnceLock::new(),
        })
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, LedgerError> {
        let (objects, path) = (Arc::clone(&self.objects), self.path(name));
        self.errands.run(async move {
            let found = match objects.get_opts(&path, GetOptions::default()).await {
                Err(Error::NotFound { .. }) => return Ok(None),
                found => found.map_err(|error| failed(&path, &error))?,
            };
            if found.meta.size > OBJECT_BYTES_MAX {
                return Err(LedgerError::Failed(format!("`{path}` is too large for a file of a ledger")));
            }
            let bytes = found.bytes().await.map_err(|error| failed(&path, &error))?;
            Ok(Some(bytes.to_vec()))
        })
    }

    /// Writes an object; `false` when the mode forbids it because it is there.
    fn write(&self, name: &str, bytes: &[u8], mode: PutMode, shown: files::Shown) -> Result<bool, LedgerError> {
        let (objects, path) = (Arc::clone(&self.objects), self.path(name));
        let payload = PutPayload::from(bytes.to_vec());
        let attributes = [(Attribute::ContentType, shown.content_type), (Attribute::CacheControl, shown.cache_control)];
        let options = PutOptions { mode, attributes: Attributes::from_iter(attributes), ..PutOptions::default() };
        self.errands.run(async move {
            match objects.put_opts(&path, payload, options).await {
                Ok(_) => Ok(true),
                Err(Error::AlreadyExists { .. }) => Ok(false),
                Err(error) => Err(failed(&path, &error)),
            }
        })
    }

    fn create(&self, tile: Tile, bytes: &[u8]) -> Result<bool, LedgerError> {
        self.write(&tile.to_string(), bytes, PutMode::Create, files::TILE)
    }

    fn put(&self, tile: Tile, bytes: &[u8]) -> Result<(), LedgerError> {
        once::whole(tile, bytes)?;
        if self.refuses.get().is_none() {
            self.prove(tile, bytes)?;
        } else if self.create(tile, bytes)? {
            return Ok(());
        }
        match self.get(tile)? {
            Some(there) if there == bytes => Ok(()),
            Some(_) => Err(once::other(tile)),
            None => Err(LedgerError::Failed(format!("`{tile}` was there, and is gone"))),
        }
    }

    /// INVARIANT (a file is written once): an object store that ignores `If-None-Match` would overwrite,
    /// and say that all is well. So the first write of each process looks before it writes, and then writes
    /// the same bytes again, which must be refused.
    fn prove(&self, tile: Tile, bytes: &[u8]) -> Result<(), LedgerError> {
        match self.get(tile)? {
            Some(there) if there != bytes => return Err(once::other(tile)),
            Some(_) => {}
            None => drop(self.create(tile, bytes)?),
        }
        if self.create(tile, bytes)? {
            let why = "the object store overwrites what is there: it does not hold to `If-None-Match: *`";
            return Err(LedgerError::Broken(why.into()));
        }
        let _first = self.refuses.set(());
        Ok(())
    }
}

impl Tiles for LedgerBucket {
    fn get(&self, tile: Tile) -> Result<Option<Vec<u8>>, LedgerError> {
        self.read(&tile.to_string())
    }

    fn put(&self, tile: Tile, bytes: &[u8]) -> Result<(), LedgerError> {
        self.breach.or(|| self.put(tile, bytes))
    }

    fn discard_partials(&self, full: Tile) -> bool {
        if !full.is_full() {
            return false;
        }
        let (path, partials) = (self.path(&full.to_string()), self.path(&format!("{full}.p")));
        let objects = Arc::clone(&self.objects);
        let gone = self.errands.run(async move {
            objects.head(&path).await.map_err(|error| failed(&path, &error))?;
            let found = objects.list(Some(&partials)).map_ok(|object| object.location).boxed();
            let gone = objects.delete_stream(found).try_fold(0_usize, |gone, _| async move { Ok(gone + 1) }).await;
            gone.map_err(|error| failed(&partials, &error))
        });
        gone.is_ok_and(|gone| gone > 0)
    }

    fn published(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        self.read(files::CHECKPOINT_NAME)
    }

    fn publish(&self, note: &str) -> Result<(), LedgerError> {
        self.breach.or(|| {
            let written = self.write(files::CHECKPOINT_NAME, note.as_bytes(), PutMode::Overwrite, files::CHECKPOINT)?;
            // Only a creation can be refused like that.
            written.then_some(()).ok_or_else(|| LedgerError::Failed("the checkpoint was not replaced".into()))
        })
    }
}

/// Whatever it was, it may be another time: nothing was changed that could not be written again.
fn failed(path: &Path, error: &Error) -> LedgerError {
    let said = match error {
        // What object stores answer here may name the key.
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => "the object store does not let us".into(),
        error => error.to_string(),
    };
    let said: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(ERROR_CHARS_MAX).collect();
    LedgerError::Failed(format!("`{path}`: {said}"))
}

#[cfg(test)]
mod tests;

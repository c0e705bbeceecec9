//! Where a folder keeps the store, the keys and the logs of its gateway.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use remit_app::ledger::Tiles;
use remit_config::settings::{LedgerFiles, Settings, StorePlace};
use remit_store_sqlite::SqliteStore;

use crate::logs::{Log, Logs};
use crate::terminal::Failure;

/// Where everything of these logs is.
pub struct Place<'a> {
    pub folder: &'a Path,
    pub settings: &'a Settings,
}

impl<'a> Place<'a> {
    /// The folder in which the gateway keeps its keys.
    pub fn keys(&self) -> PathBuf {
        let store = store_of(self.folder, self.settings);
        store.parent().unwrap_or(self.folder).to_owned()
    }

    /// All logs, as the store has them.
    pub async fn logs(&self) -> Result<Logs<'a>, Failure> {
        Logs::of(self.settings, self.folder, &self.store()?).await
    }

    /// The files of a log. Looking never makes a folder.
    pub fn open(&self, logs: &Logs<'_>, log: &Log) -> Result<Arc<dyn Tiles>, Failure> {
        if let LedgerFiles::Folder(path) = &self.settings.ledger.files {
            let path = self.folder.join(path);
            if !path.is_dir() {
                return Err(Failure::said(format!("there is no ledger at `{}`", path.display())));
            }
        }
        logs.tiles(&log.origin)
    }

    /// The store, only to be looked at.
    pub fn store(&self) -> Result<SqliteStore, Failure> {
        let path = store_of(self.folder, self.settings);
        SqliteStore::inspect(&path).map_err(|error| Failure::said(error.to_string()))
    }
}

/// The file of the store. The gateway's keys lie beside it.
pub fn store_of(folder: &Path, settings: &Settings) -> PathBuf {
    let StorePlace::Sqlite(file) = &settings.store;
    folder.join(file)
}

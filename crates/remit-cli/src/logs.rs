//! The logs of a gateway, one after the other: the store says which there are, remit.yaml where things are kept.

use std::path::Path;
use std::sync::Arc;

use remit_app::ledger::{Epoch, Head, Tiles};
use remit_app::ports::{RecordFilter, Store};
use remit_app::prove::{LogFiles, Prover};
use remit_config::settings::{LedgerFiles, Settings};
use remit_evidence::log::vkey::VerifierKey;
use remit_evidence::record::Kind;
use remit_server::ledger::bucket::LedgerBucket;
use remit_server::ledger::files::is_log;
use remit_server::ledger::folder::LedgerFolder;

use crate::ledger::access;
use crate::log_keys::LogKeys;
use crate::terminal::Failure;

/// How many records are read at once.
const PAGE: u32 = 1_000;

/// All logs of a folder.
pub struct Logs<'a> {
    settings: &'a Settings,
    folder: &'a Path,
    epochs: Vec<Epoch>,
    /// Keys that were taken back, each from which leaf on.
    revoked: Vec<(VerifierKey, u64)>,
}

/// One of them.
pub struct Log {
    /// Its name.
    pub origin: String,
    /// How many records stand before its first leaf.
    pub first: u64,
    /// Its final head, if it has ended.
    pub ended: Option<Head>,
    /// Its verifier keys.
    pub keys: Vec<VerifierKey>,
}

impl<'a> Logs<'a> {
    /// Those that the store knows of.
    pub async fn of(settings: &'a Settings, folder: &'a Path, store: &dyn Store) -> Result<Self, Failure> {
        let epochs = store.epochs().await.map_err(|error| Failure::said(error.to_string()))?;
        let revoked = revoked(store).await?;
        let logs = Self { settings, folder, epochs, revoked };
        let names = logs.epochs.iter().flat_map(|epoch| [&epoch.ended.origin, &epoch.origin]);
        names.map(|origin| logs.later(origin)).collect::<Result<Vec<_>, _>>()?;
        Ok(logs)
    }

    /// Those of a folder without a store.
    pub const fn none(settings: &'a Settings, folder: &'a Path) -> Self {
        Self { settings, folder, epochs: Vec::new(), revoked: Vec::new() }
    }

    /// The name of the log that is signed now.
    pub fn origin(&self) -> &str {
        self.epochs.last().map_or(&self.settings.ledger.origin, |epoch| &epoch.origin)
    }

    /// The log that is signed now and the one before it, if there was one.
    pub fn last(&self) -> Option<&Epoch> {
        self.epochs.last()
    }

    /// How many records stand before the first leaf of the log that ended last.
    pub fn before_last(&self) -> u64 {
        self.epochs.iter().rev().nth(1).map_or(0, |epoch| epoch.first)
    }

    /// The keys that were taken back, each from which leaf on.
    pub fn revoked(&self) -> &[(VerifierKey, u64)] {
        &self.revoked
    }

    /// How often auditors had to be told something new: ends of logs, and keys that were taken back.
    pub fn news(&self) -> u64 {
        (self.epochs.len() + self.revoked.len()) as u64
    }

    /// All of them, in their order. Looking makes no key.
    pub fn all(&self) -> Result<Vec<Log>, Failure> {
        let mut logs = Vec::new();
        let mut first = 0;
        for epoch in &self.epochs {
            let (origin, keys) = (epoch.ended.origin.clone(), epoch.ended_keys.clone());
            logs.push(Log { origin, first, ended: Some(epoch.ended.clone()), keys });
            first = epoch.first;
        }
        let keys = match self.epochs.last() {
            Some(epoch) => epoch.keys.clone(),
            None => {
                let keys = LogKeys::of(self.settings, self.folder, self.origin()).look()?;
                keys.iter().map(|key| key.key().clone()).collect()
            }
        };
        logs.push(Log { origin: self.origin().to_owned(), first, ended: None, keys });
        Ok(logs)
    }

    /// The files of the log of this name, wherever they are.
    pub fn tiles(&self, origin: &str) -> Result<Arc<dyn Tiles>, Failure> {
        let later = self.later(origin)?;
        Ok(match &self.settings.ledger.files {
            LedgerFiles::Folder(path) => {
                let path = self.folder.join(path);
                let path = later.map_or_else(|| path.clone(), |name| path.join(name));
                let opened = LedgerFolder::open(&path);
                Arc::new(opened.map_err(|error| Failure::Io(path.display().to_string(), error))?)
            }
            LedgerFiles::Bucket(bucket) => {
                let mut access = access(bucket, self.folder);
                if let Some(name) = later {
                    access.prefix = [&*access.prefix, name]
                        .into_iter()
                        .filter(|part| !part.is_empty())
                        .collect::<Vec<_>>()
                        .join("/");
                }
                let opened = LedgerBucket::open(&access);
                Arc::new(opened.map_err(|error| Failure::said(format!("the bucket of the ledger: {error}")))?)
            }
        })
    }

    /// What proves places in all of them.
    pub fn prover(&self, store: Arc<dyn Store>) -> Result<Prover, Failure> {
        let mut logs = Vec::new();
        let mut first = 0;
        for epoch in &self.epochs {
            let origin = epoch.ended.origin.clone();
            logs.push(LogFiles { tiles: self.tiles(&origin)?, origin, first });
            first = epoch.first;
        }
        logs.push(LogFiles { tiles: self.tiles(self.origin())?, origin: self.origin().to_owned(), first });
        Ok(Prover::new(store, logs))
    }

    /// What stands behind the origin of the first log; `None` for that one.
    fn later<'o>(&self, origin: &'o str) -> Result<Option<&'o str>, Failure> {
        let base = &self.settings.ledger.origin;
        match origin.strip_prefix(&**base).map(|rest| rest.strip_prefix('/')) {
            _ if origin == base => Ok(None),
            Some(Some(name)) if is_log(name) => Ok(Some(name)),
            _ => Err(Failure::said(format!(
                "the store has the log `{origin}`, and remit.yaml names `{base}`: a log keeps its name"
            ))),
        }
    }
}

/// The keys of logs that records say were taken back.
async fn revoked(store: &dyn Store) -> Result<Vec<(VerifierKey, u64)>, Failure> {
    let (mut found, mut after) = (Vec::new(), 0);
    loop {
        let filter = RecordFilter { kind: Some(Kind::Key), after, limit: PAGE, ..RecordFilter::default() };
        let page = store.records(&filter).await.map_err(|error| Failure::said(error.to_string()))?;
        for record in &page {
            let said = remit_core::json::parse(&record.envelope.payload).unwrap_or_default()["predicate"].take();
            if said["event"] == "log_key_revoked" {
                let key = said["key"].as_str().and_then(|key| VerifierKey::parse(key).ok());
                let read = key.zip(said["from"].as_u64());
                found.push(read.ok_or_else(|| Failure::said(format!("`{}` takes no key back", record.id)))?);
            }
        }
        after += page.len() as u64;
        if page.len() < PAGE as usize {
            return Ok(found);
        }
    }
}

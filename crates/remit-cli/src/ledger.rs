//! Putting a sealer together from what the folder chose.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use remit_app::ledger::Epoch;
use remit_app::ports::Store;
use remit_app::seal::{Cosigner, Sealer, Tools};
use remit_app::stamp::{self, Stamper};
use remit_app::witness::Witness;
use remit_config::settings::{Bucket, Settings, Timestamps};
use remit_evidence::log::vkey::VerifierKey;
use remit_evidence::stamp::{Timestamper, nameable};
use remit_server::keys::Machine;
use remit_server::ledger::bucket::Access;
use remit_server::ledger::guard::GuardFile;
use remit_server::ledger::patience::Patience;
use remit_server::ledger::timestamper;
use remit_server::witness::client::{Address, Remote};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::log_keys::{Key, LogKeys};
use crate::logs::Logs;
use crate::terminal::Failure;
use crate::{folder, upstreams};

/// How long one exchange with a witness may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// The parts from which sealers of a folder are made.
pub struct Workshop<'a> {
    pub settings: &'a Settings,
    pub folder: &'a Path,
    pub store: Arc<dyn Store>,
    /// Those who are asked. Each must be one that the folder lists, by the name of its key.
    pub witnesses: Vec<Arc<dyn Witness>>,
}

impl Workshop<'_> {
    /// The sealer of the log that is signed now. The log before it is finished by it, if anything is left to do.
    pub fn sealer(&self, logs: &Logs<'_>) -> Result<Sealer, Failure> {
        let keys = LogKeys::of(self.settings, self.folder, logs.origin());
        let signers = keys.open()?;
        let own = |epoch: &Epoch| signers.iter().map(|key| key.key()).eq(&epoch.keys);
        if logs.last().is_some_and(|epoch| !own(epoch)) {
            return Err(Failure::said(format!(
                "the keys of the log `{}` are others than it was begun with ({}): where its Ed25519 key is now, \
                 remit.yaml says as `ledger: key:`",
                logs.origin(),
                keys.places().join(", ")
            )));
        }
        let tools = self.tools(logs, logs.origin(), signers)?;
        let sealer = Sealer::new(logs.origin(), tools, self.cosigners()?, self.settings.ledger.quorum);
        match logs.last() {
            Some(epoch) => Ok(sealer.behind(epoch, self.finisher(logs, logs.before_last(), epoch)?)),
            None => Ok(sealer),
        }
    }

    /// What finishes the log, behind so many records, that ended where this one begins.
    pub fn finisher(&self, logs: &Logs<'_>, first: u64, epoch: &Epoch) -> Result<Sealer, Failure> {
        let tools = self.tools(logs, &epoch.ended.origin, Vec::new())?;
        let (keys, quorum) = (&epoch.ended_keys, self.settings.ledger.quorum);
        Ok(Sealer::of_ended(first, epoch.ended.clone(), keys, tools, self.cosigners()?, quorum))
    }

    fn tools(&self, logs: &Logs<'_>, origin: &str, signers: Vec<Key>) -> Result<Tools, Failure> {
        let io = |what: &Path| {
            let what = what.display().to_string();
            move |error| Failure::Io(what, error)
        };
        let state = folder::state_of(self.folder);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&state).map_err(io(&state))?;
        let guard = self.folder.join(&self.settings.ledger.guard);
        Ok(Tools {
            store: Arc::clone(&self.store),
            tiles: logs.tiles(origin)?,
            guard: Arc::new(GuardFile::at(&guard).map_err(io(&guard))?),
            clock: Arc::new(Machine),
            signers,
        })
    }

    fn cosigners(&self) -> Result<Vec<Cosigner>, Failure> {
        let keys = witness_keys(self.settings)?;
        let cosigner = |witness: &Arc<dyn Witness>| {
            let key = keys.iter().find(|key| key.name() == witness.name());
            let key = key.ok_or_else(|| Failure::said(format!("the witness `{}` is not listed", witness.name())))?;
            Ok(Cosigner::new(Arc::new(Patience::with(Arc::clone(witness))), key.clone()))
        };
        self.witnesses.iter().map(cosigner).collect()
    }
}

/// The witnesses that are asked.
pub fn witnesses(settings: &Settings) -> Result<Vec<Arc<dyn Witness>>, Failure> {
    let remote = |(listed, key): (&remit_config::settings::Witness, VerifierKey)| {
        let (submission, monitoring) = (listed.url.clone(), listed.url.clone());
        let address = Address { submission, monitoring, keys: vec![key], patience: PATIENCE };
        let remote = Remote::new(&address);
        let remote =
            remote.map_err(|error| Failure::said(format!("remit.yaml: the witness `{}`: {error}", listed.key)))?;
        Ok(Arc::new(remote) as Arc<dyn Witness>)
    };
    settings.ledger.witnesses.iter().zip(witness_keys(settings)?).map(remote).collect()
}

/// What has this folder's checkpoints stamped; none when nobody does.
pub fn stamper(
    settings: &Settings,
    folder: &Path,
    logs: &Logs<'_>,
    store: Arc<dyn Store>,
) -> Result<Option<Stamper>, Failure> {
    let Some(timestamps) = &settings.ledger.timestamps else { return Ok(None) };
    let remote = timestamper::Remote::new(&timestamps.url);
    let tools = stamp::Tools {
        store,
        tiles: logs.tiles(logs.origin())?,
        clock: Arc::new(Machine),
        entropy: Arc::new(Machine),
        timestamping: Arc::new(remote.map_err(Failure::said)?),
    };
    let every = jiff::SignedDuration::from_secs(i64::try_from(timestamps.every_secs).unwrap_or(i64::MAX));
    Ok(Some(Stamper::new(logs.origin(), tools, timestamper(timestamps, folder)?, every)))
}

/// The timestamper that the folder names, by the host it is asked at.
pub fn timestamper(timestamps: &Timestamps, folder: &Path) -> Result<Timestamper, Failure> {
    let path = folder.join(&timestamps.certificate);
    let said = |why: &dyn std::fmt::Display| Failure::said(format!("{}: {why}", path.display()));
    let mut found = CertificateDer::pem_file_iter(&path).map_err(|error| said(&error))?;
    let (Some(certificate), None) = (found.next(), found.next()) else {
        return Err(said(&"write one certificate there, in PEM: the timestamper's or its issuer's"));
    };
    let certificate = certificate.map_err(|error| said(&error))?.to_vec();
    nameable(&certificate).map_err(|error| said(&error))?;
    let rest = timestamps.url.split_once("://").map_or(timestamps.url.as_str(), |(_, rest)| rest);
    let name = rest.split(['/', '?']).next().unwrap_or_default().to_owned();
    Ok(Timestamper { name, certificate })
}

/// How the bucket of a ledger is reached.
pub fn access(bucket: &Bucket, folder: &Path) -> Access {
    Access {
        endpoint: bucket.endpoint.clone(),
        region: bucket.region.clone(),
        bucket: bucket.name.clone(),
        prefix: bucket.prefix.clone(),
        access_key: upstreams::source(&bucket.access_key, folder),
        secret_key: upstreams::source(&bucket.secret_key, folder),
    }
}

/// The keys of the witnesses that the folder lists.
pub fn witness_keys(settings: &Settings) -> Result<Vec<VerifierKey>, Failure> {
    let read = |text: &String| {
        VerifierKey::parse(text).map_err(|error| Failure::said(format!("remit.yaml: the witness `{text}`: {error}")))
    };
    settings.ledger.witnesses.iter().map(|witness| read(&witness.key)).collect()
}

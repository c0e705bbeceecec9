//! Putting a sealer together from what the folder chose.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use remit_app::ledger::Tiles;
use remit_app::ports::Store;
use remit_app::seal::{Cosigner, Sealer, Tools};
use remit_app::stamp::{self, Stamper};
use remit_app::witness::Witness;
use remit_config::settings::{Bucket, LedgerFiles, Settings, Timestamps};
use remit_evidence::log::note::NoteSigner;
use remit_evidence::log::vkey::VerifierKey;
use remit_evidence::stamp::{Timestamper, nameable};
use remit_server::keys::Machine;
use remit_server::ledger::bucket::{Access, LedgerBucket};
use remit_server::ledger::folder::LedgerFolder;
use remit_server::ledger::guard::GuardFile;
use remit_server::ledger::keys;
use remit_server::ledger::patience::Patience;
use remit_server::ledger::timestamper;
use remit_server::witness::client::{Address, Remote};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::terminal::Failure;
use crate::{boot, upstreams};

/// How long one exchange with a witness may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// The sealer of this folder's log. `place` is where its keys lie; each of these witnesses must be one
/// that the folder lists, by the name of its key.
pub fn sealer(
    settings: &Settings,
    folder: &Path,
    place: &Path,
    store: Arc<dyn Store>,
    witnesses: Vec<Arc<dyn Witness>>,
) -> Result<Sealer, Failure> {
    let ledger = &settings.ledger;
    let io = |what: &Path| {
        let what = what.display().to_string();
        move |error| Failure::Io(what, error)
    };
    let state = boot::state_of(folder);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&state).map_err(io(&state))?;
    let guard = folder.join(&ledger.guard);
    let signers = keys::in_folder(place, &ledger.origin).map_err(|error| Failure::said(error.to_string()))?;
    let tools = Tools {
        store,
        tiles: tiles(settings, folder)?,
        guard: Arc::new(GuardFile::at(&guard).map_err(io(&guard))?),
        clock: Arc::new(Machine),
        signers: signers.into_iter().map(|key| Box::new(key) as Box<dyn NoteSigner + Send + Sync>).collect(),
    };
    let keys = witness_keys(settings)?;
    let mut cosigners = Vec::new();
    for witness in witnesses {
        let key = keys.iter().find(|key| key.name() == witness.name());
        let key = key.ok_or_else(|| Failure::said(format!("the witness `{}` is not listed", witness.name())))?;
        cosigners.push(Cosigner::new(Arc::new(Patience::with(witness)), key.clone()));
    }
    Ok(Sealer::new(&ledger.origin, tools, cosigners, ledger.quorum))
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
pub fn stamper(settings: &Settings, folder: &Path, store: Arc<dyn Store>) -> Result<Option<Stamper>, Failure> {
    let Some(timestamps) = &settings.ledger.timestamps else { return Ok(None) };
    let remote = timestamper::Remote::new(&timestamps.url);
    let tools = stamp::Tools {
        store,
        tiles: tiles(settings, folder)?,
        clock: Arc::new(Machine),
        entropy: Arc::new(Machine),
        timestamping: Arc::new(remote.map_err(Failure::said)?),
    };
    let every = jiff::SignedDuration::from_secs(i64::try_from(timestamps.every_secs).unwrap_or(i64::MAX));
    Ok(Some(Stamper::new(&settings.ledger.origin, tools, timestamper(timestamps, folder)?, every)))
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

/// The files of this folder's log, wherever they are.
pub fn tiles(settings: &Settings, folder: &Path) -> Result<Arc<dyn Tiles>, Failure> {
    Ok(match &settings.ledger.files {
        LedgerFiles::Folder(path) => {
            let path = folder.join(path);
            let opened = LedgerFolder::open(&path);
            Arc::new(opened.map_err(|error| Failure::Io(path.display().to_string(), error))?)
        }
        LedgerFiles::Bucket(bucket) => {
            let opened = LedgerBucket::open(&access(bucket, folder));
            Arc::new(opened.map_err(|error| Failure::said(format!("the bucket of the ledger: {error}")))?)
        }
    })
}

fn access(bucket: &Bucket, folder: &Path) -> Access {
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

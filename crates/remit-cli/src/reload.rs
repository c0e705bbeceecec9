//! Reload: the folder as it is now becomes the authority in force, whole or not at all; and where it protects
//! less, only once people have agreed to exactly its texts.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use remit_app::Gate;
use remit_app::change::{Candidate, Change, ChangeBallot, Ended, NotChanged, Occasion, Taken};
use remit_config::keys::Keys;
use remit_config::settings::{Authentication, Settings};
use remit_config::upstream::Upstream;
use remit_config::{Config, Folder};
use remit_core::approval::Approver;
use remit_core::ids::OperatorId;
use remit_server::edge::{Edge, Reload};
use remit_server::fleet::Fleet;
use remit_server::notify::Plan;
use remit_server::oidc::Oidc;
use remit_server::telemetry::Metrics;
use remit_server::vault::References;
use tokio::signal::unix::{SignalKind, signal};

use crate::{edge, notify, sign_in, upstreams};

/// How often the folder is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Watches a folder and puts it into force.
pub struct Reloader {
    folder: PathBuf,
    gate: Arc<Gate>,
    fleet: Arc<Fleet>,
    references: Arc<ArcSwap<References>>,
    metrics: Arc<Metrics>,
    edge: OnceLock<Weak<Edge>>,
    /// One reload at a time: two at once could put the older folder into force last.
    busy: tokio::sync::Mutex<()>,
}

impl Reloader {
    /// A reloader for this folder.
    pub fn new(
        folder: &Path,
        gate: Arc<Gate>,
        fleet: Arc<Fleet>,
        references: Arc<ArcSwap<References>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (folder, edge, busy) = (folder.to_owned(), OnceLock::new(), tokio::sync::Mutex::new(()));
        Self { folder, gate, fleet, references, metrics, edge, busy }
    }

    /// Tells it whose keys to change.
    pub fn serves(&self, edge: &Arc<Edge>) {
        let _ = self.edge.set(Arc::downgrade(edge));
    }

    /// Watches until it is dropped: on SIGHUP, and when a file of the folder has changed.
    pub async fn watch(self: Arc<Self>) {
        let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
        let mut seen = stamp(&self.folder);
        loop {
            tokio::select! {
                _ = hangup.recv() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {
                    let now = stamp(&self.folder);
                    if now == seen {
                        continue;
                    }
                    // Editors and git write several files; wait until they have finished.
                    tokio::time::sleep(LOOK_EVERY / 4).await;
                    if stamp(&self.folder) != now {
                        continue;
                    }
                }
            }
            seen = stamp(&self.folder);
            match self.take(None).await {
                Ok(Taken::InForce(digest)) => tracing::info!(%digest, "the configuration was taken"),
                Ok(Taken::Pending(change)) => report_pending(&change),
                Err(error) => {
                    let remedy = error.remedy();
                    tracing::error!(%error, remedy, "the configuration was refused; the last good one stays in force");
                }
            }
        }
    }

    /// Puts the folder forward as it is now.
    async fn take(&self, by: Option<&OperatorId>) -> Result<Taken, NotChanged> {
        let _busy = self.busy.lock().await;
        let taken = match self.read() {
            Ok(config) => self.put_forward(config, by, Occasion::Reload).await,
            Err(faults) => Err(NotChanged::Faulty(faults)),
        };
        self.metrics.reload(taken.is_ok());
        taken
    }

    fn read(&self) -> Result<Config, Vec<String>> {
        let folder = Folder::read(&self.folder).map_err(|faults| said(&faults))?;
        self.check(remit_config::load(&folder).map_err(|faults| said(&faults))?)
    }

    /// What was checked for this machine only must not come into force where others can reach it, and what people
    /// are told by must be there before anything is put forward.
    fn check(&self, config: Config) -> Result<Config, Vec<String>> {
        let edge = self.edge.get().and_then(Weak::upgrade);
        if matches!(config.settings.authentication, Authentication::Anonymous(_))
            && edge.is_some_and(|edge| !edge.settings.loopback)
        {
            return Err(vec![
                "remit.yaml: `anonymous` is for this machine only, and the gateway listens to others".into(),
            ]);
        }
        notify::check(&self.plan(&config.settings, &config.keys))?;
        self.oidc(&config.settings)?;
        Ok(config)
    }

    fn oidc(&self, settings: &Settings) -> Result<Option<Oidc>, Vec<String>> {
        let edge = self.edge.get().and_then(Weak::upgrade);
        sign_in::oidc(settings, &self.folder, edge.as_ref().map_or("", |edge| edge.home()))
    }

    fn plan(&self, settings: &Settings, keys: &Keys) -> Plan {
        let edge = self.edge.get().and_then(Weak::upgrade);
        let url = edge.map(|edge| edge.settings.base_url.clone()).unwrap_or_default();
        notify::plan(settings, keys, &self.folder, &url)
    }

    /// Recorded first. What stands beside the snapshot follows only when the gate has taken it, so that a store
    /// that fails leaves the old keys with the old authority.
    async fn put_forward(
        &self,
        config: Config,
        by: Option<&OperatorId>,
        occasion: Occasion,
    ) -> Result<Taken, NotChanged> {
        let (candidate, rest) = split(config);
        let taken = self.gate.put_forward(&candidate, by, occasion).await?;
        if matches!(taken, Taken::InForce(_)) {
            self.install(&rest);
        }
        Ok(taken)
    }

    /// Keys, who vouches for people, channels, credentials, upstreams and patience with the log of the authority that came into force.
    fn install(&self, rest: &Rest) {
        if let Some(lag) = self.gate.lag() {
            lag.bind(rest.settings.ledger.unsealed);
        }
        if let Some(edge) = self.edge.get().and_then(Weak::upgrade) {
            edge.rekey(edge::keyring(&rest.keys, &rest.settings));
            // It was checked before it was put forward; a secret that is gone since lets nobody in.
            edge.vouched_for_by(self.oidc(&rest.settings).unwrap_or(None));
            if let Some(channels) = &edge.channels {
                channels.replace(self.plan(&rest.settings, &rest.keys));
            }
        }
        self.references.store(Arc::new(upstreams::references(&rest.upstreams, &self.folder)));
        self.fleet.reconfigure(upstreams::recruits(&rest.upstreams, &self.folder));
    }
}

/// What of a configuration is no authority, but follows it.
pub struct Rest {
    /// Who calls and who steers.
    pub keys: Keys,
    /// How callers prove who they are.
    pub settings: Settings,
    /// The systems behind the gate.
    pub upstreams: Vec<Upstream>,
}

/// A configuration as the authority that it would put into force, and what follows that.
pub fn split(config: Config) -> (Candidate, Rest) {
    let steering = config.steering();
    let Config { settings, upstreams, keys, snapshot, sources, .. } = config;
    (Candidate { snapshot: Arc::new(snapshot), steering, sources }, Rest { keys, settings, upstreams })
}

/// The configuration that these texts are.
///
/// # Errors
/// Its faults, in words with places.
pub fn compile(sources: &str) -> Result<Config, Vec<String>> {
    let shape = || vec!["the texts are not there as they were written".to_owned()];
    let value = remit_core::json::parse(sources.as_bytes()).map_err(|_| shape())?;
    let members = value.as_object().ok_or_else(shape)?;
    let texts = members.iter().map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned())));
    let folder = Folder::from_texts(texts.collect::<Option<Vec<_>>>().ok_or_else(shape)?);
    let folder = folder.map_err(|faults| said(&faults))?;
    remit_config::load(&folder).map_err(|faults| said(&faults))
}

/// Says that a change waits, where whoever watches the gateway looks.
pub fn report_pending(change: &Change) {
    let what: Vec<_> = change.weakens.iter().map(|weakens| weakens.what.as_str()).collect();
    let (change, needed, what) = (&change.id, change.needed, what.join("; "));
    tracing::warn!(%change, needed, %what, "the configuration protects less: it waits for people, and the last one stays in force");
}

fn said(faults: &[remit_core::authority::Fault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

#[async_trait]
impl Reload for Reloader {
    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<String, Vec<String>>> + Send + '_>> {
        Box::pin(async {
            match self.take(None).await {
                Ok(Taken::InForce(digest)) => Ok(digest.to_string()),
                Ok(Taken::Pending(change)) => Err(vec![format!("change `{}` waits for people", change.id)]),
                Err(error) => Err(vec![error.to_string()]),
            }
        })
    }

    async fn reload_by(&self, by: &OperatorId) -> Result<Taken, NotChanged> {
        self.take(Some(by)).await
    }

    async fn put(&self, by: &OperatorId, sources: &str, occasion: Occasion) -> Result<Taken, NotChanged> {
        let _busy = self.busy.lock().await;
        let config = compile(sources).and_then(|config| self.check(config)).map_err(NotChanged::Faulty)?;
        self.put_forward(config, Some(by), occasion).await
    }

    async fn vote(&self, by: &Approver, ballot: ChangeBallot) -> Result<Change, NotChanged> {
        let _busy = self.busy.lock().await;
        if !ballot.approve {
            return self.gate.vote_on_change(by, ballot, None).await;
        }
        // Exactly the texts that were proposed, whatever the folder says by now.
        let sources = self.gate.texts_of(&ballot.change).await?;
        let config = compile(&sources).and_then(|config| self.check(config)).map_err(NotChanged::Faulty)?;
        let (candidate, rest) = split(config);
        let change = self.gate.vote_on_change(by, ballot, Some(&candidate)).await?;
        if change.ended == Some(Ended::InForce) {
            self.install(&rest);
        }
        Ok(change)
    }
}

/// Names, sizes and times of everything that may be configuration.
fn stamp(folder: &Path) -> Vec<(PathBuf, u64, Option<SystemTime>)> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((at, depth)) = folders.pop() {
        for entry in std::fs::read_dir(&at).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            let Ok(metadata) = entry.metadata() else { continue };
            let known = ["upstreams", "remits", "guardrails", "pins", "contracts"];
            let inner = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| known.contains(&name));
            let file = path.extension().is_some_and(|e| e == "yaml" || e == "cedar" || e == "json");
            if metadata.is_dir() && depth == 0 && inner {
                folders.push((path, 1));
            } else if metadata.is_file() && file {
                found.push((path, metadata.len(), metadata.modified().ok()));
            }
        }
    }
    found.sort();
    found
}

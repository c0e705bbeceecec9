//! Reload: the folder as it is now becomes the authority in force, whole or not at all.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use remit_app::Gate;
use remit_config::Folder;
use remit_config::settings::Authentication;
use remit_server::edge::{Edge, Reload};
use remit_server::fleet::Fleet;
use remit_server::telemetry::Metrics;
use remit_server::vault::References;
use tokio::signal::unix::{SignalKind, signal};

use crate::{boot, notify, upstreams};

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
            match self.take().await {
                Ok(digest) => tracing::info!(%digest, "the configuration was taken"),
                Err(faults) => {
                    let faults = faults.join("; ");
                    tracing::error!(%faults, "the configuration was refused; the last good one stays in force");
                }
            }
        }
    }

    async fn take(&self) -> Result<String, Vec<String>> {
        let _busy = self.busy.lock().await;
        let taken = self.put_into_force().await;
        self.metrics.reload(taken.is_ok());
        taken
    }

    async fn put_into_force(&self) -> Result<String, Vec<String>> {
        let said =
            |faults: Vec<remit_core::authority::Fault>| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
        let folder = Folder::read(&self.folder).map_err(said)?;
        let config = remit_config::load(&folder).map_err(said)?;
        let edge = self.edge.get().and_then(Weak::upgrade);
        if matches!(config.settings.authentication, Authentication::Anonymous(_))
            && edge.as_ref().is_some_and(|edge| !edge.settings.loopback)
        {
            return Err(vec![
                "remit.yaml: `anonymous` is for this machine only, and the gateway listens to others".into(),
            ]);
        }
        let url = edge.as_ref().map(|edge| edge.settings.base_url.clone()).unwrap_or_default();
        let plan = notify::plan(&config.settings.notify, &config.keys, &self.folder, &url);
        notify::check(&plan)?;
        let snapshot = Arc::new(config.snapshot);
        let digest = snapshot.digest().to_string();
        if let Some(edge) = edge {
            edge.rekey(boot::keyring(&config.keys, &config.settings));
            if let Some(channels) = &edge.channels {
                channels.replace(plan);
            }
        }
        self.references.store(Arc::new(upstreams::references(&config.upstreams, &self.folder)));
        self.fleet.reconfigure(upstreams::recruits(&config.upstreams, &self.folder));
        if self.gate.snapshot().digest() != snapshot.digest() {
            self.gate
                .activate(snapshot, "reload", Some(&config.sources))
                .await
                .map_err(|error| vec![error.to_string()])?;
        }
        Ok(digest)
    }
}

impl Reload for Reloader {
    fn reload(&self) -> Pin<Box<dyn Future<Output = Result<String, Vec<String>>> + Send + '_>> {
        Box::pin(self.take())
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

//! From a configuration folder to a running gateway, in the order in which things must be ready:
//! authority, store, keys, writer, upstreams, edge, and only then the listener.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use remit_app::canary::Canaries;
use remit_app::change::{NotChanged, Occasion, Taken, last_in_force};
use remit_app::ports::{Clock as _, Ports, Store};
use remit_app::retain::Retention;
use remit_app::seal::Lag;
use remit_app::sweep::Swept;
use remit_app::{Gate, Habits};
use remit_config::Config;
use remit_config::settings::{Authentication, LedgerFiles, Records, Settings, Transport};
use remit_core::ids::TenantId;
use remit_evidence::writer::Writer;
use remit_server::edge::Edge;
use remit_server::fleet::Fleet;
use remit_server::keys::{Ed25519, Machine, secret_in_file};
use remit_server::ledger::sealing::Sealing;
use remit_server::ledger::stamping::Stamping;
use remit_server::notices::Notices;
use remit_server::notify::Channels;
use remit_server::notify::task::Telling;
use remit_server::previewing::Previewing;
use remit_server::retiring::Retiring;
use remit_server::serve;
use remit_server::telemetry::Metrics;
use remit_server::tending::Tending;
use remit_server::vault::References;
use remit_store_sqlite::SqliteStore;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::ledger::Workshop;
use crate::logs::Logs;
use crate::place::{Place, store_of};
use crate::reload::{Reloader, Rest, compile, report_pending, split};
use crate::terminal::Failure;
use crate::{edge, folder, ledger, notify, sign_in, trust, upstreams};

/// How long started calls may take to finish when the gateway is told to stop.
const GRACE: Duration = Duration::from_secs(30);

/// A gateway that is up.
pub struct Running {
    /// Where it listens.
    pub url: String,
    /// Its edge.
    pub edge: Arc<Edge>,
    fleet: Arc<Fleet>,
    store: Arc<dyn Store>,
    stop: oneshot::Sender<()>,
    sealing: Sealing,
    stamping: Option<Stamping>,
    retiring: Retiring,
    tending: Tending,
    previewing: Previewing,
    telling: Telling,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
    reloading: tokio::task::JoinHandle<()>,
}

/// Everything but the listener.
pub struct Booted {
    /// The edge.
    pub edge: Arc<Edge>,
    /// The upstreams.
    pub fleet: Arc<Fleet>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The thread that seals. Whoever ends the gateway stops it before the store is closed.
    pub sealing: Sealing,
    /// The thread that has checkpoints stamped, if anybody stamps them.
    pub stamping: Option<Stamping>,
    /// The task that deletes what is kept no longer.
    pub retiring: Retiring,
    /// The task that tends questions, requests and grants.
    pub tending: Tending,
    /// Asks upstreams what held calls would do.
    pub previewing: Previewing,
    /// The task that tells people what waits for them.
    pub telling: Telling,
    settings: Settings,
    reloader: Arc<Reloader>,
}

impl Running {
    /// Boots the folder and listens.
    pub async fn start(folder: &Path, listen: Option<SocketAddr>) -> Result<Self, Failure> {
        let folder = folder.canonicalize().map_err(|error| Failure::Io(folder.display().to_string(), error))?;
        let config = folder::load(&folder)?;
        let address = listen.unwrap_or(config.settings.listen);
        // What the folder was checked for is loopback; another address has to be checked there too.
        if !address.ip().is_loopback() && config.settings.listen.ip().is_loopback() {
            return Err(Failure::said(format!(
                "`{address}` can be reached from elsewhere, and remit.yaml was checked for this machine only: write it as `listen:` there"
            )));
        }
        // Bound before anything is written, so that a port in use leaves no trace.
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| Failure::Io(format!("listening on {address}"), error))?;
        let address = listener.local_addr().map_err(|error| Failure::Io("listening".into(), error))?;
        let tls = match &config.settings.transport {
            Transport::Plaintext => None,
            Transport::Tls { cert, key } => Some(crate::tls::acceptor(&folder.join(cert), &folder.join(key))?),
        };
        let url = format!("{}://{address}", if tls.is_some() { "https" } else { "http" });
        let booted = Booted::boot(&folder, config, address, &url).await?;
        let (stop, stopped) = oneshot::channel();
        let router = serve::routes(booted.edge.clone());
        let notices = booted.edge.notices.clone();
        let stopping = async move {
            drop(stopped.await);
            notices.end();
        };
        let served = tokio::spawn(serve::serve(listener, tls, router, stopping, GRACE));
        let reloading = tokio::spawn(booted.reloader.clone().watch());
        let Booted { edge, fleet, store, sealing, stamping, retiring, tending, previewing, telling, .. } = booted;
        Ok(Self {
            url,
            edge,
            fleet,
            store,
            stop,
            sealing,
            stamping,
            retiring,
            tending,
            previewing,
            telling,
            served,
            reloading,
        })
    }

    /// Stops listening, lets started calls finish, and makes everything durable.
    pub async fn stop(self) {
        let _ = self.stop.send(());
        self.reloading.abort();
        drop(self.retiring);
        drop(self.tending);
        drop(self.stamping);
        drop(self.previewing);
        if let Err(error) = self.served.await {
            tracing::error!(%error, "the listener ended badly");
        }
        self.telling.stop().await;
        self.fleet.shutdown().await;
        // Nothing is recorded any more: the last seal covers everything.
        self.sealing.stop().await;
        self.store.close().await;
    }
}

impl Booted {
    /// Boots a checked configuration.
    pub async fn boot(folder: &Path, config: Config, address: SocketAddr, url: &str) -> Result<Self, Failure> {
        for warning in &config.warnings {
            tracing::warn!(%warning, "configuration");
        }
        // Before anything is written: a channel without its secret would be noticed when it is needed.
        let plan = notify::plan(&config.settings, &config.keys, folder, url);
        notify::check(&plan).map_err(|faults| Failure::said(faults.join("\n")))?;
        sign_in::oidc(&config.settings, folder, "").map_err(|faults| Failure::said(faults.join("\n")))?;
        let file = store_of(folder, &config.settings);
        let place = file.parent().unwrap_or(folder).to_owned();
        let store = open(&file, &config.settings)?;
        let unusable = |error: remit_server::keys::KeyUnusable| Failure::said(error.to_string());
        let root = match trust::vouching(&Place { folder, settings: &config.settings }, store.as_ref()).await? {
            Some(root) => root,
            None => Ed25519::in_file(&place.join("gateway.key")).map_err(unusable)?,
        };
        let session_key = secret_in_file(&place.join("session.key")).map_err(unusable)?;
        // Where this machine keeps things is the folder's to say; what it protects is not, when that is less.
        let settings = config.settings.clone();
        let unavailable = |error: remit_app::intent::Unavailable| Failure::said(error.to_string());
        let last = in_force(store.as_ref(), &config).await.map_err(unavailable)?;
        let tenant = last.as_ref().unwrap_or(&config).settings.tenant.clone();
        let writer = Writer::new(Box::new(Ed25519::generate().map_err(unusable)?), tenant.clone());
        let (metrics, notices) = (Arc::new(Metrics::default()), Arc::new(Notices::default()));
        let references = Arc::new(ArcSwap::from_pointee(References::default()));
        let fleet = Fleet::new(Vec::new(), references.clone(), metrics.clone(), notices.clone());
        let ports = Ports {
            store: store.clone(),
            vault: Arc::new(Shared(references.clone())),
            upstreams: fleet.clone(),
            clock: Arc::new(Machine),
            entropy: Arc::new(Machine),
            notifier: notices.clone(),
            meter: metrics.clone(),
        };
        let habits = habits(&config.settings);
        // The sequence of a long-lived key must go on over restarts; milliseconds do.
        let announced = u64::try_from(Machine.now().as_millisecond()).unwrap_or(0);
        let root = Writer::resuming(Box::new(root), tenant, announced);
        let (gate, config) = take_up(last, config, ports, writer, habits, &root).await?;
        if matches!(config.settings.authentication, Authentication::Anonymous(_)) && !address.ip().is_loopback() {
            return Err(Failure::said(
                "the authority in force answers anybody on this machine, and the gateway would listen to others: start \
                 it on the loopback interface until the change is approved",
            ));
        }
        references.store(Arc::new(upstreams::references(&config.upstreams, folder)));
        fleet.reconfigure(upstreams::recruits(&config.upstreams, folder));
        for Swept { record, run, tool } in gate.sweep(Machine.now()).await.map_err(unavailable)? {
            let tool = tool.as_deref().unwrap_or("unknown");
            tracing::warn!(%record, %run, tool, "a call was under way when the gateway last ended: its effect is unknown");
        }
        // What people decided before the last end is completed before the first call.
        gate.tend_grants().await.map_err(unavailable)?;
        let reloader = Arc::new(Reloader::new(folder, gate.clone(), fleet.clone(), references, metrics.clone()));
        let logs = Logs::of(&settings, folder, store.as_ref()).await?;
        let witnesses = ledger::witnesses(&settings)?;
        let stamper = ledger::stamper(&settings, folder, &logs, store.clone())?;
        let lag = Arc::new(Lag::of(store.as_ref(), Machine.now()).await.map_err(unavailable)?);
        lag.bind(config.settings.ledger.unsealed);
        gate.heeds(lag.clone());
        let workshop = Workshop { settings: &settings, folder, store: store.clone(), witnesses };
        let (sealer, prover) = (workshop.sealer(&logs)?.telling(lag), logs.prover(store.clone())?);
        let mut settings_of_edge = edge::settings(&settings, address, url, session_key);
        settings_of_edge.ledger = match &settings.ledger.files {
            LedgerFiles::Folder(path) => Some(folder.join(path)),
            LedgerFiles::Bucket(_) => None,
        };
        let oidc = sign_in::oidc(&config.settings, folder, settings_of_edge.home());
        let keyring = edge::keyring(&config.keys, &config.settings);
        let writer = gate.clone();
        let sealing = Sealing::start(sealer, metrics.clone(), move |head| writer.saw(head.clone()))
            .map_err(|error| Failure::Io("sealing".into(), error))?;
        let stamping = stamper.map(|stamper| Stamping::start(stamper, metrics.clone())).transpose();
        let stamping = stamping.map_err(|error| Failure::Io("stamping".into(), error))?;
        let retiring = Retiring::start(gate.clone(), retention(&settings));
        let tending = Tending::start(gate.clone());
        let previewing = Previewing::start(gate.clone(), &notices);
        let channels = channels(&config, folder, url, session_key)?;
        let telling = Telling::start(gate.clone(), channels.clone(), &notices, metrics.clone());
        let edge = Edge::new(gate, fleet.clone(), settings_of_edge, notices, metrics, keyring, reloader.clone());
        let (trust, _) = trust::of(&logs, &Place { folder, settings: &settings })?;
        let edge = Arc::new(edge.proving(prover).trusting(&trust).telling(channels));
        match oidc {
            Ok(oidc) => edge.vouched_for_by(oidc),
            // As with channels: of the authority in force, while the folder waits. Fewer people come in for it.
            Err(faults) => tracing::error!(faults = faults.join("; "), "nobody signs in with another party"),
        }
        reloader.serves(&edge);
        Ok(Self { edge, fleet, store, sealing, stamping, retiring, tending, previewing, telling, settings, reloader })
    }

    /// What the folder chose.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// Whose records these are: the authority in force says so, if there is one.
pub async fn tenant(config: &Config, store: &dyn Store) -> Result<TenantId, Failure> {
    let last = in_force(store, config).await.map_err(|error| Failure::said(error.to_string()))?;
    Ok(last.as_ref().unwrap_or(config).settings.tenant.clone())
}

/// The configuration that came into force last, compiled from the texts that its record discloses; nothing where
/// the folder says the same, letter for letter.
async fn in_force(store: &dyn Store, folder: &Config) -> Result<Option<Config>, remit_app::intent::Unavailable> {
    let Some((digest, texts)) = last_in_force(store).await? else { return Ok(None) };
    if digest == folder.snapshot.digest() && texts.as_deref() == Some(&folder.sources) {
        return Ok(None);
    }
    let config = texts.ok_or_else(|| vec!["its texts were deleted".to_owned()]).and_then(|texts| compile(&texts));
    match config {
        Ok(config) if config.snapshot.digest() == digest => Ok(Some(config)),
        Ok(_) => {
            tracing::error!(%digest, "the texts of the authority in force say something else; the folder is taken as it is");
            Ok(None)
        }
        Err(faults) => {
            let why = faults.join("; ");
            tracing::error!(%digest, %why, "what was in force cannot be compared with; the folder is taken as it is");
            Ok(None)
        }
    }
}

/// Puts the folder into force, or the last authority where the folder protects less: then the folder waits for
/// people, as it would have on a reload. Which of the two it was.
async fn take_up(
    last: Option<Config>,
    folder: Config,
    ports: Ports,
    writer: Writer,
    habits: Habits,
    root: &Writer,
) -> Result<(Arc<Gate>, Rest), Failure> {
    let unavailable = |error: remit_app::intent::Unavailable| Failure::said(error.to_string());
    let wanted = split(folder);
    let Some(last) = last else {
        let gate = Arc::new(Gate::new(wanted.0.snapshot.clone(), ports, writer, habits));
        gate.announce(root).await.map_err(unavailable)?;
        gate.put_into_force(&wanted.0, "start").await.map_err(unavailable)?;
        return Ok((gate, wanted.1));
    };
    let last = split(last);
    let gate = Arc::new(Gate::new(last.0.snapshot.clone(), ports, writer, habits));
    gate.stand_on(last.0.steering.clone());
    gate.announce(root).await.map_err(unavailable)?;
    let same = last.0.snapshot.digest() == wanted.0.snapshot.digest();
    let taken = if same {
        Ok(Taken::InForce(last.0.snapshot.digest()))
    } else {
        gate.put_forward(&wanted.0, None, Occasion::Start).await
    };
    match taken {
        Ok(Taken::InForce(_)) if !same => return Ok((gate, wanted.1)),
        Ok(Taken::InForce(_)) => {}
        Ok(Taken::Pending(change)) => report_pending(&change),
        Err(NotChanged::Unavailable(error)) => return Err(unavailable(error)),
        Err(error) => {
            let remedy = error.remedy();
            tracing::error!(%error, remedy, "the folder was refused; the authority that was in force last stays");
        }
    }
    gate.put_into_force(&last.0, "start").await.map_err(unavailable)?;
    Ok((gate, last.1))
}

/// The vault over references that a reload may change.
struct Shared(Arc<ArcSwap<References>>);

#[async_trait::async_trait]
impl remit_app::ports::Vault for Shared {
    async fn unlock(
        &self,
        permit: &remit_app::permit::Permit,
    ) -> Result<Option<remit_app::secret::Secret>, remit_app::ports::CredentialUnavailable> {
        self.0.load_full().unlock(permit).await
    }
}

/// What the folder says about keeping, as the gate knows it.
fn retention(settings: &Settings) -> Retention {
    let remit_config::settings::Retention { classes, other, outcomes, budget_spans } = settings.retention.clone();
    Retention { classes, other, outcomes, budget_spans }
}

/// Opens the store, in which mild reads become durable within the time that the folder says.
fn open(file: &Path, settings: &Settings) -> Result<Arc<dyn Store>, Failure> {
    let within = match settings.records {
        Records::Batched { within_ms } => Duration::from_millis(within_ms),
        Records::Strict => Duration::ZERO,
    };
    let store = SqliteStore::open(file, remit_store_sqlite::Options { within, ..Default::default() });
    Ok(Arc::new(store.map_err(|error| Failure::said(format!("{}: {error}", file.display())))?))
}

/// What the folder says about recording, runs and requests that must be denied, as the gate knows it.
fn habits(settings: &Settings) -> Habits {
    let canaries = |chosen: &remit_config::settings::Canaries| Canaries {
        every_votes: chosen.every_votes,
        targets: chosen.targets.clone(),
    };
    Habits {
        batch_reads: matches!(settings.records, Records::Batched { .. }),
        idle_secs: settings.run_idle_secs,
        questions_max: settings.questions_per_agent_max,
        canaries: settings.canaries.as_ref().map(canaries),
    }
}

/// The channels of the authority in force.
fn channels(config: &Rest, folder: &Path, url: &str, session_key: [u8; 32]) -> Result<Arc<Channels>, Failure> {
    let plan = notify::plan(&config.settings, &config.keys, folder, url);
    if let Err(faults) = notify::check(&plan) {
        // The folder's own were checked before anything was written: these are in force while the folder waits for
        // people. Nothing is enforced less for it, and the next channel takes over.
        tracing::error!(faults = faults.join("; "), "some channels of the authority in force cannot be used");
    }
    Channels::new(plan, session_key).map(Arc::new).map_err(Failure::said)
}

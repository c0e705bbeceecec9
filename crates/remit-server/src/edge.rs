//! What every endpoint shares: the gate, who may speak to it, and what it tells waiting callers.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use async_trait::async_trait;
use http::HeaderMap;
use jiff::SignedDuration;
use remit_app::change::{Change, ChangeBallot, NotChanged, Occasion, Taken};
use remit_app::ports::Step;
use remit_app::prove::Prover;
use remit_app::{Gate, Reply, Request, Ruling};
use remit_core::Caller;
use remit_core::approval::Approver;
use remit_core::identity::MayDeclare;
use remit_core::ids::{OperatorId, RunId, ToolName};
use remit_core::verdict::{Code, Refusal};
use serde_json::Value;
use tracing::{Instrument as _, Span};

use crate::console::{Addresses, Terminals};
use crate::fleet::{Fleet, Kind};
use crate::identify::{Came, Identified, Keyring, Operator, Person, Steering};
use crate::notices::Notices;
use crate::notify::Channels;
use crate::oidc::Oidc;
use crate::telemetry::Metrics;
use crate::visit;

/// The edge.
pub struct Edge {
    /// The one chokepoint.
    pub gate: Arc<Gate>,
    /// The upstreams, for what is listed rather than called.
    pub fleet: Arc<Fleet>,
    /// What an operator chose about the edge.
    pub settings: EdgeSettings,
    /// Tells waiting calls that something happened.
    pub notices: Arc<Notices>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Proves places in the log, where there is one.
    pub prover: Option<Prover>,
    /// The gateway's own trust document, where it keeps a log: what its auditors hold.
    pub trust: Option<Arc<str>>,
    /// Ways to tell people, where there are any.
    pub channels: Option<Arc<Channels>>,
    /// Who has tried to come in, and from where.
    pub(crate) addresses: Addresses,
    /// From where terminals asked to be let in. Apart: whoever asks for many of these keeps nobody from signing in.
    pub(crate) terminal_addresses: Addresses,
    /// Terminals that wait to be let in.
    pub(crate) terminals: Terminals,
    oidc: ArcSwapOption<Oidc>,
    keyring: Arc<ArcSwap<Keyring>>,
    reload: Arc<dyn Reload>,
}

/// What an operator chose about the edge.
#[derive(Clone, Debug)]
pub struct EdgeSettings {
    /// Values of `Host` that are answered, in lower case.
    pub allowed_hosts: Vec<String>,
    /// Values of `Origin` that are answered; requests without one always are.
    pub allowed_origins: Vec<String>,
    /// How long a held call is kept waiting before it is told to come again.
    pub hold: Duration,
    /// Seals session ids and the state that clients carry for us. Kept across restarts.
    pub session_key: [u8; 32],
    /// What this server calls itself.
    pub server_name: String,
    /// The URL under which people reach this gateway.
    pub base_url: String,
    /// Largest request body, in bytes.
    pub body_bytes_max: usize,
    /// Whether only this machine can reach the listener.
    pub loopback: bool,
    /// The console, and how long people stay signed in.
    pub console: ConsoleSettings,
    /// The folder of the ledger; none when its files are elsewhere.
    pub ledger: Option<PathBuf>,
}

/// The console, and how long people stay signed in.
#[derive(Clone, Debug, Default)]
pub struct ConsoleSettings {
    /// Where its pages stand, as browsers write an origin.
    pub origins: Vec<String>,
    /// The domain that passkeys are made for; none when there can be no passkeys.
    pub rp_id: Option<String>,
    /// Whether browsers come over TLS. Only on the loopback interface they may not.
    pub secure: bool,
    /// How long a person stays signed in.
    pub session: SignedDuration,
    /// After how long without a request they are signed out.
    pub idle: SignedDuration,
}

impl EdgeSettings {
    /// See [`Edge::home`].
    #[must_use]
    pub fn home(&self) -> &str {
        self.console.home().unwrap_or(&self.base_url).trim_end_matches('/')
    }
}

impl ConsoleSettings {
    /// Whether passkeys of this console can be used on a page of this host.
    #[must_use]
    pub fn has_passkeys_at(&self, host: &str) -> bool {
        let under = |rp_id: &str| host.strip_suffix(rp_id).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        self.rp_id.as_deref().is_some_and(under)
    }

    /// The first address at which passkeys can be used.
    #[must_use]
    pub fn home(&self) -> Option<&str> {
        let host = |origin: &str| {
            let host = origin.split_once("://").map_or(origin, |(_, host)| host);
            host.split(':').next().unwrap_or(host).to_owned()
        };
        self.origins.iter().map(String::as_str).find(|origin| self.has_passkeys_at(&host(origin)))
    }
}

/// Reads the configuration folder again, and puts authorities into force: the one way for all of them.
#[async_trait]
pub trait Reload: Send + Sync {
    /// Puts the folder as it is now into force, or says what is wrong with it. Returns the digest in force.
    ///
    /// # Errors
    /// The faults, in words with places; the last good authority stays in force.
    fn reload(&self) -> std::pin::Pin<Box<dyn Future<Output = Result<String, Vec<String>>> + Send + '_>>;

    /// As [`Reload::reload`], on the order of a person, and says what became of it.
    ///
    /// # Errors
    /// See [`NotChanged`].
    async fn reload_by(&self, by: &OperatorId) -> Result<Taken, NotChanged> {
        let _ = by;
        Err(NotChanged::Faulty(vec!["this gateway has no folder".into()]))
    }

    /// Puts texts forward that do not stand in the folder: such as were in force once, or with a wider remit.
    ///
    /// # Errors
    /// See [`NotChanged`].
    async fn put(&self, by: &OperatorId, sources: &str, occasion: Occasion) -> Result<Taken, NotChanged> {
        let _ = (by, sources, occasion);
        Err(NotChanged::Faulty(vec!["this gateway has no folder".into()]))
    }

    /// Takes a vote on a change, and puts its texts into force when it makes enough.
    ///
    /// # Errors
    /// See [`NotChanged`].
    async fn vote(&self, by: &Approver, ballot: ChangeBallot) -> Result<Change, NotChanged> {
        let _ = (by, ballot);
        Err(NotChanged::Unknown)
    }
}

impl Edge {
    /// Puts an edge together.
    #[must_use]
    pub fn new(
        gate: Arc<Gate>,
        fleet: Arc<Fleet>,
        settings: EdgeSettings,
        notices: Arc<Notices>,
        metrics: Arc<Metrics>,
        keyring: Keyring,
        reload: Arc<dyn Reload>,
    ) -> Self {
        let keyring = Arc::new(ArcSwap::from_pointee(keyring));
        gate.knows(Arc::new(Steering(keyring.clone())));
        let (prover, trust, channels) = (None, None, None);
        let (addresses, terminals, oidc) = (Addresses::default(), Terminals::default(), ArcSwapOption::empty());
        Self {
            gate,
            fleet,
            settings,
            notices,
            metrics,
            prover,
            trust,
            channels,
            addresses,
            terminal_addresses: Addresses::default(),
            terminals,
            oidc,
            keyring,
            reload,
        }
    }

    /// The same edge, over records that are sealed in a log.
    #[must_use]
    pub fn proving(self, prover: Prover) -> Self {
        Self { prover: Some(prover), ..self }
    }

    /// The same edge, which can say what its auditors hold.
    #[must_use]
    pub fn trusting(self, document: &str) -> Self {
        Self { trust: Some(document.into()), ..self }
    }

    /// The same edge, with ways to tell people.
    #[must_use]
    pub fn telling(self, channels: Arc<Channels>) -> Self {
        Self { channels: Some(channels), ..self }
    }

    /// Puts other keys into force, for requests that arrive from now on.
    pub fn rekey(&self, keyring: Keyring) {
        self.keyring.store(Arc::new(keyring));
    }

    /// Where browsers find the console, with no slash at the end: where passkeys can be made, if there is such an address.
    #[must_use]
    pub fn home(&self) -> &str {
        self.settings.home()
    }

    /// Puts another party into force that vouches for people, or none.
    pub fn vouched_for_by(&self, oidc: Option<Oidc>) {
        self.oidc.store(oidc.map(Arc::new));
    }

    /// The party that vouches for people, if there is one.
    #[must_use]
    pub fn oidc(&self) -> Option<Arc<Oidc>> {
        self.oidc.load_full()
    }

    /// Reads the configuration again.
    ///
    /// # Errors
    /// See [`Reload::reload`].
    pub async fn reload(&self) -> Result<String, Vec<String>> {
        self.reload.reload().await
    }

    /// What puts authorities into force.
    #[must_use]
    pub fn authorities(&self) -> &dyn Reload {
        &*self.reload
    }

    /// A call on its whole way. What is logged on the way carries its trace.
    pub async fn call(&self, request: Request) -> Reply {
        let span = span(&request);
        self.gate.call(request).instrument(span).await
    }

    /// As [`Edge::call`], for a call that somebody else will carry out.
    pub async fn rule(&self, request: Request) -> Ruling {
        let span = span(&request);
        self.gate.rule(request).instrument(span).await
    }

    /// Who speaks, from the credential in the headers and nothing else.
    ///
    /// # Errors
    /// One refusal for every way in which a credential can be wrong; the log knows which.
    pub fn identify(&self, headers: &HeaderMap) -> Result<Identified, Refusal> {
        self.metrics.timed(Step::Identify, || self.identified(headers))
    }

    fn identified(&self, headers: &HeaderMap) -> Result<Identified, Refusal> {
        let now = self.gate.ports().clock.now();
        let tenant = self.gate.snapshot().tenant().clone();
        self.keyring.load().agent(headers, &tenant, now).map_err(|why| {
            tracing::info!(%why, "a request was not identified");
            Refusal::new(Code::Unauthenticated, "the credential is missing, unknown, expired or revoked")
        })
    }

    /// Which operator speaks.
    ///
    /// # Errors
    /// As [`Edge::identify`].
    pub async fn operator(&self, headers: &HeaderMap) -> Result<Operator, Refusal> {
        let terminal = visit::terminal(headers);
        let Some(token) = visit::token(headers).or(terminal) else {
            let now = self.gate.ports().clock.now();
            return self.keyring.load().operator(headers, now).map_err(unidentified);
        };
        let found = self.gate.session(&visit::id(token), self.settings.console.idle, visit::by_a_person(headers)).await;
        let found = found.map_err(|_| Refusal::new(Code::StoreUnavailable, "the store is unavailable"))?;
        let session = found.ok_or_else(|| unidentified("signed in no longer"))?;
        // A word that nobody stands behind any more is an old one.
        let fresh = self.oidc().map_or(SignedDuration::ZERO, |oidc| oidc.settings().fresh);
        let factor = session.worth(self.gate.ports().clock.now(), fresh);
        let came = if terminal.is_some() { Came::Terminal } else { Came::Session(session.id) };
        let csrf = if terminal.is_some() { String::new() } else { visit::csrf(token) };
        let visitor = self.keyring.load().visitor(&session, factor, came, csrf);
        if visitor.is_err() && self.gate.ports().store.end_session(&session.id).await.is_err() {
            tracing::warn!("the session of somebody who was sent away could not be ended; it opens nothing");
        }
        visitor.map_err(unidentified)
    }

    /// The people who steer the gateway, as the keys in force have them.
    #[must_use]
    pub fn people(&self) -> std::collections::HashMap<OperatorId, Person> {
        self.keyring.load().people.clone()
    }

    /// One of them.
    #[must_use]
    pub fn person(&self, id: &OperatorId) -> Option<Person> {
        self.keyring.load().people.get(id).cloned()
    }

    /// The caller inside a run it names: an agent whose key names no user works for the user for
    /// whom the run was opened.
    ///
    /// # Errors
    /// When the run is not this agent's.
    pub async fn caller_in(&self, identified: &Identified, run: Option<&RunId>) -> Result<Caller, Refusal> {
        let caller = identified.caller.clone();
        let (Some(id), None) = (run, caller.user()) else {
            // The key of a host application proves no user by itself. Without a run there would be
            // one link less to ask, and leaving the user out would widen what is allowed.
            if caller.user().is_none() && identified.may_declare != MayDeclare::Nobody {
                let refusal =
                    Refusal::new(Code::RunUnknown, "this key works inside runs that it has opened for a user");
                return Err(refusal.with_remedy("Open a run for the user, and name it in each call."));
            }
            return Ok(caller);
        };
        let found = self.gate.ports().store.run(id).await;
        let found = found.map_err(|_| Refusal::new(Code::StoreUnavailable, "the run could not be looked up"))?;
        let run = found.filter(|run| run.agent == *caller.calling_agent());
        let run = run.ok_or_else(|| Refusal::new(Code::RunUnknown, "there is no such run of this caller"))?;
        let caller = run.user.map_or(caller.clone(), |user| caller.for_user(user));
        Ok(run.workflow.map_or(caller.clone(), |workflow| caller.within(workflow)))
    }

    /// Resources, templates or prompts of all upstreams, as far as this caller could use them now.
    ///
    /// # Errors
    /// When the store cannot say what is halted.
    pub async fn catalogue(&self, caller: &Caller, kind: Kind) -> Result<Vec<Value>, Refusal> {
        let visible = self.gate.tools(caller).await?;
        Ok(self.fleet.catalogue(kind, |tool| visible.iter().any(|known| known.name == *tool)))
    }

    /// The tool that reads this resource.
    #[must_use]
    pub fn owner_of_resource(&self, uri: &str) -> Option<ToolName> {
        self.fleet.owner_of_resource(uri)
    }

    /// The tool that gets this prompt, and the prompt's own name.
    #[must_use]
    pub fn owner_of_prompt(&self, name: &str) -> Option<(ToolName, String)> {
        self.fleet.owner_of_prompt(name)
    }
}

fn unidentified(why: &'static str) -> Refusal {
    tracing::info!(%why, "an operator was not identified");
    Refusal::new(Code::Unauthenticated, "the credential is missing, unknown, expired or revoked")
}

/// The span of one call. A client that sends no trace gets none: the record's id names the call anyway.
fn span(request: &Request) -> Span {
    match &request.passage.traceparent {
        Some(trace) => tracing::info_span!("call", traceparent = trace.as_str()),
        None => Span::none(),
    }
}

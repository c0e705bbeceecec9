//! Streamable HTTP: one POST for each message.
//!
//! In the modern era every request stands alone, and so nothing is kept but what the server can do.
//! In the legacy era a server may keep a session. When it has lost it, the session is forgotten and
//! the next request opens another; the request that met the loss is not sent again.

mod exchange;
mod footing;
mod headers;
mod parting;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ::http::{HeaderMap, Uri};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use remit_app::secret::Secret;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use super::answer;
use super::changes::Changes;
use super::failure::{Failure, not_started, unknown};
use super::footing::{Era, Footing};
use super::frame;
use super::listing::Page;
use super::mirror;
use super::request::{Operation, Request};
use super::spec::{Slot, Spec, Transport};
use exchange::{Answered, Post};
use parting::Parting;

/// How long a connection is kept for the next request. Servers in Node and Python close theirs after
/// five seconds; a request that is just then on its way is lost, and its effect unknown. A new
/// connection costs less than that.
const IDLE_MAX: Duration = Duration::from_secs(4);
/// How long a connection may take to open.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

/// A client for HTTP and HTTPS.
pub(crate) type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// The way to one endpoint.
pub(super) struct Link {
    /// The client and the endpoint, or why there is none.
    endpoint: Result<(HttpClient, Uri), String>,
    slot: Option<Slot>,
    footing: ArcSwapOption<Footing>,
    /// Held while the footing is found, so that many first requests find it once.
    finding: Mutex<()>,
    patience: Duration,
    ids: AtomicU64,
    changes: Arc<Changes>,
    closed: AtomicBool,
}

impl Link {
    /// The way to the endpoint that the specification of an upstream names.
    pub fn new(spec: &Spec, changes: Arc<Changes>) -> Self {
        let endpoint = match &spec.transport {
            Transport::Http { url } => endpoint(url).and_then(|uri| Ok((client()?, uri))),
            Transport::Stdio { .. } => Err("it is no HTTP upstream".into()),
        };
        Self {
            endpoint,
            slot: spec.credential.clone(),
            footing: ArcSwapOption::empty(),
            finding: Mutex::new(()),
            patience: spec.patience(),
            ids: AtomicU64::new(1),
            changes,
            closed: AtomicBool::new(false),
        }
    }

    /// Later requests are not started.
    pub fn shutdown(&self) {
        self.closed.store(true, Ordering::Release);
        self.footing.store(None);
    }

    /// Whether this is the footing requests are sent on.
    pub fn stands_on(&self, footing: &Arc<Footing>) -> bool {
        self.footing.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, footing))
    }

    /// Carries out one call.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn call(
        &self,
        request: &Request<'_>,
        secret: Option<&Secret>,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let footing = match self.footing.load_full() {
            Some(footing) => footing,
            None => self.footing(secret, deadline).await.map_err(|failure| failure.before("connecting"))?,
        };
        let id = self.next_id();
        let params = frame::call(id, request, footing.era)?;
        let method = request.operation.method();
        let mut headers = self.headers(method, Some(&footing), secret)?;
        if footing.era == Era::Modern {
            if let Some(name) = &params.name {
                headers.insert(headers::NAME, mirror::value(name));
            }
            if request.operation == Operation::Tool {
                headers.extend(mirror::params(request.definition, request.arguments));
            }
        }
        let post =
            Post { id, frame: frame::request(id, method, &params.text), progress: request.passage.progress.as_ref() };
        let parting = (footing.era != Era::Modern).then(|| Parting::new(self, id, &headers)).transpose()?;
        let answered = self.exchange(post, headers, footing.era, deadline).await;
        if let (Some(parting), Ok(_) | Err(Failure::NotStarted { .. })) = (parting, &answered) {
            parting.settled();
        }
        let (lost, result) = self.outcome(answered?, &footing);
        if lost {
            self.changes.lost();
        }
        answer::held(result?, footing.era, request.declared())
    }

    /// Gets one page of a list.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn page(
        &self,
        method: &'static str,
        cursor: Option<&str>,
        footing: &Arc<Footing>,
        secret: Option<&Secret>,
        deadline: Instant,
    ) -> Result<Page, Failure> {
        let id = self.next_id();
        let headers = self.headers(method, Some(footing), secret)?;
        let frame = frame::request(id, method, &frame::own(footing.era, cursor));
        let answered = self.exchange(Post { id, frame, progress: None }, headers, footing.era, deadline).await?;
        let bytes = answered.bytes;
        // Whoever lists finds out at once what another session serves, so the loss is no news to them.
        let (_lost, result) = self.outcome(answered, footing);
        let result = answer::held(result?, footing.era, None)?;
        Ok(Page { result, bytes })
    }

    /// Whether the footing was lost with this answer, and what it says.
    fn outcome(&self, answered: Answered, footing: &Arc<Footing>) -> (bool, Result<Value, Failure>) {
        let status = answered.status.as_u16();
        // 404 is the word for it; servers made after the TypeScript SDK's example say 400, and no id.
        if footing.session.is_some() && (status == 404 || (status == 400 && !answered.addressed)) {
            let why = "its session has ended; the next request opens another";
            return (self.forget(footing), Err(not_started(why)));
        }
        // Another server may stand there now. Finding out again costs little.
        let strange = matches!(status, 400 | 404 | 405) && (!answered.addressed || footing.era != Era::Modern);
        let other_version = matches!(answered.reply, Some(Err(Failure::Rpc { code: -32022, .. })));
        let lost = (strange || other_version) && self.forget(footing);
        let result = match answered.reply {
            Some(Ok(result)) if answered.status.is_success() => Ok(result),
            Some(Err(failure)) if answered.addressed || Failure::refused(status).is_some() => Err(failure),
            _ => Err(Failure::refused(status).unwrap_or_else(|| unknown(format!("HTTP status {status}")))),
        };
        (lost, result)
    }

    /// Forgets this footing; false when it was forgotten before.
    fn forget(&self, footing: &Arc<Footing>) -> bool {
        let there = self.footing.compare_and_swap(footing, None);
        there.as_ref().is_some_and(|there| Arc::ptr_eq(there, footing))
    }

    fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    fn headers(
        &self,
        method: &'static str,
        footing: Option<&Footing>,
        secret: Option<&Secret>,
    ) -> Result<HeaderMap, Failure> {
        if self.closed.load(Ordering::Acquire) {
            return Err(not_started("the connection was shut down"));
        }
        headers::build(method, footing, self.slot.as_ref(), secret)
    }
}

/// Reads the URL of an endpoint.
pub(crate) fn endpoint(url: &str) -> Result<Uri, String> {
    let uri: Uri = url.parse().map_err(|error| format!("`{url}` is no URL: {error}"))?;
    let authority = uri.authority().ok_or_else(|| format!("`{url}` names no host"))?;
    if authority.as_str().contains('@') {
        return Err("its URL holds a credential; credentials have a place of their own".into());
    }
    match uri.scheme_str() {
        Some("http" | "https") => Ok(uri),
        _ => Err(format!("`{url}` is neither http nor https")),
    }
}

/// A client that trusts the public authorities and keeps connections for a moment.
pub(crate) fn client() -> Result<HttpClient, String> {
    trusting(None)
}

/// The same. With a file (PEM), the authorities in it are trusted instead of the public ones.
pub(crate) fn trusting(ca: Option<&Path>) -> Result<HttpClient, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = tls.map_err(|error| error.to_string())?;
    let tls = match ca {
        None => tls.with_webpki_roots(),
        Some(file) => tls.with_root_certificates(authorities(file)?),
    };
    let tls = tls.with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIME_MAX));
    // Plain HTTP goes the same way; the connector above tells them apart.
    tcp.enforce_http(false);
    let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_all_versions();
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_MAX);
    Ok(builder.build(connector.wrap_connector(tcp)))
}

/// The certificates in a file.
fn authorities(file: &Path) -> Result<rustls::RootCertStore, String> {
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| said(&error))? {
        roots.add(certificate.map_err(|error| said(&error))?).map_err(|error| said(&error))?;
    }
    if roots.is_empty() { Err(said(&"there is no certificate in it")) } else { Ok(roots) }
}

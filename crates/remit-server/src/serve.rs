//! Serving: one listener, every path, and an end that finishes what was started.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Router, middleware};
use http::header::HOST;
use http::{StatusCode, Version};
use hyper::body::Incoming;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use remit_app::ledger::sealed;
use remit_core::unsealed::Then;
use remit_core::verdict::{Code, Refusal};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::console::Peer;
use crate::edge::Edge;
use crate::repolled::repolled;
use crate::{accept, admin, console, gateway, ledger, notify, refusal};

/// How long the head of a request may take to arrive, the first one with whatever comes before it.
const HEAD_TIME_MAX: Duration = Duration::from_secs(15);
/// How often a quiet HTTP/2 connection is asked whether anybody is there.
const PING_EVERY: Duration = Duration::from_secs(30);
/// Most connections at once; further ones wait in the listener's queue.
const CONNECTIONS_MAX: usize = 10_000;

/// Everything that is served.
pub fn routes(edge: Arc<Edge>) -> Router {
    let ledger = edge.settings.ledger.as_deref().map_or_else(ledger::files::elsewhere, ledger::files::routes);
    Router::new()
        .merge(gateway::mcp::routes(edge.clone()))
        .merge(gateway::http::routes(edge.clone()))
        .merge(admin::routes(edge.clone()))
        .merge(console::routes(edge.clone()))
        .merge(console::terminal::routes(edge.clone()))
        .merge(notify::callback::routes(edge.clone()))
        .merge(
            Router::new()
                .route("/healthz", get(|| async { "ok\n" }))
                .route("/readyz", get(ready))
                .route("/metrics", get(metrics))
                .merge(ledger)
                .fallback(nothing_here)
                .layer(middleware::from_fn_with_state(edge.clone(), gateway::http::guard))
                .with_state(edge),
        )
        .method_not_allowed_fallback(wrong_verb)
}

async fn wrong_verb() -> Response {
    let refusal = Refusal::new(Code::Malformed, "this path takes no such method")
        .with_remedy("The header `Allow` names those that it takes.");
    refusal::http(StatusCode::METHOD_NOT_ALLOWED, &refusal, None)
}

async fn nothing_here() -> Response {
    let refusal = Refusal::new(Code::Malformed, "there is nothing at this path")
        .with_remedy("What agents and services may ask stands in `GET /v1/openapi.json`.");
    refusal::http(StatusCode::NOT_FOUND, &refusal, None)
}

/// Ready means: the store can promise something, and the log takes it up. Upstreams that are down do not make the
/// gateway unready.
async fn ready(State(edge): State<Arc<Edge>>) -> Response {
    let ports = edge.gate.ports();
    let unready = |why: &str| (StatusCode::SERVICE_UNAVAILABLE, axum::Json(json!({"ready": false, "why": why})));
    if ports.store.health().is_err() {
        return unready("store").into_response();
    }
    let lag = edge.gate.lag();
    let trouble = lag.as_ref().and_then(|lag| lag.trouble(ports.clock.now()));
    match trouble {
        None => axum::Json(json!({"ready": true})).into_response(),
        // Whoever lets calls go on without the log wants no balancer to stop them.
        Some(why) if lag.is_some_and(|lag| lag.bound().then == Then::GoOn) => {
            axum::Json(json!({"ready": true, "ledger": why})).into_response()
        }
        Some(why) => unready(&format!("ledger: {why}")).into_response(),
    }
}

async fn metrics(State(edge): State<Arc<Edge>>) -> Response {
    let store = &edge.gate.ports().store;
    if let Ok(open) = store.count_waiting(edge.gate.ports().clock.now()).await {
        edge.metrics.questions(open);
    }
    if let Ok(backlog) = store.backlog().await {
        let now = edge.gate.ports().clock.now();
        let age = backlog.oldest.map_or(0, |oldest| now.duration_since(oldest).as_secs());
        edge.metrics.reviews(backlog.waiting, age);
    }
    if let (Ok(sealed), Ok(records)) = (sealed(&**store).await, store.count().await) {
        let now = edge.gate.ports().clock.now();
        let waited = edge.gate.lag().map_or(0, |lag| lag.secs(now));
        edge.metrics.ledger(sealed, records, waited, now);
    }
    let all = edge.gate.snapshot().all_budgets(edge.gate.ports().clock.now());
    if let Ok(usage) = store.usage(&all).await {
        for ((budget, _), (settled, reserved)) in all.iter().zip(usage) {
            edge.metrics.budget(&budget.key.0, settled.saturating_add(reserved), budget.limit);
        }
    }
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(http::header::CONTENT_TYPE, kind)], edge.metrics.text()).into_response()
}

/// Serves until `stop` completes, then lets started requests finish for at most `grace`.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: impl Future<Output = ()>,
    grace: Duration,
) -> std::io::Result<()> {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIME_MAX);
    server.http2().timer(TokioTimer::new()).max_concurrent_streams(256).keep_alive_interval(PING_EVERY);
    tokio::pin!(stop);
    loop {
        let place = tokio::select! {
            () = &mut stop => break,
            place = places.clone().acquire_owned() => place,
        };
        let (stream, peer) = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                // Out of file descriptors and the like: the next moment may be better.
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let (server, router, watcher, tls) = (server.clone(), router.clone(), graceful.watcher(), tls.clone());
        tokio::spawn(repolled(async move {
            let _place = place;
            let served = match tls {
                None => connection(&server, stream, Peer(peer.ip()), router, watcher).await,
                Some(tls) => match tokio::time::timeout(HEAD_TIME_MAX, tls.accept(stream)).await {
                    Ok(Ok(stream)) => connection(&server, stream, Peer(peer.ip()), router, watcher).await,
                    _ => return,
                },
            };
            if let Err(error) = served {
                tracing::debug!(%peer, %error, "a connection ended");
            }
        }));
    }
    drop(listener);
    if tokio::time::timeout(grace, graceful.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time and were cut off");
    }
    Ok(())
}

async fn connection<S>(
    server: &Builder<TokioExecutor>,
    stream: S,
    peer: Peer,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (served, asked) = (TowerToHyperService::new(router), Arc::new(AtomicBool::new(false)));
    let begun = asked.clone();
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        begun.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(peer);
        // RFC 9112, section 3.2: such a request is answered with 400, whatever it asks for.
        let nameless = request.version() == Version::HTTP_11 && !request.headers().contains_key(HOST);
        let answer = (!nameless).then(|| served.call(request));
        async move {
            match answer {
                Some(answer) => answer.await,
                None => Ok(refusal::http(StatusCode::BAD_REQUEST, &accept::malformed("`Host` is missing"), None)),
            }
        }
    });
    let connection = server.serve_connection(TokioIo::new(stream), service);
    let connection = watcher.watch(connection.into_owned());
    tokio::pin!(connection);
    // Whoever says nothing, or not enough to tell which HTTP it is, is known to no other timer.
    match tokio::time::timeout(HEAD_TIME_MAX, &mut connection).await {
        Ok(ended) => ended,
        Err(_) if asked.load(Ordering::Relaxed) => connection.await,
        Err(_) => Ok(()),
    }
}

/// The names under which a listener on this address is reached from the same machine.
#[must_use]
pub fn loopback_hosts(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    ["localhost", "127.0.0.1", "[::1]"]
        .into_iter()
        .flat_map(|name| [name.to_owned(), format!("{name}:{port}")])
        .collect()
}

//! The Model Context Protocol, as agents speak it to the gateway: revisions 2025-03-26 to 2025-11-25
//! with a handshake and sessions, 2026-07-28 without, on one path and over stdio.
//!
//! Read [`http`] for the order of the checks, [`era`] for who speaks what, [`dispatch`] for what is
//! served, [`call`] and [`hold`] for the way of a call. What is read here is bytes and headers; what
//! may be done is decided in the gate, and only there. `bridge/` alone stands on the other side: it
//! carries a spawned client's lines to a gateway that runs. Written by hand rather than with an SDK,
//! because evidence must cover exactly what was sent, unknown members included (MCP.md 3).

mod answer;
mod bridge;
mod call;
mod catalogue;
mod client;
mod deed;
mod dispatch;
mod era;
mod fault;
mod frame;
mod handshake;
mod headers;
mod hold;
mod http;
mod listen;
mod presence;
mod relay;
mod seal;
mod session;
mod sse;
mod state;
mod stdio;
mod tasks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::http::HeaderMap;
use ::http::header::AUTHORIZATION;
use axum::Router;
use axum::routing::any;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};

use self::client::Client;
use self::presence::UnderWay;
use self::seal::Seals;
use self::session::Sessions;
use self::tasks::Tasks;
use crate::edge::Edge;
use crate::identify::Identified;

/// What the protocol's endpoint needs beside the edge. None of it is an authority: what is lost here
/// with a restart costs a client a repetition, and no call its record.
struct Mcp {
    edge: Arc<Edge>,
    seals: Seals,
    sessions: Sessions,
    under_way: UnderWay,
    tasks: Tasks,
    /// Who we say we are.
    server: Value,
}

impl Mcp {
    fn new(edge: Arc<Edge>) -> Arc<Self> {
        let seals = Seals::new(&edge.settings.session_key);
        let server = json!({"name": edge.settings.server_name, "version": env!("CARGO_PKG_VERSION")});
        let (sessions, under_way, tasks) = (Sessions::new(), UnderWay::default(), Tasks::default());
        Arc::new(Self { edge, seals, sessions, under_way, tasks, server })
    }

    fn now(&self) -> Timestamp {
        self.edge.gate.ports().clock.now()
    }

    /// Whether the credential a client came with still proves the same caller.
    fn still_proven(&self, client: &Client) -> bool {
        let Some(credential) = &client.credential else { return true };
        let headers = HeaderMap::from_iter([(AUTHORIZATION, credential.clone())]);
        self.edge.identify(&headers).is_ok_and(|found| found.caller == client.identified.caller)
    }
}

pub use self::bridge::{Far, bridge, in_clear};

/// `/mcp`, over HTTP.
pub fn routes(edge: Arc<Edge>) -> Router {
    Router::new().route("/mcp", any(http::handle)).with_state(Mcp::new(edge))
}

/// The same over a pair of pipes, for one identified client, until the input ends.
///
/// # Errors
/// When the input cannot be read.
pub async fn stdio(
    edge: Arc<Edge>,
    identified: Identified,
    input: impl AsyncRead + Send + Unpin,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> std::io::Result<()> {
    stdio::serve(Mcp::new(edge), identified, input, output).await
}

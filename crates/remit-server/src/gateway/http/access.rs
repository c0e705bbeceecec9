//! Access requests over HTTP.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use remit_core::verdict::{Code, Refusal};

use crate::edge::Edge;
use crate::gateway::access;
use crate::gateway::http::{Asked, asking, ok, refused};

/// `GET /v1/access-requests`: what this caller's agent may ask for.
pub(super) async fn offers(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    asking(&edge, &headers).await.map_or_else(|refusal| refused(&refusal), |caller| ok(access::offers(&edge, &caller)))
}

/// `POST /v1/access-requests`: `{"tools", "reason", "where"?, "for_secs"?, "calls"?, "run"?}`.
pub(super) async fn open(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let asked = match Asked::read(&edge, request).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let opened = async {
        asked.only(&["tools", "where", "for_secs", "calls", "reason", "run"])?;
        asked.text("reason")?.ok_or_else(|| Refusal::new(Code::Malformed, "`reason` is missing: people will ask"))?;
        let run = asked.run()?;
        let caller = edge.caller_in(&asked.identified, run.as_ref()).await?;
        access::request(&edge, &caller, run.as_ref(), &asked.body).await
    };
    match opened.await {
        Ok(request) => (StatusCode::ACCEPTED, axum::Json(request)).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

//! The HTTP API for agents and services without MCP. The same gate, the same words.

mod access;
mod calls;
mod evidence;
mod openapi;
mod runs;

pub(crate) use evidence::bundle;
pub(crate) use runs::shown as run_shown;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, middleware};
use http::{HeaderMap, StatusCode};
use remit_app::ports::{Meter as _, Step};
use remit_core::Caller;
use remit_core::ids::RunId;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::edge::Edge;
use crate::gateway::builtin;
use crate::identify::Identified;
use crate::{accept, refusal};

/// The paths under `/v1`.
pub fn routes(edge: Arc<Edge>) -> Router {
    Router::new()
        .route("/v1/calls", post(calls::call))
        .route("/v1/decisions", post(calls::decide))
        .route("/v1/decisions/{id}/outcome", post(calls::report))
        .route("/v1/runs", post(runs::open))
        .route("/v1/runs/{id}", get(runs::show))
        .route("/v1/runs/{id}/close", post(runs::close))
        .route("/v1/evidence/{id}", get(evidence::evidence))
        .route("/v1/tools", get(tools))
        .route("/v1/me", get(me))
        .route("/v1/questions/{id}", get(question).post(calls::answer_back))
        .route("/v1/access-requests", get(access::offers).post(access::open))
        .route("/v1/openapi.json", get(openapi::document))
        .layer(middleware::from_fn_with_state(edge.clone(), guard))
        .with_state(edge)
}

/// Host and Origin, before anything else is looked at.
pub(crate) async fn guard(State(edge): State<Arc<Edge>>, request: Request, next: middleware::Next) -> Response {
    match accept::host_and_origin(request.uri(), request.headers(), &edge.settings) {
        Ok(()) => next.run(request).await,
        Err(response) => *response,
    }
}

/// A request of an identified agent: the members of its JSON body.
pub(crate) struct Asked {
    pub identified: Identified,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Asked {
    /// Identifies, then reads the body, in that order: a stranger's body is not parsed.
    pub async fn read(edge: &Edge, request: Request) -> Result<Self, Response> {
        let (parts, body) = request.into_parts();
        let refuse = |refusal: Refusal| {
            edge.metrics.rejected(refusal.code);
            refusal::http(refusal::status(refusal.code), &refusal, None)
        };
        let identified = edge.identify(&parts.headers).map_err(refuse)?;
        let json = parts.headers.get(http::header::CONTENT_TYPE).and_then(|v| v.to_str().ok());
        if !json.is_some_and(|kind| {
            kind.split(';').next().is_some_and(|k| k.trim().eq_ignore_ascii_case("application/json"))
        }) {
            let refusal = Refusal::new(Code::Malformed, "expected `Content-Type: application/json`");
            edge.metrics.rejected(refusal.code);
            return Err(refusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE, &refusal, None));
        }
        let began = edge.metrics.tick();
        let body = accept::object(body, edge.settings.body_bytes_max).await.map_err(refuse)?;
        edge.metrics.step(Step::Accept, began);
        Ok(Self { identified, headers: parts.headers, body })
    }

    /// Refuses members that mean nothing, so that a misspelt one is noticed.
    pub fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        accept::only(&self.body, known)
    }

    /// An optional text of the body.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        accept::text(&self.body, name)
    }

    /// A header that may be given once.
    pub fn header(&self, name: &'static str) -> Result<Option<&str>, Refusal> {
        single(&self.headers, name)
    }

    /// What the body or the header says. Where both do they agree, or nobody knows which of them counts.
    pub fn said(&self, member: &str, header: &'static str) -> Result<Option<&str>, Refusal> {
        match (self.text(member)?, self.header(header)?) {
            (Some(body), Some(head)) if body != head => {
                Err(Refusal::new(Code::Malformed, format!("`{member}` and the header `{header}` disagree")))
            }
            (body, head) => Ok(body.or(head)),
        }
    }

    /// The run that the body or the header names.
    pub fn run(&self) -> Result<Option<RunId>, Refusal> {
        self.said("run", RUN)?.map(run).transpose()
    }
}

/// The header that names a run.
const RUN: &str = "remit-run";

/// A header that may be given once. Two of them would let a call slip out of one.
fn single<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str());
    match (value, values.next()) {
        (None, _) => Ok(None),
        (Some(Ok(text)), None) => Ok(Some(text)),
        _ => Err(Refusal::new(Code::Malformed, format!("the header `{name}` is unreadable or given twice"))),
    }
}

fn run(id: &str) -> Result<RunId, Refusal> {
    RunId::parse(id).map_err(|_| Refusal::new(Code::RunUnknown, "there is no such run of this caller"))
}

/// Who asks: whom the key stands for, or the user of the run that the header names.
async fn asking(edge: &Edge, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let identified = edge.identify(headers)?;
    match single(headers, RUN)?.map(run).transpose()? {
        None => Ok(identified.caller),
        named => edge.caller_in(&identified, named.as_ref()).await,
    }
}

pub(crate) fn refused(refusal: &Refusal) -> Response {
    refusal::http(refusal::status(refusal.code), refusal, None)
}

pub(crate) fn ok(value: Value) -> Response {
    Json(value).into_response()
}

async fn tools(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let listed = async { edge.gate.tools(&asking(&edge, &headers).await?).await };
    match listed.await {
        Err(refusal) => refused(&refusal),
        Ok(tools) => ok(json!({"tools": tools.iter().map(|tool| json!({
            "name": tool.name.as_str(),
            "class": tool.class.as_str(),
            "risk": tool.risk.as_str(),
            "reversible": tool.reversible,
            "description": tool.definition.json().get("description"),
            "input_schema": tool.definition.input_schema(),
        })).collect::<Vec<_>>()})),
    }
}

async fn me(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let asked = async { builtin::may(&edge, &asking(&edge, &headers).await?).await };
    asked.await.map_or_else(|refusal| refused(&refusal), ok)
}

async fn question(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let asked = async { builtin::status(&edge, &asking(&edge, &headers).await?, &id).await };
    asked.await.map_or_else(|refusal| refused(&refusal), ok)
}

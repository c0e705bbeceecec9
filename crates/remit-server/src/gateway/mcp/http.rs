//! Streamable HTTP, both eras on one path. The order of the checks is the specification (MCP.md
//! 2.1): each step may rely on those before it, and nothing is parsed for somebody who was not identified.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::{ACCEPT, ALLOW, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method as Verb, StatusCode};
use remit_app::ports::{Meter as _, Step};
use remit_core::ids::ToolName;
use remit_core::verdict::Code;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc::channel;

use super::client::{Client, Hints, Outbox, Speaks};
use super::dispatch::{dispatch, upstream_method};
use super::era::{self, Era, SESSION_HEADER, VERSION_HEADER};
use super::fault::{Fault, INTERNAL, INVALID_REQUEST};
use super::frame::{Frame, result};
use super::listen::{self, Filter};
use super::presence::{Gone, Place, presence};
use super::session::Session;
use super::{Mcp, handshake, headers, sse};
use crate::errand::{Broken, Errand};
use crate::identify::Identified;
use crate::{accept, refusal};

/// How many notices may wait for a client that reads slowly.
const BACKLOG: usize = 64;

/// Answers one HTTP request.
pub(super) async fn handle(State(mcp): State<Arc<Mcp>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    if let Err(response) = accept::host_and_origin(&head.uri, &head.headers, &mcp.edge.settings) {
        mcp.edge.metrics.rejected(Code::Malformed);
        return *response;
    }
    match head.method {
        Verb::POST => post(&mcp, head.headers, body).await,
        // Sessions, and what belongs to them, are of the legacy era.
        Verb::GET | Verb::DELETE if in_session(&head.headers) => session(&mcp, &head.method, &head.headers),
        _ => {
            let fault = Fault { status: StatusCode::METHOD_NOT_ALLOWED, ..Fault::new(INVALID_REQUEST, "use POST") };
            let mut response = failed(&fault, None, true);
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
            response
        }
    }
}

fn in_session(headers: &HeaderMap) -> bool {
    let modern = headers.get(VERSION_HEADER).is_some_and(|version| version.as_bytes() >= era::MODERN.as_bytes());
    headers.contains_key(SESSION_HEADER) && !modern
}

/// GET opens the session's stream of notices, DELETE ends the session.
fn session(mcp: &Arc<Mcp>, verb: &Verb, headers: &HeaderMap) -> Response {
    let identified = match identify(mcp, headers) {
        Ok(identified) => identified,
        Err(response) => return *response,
    };
    let id = headers.get(SESSION_HEADER).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let Some(session) = mcp.sessions.open(&mcp.seals, &identified, id, mcp.now()) else {
        return failed(&era::no_session(), None, true);
    };
    if *verb == Verb::DELETE {
        mcp.sessions.end(&session);
        return StatusCode::NO_CONTENT.into_response();
    }
    if !Accepts::read(headers).stream {
        return failed(&not_acceptable(), None, true);
    }
    let (sender, receiver) = channel(BACKLOG);
    let (stay, left) = presence();
    let outbox = Outbox::new(sender);
    let client = Client {
        identified,
        speaks: Speaks::Legacy,
        hints: Hints::default(),
        credential: headers.get(AUTHORIZATION).cloned(),
        outbox: None,
        cancelled: left.clone(),
        left,
    };
    let (mcp, notices) = (mcp.clone(), mcp.edge.notices.subscribe());
    tokio::spawn(async move { listen::tell(&mcp, &client, &outbox, notices, &Filter::all(), &json!({})).await });
    sse::response(receiver, stay)
}

fn identify(mcp: &Mcp, headers: &HeaderMap) -> Result<Identified, Box<Response>> {
    mcp.edge.identify(headers).map_err(|refusal| {
        mcp.edge.metrics.rejected(refusal.code);
        Box::new(refusal::http(refusal::status(refusal.code), &refusal, None))
    })
}

async fn post(mcp: &Arc<Mcp>, headers: HeaderMap, body: Body) -> Response {
    let identified = match identify(mcp, &headers) {
        Ok(identified) => identified,
        Err(response) => return *response,
    };
    let rejected = |fault: &Fault, id: Option<&Value>| {
        mcp.edge.metrics.rejected(Code::Malformed);
        failed(fault, id, true)
    };
    if !is_json(&headers) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return rejected(
            &Fault { status, ..Fault::new(INVALID_REQUEST, "the content type must be application/json") },
            None,
        );
    }
    let accepts = Accepts::read(&headers);
    if !(accepts.json && accepts.stream) {
        return rejected(&not_acceptable(), None);
    }
    let metrics = &mcp.edge.metrics;
    let began = metrics.tick();
    let bytes = match accept::body(body, mcp.edge.settings.body_bytes_max).await {
        Ok(bytes) => bytes,
        Err(refusal) => {
            mcp.edge.metrics.rejected(refusal.code);
            return refusal::http(refusal::status(refusal.code), &refusal, None);
        }
    };
    let frame = match Frame::read(&bytes) {
        Ok(frame) => frame,
        Err(unreadable) => return rejected(&unreadable.fault, unreadable.id.as_ref()),
    };
    metrics.step(Step::Accept, began);
    let id = match &frame {
        Frame::Request { id, .. } => Some(id.clone()),
        _ => None,
    };
    let open = |id: &str| mcp.sessions.open(&mcp.seals, &identified, id, mcp.now());
    let answered = match era::classify(&headers, &frame, open) {
        Ok(Era::Modern) => modern(mcp, identified, &headers, frame).await,
        Ok(Era::Handshake) => begin(mcp, &identified, frame),
        Ok(Era::Session(session)) => Ok(legacy(mcp, identified, &headers, session, frame).await),
        Err(fault) => Err(fault),
    };
    answered.unwrap_or_else(|fault| rejected(&fault, id.as_ref()))
}

/// A modern message: everything it says about itself is held to the body before anything is done.
async fn modern(mcp: &Arc<Mcp>, identified: Identified, headers: &HeaderMap, frame: Frame) -> Result<Response, Fault> {
    let version = headers::one(headers, VERSION_HEADER)?;
    let (id, method, params) = match frame {
        Frame::Request { id, method, params } => (id, method, params),
        // No notification means anything over modern HTTP: a client cancels by closing the stream.
        Frame::Notification { .. } => {
            version.map_or(Ok(()), era::supported)?;
            return Ok(StatusCode::ACCEPTED.into_response());
        }
        Frame::Response => return Err(Fault::bad(INVALID_REQUEST, "responses are not accepted")),
    };
    let capabilities = era::modern(Some(version), &params)?.clone();
    headers::check(headers, &method, &params)?;
    if method == "tools/call" {
        check_params(mcp, &identified, headers, &params)?;
    }
    let speaks = Speaks::Modern(capabilities);
    let (stay, left) = presence();
    let mut client = client(identified, speaks, headers, left.clone(), left);
    if method == "subscriptions/listen" {
        Filter::read(&client, &params)?;
    }
    let listens = method == "subscriptions/listen" || wants_progress(&method, &params);
    if listens {
        let (sender, receiver) = channel(BACKLOG);
        client.outbox = Some(Outbox::new(sender));
        tokio::spawn(errand(mcp, client, None, id, method, params));
        return Ok(sse::response(receiver, stay));
    }
    let ended = errand(mcp, client, None, id, method, params).await;
    let response = mcp.edge.metrics.timed(Step::Reply, || finished(ended, true));
    drop(stay);
    Ok(response)
}

/// A message inside a legacy session. From here on errors travel with 200: to these clients a 404
/// means that their session is gone.
async fn legacy(
    mcp: &Arc<Mcp>,
    identified: Identified,
    headers: &HeaderMap,
    session: Session,
    frame: Frame,
) -> Response {
    let (id, method, params) = match frame {
        Frame::Request { id, method, params } => (id, method, params),
        Frame::Notification { method, params } => {
            if let (true, Some(id)) = (method == "notifications/cancelled", params.get("requestId")) {
                mcp.under_way.call_off(session.key, id);
            }
            return StatusCode::ACCEPTED.into_response();
        }
        Frame::Response => return StatusCode::ACCEPTED.into_response(),
    };
    tracing::trace!(version = session.version.as_str(), capabilities = session.capabilities, method, "in a session");
    let (stay, left) = presence();
    let (place, cancelled) = mcp.under_way.enter(session.key, &id);
    let mut client = client(identified, Speaks::Legacy, headers, left, cancelled);
    if wants_progress(&method, &params) {
        let (sender, receiver) = channel(BACKLOG);
        client.outbox = Some(Outbox::new(sender));
        tokio::spawn(errand(mcp, client, Some(place), id, method, params));
        return sse::response(receiver, stay);
    }
    let ended = errand(mcp, client, Some(place), id, method, params).await;
    let response = mcp.edge.metrics.timed(Step::Reply, || finished(ended, false));
    drop(stay);
    response
}

fn client(identified: Identified, speaks: Speaks, headers: &HeaderMap, left: Gone, cancelled: Gone) -> Client {
    let credential = headers.get(AUTHORIZATION).cloned();
    Client { identified, speaks, hints: Hints::read(headers), credential, outbox: None, left, cancelled }
}

/// The handshake of the legacy era.
fn begin(mcp: &Mcp, identified: &Identified, frame: Frame) -> Result<Response, Fault> {
    let Frame::Request { id, params, .. } = frame else {
        return Err(Fault::bad(INVALID_REQUEST, "`initialize` is a request"));
    };
    let (answer, session) = handshake::initialize(mcp, identified, &params)?;
    let mut response = json_response(StatusCode::OK, &result(&id, answer));
    if let Ok(session) = HeaderValue::from_str(&session) {
        response.headers_mut().insert(SESSION_HEADER, session);
    }
    Ok(response)
}

/// Only for tools this caller holds: else the headers would tell which tools exist.
fn check_params(
    mcp: &Mcp,
    identified: &Identified,
    headers: &HeaderMap,
    params: &Map<String, Value>,
) -> Result<(), Fault> {
    let snapshot = mcp.edge.gate.snapshot();
    let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
    let tool = match ToolName::parse(name) {
        Ok(name) => snapshot.registry().tool(&name),
        Err(_) => snapshot.registry().public(name),
    };
    let Some(tool) = tool.filter(|tool| snapshot.holds(&identified.caller, tool)) else { return Ok(()) };
    let schema = tool.definition.json().get("inputSchema").unwrap_or(&Value::Null);
    headers::check_params(headers, schema, params.get("arguments").unwrap_or(&Value::Null))
}

fn wants_progress(method: &str, params: &Map<String, Value>) -> bool {
    let token = params.get("_meta").and_then(|meta| meta.get("progressToken"));
    token.is_some_and(|token| token.is_string() || token.is_number()) && upstream_method(method).is_some()
}

/// Answers one request. With an outbox the answer goes there, else it is the errand's.
fn errand(
    mcp: &Arc<Mcp>,
    client: Client,
    place: Option<Place>,
    id: Value,
    method: String,
    params: Map<String, Value>,
) -> Errand<(StatusCode, Value)> {
    let mcp = mcp.clone();
    Errand::new(async move {
        let answer = dispatch(&mcp, &client, &id, &method, &params).await;
        if let Some(place) = place {
            mcp.under_way.leave(&place);
        }
        let (status, message) = match answer {
            Ok(answer) => (StatusCode::OK, result(&id, answer)),
            Err(fault) => (fault.status, fault.message(Some(&id))),
        };
        match &client.outbox {
            Some(outbox) => {
                outbox.last(message).await;
                (status, Value::Null)
            }
            None => (status, message),
        }
    })
}

fn finished(ended: Result<(StatusCode, Value), Broken>, modern: bool) -> Response {
    match ended {
        Ok((status, message)) => json_response(if modern { status } else { StatusCode::OK }, &message),
        Err(Broken) => {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            failed(&Fault { status, ..Fault::new(INTERNAL, "the request ended without an answer") }, None, true)
        }
    }
}

fn failed(fault: &Fault, id: Option<&Value>, modern: bool) -> Response {
    json_response(if modern { fault.status } else { StatusCode::OK }, &fault.message(id))
}

fn json_response(status: StatusCode, message: &Value) -> Response {
    let mut response = Response::new(Body::from(message.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn not_acceptable() -> Fault {
    let what = "the client must accept application/json and text/event-stream";
    Fault { status: StatusCode::NOT_ACCEPTABLE, ..Fault::new(INVALID_REQUEST, what) }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(Ok(value)), None) = (values.next().map(HeaderValue::to_str), values.next()) else { return false };
    let mut parts = value.split(';').map(str::trim);
    let kind = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    // JSON is UTF-8; a parameter that says otherwise asks to be read differently.
    kind && parts.all(|part| part.is_empty() || part.to_ascii_lowercase().replace('"', "") == "charset=utf-8")
}

/// Which of the two forms of an answer a client takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Accepts {
    json: bool,
    stream: bool,
}

impl Accepts {
    /// Without the header everything is taken, as HTTP has it.
    fn read(headers: &HeaderMap) -> Self {
        if !headers.contains_key(ACCEPT) {
            return Self { json: true, stream: true };
        }
        let mut accepts = Self { json: false, stream: false };
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for range in values.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let refused = |part: &str| part.strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
            if parts.any(refused) {
                continue;
            }
            accepts.json |= matches!(kind.as_str(), "*/*" | "application/*" | "application/json");
            accepts.stream |= matches!(kind.as_str(), "*/*" | "text/*" | "text/event-stream");
        }
        accepts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: http::HeaderName, values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), value.parse().expect("header"));
        }
        headers
    }

    #[test]
    fn content_types() {
        for (values, fine) in [
            (&["application/json"][..], true),
            (&["Application/JSON; charset=UTF-8"], true),
            (&["application/json;charset=\"utf-8\""], true),
            (&["application/json; charset=latin1"], false),
            (&["application/json-rpc"], false),
            (&["text/plain"], false),
            (&["application/json", "text/plain"], false),
            (&[], false),
        ] {
            assert_eq!(is_json(&headers(CONTENT_TYPE, values)), fine, "{values:?}");
        }
    }

    #[test]
    fn accepted_forms() {
        for (values, json, stream) in [
            (&[][..], true, true),
            (&["*/*"], true, true),
            (&["application/json, text/event-stream"], true, true),
            (&["application/json", "text/event-stream;q=0.9"], true, true),
            (&["application/json"], true, false),
            (&["text/event-stream"], false, true),
            (&["application/json, text/event-stream;q=0"], true, false),
            (&["text/html"], false, false),
        ] {
            assert_eq!(Accepts::read(&headers(ACCEPT, values)), Accepts { json, stream }, "{values:?}");
        }
    }
}

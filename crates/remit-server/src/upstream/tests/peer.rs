//! A server over HTTP that does as it is told and remembers what it was sent.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use bytes::Bytes;
use futures_util::stream::unfold;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use super::super::{Connection, Transport};
use super::spec;

pub(super) type Body = UnsyncBoxBody<Bytes, Infallible>;
type Script = Arc<dyn Fn(&Sent) -> Option<Reply> + Send + Sync>;

/// A message the server was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub headers: HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Sent {
    pub fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ascii"))
    }
}

/// What the server does with a message.
pub(super) enum Reply {
    /// A status and a JSON body. In the body, the id 0 becomes the request's.
    Json(u16, Value),
    /// A status and whatever.
    Text(u16, &'static str, String),
    /// Events, each a pause before it and its data.
    Events(Vec<(Duration, Value)>),
    /// A body of about this many bytes and this kind, with or without a length given beforehand.
    Flood(usize, &'static str, bool),
    /// The connection is closed.
    Hang,
    /// An answer that does not come.
    Silence,
    /// As the first, with a session.
    Session(&'static str, Value),
}

/// The server.
pub(super) struct Peer {
    pub address: SocketAddr,
    pub sent: Arc<Mutex<Vec<Sent>>>,
    /// How many of its answers nobody waited for.
    pub closed: Arc<Mutex<u32>>,
    task: AbortHandle,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// Serves by a script; what that leaves out is answered as a modern server would.
    pub async fn serve(script: impl Fn(&Sent) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let sent = Arc::new(Mutex::new(Vec::new()));
        let closed = Arc::new(Mutex::new(0));
        let script: Script = Arc::new(script);
        let (log, count) = (sent.clone(), closed.clone());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log, count) = (script.clone(), log.clone(), count.clone());
                connections.spawn(async move {
                    let service =
                        service_fn(move |request| answer(request, script.clone(), log.clone(), count.clone()));
                    let _ = hyper::server::conn::http1::Builder::new()
                        .half_close(false)
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self { address, sent, closed, task: task.abort_handle() }
    }

    pub fn connection(&self) -> Connection {
        Connection::new(spec(Transport::Http { url: format!("http://{}/mcp", self.address) }))
    }

    /// The methods that were asked for.
    pub fn methods(&self) -> Vec<String> {
        self.sent.lock().expect("lock").iter().map(|sent| sent.method().to_owned()).collect()
    }

    /// The last message with this method.
    pub fn last(&self, method: &str) -> Sent {
        let sent = self.sent.lock().expect("lock");
        sent.iter().rev().find(|sent| sent.method() == method).unwrap_or_else(|| unreachable!("{method}")).clone()
    }
}

/// Counts when it is dropped before its time.
struct Waited(Option<Arc<Mutex<u32>>>);

impl Waited {
    fn over(&mut self) {
        self.0 = None;
    }
}

impl Drop for Waited {
    fn drop(&mut self) {
        if let Some(count) = self.0.take() {
            *count.lock().expect("lock") += 1;
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    script: Script,
    log: Arc<Mutex<Vec<Sent>>>,
    count: Arc<Mutex<u32>>,
) -> Result<Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let bytes = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    let body: Value = serde_json::from_str(&text).expect("JSON");
    let sent = Sent { headers: head.headers, body, text };
    log.lock().expect("lock").push(sent.clone());
    let reply = script(&sent).or_else(|| modern(&sent)).unwrap_or(Reply::Text(202, "", String::new()));
    let mut waited = Waited(Some(count));
    let id = sent.body["id"].clone();
    let json =
        |status, value: Value| text_of(status, "application/json; charset=utf-8", addressed(value, &id).to_string());
    let response = match reply {
        Reply::Json(status, value) => json(status, value),
        Reply::Session(session, value) => {
            let mut response = json(200, value);
            response.headers_mut().insert("mcp-session-id", session.parse().expect("session"));
            response
        }
        Reply::Text(status, kind, text) => text_of(status, kind, text),
        Reply::Hang => return Err(std::io::Error::other("as told")),
        Reply::Silence => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            text_of(200, "application/json", String::new())
        }
        Reply::Events(events) => {
            let events: VecDeque<_> = events.into_iter().map(|(pause, value)| (pause, addressed(value, &id))).collect();
            return Ok(events_of(events, waited));
        }
        Reply::Flood(bytes, kind, known) => flood_of(bytes, kind, known),
    };
    waited.over();
    Ok(response)
}

fn text_of(status: u16, kind: &str, text: String) -> Response<Body> {
    let mut response = Response::new(Full::new(Bytes::from(text)).boxed_unsync());
    *response.status_mut() = StatusCode::from_u16(status).expect("status");
    if !kind.is_empty() {
        response.headers_mut().insert("content-type", kind.parse().expect("kind"));
    }
    response
}

fn events_of(events: VecDeque<(Duration, Value)>, waited: Waited) -> Response<Body> {
    let stream = unfold((events, waited), |(mut events, mut waited)| async move {
        let Some((pause, value)) = events.pop_front() else {
            waited.over();
            return None;
        };
        tokio::time::sleep(pause).await;
        let data = Bytes::from(format!(": alive\n\nevent: message\ndata: {value}\n\n"));
        Some((Ok::<_, Infallible>(Frame::data(data)), (events, waited)))
    });
    let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/event-stream"));
    response
}

fn flood_of(bytes: usize, kind: &'static str, known: bool) -> Response<Body> {
    const PIECE: usize = 64 * 1024;
    let head = if kind == "application/json" { "{\"jsonrpc\":\"2.0\",\"id\":1,\"x\":\"" } else { "data: " };
    let stream = unfold(0, move |sent| async move {
        let piece = if sent == 0 { Bytes::from(head) } else { Bytes::from(vec![b'x'; PIECE]) };
        (sent < bytes).then(|| (Ok::<_, Infallible>(Frame::data(piece)), sent + PIECE))
    });
    let mut response = Response::new(StreamBody::new(stream).boxed_unsync());
    response.headers_mut().insert("content-type", HeaderValue::from_static(kind));
    if known {
        response.headers_mut().insert("content-length", HeaderValue::from(bytes));
    }
    response
}

/// Gives the id 0 its request's value.
fn addressed(mut value: Value, id: &Value) -> Value {
    if value["id"] == 0 {
        value["id"] = id.clone();
    }
    if value["params"]["progressToken"] == 0 {
        value["params"]["progressToken"] = id.clone();
    }
    value
}

/// What a modern server answers.
fn modern(sent: &Sent) -> Option<Reply> {
    let result = match sent.method() {
        "server/discover" => {
            json!({"resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}})
        }
        "tools/list" => json!({"resultType": "complete", "tools": [{"name": "t", "inputSchema": {"type": "object"}}]}),
        "tools/call" => done(),
        _ => return None,
    };
    Some(Reply::Json(200, json!({"jsonrpc": "2.0", "id": 0, "result": result})))
}

/// The result of a call.
pub(super) fn done() -> Value {
    json!({"resultType": "complete", "content": [{"type": "text", "text": "done"}], "isError": false})
}

/// A result for the request at hand.
pub(super) fn result(value: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "result": value})
}

/// An error for the request at hand.
pub(super) fn error(code: i64) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "error": {"code": code, "message": "no"}})
}

/// A status and a JSON body.
pub(super) fn json_reply(status: u16, value: Value) -> Option<Reply> {
    Some(Reply::Json(status, value))
}

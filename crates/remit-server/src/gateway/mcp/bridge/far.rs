//! The far side: the gateway's own endpoint over HTTP.

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use super::super::era::SESSION_HEADER;
use super::super::fault::{Fault, INTERNAL};
use crate::upstream::http::{HttpClient, endpoint};
use crate::upstream::sse::Events;

/// Most bytes of one answer. Above what the gateway takes from any upstream.
const ANSWER_BYTES_MAX: usize = 2 * crate::upstream::ANSWER_BYTES_MAX;
/// How it goes on when a connection breaks: the gateway has the record, whatever the client heard.
const LOST: &str = "what came of the request is recorded at the gateway; ask it before you repeat anything";

/// A gateway that runs elsewhere, and the key with which its agent comes.
pub struct Far {
    client: HttpClient,
    uri: Uri,
    credential: HeaderValue,
}

/// What became of a request.
pub(super) enum Answer {
    /// It was answered, and the answer handed on.
    Given,
    /// Its session is gone; nothing was done.
    Gone,
}

/// Whether the network could read what is sent there: plain HTTP is for this machine only.
#[must_use]
pub fn in_clear(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    uri.scheme_str() != Some("https") && !here
}

/// The beginning of an answer.
pub(super) struct Said(Response<Incoming>);

impl Far {
    /// The gateway whose MCP endpoint this is, reached by this client with the key of an agent.
    ///
    /// # Errors
    /// For a URL that is none, and for one that would show the key to the network: plain HTTP is for this
    /// machine only.
    pub fn new(client: HttpClient, url: &str, key: &str) -> Result<Self, String> {
        let uri = endpoint(url)?;
        if in_clear(&uri) {
            return Err(format!("`{url}` would show the agent's key to the network: use https"));
        }
        let credential = HeaderValue::from_str(&format!("Bearer {key}"));
        let mut credential = credential.map_err(|_| "the agent's key has characters that no key has".to_owned())?;
        credential.set_sensitive(true);
        Ok(Self { client, uri, credential })
    }

    /// Sends one message.
    ///
    /// # Errors
    /// When the gateway cannot be reached, or goes away before it has begun to answer.
    pub(super) async fn post(&self, headers: HeaderMap, message: Vec<u8>) -> Result<Said, Box<Fault>> {
        self.send(Method::POST, headers, message).await
    }

    /// Sends one request of any kind.
    ///
    /// # Errors
    /// As [`Far::post`].
    pub(super) async fn send(&self, method: Method, headers: HeaderMap, body: Vec<u8>) -> Result<Said, Box<Fault>> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.credential.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        self.client.request(request).await.map(Said).map_err(|error| {
            let what = if error.is_connect() { "nothing was done" } else { LOST };
            fault(format!("no gateway answers at {}: {what}", self.uri))
        })
    }
}

impl Said {
    /// The session that a handshake has opened.
    pub fn session(&self) -> Option<HeaderValue> {
        self.0.headers().get(SESSION_HEADER).cloned()
    }

    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// Hands on each message of the answer to the request with this id, in a session or not, and lets `look` see it.
    ///
    /// # Errors
    /// What to tell the client when none of them is the answer.
    pub async fn deliver(
        self,
        id: &Value,
        in_session: bool,
        out: &Sender<Vec<u8>>,
        look: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Answer, Box<Fault>> {
        let status = self.status();
        // To a session, 404 is the word for its end (MCP 2025-11-25, "Session Management").
        if in_session && status == StatusCode::NOT_FOUND {
            return Ok(Answer::Gone);
        }
        if !status.is_success() {
            let text = collected(self.0.into_body()).await?;
            return refused(status, id, text, out).await;
        }
        if !self.is_stream() {
            let message = collected(self.0.into_body()).await?;
            look(&message);
            let _gone = out.send(message).await;
            return Ok(Answer::Given);
        }
        let mut answered = false;
        let mut look = |event: &[u8]| {
            answered |= answers(event, id);
            look(event);
        };
        self.events(out, &mut look).await?;
        if answered { Ok(Answer::Given) } else { Err(fault(format!("the gateway's answer broke off: {LOST}"))) }
    }

    /// Hands on each event of a stream, until it ends.
    ///
    /// # Errors
    /// When it breaks off, or an event of it is too large.
    pub async fn events(self, out: &Sender<Vec<u8>>, look: &mut (dyn FnMut(&[u8]) + Send)) -> Result<(), Box<Fault>> {
        let mut body = self.0.into_body();
        let mut events = Events::new(ANSWER_BYTES_MAX);
        while let Some(part) = body.frame().await {
            let part = part.map_err(|_| fault(format!("the connection to the gateway broke: {LOST}")))?;
            let Ok(data) = part.into_data() else { continue };
            events.push(&data).map_err(|_| too_large())?;
            while let Some(event) = events.next() {
                look(&event);
                let _gone = out.send(event).await;
            }
        }
        Ok(())
    }

    fn is_stream(&self) -> bool {
        let kind = self.0.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        kind.starts_with("text/event-stream")
    }
}

/// An answer that is an HTTP error too. The protocol's own has no id when the request's could not be relied upon;
/// here it is known which one was sent.
async fn refused(status: StatusCode, id: &Value, text: Vec<u8>, out: &Sender<Vec<u8>>) -> Result<Answer, Box<Fault>> {
    let mut value = remit_core::json::parse(&text).unwrap_or_default();
    if value.get("jsonrpc").is_none() {
        let said = |name: &str| value["error"][name].as_str().unwrap_or_default();
        let (code, reason, remedy) = (said("code"), said("reason"), said("remedy"));
        let status = format!("HTTP status {status}");
        let what = if reason.is_empty() { status } else { format!("{reason} ({code}). {remedy}") };
        return Err(fault(format!("the gateway refused the request: {what}")));
    }
    if value.get("id").is_none() {
        value["id"] = id.clone();
    }
    let _gone = out.send(value.to_string().into_bytes()).await;
    Ok(Answer::Given)
}

fn answers(message: &[u8], id: &Value) -> bool {
    remit_core::json::parse(message)
        .is_ok_and(|message| message.get("method").is_none() && message.get("id") == Some(id))
}

async fn collected(body: Incoming) -> Result<Vec<u8>, Box<Fault>> {
    match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes().to_vec()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Err(_) => Err(fault(format!("the connection to the gateway broke: {LOST}"))),
    }
}

fn too_large() -> Box<Fault> {
    fault(format!("the gateway's answer is larger than {ANSWER_BYTES_MAX} bytes"))
}

fn fault(what: String) -> Box<Fault> {
    Box::new(Fault::new(INTERNAL, what))
}

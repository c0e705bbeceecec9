//! One exchange: a request, and what comes back for it.

use std::time::Duration;

use ::http::header::CONTENT_TYPE;
use ::http::{HeaderMap, HeaderValue, StatusCode};
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use remit_app::permit::Progress;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::parting::{posted, send_off};
use super::{Link, headers};
use crate::upstream::ANSWER_BYTES_MAX;
use crate::upstream::failure::{Failure, not_started, unknown};
use crate::upstream::footing::Era;
use crate::upstream::frame;
use crate::upstream::message::Message;
use crate::upstream::sse::Events;

/// Most text that is read of an answer with an HTTP error, in bytes.
const ERROR_BYTES_MAX: usize = 64 * 1024;
/// Most requests of a server's that are refused within one exchange; further ones are ignored.
const REFUSALS_MAX: u32 = 16;
/// How long the rest of a stream may take whose answer has been read. Read to its end, its
/// connection can serve the next request.
const REST_TIME_MAX: Duration = Duration::from_secs(1);

/// A request to be sent.
pub(super) struct Post<'a> {
    /// Its JSON-RPC id, also its progress token.
    pub id: u64,
    /// Its text.
    pub frame: String,
    /// Who listens to its progress.
    pub progress: Option<&'a Progress>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answered {
    /// The HTTP status.
    pub status: StatusCode,
    /// The session that the server opened.
    pub session: Option<HeaderValue>,
    /// The JSON-RPC answer. Always there when the status is one of success.
    pub reply: Option<Result<Value, Failure>>,
    /// Whether the answer carries the request's id. Errors before that was read carry none.
    pub addressed: bool,
    /// The length of the answer's text, in bytes.
    pub bytes: usize,
}

impl Link {
    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// [`Failure::NotStarted`] as long as there was no connection to send it on, afterwards
    /// [`Failure::Unknown`].
    pub(super) async fn exchange(
        &self,
        post: Post<'_>,
        headers: HeaderMap,
        era: Era,
        deadline: Instant,
    ) -> Result<Answered, Failure> {
        let (client, uri) = self.endpoint.as_ref().map_err(|why| not_started(why.clone()))?;
        // Only the answers to what a legacy server asks back have to repeat these.
        let replies = (era != Era::Modern).then(|| headers.clone());
        let mut request = posted(uri, headers, post.frame);
        // INVARIANT (unknown once it may have left): hyper notes the connection before it writes the
        // first byte, and sends a request again by itself only when it had not begun to. So as long
        // as no connection is noted, nothing was sent.
        let connection = capture_connection(&mut request);
        let conversed = timeout_at(deadline, async {
            let response = client.request(request).await.map_err(|error| (error.is_connect(), error_text(&error)))?;
            Ok(self.read(response, post.id, post.progress, replies).await)
        });
        let unsent = || connection.connection_metadata().is_none();
        match conversed.await {
            Ok(Ok(answered)) => answered,
            Ok(Err((connecting, why))) if connecting || unsent() => Err(not_started(why)),
            Ok(Err((_, why))) => Err(unknown(why)),
            Err(_) if unsent() => Err(not_started("it could not be connected to in time")),
            Err(_) => Err(unknown("it did not answer in time")),
        }
    }

    async fn read(
        &self,
        response: ::http::Response<Incoming>,
        id: u64,
        progress: Option<&Progress>,
        replies: Option<HeaderMap>,
    ) -> Result<Answered, Failure> {
        let (head, body) = response.into_parts();
        let session = head.headers.get(headers::SESSION).cloned();
        let kind = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let status = head.status;
        if !status.is_success() {
            let (reply, addressed) = refusal(body, id).await;
            return Ok(Answered { status, session, reply, addressed, bytes: 0 });
        }
        let (reply, bytes) = match kind.as_str() {
            "application/json" => whole(body, id).await?,
            "text/event-stream" => self.stream(body, id, progress, replies).await?,
            _ => return Err(unknown(format!("HTTP status {status} with neither JSON nor events"))),
        };
        Ok(Answered { status, session, reply: Some(reply), addressed: true, bytes })
    }

    /// Reads events until the answer is among them.
    async fn stream(
        &self,
        mut body: Incoming,
        id: u64,
        progress: Option<&Progress>,
        replies: Option<HeaderMap>,
    ) -> Result<(Result<Value, Failure>, usize), Failure> {
        let mut events = Events::new(ANSWER_BYTES_MAX);
        let mut refusals = 0;
        while let Some(part) = body.frame().await {
            let part = part.map_err(|error| unknown(format!("the stream broke: {error}")))?;
            let Ok(data) = part.into_data() else { continue };
            events.push(&data).map_err(|_| too_large())?;
            while let Some(event) = events.next() {
                match Message::read(&event) {
                    Ok(Message::Answer { id: Some(found), reply }) if found == id => {
                        finish(body);
                        return Ok((reply, event.len()));
                    }
                    Ok(Message::Progress { token, notice }) if token == id => {
                        if let Some(progress) = progress {
                            progress.0(notice);
                        }
                    }
                    Ok(Message::ListChanged) => self.changes.told(),
                    Ok(Message::Request { id, ping }) => {
                        refusals += 1;
                        if let (Some(headers), Ok(endpoint)) = (&replies, &self.endpoint)
                            && refusals <= REFUSALS_MAX
                        {
                            send_off(endpoint, headers.clone(), frame::answer(&id, ping));
                        }
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%error, "an event that is no JSON was ignored"),
                }
            }
        }
        Err(unknown("the stream ended without an answer"))
    }
}

/// Reads an answer that is one JSON text.
async fn whole(body: Incoming, id: u64) -> Result<(Result<Value, Failure>, usize), Failure> {
    let bytes = collected(body, ANSWER_BYTES_MAX).await?;
    match Message::read(&bytes) {
        Ok(Message::Answer { id: Some(found), reply }) if found == id => Ok((reply, bytes.len())),
        Ok(_) => Err(unknown("it answered with something that is no answer to this request")),
        Err(error) => Err(unknown(format!("its answer is no acceptable JSON: {error}"))),
    }
}

/// Reads the answer that may come with an HTTP error. An answer to another request is none; an error
/// without an id of ours is about this exchange, for there is no other on it.
async fn refusal(body: Incoming, id: u64) -> (Option<Result<Value, Failure>>, bool) {
    let Ok(bytes) = collected(body, ERROR_BYTES_MAX).await else { return (None, false) };
    match Message::read(&bytes) {
        Ok(Message::Answer { id: Some(found), reply }) if found == id => (Some(reply), true),
        Ok(Message::Answer { id: None, reply: Err(failure @ Failure::Rpc { .. }) }) => (Some(Err(failure)), false),
        _ => (None, false),
    }
}

async fn collected(body: Incoming, limit: usize) -> Result<Bytes, Failure> {
    if body.size_hint().lower() > limit as u64 {
        return Err(too_large());
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Err(error) => Err(unknown(format!("the answer broke off: {error}"))),
    }
}

fn too_large() -> Failure {
    unknown(format!("its answer is larger than {ANSWER_BYTES_MAX} bytes"))
}

/// Reads a stream to its end, mostly at once, so that its connection can be used again.
fn finish(mut body: Incoming) {
    use futures_util::FutureExt as _;
    if body.is_end_stream() || matches!(body.frame().now_or_never(), Some(None)) {
        return;
    }
    tokio::spawn(async move {
        let rest = Limited::new(body, ERROR_BYTES_MAX).collect();
        let _ = tokio::time::timeout(REST_TIME_MAX, rest).await;
    });
}

/// The whole chain of causes; hyper keeps the interesting part at its end.
fn error_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

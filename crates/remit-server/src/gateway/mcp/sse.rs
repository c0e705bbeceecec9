//! Server-sent events: a stream of messages as an HTTP body (2026-07-28, Streamable HTTP, "Receiving
//! messages"). No event ids: streams are not resumed.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use serde_json::Value;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::client::Event;
use super::presence::Stay;

/// Proxies and clients close what is silent for longer.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Stream {
    /// Closed when the answer has gone out.
    receiver: Option<Receiver<Event>>,
    alive: Interval,
    /// Dropped with the body: that is how a client goes away.
    _stay: Stay,
}

/// The response whose body is what arrives here.
pub(super) fn response(receiver: Receiver<Event>, stay: Stay) -> Response {
    let mut alive = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let stream = Stream { receiver: Some(receiver), alive, _stay: stay };
    let body = unfold(stream, |mut stream| async move {
        let receiver = stream.receiver.as_mut()?;
        let bytes = tokio::select! {
            biased;
            event = receiver.recv() => match event {
                Some(Event::Notice(message)) => event_text(&message),
                Some(Event::Last(message)) => {
                    stream.receiver = None;
                    event_text(&message)
                }
                None => return None,
            },
            _ = stream.alive.tick() => Bytes::from_static(b":\n\n"),
        };
        Some((Ok::<_, Infallible>(bytes), stream))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Otherwise nginx and its like hold events back until a buffer is full.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// JSON text has no line breaks, so one `data` line holds it.
fn event_text(message: &Value) -> Bytes {
    Bytes::from(format!("event: message\ndata: {message}\n\n"))
}

//! The live stream: "something changed, look again". It carries no facts, so losing an event loses none,
//! and a page that looks again is checked again.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream::unfold;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use remit_core::steering::Deed;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use super::page::refused;
use crate::admin::operator;
use crate::edge::Edge;
use crate::notices::Notice;

/// How often a stream looks whether there are new records. Questions do not wait for that.
const LOOK: Duration = Duration::from_secs(1);
/// How often a stream asks whether its person is still one, in looks.
const CHECK_LOOKS: u32 = 10;
/// Most streams at once; a page without one can still be loaded again.
const STREAMS_MAX: usize = 512;

static STREAMS: AtomicUsize = AtomicUsize::new(0);

/// A place among the streams, given back when the stream ends.
struct Seat;

impl Seat {
    fn take() -> Option<Self> {
        let taken = STREAMS.fetch_add(1, Ordering::Relaxed);
        let seat = Self;
        (taken < STREAMS_MAX).then_some(seat)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        STREAMS.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Stream {
    edge: Arc<Edge>,
    headers: HeaderMap,
    notices: Receiver<Notice>,
    ending: watch::Receiver<bool>,
    looks: Interval,
    look: u32,
    records: u64,
    _seat: Seat,
}

/// `GET /console/live`: server-sent events `question`, `authority` and `records`.
pub(super) async fn live(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    // Listen first: what happens from here on is told.
    let notices = edge.notices.subscribe();
    if let Err(refusal) = operator(&edge, &headers, Deed::Look).await {
        return refused(&refusal);
    }
    let Some(seat) = Seat::take() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let records = edge.gate.ports().store.count().await.unwrap_or_default();
    let mut looks = interval_at(Instant::now() + LOOK, LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ending = edge.notices.ending();
    let stream = Stream { edge, headers, notices, ending, looks, look: 0, records, _seat: seat };
    let hello = futures_util::stream::iter([Ok(Bytes::from_static(b"retry: 2000\n\n"))]);
    let body = unfold(stream, |mut stream| async move {
        let bytes = stream.next().await?;
        Some((Ok::<_, Infallible>(bytes), stream))
    });
    let mut response = Response::new(Body::from_stream(futures_util::StreamExt::chain(hello, body)));
    let answered = response.headers_mut();
    answered.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // Otherwise nginx and its like hold events back until a buffer is full.
    answered.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

impl Stream {
    /// The next event; none when the stream is over.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            tokio::select! {
                biased;
                () = over(&mut self.ending) => return None,
                notice = self.notices.recv() => return match notice {
                    Ok(Notice::Question(id)) => Some(event("question", id.as_str())),
                    // Whatever was missed may have been either.
                    Ok(Notice::Authority) => Some(event("authority", "")),
                    Err(RecvError::Lagged(_)) => Some(event("question", "")),
                    Err(RecvError::Closed) => None,
                },
                _ = self.looks.tick() => {
                    self.look += 1;
                    if self.look.is_multiple_of(CHECK_LOOKS) {
                        operator(&self.edge, &self.headers, Deed::Look).await.ok()?;
                    }
                    let records = self.edge.gate.ports().store.count().await.ok()?;
                    if records != self.records {
                        self.records = records;
                        return Some(event("records", &records.to_string()));
                    }
                    if self.look.is_multiple_of(CHECK_LOOKS) {
                        return Some(Bytes::from_static(b":\n\n"));
                    }
                }
            }
        }
    }
}

/// Until the gateway stops.
async fn over(ending: &mut watch::Receiver<bool>) {
    drop(ending.wait_for(|ending| *ending).await);
}

/// Ids and numbers have no line breaks, so one `data` line holds them.
fn event(name: &str, data: &str) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {data}\n\n"))
}

//! One POST to a channel: bounded, without redirects, and judged by its status alone.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::Full;
use remit_app::secret::Secret;
use remit_app::tell::NotSent;

use crate::upstream::http::{HttpClient, endpoint};
use crate::vault::Source;

/// How long an answer may take (Standard Webhooks suggests 15 to 30 seconds for slow receivers).
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);

/// Sends, and says whether it was taken. The body of the answer is not read.
pub(super) async fn post(http: &HttpClient, url: &str, headers: HeaderMap, body: String) -> Result<(), NotSent> {
    // Not the error's own text: the URL may be a secret.
    let uri = endpoint(url).map_err(|_| NotSent::Never("its URL cannot be used".into()))?;
    let mut request = Request::new(Full::new(Bytes::from(body)));
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (Method::POST, uri, headers);
    let answered = tokio::time::timeout(ANSWER_TIME_MAX, http.request(request)).await;
    let answered = answered.map_err(|_| NotSent::Later(format!("no answer within {} s", ANSWER_TIME_MAX.as_secs())))?;
    let status = answered.map_err(|_| NotSent::Later("it could not be reached".into()))?.status();
    match status.as_u16() {
        200..=299 => Ok(()),
        // The one status by which a receiver says that it never wants to hear of us again.
        410 => Err(NotSent::Never("it answered 410: it is gone".into())),
        other => Err(NotSent::Later(format!("it answered {other}"))),
    }
}

/// Reads a secret for one message. A missing one may be back with the next attempt.
pub(super) fn secret(source: &Source) -> Result<Secret, NotSent> {
    source.read().map_err(|error| NotSent::Later(error.0))
}

/// A header value, without what no header may hold.
pub(super) fn value(text: &str) -> http::HeaderValue {
    let plain: String = text.chars().map(|c| if (' '..='~').contains(&c) { c } else { '?' }).collect();
    http::HeaderValue::from_str(&plain).unwrap_or_else(|_| http::HeaderValue::from_static("?"))
}

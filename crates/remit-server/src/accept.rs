//! Accept: bytes in, within limits, from where we expect them.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, HeaderName, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use remit_core::verdict::{Code, Refusal};
use serde_json::Value;

use crate::edge::EdgeSettings;
use crate::refusal;

/// How long a body may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(15);

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// [`Code::RequestTooLarge`] past the limit, [`Code::Malformed`] when it does not arrive whole, and in time.
pub async fn body(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let collected = tokio::time::timeout(BODY_TIME_MAX, Limited::new(body, limit).collect()).await;
    match collected.map_err(|_| malformed(format!("the body did not arrive within {} s", BODY_TIME_MAX.as_secs())))? {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Refusal::new(Code::RequestTooLarge, format!("the body is larger than {limit} bytes")))
        }
        Err(_) => Err(malformed("the body did not arrive whole")),
    }
}

/// Reads a body that is one JSON object.
///
/// # Errors
/// As [`body`]; [`Code::Malformed`] when it is anything else.
pub async fn object(raw: Body, limit: usize) -> Result<Value, Refusal> {
    let bytes = body(raw, limit).await?;
    let value = remit_core::json::parse(&bytes)
        .map_err(|error| malformed(format!("the body is no acceptable JSON: {error}")))?;
    if value.is_object() { Ok(value) } else { Err(malformed("the body must be an object")) }
}

/// Refuses members that mean nothing here, so that a misspelt one is noticed.
///
/// # Errors
/// [`Code::Malformed`], with the nearest name that is known.
pub fn only(value: &Value, known: &[&str]) -> Result<(), Refusal> {
    let members = value.as_object().ok_or_else(|| malformed("an object is expected"))?;
    let Some(unknown) = members.keys().map(String::as_str).find(|name| !known.contains(name)) else { return Ok(()) };
    let near = remit_core::nearest(unknown, known.iter().copied());
    let help = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    let shown: String = unknown.chars().filter(|c| !c.is_control()).take(64).collect();
    Err(malformed(format!("unknown member `{shown}`{help}")))
}

/// A member that must be a text, if it is there.
///
/// # Errors
/// [`Code::Malformed`] when it is something else.
pub fn text<'v>(value: &'v Value, name: &str) -> Result<Option<&'v str>, Refusal> {
    match value.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(malformed(format!("`{name}` must be a text"))),
    }
}

/// A member that must be a text, and say something.
///
/// # Errors
/// [`Code::Malformed`] when it is absent, blank, or something else.
pub fn said<'v>(value: &'v Value, name: &str) -> Result<&'v str, Refusal> {
    let found = text(value, name)?.filter(|text| !text.trim().is_empty());
    found.ok_or_else(|| malformed(format!("`{name}` is missing")))
}

/// What was sent is not what is expected here.
pub(crate) fn malformed(reason: impl ToString) -> Refusal {
    Refusal::new(Code::Malformed, reason.to_string())
}

/// Holds `Host` and `Origin` to what the operator allowed: a browser that was lured here by a
/// rebound name sends another `Host`, and any page sends its `Origin`.
///
/// # Errors
/// The answer to give: 403.
pub fn host_and_origin(uri: &Uri, headers: &HeaderMap, settings: &EdgeSettings) -> Result<(), Box<Response>> {
    let texts = |name: HeaderName| {
        let values = headers.get_all(name).into_iter();
        values.map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase()).collect::<Vec<_>>()
    };
    // Each of them: whoever sends two means that somebody else reads the other one.
    let known = |list: &[String], said: &[String]| said.iter().all(|value| list.contains(value)) && said.len() < 2;
    let forbidden = |what: &str| {
        let refusal = Refusal::new(Code::Malformed, format!("this {what} is not allowed here"));
        Err(Box::new(refusal::http(StatusCode::FORBIDDEN, &refusal, None)))
    };
    // HTTP/2 has no Host header. Browsers, whom alone somebody could lure, speak it over TLS only, and there a rebound
    // name fails at the certificate.
    // A request line that is a whole URL names its host there, and that is what counts (RFC 9112, section 3.2.2).
    let authority = uri.authority().map(|authority| authority.as_str().to_ascii_lowercase());
    let plain = uri.scheme_str() == Some("http");
    if authority.is_some_and(|host| plain && !settings.allowed_hosts.contains(&host)) {
        return forbidden("Host");
    }
    if !known(&settings.allowed_hosts, &texts(HOST)) {
        return forbidden("Host");
    }
    if !known(&settings.allowed_origins, &texts(ORIGIN)) {
        return forbidden("Origin");
    }
    Ok(())
}

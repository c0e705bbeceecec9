//! Accept: bytes in, within limits, from where we expect them.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use remit_core::verdict::{Code, Refusal};

use crate::edge::EdgeSettings;
use crate::refusal;

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// [`Code::RequestTooLarge`] past the limit, [`Code::Malformed`] when it does not arrive whole.
pub async fn body(body: Body, limit: usize) -> Result<Bytes, Refusal> {
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Refusal::new(Code::RequestTooLarge, format!("the body is larger than {limit} bytes")))
        }
        Err(_) => Err(Refusal::new(Code::Malformed, "the body did not arrive whole")),
    }
}

/// Holds `Host` and `Origin` to what the operator allowed: a browser that was lured here by a
/// rebound name sends another `Host`, and any page sends its `Origin`.
///
/// # Errors
/// The answer to give: 403.
pub fn host_and_origin(headers: &HeaderMap, settings: &EdgeSettings) -> Result<(), Box<Response>> {
    let text =
        |name| headers.get(name).map(|value: &http::HeaderValue| value.to_str().unwrap_or("?").to_ascii_lowercase());
    let known = |list: &[String], value: &str| list.iter().any(|allowed| allowed == value);
    let forbidden = |what: &str| {
        let refusal = Refusal::new(Code::Malformed, format!("this {what} is not allowed here"));
        Err(Box::new(refusal::http(StatusCode::FORBIDDEN, &refusal, None)))
    };
    // HTTP/2 has no Host header. Browsers, whom alone somebody could lure, speak it over TLS only, and there a rebound
    // name fails at the certificate.
    if text(HOST).is_some_and(|host| !known(&settings.allowed_hosts, &host)) {
        return forbidden("Host");
    }
    if text(ORIGIN).is_some_and(|origin| !known(&settings.allowed_origins, &origin)) {
        return forbidden("Origin");
    }
    Ok(())
}

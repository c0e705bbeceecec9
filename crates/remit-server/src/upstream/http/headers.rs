//! Headers of a request, built from nothing. No header of a client's ever gets here.

use ::http::header::{
    ACCEPT, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TE, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use ::http::{HeaderMap, HeaderName, HeaderValue};
use remit_app::secret::Secret;
use zeroize::Zeroizing;

use crate::upstream::failure::{Failure, not_started};
use crate::upstream::footing::{Era, Footing, MODERN};
use crate::upstream::spec::Slot;

/// Repeats what the request names.
pub(super) const NAME: HeaderName = HeaderName::from_static("mcp-name");
/// Names the session of a legacy server.
pub(super) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const INITIALIZE: &str = "initialize";

/// The headers of a request. Without a footing it is one of those that look for one: `initialize`
/// goes without a version, everything else is modern.
///
/// # Errors
/// [`Failure::NotStarted`] when a credential is needed and there is none, or it fits no header.
pub(super) fn build(
    method: &'static str,
    footing: Option<&Footing>,
    slot: Option<&Slot>,
    secret: Option<&Secret>,
) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("remit/", env!("CARGO_PKG_VERSION"))));
    match footing.map(|footing| footing.era) {
        Some(Era::Legacy(version)) => {
            headers.insert(VERSION, HeaderValue::from_static(version));
        }
        None if method == INITIALIZE => {}
        Some(Era::Modern) | None => {
            headers.insert(VERSION, HeaderValue::from_static(MODERN));
            headers.insert(METHOD, HeaderValue::from_static(method));
        }
    }
    if let Some(session) = footing.and_then(|footing| footing.session.as_ref()) {
        headers.insert(SESSION, session.clone());
    }
    match (slot, secret) {
        (None, _) => {}
        (Some(Slot::Header { name, prefix }), Some(secret)) => credential(&mut headers, name, prefix, secret)?,
        (Some(Slot::Header { .. }), None) => return Err(not_started("its credential is missing")),
        (Some(Slot::Env { .. }), _) => return Err(not_started("a credential for an environment, but it has none")),
    }
    Ok(headers)
}

fn credential(headers: &mut HeaderMap, name: &str, prefix: &str, secret: &Secret) -> Result<(), Failure> {
    let name: HeaderName = name.parse().map_err(|_| not_started(format!("`{name}` is no name of a header")))?;
    let framing = [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING, TE, UPGRADE];
    if headers.contains_key(&name) || framing.contains(&name) || name.as_str().starts_with("mcp-") {
        return Err(not_started(format!("the header `{name}` is not free to hold a credential")));
    }
    // Only this copy can be wiped; the one in the request goes the way of all buffers.
    let text = Zeroizing::new(format!("{prefix}{}", secret.expose()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| not_started("its credential fits no header"))?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(())
}

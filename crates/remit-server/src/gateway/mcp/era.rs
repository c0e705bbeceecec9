//! Eras: which of the two protocols a message speaks (MCP.md 2.1, step 8). Pure: headers and message
//! in, era out. An answer in the wrong era's shape can read as an empty success, so nothing is guessed.

use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use super::fault::{Fault, HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, UNSUPPORTED_VERSION};
use super::frame::Frame;
use super::headers::one;
use super::session::Session;

/// The one revision that is spoken without a handshake.
pub(super) const MODERN: &str = "2026-07-28";
/// Names the revision, in headers.
pub(super) const VERSION_HEADER: &str = "mcp-protocol-version";
/// Names the session, in headers of the legacy era.
pub(super) const SESSION_HEADER: &str = "mcp-session-id";
/// Names the revision, in `_meta`.
pub(super) const VERSION_KEY: &str = "io.modelcontextprotocol/protocolVersion";
/// What the client can do for this request, in `_meta`.
pub(super) const CAPABILITIES_KEY: &str = "io.modelcontextprotocol/clientCapabilities";

/// A revision with a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Legacy {
    /// 2025-03-26
    March,
    /// 2025-06-18
    June,
    /// 2025-11-25
    November,
}

/// The era of a message.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Era {
    /// 2026-07-28: every request stands alone.
    Modern,
    /// The handshake that begins a legacy session.
    Handshake,
    /// Inside a legacy session.
    Session(Session),
}

impl Legacy {
    /// All, oldest first.
    pub const ALL: [Self; 3] = [Self::March, Self::June, Self::November];

    /// The revision's date.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::March => "2025-03-26",
            Self::June => "2025-06-18",
            Self::November => "2025-11-25",
        }
    }

    /// Reads a date.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text)
    }

    /// What a handshake that asks for this revision is answered with: the same when it is spoken
    /// here, else the newest one that has a handshake; never the modern one.
    pub fn negotiate(asked: &str) -> Self {
        Self::parse(asked).unwrap_or(Self::November)
    }
}

/// Which era a message over HTTP speaks. `session` opens a session id, bound to the caller.
///
/// # Errors
/// 404 for a session that is unknown here, so that the client begins a new one; 400 for a message
/// that belongs to no era.
pub(super) fn classify(
    headers: &HeaderMap,
    frame: &Frame,
    session: impl FnOnce(&str) -> Option<Session>,
) -> Result<Era, Fault> {
    let version = one(headers, VERSION_HEADER)?;
    // Dates compare as texts; what is no date (`v9`, `DRAFT-…`) sorts behind them and is refused as a version.
    if version.is_some_and(|version| version >= MODERN) || frame.meta(VERSION_KEY).is_some() {
        return Ok(Era::Modern);
    }
    if matches!(frame, Frame::Request { method, .. } if method == "initialize") {
        return Ok(Era::Handshake);
    }
    let mut ids = headers.get_all(SESSION_HEADER).iter();
    let (id, second) = (ids.next(), ids.next());
    if second.is_some() {
        return Err(Fault::bad(INVALID_REQUEST, "two session ids"));
    }
    let Some(id) = id else {
        return Err(Fault::bad(INVALID_REQUEST, "missing session: send `initialize`, or speak 2026-07-28"));
    };
    let Some(session) = id.to_str().ok().and_then(session) else { return Err(no_session()) };
    if version.is_some_and(|version| Legacy::parse(version).is_none()) {
        return Err(Fault::bad(INVALID_REQUEST, "this protocol version is not supported in a session"));
    }
    Ok(Era::Session(session))
}

/// The session is unknown, has ended, or is somebody else's; which of them is not said.
pub(super) fn no_session() -> Fault {
    Fault { status: StatusCode::NOT_FOUND, ..Fault::new(INVALID_REQUEST, "there is no such session; initialize again") }
}

/// Holds what a modern request says about itself to the protocol and returns the client's
/// capabilities. `header` is the version header; a transport without headers has none to compare.
///
/// # Errors
/// -32020 when header and body differ, -32602 when the body is silent, -32022 for another version.
pub(super) fn modern<'a>(
    header: Option<Option<&str>>,
    params: &'a Map<String, Value>,
) -> Result<&'a Map<String, Value>, Fault> {
    let meta = |key: &str| params.get("_meta").and_then(|meta| meta.get(key));
    if header == Some(None) {
        return Err(Fault::bad(HEADER_MISMATCH, "the header MCP-Protocol-Version is missing"));
    }
    let Some(version) = meta(VERSION_KEY).and_then(Value::as_str) else {
        return Err(Fault::bad(INVALID_PARAMS, format!("`_meta` lacks `{VERSION_KEY}`")));
    };
    if header.flatten().is_some_and(|header| header != version) {
        return Err(Fault::bad(HEADER_MISMATCH, "MCP-Protocol-Version differs from the version in the body"));
    }
    supported(version)?;
    meta(CAPABILITIES_KEY)
        .and_then(Value::as_object)
        .ok_or_else(|| Fault::bad(INVALID_PARAMS, format!("`_meta` lacks `{CAPABILITIES_KEY}`")))
}

/// # Errors
/// -32022, naming the modern version only: the legacy ones are reached by `initialize`.
pub(super) fn supported(version: &str) -> Result<(), Fault> {
    if version == MODERN {
        return Ok(());
    }
    let requested: String = version.chars().filter(|c| !c.is_control()).take(64).collect();
    let data = json!({"supported": [MODERN], "requested": requested});
    Err(Fault::bad(UNSUPPORTED_VERSION, "this protocol version is not supported").with(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().expect("header"));
        }
        headers
    }

    fn frame(method: &str, meta: Value) -> Frame {
        let text = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"_meta": meta}}).to_string();
        Frame::read(text.as_bytes()).expect("frame")
    }

    #[test]
    fn the_era_table() {
        let session = Session::example(Legacy::June);
        let known = |id: &str| (id == "good").then(|| Session::example(Legacy::June));
        let (v, s) = (VERSION_HEADER, SESSION_HEADER);
        let body = json!({VERSION_KEY: MODERN});
        let none = json!({});
        let (modern, handshake) = (Ok(Era::Modern), Ok(Era::Handshake));
        let legacy = Ok(Era::Session(session));
        for (pairs, method, meta, expected) in [
            (vec![(v, MODERN)], "tools/list", &none, modern.clone()),
            (vec![(v, "2027-01-01")], "tools/list", &none, modern.clone()),
            (vec![(v, "v999.0.0")], "tools/list", &none, modern.clone()),
            (vec![], "tools/list", &body, modern.clone()),
            (vec![(v, "2025-11-25")], "tools/list", &body, modern.clone()),
            // A modern request is modern whatever session id comes along.
            (vec![(v, MODERN), (s, "bad")], "tools/list", &body, modern.clone()),
            (vec![(v, MODERN)], "initialize", &body, modern),
            (vec![], "initialize", &none, handshake.clone()),
            (vec![(v, "2025-06-18"), (s, "bad")], "initialize", &none, handshake),
            (vec![(s, "good")], "tools/list", &none, legacy.clone()),
            (vec![(s, "good"), (v, "2025-11-25")], "tools/list", &none, legacy),
            (vec![(s, "good"), (v, "2024-11-05")], "tools/list", &none, Err((400, INVALID_REQUEST))),
            (vec![(s, "bad")], "tools/list", &none, Err((404, INVALID_REQUEST))),
            (vec![(s, "good"), (s, "good")], "tools/list", &none, Err((400, INVALID_REQUEST))),
            (vec![], "tools/list", &none, Err((400, INVALID_REQUEST))),
            (vec![(v, "2025-11-25")], "tools/list", &none, Err((400, INVALID_REQUEST))),
            (vec![(v, MODERN), (v, MODERN)], "tools/list", &body, Err((400, HEADER_MISMATCH))),
        ] {
            let found = classify(&headers(&pairs), &frame(method, meta.clone()), known);
            let found = found.map_err(|fault| (fault.status.as_u16(), fault.code));
            assert_eq!(found, expected, "{pairs:?} {method} {meta}");
        }
    }

    #[test]
    fn a_modern_request_says_everything_about_itself() {
        let full = json!({"_meta": {VERSION_KEY: MODERN, CAPABILITIES_KEY: {}}});
        let version = |text: &str| json!({"_meta": {VERSION_KEY: text, CAPABILITIES_KEY: {}}});
        for (header, params, expected) in [
            (Some(Some(MODERN)), full.clone(), None),
            (None, full.clone(), None),
            (Some(None), full.clone(), Some(HEADER_MISMATCH)),
            (Some(Some("2025-11-25")), full, Some(HEADER_MISMATCH)),
            (Some(Some(MODERN)), json!({}), Some(INVALID_PARAMS)),
            (Some(Some(MODERN)), json!({"_meta": {CAPABILITIES_KEY: {}}}), Some(INVALID_PARAMS)),
            (Some(Some(MODERN)), json!({"_meta": {VERSION_KEY: MODERN}}), Some(INVALID_PARAMS)),
            (Some(Some(MODERN)), json!({"_meta": {VERSION_KEY: MODERN, CAPABILITIES_KEY: []}}), Some(INVALID_PARAMS)),
            (Some(Some(MODERN)), json!({"_meta": {VERSION_KEY: 1, CAPABILITIES_KEY: {}}}), Some(INVALID_PARAMS)),
            (Some(Some("v9")), version("v9"), Some(UNSUPPORTED_VERSION)),
            (None, version("2025-11-25"), Some(UNSUPPORTED_VERSION)),
        ] {
            let found = modern(header, params.as_object().expect("object"));
            assert_eq!(found.as_ref().err().map(|fault| fault.code), expected, "{header:?} {params}");
            assert!(found.err().is_none_or(|fault| fault.status == StatusCode::BAD_REQUEST));
        }
    }

    #[test]
    fn a_handshake_never_yields_the_modern_revision() {
        assert_eq!(Legacy::negotiate("2025-03-26"), Legacy::March);
        for asked in ["2024-11-05", MODERN, "v9", ""] {
            assert_eq!(Legacy::negotiate(asked), Legacy::November, "{asked}");
        }
    }
}

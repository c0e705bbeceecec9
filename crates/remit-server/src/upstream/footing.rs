//! The footing on which we stand with an upstream: its era, and what it said it can do.

use ::http::HeaderValue;
use serde_json::{Map, Value};

use super::failure::{Failure, not_started};

/// The one revision without a handshake.
pub(super) const MODERN: &str = "2026-07-28";
/// The revision that is offered in a handshake.
pub(super) const NEWEST_LEGACY: &str = "2025-11-25";
/// Revisions with a handshake. The oldest is only ever met over standard input and output.
const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", NEWEST_LEGACY];
/// Errors that only the modern era has: headers differ, capability missing, version not supported.
const MODERN_ERRORS: [i64; 3] = [-32020, -32021, UNSUPPORTED_VERSION];
const UNSUPPORTED_VERSION: i64 = -32022;

/// The era an upstream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Era {
    /// Every request stands alone.
    Modern,
    /// After a handshake that agreed on this revision.
    Legacy(&'static str),
}

/// What is known about an upstream before it is asked for anything.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Footing {
    /// Its era.
    pub era: Era,
    /// Its capabilities; `None` when it is known to be modern and would not say more.
    pub capabilities: Option<Map<String, Value>>,
    /// The session, where a legacy HTTP server keeps one.
    pub session: Option<HeaderValue>,
}

impl Footing {
    /// Reads the answer to `server/discover`; `Ok(None)` means that the upstream is not modern.
    ///
    /// # Errors
    /// When it is modern, but speaks no revision that we do.
    pub fn discovered(reply: &Result<Value, Failure>) -> Result<Option<Self>, Failure> {
        let no_common = |supported: &Value| not_started(format!("it speaks only {supported}, we speak {MODERN}"));
        let modern = |capabilities| Some(Self { era: Era::Modern, capabilities, session: None });
        match reply {
            Ok(result) => match result.get("supportedVersions") {
                Some(Value::Array(versions)) if versions.iter().any(|version| version == MODERN) => {
                    let capabilities = result.get("capabilities").and_then(Value::as_object).cloned();
                    Ok(modern(Some(capabilities.unwrap_or_default())))
                }
                Some(versions) => Err(no_common(versions)),
                // Some legacy servers answer whatever they do not know with an empty result.
                None => Ok(None),
            },
            Err(Failure::Rpc { code: UNSUPPORTED_VERSION, data, .. }) => {
                let supported = data.as_ref().and_then(|data| data.get("supported")).cloned().unwrap_or_default();
                Err(no_common(&supported))
            }
            Err(Failure::Rpc { code, .. }) if MODERN_ERRORS.contains(code) => Ok(modern(None)),
            Err(_) => Ok(None),
        }
    }

    /// Whether an answer refuses our revision and names it as one to come again with. The protocol
    /// says to come again with a version that is named; a server may mean only that it was not ready.
    pub fn asks_for_ours(reply: &Result<Value, Failure>) -> bool {
        let Err(Failure::Rpc { code: UNSUPPORTED_VERSION, data: Some(data), .. }) = reply else { return false };
        let supported = data.get("supported").and_then(Value::as_array);
        supported.is_some_and(|versions| versions.iter().any(|version| version == MODERN))
    }

    /// Reads the answer to `initialize`.
    ///
    /// # Errors
    /// When the upstream chose a revision that we do not speak.
    pub fn agreed(result: &Value, session: Option<HeaderValue>) -> Result<Self, Failure> {
        let version = result.get("protocolVersion").and_then(Value::as_str).unwrap_or_default();
        let version = LEGACY.into_iter().find(|known| *known == version);
        let version = version.ok_or_else(|| not_started("it agreed to no revision of the protocol that we speak"))?;
        let capabilities = result.get("capabilities").and_then(Value::as_object).cloned().unwrap_or_default();
        Ok(Self { era: Era::Legacy(version), capabilities: Some(capabilities), session })
    }

    /// Whether it offers `tools`, `prompts` or `resources`. What would not say is asked.
    pub fn offers(&self, kind: &str) -> bool {
        self.capabilities.as_ref().is_none_or(|all| all.get(kind).is_some_and(Value::is_object))
    }

    /// Whether it says it will tell when the list of this kind changes.
    pub fn tells_changes(&self, kind: &str) -> bool {
        let kind = self.capabilities.as_ref().and_then(|all| all.get(kind));
        kind.and_then(|kind| kind.get("listChanged")).and_then(Value::as_bool) == Some(true)
    }
}

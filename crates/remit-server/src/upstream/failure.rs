//! How a request to an upstream fails. The four kinds say what is known about its effect.

use serde_json::Value;

/// Why a request has no result.
///
/// An upstream that answers with an HTTP status that means "I did not take this" (see
/// [`Failure::refused`]) counts like one that answers with a JSON-RPC error: it was asked, and it
/// said no. We take its word for either. That word is good enough for a receipt, but not for
/// sending a call again: a proxy may say 404 for the second copy of a request whose first copy was
/// executed by a server that then died. So nothing in here ever sends a call again.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Failure {
    /// Nothing of the request left this process; or it was sent into a session that the upstream
    /// says it does not know any more (legacy era: HTTP 404, or 400 without its id), which it says
    /// instead of looking at it.
    #[error("not started: {reason}")]
    NotStarted {
        /// For operators.
        reason: String,
    },
    /// It may have left, and no readable answer to it came back.
    #[error("effect unknown: {reason}")]
    Unknown {
        /// For operators.
        reason: String,
    },
    /// The upstream refused the request as such: a JSON-RPC error, or an HTTP status that says so.
    #[error("refused with error {code}: {}", shown(message))]
    Rpc {
        /// The upstream's code, or [`Failure::refused`]'s.
        code: i64,
        /// The upstream's message, or ours when it gave none. Not ours to trust.
        message: String,
        /// The upstream's data.
        data: Option<Value>,
    },
    /// An answer to exactly this request came back, and it is not one that the protocol allows.
    #[error("invalid answer: {reason}")]
    Invalid {
        /// For operators.
        reason: String,
    },
}

impl Failure {
    /// The failure for a refusal by HTTP status alone: code -31401 for 401 and so on, which lies
    /// outside the range that JSON-RPC reserves. `None` when the status does not say that the
    /// request was not executed: redirects (303 follows an execution), 408, 409 and everything of 500
    /// and above.
    pub(super) fn refused(status: u16) -> Option<Self> {
        let refuses =
            matches!(status, 400 | 401 | 403 | 404 | 405 | 406 | 411 | 413 | 414 | 415 | 421 | 422 | 429 | 431);
        refuses.then(|| Self::Rpc {
            code: -31_000 - i64::from(status),
            message: format!("the upstream refused the request with HTTP status {status}"),
            data: None,
        })
    }

    /// The same failure, of something that had to precede a call: the call itself was not started.
    pub(super) fn before(self, what: &str) -> Self {
        match self {
            Self::NotStarted { reason } => Self::NotStarted { reason },
            other => Self::NotStarted { reason: format!("{what}: {other}") },
        }
    }
}

pub(super) fn not_started(reason: impl Into<String>) -> Failure {
    Failure::NotStarted { reason: reason.into() }
}

pub(super) fn unknown(reason: impl Into<String>) -> Failure {
    Failure::Unknown { reason: reason.into() }
}

pub(super) fn invalid(reason: impl Into<String>) -> Failure {
    Failure::Invalid { reason: reason.into() }
}

/// An upstream's text as a log may show it: short and without control characters.
fn shown(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).collect()
}

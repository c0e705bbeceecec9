//! Messages: what an upstream sends, read and sorted. Nothing in here trusts it.

use remit_core::json::{JsonError, parse};
use serde_json::{Map, Value};

use super::failure::{Failure, invalid};

/// The longest id of an upstream's request that is repeated in an answer, in bytes.
const FOREIGN_ID_BYTES_MAX: usize = 256;

/// One message.
#[derive(Debug, PartialEq)]
pub(super) enum Message {
    /// An answer. `None` for an id that cannot be one of ours.
    Answer {
        /// Whose answer it is.
        id: Option<u64>,
        /// What it says.
        reply: Result<Value, Failure>,
    },
    /// Progress of one of our requests.
    Progress {
        /// Our token.
        token: u64,
        /// The notice without the token.
        notice: Value,
    },
    /// One of its lists is another now.
    ListChanged,
    /// It asks for something.
    Request {
        /// Its id.
        id: Value,
        /// Whether it only wants to know that we are there.
        ping: bool,
    },
    /// Everything else, which is nobody's business.
    Other,
}

impl Message {
    /// Reads one message.
    ///
    /// # Errors
    /// When the bytes are no acceptable JSON.
    pub fn read(bytes: &[u8]) -> Result<Self, JsonError> {
        let Value::Object(mut members) = parse(bytes)? else { return Ok(Self::Other) };
        if members.get("jsonrpc").is_none_or(|version| version != "2.0") {
            return Ok(Self::Other);
        }
        let Some(method) = members.swap_remove("method") else { return Ok(Self::answer(members)) };
        let id = members.swap_remove("id").filter(|id| id.is_string() || id.is_number());
        Ok(match (method.as_str().unwrap_or_default(), id) {
            (_, Some(id)) if id.to_string().len() > FOREIGN_ID_BYTES_MAX => Self::Other,
            (method, Some(id)) => Self::Request { id, ping: method == "ping" },
            ("notifications/progress", None) => Self::progress(members),
            (
                "notifications/tools/list_changed"
                | "notifications/prompts/list_changed"
                | "notifications/resources/list_changed",
                None,
            ) => Self::ListChanged,
            _ => Self::Other,
        })
    }

    fn answer(mut members: Map<String, Value>) -> Self {
        let id = members.get("id").and_then(Value::as_u64);
        let reply = match (members.swap_remove("result"), members.swap_remove("error")) {
            (Some(result @ Value::Object(_)), None) => Ok(result),
            (Some(_), None) => Err(invalid("the result is no object")),
            (None, Some(error)) => Err(error_of(error)),
            (Some(_), Some(_)) => Err(invalid("both a result and an error")),
            (None, None) => return Self::Other,
        };
        Self::Answer { id, reply }
    }

    fn progress(mut members: Map<String, Value>) -> Self {
        let Some(Value::Object(mut params)) = members.swap_remove("params") else { return Self::Other };
        match params.shift_remove("progressToken").as_ref().and_then(Value::as_u64) {
            Some(token) => Self::Progress { token, notice: Value::Object(params) },
            None => Self::Other,
        }
    }
}

fn error_of(mut error: Value) -> Failure {
    let code = error.get("code").and_then(Value::as_i64);
    let message = error.get_mut("message").map(Value::take);
    match (code, message) {
        (Some(code), Some(Value::String(message))) => {
            Failure::Rpc { code, message, data: error.get_mut("data").map(Value::take) }
        }
        _ => invalid("an error without a code or a message"),
    }
}

/// The id that an unreadable or oversized answer seems to carry: the first or the last `"id":<number>`
/// of the two ends of its text.
///
/// A guess, and harmless as such: all that is done with it is to give up on a request of this same
/// upstream, whose effect is then unknown.
pub(super) fn guessed_id(head: &[u8], tail: &[u8]) -> Option<u64> {
    let (head, tail) = (String::from_utf8_lossy(head), String::from_utf8_lossy(tail));
    let number = |text: &str| {
        let text = text.trim_start().strip_prefix(':')?.trim_start();
        let digits = text.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    };
    let first = head.split_once("\"id\"").and_then(|(_, rest)| number(rest));
    first.or_else(|| tail.rsplit_once("\"id\"").and_then(|(_, rest)| number(rest)))
}

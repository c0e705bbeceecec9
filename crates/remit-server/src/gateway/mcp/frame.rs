//! Frames: one JSON-RPC message, read strictly. What another parser could read differently is
//! refused here, before anything looks at it (MCP.md 6, rows 5 and 6).

use serde_json::{Map, Value};

use super::fault::{Fault, INVALID_REQUEST, PARSE};

/// Members of a message whose other spellings are refused: a parser that ignores case would read
/// another message than we do.
const MESSAGE_KEYS: [&str; 6] = ["jsonrpc", "id", "method", "params", "result", "error"];

/// The same for parameters that decide what is called and with what.
const PARAM_KEYS: [&str; 11] = [
    "name",
    "arguments",
    "uri",
    "_meta",
    "cursor",
    "taskId",
    "requestState",
    "inputResponses",
    "ref",
    "argument",
    "context",
];

/// One message of a client.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Frame {
    /// Wants an answer.
    Request {
        /// A string or an integer.
        id: Value,
        /// What is asked for.
        method: String,
        /// With what.
        params: Map<String, Value>,
    },
    /// Wants none.
    Notification {
        /// What happened.
        method: String,
        /// Details.
        params: Map<String, Value>,
    },
    /// An answer to a request of ours. We send none, so it answers nothing.
    Response,
}

/// A message that is none, with its id where that could be read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unreadable {
    pub id: Option<Value>,
    pub fault: Fault,
}

impl Frame {
    /// Reads one message.
    ///
    /// # Errors
    /// -32700 for text that is not strict JSON, -32600 for arrays and for objects that are no message.
    pub fn read(bytes: &[u8]) -> Result<Self, Box<Unreadable>> {
        let value = remit_core::json::parse(bytes)
            .map_err(|error| Box::new(Unreadable { id: None, fault: Fault::bad(PARSE, error.to_string()) }))?;
        let Value::Object(members) = value else {
            let what = if value.is_array() { "batches are not accepted" } else { "a message is an object" };
            return Err(Box::new(Unreadable { id: None, fault: Fault::bad(INVALID_REQUEST, what) }));
        };
        let id = members.get("id").filter(|id| is_id(id)).cloned();
        Self::of(members).map_err(|what| Box::new(Unreadable { id, fault: Fault::bad(INVALID_REQUEST, what) }))
    }

    fn of(mut members: Map<String, Value>) -> Result<Self, &'static str> {
        if respelled(&members, &MESSAGE_KEYS) {
            return Err("a member of the message is spelled in another case");
        }
        if members.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
            return Err("`jsonrpc` must be \"2.0\"");
        }
        let id = members.remove("id");
        if id.as_ref().is_some_and(|id| !is_id(id)) {
            return Err("`id` must be a string or an integer");
        }
        let answers = usize::from(members.contains_key("result")) + usize::from(members.contains_key("error"));
        let Some(method) = members.remove("method") else {
            return match (answers, id) {
                (1, Some(_)) => Ok(Self::Response),
                _ => Err("neither a request nor a response"),
            };
        };
        let Value::String(method) = method else { return Err("`method` must be a string") };
        if answers != 0 {
            return Err("a request has no result");
        }
        let params = match members.remove("params") {
            None => Map::new(),
            Some(Value::Object(params)) => params,
            Some(_) => return Err("`params` must be an object"),
        };
        if respelled(&params, &PARAM_KEYS) {
            return Err("a parameter is spelled in another case");
        }
        Ok(match id {
            Some(id) => Self::Request { id, method, params },
            None => Self::Notification { method, params },
        })
    }

    /// A member of the request's `_meta`.
    pub fn meta(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Request { params, .. } | Self::Notification { params, .. } => params.get("_meta")?.get(key),
            Self::Response => None,
        }
    }
}

fn is_id(id: &Value) -> bool {
    id.is_string() || id.is_i64() || id.is_u64()
}

fn respelled(members: &Map<String, Value>, keys: &[&str]) -> bool {
    members.keys().any(|key| keys.iter().any(|known| key != known && key.eq_ignore_ascii_case(known)))
}

/// A result as a message.
pub(super) fn result(id: &Value, result: Value) -> Value {
    let mut message = Map::with_capacity(3);
    message.insert("jsonrpc".into(), "2.0".into());
    message.insert("id".into(), id.clone());
    message.insert("result".into(), result);
    Value::Object(message)
}

/// A notification as a message.
pub(super) fn notification(method: &str, params: Value) -> Value {
    let mut message = Map::with_capacity(3);
    message.insert("jsonrpc".into(), "2.0".into());
    message.insert("method".into(), method.into());
    message.insert("params".into(), params);
    Value::Object(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (i64, Option<Value>) {
        let unreadable = Frame::read(text.as_bytes()).expect_err(text);
        assert_eq!(unreadable.fault.status, http::StatusCode::BAD_REQUEST);
        (unreadable.fault.code, unreadable.id)
    }

    #[test]
    fn tells_the_three_kinds_apart() {
        let kind = |text: &str| Frame::read(text.as_bytes()).expect(text);
        assert!(matches!(kind(r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#), Frame::Request { .. }));
        assert!(matches!(kind(r#"{"jsonrpc":"2.0","id":"a","method":"ping","x":1}"#), Frame::Request { .. }));
        assert!(matches!(kind(r#"{"jsonrpc":"2.0","method":"notifications/x"}"#), Frame::Notification { .. }));
        assert!(matches!(kind(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#), Frame::Response));
        assert!(matches!(kind(r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m"}}"#), Frame::Response));
    }

    #[test]
    fn refuses_what_is_no_message() {
        for (text, code, id) in [
            ("", PARSE, None),
            ("{", PARSE, None),
            (r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}"#, PARSE, None),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":"x","name":"y"}}"#, PARSE, None),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"} {}"#, PARSE, None),
            (r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, INVALID_REQUEST, None),
            ("[]", INVALID_REQUEST, None),
            ("1", INVALID_REQUEST, None),
            (r#"{"id":1,"method":"ping"}"#, INVALID_REQUEST, Some(1)),
            (r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#, INVALID_REQUEST, Some(1)),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, INVALID_REQUEST, None),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, INVALID_REQUEST, None),
            (r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#, INVALID_REQUEST, None),
            (r#"{"jsonrpc":"2.0","id":1}"#, INVALID_REQUEST, Some(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, INVALID_REQUEST, Some(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":[]}"#, INVALID_REQUEST, Some(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":null}"#, INVALID_REQUEST, Some(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","result":{}}"#, INVALID_REQUEST, Some(1)),
            (r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#, INVALID_REQUEST, Some(1)),
            (r#"{"jsonrpc":"2.0","result":{}}"#, INVALID_REQUEST, None),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","Method":"b"}"#, INVALID_REQUEST, Some(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":"x","Name":"y"}}"#, INVALID_REQUEST, Some(1)),
            (r#"{"jsonrpc":"2.0","id":1,"method":"a","params":{"ARGUMENTS":{}}}"#, INVALID_REQUEST, Some(1)),
        ] {
            assert_eq!(fault(text), (code, id.map(Value::from)), "{text}");
        }
    }
}

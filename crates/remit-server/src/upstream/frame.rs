//! Frames: the text of what is sent. The arguments of a call are spliced in as the text that was
//! decided on; they are never read and written again.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::failure::{Failure, not_started};
use super::footing::{Era, MODERN, NEWEST_LEGACY};
use super::request::{Operation, Request};

/// A call's parameters.
pub(super) struct Params {
    /// The object's text.
    pub text: String,
    /// What the request names, for the header that repeats it; `None` for methods that have no such header.
    pub name: Option<String>,
}

/// A request. `params` is the text of an object.
pub(super) fn request(id: u64, method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#)
}

/// A notification. `params` is the text of an object.
pub(super) fn notification(method: &str, params: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#)
}

/// Takes a request back.
pub(super) fn cancelled(id: u64) -> String {
    notification("notifications/cancelled", &format!(r#"{{"requestId":{id},"reason":"the caller went away"}}"#))
}

/// The answer to a request of the upstream's: a ping is answered, everything else is not for it to ask.
pub(super) fn answer(id: &Value, ping: bool) -> String {
    if ping {
        return format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#);
    }
    format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":-32601,"message":"method not found"}}}}"#)
}

/// The parameters that open a legacy session. We declare no capability: what an upstream may not
/// ask, it cannot ask through us.
pub(super) fn handshake() -> String {
    format!(r#"{{"protocolVersion":"{NEWEST_LEGACY}","capabilities":{{}},"clientInfo":{}}}"#, client_info())
}

/// The parameters of a request on the gateway's own behalf: a page of a list, or nothing but `_meta`.
pub(super) fn own(era: Era, cursor: Option<&str>) -> String {
    let mut text = String::from("{");
    if let Some(cursor) = cursor {
        let _ = write!(text, r#""cursor":{}"#, quoted(cursor));
    }
    meta(&mut text, era, None, None, None);
    text.push('}');
    text
}

/// The parameters that ask a modern upstream to tell of changes of these kinds of lists.
pub(super) fn listen(kinds: &[&str]) -> String {
    let wanted = kinds.iter().map(|kind| format!(r#""{kind}ListChanged":true"#)).collect::<Vec<_>>().join(",");
    let mut text = format!(r#"{{"notifications":{{{wanted}}}"#);
    meta(&mut text, Era::Modern, None, None, None);
    text.push('}');
    text
}

/// The parameters of a call. The progress token is the request's id.
///
/// # Errors
/// When the arguments are not of the form the operation takes, or the upstream's state comes from
/// an era that it no longer speaks.
pub(super) fn call(id: u64, request: &Request<'_>, era: Era) -> Result<Params, Failure> {
    let arguments = request.arguments;
    // INVARIANT (one line, one frame): canonical text has no control characters. A text that has is
    // none, and could end a line early and begin a frame of its own.
    let object = arguments.starts_with('{') && arguments.ends_with('}');
    if !object || arguments.bytes().any(|byte| byte < 0x20) {
        return Err(not_started("the arguments are not the canonical text of an object"));
    }
    let mut text = String::with_capacity(arguments.len() + 384);
    let name = match request.operation {
        Operation::Tool => {
            let _ = write!(text, r#"{{"name":{},"arguments":{arguments}"#, quoted(request.name));
            Some(request.name.to_owned())
        }
        operation => {
            let name = target(operation, arguments)?;
            text.push_str(&arguments[..arguments.len() - 1]);
            name
        }
    };
    let passage = request.passage;
    let continuation = passage.continuation.as_ref();
    if let Some(continued) = continuation.filter(|continued| continued.state.is_some() || continued.responses.is_some())
    {
        if era != Era::Modern {
            return Err(not_started("it asked for input in an era that it no longer speaks"));
        }
        if let Some(responses) = &continued.responses {
            let _ = write!(text, r#","inputResponses":{responses}"#);
        }
        if let Some(state) = &continued.state {
            let _ = write!(text, r#","requestState":{}"#, quoted(state));
        }
    }
    let token = passage.progress.is_some().then_some(id);
    let capabilities = continuation.and_then(|continued| continued.capabilities.as_ref());
    meta(&mut text, era, capabilities, passage.traceparent.as_deref(), token);
    text.push('}');
    Ok(Params { text, name })
}

/// What a resource is read, or a prompt got, by; nothing for a completion. The arguments become the
/// parameters themselves, so they may have no other members.
fn target(operation: Operation, arguments: &str) -> Result<Option<String>, Failure> {
    let value = remit_core::json::parse(arguments.as_bytes()).map_err(|error| not_started(error.to_string()))?;
    let (key, others): (_, &[&str]) = match operation {
        Operation::Complete => ("ref", &["argument", "context"]),
        Operation::Resource => ("uri", &[]),
        Operation::Prompt | Operation::Tool => ("name", &["arguments"]),
    };
    let members = value.as_object().into_iter().flatten();
    let surplus = members.map(|(name, _)| name.as_str()).any(|name| name != key && !others.contains(&name));
    match (operation, value.get(key)) {
        (Operation::Complete, Some(Value::Object(_))) if !surplus => Ok(None),
        (Operation::Resource | Operation::Prompt, Some(Value::String(name))) if !surplus => Ok(Some(name.to_owned())),
        _ => Err(not_started(format!("`{}` takes `{key}` and nothing unknown", operation.method()))),
    }
}

/// Appends `_meta`, where there is anything to say in it.
fn meta(text: &mut String, era: Era, capabilities: Option<&Value>, traceparent: Option<&str>, token: Option<u64>) {
    let traceparent = traceparent.filter(|text| is_traceparent(text));
    if era != Era::Modern && traceparent.is_none() && token.is_none() {
        return;
    }
    if !text.ends_with('{') {
        text.push(',');
    }
    text.push_str(r#""_meta":{"#);
    if era == Era::Modern {
        let capabilities = capabilities.filter(|value| value.is_object()).map_or_else(|| "{}".into(), Value::to_string);
        let _ = write!(text, r#""io.modelcontextprotocol/protocolVersion":"{MODERN}","#);
        let _ = write!(text, r#""io.modelcontextprotocol/clientCapabilities":{capabilities},"#);
        let _ = write!(text, r#""io.modelcontextprotocol/clientInfo":{},"#, client_info());
    }
    if let Some(token) = token {
        let _ = write!(text, r#""progressToken":{token},"#);
    }
    if let Some(traceparent) = traceparent {
        let _ = write!(text, r#""traceparent":"{traceparent}","#);
    }
    text.pop();
    text.push('}');
}

/// The form of a W3C trace context: four fields of lower-case hex digits.
fn is_traceparent(text: &str) -> bool {
    let fields: Vec<_> = text.split('-').collect();
    let hex = |field: &str| field.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    fields.iter().map(|field| field.len()).eq([2, 32, 16, 2]) && fields.iter().all(|field| hex(field))
}

const fn client_info() -> &'static str {
    concat!(r#"{"name":"remit","version":""#, env!("CARGO_PKG_VERSION"), r#""}"#)
}

fn quoted(text: &str) -> String {
    json!(text).to_string()
}

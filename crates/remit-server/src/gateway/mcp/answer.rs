//! What a client is told about a call. Refusals of tool calls are results with `isError`, the only
//! form that models see everywhere (MCP.md 2.3); refusals of other methods are errors.

use remit_app::outcome::{Answer, Outcome};
use remit_core::ids::RecordId;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Map, Value, json};

use super::deed::{Deed, Method};
use super::fault::{Fault, INTERNAL, INVALID_PARAMS, MISSING_CAPABILITY, RESOURCE_NOT_FOUND_LEGACY};
use crate::refusal;

/// The record of the call, in a result's `_meta`.
pub(super) const RECORD: &str = "dev.remit/record";
/// The decision on the call, in a result's `_meta`.
pub(super) const DECISION: &str = "dev.remit/decision";

/// A refusal by the gate.
pub(super) fn refused(deed: &Deed, modern: bool, refusal: &Refusal, record: Option<&RecordId>) -> Result<Value, Fault> {
    match refusal.code {
        // Exactly what a tool that does not exist is answered with, and nothing of the reason.
        Code::ToolUnknown | Code::ToolDrifted => Err(deed.unknown(modern)),
        _ if deed.method == Method::CallTool => Ok(refusal::tool_result(refusal, record)),
        _ => Err(Fault::refused(refusal, record)),
    }
}

/// What came of an admitted call.
pub(super) fn outcome(deed: &Deed, modern: bool, outcome: Outcome, record: &RecordId) -> Result<Value, Fault> {
    match outcome {
        Outcome::Completed(Answer::Result(Value::Object(mut result))) => {
            if let Some(Value::Object(members)) = result.get_mut("_meta") {
                // The protocol's own keys speak of the connection they came over, and ours are ours to say.
                members.retain(|key, _| !key.starts_with("io.modelcontextprotocol/") && !key.starts_with("dev.remit/"));
            }
            put_meta(&mut result, RECORD, record.as_str().into());
            Ok(Value::Object(result))
        }
        Outcome::Completed(Answer::Result(_)) => {
            let reason = "the upstream's result is no object".into();
            unfinished(deed, "unknown", Code::UpstreamFailed, reason, record)
        }
        Outcome::Completed(Answer::Error { code, message, data }) => Err(relayed(deed, modern, code, message, data)),
        // The pin is compared once more right before the call; the answer stays that of a drifted tool.
        Outcome::NotStarted { code: Code::ToolDrifted, .. } => Err(deed.unknown(modern)),
        Outcome::NotStarted { code, reason } => unfinished(deed, "not_started", code, reason, record),
        Outcome::Unknown { code, reason } => unfinished(deed, "unknown", code, reason, record),
    }
}

/// A call that was admitted and yet has no answer. The text says whether it may have happened: that
/// is what decides whether a repetition is safe.
fn unfinished(deed: &Deed, state: &'static str, code: Code, reason: String, record: &RecordId) -> Result<Value, Fault> {
    let refusal = Refusal::new(code, reason);
    let mut body = refusal::body(&refusal, Some(record));
    body["decision"] = json!("allow");
    body["outcome"] = json!(state);
    if deed.method != Method::CallTool {
        return Err(Fault::new(super::fault::REFUSED, refusal.reason).with(body));
    }
    let lead = match state {
        "not_started" => "NOT EXECUTED (nothing was sent to the upstream)",
        _ => "OUTCOME UNKNOWN (it may have taken effect; it will not be repeated on its own)",
    };
    let text = format!("{lead}: {}. {} Reference: {record}.", refusal.reason, refusal.remedy);
    Ok(error_result(&text, body))
}

/// A tool result that says `isError`.
pub(super) fn error_result(text: &str, decision: Value) -> Value {
    json!({"content": [{"type": "text", "text": text}], "isError": true, "_meta": {DECISION: decision}})
}

/// An upstream's own protocol error, in a code that the client's era allows. Codes about headers and
/// versions speak of the connection between us and the upstream; to the client they would be lies.
fn relayed(deed: &Deed, modern: bool, code: i64, message: String, data: Option<Value>) -> Fault {
    let message: String = message.chars().filter(|c| !c.is_control()).take(1024).collect();
    let missing = deed.method == Method::ReadResource && matches!(code, RESOURCE_NOT_FOUND_LEGACY | INVALID_PARAMS);
    let code = match code {
        _ if missing => {
            return Fault { message, data: data.or_else(|| deed.unknown(modern).data), ..deed.unknown(modern) };
        }
        MISSING_CAPABILITY if modern => {
            let fault = Fault::bad(MISSING_CAPABILITY, message);
            return Fault { data, ..fault };
        }
        -32603..=-32600 => code,
        RESOURCE_NOT_FOUND_LEGACY => INVALID_PARAMS,
        -32768..=-32000 => INTERNAL,
        code => code,
    };
    Fault { data, ..Fault::new(code, message) }
}

/// Sets a member of a result's `_meta`.
pub(super) fn put_meta(result: &mut Map<String, Value>, key: &str, value: Value) {
    match result.get_mut("_meta") {
        Some(Value::Object(members)) => {
            members.insert(key.to_owned(), value);
        }
        _ => {
            result.insert("_meta".into(), json!({ key: value }));
        }
    }
}

/// Puts a result into the shape of the client's era. A legacy client would take a modern shape for
/// an empty success, so none ever reaches it.
pub(super) fn shaped(result: Value, modern: bool, server: &Value) -> Value {
    let Value::Object(mut result) = result else { return result };
    if modern {
        result.entry("resultType").or_insert_with(|| "complete".into());
        put_meta(&mut result, "io.modelcontextprotocol/serverInfo", server.clone());
    } else {
        for modern_only in ["resultType", "ttlMs", "cacheScope", "inputRequests", "requestState"] {
            result.shift_remove(modern_only);
        }
    }
    Value::Object(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deed(method: Method) -> Deed {
        Deed { method, tool: "files/x".into(), shown: "x".into(), arguments: json!({}) }
    }

    fn record() -> RecordId {
        RecordId::parse("rec-1").expect("id")
    }

    #[test]
    fn refusals_take_the_form_that_reaches_somebody() {
        let halted = Refusal::new(Code::Halted, "halted");
        let result = refused(&deed(Method::CallTool), true, &halted, Some(&record())).expect("a result");
        assert_eq!((&result["isError"], &result["_meta"][DECISION]["record"]), (&json!(true), &json!("rec-1")));
        assert_eq!(result.get("structuredContent"), None);
        let fault = refused(&deed(Method::GetPrompt), true, &halted, Some(&record())).expect_err("a fault");
        assert_eq!((fault.code, &fault.data.expect("data")["record"]), (-31001, &json!("rec-1")));
        // Hidden, drifted and absent are one answer.
        for code in [Code::ToolUnknown, Code::ToolDrifted] {
            let refusal = Refusal::new(code, "secret reason");
            let fault = refused(&deed(Method::CallTool), true, &refusal, Some(&record())).expect_err("a fault");
            assert_eq!(fault, Fault::new(INVALID_PARAMS, "Unknown tool: x"));
            for (modern, code) in [(true, -32602), (false, -32002)] {
                let fault = refused(&deed(Method::ReadResource), modern, &refusal, None).expect_err("a fault");
                assert_eq!((fault.code, fault.data), (code, Some(json!({"uri": "x"}))));
            }
        }
    }

    #[test]
    fn whether_it_may_have_happened_is_said() {
        let text = |outcome_: Outcome| {
            let result = outcome(&deed(Method::CallTool), true, outcome_, &record()).expect("a result");
            assert_eq!(result["isError"], json!(true));
            result["content"][0]["text"].as_str().expect("text").to_owned()
        };
        let (code, reason) = (Code::UpstreamUnavailable, String::from("r"));
        assert!(text(Outcome::NotStarted { code, reason: reason.clone() }).starts_with("NOT EXECUTED"));
        assert!(text(Outcome::Unknown { code, reason }).starts_with("OUTCOME UNKNOWN (it may have taken effect"));
        assert!(text(Outcome::Completed(Answer::Result(json!([])))).starts_with("OUTCOME UNKNOWN"));
    }

    #[test]
    fn codes_of_other_connections_do_not_pass() {
        let code = |method, modern, code| {
            let answer = Answer::Error { code, message: "m\u{1b}".into(), data: None };
            let fault = outcome(&deed(method), modern, Outcome::Completed(answer), &record()).expect_err("a fault");
            (fault.code, fault.status.as_u16())
        };
        for (method, modern, from, to) in [
            (Method::CallTool, true, -32602, (-32602, 200)),
            (Method::CallTool, true, -32020, (-32603, 200)),
            (Method::CallTool, true, -32022, (-32603, 200)),
            (Method::CallTool, true, -32042, (-32603, 200)),
            (Method::CallTool, true, -32021, (-32021, 400)),
            (Method::CallTool, false, -32021, (-32603, 200)),
            (Method::CallTool, true, 7, (7, 200)),
            (Method::ReadResource, true, -32002, (-32602, 200)),
            (Method::ReadResource, false, -32602, (-32002, 200)),
        ] {
            assert_eq!(code(method, modern, from), to, "{method:?} {modern} {from}");
        }
    }

    #[test]
    fn no_shape_of_one_era_reaches_the_other() {
        let result = json!({"resultType": "complete", "ttlMs": 1, "cacheScope": "public", "x": 1,
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "upstream"},
                "vendor/x": 1, "dev.remit/record": "forged"}});
        let result = outcome(&deed(Method::CallTool), true, Outcome::Completed(Answer::Result(result)), &record());
        let (result, meta) = (result.expect("a result"), json!({"vendor/x": 1, RECORD: "rec-1"}));
        let server = json!({"name": "remit", "version": "1"});
        assert_eq!(shaped(result.clone(), false, &server), json!({"x": 1, "_meta": meta}));
        let modern = shaped(result, true, &server);
        assert_eq!(
            modern["_meta"],
            json!({"vendor/x": 1, RECORD: "rec-1", "io.modelcontextprotocol/serverInfo": server})
        );
        assert_eq!(shaped(json!({}), true, &server)["resultType"], json!("complete"));
    }
}

//! Relay: an upstream's own questions to the client, in the modern era (2026-07-28, MRTR). They pass
//! only to a client that declared it can answer them, marked with where they come from; the
//! upstream's state travels sealed. What the client answers is data for the upstream: no approval, and
//! nothing that a policy reads.

use remit_core::ids::RecordId;
use serde_json::{Map, Value, json};

use super::Mcp;
use super::answer::{RECORD, error_result, put_meta};
use super::client::Client;
use super::deed::{Deed, Method};
use super::fault::{Fault, REFUSED};
use super::seal::principal;
use super::state::{Leg, UPSTREAM_BYTES_MAX};

/// Passes a result on when it asks for input, as far as this client can be asked. Other results pass
/// as they are.
///
/// # Errors
/// When the method's results cannot say `isError` and the question cannot be passed on.
pub(super) fn relay(
    mcp: &Mcp,
    client: &Client,
    caller: &remit_core::Caller,
    deed: &Deed,
    record: &RecordId,
    result: Value,
) -> Result<Value, Fault> {
    let kind = result.get("resultType").and_then(Value::as_str);
    let why = match kind {
        None | Some("complete") => return Ok(result),
        Some("input_required") => match client.capabilities() {
            Some(capabilities) if deed.method.may_ask() => match questions(&result, capabilities) {
                Ok(questions) => return passed_on(mcp, caller, deed, record, &result, questions),
                Err(why) => why,
            },
            _ => "the upstream asks for input, which this client's protocol version cannot pass on",
        },
        Some(_) => "the upstream answered with a kind of result that was not asked for",
    };
    stopped(deed, record, why)
}

/// The answer to a call whose upstream wants something that cannot be given.
pub(super) fn stopped(deed: &Deed, record: &RecordId, why: &str) -> Result<Value, Fault> {
    let decision = json!({"decision": "allow", "code": "upstream.failed", "reason": why, "record": record.as_str()});
    if deed.method != Method::CallTool {
        return Err(Fault::new(REFUSED, why).with(decision));
    }
    let text = format!("NOT COMPLETED: {why}. Reference: {record}.");
    Ok(error_result(&text, decision))
}

fn passed_on(
    mcp: &Mcp,
    caller: &remit_core::Caller,
    deed: &Deed,
    record: &RecordId,
    result: &Value,
    questions: Option<Map<String, Value>>,
) -> Result<Value, Fault> {
    let state = result.get("requestState").and_then(Value::as_str).map(str::to_owned);
    if state.as_ref().is_some_and(|state| state.len() > UPSTREAM_BYTES_MAX) {
        return stopped(deed, record, "the upstream's state is too large to be carried");
    }
    let upstream = deed_upstream(mcp, deed);
    let sealed = Leg::Relayed { state }.seal(&mcp.seals, &principal(caller), deed.digest(), mcp.now());
    let mut passed = json!({"resultType": "input_required", "requestState": sealed});
    if let Some(mut questions) = questions {
        questions.values_mut().for_each(|question| mark(question, &upstream));
        passed["inputRequests"] = Value::Object(questions);
    }
    if let Value::Object(members) = &mut passed {
        put_meta(members, RECORD, record.as_str().into());
    }
    Ok(passed)
}

/// The name of the upstream behind a deed.
fn deed_upstream(mcp: &Mcp, deed: &Deed) -> String {
    let snapshot = mcp.edge.gate.snapshot();
    let public = snapshot.registry().public(&deed.tool).map(|tool| tool.name.upstream().to_owned());
    public.unwrap_or_else(|| deed.tool.split('/').next().unwrap_or_default().to_owned())
}

/// Says who asks: a person must not take an upstream's question for the gateway's or the host's own.
fn mark(question: &mut Value, upstream: &str) {
    if let Some(message) = question.get("params").and_then(|params| params.get("message")).and_then(Value::as_str) {
        let marked = format!("[{upstream}] {message}");
        question["params"]["message"] = marked.into();
    }
}

/// The questions of a result, when this client declared that it can answer every one of them.
fn questions(result: &Value, capabilities: &Map<String, Value>) -> Result<Option<Map<String, Value>>, &'static str> {
    let questions = match result.get("inputRequests") {
        None if result.get("requestState").is_some_and(Value::is_string) => return Ok(None),
        Some(Value::Object(questions)) => questions,
        _ => return Err("the upstream asks for input without saying which"),
    };
    if questions.values().all(|question| answerable(question, capabilities)) {
        return Ok(Some(questions.clone()));
    }
    Err("the upstream asks for input of a kind that this client did not declare it can give")
}

fn answerable(question: &Value, capabilities: &Map<String, Value>) -> bool {
    let declared = |name: &str| capabilities.get(name).filter(|value| value.is_object());
    match question.get("method").and_then(Value::as_str) {
        Some("sampling/createMessage") => declared("sampling").is_some(),
        Some("roots/list") => declared("roots").is_some(),
        Some("elicitation/create") => declared("elicitation").is_some_and(|how| {
            let mode = question.get("params").and_then(|params| params.get("mode")).and_then(Value::as_str);
            match mode.unwrap_or("form") {
                // An empty object means forms (2026-07-28, ClientCapabilities).
                "form" => how.get("form").is_some() || how.get("url").is_none(),
                "url" => how.get("url").is_some(),
                _ => false,
            }
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_asked_only_what_it_declared() {
        let ask = |method: &str, params: Value| json!({"inputRequests": {"k": {"method": method, "params": params}}});
        let form = || ask("elicitation/create", json!({"message": "m"}));
        let url = || ask("elicitation/create", json!({"mode": "url", "message": "m", "url": "https://x"}));
        for (result, capabilities, fine) in [
            (form(), json!({"elicitation": {}}), true),
            (form(), json!({"elicitation": {"form": {}}}), true),
            (form(), json!({"elicitation": {"url": {}}}), false),
            (form(), json!({"sampling": {}}), false),
            (form(), json!({"elicitation": true}), false),
            (url(), json!({"elicitation": {}}), false),
            (url(), json!({"elicitation": {"form": {}, "url": {}}}), true),
            (ask("sampling/createMessage", json!({})), json!({"sampling": {}}), true),
            (ask("roots/list", json!({})), json!({}), false),
            (ask("tools/call", json!({})), json!({"elicitation": {}, "sampling": {}, "roots": {}}), false),
            (json!({"requestState": "s"}), json!({}), true),
            (json!({}), json!({}), false),
            (json!({"inputRequests": []}), json!({}), false),
        ] {
            let found = questions(&result, capabilities.as_object().expect("object"));
            assert_eq!(found.is_ok(), fine, "{result} {capabilities}");
        }
    }

    #[test]
    fn a_question_says_where_it_comes_from() {
        let mut question = json!({"method": "elicitation/create", "params": {"message": "Your name?"}});
        mark(&mut question, "crm");
        assert_eq!(question["params"]["message"], json!("[crm] Your name?"));
    }
}

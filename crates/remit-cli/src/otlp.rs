//! Records as log records of OpenTelemetry (OTLP 1.5, JSON encoding), for a collector or a SIEM. What may
//! identify a person or repeat an argument is a disclosure beside a record, and is not among this.

use jiff::Timestamp;
use remit_core::ids::Digest;
use serde_json::{Value, json};

/// Severity numbers (OTLP logs data model): INFO and WARN.
const INFO: u64 = 9;
const WARN: u64 = 13;

/// The request that carries these log records.
pub fn request(records: Vec<Value>) -> Value {
    json!({"resourceLogs": [{
        "resource": {"attributes": [attribute("service.name", "remit")]},
        "scopeLogs": [{
            "scope": {"name": "dev.remit.evidence", "version": env!("CARGO_PKG_VERSION")},
            "logRecords": records,
        }],
    }]})
}

/// One record.
pub fn record(statement: &Value, digest: &Digest) -> Value {
    let predicate = &statement["predicate"];
    let text = |path: &str| predicate.pointer(path).and_then(Value::as_str);
    let kind = text("/kind").unwrap_or("record");
    let named = [
        ("remit.tenant", text("/tenant")),
        ("remit.record.id", text("/record_id")),
        ("remit.record.kind", Some(kind)),
        ("remit.run.id", text("/run/id")),
        ("remit.agent.id", text("/agent/id")),
        ("remit.agent.owner", text("/agent/owner")),
        ("remit.tool.name", text("/tool/name")),
        ("remit.tool.class", text("/tool/class")),
        ("remit.tool.risk", text("/tool/risk")),
        ("remit.verdict", text("/verdict")),
        ("remit.code", text("/refusal/code").or_else(|| text("/result/code"))),
        ("remit.policy.snapshot", text("/policy/snapshot").or_else(|| text("/snapshot"))),
        ("remit.outcome", text("/result/state")),
        ("remit.intent", text("/intent")),
        ("remit.halt.target", text("/target")),
        ("remit.event", text("/event")),
    ];
    let mut attributes: Vec<Value> =
        named.into_iter().filter_map(|(name, value)| value.map(|value| attribute(name, value))).collect();
    attributes.push(attribute("remit.record.digest", &digest.to_string()));
    if let Some(writer) = text("/writer/key") {
        attributes.push(attribute("remit.writer.key", writer));
    }
    if let Some(seq) = predicate.pointer("/writer/seq").and_then(Value::as_u64) {
        attributes.push(json!({"key": "remit.writer.seq", "value": {"intValue": seq.to_string()}}));
    }
    let attention = matches!(text("/verdict"), Some("deny" | "ask")) || text("/result/state") == Some("unknown");
    let (severity, word) = if attention { (WARN, "WARN") } else { (INFO, "INFO") };
    let nanos = text("/time").and_then(|time| time.parse::<Timestamp>().ok()).map_or(0, |at| at.as_nanosecond());
    let mut record = json!({
        "timeUnixNano": nanos.to_string(),
        "observedTimeUnixNano": nanos.to_string(),
        "severityNumber": severity,
        "severityText": word,
        "eventName": format!("remit.{kind}"),
        "body": {"stringValue": said(predicate, kind)},
        "attributes": attributes,
    });
    // Trace Context: version, trace, parent, flags.
    let trace: Vec<&str> = text("/trace/traceparent").map(|text| text.split('-').collect()).unwrap_or_default();
    if let [_, trace, span, _] = trace.as_slice() {
        record["traceId"] = json!(trace);
        record["spanId"] = json!(span);
    }
    record
}

/// One line for people.
fn said(predicate: &Value, kind: &str) -> String {
    let text = |path: &str| predicate.pointer(path).and_then(Value::as_str);
    let parts = match kind {
        "decision" => vec![text("/verdict"), text("/tool/name"), text("/agent/id"), text("/refusal/code")],
        "execution" => vec![Some("execution"), text("/result/state"), text("/intent")],
        "approval" => vec![Some("approval"), text("/choice"), text("/question")],
        "run" | "halt" => vec![Some(kind), text("/event"), text("/target").or_else(|| text("/run/id"))],
        _ => vec![Some(kind), text("/snapshot")],
    };
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_a_warning_with_its_code_and_its_trace() {
        let statement = json!({"predicate": {
            "kind": "decision", "verdict": "deny", "time": "2026-11-21T10:00:00.001Z", "tenant": "acme",
            "record_id": "rec_1", "tool": {"name": "payments/refund"}, "agent": {"id": "bot"},
            "refusal": {"code": "budget.exhausted"}, "writer": {"key": "k", "seq": 7},
            "trace": {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
        }});
        let log = record(&statement, &Digest::of(b"x"));
        assert_eq!(log["body"]["stringValue"], "deny payments/refund bot budget.exhausted");
        assert_eq!((&log["severityText"], &log["timeUnixNano"]), (&json!("WARN"), &json!("1795255200001000000")));
        assert_eq!(log["traceId"], "0af7651916cd43dd8448eb211c80319c");
        assert!(log["attributes"].as_array().expect("a list").contains(&attribute("remit.code", "budget.exhausted")));
    }
}

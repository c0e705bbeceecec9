//! The upstream edge against servers that behave and servers that do not. Every server listens on
//! loopback or is a child of the test; every wait is bounded.

mod http;
mod legacy;
mod lists;
mod peer;
mod stdio;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use remit_app::permit::{Continuation, Passage, Progress};
use remit_app::secret::Secret;
use remit_core::ids::UpstreamId;
use serde_json::{Value, json};

use super::{Connection, Failure, Operation, Request, Slot, Spec, Transport};

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);

fn spec(transport: Transport) -> Spec {
    let id = UpstreamId::parse("peer").expect("id");
    Spec { id, transport, credential: None, timeout_ms: 3_000 }
}

/// Calls the tool `t`.
async fn call(connection: &Connection, arguments: &str, timeout_ms: u64) -> Result<Value, Failure> {
    call_with(connection, arguments, timeout_ms, &Passage::default(), None).await
}

async fn call_with(
    connection: &Connection,
    arguments: &str,
    timeout_ms: u64,
    passage: &Passage,
    secret: Option<&Secret>,
) -> Result<Value, Failure> {
    let definition = json!({"name": "t", "inputSchema": {"type": "object", "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
    }}});
    let request =
        Request { operation: Operation::Tool, name: "t", arguments, definition: &definition, timeout_ms, passage };
    tokio::time::timeout(PATIENCE, connection.request(request, secret)).await.expect("bounded")
}

/// A passage that keeps every notice of progress.
fn listening() -> (Passage, Arc<Mutex<Vec<Value>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let into = heard.clone();
    let progress = Progress(Arc::new(move |notice| into.lock().expect("lock").push(notice)));
    (Passage { progress: Some(progress), ..Passage::default() }, heard)
}

/// The kind of a failure, for tables.
fn kind(result: &Result<Value, Failure>) -> &'static str {
    match result {
        Ok(_) => "ok",
        Err(Failure::NotStarted { .. }) => "not started",
        Err(Failure::Unknown { .. }) => "unknown",
        Err(Failure::Rpc { .. }) => "rpc",
        Err(Failure::Invalid { .. }) => "invalid",
    }
}

/// Waits until something holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

#[test]
fn operations_are_told_by_the_names_of_their_tools() {
    for (own, operation) in [
        ("resources/read", Operation::Resource),
        ("prompts/get", Operation::Prompt),
        ("completion/complete", Operation::Complete),
        ("read", Operation::Tool),
    ] {
        assert_eq!(Operation::of(own), operation);
    }
}

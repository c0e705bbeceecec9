//! Drives the gateway's upstream client against a server, for the client scenarios of the official
//! conformance suite. What it does in which scenario is said in tests/README.md.

use std::process::ExitCode;

use remit_app::permit::Passage;
use remit_core::ids::UpstreamId;
use remit_server::upstream::{Connection, Failure, Operation, Request, Spec, Transport};
use serde_json::{Value, json};

/// How long everything may take, in milliseconds. The suite itself waits for 30 seconds.
const TIMEOUT_MS: u64 = 20_000;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("remit-probe: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    let url = std::env::args().nth(1).ok_or("usage: remit-probe URL")?;
    let scenario = std::env::var("MCP_CONFORMANCE_SCENARIO").unwrap_or_default();
    let context = std::env::var("MCP_CONFORMANCE_CONTEXT").ok();
    let context: Value = context.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
    let id = UpstreamId::parse("probed").map_err(|error| error.to_string())?;
    let transport = Transport::Http { url };
    let connection = Connection::new(Spec { id, transport, credential: None, timeout_ms: TIMEOUT_MS });
    let listing = connection.list(None).await.map_err(|failure| failure.to_string())?;
    let named = |name: &str| listing.tools.iter().find(|tool| tool["name"] == name);
    let probe = Probe { connection: &connection };

    if let Some(calls) = context["toolCalls"].as_array() {
        for call in calls {
            let name = call["name"].as_str().unwrap_or_default();
            probe.tool(named(name), name, &call["arguments"]).await;
        }
    } else if scenario == "json-schema-2020-12-preservation" {
        let schema = named("json_schema_2020_12_tool").map(|tool| tool["inputSchema"].clone());
        let echo = "json_schema_echo";
        probe.tool(named(echo), echo, &json!({ "schema": schema })).await;
    } else if scenario != "json-schema-ref-no-deref" {
        for tool in &listing.tools {
            let name = tool["name"].as_str().unwrap_or_default();
            probe.tool(Some(tool), name, &json!({"a": 2, "b": 3, "region": "x"})).await;
        }
        for resource in listing.resources.iter().filter(|_| scenario == "http-standard-headers") {
            probe.other(Operation::Resource, &json!({ "uri": resource["uri"] })).await;
        }
        for prompt in listing.prompts.iter().filter(|_| scenario == "http-standard-headers") {
            probe.other(Operation::Prompt, &json!({ "name": prompt["name"] })).await;
        }
    }
    connection.shutdown().await;
    Ok(())
}

struct Probe<'a> {
    connection: &'a Connection,
}

impl Probe<'_> {
    async fn tool(&self, definition: Option<&Value>, name: &str, arguments: &Value) {
        match definition {
            Some(definition) => self.ask(Operation::Tool, name, definition, arguments).await,
            None => eprintln!("remit-probe: {name} is not served, or was left out"),
        }
    }

    async fn other(&self, operation: Operation, arguments: &Value) {
        self.ask(operation, operation.method(), &Value::Null, arguments).await;
    }

    /// Asks, and tells what came of it: what a call meets is no failure of the probe.
    async fn ask(&self, operation: Operation, name: &str, definition: &Value, arguments: &Value) {
        let (passage, arguments) = (Passage::default(), remit_core::json::canonical(arguments));
        let request =
            Request { operation, name, arguments: &arguments, definition, timeout_ms: TIMEOUT_MS, passage: &passage };
        let asked: Result<Value, Failure> = self.connection.request(request, None).await;
        match asked {
            Ok(result) => println!("{name}: {result}"),
            Err(failure) => println!("{name}: {failure}"),
        }
    }
}

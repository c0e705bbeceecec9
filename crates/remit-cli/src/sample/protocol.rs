//! As much of MCP as a small tool server needs: the handshake of 2025 and the stateless requests
//! of 2026-07-28.

use serde_json::{Value, json};

const MODERN: &str = "2026-07-28";
const LEGACY: [&str; 3] = ["2025-03-26", "2025-06-18", "2025-11-25"];

/// Something with tools.
pub trait Toolbox: Send + Sync {
    /// What it calls itself.
    fn name(&self) -> &'static str;
    /// The definitions.
    fn tools(&self) -> Vec<Value>;
    /// Calls a tool; `Err` is the tool's own error, for the model to read.
    fn call(&self, tool: &str, arguments: &Value) -> Result<Value, String>;
}

/// Answers one message; `None` for a notification.
pub fn answer(toolbox: &dyn Toolbox, message: &Value) -> Option<Value> {
    let id = message.get("id")?.clone();
    let method = message.get("method").and_then(Value::as_str).unwrap_or_default();
    let params = message.get("params").cloned().unwrap_or_else(|| json!({}));
    let version = params["_meta"]["io.modelcontextprotocol/protocolVersion"].as_str();
    let modern = version.is_some();
    if version.is_some_and(|version| version != MODERN) {
        let data = json!({"supported": [MODERN], "requested": version});
        return Some(error(id, -32022, "unsupported protocol version", Some(data)));
    }
    let result = match method {
        "server/discover" if modern => json!({
            "supportedVersions": [MODERN], "capabilities": {"tools": {"listChanged": false}},
            "serverInfo": {"name": toolbox.name(), "version": "1"},
        }),
        "initialize" if !modern => {
            let asked = params["protocolVersion"].as_str().unwrap_or_default();
            let version = LEGACY.into_iter().find(|known| *known == asked).unwrap_or("2025-11-25");
            json!({
                "protocolVersion": version, "capabilities": {"tools": {}},
                "serverInfo": {"name": toolbox.name(), "version": "1"},
            })
        }
        "ping" if !modern => json!({}),
        "tools/list" => json!({"tools": toolbox.tools()}),
        "tools/call" => {
            let name = params["name"].as_str().unwrap_or_default();
            if !toolbox.tools().iter().any(|tool| tool["name"] == name) {
                return Some(error(id, -32602, &format!("unknown tool: {name}"), None));
            }
            match toolbox.call(name, params.get("arguments").unwrap_or(&json!({}))) {
                Ok(Value::String(text)) => json!({"content": [{"type": "text", "text": text}], "isError": false}),
                Ok(value) => json!({
                    "content": [{"type": "text", "text": value.to_string()}], "structuredContent": value, "isError": false,
                }),
                Err(text) => json!({"content": [{"type": "text", "text": text}], "isError": true}),
            }
        }
        _ => return Some(error(id, -32601, "method not found", None)),
    };
    Some(json!({"jsonrpc": "2.0", "id": id, "result": if modern { completed(result, method) } else { result }}))
}

/// What every result of the stateless era carries.
fn completed(mut result: Value, method: &str) -> Value {
    result["resultType"] = json!("complete");
    if matches!(method, "server/discover" | "tools/list") {
        result["ttlMs"] = json!(0);
        result["cacheScope"] = json!("private");
    }
    result
}

fn error(id: Value, code: i64, message: &str, data: Option<Value>) -> Value {
    let mut error = json!({"code": code, "message": message});
    if let Some(data) = data {
        error["data"] = data;
    }
    json!({"jsonrpc": "2.0", "id": id, "error": error})
}

/// A tool's definition.
pub fn tool(name: &str, description: &str, properties: Value, required: &[&str]) -> Value {
    json!({
        "name": name, "description": description,
        "inputSchema": {"type": "object", "properties": properties, "required": required, "additionalProperties": false},
    })
}

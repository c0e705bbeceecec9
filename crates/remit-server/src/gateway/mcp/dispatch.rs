//! Dispatch: from a method to its answer, for both eras and both transports. What is not named here
//! is not served.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::catalogue::{List, list};
use super::client::Client;
use super::deed::Method;
use super::fault::Fault;
use super::listen::Filter;
use super::{Mcp, answer, call, handshake, listen, tasks};
use crate::fleet::Kind;

/// Levels of `logging/setLevel`.
const LEVELS: [&str; 8] = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"];

/// Answers one request, in the shape of its client's era.
///
/// # Errors
/// When the answer is a protocol error.
pub(super) async fn dispatch(
    mcp: &Arc<Mcp>,
    client: &Client,
    id: &Value,
    method: &str,
    params: &Map<String, Value>,
) -> Result<Value, Fault> {
    let result = match (method, client.is_modern()) {
        ("tools/list", _) => list(mcp, client, List::Tools, params).await,
        ("resources/list", _) => list(mcp, client, List::Of(Kind::Resources), params).await,
        ("resources/templates/list", _) => list(mcp, client, List::Of(Kind::Templates), params).await,
        ("prompts/list", _) => list(mcp, client, List::Of(Kind::Prompts), params).await,
        ("server/discover", true) => Ok(handshake::discover()),
        ("subscriptions/listen", true) => listen::subscribe(mcp, client, id, &Filter::read(client, params)?).await,
        ("tasks/get" | "tasks/update" | "tasks/cancel", true) => tasks::serve(mcp, client, method, params).await,
        ("ping", false) => Ok(json!({})),
        ("logging/setLevel", false) => level(params),
        _ => match upstream_method(method) {
            Some(method) => call::carry_out(mcp, client, method, params).await,
            None => Err(Fault::method()),
        },
    }?;
    Ok(answer::shaped(result, client.is_modern(), &mcp.server))
}

/// The methods that reach an upstream.
pub(super) fn upstream_method(method: &str) -> Option<Method> {
    let all = [Method::CallTool, Method::ReadResource, Method::GetPrompt, Method::Complete];
    all.into_iter().find(|known| known.as_str() == method)
}

/// Takes any level there is. No log messages are sent, at whatever level: what upstreams log is theirs.
fn level(params: &Map<String, Value>) -> Result<Value, Fault> {
    match params.get("level").and_then(Value::as_str) {
        Some(level) if LEVELS.contains(&level) => Ok(json!({})),
        _ => Err(Fault::params("`level` is no level of logging")),
    }
}

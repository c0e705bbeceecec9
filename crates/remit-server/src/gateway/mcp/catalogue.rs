//! Lists: what this caller could use, and nothing else. Tools show their approved definition only, so
//! no word reaches an agent that no operator has read.

use remit_core::registry::Tool;
use serde_json::{Map, Value, json};

use super::Mcp;
use super::client::{Beside, Client};
use super::deed::is_operation;
use super::fault::Fault;
use super::seal::{Purpose, principal};
use crate::fleet::Kind;
use crate::gateway::builtin;

/// Entries of one page.
const PAGE: usize = 500;
/// How long a client may keep a list, in milliseconds. What it holds on to may be stale; calls are
/// decided anew whatever a list said.
pub(super) const TTL_MS: u64 = 5_000;

/// What is listed.
#[derive(Clone, Copy, Debug)]
pub(super) enum List {
    /// Tools.
    Tools,
    /// What upstreams list beside tools.
    Of(Kind),
}

impl List {
    /// The member of the result.
    const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Of(Kind::Resources) => "resources",
            Self::Of(Kind::Templates) => "resourceTemplates",
            Self::Of(Kind::Prompts) => "prompts",
        }
    }
}

/// One page of a list.
///
/// # Errors
/// -32602 for a cursor that is not ours, -31001 when the store cannot say what is halted.
pub(super) async fn list(mcp: &Mcp, client: &Client, list: List, params: &Map<String, Value>) -> Result<Value, Fault> {
    let beside = Beside::read(params.get("_meta"), &client.hints)?;
    let caller = mcp.edge.caller_in(&client.identified, beside.run.as_ref()).await;
    let caller = caller.map_err(|refusal| Fault::refused(&refusal, None))?;
    let bound = principal(&caller);
    let from = match params.get("cursor") {
        None => 0,
        Some(cursor) => {
            let place = cursor.as_str().and_then(|text| mcp.seals.open(Purpose::Cursor, &bound, text));
            let place = place.and_then(|place| read_place(list, &place));
            place.ok_or_else(|| Fault::params("the cursor is not of this list"))?
        }
    };
    let entries = match list {
        List::Tools => {
            let tools = mcp.edge.gate.tools(&caller).await.map_err(|refusal| Fault::refused(&refusal, None))?;
            let own = builtin::tools();
            tools.iter().filter(|tool| !is_operation(&tool.name)).map(|tool| shown(tool)).chain(own).collect()
        }
        List::Of(kind) => {
            let found = mcp.edge.catalogue(&caller, kind).await;
            found.map_err(|refusal| Fault::refused(&refusal, None))?
        }
    };
    let more = entries.len() > from.saturating_add(PAGE);
    let page: Vec<Value> = entries.into_iter().skip(from).take(PAGE).collect();
    let mut result = json!({"ttlMs": TTL_MS, "cacheScope": "private"});
    result[list.member()] = Value::Array(page);
    if more {
        let place = format!("{}:{}", list.member(), from + PAGE);
        result["nextCursor"] = mcp.seals.seal(Purpose::Cursor, &bound, place.as_bytes()).into();
    }
    Ok(result)
}

fn read_place(list: List, place: &[u8]) -> Option<usize> {
    let (member, from) = std::str::from_utf8(place).ok()?.split_once(':')?;
    if member == list.member() { from.parse().ok() } else { None }
}

/// A tool as agents see it: its approved definition under its public name. Tasks of 2025-11-25 are not
/// offered, so no tool asks for them.
fn shown(tool: &Tool) -> Value {
    let mut shown = tool.definition.json().clone();
    shown["name"] = tool.public.as_str().into();
    let Value::Object(members) = &mut shown else { return shown };
    if let Some(Value::Object(execution)) = members.get_mut("execution") {
        execution.shift_remove("taskSupport");
        if execution.is_empty() {
            members.shift_remove("execution");
        }
    }
    shown
}

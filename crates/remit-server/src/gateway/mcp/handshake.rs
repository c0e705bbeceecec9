//! What the gateway says about itself: `server/discover` in the modern era, `initialize` in the
//! legacy one. Upstreams' own instructions are not among it: nobody has approved them.

use serde_json::{Map, Value, json};

use super::Mcp;
use super::catalogue::TTL_MS;
use super::client::TASKS;
use super::era::{Legacy, MODERN};
use super::fault::{Fault, INVALID_PARAMS};
use super::session::{Sessions, capability_bits};
use crate::identify::Identified;

/// For models.
const INSTRUCTIONS: &str = "Every call through this gateway is decided by policy and recorded. A refusal is final for \
    that request: its text says why and what would help, and remit__why explains it. A call that needs approval is \
    held: repeat it with exactly the same arguments once it is approved, or ask remit__status. \
    remit__what_may_i_do lists what is allowed.";

/// `server/discover`. Only modern versions are named: legacy ones are reached by `initialize`.
pub(super) fn discover() -> Value {
    let mut capabilities = capabilities();
    capabilities["extensions"] = json!({TASKS: {}});
    json!({
        "supportedVersions": [MODERN],
        "capabilities": capabilities,
        "instructions": INSTRUCTIONS,
        "ttlMs": TTL_MS,
        "cacheScope": "private",
    })
}

/// `initialize`: the result, and the id of the session it begins.
///
/// # Errors
/// -32602 when the client names no version.
pub(super) fn initialize(
    mcp: &Mcp,
    identified: &Identified,
    params: &Map<String, Value>,
) -> Result<(Value, String), Fault> {
    let Some(asked) = params.get("protocolVersion").and_then(Value::as_str) else {
        return Err(Fault::bad(INVALID_PARAMS, "`protocolVersion` must be a string"));
    };
    let version = Legacy::negotiate(asked);
    let bits = params.get("capabilities").map_or(0, capability_bits);
    let random = mcp.edge.gate.ports().entropy.bytes();
    let session = Sessions::begin(&mcp.seals, identified, version, bits, mcp.now(), &random);
    let mut capabilities = capabilities();
    capabilities["logging"] = json!({});
    let result = json!({
        "protocolVersion": version.as_str(),
        "capabilities": capabilities,
        "serverInfo": mcp.server,
        "instructions": INSTRUCTIONS,
    });
    Ok((result, session))
}

/// Subscriptions to single resources are not among them: changes of upstreams' resources are not
/// followed, and a subscription that never tells anything would be a lie.
fn capabilities() -> Value {
    json!({
        "tools": {"listChanged": true},
        "prompts": {"listChanged": true},
        "resources": {"listChanged": true},
        "completions": {},
    })
}

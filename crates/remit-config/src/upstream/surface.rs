//! What an MCP server offers besides tools, as tools: resources, prompts and completions go through
//! the same gate. Their definitions are fixed by the protocol, so nobody has to approve them.

use remit_core::registry::Definition;
use serde_json::{Value, json};

/// One of the things an MCP server offers besides tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surface {
    Resources,
    Prompts,
    Completion,
}

impl Surface {
    pub const ALL: [Self; 3] = [Self::Resources, Self::Prompts, Self::Completion];

    /// The method of the protocol, which is also the tool's own name. It contains a slash; no MCP
    /// tool's name does, so the two can never be taken for each other.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Resources => "resources/read",
            Self::Prompts => "prompts/get",
            Self::Completion => "completion/complete",
        }
    }

    pub fn definition(self) -> Definition {
        let schema = match self {
            Self::Resources => object(json!({ "uri": { "type": "string" } }), &["uri"]),
            Self::Prompts => object(
                json!({
                    "name": { "type": "string" },
                    "arguments": { "type": "object", "additionalProperties": { "type": "string" } },
                }),
                &["name"],
            ),
            Self::Completion => {
                let any = json!({ "type": "object" });
                object(json!({ "ref": any, "argument": any, "context": any }), &["ref", "argument"])
            }
        };
        Definition::new(json!({ "name": self.method(), "inputSchema": schema }))
    }
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

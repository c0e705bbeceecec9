//! A call as it is handed to an upstream.

use remit_app::permit::Passage;
use serde_json::Value;

/// What an upstream is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `tools/call`.
    Tool,
    /// `resources/read`.
    Resource,
    /// `prompts/get`.
    Prompt,
    /// `completion/complete`.
    Complete,
}

/// One call.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What to do.
    pub operation: Operation,
    /// The upstream's own name of the tool. Not used by other operations, which name their target in
    /// the arguments.
    pub name: &'a str,
    /// The canonical text that was decided on, an object. Of a tool its arguments; of the other
    /// operations their parameters (`uri`; `name` and `arguments`; `ref`, `argument` and `context`).
    /// It is sent as it stands here.
    pub arguments: &'a str,
    /// The tool's approved definition: says which arguments headers have to repeat.
    pub definition: &'a Value,
    /// How long all of it may take, connecting included, in milliseconds. Progress extends nothing.
    pub timeout_ms: u64,
    /// What travels along.
    pub passage: &'a Passage,
}

impl Request<'_> {
    /// The capabilities that it declares, when it is one that may be answered with a wish for input.
    pub(super) fn declared(&self) -> Option<&Value> {
        let continued = self.passage.continuation.as_ref();
        let declared = continued.and_then(|continued| continued.capabilities.as_ref()).unwrap_or(&Value::Null);
        (self.operation != Operation::Complete).then_some(declared)
    }
}

impl Operation {
    /// The operation that a tool of this name stands for. MCP allows no slash in the names of tools,
    /// so the names with one are free for the other operations.
    #[must_use]
    pub fn of(own: &str) -> Self {
        let others = [Self::Resource, Self::Prompt, Self::Complete];
        others.into_iter().find(|operation| operation.method() == own).unwrap_or(Self::Tool)
    }

    /// The JSON-RPC method.
    #[must_use]
    pub const fn method(self) -> &'static str {
        match self {
            Self::Tool => "tools/call",
            Self::Resource => "resources/read",
            Self::Prompt => "prompts/get",
            Self::Complete => "completion/complete",
        }
    }
}

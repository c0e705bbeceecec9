//! Deeds: the methods that reach an upstream, each as one call of one tool, so that all of them are
//! decided alike. Reading a resource or getting a prompt is a call of `<upstream>/resources/read`,
//! `<upstream>/prompts/get`.

use remit_core::ids::{Digest, ToolName};
use remit_core::json::canonical;
use serde_json::{Map, Value, json};

use super::fault::{Fault, INVALID_PARAMS, RESOURCE_NOT_FOUND_LEGACY};
use super::seal::parts;
use crate::edge::Edge;

/// Operations of the protocol that are registered as tools and are never called as such: by that
/// way their results would have the wrong shape.
const OPERATIONS: [&str; 3] = ["resources/read", "prompts/get", "completion/complete"];

/// A method that reaches an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// `tools/call`
    CallTool,
    /// `resources/read`
    ReadResource,
    /// `prompts/get`
    GetPrompt,
    /// `completion/complete`
    Complete,
}

/// One call, as the gate will be asked for it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Deed {
    /// By which method.
    pub method: Method,
    /// Which tool.
    pub tool: String,
    /// What the client named: a tool, a URI, a prompt.
    pub shown: String,
    /// With what.
    pub arguments: Value,
}

impl Method {
    /// The name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CallTool => "tools/call",
            Self::ReadResource => "resources/read",
            Self::GetPrompt => "prompts/get",
            Self::Complete => "completion/complete",
        }
    }

    /// Whether its result may ask the client for input (2026-07-28, MRTR, "Supported requests").
    pub const fn may_ask(self) -> bool {
        !matches!(self, Self::Complete)
    }
}

impl Deed {
    /// Understands the parameters of a method.
    ///
    /// # Errors
    /// -32602 when they are not what the method takes, or name nothing that is served.
    pub fn read(edge: &Edge, method: Method, params: &Map<String, Value>, modern: bool) -> Result<Self, Fault> {
        match method {
            Method::CallTool => Self::call(edge, params),
            Method::ReadResource => {
                let uri = text(params, "uri")?;
                let deed = |tool| Self { method, tool, shown: uri.to_owned(), arguments: json!({"uri": uri}) };
                let Some(owner) = edge.owner_of_resource(uri) else { return Err(deed(String::new()).unknown(modern)) };
                Ok(deed(owner.to_string()))
            }
            Method::GetPrompt => {
                let name = text(params, "name")?;
                let deed = |tool, arguments| Self { method, tool, shown: name.to_owned(), arguments };
                let Some((owner, own)) = edge.owner_of_prompt(name) else {
                    return Err(deed(String::new(), json!({})).unknown(modern));
                };
                let mut arguments = json!({"name": own});
                if let Some(given) = object(params, "arguments")? {
                    arguments["arguments"] = given.clone();
                }
                Ok(deed(owner.to_string(), arguments))
            }
            Method::Complete => Self::complete(edge, params, modern),
        }
    }

    fn call(edge: &Edge, params: &Map<String, Value>) -> Result<Self, Fault> {
        let name = text(params, "name")?;
        let arguments = object(params, "arguments")?.cloned().unwrap_or_else(|| json!({}));
        let deed = Self { method: Method::CallTool, tool: name.to_owned(), shown: name.to_owned(), arguments };
        let snapshot = edge.gate.snapshot();
        let found = match ToolName::parse(name) {
            Ok(name) => snapshot.registry().tool(&name),
            Err(_) => snapshot.registry().public(name),
        };
        if found.is_some_and(|tool| is_operation(&tool.name)) {
            return Err(deed.unknown(true));
        }
        Ok(deed)
    }

    fn complete(edge: &Edge, params: &Map<String, Value>, modern: bool) -> Result<Self, Fault> {
        let method = Method::Complete;
        let reference = object(params, "ref")?.ok_or_else(|| Fault::params("`ref` is missing"))?;
        let argument = object(params, "argument")?.ok_or_else(|| Fault::params("`argument` is missing"))?;
        let member = |name: &str| reference.get(name).and_then(Value::as_str);
        let (shown, owner, own) = match (member("type"), member("name"), member("uri")) {
            (Some("ref/prompt"), Some(name), _) => {
                let found = edge.owner_of_prompt(name);
                let mut own = reference.clone();
                own["name"] = found.as_ref().map_or(name, |(_, own)| own.as_str()).into();
                (name, found.map(|(owner, _)| owner), own)
            }
            (Some("ref/resource"), _, Some(uri)) => (uri, edge.owner_of_resource(uri), reference.clone()),
            _ => return Err(Fault::params("`ref` must be a ref/prompt with a name or a ref/resource with a uri")),
        };
        let mut arguments = json!({"ref": own, "argument": argument});
        if let Some(context) = object(params, "context")? {
            arguments["context"] = context.clone();
        }
        let deed = |tool: String| Self { method, tool, shown: shown.to_owned(), arguments };
        match owner {
            Some(owner) => Ok(deed(format!("{}/{}", owner.upstream(), method.as_str()))),
            None => Err(deed(String::new()).unknown(modern)),
        }
    }

    /// Names exactly this request, for states that a client carries.
    pub fn digest(&self) -> Digest {
        let arguments = canonical(&self.arguments);
        Digest::of(&parts(&[self.method.as_str().as_bytes(), self.tool.as_bytes(), arguments.as_bytes()]))
    }

    /// What is answered when there is nothing of that name for this caller, for whatever reason.
    pub fn unknown(&self, modern: bool) -> Fault {
        let shown: String = self.shown.chars().filter(|c| !c.is_control()).take(256).collect();
        match self.method {
            Method::CallTool => Fault::params(format!("Unknown tool: {shown}")),
            Method::GetPrompt | Method::Complete => Fault::params(format!("Unknown prompt or resource: {shown}")),
            Method::ReadResource => {
                let code = if modern { INVALID_PARAMS } else { RESOURCE_NOT_FOUND_LEGACY };
                Fault::new(code, "Resource not found").with(json!({"uri": shown}))
            }
        }
    }
}

/// Whether a registered tool is an operation of the protocol.
pub(super) fn is_operation(tool: &ToolName) -> bool {
    OPERATIONS.contains(&tool.own())
}

fn text<'a>(params: &'a Map<String, Value>, name: &str) -> Result<&'a str, Fault> {
    params.get(name).and_then(Value::as_str).ok_or_else(|| Fault::params(format!("`{name}` must be a string")))
}

fn object<'a>(params: &'a Map<String, Value>, name: &str) -> Result<Option<&'a Value>, Fault> {
    match params.get(name) {
        None => Ok(None),
        Some(value) if value.is_object() => Ok(Some(value)),
        Some(_) => Err(Fault::params(format!("`{name}` must be an object"))),
    }
}

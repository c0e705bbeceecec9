//! What may be written in `upstreams/*.yaml`.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::at::{At, Entries};

/// Remit: a system behind the gate, and what its tools do to the world.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "upstreams/*.yaml")]
pub(crate) struct UpstreamFile {
    /// Its name: `payments`. Tools are called `payments/<tool>` in all other files.
    pub upstream: At<String>,
    /// The team that answers for it: `team:finance`.
    pub owner: Option<At<String>>,
    /// Where it serves MCP over HTTP: `https://…`; `http://` only on this machine. Either this or `command`.
    pub url: Option<At<String>>,
    /// A program that serves MCP on its standard streams, with its arguments: `[npx, -y, some-server]`. Never a shell line.
    pub command: Option<At<Vec<At<String>>>>,
    /// For `command`: environment variables with fixed values. Secrets belong in `credential`.
    pub env: Option<At<Entries<At<String>>>>,
    /// For `command`: names copied from the gateway's own environment: `[PATH, HOME]`. Nothing else of it is passed on.
    pub pass_env: Option<At<Vec<At<String>>>>,
    /// For `command`: the working directory.
    pub cwd: Option<At<String>>,
    /// For `command`: the most memory it may use: `512 MiB`.
    pub memory: Option<At<String>>,
    /// For `command`: how often it is started again: `5 per minute`, which is the default.
    pub restarts: Option<At<String>>,
    /// What it is shown to let the gateway in. Agents never see it.
    pub credential: Option<At<CredentialFile>>,
    /// How agents see its tools: `prefix` as `<upstream>__<tool>` (default), `bare` as the upstream calls them.
    pub show_as: Option<ShowAsWord>,
    /// Longest time it may take to answer: `30s`, which is the default.
    pub timeout: Option<At<String>>,
    /// The environment that all its tools touch.
    pub environment: Option<At<String>>,
    /// The product that all its tools touch.
    pub product: Option<At<String>>,
    /// The service that all its tools touch.
    pub service: Option<At<String>>,
    /// The code repository that all its tools touch.
    pub repository: Option<At<String>>,
    /// The branch that all its tools touch.
    pub branch: Option<At<String>>,
    /// Its tools by the names it uses itself. A tool that is not listed here cannot be called.
    #[serde(default)]
    pub tools: Entries<ToolFile>,
    /// Lets agents read its MCP resources, as the tool `<upstream>/resources/read`.
    pub resources: Option<At<ToolFile>>,
    /// Lets agents use its MCP prompts, as the tool `<upstream>/prompts/get`.
    pub prompts: Option<At<ToolFile>>,
    /// Lets agents ask it for completions, as the tool `<upstream>/completion/complete`.
    pub completion: Option<At<ToolFile>>,
}

/// What an upstream is shown. Either `header` or `env`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct CredentialFile {
    /// For `url`: the header it is sent in: `Authorization`.
    pub header: Option<At<String>>,
    /// For `header`: what stands before the secret: `"Bearer "`.
    pub prefix: Option<At<String>>,
    /// For `command`: the environment variable it is put in.
    pub env: Option<At<String>>,
    /// Where it is found: `env:PAYMENTS_TOKEN` or `file:/run/secrets/payments`. A relative path begins at the configuration folder.
    pub from: At<String>,
}

/// How agents see the tools of an upstream.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum ShowAsWord {
    /// As `<upstream>__<tool>`.
    Prefix,
    /// As the upstream calls them.
    Bare,
}

/// What a tool does to the world. What the upstream itself says about that is never used.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Tool")]
pub(crate) struct ToolFile {
    /// What it does: `read` looks; `write` changes state; `trigger` sets a process in motion; `approve` consents on somebody's behalf; `expose` shows data to somebody outside.
    pub class: At<ClassWord>,
    /// How bad a mistake would be.
    pub risk: RiskWord,
    /// Whether its effect can be undone. Required for everything but `read`.
    pub reversible: Option<bool>,
    /// How its effect is undone, in a few words: approvers read them. At most 1,000 characters.
    pub undo: Option<At<String>>,
    /// A tool of class `read` of this upstream that says what a call would do: `refund_preview`. When a call is held, it is called with
    /// the same arguments, or with those named here, and approvers read what it answers.
    pub preview: Option<At<PreviewFile>>,
    /// The team that answers for it: `team:finance`. Default: the upstream's owner.
    pub owner: Option<At<String>>,
    /// The labels its output carries: a sensitivity (`public`, `internal`, `confidential`, `restricted`; default `internal`), `untrusted` when outsiders can write it, and marks such as `pii`.
    #[serde(default)]
    pub labels: Vec<At<String>>,
    /// What it touches.
    pub resource: Option<ResourceFile>,
    /// What it costs: `0.02 USD`, or an argument: `args.amount USD`. Default: nothing.
    pub cost: Option<At<String>>,
    /// Longest time the upstream may take. Default: the upstream's.
    pub timeout: Option<At<String>>,
}

/// Which tool shows approvers what a call would do: a name, or a name with its arguments.
#[derive(Debug, JsonSchema)]
#[schemars(untagged, inline)]
pub(crate) enum PreviewFile {
    /// It takes the arguments of the call.
    Same(String),
    /// It takes others.
    With(PreviewWithFile),
}

/// A preview with arguments of its own.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct PreviewWithFile {
    /// The tool, by the name the upstream itself uses.
    pub tool: At<String>,
    /// Its arguments by name: each a text, or an argument of the call as `args.path`.
    pub arguments: Entries<At<String>>,
}

impl<'de> Deserialize<'de> for PreviewFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl<'de> Visitor<'de> for Reader {
            type Value = PreviewFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tool, or `{tool: …, arguments: {…}}`")
            }

            fn visit_str<E>(self, tool: &str) -> Result<Self::Value, E> {
                Ok(PreviewFile::Same(tool.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                PreviewWithFile::deserialize(MapAccessDeserializer::new(map)).map(PreviewFile::With)
            }
        }

        deserializer.deserialize_any(Reader)
    }
}

/// What a tool touches: each a name, or an argument as `args.path`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Resource")]
pub(crate) struct ResourceFile {
    /// What kind of thing: `payment`.
    pub kind: Option<At<String>>,
    /// Which one: `args.payment_id`.
    pub id: Option<At<String>>,
    /// The environment: `production`, or `args.env`.
    pub environment: Option<At<String>>,
    /// The product.
    pub product: Option<At<String>>,
    /// The service.
    pub service: Option<At<String>>,
    /// The code repository.
    pub repository: Option<At<String>>,
    /// The branch.
    pub branch: Option<At<String>>,
}

/// What a tool does to the world.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum ClassWord {
    /// Looks, changes nothing.
    Read,
    /// Changes state that can be looked at afterwards.
    Write,
    /// Sets a process in motion.
    Trigger,
    /// Consents on somebody's behalf.
    Approve,
    /// Shows data to somebody outside.
    Expose,
}

/// How bad a mistake would be.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum RiskWord {
    /// Nobody would notice.
    Low,
    /// Somebody would have to tidy up.
    Medium,
    /// Customers or colleagues would be hurt.
    High,
    /// The organisation would be.
    Critical,
}

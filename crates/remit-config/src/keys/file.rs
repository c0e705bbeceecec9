//! What may be written in `keys.yaml`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use crate::at::{At, WordOr};

/// Remit: the keys by which agents and operators prove themselves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "keys.yaml")]
pub(crate) struct KeysFile {
    /// Keys of agents.
    #[serde(default)]
    pub agents: Vec<At<AgentKeyFile>>,
    /// The people who steer the gateway.
    #[serde(default)]
    pub operators: Vec<At<OperatorKeyFile>>,
}

/// A key of an agent.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct AgentKeyFile {
    /// The name of the key, which appears in records: `support-bot-2026`.
    pub id: At<String>,
    /// The agent that it proves.
    pub agent: At<String>,
    /// The user for whom every call under this key is made.
    pub user: Option<At<String>>,
    /// For whom this key may open runs: `none` (default), `any`, or a list of users.
    pub may_declare: Option<At<MayDeclareFile>>,
    /// SHA-256 of the key's text, 64 lower-case hex digits.
    pub sha256: At<String>,
    /// The date or time from which the key is worth nothing. Required.
    pub expires: At<String>,
    /// Whether the key was withdrawn. Default: false.
    #[serde(default)]
    pub revoked: bool,
}

/// An operator, and their key if they have one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct OperatorKeyFile {
    /// The person: `bob`.
    pub id: At<String>,
    /// The user this person is when acting through an agent; nobody approves their own calls.
    pub user: Option<At<String>>,
    /// Their teams, for approval rules.
    #[serde(default)]
    pub teams: Vec<At<String>>,
    /// What they may do.
    pub roles: Vec<RoleWord>,
    /// Where they are written to when a question waits for their vote: `bob@acme.example`.
    pub email: Option<At<String>>,
    /// SHA-256 of the key's text, 64 lower-case hex digits. Somebody who only signs in to the console needs no key.
    pub sha256: Option<At<String>>,
    /// The date or time from which the key is worth nothing. Required with `sha256`.
    pub expires: Option<At<String>>,
    /// Whether this person was sent away: neither their key nor their signing in counts. Default: false.
    #[serde(default)]
    pub revoked: bool,
}

/// What an operator may do.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum RoleWord {
    /// Look.
    Viewer,
    /// Answer questions.
    Approver,
    /// Halt, resume and administer runs.
    Operator,
    /// Change what protects the organisation.
    Security,
    /// Answer for agents or tools of their teams.
    Owner,
    /// Read the evidence.
    Auditor,
}

/// `none`, `any`, or a list of users.
#[derive(Debug)]
pub(crate) struct MayDeclareFile(pub WordOr<At<String>>);

impl<'de> Deserialize<'de> for MayDeclareFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        WordOr::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for MayDeclareFile {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "MayDeclare".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "oneOf": [{ "enum": ["none", "any"] }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}

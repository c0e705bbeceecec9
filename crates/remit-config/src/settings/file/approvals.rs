//! What may be written of approval rules in `remit.yaml`, and of who is on call.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::at::At;

/// A named requirement that people can satisfy for one call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct ApprovalFile {
    /// How many different people must approve. Default: 1.
    pub quorum: Option<At<u32>>,
    /// Whose votes count: `team:finance`, `user:bob@acme.example`, `on_call:sre`.
    pub from: At<Vec<At<String>>>,
    /// How long the question stays open, and an approval stays usable: `30m`.
    pub within: At<String>,
    /// Whom an approver must not be. Default: `[user]`, so that nobody approves what is done in their own name.
    pub distinct_from: Option<Vec<DistinctWord>>,
    /// How many different people's denials close the question. Default: 1.
    pub deny: Option<At<u32>>,
    /// Whether an approval must say why: `required` or `optional`, which is the default. A denial always must.
    pub reason: Option<ReasonWord>,
    /// How well voters must have proved who they are, at least. With `passkey` each vote is signed by the voter's own passkey. Default: any.
    pub factor: Option<FactorWord>,
    /// Who is asked besides, when nobody has decided for a while: `{after: 10m, to: [team:sre-leads]}`.
    #[serde(default)]
    pub escalate: Vec<At<EscalationFile>>,
}

/// Who is asked besides, later.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct EscalationFile {
    /// How long after the question was asked: `10m`.
    pub after: At<String>,
    /// Whose votes count from then on: `team:sre-leads`.
    pub to: At<Vec<At<String>>>,
}

/// Whether an approval must say why.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum ReasonWord {
    /// It must.
    Required,
    /// It may.
    Optional,
}

/// How well voters must have proved who they are.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum FactorWord {
    /// In any way there is.
    Any,
    /// By a password and a one-time code, or better.
    #[serde(rename = "password+totp")]
    Password,
    /// By another party's word, or better.
    Oidc,
    /// By their own passkey, which signs the vote itself.
    Passkey,
}

/// Who is on call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct OnCallFile {
    /// The time zone by whose clock turns begin. Default: that of the calendar.
    pub timezone: Option<At<String>>,
    /// Who takes turns. From its beginning on each replaces the one before.
    pub rotation: At<Vec<At<RotationFile>>>,
}

/// People who take turns.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct RotationFile {
    /// When the first turn begins, by the clock on the wall: `2026-11-23T09:00`.
    pub from: At<String>,
    /// How long a turn is: `7d`.
    pub every: At<String>,
    /// Who, in this order, again and again: `[user:ann@acme.example, user:ben@acme.example]`.
    pub people: At<Vec<At<String>>>,
}

/// Whom an approver must not be.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum DistinctWord {
    /// The user on whose behalf the call is made.
    User,
    /// Anybody in the team that owns the agent.
    AgentOwner,
    /// Anybody in the team that owns the tool.
    ToolOwner,
    /// Anybody who votes in the place of another approver of the same question.
    ApproverDelegates,
}

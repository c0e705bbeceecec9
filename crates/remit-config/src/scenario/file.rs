//! What may be written in `tests/*.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::at::{At, Entries};

/// Remit: a scenario. Who does what, and what must come of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "tests/*.yaml")]
pub(crate) struct ScenarioFile {
    /// What it is about.
    pub name: At<String>,
    /// What is different from the folder it stands in.
    pub given: Option<GivenFile>,
    /// What happens, in order.
    pub steps: At<Vec<At<StepFile>>>,
}

/// What is different from the folder a scenario stands in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct GivenFile {
    /// Texts that replace or add files, by their names: `remits/x.yaml: |`.
    pub files: Entries<String>,
}

/// One thing that happens: exactly one of `call`, `approve`, `deny`, `halt`, `resume`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Step")]
pub(crate) struct StepFile {
    /// Moves the clock to this time first: `2026-11-21T10:00:00Z`.
    pub at: Option<At<String>>,
    /// An agent calls this tool: `payments/refund`.
    pub call: Option<At<String>>,
    /// For `call`: who calls.
    #[serde(rename = "as")]
    pub actor: Option<At<ActorFile>>,
    /// For `call`: the run it belongs to. Calls without one share a run.
    pub run: Option<At<String>>,
    /// For `call`: the arguments. Default: none.
    pub args: Option<At<Map<String, Value>>>,
    /// For `call`: what the upstream does, should the call reach it. Default: an empty result.
    pub upstream: Option<At<EffectFile>>,
    /// A person approves the last held call, for this rule.
    pub approve: Option<At<String>>,
    /// A person refuses the last held call.
    pub deny: Option<At<DenyFile>>,
    /// A person stops `tenant`, `agent:a`, `tool:u/t`, `upstream:u`, `class:write` or `run:r`.
    pub halt: Option<At<String>>,
    /// A person lets it go on.
    pub resume: Option<At<String>>,
    /// For `approve`, `halt` and `resume`: the person, an operator of keys.yaml.
    pub by: Option<At<String>>,
    /// What must come of it.
    pub expect: Option<ExpectFile>,
}

/// Who calls.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct ActorFile {
    /// The agent.
    pub agent: At<String>,
    /// The user it works for.
    pub user: Option<At<String>>,
    /// The agents that delegated to it, the first delegator first.
    #[serde(default)]
    pub via: Vec<At<String>>,
    /// The workflow it works within.
    pub workflow: Option<At<String>>,
}

/// A person refuses.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct DenyFile {
    /// The person, an operator of keys.yaml.
    pub by: At<String>,
    /// Why.
    pub reason: String,
}

/// What a made-up upstream does with a call.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum EffectFile {
    /// Answers with this result.
    Result(Value),
    /// Answers with this error.
    Error(String),
    /// `true`: takes the call and never answers.
    Lost(At<bool>),
}

/// What must come of a step. What is not named may be anything.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct ExpectFile {
    /// The verdict.
    pub verdict: Option<VerdictWord>,
    /// The code of a refusal: `budget.exhausted`.
    pub code: Option<At<String>>,
    /// Exactly these approval rules are asked for.
    pub ask: Option<Vec<At<String>>>,
    /// At least these policies determined the verdict.
    pub policies: Option<Vec<String>>,
    /// The reason contains this text.
    pub reason: Option<String>,
    /// Whether the upstream received the call.
    pub executed: Option<bool>,
}

/// The name of a verdict.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum VerdictWord {
    /// The call goes ahead.
    Allow,
    /// The call waits for people.
    Ask,
    /// The call is refused.
    Deny,
}

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

/// One thing that happens: exactly one of `call`, `approve`, `deny`, `halt`, `resume`, `request`, `grant`, `revoke`,
/// `break_glass`, `delegate`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Step")]
pub(crate) struct StepFile {
    /// Moves the clock to this time first: `2026-11-21T10:00:00Z`.
    pub at: Option<At<String>>,
    /// An agent calls this tool: `payments/refund`.
    pub call: Option<At<String>>,
    /// For `call`, `request` and `grant`: the agent, and for whom it works.
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
    /// An agent asks people for access for a while. Those who answer it then answer this.
    pub request: Option<At<AccessFile>>,
    /// A person gives an agent such access without its asking.
    pub grant: Option<At<AccessFile>>,
    /// A person takes back what this agent was given last.
    pub revoke: Option<At<String>>,
    /// A person uses what is declared under this name for emergencies.
    pub break_glass: Option<At<String>>,
    /// A person lets another one vote in their place for a day.
    pub delegate: Option<At<DelegateFile>>,
    /// For whatever a person does: the person, an operator of keys.yaml.
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

/// Access for a while. What is not named is as the remit offers it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct AccessFile {
    /// Which tools: `[payments/refund]`.
    pub tools: Vec<String>,
    /// Only resources within these bounds: `{environment: [staging]}`.
    #[serde(rename = "where")]
    pub bounds: Option<Map<String, Value>>,
    /// For how long: `8h`.
    #[serde(rename = "for")]
    pub length: Option<At<String>>,
    /// How many calls.
    pub calls: Option<u64>,
}

/// Who votes in somebody's place.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct DelegateFile {
    /// The one who votes, an operator of keys.yaml.
    pub to: At<String>,
    /// Only under this approval rule.
    pub rule: Option<At<String>>,
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

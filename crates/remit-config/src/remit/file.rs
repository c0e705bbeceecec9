//! What may be written in `remits/*.yaml`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};

use crate::access::OfferFile;
use crate::at::{At, Entries, WordOr};

/// Remit: the permission budget of one holder. Exactly one of `agent`, `user`, `team`, `workflow`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "remits/*.yaml")]
pub(crate) struct RemitFile {
    /// Grants to this agent: `support-bot`.
    pub agent: Option<At<String>>,
    /// Grants to this user, or to every user: `"*"`.
    pub user: Option<At<String>>,
    /// Grants to every user in this team: `support`.
    pub team: Option<At<String>>,
    /// Grants to this workflow.
    pub workflow: Option<At<String>>,
    /// The team that answers for it: `team:support`.
    pub owner: Option<At<String>>,
    /// How far the holder is trusted. Default: sandbox.
    pub stage: Option<StageWord>,
    /// From this date or time on it grants nothing. A date is the beginning of that day in the organisation's time zone: on that day it grants nothing any more.
    pub expires: Option<At<String>>,
    /// `enforce` binds (default); with `observe` what it would have refused is recorded, and goes ahead.
    pub mode: Option<ModeWord>,
    /// What it may look at.
    pub read: Option<At<GrantsFile>>,
    /// What it may change.
    pub write: Option<At<GrantsFile>>,
    /// Which processes it may set in motion.
    pub trigger: Option<At<GrantsFile>>,
    /// What it may consent to.
    pub approve: Option<At<GrantsFile>>,
    /// What it may show to somebody outside.
    pub expose: Option<At<GrantsFile>>,
    /// Limits over everything it grants: `10000 per day`.
    #[serde(default)]
    pub limits: Vec<At<String>>,
    /// A limit on money over everything it grants: `{tools: 100 USD per hour, warn_at: 80%}`.
    #[serde(default)]
    #[schemars(with = "CostSchema")]
    pub cost: Entries<At<String>>,
    /// What this agent may ask people for, for a while: extra tools, within bounds, by an approval rule.
    #[serde(default)]
    pub may_request: Vec<At<OfferFile>>,
}

/// How far a holder is trusted.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum StageWord {
    /// Plays with test data.
    Sandbox,
    /// Works under people's eyes.
    Supervised,
    /// Works alone.
    Autonomous,
}

/// Whether a remit binds.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum ModeWord {
    /// Binds.
    Enforce,
    /// What it would have refused is recorded, and goes ahead.
    Observe,
}

/// One line of a remit.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Grant")]
pub(crate) struct GrantFile {
    /// Its name within the remit, for records. Default: class and position, `trigger.0`.
    pub id: Option<At<String>>,
    /// Which tools: `payments/refund`, `tickets/*`, `tickets/get_*`, `"*"`. Only those of the class it stands under.
    pub tools: At<Vec<At<String>>>,
    /// Only tools whose output is no more sensitive than this.
    pub labels_up_to: Option<SensitivityWord>,
    /// Only resources within these bounds: `{environment: [staging]}`.
    #[serde(rename = "where")]
    pub bounds: Option<BoundsFile>,
    /// Only calls for which this is true: `args.amount <= 50 and args.to like "*@customer.example"`.
    pub when: Option<At<String>>,
    /// Only after people have satisfied this approval rule of remit.yaml.
    pub approval: Option<At<String>>,
    /// Limits over the calls that rest on this grant: `20 per day`, `500 USD per day`, `50 objects per hour`.
    #[serde(default)]
    pub limits: Vec<At<String>>,
    /// From which share of a limit a warning is recorded: `80%`.
    pub warn_at: Option<At<String>>,
}

/// Bounds on the resource.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Where")]
pub(crate) struct BoundsFile {
    /// Environments.
    pub environment: Option<At<Vec<At<String>>>>,
    /// Products.
    pub product: Option<At<Vec<At<String>>>>,
    /// Services.
    pub service: Option<At<Vec<At<String>>>>,
    /// Code repositories.
    pub repository: Option<At<Vec<At<String>>>>,
    /// Branches.
    pub branch: Option<At<Vec<At<String>>>>,
}

/// A level of sensitivity.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum SensitivityWord {
    /// Meant for everybody.
    Public,
    /// For the organisation.
    Internal,
    /// For those who need it.
    Confidential,
    /// Named people only.
    Restricted,
}

/// A list of grants, or the word `none`, which says the same as leaving the class out.
#[derive(Debug)]
pub(crate) struct GrantsFile(pub WordOr<At<GrantFile>>);

impl<'de> Deserialize<'de> for GrantsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        WordOr::deserialize(deserializer).map(Self)
    }
}

impl JsonSchema for GrantsFile {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Grants".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let grant = generator.subschema_for::<GrantFile>();
        schemars::json_schema!({ "oneOf": [{ "const": "none" }, { "type": "array", "items": grant }] })
    }
}

/// What an editor knows of `cost`; the reader takes any meter, to say something helpful about it.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, inline)]
#[expect(dead_code, reason = "only its schema is used")]
struct CostSchema {
    /// What the tools it calls may cost: `100 USD per hour`.
    tools: Option<String>,
    /// From which share of it a warning is recorded: `80%`.
    warn_at: Option<String>,
}

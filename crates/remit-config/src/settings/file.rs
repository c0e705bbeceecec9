//! What may be written in `remit.yaml`.

pub(crate) mod approvals;
pub(crate) mod ledger;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::access::BreakGlassFile;
use crate::at::{At, Entries};
use crate::settings::notify::file::NotifyFile;
use approvals::{ApprovalFile, FactorWord, OnCallFile};
use ledger::LedgerFile;

/// Remit: the settings of the gateway and of the organisation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "remit.yaml")]
pub(crate) struct SettingsFile {
    /// The organisation, as a short lower-case name: `acme`.
    pub tenant: At<String>,
    /// Address and port to listen on: `127.0.0.1:7420`. Beyond the loopback interface `tls` or `plaintext: true` is required.
    pub listen: At<String>,
    /// Serve TLS with these PEM files.
    pub tls: Option<At<TlsFile>>,
    /// Accept unencrypted connections from other machines, for example behind a proxy that ends TLS.
    pub plaintext: Option<At<bool>>,
    /// How callers prove who they are: `keys`, or `{anonymous: agent}` on the loopback interface.
    pub authentication: At<AuthenticationFile>,
    /// Where records are kept: `{sqlite: remit.db}`.
    pub store: StoreFile,
    /// The `Host` headers that are answered, with their port. Default: the loopback names.
    pub allowed_hosts: Option<Vec<At<String>>>,
    /// The `Origin` headers that are answered: `https://console.acme.example`. Default: none, so no browser.
    #[serde(default)]
    pub allowed_origins: Vec<At<String>>,
    /// The log over the records: its name, where its files are, and who cosigns it.
    pub ledger: Option<LedgerFile>,
    /// How durable the records of reads must be. What changes the world is always recorded first.
    pub records: Option<RecordsFile>,
    /// How long disclosed values, stored answers and budget spans are kept. Signed records are kept for ever. Default: so is everything.
    pub retention: Option<RetentionFile>,
    /// When the organisation works, and when it wants nothing to change.
    pub calendar: Option<CalendarFile>,
    /// The environments there are: `[production, staging]`. If listed, every environment that any file names must be among them.
    pub environments: Option<Vec<At<String>>>,
    /// Approval rules by name: requirements that people can satisfy for one exact call.
    #[serde(default)]
    pub approvals: Entries<At<ApprovalFile>>,
    /// Who is on call, by name; approval rules may ask for them as `on_call:NAME`.
    #[serde(default)]
    pub on_call: Entries<At<OnCallFile>>,
    /// Limits over everything that all agents do: `10000 per day`, `5000 USD per day`.
    #[serde(default)]
    pub limits: Vec<At<String>>,
    /// People by the user id that their tokens carry, and their teams.
    #[serde(default)]
    pub people: Entries<PersonFile>,
    /// Authority for emergencies, by name: who may use it, what it gives, and who reviews it afterwards.
    #[serde(default)]
    pub break_glass: Entries<At<BreakGlassFile>>,
    /// Runs: one task of one agent for one user.
    pub runs: Option<RunsFile>,
    /// Calls that wait for people.
    pub wait: Option<WaitFile>,
    /// The console, and how long people stay signed in.
    pub console: Option<ConsoleFile>,
    /// Another party that vouches for people, beside passwords and passkeys. Default: none. Each change of it needs people.
    pub sign_in: Option<SignInFile>,
    /// How many people a change of this folder needs before it is put into force.
    pub changes: Option<ChangesFile>,
    /// What is asked of a call by how bad a mistake would be, whatever remits grant.
    pub risk: Option<RiskFile>,
    /// Made-up requests that approvers must deny, asked among the real ones. Default: none.
    pub canaries: Option<CanariesFile>,
    /// How people are told that something waits for them. Default: they look for themselves.
    pub notify: Option<NotifyFile>,
}

/// PEM files for TLS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct TlsFile {
    /// The certificate chain.
    pub cert: String,
    /// Its private key.
    pub key: String,
}

/// How callers prove who they are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum AuthenticationFile {
    /// By a key listed in keys.yaml.
    Keys,
    /// Everybody on this machine is this agent. Only on the loopback interface.
    Anonymous(At<String>),
}

/// Where records are kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum StoreFile {
    /// In a SQLite file at this path.
    Sqlite(At<String>),
}

/// How durable the records of reads must be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct RecordsFile {
    /// `batched`: reads of data up to `internal` that cost no money are on record within `within_ms`, and until then a
    /// crash may lose them; `strict`: before the call. Default: batched.
    pub reads: Option<ReadsWord>,
    /// The bound for batched records, in milliseconds. Default: 100.
    pub within_ms: Option<At<u64>>,
}

/// How records of reads are written.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum ReadsWord {
    /// Accepted before the call, durable soon after.
    Batched,
    /// Durable before the call.
    Strict,
}

/// How long what is kept beside the signed records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct RetentionFile {
    /// Values that records disclose, such as arguments and users, by the class of the tool.
    pub disclosures: Option<DisclosuresFile>,
    /// Answers that are kept for whoever repeats a call or asks for its outcome: `7d`.
    pub outcomes: Option<At<String>>,
    /// Budget spans after their end, with the objects counted in them: `400d`.
    pub budget_spans: Option<At<String>>,
}

/// How long disclosed values are kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct DisclosuresFile {
    /// Of decisions about tools that look: `30d`.
    pub read: Option<At<String>>,
    /// Of decisions about tools that change state.
    pub write: Option<At<String>>,
    /// Of decisions about tools that set a process in motion.
    pub trigger: Option<At<String>>,
    /// Of decisions about tools that consent on somebody's behalf.
    pub approve: Option<At<String>>,
    /// Of decisions about tools that show data to somebody outside.
    pub expose: Option<At<String>>,
    /// Of all other records: runs, approvals, halts, requests that never became calls.
    pub other: Option<At<String>>,
}

/// When the organisation works.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct CalendarFile {
    /// The time zone in which days begin and budgets turn over: `Europe/Berlin`. Default: UTC.
    pub timezone: Option<At<String>>,
    /// Working hours by weekday or span of weekdays: `mon-fri: "09:00-17:00"`. Default: that.
    pub hours: Option<Entries<At<String>>>,
    /// Days on which nobody works: `2026-12-25`.
    #[serde(default)]
    pub holidays: Vec<At<String>>,
    /// Spans in which changes are unwelcome (soft) or not to happen (hard). Guardrails read them.
    #[serde(default)]
    pub freezes: Vec<At<FreezeFile>>,
}

/// A span in which nothing should change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct FreezeFile {
    /// From this date or time on.
    pub from: At<String>,
    /// Up to, not including, this date or time.
    pub until: At<String>,
    /// `soft`: unwelcome; `hard`: not to happen.
    pub kind: FreezeWord,
}

/// How strict a freeze is.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum FreezeWord {
    /// Unwelcome.
    Soft,
    /// Not to happen.
    Hard,
}

/// A person.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct PersonFile {
    /// The teams they are in: `[support]`.
    pub teams: Vec<At<String>>,
}

/// Runs.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct RunsFile {
    /// A run without calls is closed after this time: `30m`, which is the default.
    pub idle: At<String>,
}

/// Calls that wait for people.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct WaitFile {
    /// How long a held call is kept waiting before it is answered with the id of its question: `45s`, which is the default.
    pub hold: Option<At<String>>,
    /// How many questions one agent may have open, or approved and not yet used. What it asks beyond is refused. Default: 100.
    pub questions_per_agent_max: Option<At<u32>>,
}

/// What is asked of a call by how bad a mistake would be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct RiskFile {
    /// By the risk of the tool. What is not named goes through; so does what is of low risk.
    pub tiers: TiersFile,
}

/// What is asked, by the risk of the tool.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct TiersFile {
    /// `review`: calls of medium risk go through and are queued; a person looks at each afterwards.
    pub medium: Option<ReviewWord>,
    /// Calls of high and critical risk ask people first.
    pub high: Option<AskFile>,
    /// Calls of tools that are `reversible: false` ask people first, whatever their risk. The rule must demand a better proof than that of `high`.
    pub irreversible: Option<AskFile>,
}

/// Somebody looks at it afterwards.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum ReviewWord {
    /// It is queued.
    Review,
}

/// People are asked first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct AskFile {
    /// The approval rule.
    pub approval: At<String>,
}

/// Made-up requests that approvers must deny.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct CanariesFile {
    /// One after so many votes: `50 votes`.
    pub every: At<String>,
    /// What they are aimed at; nobody may ever approve a real call on any of these. Default: some names under `.example`.
    pub targets: Option<At<Vec<At<String>>>>,
}

/// The console.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct ConsoleFile {
    /// Where browsers find the gateway: `https://remit.acme.example`. Its host and origin are allowed by it. Default: on the loopback interface, the address that is listened on.
    pub url: Option<At<String>>,
    /// How long a person stays signed in: `8h`, which is the default. At most `12h`.
    pub session: Option<At<String>>,
    /// After how long without a request they are signed out: `30m`, which is the default.
    pub idle: Option<At<String>>,
    /// The domain that passkeys are made for: the host of `url`, or a domain above it. Changing it makes every passkey worthless. Default: the host of `url`.
    pub rp_id: Option<At<String>>,
}

/// Another party that vouches for people.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct SignInFile {
    /// A provider of OpenID Connect, such as Keycloak, Entra ID, Okta or Google.
    pub oidc: At<OidcFile>,
}

/// A provider of OpenID Connect.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct OidcFile {
    /// The provider, letter for letter as it names itself in its metadata: `https://login.acme.example/realms/acme`. Plain HTTP is for this machine only.
    pub issuer: At<String>,
    /// What the provider calls this gateway.
    pub client_id: At<String>,
    /// Where the secret that goes with it is found: `env:OIDC_SECRET` or `file:/run/secrets/oidc`.
    pub client_secret: At<String>,
    /// What people read on the button. Default: the host of the issuer.
    pub name: Option<At<String>>,
    /// What is asked for besides `openid`, if the provider demands it. Nothing of it is used.
    #[serde(default)]
    pub scopes: Vec<At<String>>,
    /// The file of a certificate (PEM), when no public authority signed the provider's.
    pub ca: Option<At<String>>,
    /// For how long its word counts as given just now, for votes under rules with `factor: oidc`: `5m`, which is the default. At most `1h`.
    pub fresh: Option<At<String>>,
}

/// How many people with the role `security` must approve a change of the folder.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct ChangesFile {
    /// For a change that protects less: a guardrail gone, an approval rule loosened, `enforce` to `observe`. Default: 2.
    pub people: Option<At<u32>>,
    /// For a change that lets a remit grow and does nothing else; 0 for none. Default: 1.
    pub widening: Option<At<u32>>,
    /// How well those who vote must have proved who they are. Default: any.
    pub factor: Option<FactorWord>,
}

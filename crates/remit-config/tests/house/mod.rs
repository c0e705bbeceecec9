//! A whole configuration folder of a small organisation, with every key that a file may have.

use remit_config::Folder;

pub const REMIT: &str = r#"tenant: acme
listen: 127.0.0.1:7420
authentication: keys
store: {sqlite: remit.db}
allowed_hosts: ["127.0.0.1:7420", "remit.acme.example:443"]
allowed_origins: ["https://console.acme.example"]
records: {reads: batched, within_ms: 100}
calendar:
  timezone: Europe/Berlin
  hours: {mon-fri: "09:00-12:00, 13:00-17:00", sat: "10:00-12:00"}
  holidays: [2026-12-25]
  freezes:
    - {from: 2026-12-20, until: 2027-01-02T00:00:00Z, kind: hard}
environments: [production, staging]
approvals:
  finance-sign-off:
    quorum: 1
    from: [team:finance, user:bob@acme.example]
    within: 30m
    distinct_from: [user, agent_owner, tool_owner]
limits: [10000 per day, 5000 USD per day]
people:
  alice@acme.example: {teams: [support]}
runs: {idle: 30m}
wait: {hold: 45s}
ledger:
  origin: acme.example/remit/2026
  folder: .remit/ledger
  guard: /mnt/guard/last_signed
  witnesses:
    - {key: witness.example+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k, url: "https://witness.example/"}
  quorum: 1
retention:
  disclosures: {read: 30d, write: 400d, trigger: 400d, approve: 400d, expose: 400d, other: 90d}
  outcomes: 7d
  budget_spans: 400d
console: {url: "https://remit.acme.example", session: 8h, idle: 30m, rp_id: acme.example}
notify:
  retry: {attempts: 4, first: 2s, longest: 1m}
  channels:
    mail:
      smtp:
        server: smtp.acme.example:587
        security: starttls
        ca: ca.pem
        user: remit
        password: file:/run/secrets/smtp
        from: remit@acme.example
        to: [approvals@acme.example]
        arguments: true
    hook: {webhook: {url: "https://hooks.acme.example/remit", secret: env:HOOK_SECRET}}
    chat:
      slack:
        url: env:CHAT_URL
        callback: {signing_secret: env:CHAT_SIGNING_SECRET, people: {U012AB: bob}}
    push: {ntfy: {url: "https://ntfy.acme.example/approvals", token: env:PUSH_TOKEN}}
  routes:
    - {for: [finance-sign-off], to: [mail, chat, push]}
    - {for: ["*"], to: [hook]}
sign_in:
  oidc:
    issuer: "https://login.acme.example/realms/acme"
    client_id: remit
    client_secret: file:/run/secrets/oidc
    name: Acme
    scopes: [openid, profile]
    ca: ca.pem
    fresh: 10m
"#;

/// A rule, and the same with every key that a rule may have.
pub const RULE: &str = "    distinct_from: [user, agent_owner, tool_owner]\n";
pub const RULE_WHOLE: &str = "    distinct_from: [user, agent_owner, tool_owner, approver_delegates]
    deny: 2
    reason: required
    factor: passkey
    escalate:
      - {after: 10m, to: [on_call:finance]}
      - {after: 20m, to: [user:carol@acme.example]}
on_call:
  finance:
    timezone: America/New_York
    rotation:
      - {from: 2026-11-23T09:00, every: 7d, people: [user:bob@acme.example, user:alice@acme.example]}
      - {from: 2026-12-23, every: 1d, people: [user:bob@acme.example]}
";

/// Where calls wait; and with that what is asked by their risk, and whether people look.
pub const WAIT: &str = "wait: {hold: 45s}\n";
pub const RISK: &str = "wait: {questions_per_agent_max: 7}
risk:
  tiers:
    medium: review
    high: {approval: finance-sign-off}
    irreversible: {approval: by-passkey}
canaries: {every: 50 votes, targets: [nobody.example]}
";

/// Who cosigns the ledger, and who stamps it besides.
pub const QUORUM: &str = "  quorum: 1\nretention:\n";
pub const STAMPED: &str = "  quorum: 1
  timestamps: {url: https://timestamps.example/tsr, certificate: tsa.pem, every: 30m}
retention:
";
/// Where the files of the ledger are, and another place for them.
pub const LEDGER_FOLDER: &str = "  folder: .remit/ledger\n";
pub const LEDGER_BUCKET: &str = "  bucket:
    url: s3://acme-ledger/2026/eu/
    endpoint: https://s3.eu-central-1.amazonaws.com/
    region: eu-central-1
    access_key: env:LEDGER_ACCESS_KEY
    secret_key: file:/run/secrets/ledger
";

pub const LEDGER_TOKEN: &str = "  key:
    pkcs11:
      module: /usr/lib/softhsm/libsofthsm2.so
      token: remit
      label: log 2026
      pin: file:/run/secrets/ledger-pin
";

pub const KEYS: &str = r#"agents:
  - id: k1
    agent: support-bot
    may_declare: [alice@acme.example]
    sha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    expires: 2027-01-01
  - {id: k2, agent: support-bot, user: alice@acme.example, sha256: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb, expires: 2027-01-01, revoked: true}
operators:
  - id: bob
    user: bob@acme.example
    teams: [finance]
    roles: [viewer, approver]
    sha256: cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
    expires: 2027-01-01T12:00:00Z
    email: bob@acme.example
  - {id: grace, user: grace@acme.example, teams: [finance], roles: [approver]}
"#;

pub const PAYMENTS: &str = r#"upstream: payments
owner: team:finance
url: https://payments.acme.example/mcp
credential: {header: Authorization, prefix: "Bearer ", from: env:PAYMENTS_TOKEN}
timeout: 10s
product: billing
tools:
  refund:
    class: trigger
    risk: high
    reversible: false
    owner: team:refunds
    labels: [confidential, pii]
    resource: {kind: payment, id: args.payment.id, environment: production}
    cost: args.amount USD
    timeout: 5s
  lookup: {class: read, risk: low}
"#;

pub const CRM: &str = r#"upstream: crm
command: [npx, -y, crm-server]
env: {MODE: live}
pass_env: [PATH, HOME]
cwd: /srv/crm
memory: 512 MiB
restarts: 3 per minute
credential: {env: CRM_TOKEN, from: file:/run/secrets/crm}
show_as: bare
environment: production
tools:
  get_customer: {class: read, risk: low, labels: [untrusted], cost: 0.02 USD}
resources: {class: read, risk: low, labels: [confidential], resource: {kind: document, id: args.uri}}
prompts: {class: read, risk: low}
completion: {class: read, risk: low}
"#;

pub const PAYMENTS_PINS: &str = r##"{"upstream": "payments", "tools": {"refund": {
  "definition": {"name": "refund", "inputSchema": {
    "type": "object",
    "properties": {"amount": {"type": "number"}, "reason": {"type": "string"}, "payment": {"$ref": "#/$defs/Payment"}},
    "required": ["amount", "payment"],
    "$defs": {"Payment": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}}
  }},
  "approved_by": "bob", "approved_at": "2026-11-01T10:00:00Z"},
  "void": {"definition": {"name": "void", "inputSchema": {"type": "object"}},
  "approved_by": "bob", "approved_at": "2026-11-01T10:00:00Z"}
}}"##;

pub const CRM_PINS: &str = r#"{"upstream": "crm", "tools": {"get_customer": {
  "definition": {"name": "get_customer", "inputSchema": {"type": "object", "properties": {"id": {"type": "string"}}}},
  "approved_by": "bob", "approved_at": "2026-11-01T10:00:00Z"}}}"#;

pub const BOT: &str = r#"# The first agent we let near money.
agent: support-bot
owner: team:support
stage: supervised
expires: 2027-03-31
mode: enforce
read:
  - tools: [crm/get_customer, crm/resources/read]
    labels_up_to: internal
trigger:
  - id: small
    tools: [payments/refund]
    where: {environment: [production], product: [billing]}
    when: args.amount <= 50
    limits: [20 per day, 500 USD per day]
    warn_at: 80%
  - tools: [payments/refund]
    when: "args.amount <= 500"
    approval: finance-sign-off
approve: none
limits: [1000 per day]
cost: {tools: 100 USD per hour, warn_at: 50%}
"#;

pub const EVERYBODY: &str = "user: \"*\"\nread:\n  - tools: [\"*\"]\ntrigger:\n  - tools: [payments/*]\n";

pub const GUARDRAIL: &str = r#"@id("pii-stays-inside")
@reason("personal data never leaves")
forbid(principal, action in [Action::"trigger"], resource) when { context.run.labels.contains("pii") };
"#;

pub const SCENARIO: &str = r#"name: refunds
given:
  files:
    remits/x.yaml: |
      agent: other
steps:
  - at: 2026-11-21T10:00:00Z
    call: payments/refund
    as: {agent: support-bot, user: alice@acme.example, via: [planner], workflow: ticket-7}
    run: r1
    args: {amount: 200, payment: {id: p-1}}
    upstream: {result: {ok: true}}
    expect: {verdict: ask, code: approval.required, ask: [finance-sign-off], executed: false}
  - approve: finance-sign-off
    by: bob
  - call: payments/refund
    as: {agent: support-bot}
    upstream: {lost: true}
    expect: {verdict: deny, reason: "no remit", policies: ["agent:support-bot/small"]}
  - deny: {by: bob, reason: not today}
  - halt: tool:payments/refund
  - resume: tool:payments/refund
    by: bob
"#;

/// The files of the folder.
pub const FILES: [(&str, &str); 10] = [
    ("remit.yaml", REMIT),
    ("keys.yaml", KEYS),
    ("upstreams/payments.yaml", PAYMENTS),
    ("upstreams/crm.yaml", CRM),
    ("pins/payments.json", PAYMENTS_PINS),
    ("pins/crm.json", CRM_PINS),
    ("remits/support-bot.yaml", BOT),
    ("remits/everybody.yaml", EVERYBODY),
    ("guardrails/data.cedar", GUARDRAIL),
    ("tests/refunds.yaml", SCENARIO),
];

/// The folder.
pub fn folder() -> Folder {
    Folder::from_texts(FILES).expect("the names are right")
}

/// The folder with one text changed in one place.
pub fn changed(file: &str, from: &str, to: &str) -> Folder {
    let folder = folder();
    let text = folder.text(file).unwrap_or_default();
    assert!(from.is_empty() || text.contains(from), "{file} has no `{from}`");
    let text = if from.is_empty() { to.to_owned() } else { text.replacen(from, to, 1) };
    folder.with([(file, text)]).expect("the name is right")
}

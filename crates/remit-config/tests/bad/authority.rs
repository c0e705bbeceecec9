//! What can be wrong with keys, upstreams, remits, pins and guardrails.

use super::InFile;

pub const ALL: &[InFile] = &[
    // keys.yaml
    ("keys.yaml", "    expires: 2027-01-01T12:00:00Z\n", "", "keys.yaml:13:13: a key without an end (add `expires:`)"),
    (
        "keys.yaml",
        "roles: [approver]}",
        "roles: [approver], expires: 2027-01-01}",
        "keys.yaml:16:89: an end without a key (add `sha256:`, or remove `expires` if they only sign in)",
    ),
    ("keys.yaml", "    expires: 2027-01-01\n", "", "keys.yaml:2:5: `expires` is missing (add it to this block)"),
    (
        "keys.yaml",
        "sha256: aaaa",
        "sha256: AAAA",
        "keys.yaml:5:13: this is not a SHA-256 digest (write 64 lower-case hex digits: the output of `printf %s \"$KEY\" | sha256sum`)",
    ),
    (
        "keys.yaml",
        "id: k2",
        "id: k1",
        "keys.yaml:7:10: another key is called `k1` already (give each key a name of its own)",
    ),
    (
        "keys.yaml",
        "may_declare: [alice@acme.example]",
        "may_declare: all",
        "keys.yaml:4:18: unknown word `all` (write `none`, `any`, or a list of users)",
    ),
    (
        "keys.yaml",
        "[viewer, approver]",
        "[viewer, aprover]",
        "keys.yaml:12:21: unknown word `aprover` (did you mean `approver`?)",
    ),
    // upstreams
    (
        "upstreams/payments.yaml",
        "https://payments",
        "http://payments",
        "upstreams/payments.yaml:3:6: plain HTTP would carry credentials and data in the open (use `https://`; `http://` is for this machine only)",
    ),
    (
        "upstreams/payments.yaml",
        "https://payments",
        "https://me:pw@payments",
        "upstreams/payments.yaml:3:6: an address must not hold a user or password (use `credential:`)",
    ),
    (
        "upstreams/payments.yaml",
        "timeout: 10s",
        "pass_env: [PATH]",
        "upstreams/payments.yaml:5:11: `pass_env` means nothing for a `url` (only a `command` has this; remove it, or use `command` instead of `url`)",
    ),
    (
        "upstreams/payments.yaml",
        "env:PAYMENTS_TOKEN",
        "hunter2",
        "upstreams/payments.yaml:4:62: this says not where the credential is found (write `env:NAME`, `file:/run/secrets/name` or `file:.remit/name`; the secret itself never stands in a file that belongs into git)",
    ),
    (
        "upstreams/payments.yaml",
        "team:finance",
        "finance",
        "upstreams/payments.yaml:2:8: `finance` is not a team (write `team:finance`)",
    ),
    (
        "upstreams/payments.yaml",
        "    reversible: false\n",
        "",
        "upstreams/payments.yaml:8:3: `refund` does not say whether its effect can be undone (add `reversible: true` or `reversible: false`)",
    ),
    (
        "upstreams/payments.yaml",
        "    timeout: 5s\n",
        "    preview: lokup\n",
        "upstreams/payments.yaml:16:14: unknown tool of this upstream `lokup` (did you mean `lookup`?)",
    ),
    (
        "upstreams/payments.yaml",
        "    timeout: 5s\n",
        "    preview: refund\n",
        "upstreams/payments.yaml:16:14: a tool cannot be its own preview (name the tool that shows what this one would do)",
    ),
    (
        "upstreams/payments.yaml",
        "    timeout: 5s\n",
        "    preview: {tool: lookup, arguments: {id: args.paymnet.id}}\n",
        "upstreams/payments.yaml:16:45: unknown argument `paymnet` (did you mean `payment`?)",
    ),
    (
        "upstreams/payments.yaml",
        "    timeout: 5s\n  lookup: {class: read, risk: low}\n",
        "    preview: lookup\n  lookup: {class: write, risk: low, reversible: true}\n",
        "upstreams/payments.yaml:16:14: `lookup` does not only look, and a preview is called before anybody has approved (name a tool of class `read`)",
    ),
    (
        "upstreams/payments.yaml",
        "[confidential, pii]",
        "[confidental, pii]",
        "upstreams/payments.yaml:13:14: unknown label `confidental` (did you mean `confidential`?)",
    ),
    (
        "upstreams/payments.yaml",
        "args.payment.id",
        "args.paymnet.id",
        "upstreams/payments.yaml:14:35: unknown argument `paymnet` (did you mean `payment`?)",
    ),
    (
        "upstreams/payments.yaml",
        "args.payment.id",
        "args.payment.ids",
        "upstreams/payments.yaml:14:35: unknown argument `ids` (did you mean `id`?)",
    ),
    (
        "upstreams/payments.yaml",
        "args.amount USD",
        "args.reason USD",
        "upstreams/payments.yaml:15:11: `args.reason` is not a number (name an argument that is an amount of US dollars)",
    ),
    (
        "upstreams/payments.yaml",
        "environment: production",
        "environment: prodution",
        "upstreams/payments.yaml:14:65: unknown environment `prodution` (did you mean `production`?)",
    ),
    (
        "upstreams/crm.yaml",
        "upstream: crm\ncommand: [npx, -y, crm-server]",
        "upstream: crm",
        "upstreams/crm.yaml:1:1: nothing says how to reach this upstream (add `url: https://…` or `command: [program, argument]`)",
    ),
    (
        "upstreams/crm.yaml",
        "upstream: crm",
        "upstream: payments",
        "upstreams/payments.yaml:1:11: another file is about the upstream `payments` already (one file per upstream)",
    ),
    // remits
    (
        "remits/support-bot.yaml",
        "agent: support-bot\n",
        "",
        "remits/support-bot.yaml:2:1: the remit grants to nobody (add one of `agent:`, `user:`, `team:`, `workflow:`)",
    ),
    (
        "remits/support-bot.yaml",
        "owner: team:support",
        "user: bob",
        "remits/support-bot.yaml:3:7: a remit grants to one holder (write a file for each)",
    ),
    (
        "remits/support-bot.yaml",
        "environment: [production]",
        "environment: [prod]",
        "remits/support-bot.yaml:13:27: unknown environment `prod` (known here: `production`, `staging`)",
    ),
    (
        "remits/support-bot.yaml",
        "args.amount <= 50\n",
        "args.amuont <= 50\n",
        "remits/support-bot.yaml:14:16: unknown name `amuont`, in a condition on `payments/refund` (did you mean `amount`?)",
    ),
    (
        "remits/support-bot.yaml",
        "\"args.amount <= 500\"",
        "\"args.amuont <= 500\"",
        "remits/support-bot.yaml:18:17: unknown name `amuont`, in a condition on `payments/refund` (did you mean `amount`?)",
    ),
    (
        "remits/support-bot.yaml",
        "\"args.amount <= 500\"",
        "|\n      args.amuont <= 500",
        "remits/support-bot.yaml:19:12: unknown name `amuont`, in a condition on `payments/refund` (did you mean `amount`?)",
    ),
    (
        "remits/support-bot.yaml",
        "\"args.amount <= 500\"",
        ">\n      args.amount <= 500 and\n      args.reason == 'é' and args.amuont > 1",
        "remits/support-bot.yaml:20:35: unknown name `amuont`, in a condition on `payments/refund` (did you mean `amount`?)",
    ),
    (
        "remits/support-bot.yaml",
        "\"args.amount <= 500\"",
        "\"args.reason == \\\"é\\\" and args.amuont > 1\"",
        "remits/support-bot.yaml:18:42: unknown name `amuont`, in a condition on `payments/refund` (did you mean `amount`?)",
    ),
    (
        "remits/support-bot.yaml",
        "\"args.amount <= 500\"",
        "'args.reason == ''é'' and args.amuont > 1'",
        "remits/support-bot.yaml:18:42: unknown name `amuont`, in a condition on `payments/refund` (did you mean `amount`?)",
    ),
    (
        "remits/support-bot.yaml",
        "finance-sign-off",
        "finance-signoff",
        "remits/support-bot.yaml:17:5: unknown approval rule `finance-signoff` (did you mean `finance-sign-off`?)",
    ),
    (
        "remits/support-bot.yaml",
        "id: small",
        "id: trigger.1",
        "remits/support-bot.yaml:17:5: another grant is called `trigger.1` already (give each grant a name of its own)",
    ),
    (
        "remits/support-bot.yaml",
        "warn_at: 80%",
        "warn_at: 80",
        "remits/support-bot.yaml:16:14: `80` is not a share (write `80%`)",
    ),
    (
        "remits/support-bot.yaml",
        "approve: none",
        "approve: nothing",
        "remits/support-bot.yaml:20:10: unknown word `nothing` (write `none`, or a list of grants)",
    ),
    (
        "remits/support-bot.yaml",
        "cost: {tools",
        "cost: {llm",
        "remits/support-bot.yaml:22:8: `llm` is not metered by this gateway yet (remove it)",
    ),
    (
        "remits/support-bot.yaml",
        "20 per day",
        "20 per fortnight",
        "remits/support-bot.yaml:15:14: `20 per fortnight` is not a limit (write `200 per day`, `500 USD per day` or `50 objects per hour`; the span is minute, hour, day, week, month, run or total)",
    ),
    (
        "remits/support-bot.yaml",
        "2027-03-31",
        "2027-02-30",
        "remits/support-bot.yaml:5:10: `2027-02-30` is not a date or time (write `2027-03-31` or `2027-03-31T18:00:00Z`)",
    ),
    (
        "remits/everybody.yaml",
        "user: \"*\"",
        "agent: support-bot",
        "remits/support-bot.yaml:2:8: `agent:support-bot` has another remit already (one file per holder)",
    ),
    // pins and guardrails
    (
        "pins/crm.json",
        "\"approved_by\"",
        "\"approved_bi\"",
        "pins/crm.json: unknown member `approved_bi` in `get_customer` (`remit tools approve` writes this file; restore it, or approve the tools again)",
    ),
    (
        "pins/crm.json",
        "}}}",
        "}}",
        "pins/crm.json:3:65: this is no JSON: expected `,` or `}` (`remit tools approve` writes this file; restore it, or approve the tools again)",
    ),
];

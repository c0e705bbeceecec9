//! What can be wrong with a folder, and exactly what is said about it.

/// File, what is changed in it to what, and all that is said about it.
pub const FOLDERS: &[(&str, &str, &str, &str)] = &[
    // Changes
    (
        "remit.yaml",
        "runs: {idle: 30m}",
        "runs: {idle: 30m}\nchanges: {people: 0}",
        "remit.yaml:25:19: `0` is out of bounds (write 1 to 9 people)",
    ),
    (
        "remit.yaml",
        "runs: {idle: 30m}",
        "runs: {idle: 30m}\nchanges: {people: 1, widening: 2}",
        "remit.yaml:25:32: letting a remit grow would need 2 people, and removing a guardrail 1 (write at most as many as under `people`)",
    ),
    // Another party that vouches for people
    (
        "remit.yaml",
        "https://login.acme.example/realms/acme",
        "http://login.acme.example/realms/acme",
        "remit.yaml:62:13: plain HTTP would carry credentials and data in the open (use `https://`; `http://` is for this machine only)",
    ),
    (
        "remit.yaml",
        "realms/acme",
        "realms/acme?x=1",
        "remit.yaml:62:13: an issuer has no query (write it as the provider writes `issuer` in its metadata)",
    ),
    (
        "remit.yaml",
        "client_secret: file:/run/secrets/oidc",
        "client_secret: hunter2",
        "remit.yaml:64:20: this says not where the credential is found (write `env:NAME`, `file:/run/secrets/name` or `file:.remit/name`; the secret itself never stands in a file that belongs into git)",
    ),
    (
        "remit.yaml",
        "    client_secret: file:/run/secrets/oidc\n",
        "",
        "remit.yaml:62:5: `client_secret` is missing (add it to this block)",
    ),
    ("remit.yaml", "    client_id: remit", "    client: remit", "remit.yaml:63:5: unknown key `client` (did you mean `client_id`?)"),
    ("remit.yaml", "fresh: 10m", "fresh: 2h", "remit.yaml:68:12: `2h` is out of bounds (write at most `1h`)"),
    (
        "remit.yaml",
        "[openid, profile]",
        "[openid, \"a b\"]",
        "remit.yaml:66:22: `a b` is not a scope (write one word: `profile`)",
    ),
    // Form
    ("remit.yaml", "tenant", "tenent", "remit.yaml:1:1: unknown key `tenent` (did you mean `tenant`?)"),
    ("remit.yaml", "tenant: acme\n", "", "remit.yaml:1:1: `tenant` is missing (add it to this block)"),
    ("remit.yaml", "reads: batched", "reads: batch", "remit.yaml:7:18: unknown word `batch` (did you mean `batched`?)"),
    (
        "remit.yaml",
        "authentication: keys",
        "authentication: key",
        "remit.yaml:3:17: unknown word `key` (did you mean `keys`?)",
    ),
    (
        "remit.yaml",
        "tenant: acme",
        "tenant: &t acme",
        "remit.yaml:1:9: anchors are not allowed (write the value out where it is used)",
    ),
    (
        "remit.yaml",
        "tenant: acme",
        "tenant: *t",
        "remit.yaml:1:9: aliases are not allowed (write the value out where it is used)",
    ),
    (
        "remit.yaml",
        "runs: {idle",
        "<<: {idle",
        "remit.yaml:24:1: merge keys are not allowed (write the value out where it is used)",
    ),
    ("remit.yaml", "tenant: acme", "tenant: !name acme", "remit.yaml:1:9: the tag `!name` is not allowed (remove it)"),
    (
        "remit.yaml",
        "tenant: acme",
        "tenant: acme\ntenant: b",
        "remit.yaml:2:1: `tenant` stands here twice (keep one of them)",
    ),
    (
        "remit.yaml",
        "    within: 30m",
        "\twithin: 30m",
        "remit.yaml:19:2: tabs disallowed within this context (block indentation) (indent with spaces)",
    ),
    (
        "remit.yaml",
        "wait: {hold: 45s}\n",
        "---\ntenant: b\n",
        "remit.yaml:26:1: a second document begins here (one document per file)",
    ),
    ("remit.yaml", "tenant: acme", "tenant: [acme]", "remit.yaml:1:9: expected a text"),
    ("remit.yaml", "", "# nothing\n", "remit.yaml:2:1: the file is empty (remove it, or fill it in)"),
    (
        "remits/support-bot.yaml",
        "tools: [payments/refund]\n    when",
        "tool: [payments/refund]\n    when",
        "remits/support-bot.yaml:17:5: unknown key `tool` (did you mean `tools`?)",
    ),
    (
        "remits/support-bot.yaml",
        "stage: supervised",
        "stage: supervized",
        "remits/support-bot.yaml:4:8: unknown word `supervized` (did you mean `supervised`?)",
    ),
    // remit.yaml
    (
        "remit.yaml",
        "127.0.0.1:7420\n",
        "0.0.0.0:7420\n",
        "remit.yaml:2:9: `0.0.0.0:7420` can be reached from other machines, unencrypted (add `tls: {cert: …, key: …}`, or `plaintext: true` behind a proxy that ends TLS)",
    ),
    (
        "remit.yaml",
        "127.0.0.1:7420\nauthentication: keys",
        "0.0.0.0:7420\nplaintext: true\nauthentication: {anonymous: bot}",
        "remit.yaml:4:29: anonymous callers are accepted on the loopback interface only (use `authentication: keys`)",
    ),
    (
        "remit.yaml",
        "Europe/Berlin",
        "Europe/Berlim",
        "remit.yaml:9:13: `Europe/Berlim` is not a time zone (write a name of the IANA time zone database: `Europe/Berlin`)",
    ),
    ("remit.yaml", "sat: \"10", "fri: \"10", "remit.yaml:10:48: `fri` has hours already (name each day once)"),
    (
        "remit.yaml",
        "until: 2027-01-02T00:00:00Z",
        "until: 2026-01-02",
        "remit.yaml:13:33: the freeze ends before it begins (swap `from` and `until`)",
    ),
    (
        "remit.yaml",
        "quorum: 1",
        "quorum: 0",
        "remit.yaml:17:13: a quorum of 0 asks for nothing (write at least 1, or leave it out)",
    ),
    (
        "remit.yaml",
        "team:finance, user",
        "teams:finance, user",
        "remit.yaml:18:12: `teams:finance` is not somebody who can vote (write `team:finance` or `user:bob@acme.example`)",
    ),
    (
        "remit.yaml",
        "outcomes: 7d",
        "outcomes: 7m",
        "remit.yaml:35:13: nothing is deleted that soon (write at least `1h`)",
    ),
    (
        "remit.yaml",
        "{read: 30d, write",
        "{read: 30 days, write",
        "remit.yaml:34:23: `30 days` is not a length of time in whole seconds (write a whole number and a unit: `45s`, `30m`, `2h`, `7d`)",
    ),
    (
        "remit.yaml",
        "{read: 30d, write",
        "{reads: 30d, write",
        "remit.yaml:34:17: unknown key `reads` (did you mean `read`?)",
    ),
    (
        "remit.yaml",
        "within: 30m",
        "within: 30",
        "remit.yaml:19:13: `30` is not a length of time in whole seconds (write a whole number and a unit: `45s`, `30m`, `2h`, `7d`)",
    ),
    (
        "remit.yaml",
        "10000 per day",
        "5000 USD per day",
        "remit.yaml:21:28: this counter has a limit already (keep the lower of the two)",
    ),
    (
        "remit.yaml",
        "origin: acme",
        "origin: my acme",
        "remit.yaml:27:11: `my acme.example/remit/2026` is not the name of a log (write a name without spaces and `+`, best under a domain of yours: `acme.example/remit/2026`)",
    ),
    (
        "remit.yaml",
        "guard: /mnt/guard/last_signed",
        "guard: ''",
        "remit.yaml:29:10: the path is empty (write a path, or leave the line out: `.remit/last_signed`)",
    ),
    (
        "remit.yaml",
        "+530d903a+",
        "+530d903+",
        "remit.yaml:31:13: `witness.example+530d903+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k` is not a verifier key (write name, id and key as the witness publishes them: `name+id+key`)",
    ),
    (
        "remit.yaml",
        "https://witness.example/",
        "witness.example",
        "remit.yaml:31:89: `witness.example` is not where a witness is (write scheme, host and path: `https://witness.example`)",
    ),
    (
        "remit.yaml",
        "U2k, url: \"https://witness.example/\"}\n  quorum: 1\n",
        "U2k, url: \"https://witness.example/\"}\n",
        "remit.yaml:31:7: `quorum` is missing (say how many of the witnesses are enough: `quorum: 1`)",
    ),
    (
        "remit.yaml",
        "/\"}\n  quorum: 1",
        "/\"}\n  quorum: 2",
        "remit.yaml:32:11: a quorum of 2 out of 1 witnesses cannot be met or asks for nothing (write 1 up to the number of witnesses, or list no witnesses and no quorum)",
    ),
    (
        "remit.yaml",
        "/\"}\n  quorum: 1\n",
        "/\"}\n    - {key: witness.example+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k, url: \"https://b.example\"}\n  quorum: 1\n",
        "remit.yaml:32:13: this witness stands here already (list each witness once)",
    ),
    (
        "remit.yaml",
        "  guard: /mnt",
        "  unsealed: {within: 4s}\n  guard: /mnt",
        "remit.yaml:29:22: that is out of bounds (write `5s` up to `24h`: a round of sealing takes about a second)",
    ),
    (
        "remit.yaml",
        "  guard: /mnt",
        "  unsealed: {then: go-on}\n  guard: /mnt",
        "remit.yaml:29:20: unknown word `go-on` (did you mean `go_on`?)",
    ),
    // Console
    (
        "remit.yaml",
        "session: 8h",
        "session: 13h",
        "remit.yaml:37:55: nobody stays signed in that long (write at most `12h`)",
    ),
    (
        "remit.yaml",
        "idle: 30m, rp_id",
        "idle: 9h, rp_id",
        "remit.yaml:37:65: `idle` is longer than `session` (write a shorter time)",
    ),
    (
        "remit.yaml",
        "rp_id: acme.example",
        "rp_id: umbrella.example",
        "remit.yaml:37:77: `umbrella.example` is not a domain of the console (write the host of `url` without its port, or a domain above it)",
    ),
    (
        "remit.yaml",
        "url: \"https://remit.acme.example\", session",
        "url: \"http://remit.acme.example\", session",
        "remit.yaml:37:16: `http://remit.acme.example` is not an address of the console (write scheme and host, `https://remit.acme.example`, and `http://` on this machine only)",
    ),
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
    // notify
    (
        "remit.yaml",
        "security: starttls",
        "security: none",
        "remit.yaml:44:19: mail to `smtp.acme.example` would go over the network in the open (write `starttls` or `tls`; `none` is for this machine only)\nremit.yaml:45:13: `ca` means nothing without encryption (remove it, or write `starttls` or `tls`)",
    ),
    ("remit.yaml", "        security: starttls\n", "", "remit.yaml:43:9: `security` is missing (add it to this block)"),
    (
        "remit.yaml",
        "        user: remit\n",
        "",
        "remit.yaml:46:19: `user` and `password` go together (write both, or neither)",
    ),
    (
        "remit.yaml",
        "smtp.acme.example:587",
        "smtp.acme.example",
        "remit.yaml:43:17: `smtp.acme.example` is not a mail server with its port (write the server's name and port: `smtp.acme.example:587`)",
    ),
    (
        "remit.yaml",
        "from: remit@acme.example",
        "from: \"Remit <remit@acme.example>\"",
        "remit.yaml:48:15: `Remit <remit@acme.example>` is not an e-mail address (write `bob@acme.example`)",
    ),
    (
        "remit.yaml",
        "\"https://hooks.acme.example/remit\"",
        "\"http://hooks.acme.example/remit\"",
        "remit.yaml:51:27: plain HTTP would carry credentials and data in the open (use `https://`; `http://` is for this machine only)",
    ),
    (
        "remit.yaml",
        "secret: env:HOOK_SECRET",
        "secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "remit.yaml:51:71: this says not where the credential is found (write `env:NAME`, `file:/run/secrets/name` or `file:.remit/name`; the secret itself never stands in a file that belongs into git)",
    ),
    ("remit.yaml", ", secret: env:HOOK_SECRET", "", "remit.yaml:51:22: `secret` is missing (add it to this block)"),
    (
        "remit.yaml",
        "{U012AB: bob}",
        "{\"@bob\": bob}",
        "remit.yaml:55:70: `@bob` is not a user id of the chat (write the id, not the name: `U012ABCDEF`)",
    ),
    (
        "remit.yaml",
        "for: [finance-sign-off], to",
        "for: [finance], to",
        "remit.yaml:58:14: unknown approval rule `finance` (known here: `finance-sign-off`)",
    ),
    (
        "remit.yaml",
        "to: [mail, chat, push]",
        "to: [mail, chatt, push]",
        "remit.yaml:58:44: unknown channel `chatt` (did you mean `chat`?)",
    ),
    (
        "remit.yaml",
        "to: [mail, chat, push]",
        "to: [mail, mail, push]",
        "remit.yaml:58:44: a channel cannot stand in for itself (name each channel once)",
    ),
    (
        "remit.yaml",
        "{for: [\"*\"], to: [hook]}",
        "{for: [\"*\"], to: []}",
        "remit.yaml:59:7: this route leads nowhere (name approval rules under `for:` and channels under `to:`)",
    ),
    ("remit.yaml", "attempts: 4", "attempts: 0", "remit.yaml:39:21: `0` is out of bounds (write 1 to 20 attempts)"),
    (
        "keys.yaml",
        "email: bob@acme.example",
        "email: bob",
        "keys.yaml:15:12: `bob` is not an e-mail address (write `bob@acme.example`)",
    ),
];

/// What is changed in a rule that says everything to what, and all that is said about it.
pub const RULES: &[(&str, &str, &str)] = &[
    ("deny: 2", "deny: 0", "remit.yaml:21:11: a threshold of 0 asks for nothing (write at least 1, or leave it out)"),
    (
        "1\n    from: [team:finance, user:bob@acme.example]",
        "4\n    from: [user:bob@acme.example, on_call:finance]",
        "remit.yaml:17:13: 4 votes are needed, and only 3 can be given (name more people, or lower the number)",
    ),
    (
        "[team:finance, user",
        "[on_call:finanz, user",
        "remit.yaml:18:12: unknown on-call schedule `finanz` (did you mean `finance`?)",
    ),
    ("factor: passkey", "factor: passkeys", "remit.yaml:23:13: unknown word `passkeys` (did you mean `passkey`?)"),
    (
        "factor: passkey",
        "factor: channel",
        "remit.yaml:23:13: unknown word `channel` (one of `any`, `password+totp`, `oidc`, `passkey`)",
    ),
    ("{after: 20m", "{after: 30m", "remit.yaml:26:17: by then the question has lapsed (write less than `within`)"),
    (
        "{after: 20m",
        "{after: 10m",
        "remit.yaml:26:17: this step is not after the one before (write the steps in their order)",
    ),
    (
        "to: [user:carol@acme.example]",
        "to: []",
        "remit.yaml:26:26: nobody is asked by this step (name whose votes count: `[team:sre-leads]`)",
    ),
    (
        "from: 2026-11-23T09:00",
        "from: 2026-11-23T09:00Z",
        "remit.yaml:31:16: `2026-11-23T09:00Z` is not a date and time (write `2026-11-23T09:00`, without an offset: the schedule has a time zone)",
    ),
    (
        "from: 2026-12-23",
        "from: 2026-11-23",
        "remit.yaml:32:16: this rotation does not begin after the one before (write them in their order)",
    ),
    (
        "people: [user:bob@acme.example]",
        "people: [team:finance]",
        "remit.yaml:32:48: `team:finance` is not a person (write `user:bob@acme.example`)",
    ),
    (
        "people: [user:bob@acme.example]",
        "people: []",
        "remit.yaml:32:47: nobody takes turns (name some people: `[user:ann@acme.example]`)",
    ),
];

/// The same for risk tiers, bounds and canaries.
pub const CARE: &[(&str, &str, &str)] = &[
    ("medium: review", "medium: ask", "remit.yaml:29:13: unknown word `ask` (one of `review`)"),
    (
        "high: {approval: finance-sign-off}",
        "high: {approval: finance}",
        "remit.yaml:30:22: unknown approval rule `finance` (known here: `by-passkey`, `finance-sign-off`)",
    ),
    (
        "{approval: by-passkey}",
        "{approval: finance-sign-off}",
        "remit.yaml:31:30: `finance-sign-off` demands no proof of its voters \
         (write `factor: passkey` in that rule, or name another)",
    ),
    (
        "questions_per_agent_max: 7",
        "questions_per_agent_max: 0",
        "remit.yaml:26:33: then no agent could ask anything (write at least 1, or leave it out)",
    ),
    ("50 votes", "0 votes", "remit.yaml:32:19: `0 votes` is not a number of votes (write `50 votes`)"),
    ("[nobody.example]", "[]", "remit.yaml:32:38: nothing is left to aim at (name some targets, or leave it out)"),
];

/// What is changed in the bucket of a ledger to what, and all that is said about it.
pub const BUCKETS: &[(&str, &str, &str)] = &[
    (
        "  bucket:\n",
        "  folder: .remit/ledger\n  bucket:\n",
        "remit.yaml:30:5: the ledger has a `folder` already (keep one of `folder` and `bucket`)",
    ),
    (
        "s3://acme-ledger/2026/eu/",
        "https://acme-ledger/2026",
        "remit.yaml:29:10: `https://acme-ledger/2026` is not a bucket (write the bucket, and a prefix if you like: `s3://acme-ledger/2026`)",
    ),
    (
        "2026/eu/",
        "2026//eu",
        "remit.yaml:29:10: `s3://acme-ledger/2026//eu` is not a bucket (write the bucket, and a prefix if you like: `s3://acme-ledger/2026`)",
    ),
    (
        "https://s3.eu-central-1.amazonaws.com/",
        "http://s3.eu-central-1.amazonaws.com",
        "remit.yaml:30:15: plain HTTP would carry credentials and data in the open (use `https://`; `http://` is for this machine only)",
    ),
    (
        "s3://acme",
        "s3://key:secret@acme",
        "remit.yaml:29:10: an address must not hold a user or password (use `access_key:` and `secret_key:`)",
    ),
    (
        "amazonaws.com/",
        "amazonaws.com/?x=1",
        "remit.yaml:30:15: `https://s3.eu-central-1.amazonaws.com/?x=1` is not where an object store is (write scheme, host and port, without a query)",
    ),
    (
        "https://s3",
        "https://key:secret@s3",
        "remit.yaml:30:15: an address must not hold a user or password (use `access_key:` and `secret_key:`)",
    ),
    (
        "region: eu-central-1",
        "region: EU",
        "remit.yaml:31:13: `EU` is not the name of a region (write it as your object store has it: `eu-central-1`)",
    ),
    ("    region: eu-central-1\n", "", "remit.yaml:29:5: `region` is missing (add it to this block)"),
    (
        "env:LEDGER_ACCESS_KEY",
        "AKIAIOSFODNN7EXAMPLE",
        "remit.yaml:32:17: this says not where the credential is found (write `env:NAME`, `file:/run/secrets/name` or `file:.remit/name`; the secret itself never stands in a file that belongs into git)",
    ),
    (
        "env:LEDGER_ACCESS_KEY",
        "env:2",
        "remit.yaml:32:17: `2` is not the name of an environment variable (use A-Z a-z 0-9 _, not beginning with a digit)",
    ),
    (
        "file:/run/secrets/ledger",
        "'file:'",
        "remit.yaml:33:17: this says not where the credential is found (write `env:NAME`, `file:/run/secrets/name` or `file:.remit/name`; the secret itself never stands in a file that belongs into git)",
    ),
    (
        "    secret_key",
        "    secret",
        "remit.yaml:33:5: unknown key `secret` (known here: `url`, `endpoint`, `region`, `access_key`, `secret_key`)",
    ),
];

/// What is changed in the token of a log's key to what, and all that is said about it.
pub const TOKENS: &[(&str, &str, &str)] = &[
    (
        "/usr/lib/softhsm/",
        "",
        "remit.yaml:30:15: `libsofthsm2.so` is not a driver (write its full path: `/usr/lib/softhsm/libsofthsm2.so`)",
    ),
    (
        "token: remit",
        "token: ''",
        "remit.yaml:31:14: `` is not the label of a token (write it as `pkcs11-tool --list-slots` shows it)",
    ),
    (
        "label: log 2026",
        "label: \"a\\nb\"",
        "remit.yaml:32:14: `a b` is not the label of a key (write it as `pkcs11-tool --list-objects` shows it)",
    ),
    (
        "file:/run/secrets/ledger-pin",
        "'1234'",
        "remit.yaml:33:12: this says not where the credential is found (write `env:NAME`, `file:/run/secrets/name` or `file:.remit/name`; the secret itself never stands in a file that belongs into git)",
    ),
    ("      label: log 2026\n", "", "remit.yaml:30:7: `label` is missing (add it to this block)"),
    ("pkcs11:", "hsm:", "remit.yaml:29:5: unknown word `hsm` (one of `files`, `pkcs11`)"),
];

/// What is changed in who stamps the ledger to what, and all that is said about it.
pub const TIMESTAMPS: &[(&str, &str, &str)] = &[
    (
        "https://timestamps",
        "http://timestamps",
        "remit.yaml:33:21: plain HTTP would carry credentials and data in the open (use `https://`; `http://` is for this machine only)",
    ),
    (
        "timestamps.example",
        "key:secret@timestamps.example",
        "remit.yaml:33:21: an address must not hold a user or password (leave out what stands before the `@`)",
    ),
    ("30m", "30s", "remit.yaml:33:82: `30s` is out of bounds (write `1m` to `30d`)"),
    ("30m", "31d", "remit.yaml:33:82: `31d` is out of bounds (write `1m` to `30d`)"),
    (
        "30m",
        "often",
        "remit.yaml:33:82: `often` is not a length of time in whole seconds (write a whole number and a unit: `45s`, `30m`, `2h`, `7d`)",
    ),
    (
        "certificate: tsa.pem",
        "certificate: ''",
        "remit.yaml:33:66: the path is empty (write the path of a certificate: `tsa.pem`)",
    ),
    ("certificate: tsa.pem, ", "", "remit.yaml:33:53: `certificate` is missing (add it to this block)"),
    ("every", "each", "remit.yaml:33:75: unknown key `each` (known here: `url`, `certificate`, `every`)"),
];

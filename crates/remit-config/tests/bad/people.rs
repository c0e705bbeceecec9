//! What can be wrong with approval rules, risk tiers, bounds and canaries.

use super::Change;

/// In a rule that says everything.
pub const RULES: &[Change] = &[
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

/// In risk tiers, bounds and canaries.
pub const CARE: &[Change] = &[
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

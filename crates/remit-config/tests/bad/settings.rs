//! What can be wrong with the form of a file, and with `remit.yaml`.

use super::InFile;

pub const ALL: &[InFile] = &[
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
];

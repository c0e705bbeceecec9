//! What can be wrong with the ledger.

use super::Change;

/// In its bucket.
pub const BUCKETS: &[Change] = &[
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

/// In the token of its key.
pub const TOKENS: &[Change] = &[
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

/// In who stamps it.
pub const TIMESTAMPS: &[Change] = &[
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

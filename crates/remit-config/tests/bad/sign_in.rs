//! What can be wrong with another party that vouches for people.

use super::InFile;

pub const ALL: &[InFile] = &[
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
    (
        "remit.yaml",
        "    client_id: remit",
        "    client: remit",
        "remit.yaml:63:5: unknown key `client` (known here: `issuer`, `client_id`, `client_secret`, `name`, `scopes`, `ca`, `fresh`)",
    ),
    ("remit.yaml", "fresh: 10m", "fresh: 2h", "remit.yaml:68:12: `2h` is out of bounds (write at most `1h`)"),
    (
        "remit.yaml",
        "[openid, profile]",
        "[openid, \"a b\"]",
        "remit.yaml:66:22: `a b` is not a scope (write one word: `profile`)",
    ),
];

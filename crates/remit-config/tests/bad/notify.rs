//! What can be wrong with how people are told.

use super::InFile;

pub const ALL: &[InFile] = &[
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

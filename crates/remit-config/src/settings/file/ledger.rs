//! What may be written in the `ledger` block of `remit.yaml`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::at::At;

/// The log over the records.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct LedgerFile {
    /// The name of the log, yours alone and for ever: `acme.example/remit/2026`. Default: `remit/` and the tenant.
    pub origin: Option<At<String>>,
    /// The folder of its files, which any web server may show. Default: `.remit/ledger`.
    pub folder: Option<At<String>>,
    /// Or: the bucket of its files, in an object store that speaks S3.
    pub bucket: Option<At<BucketFile>>,
    /// Where the log's Ed25519 key is: `files`, beside the store, or in a token. Default: `files`.
    pub key: Option<At<LogKeyFile>>,
    /// Where that of the next log is, which `remit ledger rotate` begins. Default: `files`, unless `key` is in a token.
    pub next_key: Option<At<LogKeyFile>>,
    /// The file that remembers what was signed last. It belongs on another volume, in no backup with the store. Default: `.remit/last_signed`.
    pub guard: Option<At<String>>,
    /// Who cosigns checkpoints.
    #[serde(default)]
    pub witnesses: Vec<At<WitnessFile>>,
    /// How many witnesses are enough. Required when there are any.
    pub quorum: Option<At<u32>>,
    /// Who stamps checkpoints, so that a third party anchors the time of every record (RFC 3161). Default: nobody.
    pub timestamps: Option<At<TimestampsFile>>,
    /// What becomes of calls while records wait too long to be sealed. Default: after 60 s none goes ahead.
    pub unsealed: Option<UnsealedFile>,
}

/// Who stamps checkpoints.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct TimestampsFile {
    /// Where it takes queries: `https://timestamps.example/tsr`. Plain HTTP is for this machine only.
    pub url: At<String>,
    /// The file of its certificate, or of its issuer's, in PEM. No other timestamper is believed, and auditors are given this one.
    pub certificate: At<String>,
    /// How long it is left alone between two stamps. Default: `1h`.
    pub every: Option<At<String>>,
}

/// What becomes of calls while records wait too long to be sealed.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct UnsealedFile {
    /// How long a record may wait: `60s`, which is also the default.
    pub within: Option<At<String>>,
    /// `refuse`: no call goes ahead then; `reads`: only reads of data up to `internal`; `go_on`: all of them. Default: refuse.
    pub then: Option<ThenWord>,
}

/// Which calls go ahead while the log has fallen behind.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum ThenWord {
    /// None.
    Refuse,
    /// Reads of data up to `internal`.
    Reads,
    /// All.
    GoOn,
}

/// Where a log's Ed25519 key is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum LogKeyFile {
    /// In a file beside the store, made when it is missing.
    Files,
    /// In a token, which never gives it away.
    Pkcs11(TokenFile),
}

/// A key pair in a PKCS#11 token: a hardware module, a smart card, a key service behind its driver.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct TokenFile {
    /// The driver, a shared library: `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: At<String>,
    /// The label of the token.
    pub token: At<String>,
    /// The label of the Ed25519 key pair in it.
    pub label: At<String>,
    /// Where the PIN is found: `env:LEDGER_PIN` or `file:/run/secrets/ledger-pin`.
    pub pin: At<String>,
}

/// A bucket in an object store that speaks S3. It must refuse a conditional write (`If-None-Match: *`) of what is there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct BucketFile {
    /// The bucket, and what its files begin with: `s3://acme-ledger/2026`.
    pub url: At<String>,
    /// The object store: `https://s3.eu-central-1.amazonaws.com`. Plain HTTP is for this machine only.
    pub endpoint: At<String>,
    /// Its region: `eu-central-1`.
    pub region: At<String>,
    /// Where the id of the access key is found: `env:LEDGER_ACCESS_KEY` or `file:/run/secrets/ledger-access-key`.
    pub access_key: At<String>,
    /// Where its secret is found: `env:LEDGER_SECRET_KEY` or `file:/run/secrets/ledger-secret-key`.
    pub secret_key: At<String>,
}

/// Somebody who cosigns checkpoints.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub(crate) struct WitnessFile {
    /// Its verifier key: `name+id+key`.
    pub key: At<String>,
    /// Where it takes checkpoints: `https://witness.example`.
    pub url: At<String>,
}

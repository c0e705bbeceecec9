//! `remit.yaml`: where the gateway listens, who may call, where it keeps its records; and what the
//! whole organisation shares: calendar, environments, approval rules, limits, people.

mod approvals;
mod attention;
mod bucket;
mod calendar;
mod check;
mod console;
pub(crate) mod file;
mod ledger;
mod log_key;
pub mod notify;
mod retention;
mod risk;
mod rules;
mod sign_in;
mod timestamps;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use remit_core::authority::weakening::Needed;
use remit_core::ids::{AgentId, TenantId};
use remit_core::registry::Class;
use remit_core::unsealed::Unsealed;

use crate::upstream::CredentialSource;

pub(crate) use approvals::voter;
pub(crate) use check::{Organisation, check};
pub(crate) use rules::{limit, limits, warned};

/// What the gateway runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The organisation.
    pub tenant: TenantId,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Whether connections are encrypted.
    pub transport: Transport,
    /// How callers prove who they are.
    pub authentication: Authentication,
    /// Where records are kept.
    pub store: StorePlace,
    /// The log over the records.
    pub ledger: Ledger,
    /// The `Host` headers that are answered; all others are refused (DNS rebinding).
    pub allowed_hosts: Vec<String>,
    /// The `Origin` headers that are answered; a request without one is no browser's.
    pub allowed_origins: Vec<String>,
    /// How durable the records of reads must be before the call goes on.
    pub records: Records,
    /// How long what is kept beside the signed records.
    pub retention: Retention,
    /// The environments there are; empty when the file does not list them.
    pub environments: Vec<String>,
    /// A run without calls is closed after this time, in seconds.
    pub run_idle_secs: u64,
    /// How long a held call is kept waiting before its question is answered with its id, in milliseconds.
    pub hold_ms: u64,
    /// How people are told.
    pub notify: notify::Notify,
    /// The console.
    pub console: Console,
    /// Another party that vouches for people, if there is one.
    pub oidc: Option<Oidc>,
    /// How many people a change of the folder needs.
    pub changes: Needed,
    /// How many questions one agent may have open, or approved and not yet used; at least one.
    pub questions_per_agent_max: u32,
    /// The requests that must be denied, if there are any.
    pub canaries: Option<Canaries>,
}

/// The console, and how long people stay signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// Where browsers find the gateway: scheme and host, no slash at the end. None: where it listens.
    pub url: Option<String>,
    /// How long a person stays signed in, in seconds.
    pub session_secs: u64,
    /// After how long without a request they are signed out, in seconds.
    pub idle_secs: u64,
    /// The domain that passkeys are made for; none when that follows from where it listens.
    pub rp_id: Option<String>,
}

/// A provider of OpenID Connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    /// Its name, letter for letter. Plain HTTP is on this machine only.
    pub issuer: String,
    /// What people read on the button.
    pub label: String,
    /// What it calls this gateway.
    pub client_id: String,
    /// Where the secret that goes with it is found.
    pub client_secret: CredentialSource,
    /// What is asked for besides `openid`.
    pub scopes: Vec<String>,
    /// The file of the certificate that is trusted instead of the public authorities'.
    pub ca: Option<PathBuf>,
    /// For how long its word counts as given just now, in seconds.
    pub fresh_secs: u64,
}

/// Made-up requests that approvers must deny.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canaries {
    /// One after so many votes; at least one.
    pub every_votes: u32,
    /// What they are aimed at; at least one.
    pub targets: Vec<String>,
}

/// Whether connections are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Not: on the loopback interface, or because the file says so.
    Plaintext,
    /// TLS, with these PEM files.
    Tls {
        /// The certificate chain.
        cert: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
}

/// How callers prove who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// By a key listed in `keys.yaml`.
    Keys,
    /// Not at all: everybody on this machine is this agent.
    Anonymous(AgentId),
}

/// Where records are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorePlace {
    /// In a SQLite file.
    Sqlite(PathBuf),
}

/// The log over the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Its name.
    pub origin: String,
    /// Where its files are.
    pub files: LedgerFiles,
    /// Where its Ed25519 key is.
    pub key: LogKey,
    /// Where that of the next log is, if it is said.
    pub next_key: Option<LogKey>,
    /// The file that remembers what was signed last.
    pub guard: PathBuf,
    /// Who cosigns.
    pub witnesses: Vec<Witness>,
    /// How many of them are enough; at most as many as there are.
    pub quorum: usize,
    /// Who stamps checkpoints; none when nobody does.
    pub timestamps: Option<Timestamps>,
    /// What becomes of calls while records wait too long to be sealed.
    pub unsealed: Unsealed,
}

/// Somebody who states when they saw a checkpoint (RFC 3161).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamps {
    /// Where it takes queries. Plain HTTP is on this machine only.
    pub url: String,
    /// The file of its certificate, or of its issuer's.
    pub certificate: PathBuf,
    /// How long it is left alone between two stamps, in seconds.
    pub every_secs: u64,
}

/// Where the Ed25519 key of a log is. Its ML-DSA-44 key is always in a file: tokens do not have that yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogKey {
    /// In a file beside the store.
    Files,
    /// In a token.
    Token(Token),
}

/// A key pair in a PKCS#11 token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The driver, a shared library, by its full path.
    pub module: PathBuf,
    /// The label of the token.
    pub token: String,
    /// The label of the key pair.
    pub label: String,
    /// Where the PIN is found.
    pub pin: CredentialSource,
}

/// Where the files of the log are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerFiles {
    /// In this folder.
    Folder(PathBuf),
    /// In an object store.
    Bucket(Bucket),
}

/// A bucket in an object store that speaks S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// What the names of its objects begin with, without a slash at either end; may be empty.
    pub prefix: String,
    /// Where the object store is, without a slash at the end. Plain HTTP is on this machine only.
    pub endpoint: String,
    /// Its region.
    pub region: String,
    /// Where the id of the access key is found.
    pub access_key: CredentialSource,
    /// Where its secret is found.
    pub secret_key: CredentialSource,
}

/// Somebody who cosigns checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Its verifier key, in the form of one; whether it is one is found out where keys are known.
    pub key: String,
    /// Where it takes checkpoints, without a slash at the end.
    pub url: String,
}

/// How long what is kept beside the signed records, in seconds. What is not named is kept for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// What decisions disclose, by the class of the tool.
    pub classes: BTreeMap<Class, u64>,
    /// What other records disclose.
    pub other: Option<u64>,
    /// The stored answers of calls.
    pub outcomes: Option<u64>,
    /// Budget spans after their end.
    pub budget_spans: Option<u64>,
}

/// How durable the records of reads must be before the call goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Records {
    /// Accepted before the call, durable within this many milliseconds.
    Batched {
        /// The bound.
        within_ms: u64,
    },
    /// Durable before the call, as for everything that changes the world.
    Strict,
}

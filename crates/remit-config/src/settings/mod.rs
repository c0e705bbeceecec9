//! `remit.yaml`: where the gateway listens, who may call, where it keeps its records; and what the
//! whole organisation shares: calendar, environments, approval rules, limits, people.

mod calendar;
mod check;
pub(crate) mod file;
mod rules;

use std::net::SocketAddr;
use std::path::PathBuf;

use remit_core::ids::{AgentId, TenantId};

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
    /// The `Host` headers that are answered; all others are refused (DNS rebinding).
    pub allowed_hosts: Vec<String>,
    /// The `Origin` headers that are answered; a request without one is no browser's.
    pub allowed_origins: Vec<String>,
    /// How durable the records of reads must be before the call goes on.
    pub records: Records,
    /// The environments there are; empty when the file does not list them.
    pub environments: Vec<String>,
    /// A run without calls is closed after this time, in seconds.
    pub run_idle_secs: u64,
    /// How long a held call is kept waiting before its question is answered with its id, in milliseconds.
    pub hold_ms: u64,
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

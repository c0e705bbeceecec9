//! `upstreams/*.yaml`: the systems behind the gate, how to reach each one, and what each of their
//! tools does to the world.

mod check;
pub(crate) mod file;
mod surface;
mod tool;

use std::path::PathBuf;

use remit_core::authority::remit::Locus;
use remit_core::ids::{TeamId, ToolName, UpstreamId};

pub(crate) use check::{Checked, check, source, team, url};

/// A system behind the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its name.
    pub id: UpstreamId,
    /// The team that answers for it.
    pub owner: Option<TeamId>,
    /// How to reach it.
    pub transport: UpstreamTransport,
    /// What it is shown to let us in.
    pub credential: Option<Credential>,
    /// Longest time it may take to answer, unless a tool says otherwise, in milliseconds.
    pub timeout_ms: u64,
    /// How its tools are called by agents.
    pub show_as: ShowAs,
}

/// How to reach an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamTransport {
    /// MCP over Streamable HTTP.
    Http {
        /// Where; plain HTTP only on this machine.
        url: String,
    },
    /// MCP over the standard streams of a process that the gateway starts.
    Stdio {
        /// Program and arguments; no shell ever reads them.
        argv: Vec<String>,
        /// Environment variables with fixed values.
        env: Vec<(String, String)>,
        /// Names copied from the gateway's own environment; nothing else of it is passed on.
        pass_env: Vec<String>,
        /// Working directory.
        cwd: Option<PathBuf>,
        /// Most memory it may use.
        memory_bytes_max: Option<u64>,
        /// How often it is started again.
        restarts_per_minute: u32,
    },
}

/// What an upstream is shown to let the gateway in. Never held here: only where to find it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Where it is put.
    pub slot: CredentialSlot,
    /// Where it is found.
    pub source: CredentialSource,
}

/// Where a credential is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSlot {
    /// In a header of each request.
    Header {
        /// The header.
        name: String,
        /// What stands before the secret: `Bearer `.
        prefix: String,
    },
    /// In an environment variable of the process.
    Env {
        /// The variable.
        name: String,
    },
}

/// Where a credential is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// In this variable of the gateway's environment.
    Env(String),
    /// In this file, without a final line break; a relative path begins at the configuration folder.
    File(PathBuf),
}

impl std::fmt::Display for CredentialSource {
    /// As records name it: `env:NAME` or `file:PATH`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// How an upstream's tools are called by agents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShowAs {
    /// `<upstream>__<tool>`.
    #[default]
    Prefix,
    /// As the upstream calls them.
    Bare,
}

/// What is known of one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolState {
    /// Its name.
    pub name: ToolName,
    /// Whether it can be called.
    pub standing: ToolStanding,
    /// Where it is classified, or pinned.
    pub locus: Locus,
}

/// Whether a tool can be called: only what is both classified and pinned can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ToolStanding {
    /// Classified and pinned.
    Callable,
    /// Pinned, but no file says what it does to the world.
    Unclassified,
    /// Classified, but nobody approved its definition.
    Unpinned,
}

//! How an upstream is reached, as its operator wrote it down.

use std::path::PathBuf;
use std::time::Duration;

use remit_core::ids::UpstreamId;

/// No request may take longer than this, whatever is configured.
const TIME_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// One upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Names it.
    pub id: UpstreamId,
    /// The way there.
    pub transport: Transport,
    /// Where its credential goes; `None` when it needs none.
    pub credential: Option<Slot>,
    /// How long it may take to answer what is asked on the gateway's own behalf (handshakes, each
    /// page of a list), in milliseconds. Calls bring their own limits.
    pub timeout_ms: u64,
}

/// The way to an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Streamable HTTP.
    Http {
        /// The MCP endpoint, `http` or `https`. Redirects are not followed.
        url: String,
    },
    /// A process of the gateway's own, spoken to over standard input and output.
    Stdio {
        /// The program and its arguments. No shell reads them. The program is looked up in the
        /// `PATH` the process is given, not in the gateway's.
        argv: Vec<String>,
        /// Variables of its environment. It inherits none but those named here and in `pass_env`.
        env: Vec<(String, String)>,
        /// Variables of the gateway's environment that are passed on, where they are set.
        pass_env: Vec<String>,
        /// Where it is started; `None` for where the gateway was.
        cwd: Option<PathBuf>,
        /// Most address space it may have, in bytes.
        memory_bytes_max: Option<u64>,
        /// How often it may be started anew within a minute, beside the first start.
        restarts_per_minute: u32,
    },
}

/// Where a credential goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// A header of every HTTP request.
    Header {
        /// Its name.
        name: String,
        /// What stands before the credential, such as `Bearer ` with its space.
        prefix: String,
    },
    /// A variable of the process's environment, set when it is started: a credential that changes
    /// later reaches it with its next start.
    Env {
        /// Its name.
        name: String,
    },
}

impl Spec {
    /// How long the upstream may take to answer what the gateway itself asks.
    pub(super) fn patience(&self) -> Duration {
        bounded(self.timeout_ms)
    }
}

/// A time in milliseconds, short enough to be added to any clock.
pub(super) fn bounded(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds).min(TIME_MAX)
}

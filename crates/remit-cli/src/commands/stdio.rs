//! `remit stdio`: for clients that only spawn.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use remit_core::Caller;
use remit_core::identity::MayDeclare;
use remit_core::ids::{AgentId, UserId};
use remit_server::gateway::mcp;
use remit_server::identify::Identified;
use remit_server::vault::Source;

use super::serve::Logging;
use crate::boot::Running;
use crate::client;
use crate::folder;
use crate::terminal::{Failure, Outcome, block_on};

/// Where the agent's key is looked for.
const KEY_VARIABLE: &str = "REMIT_AGENT_KEY";

/// Speak MCP on standard input and output. With `--gateway`, messages are carried to a gateway that runs
/// already, and several clients can share it. Without, this process is the gateway of the folder, and no other
/// may run on it.
#[derive(Args)]
pub struct Stdio {
    /// The URL of a gateway that runs, as `http://127.0.0.1:7420`. The agent's key is read from
    /// the variable REMIT_AGENT_KEY, or from --key-file.
    #[arg(long, conflicts_with_all = ["agent", "user", "listen"])]
    gateway: Option<String>,
    /// A file with the agent's key, that nobody else can read.
    #[arg(long, requires = "gateway")]
    key_file: Option<PathBuf>,
    /// A file (PEM) with the certificate of the authority that signed the gateway's, when no public one did.
    #[arg(long, env = "REMIT_CA", requires = "gateway")]
    ca: Option<PathBuf>,
    /// The agent that spawned this process. Whoever can start it on this folder is trusted to say so.
    #[arg(long, required_unless_present = "gateway")]
    agent: Option<String>,
    /// The user for whom it works.
    #[arg(long)]
    user: Option<String>,
    /// Where people reach this gateway, to answer what it asks; by default where remit.yaml says.
    #[arg(long)]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    logging: Logging,
}

impl Stdio {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        self.logging.start();
        match (&self.gateway, &self.agent) {
            (Some(url), _) => self.bridge(url),
            (None, Some(agent)) => self.serve(folder, agent),
            (None, None) => Err(Failure::said("either --agent or --gateway is needed")),
        }
    }

    fn bridge(&self, url: &str) -> Outcome {
        let source = match &self.key_file {
            Some(file) => Source::File(file.clone()),
            None => Source::Env(KEY_VARIABLE.to_owned()),
        };
        let key = source.read().map_err(|error| Failure::said(format!("no agent's key: {error}")))?;
        let url = url.trim_end_matches('/');
        let url = if url.ends_with("/mcp") { url.to_owned() } else { format!("{url}/mcp") };
        let far = mcp::Far::new(client::http(self.ca.as_deref())?, &url, key.expose()).map_err(Failure::said)?;
        block_on(async {
            let carried = mcp::bridge(far, tokio::io::stdin(), tokio::io::stdout()).await;
            carried.map(|()| ExitCode::SUCCESS).map_err(broken)
        })?
    }

    fn serve(&self, folder: &Path, agent: &str) -> Outcome {
        let said = |error: &dyn std::fmt::Display| Failure::said(error.to_string());
        let agent = AgentId::parse(agent).map_err(|error| said(&error))?;
        let user = self.user.as_deref().map(UserId::parse).transpose().map_err(|error| said(&error))?;
        let tenant = folder::load(folder)?.settings.tenant;
        let caller = Caller::agent(tenant, agent);
        let caller = user.map_or(caller.clone(), |user| caller.for_user(user));
        let identified = Identified { key_id: "stdio".into(), caller, may_declare: MayDeclare::Nobody };
        block_on(async {
            // It listens too: people answer through it what this client is held for.
            let running = Running::start(folder, self.listen).await.map_err(occupied)?;
            tracing::info!(url = %running.url, "people reach this gateway here");
            let edge = running.edge.clone();
            let spoken = mcp::stdio(edge, identified, tokio::io::stdin(), tokio::io::stdout()).await;
            running.stop().await;
            spoken.map(|()| ExitCode::SUCCESS).map_err(broken)
        })?
    }
}

/// What most often is in the way, and the way round it.
fn occupied(failure: Failure) -> Failure {
    match failure {
        Failure::Io(what, error) if error.kind() == ErrorKind::AddrInUse => Failure::said(format!(
            "{what}: {error}\n  Where a gateway runs already, have messages carried to it: remit stdio --gateway URL"
        )),
        other => other,
    }
}

fn broken(error: std::io::Error) -> Failure {
    Failure::Io("standard input and output".into(), error)
}

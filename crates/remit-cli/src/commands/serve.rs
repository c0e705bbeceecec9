//! `remit serve` and `remit stdio`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use remit_core::Caller;
use remit_core::ids::{AgentId, UserId};
use remit_server::gateway;
use remit_server::identify::{Identified, MayDeclare};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::boot::{self, Booted, Running};
use crate::terminal::{Failure, Outcome, block_on};

/// Run the gateway.
#[derive(Args)]
pub struct Serve {
    /// Listen here instead of where remit.yaml says.
    #[arg(long)]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    logging: Logging,
}

/// Speak MCP on standard input and output. The gateway runs in this process, so no other may run on
/// the same folder; where one does, point the client at its URL instead.
#[derive(Args)]
pub struct Stdio {
    /// The agent that spawned this process. Whoever can start it on this folder is trusted to say so.
    #[arg(long)]
    agent: String,
    /// The user for whom it works.
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    logging: Logging,
}

/// How to log. Logs go to standard error.
#[derive(Args)]
pub(super) struct Logging {
    /// As JSON lines, or for people.
    #[arg(long, value_enum, default_value = "json", env = "REMIT_LOG_FORMAT")]
    log: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Text,
}

impl Logging {
    pub(super) fn start(&self) {
        let filter = EnvFilter::try_from_env("REMIT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
        let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
        match self.log {
            Format::Json => lines.json().flatten_event(true).init(),
            Format::Text => lines.with_target(false).init(),
        }
    }
}

impl Serve {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        self.logging.start();
        block_on(async {
            let running = Running::start(folder, self.listen).await?;
            tracing::info!(url = %running.url, mcp = %format!("{}/mcp", running.url), "listening");
            told_to_stop().await?;
            tracing::info!("stopping: started calls may finish");
            running.stop().await;
            Ok(ExitCode::SUCCESS)
        })?
    }
}

impl Stdio {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        self.logging.start();
        let folder = folder.canonicalize().map_err(|error| Failure::Io(folder.display().to_string(), error))?;
        block_on(async {
            let config = boot::load(&folder)?;
            let (agent, user) = (AgentId::parse(&self.agent), self.user.as_deref().map(UserId::parse).transpose());
            let agent = agent.map_err(|error| Failure::said(error.to_string()))?;
            let user = user.map_err(|error| Failure::said(error.to_string()))?;
            let caller = Caller::agent(config.settings.tenant.clone(), agent);
            let caller = user.map_or(caller.clone(), |user| caller.for_user(user));
            let address = config.settings.listen;
            let booted = Booted::boot(&folder, config, address, &format!("http://{address}")).await?;
            let identified = Identified { key_id: "stdio".into(), caller, may_declare: MayDeclare::Nobody };
            let spoken =
                gateway::mcp::stdio(booted.edge.clone(), identified, tokio::io::stdin(), tokio::io::stdout()).await;
            booted.fleet.shutdown().await;
            booted.telling.stop().await;
            booted.sealing.stop().await;
            booted.store.close().await;
            spoken.map_err(|error| Failure::Io("standard input and output".into(), error))?;
            Ok(ExitCode::SUCCESS)
        })?
    }
}

pub(super) async fn told_to_stop() -> Result<(), Failure> {
    let listening = |error| Failure::Io("signals".into(), error);
    let mut terminate = signal(SignalKind::terminate()).map_err(listening)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(listening)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

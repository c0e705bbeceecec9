//! `remit serve`.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::boot::Running;
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

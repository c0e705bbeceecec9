//! Two small upstreams, real in everything but their business: what the demo, the examples and the
//! benchmarks put behind the gate. They speak both eras of MCP.

mod business;
mod files;
mod protocol;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::commands::{Failure, Outcome, block_on};

pub use business::listen;

/// A sample upstream.
#[derive(Args)]
pub struct Sample {
    #[command(subcommand)]
    which: Which,
}

#[derive(Subcommand)]
enum Which {
    /// A business with customers, tickets, payments and mail, over HTTP. Wants the bearer token in BUSINESS_TOKEN.
    Business {
        /// Where to listen; loopback only.
        #[arg(long, default_value = "127.0.0.1:7431")]
        listen: SocketAddr,
    },
    /// A file tree, over standard input and output.
    Files {
        /// The folder; nothing outside of it can be reached.
        root: PathBuf,
    },
}

impl Sample {
    /// Runs it.
    pub fn run(self) -> Outcome {
        match self.which {
            Which::Business { listen } => {
                let token = std::env::var("BUSINESS_TOKEN").map_err(|_| Failure::said("set BUSINESS_TOKEN"))?;
                block_on(async {
                    let (address, served) = business::listen(listen, &token).await?;
                    eprintln!("sample business on http://{address}/mcp");
                    served.await.map_err(|error| Failure::said(error.to_string()))
                })??;
            }
            Which::Files { root } => files::serve(&root)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

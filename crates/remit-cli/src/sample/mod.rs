//! Two small upstreams, real in everything but their business: what the demo, the examples and the
//! benchmarks put behind the gate. They speak both eras of MCP.

mod business;
mod files;
mod protocol;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::terminal::{Failure, Outcome, block_on};

use jiff::Timestamp;
use remit_config::pins::{Pin, Pins};
use remit_core::ids::UpstreamId;
use remit_core::registry::Definition;
use serde_json::Value;

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
    /// The pins of a sample, as the demo and new folders begin with them.
    Pins {
        /// `business` or `files`.
        sample: String,
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
            Which::Pins { sample } => {
                let text = pins(&sample).ok_or_else(|| Failure::said(format!("there is no sample `{sample}`")))?;
                crate::terminal::say(text.trim_end())?;
            }
            Which::Files { root } => files::serve(&root)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The text of a sample's pins: what it serves, approved by whoever ships it with this program.
pub fn pins(sample: &str) -> Option<String> {
    let definitions: Vec<Value> = match sample {
        "business" => business::definitions(business::UPDATE_TICKET),
        "files" => files::definitions(),
        _ => return None,
    };
    let mut pins = Pins::new(UpstreamId::parse(sample).ok()?);
    for definition in definitions {
        let name = definition["name"].as_str()?.to_owned();
        let approved_at = Timestamp::from_second(1_795_219_200).ok()?;
        pins.tools
            .insert(name, Pin { definition: Definition::new(definition), approved_by: "remit".into(), approved_at });
    }
    Some(pins.render())
}

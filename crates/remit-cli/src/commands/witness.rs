//! `remit witness`: remembers the heads of other people's logs and cosigns what extends them. It has a
//! folder of its own and never looks into a gateway's.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use remit_server::keys::Machine;
use remit_server::serve::serve;
use remit_server::witness::{folder, http};
use tokio::net::TcpListener;

use super::serve::{Logging, told_to_stop};
use crate::terminal::{Failure, Outcome, block_on, say, visible};

/// How long started requests may take to finish when the witness is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Cosign the logs of others, so that they cannot be rewritten unseen.
#[derive(Args)]
pub struct Witness {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make the folder and keys of a witness, and print the verifier keys that others are to know.
    Init {
        #[command(flatten)]
        place: Place,
        /// The name it cosigns under, for life: a URL without its scheme, such as `witness.example/w1`.
        #[arg(long)]
        name: String,
        /// Make a post-quantum key too; the witness then cosigns with both.
        #[arg(long)]
        ml_dsa: bool,
    },
    /// Know these logs. A running witness knows them after its next start.
    Trust {
        #[command(flatten)]
        place: Place,
        /// Verifier keys of logs; a log may have several.
        #[arg(required = true)]
        vkeys: Vec<String>,
    },
    /// Serve. Put a proxy that ends TLS before it when others are to reach it.
    Serve {
        #[command(flatten)]
        place: Place,
        /// Listen here.
        #[arg(long)]
        listen: SocketAddr,
        #[command(flatten)]
        logging: Logging,
    },
    /// Print its keys, the logs it knows, what it cosigned last, and what logs were caught with.
    Status {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Args)]
struct Place {
    /// The folder of the witness.
    #[arg(long)]
    dir: PathBuf,
}

impl Witness {
    /// Runs the verb. `status` ends with exit code 1 when a log was caught.
    pub fn run(self) -> Outcome {
        match self.verb {
            Verb::Init { place, name, ml_dsa } => {
                folder::make(&place.dir, &name, ml_dsa).map_err(said)?.iter().try_for_each(say)?;
                Ok(ExitCode::SUCCESS)
            }
            Verb::Trust { place, vkeys } => {
                let logs = folder::trust(&place.dir, &vkeys).map_err(said)?;
                logs.by_origin()
                    .try_for_each(|(origin, keys)| say(format!("{}: {} keys", visible(origin), keys.len())))?;
                Ok(ExitCode::SUCCESS)
            }
            Verb::Serve { place, listen, logging } => {
                logging.start();
                block_on(run(&place.dir, listen))?
            }
            Verb::Status { place } => status(&place.dir),
        }
    }
}

async fn run(dir: &Path, listen: SocketAddr) -> Outcome {
    let (witness, _lock) = folder::open(dir, Box::new(Machine)).map_err(said)?;
    let bound = TcpListener::bind(listen).await;
    let listener = bound.map_err(|error| Failure::Io(listen.to_string(), error))?;
    let address = listener.local_addr().map_err(|error| Failure::Io(listen.to_string(), error))?;
    for key in witness.keys() {
        tracing::info!(%key, "cosigning");
    }
    tracing::info!(url = %format!("http://{address}"), "listening");
    let (mut told, mut stopped) = (Ok(()), false);
    let stop = async {
        tokio::select! {
            by_signal = told_to_stop() => told = by_signal,
            () = witness.ended() => stopped = true,
        }
    };
    let served = serve(listener, None, http::routes(witness.clone()), stop, GRACE).await;
    told?;
    served.map_err(|error| Failure::Io(address.to_string(), error))?;
    if stopped {
        return Err(Failure::said("the witness stopped itself: what it wrote last may not be durable"));
    }
    Ok(ExitCode::SUCCESS)
}

fn status(dir: &Path) -> Outcome {
    let status = folder::look(dir).map_err(said)?;
    for key in &status.keys {
        say(format!("key   {}", visible(&key.to_string())))?;
    }
    for key in &status.logs {
        say(format!("log   {}", visible(&key.to_string())))?;
    }
    for (head, time) in &status.heads {
        let time = i64::try_from(*time).ok().and_then(|time| jiff::Timestamp::from_second(time).ok());
        let time = time.map_or_else(|| "-".into(), |time| time.to_string());
        say(format!("head  {} {} {} {time}", visible(&head.origin), head.size, head.root))?;
    }
    for name in &status.forks {
        say(format!("CAUGHT forks/{}", visible(name)))?;
    }
    Ok(if status.forks.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn said(error: folder::FolderError) -> Failure {
    Failure::said(error.to_string())
}

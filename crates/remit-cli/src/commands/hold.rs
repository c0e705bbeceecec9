//! `remit hold`: what must not be deleted.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::client::Access;
use crate::terminal::{Listing, Outcome, columns, say, text};

/// Keep something from being erased or deleted by age; without a verb, list what is kept.
#[derive(Args)]
// Else a gateway named before the verb would be passed over.
#[command(args_conflicts_with_subcommands = true)]
pub struct Hold {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    access: Access,
}

#[derive(Subcommand)]
enum Verb {
    /// Place a hold.
    Place(Order),
    /// Lift a hold.
    Lift(Order),
}

#[derive(Args)]
struct Order {
    #[command(flatten)]
    target: Target,
    /// Why; colleagues will ask.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    access: Access,
}

/// What is kept.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// What one run has disclosed.
    #[arg(long)]
    run: Option<String>,
    /// What is disclosed of one person, and in their runs.
    #[arg(long)]
    user: Option<String>,
    /// Everything.
    #[arg(long)]
    all: bool,
}

impl Target {
    fn text(self) -> String {
        let run = self.run.map(|run| format!("run:{run}"));
        run.or_else(|| self.user.map(|user| format!("user:{user}"))).unwrap_or_else(|| "all".to_owned())
    }
}

impl Hold {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        match self.verb {
            None => {
                let gateway = self.access.open(folder)?;
                let holds = gateway.get("/admin/v1/holds")?;
                let head = &["HELD", "SINCE", "BY", "WHY"];
                Listing { of: "holds", none: "nothing is held", head }
                    .say(&holds, false, |hold| columns(hold, ["target", "since", "by", "reason"]))?;
            }
            Some(Verb::Place(Order { target, reason, access })) => {
                let body = json!({"target": target.text(), "reason": reason});
                let answer = access.open(folder)?.post("/admin/v1/holds", &body)?;
                say(format!("{} is held: neither age nor an erasure deletes it", text(&answer["held"])))?;
            }
            Some(Verb::Lift(Order { target, reason, access })) => {
                let target = target.text();
                let body = json!({"target": target, "reason": reason});
                let answer = access.open(folder)?.post("/admin/v1/holds/lift", &body)?;
                say(format!(
                    "{target} {}",
                    if answer["lifted"] == true { "is held no longer" } else { "was not held" }
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

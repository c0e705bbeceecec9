//! `remit halt` and `remit resume`.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::client::Access;
use crate::terminal::{Failure, Listing, Outcome, columns, say, text};

/// Stop something at once; without a target, list what is stopped.
#[derive(Args)]
pub struct Halt {
    /// `tenant`, `agent:A`, `tool:U/T`, `upstream:U`, `class:C` or `run:R`.
    target: Option<String>,
    /// Why; agents and colleagues are told.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// Lift a halt.
#[derive(Args)]
pub struct Resume {
    /// What was halted.
    target: String,
    /// Why.
    #[arg(long, default_value = "resumed")]
    reason: String,
    #[command(flatten)]
    access: Access,
}

impl Halt {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        let Some(target) = self.target else {
            let halts = gateway.get("/admin/v1/halts")?;
            let head = &["HALTED", "SINCE", "BY", "WHY"];
            Listing { of: "halts", none: "nothing is halted", head }
                .say(&halts, false, |halt| columns(halt, ["target", "since", "by", "reason"]))?;
            return Ok(ExitCode::SUCCESS);
        };
        let reason = self.reason.ok_or_else(|| Failure::said("say why, with --reason: people will ask"))?;
        let answer = gateway.post("/admin/v1/halts", &json!({"target": target, "reason": reason}))?;
        say(format!("{} is halted for every call that is decided from now on", text(&answer["halted"])))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Resume {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        let answer = gateway.post("/admin/v1/halts/lift", &json!({"target": self.target, "reason": self.reason}))?;
        let lifted = answer["resumed"] == true;
        say(format!("{} {}", self.target, if lifted { "goes on" } else { "was not halted" }))?;
        Ok(ExitCode::SUCCESS)
    }
}

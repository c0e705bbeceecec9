//! `remit evidence bundle`: records and their proofs, for one recipient.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::client::{Access, encoded};
use crate::terminal::{Failure, Outcome, counted, say, say_json};

/// Print records with the proofs of their places in the log.
#[derive(Args)]
pub(super) struct Bundle {
    /// One record, with the receipt and the approvals that belong to it.
    #[arg(long, conflicts_with_all = ["run", "agent"])]
    record: Option<String>,
    /// Everything of one run.
    #[arg(long, conflicts_with = "agent")]
    run: Option<String>,
    /// Everything of one agent.
    #[arg(long)]
    agent: Option<String>,
    /// With `--agent`: from this time on (RFC 3339).
    #[arg(long, requires = "agent")]
    from: Option<String>,
    /// With `--agent`: before this time.
    #[arg(long, requires = "agent")]
    until: Option<String>,
    /// The values to disclose, by name and commas: `arguments,user`. All others are withheld.
    #[arg(long, default_value = "")]
    show: String,
    /// Write it to this file.
    #[arg(long)]
    out: Option<PathBuf>,
    #[command(flatten)]
    access: Access,
}

impl Bundle {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let asked = [("record", &self.record), ("run", &self.run), ("agent", &self.agent)];
        if asked.iter().all(|(_, value)| value.is_none()) {
            return Err(Failure::said("name what is wanted: --record, --run or --agent"));
        }
        let times = [("from", &self.from), ("until", &self.until)];
        let mut query = format!("show={}", encoded(&self.show));
        for (name, value) in asked.into_iter().chain(times) {
            if let Some(value) = value {
                query.push_str(&format!("&{name}={}", encoded(value)));
            }
        }
        let bundle = self.access.open(folder)?.get(&format!("/admin/v1/evidence?{query}"))?;
        let Some(path) = &self.out else {
            say_json(&bundle)?;
            return Ok(ExitCode::SUCCESS);
        };
        let written = std::fs::write(path, format!("{bundle}\n"));
        written.map_err(|error| Failure::Io(path.display().to_string(), error))?;
        let count = bundle["claims"].as_array().map_or(0, Vec::len);
        say(format!("{} in {}", counted(count, "record", "records"), path.display()))?;
        Ok(ExitCode::SUCCESS)
    }
}

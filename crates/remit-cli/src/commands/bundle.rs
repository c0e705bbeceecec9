//! `remit evidence bundle`: records and their proofs, for one recipient.

use std::collections::BTreeMap;
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
    /// Prove how each log grew from the trees that had so many leaves, by commas: those that its recipient has seen.
    /// `remit-verify --state` says which it lacks.
    #[arg(long, value_delimiter = ',')]
    since: Vec<u64>,
    /// The same, of the trees that are remembered in this folder of `remit-verify --state`.
    #[arg(long)]
    state: Option<PathBuf>,
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
        let seen = self.state.as_deref().map(seen).transpose()?.unwrap_or_default();
        let since: Vec<String> = self.since.iter().chain(&seen).map(u64::to_string).collect();
        if !since.is_empty() {
            query.push_str(&format!("&since={}", encoded(&since.join(","))));
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

/// How many leaves the last tree of each log had that a verifier remembers.
fn seen(state: &Path) -> Result<Vec<u64>, Failure> {
    let file = state.join("heads");
    let text = std::fs::read_to_string(&file).map_err(|error| Failure::Io(file.display().to_string(), error))?;
    let mut last = BTreeMap::<&str, u64>::new();
    for line in text.lines() {
        let mut words = line.splitn(3, ' ');
        let (size, log) = (words.next().and_then(|size| size.parse::<u64>().ok()), words.nth(1));
        let (Some(size), Some(log)) = (size, log) else {
            return Err(Failure::said(format!("{}: remembers no heads of logs", file.display())));
        };
        let last = last.entry(log).or_default();
        *last = size.max(*last);
    }
    Ok(last.into_values().collect())
}

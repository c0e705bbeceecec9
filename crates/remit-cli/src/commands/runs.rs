//! `remit runs`.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use crate::client::{Access, encoded};
use crate::terminal::{Listing, Outcome, columns, counted, say, say_json, table, text, visible};

/// List runs, or show one with its records.
#[derive(Args)]
pub struct Runs {
    /// One run.
    id: Option<String>,
    /// Only those of this agent.
    #[arg(long)]
    agent: Option<String>,
    /// Of one run: leave out so many of its records, the oldest.
    #[arg(long, requires = "id", value_name = "N", default_value_t = 0)]
    after: u64,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl Runs {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        if let Some(id) = &self.id {
            let run = gateway.get(&format!("/admin/v1/runs/{}?after={}", encoded(id), self.after))?;
            if self.json {
                say_json(&run)?;
            } else {
                say(timeline(&run))?;
            }
            return Ok(ExitCode::SUCCESS);
        }
        let filter = self.agent.map(|agent| format!("?agent={}", encoded(&agent))).unwrap_or_default();
        let answer = gateway.get(&format!("/admin/v1/runs{filter}"))?;
        let head = &["RUN", "AGENT", "FOR", "CALLS", "OPENED", "CLOSED"];
        Listing { of: "runs", none: "there is no run", head }
            .say(&answer, self.json, |run| columns(run, ["run", "agent", "user", "calls", "opened_at", "closed_at"]))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A run as a list of what happened, oldest first.
pub fn timeline(run: &Value) -> String {
    let records = run["records"].as_array().cloned().unwrap_or_default();
    let rows = records
        .iter()
        .map(|record| vec![text(&record["time"]), text(&record["record"]), text(&record["kind"]), line(record)]);
    let more = run["next"].as_u64().map(|next| format!("\nThere is more: --after {next}\n")).unwrap_or_default();
    format!(
        "Run {} of {} for {}: {}, labels {}\n\n{}{more}",
        text(&run["run"]),
        text(&run["agent"]),
        text(&run["user"]),
        counted(run["calls"].as_u64().and_then(|calls| usize::try_from(calls).ok()).unwrap_or(0), "call", "calls"),
        text(&run["labels"]),
        table(&["TIME", "RECORD", "KIND", "WHAT"], rows)
    )
}

/// One record in a line.
pub fn line(record: &Value) -> String {
    let statement = &record["statement"];
    match record["kind"].as_str() {
        Some("decision") => {
            let refusal = &statement["refusal"];
            let why = refusal["code"]
                .as_str()
                .map(|code| format!(" ({}: {})", visible(code), text(&refusal["reason"])))
                .unwrap_or_default();
            let tool = statement["tool"]["name"].as_str().map_or("a tool that is unknown".into(), visible);
            format!("{} {tool}{why}", text(&statement["verdict"]))
        }
        Some("execution") => format!(
            "{} {}",
            text(&statement["result"]["state"]),
            if statement["result"]["is_error"] == true { "with an error" } else { "" }
        ),
        Some("approval") => format!(
            "{} under {} by {}",
            text(&statement["choice"]),
            text(&statement["rule"]),
            text(&record["disclosed"]["approver"])
        ),
        Some("halt") => format!("{} {}", text(&statement["event"]), text(&statement["target"])),
        _ => text(&statement["event"]),
    }
}

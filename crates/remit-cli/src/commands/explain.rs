//! `remit explain`: the operator's face of a decision. Everything that was looked at, and what
//! came of it.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use crate::client::Access;
use crate::commands::runs;
use crate::terminal::{Outcome, pretty, say, say_json, text};

/// Say why a call was decided as it was.
#[derive(Args)]
pub struct Explain {
    /// The record, as the refusal or `remit runs` names it.
    id: String,
    /// As JSON, with the signed envelope.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl Explain {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let record = self.access.open(folder)?.get(&format!("/admin/v1/records/{}", self.id))?;
        if self.json {
            say_json(&record)?
        } else {
            say(explained(&record))?
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A decision in words.
pub fn explained(record: &Value) -> String {
    let statement = &record["statement"];
    let mut out = vec![
        format!("{}  {}  {}", text(&record["record"]), text(&record["kind"]), text(&record["time"])),
        format!("  {}", runs::line(record)),
    ];
    let mut add = |name: &str, value: &Value| {
        if !value.is_null() && value != &Value::Array(Vec::new()) {
            out.push(format!(
                "{name:<12}{}",
                if value.is_string() { text(value) } else { pretty(value).replace('\n', "\n            ") }
            ));
        }
    };
    add("agent", &statement["agent"]);
    add("for", &record["disclosed"]["user"]);
    add("tool", &statement["tool"]);
    add("touches", &record["disclosed"]["resource"]);
    add("arguments", &record["disclosed"]["arguments"]);
    add("refusal", &statement["refusal"]);
    add("asks", &statement["asks"]);
    add("policies", &statement["policy"]["determining"]);
    add("snapshot", &statement["policy"]["snapshot"]);
    add("observed", &statement["observed"]);
    add("reserved", &statement["reserved"]);
    add("warnings", &statement["warnings"]);
    add("facts", &statement["facts"]);
    add("result", &statement["result"]);
    add("digest", &record["digest"]);
    for other in record["related"].as_array().cloned().unwrap_or_default() {
        out.push(format!("then        {}  {}  {}", text(&other["time"]), text(&other["kind"]), runs::line(&other)));
    }
    out.join("\n")
}

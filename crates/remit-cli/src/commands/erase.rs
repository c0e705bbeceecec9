//! `remit evidence erase`: deletes what is held of a person.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::client::Access;
use crate::terminal::{Outcome, counted, say, text};

/// Delete what is disclosed of a person. What was signed stays, and verifies as before.
#[derive(Args)]
pub struct Erase {
    /// The person, as user or as operator, by the name that records disclose.
    #[arg(long)]
    user: String,
    /// Why. It is kept: a ticket's number, not the name.
    #[arg(long)]
    reason: String,
    /// Close their open runs and let their open questions lapse first.
    #[arg(long)]
    also_open: bool,
    #[command(flatten)]
    access: Access,
}

impl Erase {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let body = json!({"user": self.user, "reason": self.reason, "also_open": self.also_open});
        let answer = self.access.open(folder)?.post("/admin/v1/erasures", &body)?;
        let records = usize::try_from(answer["records"].as_u64().unwrap_or(0)).unwrap_or(usize::MAX);
        say(format!("{} disclosed this person, and do so no longer", counted(records, "record", "records")))?;
        let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
        let recorded: Vec<Value> = list("recorded");
        for (record, opening) in recorded.iter().zip(list("openings")) {
            say(format!(
                "recorded as {}; whom it was about only this line can show, and nobody keeps it:",
                text(record)
            ))?;
            say(text(&opening))?;
        }
        say("Backups and exports that were made before are yours to clean.")?;
        Ok(ExitCode::SUCCESS)
    }
}

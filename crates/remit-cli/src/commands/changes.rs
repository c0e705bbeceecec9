//! `remit changes`, `remit history` and `remit rollback`: what is in force, since when, and what waits to be.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::{Access, Gateway};
use crate::terminal::{Failure, Listing, Outcome, say, say_json, text, visible};

/// List changes of the folder that wait for people; show one, approve or refuse it.
#[derive(Args)]
// Else a gateway named before the verb would be passed over.
#[command(args_conflicts_with_subcommands = true)]
pub struct Changes {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Subcommand)]
enum Verb {
    /// Show one, with the lines that would come and go.
    Show {
        /// The change.
        id: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        access: Access,
    },
    /// Agree to it. It comes into force with the vote that makes enough.
    Approve {
        /// The change.
        id: String,
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
    /// Say no to it, which ends it.
    Refuse {
        /// The change.
        id: String,
        /// Why; whoever proposed it will ask.
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        access: Access,
    },
}

/// List the authorities that were in force, the newest first; show the texts of one.
#[derive(Args)]
pub struct History {
    /// The digest of one, or its beginning.
    digest: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// Put an earlier authority forward again. What protects less then waits for people, as any change.
#[derive(Args)]
pub struct Rollback {
    /// The digest of the authority, or its beginning; `remit history` lists them.
    digest: String,
    #[command(flatten)]
    access: Access,
}

impl Changes {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        match self.verb {
            None => list(&self.access.open(folder)?.get("/admin/v1/changes")?, self.json)?,
            Some(Verb::Show { id, json, access }) => {
                let change = access.open(folder)?.get(&format!("/admin/v1/changes/{id}"))?;
                if json {
                    say_json(&change)?;
                    return Ok(ExitCode::SUCCESS);
                }
                show(&change)?;
                files(&change["files"])?;
            }
            Some(Verb::Approve { id, reason, access }) => {
                vote(&access.open(folder)?, &id, &json!({"choice": "approve", "reason": reason}))?;
            }
            Some(Verb::Refuse { id, reason, access }) => {
                vote(&access.open(folder)?, &id, &json!({"choice": "refuse", "reason": reason}))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn list(answer: &Value, json: bool) -> Result<(), Failure> {
    let head = &["CHANGE", "STATE", "APPROVED", "SINCE", "PROTECTS LESS"];
    let none = "no change waits, or has waited, for people";
    Listing { of: "changes", none, head }.say(answer, json, |change| {
        let votes = format!("{} of {}", change["approved"], change["needed"]);
        let weakens: Vec<_> = change["weakens"].as_array().into_iter().flatten().map(|w| text(&w["what"])).collect();
        vec![text(&change["change"]), text(&change["state"]), votes, text(&change["at"]), weakens.join("; ")]
    })
}

fn vote(gateway: &Gateway, id: &str, ballot: &Value) -> Result<(), Failure> {
    let change = gateway.post(&format!("/admin/v1/changes/{id}/votes"), ballot)?;
    show(&change)
}

/// One change in words.
pub fn show(change: &Value) -> Result<(), Failure> {
    let state = match change["state"].as_str() {
        Some("open") => format!("waits: {} of {} people have approved", change["approved"], change["needed"]),
        Some("in_force") => "is in force".to_owned(),
        Some(other) => other.to_owned(),
        None => String::new(),
    };
    say(format!("{} {state}", text(&change["change"])))?;
    for weakens in change["weakens"].as_array().into_iter().flatten() {
        say(format!("  {}: {}", text(&weakens["code"]), text(&weakens["what"])))?;
    }
    for vote in change["votes"].as_array().into_iter().flatten() {
        let reason = text(&vote["reason"]);
        say(format!("  {} says {} ({}) {reason}", text(&vote["by"]), text(&vote["choice"]), text(&vote["at"])))?;
    }
    Ok(())
}

fn files(files: &Value) -> Result<(), Failure> {
    for file in files.as_array().into_iter().flatten() {
        say(format!("{} {}", text(&file["kind"]), text(&file["file"])))?;
        for (mark, lines) in [("-", &file["removed"]), ("+", &file["added"])] {
            for line in lines.as_array().into_iter().flatten() {
                let number = line["line"].as_u64().unwrap_or_default();
                say(format!("  {mark}{number:>5} {}", text(&line["text"])))?;
            }
        }
    }
    Ok(())
}

impl History {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        if let Some(digest) = self.digest {
            let snapshot = gateway.get(&format!("/admin/v1/snapshots/{}", whole(&gateway, &digest)?))?;
            if self.json {
                say_json(&snapshot)?;
                return Ok(ExitCode::SUCCESS);
            }
            for (name, lines) in snapshot["texts"].as_object().into_iter().flatten() {
                say(format!("# {}", visible(name)))?;
                for line in lines.as_str().unwrap_or_default().lines() {
                    say(visible(line))?;
                }
            }
            return Ok(ExitCode::SUCCESS);
        }
        let history = gateway.get("/admin/v1/snapshots")?;
        if self.json {
            say_json(&history)?;
            return Ok(ExitCode::SUCCESS);
        }
        // An authority can have come back; then its newest entry is the one that counts.
        let mut in_force = Some(&history["in_force"]);
        for entry in history["snapshots"].as_array().into_iter().flatten() {
            let now =
                if in_force.take_if(|digest| **digest == entry["snapshot"]).is_some() { ", in force" } else { "" };
            say(format!("{} {} by {}{now}", text(&entry["time"]), text(&entry["snapshot"]), text(&entry["by"])))?;
            if !entry["change"].is_null() {
                show(&entry["change"])?;
            }
            for file in entry["files"].as_array().into_iter().flatten() {
                let count = |name: &str| file[name].as_array().map_or(0, Vec::len);
                let (came, went) = (count("added"), count("removed"));
                say(format!("  {} {} (+{came} -{went})", text(&file["kind"]), text(&file["file"])))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Rollback {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        let digest = whole(&gateway, &self.digest)?;
        let answer = gateway.post(&format!("/admin/v1/snapshots/{digest}/restore"), &json!({}))?;
        if answer["taken"] == true {
            say(format!("{digest} is in force. The folder still says otherwise: bring it back, too"))?;
        } else {
            show(&answer["pending"])?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The whole digest of one that begins so.
fn whole(gateway: &Gateway, begins: &str) -> Result<String, Failure> {
    if begins.len() >= 64 {
        return Ok(begins.to_owned());
    }
    let history = gateway.get("/admin/v1/snapshots?limit=500")?;
    let known = history["snapshots"].as_array().into_iter().flatten().map(|entry| text(&entry["snapshot"]));
    let mut found: Vec<String> = known.filter(|digest| !begins.is_empty() && digest.starts_with(begins)).collect();
    found.sort();
    found.dedup();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::said(format!("no authority that was in force begins with `{begins}`"))),
        _ => Err(Failure::said(format!("several authorities begin with `{begins}`; write more of it"))),
    }
}

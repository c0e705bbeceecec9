//! `remit tools`: what is served, what was approved, and the difference.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use remit_config::pins::{Pin, Pins};
use remit_core::ids::{ToolName, UpstreamId};
use serde_json::Value;

use crate::client::{Access, Gateway};
use crate::commands::agents;
use crate::folder;
use crate::terminal::{Failure, Outcome, pretty, say, table, text};

/// List tools and their pins; look at changed ones and approve them.
#[derive(Args)]
pub struct Tools {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    access: Access,
}

#[derive(Subcommand)]
enum Verb {
    /// Show how a tool's served definition differs from the approved one.
    Diff {
        /// `upstream/tool`.
        tool: String,
        #[command(flatten)]
        access: Access,
    },
    /// Approve what is served now: writes it into pins/ in the folder, which puts it into force.
    Approve {
        /// `upstream/tool`, or `upstream/*`.
        tool: String,
        /// The digest you looked at; the approval is refused when something else is served by now.
        #[arg(long)]
        pin: Option<String>,
        /// Who approves, for the file.
        #[arg(long, env = "USER", default_value = "unknown")]
        by: String,
        #[command(flatten)]
        access: Access,
    },
}

impl Tools {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        match self.verb {
            None => list(folder, &self.access.open(folder)?),
            Some(Verb::Diff { tool, access }) => diff(&access.open(folder)?, &tool),
            Some(Verb::Approve { tool, pin, by, access }) => {
                approve(folder, &access.open(folder)?, &tool, pin.as_deref(), &by)
            }
        }
    }
}

fn surveyed(gateway: &Gateway) -> Result<Vec<Value>, Failure> {
    let report = gateway.post("/admin/v1/tools/survey", &serde_json::json!({}))?;
    Ok(report["tools"].as_array().cloned().unwrap_or_default())
}

fn list(folder: &Path, gateway: &Gateway) -> Outcome {
    let tools = surveyed(gateway)?;
    let rows = tools.iter().map(|tool| {
        let pin: String = text(&tool["pin"]).chars().take(12).collect();
        vec![
            text(&tool["tool"]),
            text(&tool["state"]),
            text(&tool["class"]),
            text(&tool["risk"]),
            text(&tool["owner"]),
            pin,
        ]
    });
    say(table(&["TOOL", "STATE", "CLASS", "RISK", "OWNER", "PIN"], rows))?;
    for tool in tools.iter().filter(|tool| tool["state"] == "changed") {
        say(format!(
            "\n{} is quarantined: `remit tools diff {}` shows what changed",
            text(&tool["tool"]),
            text(&tool["tool"])
        ))?;
    }
    // Without a folder that can be read, nothing is known to be classified.
    let known = folder::load(folder).map(|config| config.tools).unwrap_or_default();
    for tool in tools.iter().filter(|tool| tool["state"] == "new") {
        let name = text(&tool["tool"]);
        let unpinned = remit_config::upstream::ToolStanding::Unpinned;
        let classified = known.iter().find(|state| state.name.as_str() == name && state.standing == unpinned);
        say(match classified {
            Some(state) => format!(
                "\n{name} is classified at {}: look at it with `remit tools diff {name}`, then `remit tools approve {name}`",
                state.locus
            ),
            None => format!("\n{name} is new: classify it in upstreams/, then `remit tools approve {name}`"),
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

fn diff(gateway: &Gateway, name: &str) -> Outcome {
    let tools = surveyed(gateway)?;
    let tool = tools.iter().find(|tool| tool["tool"] == name);
    let tool = tool.ok_or_else(|| Failure::said(format!("no upstream serves `{name}`, and none was approved")))?;
    say(format!("{name}: {}", text(&tool["state"])))?;
    if tool["state"] == "new" {
        say(pretty(&tool["served"]))?;
    }
    for change in tool["diff"].as_array().cloned().unwrap_or_default() {
        say(format!("{}\n  - {}\n  + {}", text(&change["at"]), text(&change["approved"]), text(&change["served"])))?;
    }
    if let Some(pin) = tool["pin"].as_str().filter(|_| tool["state"] == "new") {
        say(format!("pin {pin}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn approve(folder: &Path, gateway: &Gateway, pattern: &str, pin: Option<&str>, by: &str) -> Outcome {
    let tools = surveyed(gateway)?;
    let meant = |tool: &&Value| {
        let name = tool["tool"].as_str().unwrap_or_default();
        pattern.strip_suffix('*').map_or(name == pattern, |prefix| name.starts_with(prefix))
    };
    let mut count = 0;
    for tool in tools.iter().filter(meant).filter(|tool| tool["served"].is_object()) {
        let name = ToolName::parse(tool["tool"].as_str().unwrap_or_default());
        let name = name.map_err(|error| Failure::said(error.to_string()))?;
        let definition = remit_core::registry::Definition::new(tool["served"].clone());
        if pin.is_some_and(|pin| definition.digest().to_string() != pin) {
            return Err(Failure::said(format!(
                "`{name}` is served with another definition than the one you looked at"
            )));
        }
        pin_down(folder, &name, definition, by)?;
        say(format!("{name} is pinned to {}", tool["pin"].as_str().unwrap_or_default()))?;
        count += 1;
    }
    if count == 0 {
        return Err(Failure::said(format!("nothing that `{pattern}` names waits for approval")));
    }
    say(format!("{count} approved; the gateway takes the folder within a second or two"))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes one definition into the pins of its upstream.
pub fn pin_down(
    folder: &Path,
    name: &ToolName,
    definition: remit_core::registry::Definition,
    by: &str,
) -> Result<(), Failure> {
    let path = folder.join(format!("pins/{}.json", name.upstream()));
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| Failure::Io(parent.display().to_string(), error))?;
    }
    let shown = format!("pins/{}.json", name.upstream());
    let mut pins = match std::fs::read_to_string(&path) {
        Ok(text) => Pins::parse(&shown, &text).map_err(|fault| Failure::said(fault.to_string()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Pins::new(UpstreamId::parse(name.upstream()).map_err(|error| Failure::said(error.to_string()))?)
        }
        Err(error) => return Err(Failure::Io(shown, error)),
    };
    let pin = Pin { definition, approved_by: by.to_owned(), approved_at: jiff::Timestamp::now() };
    pins.tools.insert(name.own().to_owned(), pin);
    agents::replace(&path, &pins.render())
}

//! `remit agents`: who they are, and their keys. A key is shown once; the folder holds its digest.

mod revoke;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use remit_core::ids::{AgentId, Digest, UserId};

use crate::folder;
use crate::terminal::{Failure, Outcome, say, table};

/// List agents, issue a key, or take one back.
#[derive(Args)]
pub struct Agents {
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Subcommand)]
enum Verb {
    /// Issue a key for an agent: it is printed once, and its digest is added to keys.yaml.
    Key {
        /// The agent.
        agent: String,
        /// The user it works for, when the key is bound to one.
        #[arg(long)]
        user: Option<String>,
        /// For whom it may open runs: `none`, `any`, or users separated by commas.
        #[arg(long, default_value = "none")]
        may_declare: String,
        /// From this day on it proves nothing (2027-01-31).
        #[arg(long)]
        expires: String,
        /// The key's name in records.
        #[arg(long)]
        name: Option<String>,
    },
    /// Take a key back: `revoked: true` is written beside it in keys.yaml. The agent's other keys stay; `remit
    /// halt agent:NAME` stops the agent itself.
    Revoke {
        /// The key's name, as `remit agents` lists it.
        key: String,
    },
}

impl Agents {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        match self.verb {
            None => list(folder),
            Some(Verb::Key { agent, user, may_declare, expires, name }) => {
                issue(folder, &agent, user.as_deref(), &may_declare, &expires, name.as_deref())
            }
            Some(Verb::Revoke { key }) => revoke::revoke(folder, &key),
        }
    }
}

fn list(folder: &Path) -> Outcome {
    let config = folder::load(folder)?;
    let rows = config.snapshot.remits().map(|remit| {
        let holder = remit.holder.to_string();
        let keys = config.keys.agents.iter().filter(|key| holder == format!("agent:{}", key.agent));
        let keys = keys.map(|key| format!("{}{}", key.id, if key.revoked { " (revoked)" } else { "" }));
        let owner = remit.owner.as_ref().map_or("-".into(), ToString::to_string);
        let expires = remit.expires.map_or("never".into(), |at| at.to_string());
        let keys = keys.collect::<Vec<_>>().join(", ");
        vec![holder, owner, remit.stage.as_str().into(), remit.grants.len().to_string(), expires, keys]
    });
    say(table(&["HOLDER", "OWNER", "STAGE", "GRANTS", "EXPIRES", "KEYS"], rows))?;
    Ok(ExitCode::SUCCESS)
}

fn issue(
    folder: &Path,
    agent: &str,
    user: Option<&str>,
    may_declare: &str,
    expires: &str,
    name: Option<&str>,
) -> Outcome {
    let said = |error: remit_core::ids::InvalidId| Failure::said(error.to_string());
    let agent = AgentId::parse(agent).map_err(said)?;
    let user = user.map(UserId::parse).transpose().map_err(said)?;
    let day: jiff::civil::Date =
        expires.parse().map_err(|_| Failure::said(format!("`{expires}` is no day like 2027-01-31")))?;
    if day <= jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date() {
        return Err(Failure::said(format!("`{day}` is not after today: the key would prove nothing")));
    }
    let known = folder::load(folder)?.snapshot.remit(&agent).is_some();
    let key = fresh_key("rk_agent")?;
    let digest = Digest::of(key.as_bytes());
    let name = name.map_or_else(|| format!("{agent}-{}", &digest.to_string()[..8]), str::to_owned);
    let name = AgentId::parse(&name).map_err(said)?;
    let mut entry = format!("  - id: {name}\n    agent: {agent}\n");
    if let Some(user) = user {
        entry.push_str(&format!("    user: \"{user}\"\n"));
    }
    if may_declare != "none" {
        let users = may_declare.split(',').map(|user| UserId::parse(user.trim()).map(|user| format!("\"{user}\"")));
        let users = users.collect::<Result<Vec<_>, _>>().map_err(said)?.join(", ");
        entry.push_str(&if may_declare == "any" {
            "    may_declare: any\n".into()
        } else {
            format!("    may_declare: [{users}]\n")
        });
    }
    entry.push_str(&format!("    expires: {day}\n    sha256: {digest}\n"));
    add(&folder.join("keys.yaml"), "agents", &entry)?;
    folder::load(folder)?;
    if !known {
        say(format!("warning: no remit is held by `{agent}`, so this key opens nothing yet\n"))?;
    }
    say(format!("{key}\n\nThis is the only time the key is shown. keys.yaml holds its digest as `{name}`."))?;
    Ok(ExitCode::SUCCESS)
}

/// Adds an entry under a heading of keys.yaml, leaving every other line as it is.
pub fn add(path: &Path, heading: &str, entry: &str) -> Result<(), Failure> {
    let text = if path.exists() {
        std::fs::read_to_string(path).map_err(|error| Failure::Io(path.display().to_string(), error))?
    } else {
        String::new()
    };
    let line = format!("{heading}:");
    let text = match text.lines().position(|found| found.trim_end() == line) {
        Some(at) => {
            let (before, after): (Vec<_>, Vec<_>) = text.lines().enumerate().partition(|(n, _)| *n <= at);
            let join =
                |lines: Vec<(usize, &str)>| lines.into_iter().map(|(_, line)| format!("{line}\n")).collect::<String>();
            format!("{}{entry}{}", join(before), join(after))
        }
        None if text.lines().any(|found| found.trim_start().starts_with(&line)) => {
            return Err(Failure::said(format!(
                "`{}`: write `{line}` on a line of its own, with its entries below",
                path.display()
            )));
        }
        None => format!("{text}{line}\n{entry}"),
    };
    replace(path, &text)
}

/// Replaces a file whole, or not at all.
pub fn replace(path: &Path, text: &str) -> Result<(), Failure> {
    let at = |error| Failure::Io(path.display().to_string(), error);
    let new = path.with_extension("new");
    let mut file = std::fs::File::create(&new).map_err(at)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(at)?;
    std::fs::rename(&new, path).map_err(at)
}

/// A fresh key: a prefix that scanners recognise, and 256 random bits.
pub fn fresh_key(prefix: &str) -> Result<String, Failure> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| Failure::said(error.to_string()))?;
    Ok(format!("{prefix}_{}", Digest::from_bytes(bytes)))
}

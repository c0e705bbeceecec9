//! `remit proposals` and `remit standing`: what would let an agent do more, and how it has fared so far.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::{Access, encoded};
use crate::terminal::{Failure, Outcome, say, say_json, table, text, visible};

/// List proposed changes of remits, or make one from a question. Nothing is edited: a person takes the lines over.
#[derive(Args)]
// Else a gateway named before the verb would be passed over.
#[command(args_conflicts_with_subcommands = true)]
pub struct Proposals {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Only those for this agent.
    #[arg(long)]
    agent: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

#[derive(Subcommand)]
enum Verb {
    /// Propose that a call like the one of this question needs nobody any more.
    Make {
        /// The agent.
        agent: String,
        /// The question.
        question: String,
        #[command(flatten)]
        access: Access,
    },
}

/// Put an agent's remit forward with more in one place: a higher stage, or the lines of a proposal. People vote on it.
#[derive(Args)]
pub struct Widen {
    /// The agent.
    agent: String,
    /// The stage it would have.
    #[arg(long, required_unless_present = "proposal", conflicts_with = "proposal")]
    stage: Option<String>,
    /// The proposal whose lines it would have; `remit proposals` lists them.
    #[arg(long)]
    proposal: Option<String>,
    #[command(flatten)]
    access: Access,
}

impl Widen {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let body = match (self.stage, self.proposal) {
            (Some(stage), _) => json!({"stage": stage}),
            (None, proposal) => json!({"proposal": proposal}),
        };
        let answer = self.access.open(folder)?.post(&format!("/admin/v1/agents/{}/widenings", self.agent), &body)?;
        super::changes::show(&answer["pending"])?;
        say("once it is in force, write the same lines into the folder: its next change would take them back")?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Say how an agent has fared since its remit last changed: calls, refusals, holds, votes, unknown effects, halts.
#[derive(Args)]
pub struct Standing {
    /// The agent.
    agent: String,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

impl Proposals {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        if let Some(Verb::Make { agent, question, access }) = self.verb {
            let body = json!({"agent": agent, "question": question});
            show(&access.open(folder)?.post("/admin/v1/proposals", &body)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        let path = self
            .agent
            .map_or("/admin/v1/proposals".into(), |agent| format!("/admin/v1/proposals?agent={}", encoded(&agent)));
        let answer = self.access.open(folder)?.get(&path)?;
        if self.json {
            say_json(&answer)?;
            return Ok(ExitCode::SUCCESS);
        }
        let proposals = answer["proposals"].as_array().cloned().unwrap_or_default();
        if proposals.is_empty() {
            say("nothing is proposed")?;
        }
        proposals.iter().try_for_each(show)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn show(proposal: &Value) -> Result<(), Failure> {
    let (id, by, at) = (text(&proposal["proposal"]), text(&proposal["by"]), text(&proposal["at"]));
    say(format!("{id}: {by} at {at}, for {}", text(&proposal["agent"])))?;
    if proposal["lines"].is_null() {
        return say("  what it said is deleted");
    }
    say(format!("  add to {}:", text(&proposal["file"])))?;
    for line in proposal["lines"].as_str().unwrap_or_default().lines() {
        say(format!("    {}", visible(line)))?;
    }
    let open: Vec<_> = proposal["leaves_open"].as_array().into_iter().flatten().map(text).collect();
    if !open.is_empty() {
        say(format!("  it leaves open: {}", open.join(", ")))?;
    }
    let evidence = &proposal["evidence"];
    let count = |name: &str| format!("{} {name}", evidence[name]);
    let names =
        ["calls", "refusals", "holds", "approvals", "denials", "unknown", "undos", "objections", "halts", "incidents"];
    say(format!("  so far: {}{}", names.map(count).join(", "), since(evidence)))
}

fn since(evidence: &Value) -> String {
    let since = evidence["since"].as_str().unwrap_or("the first record");
    let rest = if evidence["whole"] == true { "" } else { "; the newest records are not counted yet" };
    format!(" since {since}{rest}")
}

impl Standing {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let standing = self.access.open(folder)?.get(&format!("/admin/v1/agents/{}/standing", self.agent))?;
        if self.json {
            say_json(&standing)?;
            return Ok(ExitCode::SUCCESS);
        }
        say(format!(
            "{} is {}, was halted {} times and part of {} emergencies{}",
            text(&standing["agent"]),
            standing["stage"].as_str().unwrap_or("without a remit"),
            standing["halts"],
            standing["incidents"],
            since(&standing)
        ))?;
        let classes = standing["classes"].as_array().cloned().unwrap_or_default();
        let names = ["calls", "refusals", "holds", "approvals", "denials", "unknown", "undos", "objections"];
        let rows = classes.iter().map(|class| {
            let counts = names.iter().map(|name| class[*name].to_string());
            [text(&class["class"])].into_iter().chain(counts).collect()
        });
        let head = ["CLASS", "CALLS", "REFUSALS", "HOLDS", "APPROVALS", "DENIALS", "UNKNOWN", "UNDOS", "OBJECTIONS"];
        say(table(&head, rows))?;
        Ok(ExitCode::SUCCESS)
    }
}

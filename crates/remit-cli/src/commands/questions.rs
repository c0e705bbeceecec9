//! `remit questions`, `remit approve`, `remit deny`.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::client::Access;
use crate::terminal::{Outcome, say, table, text, visible};

/// List the questions that wait for people, or show one.
#[derive(Args)]
pub struct Questions {
    /// One question.
    id: Option<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// Approve a held call.
#[derive(Args)]
pub struct Approve {
    /// The question. Several are decided together if they are about the same tool, agent and rules.
    #[arg(required = true)]
    ids: Vec<String>,
    /// The rule, when the question asks for several.
    #[arg(long)]
    rule: Option<String>,
    /// Why.
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    access: Access,
}

/// Refuse a held call.
#[derive(Args)]
pub struct Deny {
    /// The question.
    id: String,
    /// The rule, when the question asks for several.
    #[arg(long)]
    rule: Option<String>,
    /// Why; the agent is told.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    access: Access,
}

impl Questions {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        if let Some(id) = &self.id {
            let question = gateway.get(&format!("/admin/v1/questions/{id}"))?;
            say(if self.json { question.to_string() } else { shown(&question) })?;
            return Ok(ExitCode::SUCCESS);
        }
        let answer = gateway.get("/admin/v1/questions")?;
        let questions = answer["questions"].as_array().cloned().unwrap_or_default();
        if self.json {
            say(answer)?;
        } else if questions.is_empty() {
            say("nothing waits for people")?;
        } else {
            let rows = questions.iter().map(|q| {
                vec![
                    text(&q["question"]),
                    text(&q["agent"]),
                    text(&q["user"]),
                    text(&q["tool"]),
                    visible(&q["arguments"].to_string()),
                    rules(q),
                    text(&q["expires_at"]),
                ]
            });
            say(table(&["QUESTION", "AGENT", "FOR", "TOOL", "ARGUMENTS", "NEEDS", "UNTIL"], rows))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Approve {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        // The person sees what they approve, as the store knows it, before their vote is cast.
        let mut votes = Vec::with_capacity(self.ids.len());
        for id in &self.ids {
            let seen = gateway.get(&format!("/admin/v1/questions/{id}"))?;
            say(shown(&seen))?;
            votes.push(without_nulls(json!({
                "choice": "approve", "rule": self.rule, "reason": self.reason, "shown": seen["shown"],
            })));
        }
        if let ([id], [vote]) = (self.ids.as_slice(), votes.as_slice()) {
            let question = gateway.post(&format!("/admin/v1/questions/{id}/votes"), vote)?;
            say(format!("\nYour approval counts. The question is now {}.", text(&question["state"])))?;
            return Ok(ExitCode::SUCCESS);
        }
        for (vote, id) in votes.iter_mut().zip(&self.ids) {
            vote["question"] = id.as_str().into();
        }
        let answer = gateway.post("/admin/v1/questions/votes", &json!({"votes": votes}))?;
        let results = answer["votes"].as_array().cloned().unwrap_or_default();
        let mut all = results.len() == self.ids.len();
        say("")?;
        for result in &results {
            let id = text(&result["question"]);
            if result["counted"] == true {
                say(format!("{id}: your approval counts; it is now {}", text(&result["state"])))?;
            } else {
                all = false;
                say(format!("{id}: not counted: {}", text(&result["reason"])))?;
            }
        }
        Ok(if all { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

impl Deny {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        let seen = gateway.get(&format!("/admin/v1/questions/{}", self.id))?;
        say(shown(&seen))?;
        let vote = json!({"choice": "deny", "rule": self.rule, "reason": self.reason, "shown": seen["shown"]});
        let question = gateway.post(&format!("/admin/v1/questions/{}/votes", self.id), &without_nulls(vote))?;
        say(format!("\nThe question is now {}.", text(&question["state"])))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    value
}

fn rules(question: &Value) -> String {
    let rules = question["rules"].as_array().cloned().unwrap_or_default();
    let rules = rules.iter().map(|r| format!("{} {}/{}", text(&r["rule"]), r["approved"], r["quorum"]));
    rules.collect::<Vec<_>>().join(", ")
}

/// A question on a terminal: who asks for whom first, what exactly, and the agent's own words last.
pub fn shown(question: &Value) -> String {
    let (sight, live) = (&question["sight"], &question["live"]);
    let arguments = serde_json::to_string_pretty(&question["arguments"]).unwrap_or_default();
    let mut lines = vec![
        format!("Question  {}  ({})", text(&question["question"]), text(&question["state"])),
        format!("For       {}", text(&question["user"])),
        format!("Agent     {}{}", text(&question["agent"]), chain(&sight["chain"])),
        format!("Tool      {}{}", text(&question["tool"]), tool(&sight["tool"])),
        format!("Touches   {}{}", text(&question["resource"]), place(&sight["resource"]["in"])),
        format!("Costs     {} micro-USD", question["cost_micro_usd"]),
    ];
    for budget in live["budgets"].as_array().into_iter().flatten() {
        lines.push(format!("Left      {} of {} in {}", budget["left"], budget["limit"], text(&budget["budget"])));
    }
    lines.extend([
        format!("Needs     {}", rules(question)),
        format!("Until     {}", text(&question["expires_at"])),
        format!("Why       {}", text(&question["why"])),
        format!("Arguments\n{}", visible(&arguments)),
    ]);
    for said in live["said"].as_array().into_iter().flatten() {
        let who = if said["agent"] == true { "the agent".into() } else { text(&said["by"]) };
        // Indented, so that no line of it looks like one of ours.
        lines.push(format!("Said by {who}:\n    {}", text(&said["text"]).replace(['\n', '\r'], "\n    ")));
    }
    lines.join("\n")
}

fn chain(chain: &Value) -> String {
    let owner = chain["owner"].as_str().map(|owner| format!(", of {owner}")).unwrap_or_default();
    let stage = chain["stage"].as_str().map(|stage| format!(", {stage}")).unwrap_or_default();
    let via: Vec<_> = chain["via"].as_array().into_iter().flatten().map(text).collect();
    let via = if via.is_empty() { String::new() } else { format!(", sent by {}", via.join(", ")) };
    format!("{owner}{stage}{via}")
}

fn tool(tool: &Value) -> String {
    match (tool["class"].as_str(), tool["risk"].as_str(), tool["reversible"].as_bool()) {
        (Some(class), Some(risk), Some(reversible)) => {
            format!("  ({class}, risk {risk}, {})", if reversible { "can be undone" } else { "cannot be undone" })
        }
        _ => String::new(),
    }
}

fn place(dimensions: &Value) -> String {
    let of = dimensions.as_object().into_iter().flatten();
    let of: Vec<_> = of.map(|(dimension, value)| format!("{dimension} {}", text(value))).collect();
    if of.is_empty() { String::new() } else { format!("  ({})", of.join(", ")) }
}

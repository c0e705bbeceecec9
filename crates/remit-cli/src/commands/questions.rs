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
    /// The question.
    id: String,
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
        let seen = gateway.get(&format!("/admin/v1/questions/{}", self.id))?;
        say(shown(&seen))?;
        let vote = json!({"choice": "approve", "rule": self.rule, "reason": self.reason, "shown": seen["shown"]});
        let question = gateway.post(&format!("/admin/v1/questions/{}/votes", self.id), &without_nulls(vote))?;
        say(format!("\nYour approval counts. The question is now {}.", text(&question["state"])))?;
        Ok(ExitCode::SUCCESS)
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
    let arguments = serde_json::to_string_pretty(&question["arguments"]).unwrap_or_default();
    format!(
        "Question  {}  ({})\nAgent     {}\nFor       {}\nTool      {}\nTouches   {}\nCosts     {} micro-USD\nNeeds     {}\nUntil     {}\nWhy       {}\nArguments\n{}",
        text(&question["question"]),
        text(&question["state"]),
        text(&question["agent"]),
        text(&question["user"]),
        text(&question["tool"]),
        text(&question["resource"]),
        question["cost_micro_usd"],
        rules(question),
        text(&question["expires_at"]),
        text(&question["why"]),
        visible(&arguments),
    )
}

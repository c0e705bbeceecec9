//! `remit questions`, `approve`, `deny`, `ask-back`, `escalate`.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use remit_core::budget::Unit;
use remit_core::registry::micro_usd;
use serde_json::{Value, json};

use crate::client::{Access, Gateway};
use crate::terminal::{Failure, Listing, Outcome, indented, pretty, say, say_json, text, visible};

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

/// Approve a held call: once, for its run within bounds, or another one in its place.
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
    bounds: Bounds,
    /// Approve a call with these arguments instead, all of them: a JSON object, or a file that holds one. The agent is
    /// told; the call is decided anew.
    #[arg(long, value_name = "JSON|FILE", conflicts_with_all = ["rule", "calls", "money", "until"])]
    arguments: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// How far an approval for the run reaches.
#[derive(Args)]
struct Bounds {
    /// For so many calls with the same arguments in this run, the first one counted.
    #[arg(long)]
    calls: Option<u32>,
    /// For so much money over all of them, in USD; without it, what so many calls cost.
    #[arg(long, value_name = "USD", requires = "calls")]
    money: Option<String>,
    /// Until then: `30m`, or `2026-11-21T11:00:00Z`; without it, as long as the question is open.
    #[arg(long, value_name = "TIME", requires = "calls")]
    until: Option<String>,
}

/// Ask the agent something about its held call. The question stays open.
#[derive(Args)]
pub struct AskBack {
    /// The question.
    id: String,
    /// What you ask.
    #[arg(long)]
    text: String,
    #[command(flatten)]
    access: Access,
}

/// Call in the next people of the rule now.
#[derive(Args)]
pub struct Escalate {
    /// The question.
    id: String,
    /// Why.
    #[arg(long)]
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
            if self.json {
                say_json(&question)?
            } else {
                say(shown(&question))?
            }
            return Ok(ExitCode::SUCCESS);
        }
        let mut questions = Vec::new();
        let mut page = Some("/admin/v1/questions".to_owned());
        while let Some(path) = page {
            let answer = gateway.get(&path)?;
            questions.extend(answer["questions"].as_array().cloned().unwrap_or_default());
            page = answer["next"].as_str().map(str::to_owned);
        }
        let head = &["QUESTION", "AGENT", "FOR", "TOOL", "ARGUMENTS", "NEEDS", "UNTIL"];
        Listing { of: "questions", none: "nothing waits for people", head }.say(
            &json!({"questions": questions}),
            self.json,
            |q| {
                vec![
                    text(&q["question"]),
                    text(&q["agent"]),
                    text(&q["user"]),
                    text(&q["tool"]),
                    visible(&q["arguments"].to_string()),
                    rules(q),
                    text(&q["expires_at"]),
                ]
            },
        )?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Approve {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        // The person sees what they approve, as the store knows it, before their vote is cast.
        if let ([id], true) = (self.ids.as_slice(), self.arguments.is_some() || self.bounds.calls.is_some()) {
            return self.otherwise(&gateway, id);
        }
        if self.arguments.is_some() || self.bounds.calls.is_some() {
            return Err(Failure::said("several questions can only be approved as they are: once each"));
        }
        let mut votes = Vec::with_capacity(self.ids.len());
        for id in &self.ids {
            let seen = gateway.get(&format!("/admin/v1/questions/{id}"))?;
            say(shown(&seen))?;
            votes.push(without_nulls(json!({
                "choice": "approve", "rule": self.rule, "reason": self.reason, "shown": seen["shown"],
            })));
        }
        if let ([id], [vote]) = (self.ids.as_slice(), votes.as_slice()) {
            let question = cast(&gateway, id, "votes", vote)?;
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

    /// For its run within bounds, or another call in its place.
    fn otherwise(&self, gateway: &Gateway, id: &str) -> Outcome {
        let seen = gateway.get(&format!("/admin/v1/questions/{id}"))?;
        say(shown(&seen))?;
        if let Some(arguments) = &self.arguments {
            if self.reason.trim().is_empty() {
                return Err(Failure::said("say why, with --reason: the agent is told"));
            }
            let body = json!({"arguments": object(arguments)?, "reason": self.reason, "shown": seen["shown"]});
            let closed = cast(gateway, id, "narrow", &body)?;
            say(in_place(&closed["next"]))?;
            return Ok(ExitCode::SUCCESS);
        }
        let bounds = self.bounds.read(&seen)?;
        let choice = if bounds.is_some() { "approve_run" } else { "approve" };
        let vote = json!({
            "choice": choice, "rule": self.rule, "reason": self.reason, "shown": seen["shown"], "bounds": bounds,
        });
        let question = cast(gateway, id, "votes", &without_nulls(vote))?;
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
        let question = cast(&gateway, &self.id, "votes", &without_nulls(vote))?;
        say(format!("\nThe question is now {}.", text(&question["state"])))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Bounds {
    /// As the gateway takes them; none for one call.
    fn read(&self, seen: &Value) -> Result<Option<Value>, Failure> {
        let Some(calls) = self.calls else { return Ok(None) };
        let money = match &self.money {
            Some(text) => micro_usd(text).ok_or_else(|| Failure::said(format!("`{text}` is no amount of USD")))?,
            None => seen["cost_micro_usd"].as_u64().unwrap_or(0).saturating_mul(u64::from(calls)),
        };
        let until = match &self.until {
            Some(text) => moment(text)?.to_string(),
            None => text(&seen["expires_at"]),
        };
        Ok(Some(json!({"calls_max": calls, "cost_max_micro_usd": money, "until": until})))
    }
}

impl AskBack {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        gateway.post(&format!("/admin/v1/questions/{}/remarks", self.id), &json!({"text": self.text}))?;
        say("The agent is asked. The question stays open, and its time goes on.")?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Escalate {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        gateway.post(&format!("/admin/v1/questions/{}/escalations", self.id), &json!({"text": self.reason}))?;
        say("The next people are called in.")?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Casts a vote. Where its rule asks for a proof that no terminal can give, it says where a browser can.
fn cast(gateway: &Gateway, id: &str, how: &str, vote: &Value) -> Result<Value, Failure> {
    gateway.post(&format!("/admin/v1/questions/{id}/{how}"), vote).map_err(|failure| {
        let seen = gateway.get(&format!("/admin/v1/questions/{id}")).unwrap_or_default();
        let rules = seen["sight"]["rules"].as_array().cloned().unwrap_or_default();
        let demanded = rules.iter().filter_map(|rule| rule["is"]["factor"].as_str());
        match (demanded.max(), seen["page"].as_str()) {
            (Some("passkey"), Some(page)) => {
                Failure::said(format!("{failure}\n  Your passkey signs this vote in a browser: {page}"))
            }
            (Some("oidc"), Some(page)) => Failure::said(format!(
                "{failure}\n  Confirm who you are in a browser, and vote there: {page}\n  Or sign in there, and let this terminal in at once: remit login"
            )),
            _ => failure,
        }
    })
}

/// A moment, or so long from now.
fn moment(text: &str) -> Result<Timestamp, Failure> {
    let wrong = || Failure::said(format!("`{text}` is no time: write `30m`, or `2026-11-21T11:00:00Z`"));
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let length = text.parse::<SignedDuration>().map_err(|_| wrong())?;
    Timestamp::now().checked_add(length).map_err(|_| wrong())
}

/// An object, from the argument itself or from the file it names.
fn object(text: &str) -> Result<Value, Failure> {
    let text = if text.trim_start().starts_with('{') {
        text.to_owned()
    } else {
        std::fs::read_to_string(text).map_err(|error| Failure::Io(text.to_owned(), error))?
    };
    let wrong = |why: String| Failure::said(format!("the arguments are no JSON object: {why}"));
    let value = remit_core::json::parse(text.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    if value.is_object() { Ok(value) } else { Err(wrong("it is something else".into())) }
}

/// What the call in the place of a held one waits for.
fn in_place(next: &Value) -> String {
    match next["state"].as_str() {
        None => "\nThe agent is told to make that call; nothing needs to be asked about it.".into(),
        Some("approved") => "\nThe agent is told to make that call, which is approved.".into(),
        Some(_) => {
            format!("\nThe agent is told to make that call. It waits for people as {}.", text(&next["question"]))
        }
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

/// How much of an earlier question's arguments is shown.
const BEFORE_CHARS_MAX: usize = 160;

/// A question on a terminal: who asks for whom first, what exactly, and the agent's own words last.
pub fn shown(question: &Value) -> String {
    let (sight, live) = (&question["sight"], &question["live"]);
    let mut lines = vec![
        format!("Question  {}  ({})", text(&question["question"]), text(&question["state"])),
        format!("For       {}", text(&question["user"])),
        format!("Agent     {}{}", text(&question["agent"]), chain(&sight["chain"])),
        format!("Tool      {}{}", text(&question["tool"]), tool(&sight["tool"])),
        format!("Undone by {}", text(&sight["tool"]["undo"])),
        format!("Touches   {}{}", text(&question["resource"]), place(&sight["resource"]["in"])),
        format!("Costs     {}", Unit::MicroUsd.show(question["cost_micro_usd"].as_u64().unwrap_or(0))),
    ];
    for budget in live["budgets"].as_array().into_iter().flatten() {
        let amount = |of: &str| match (budget[of].as_u64(), budget["unit"].as_str()) {
            (Some(amount), Some("micro_usd")) => Unit::MicroUsd.show(amount),
            _ => text(&budget[of]),
        };
        lines.push(format!("Left      {} of {} in {}", amount("left"), amount("limit"), text(&budget["budget"])));
    }
    lines.extend([
        format!("Needs     {}", rules(question)),
        format!("Until     {}", text(&question["expires_at"])),
        format!("Why       {}", text(&question["why"])),
        format!("Arguments\n{}", pretty(&question["arguments"])),
    ]);
    lines.extend(preview(&sight["preview"]));
    for other in live["similar"].as_array().into_iter().flatten() {
        let (state, at) = (text(&other["state"]), text(&other["asked_at"]));
        // Cut: an agent that asked before with pages of text must not push what is asked now off the screen.
        let arguments = visible(&other["arguments"].to_string());
        let cut: String = arguments.chars().take(BEFORE_CHARS_MAX).collect();
        let more = if cut.len() < arguments.len() { "…" } else { "" };
        lines.push(format!("Before    {state}  {at}  {cut}{more}"));
    }
    if let Some(narrowed) = question["narrowed"].as_object() {
        let arguments = narrowed.get("arguments").map(Value::to_string).unwrap_or_default();
        lines.push(format!("Instead   {}", visible(&arguments)));
    }
    for said in live["said"].as_array().into_iter().flatten() {
        let who = if said["agent"] == true { "the agent".into() } else { text(&said["by"]) };
        // Indented, so that no line of it looks like one of ours.
        lines.push(format!("Said by {who}:\n    {}", indented(said["text"].as_str().unwrap_or("-"), 4)));
    }
    lines.join("\n")
}

/// What the upstream says the call would do. Each line of it is marked, so that none looks like one of ours.
fn preview(preview: &Value) -> Option<String> {
    Some(match preview["state"].as_str()? {
        "awaited" => "Preview   the upstream is being asked; look again".to_owned(),
        "shown" => {
            let failed = if preview["failed"] == true { ", which says that it failed" } else { "" };
            let said =
                preview["text"].as_str().unwrap_or_default().split('\n').map(|line| format!("  | {}", visible(line)));
            let left = preview["left_out"].as_u64().filter(|left| *left > 0);
            let left = left.map(|left| format!("  … and {left} characters more")).into_iter();
            let said = said.chain(left).collect::<Vec<_>>().join("\n");
            format!(
                "Preview   by {}{failed}; the upstream's words, which nobody has checked\n{said}",
                text(&preview["tool"])
            )
        }
        _ => format!("Preview   none: {}", text(&preview["why"])),
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upstreams_words_look_like_none_of_ours() {
        let said = json!({"state": "shown", "tool": "a/look", "failed": false, "left_out": 9,
                          "text": "-old\u{1b}[2J\nUntil     never\u{202e}"});
        let printed = preview(&said).unwrap_or_default();
        let (_, body) = printed.split_once('\n').unwrap_or_default();
        assert_eq!(body, "  | -old⟨U+001B⟩[2J\n  | Until     never⟨U+202E⟩\n  … and 9 characters more");
        assert_eq!(preview(&Value::Null), None);
    }
}

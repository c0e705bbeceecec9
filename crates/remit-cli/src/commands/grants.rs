//! `remit requests`, `narrow`, `grant`, `grants`, `revoke`, `break-glass`, `review`.

use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::client::Access;
use crate::terminal::{Failure, Listing, Outcome, columns, counted, indented, say, say_json, text, visible};

/// List what agents ask for, or show one request. It is decided with `remit approve`, `deny` or `narrow`.
#[derive(Args)]
pub struct Requests {
    /// One request.
    id: Option<String>,
    /// Those that are decided, too.
    #[arg(long)]
    all: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// What is given. What is not named is as the remit offers it, or as it was asked for.
#[derive(Args)]
struct Given {
    /// Tools: `payments/refund`, `tickets/*`. May be repeated.
    #[arg(long = "tool")]
    tools: Vec<String>,
    /// Bounds: `environment=staging`. May be repeated.
    #[arg(long = "where", value_name = "DIMENSION=VALUE")]
    bounds: Vec<String>,
    /// For how long: `8h`.
    #[arg(long = "for", value_name = "TIME")]
    length: Option<String>,
    /// How many calls.
    #[arg(long)]
    calls: Option<u64>,
}

/// Give less than an agent asked for. Your approval counts for what is left.
#[derive(Args)]
pub struct Narrow {
    /// The request.
    id: String,
    #[command(flatten)]
    given: Given,
    /// Why.
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    access: Access,
}

/// Give an agent for a while what its remit lets it ask for. The same approval rule decides; your approval is the first.
#[derive(Args)]
pub struct Grant {
    /// The agent.
    agent: String,
    /// The user for whom it works; without one the grant counts when it works for nobody.
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    given: Given,
    /// Why.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    access: Access,
}

/// List what agents were given for a while, and how much of it they used.
#[derive(Args)]
pub struct Grants {
    /// Those that have ended, too.
    #[arg(long)]
    all: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// Take a grant back, for every call that is decided from now on.
#[derive(Args)]
pub struct Revoke {
    /// The grant.
    id: String,
    /// Why.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    access: Access,
}

/// Use authority that was declared for emergencies; without a name, list what is declared. Guardrails still bind,
/// and somebody else has to review it afterwards.
#[derive(Args)]
pub struct BreakGlass {
    /// The name under which it is declared in remit.yaml.
    name: Option<String>,
    /// The incident.
    #[arg(long)]
    incident: Option<String>,
    /// Why.
    #[arg(long)]
    reason: Option<String>,
    /// For which agent, when it is declared for several.
    #[arg(long)]
    agent: Option<String>,
    /// Only when the agent works for this user.
    #[arg(long)]
    user: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// Say of an emergency whether it was right, as a second person.
#[derive(Args)]
pub struct Review {
    /// The grant that was taken.
    id: String,
    /// It was not right to do.
    #[arg(long)]
    unjustified: bool,
    /// What you found.
    #[arg(long)]
    note: String,
    #[command(flatten)]
    access: Access,
}

impl Requests {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        if let Some(id) = &self.id {
            let request = gateway.get(&format!("/admin/v1/access-requests/{id}"))?;
            if self.json {
                say_json(&request)?
            } else {
                say(shown(&request))?
            }
            return Ok(ExitCode::SUCCESS);
        }
        let answer = gateway.get(&format!("/admin/v1/access-requests?all={}", self.all))?;
        let head = &["REQUEST", "STATE", "AGENT", "FOR", "ASKS FOR", "NEEDS", "WHY"];
        Listing { of: "requests", none: "nobody asks for anything", head }.say(&answer, self.json, |request| {
            columns(request, ["request", "state", "agent", "user", "in_words", "approval", "why"])
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Given {
    fn body(&self) -> Result<Value, Failure> {
        let mut body = Map::new();
        if !self.tools.is_empty() {
            body.insert("tools".into(), json!(self.tools));
        }
        let mut bounds = Map::new();
        for bound in &self.bounds {
            let (dimension, value) = bound
                .split_once('=')
                .ok_or_else(|| Failure::said(format!("`{bound}` is no bound: write `environment=staging`")))?;
            let values = bounds.entry(dimension.to_owned()).or_insert_with(|| json!([]));
            if let Some(values) = values.as_array_mut() {
                values.push(json!(value));
            }
        }
        if !bounds.is_empty() {
            body.insert("where".into(), Value::Object(bounds));
        }
        if let Some(length) = &self.length {
            let secs = length.parse::<jiff::SignedDuration>().ok().map(|length| length.as_secs()).filter(|s| *s > 0);
            let secs = secs.ok_or_else(|| Failure::said(format!("`{length}` is no length of time: write `8h`")))?;
            body.insert("for_secs".into(), json!(secs));
        }
        body.extend(self.calls.map(|calls| ("calls".to_owned(), json!(calls))));
        Ok(Value::Object(body))
    }
}

impl Narrow {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let mut body = self.given.body()?;
        if body.as_object().is_some_and(Map::is_empty) {
            return Err(Failure::said("say what is left, with --tool, --where, --for or --calls"));
        }
        body["reason"] = json!(self.reason);
        let gateway = self.access.open(folder)?;
        say(shown(&gateway.post(&format!("/admin/v1/access-requests/{}/narrow", self.id), &body)?))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Grant {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let mut body = self.given.body()?;
        if self.given.tools.is_empty() {
            return Err(Failure::said("name the tools that it may use, with --tool"));
        }
        body["agent"] = json!(self.agent);
        body["reason"] = json!(self.reason);
        if let Some(user) = self.user {
            body["user"] = json!(user);
        }
        let gateway = self.access.open(folder)?;
        say(shown(&gateway.post("/admin/v1/grants", &body)?))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Grants {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        let answer = gateway.get(&format!("/admin/v1/grants?all={}", self.all))?;
        let head = &["GRANT", "STATE", "AGENT", "FOR", "GIVES", "RESTS ON", "CALLS", "UNTIL"];
        Listing { of: "grants", none: "no grant is in force", head }.say(&answer, self.json, |grant| {
            columns(grant, ["grant", "state", "agent", "user", "in_words", "rests_on", "used", "expires_at"])
        })?;
        if self.json {
            return Ok(ExitCode::SUCCESS);
        }
        say(format!("{} of {} given were ever used", answer["used"], answer["given"]))?;
        let due = answer["review_due"].as_array().cloned().unwrap_or_default();
        if !due.is_empty() {
            let ids: Vec<_> = due.iter().map(text).collect();
            let count = counted(due.len(), "emergency waits", "emergencies wait");
            say(format!("{count} for a second person: remit review {}", ids.join(", ")))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Revoke {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        let answer = gateway.post(&format!("/admin/v1/grants/{}/revoke", self.id), &json!({"reason": self.reason}))?;
        let said = if answer["revoked"] == true { "is taken back" } else { "had ended already" };
        say(format!("{} {said}", visible(&self.id)))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl BreakGlass {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        let Some(name) = self.name else {
            let answer = gateway.get("/admin/v1/break-glass")?;
            let all = |value: &Value| value.as_array().into_iter().flatten().map(text).collect::<Vec<_>>().join(", ");
            let head = &["NAME", "AGENTS", "GIVES", "INSTEAD OF"];
            let none = "nothing is declared for emergencies";
            Listing { of: "break_glass", none, head }.say(&answer, false, |declared| {
                let (name, gives) = (text(&declared["name"]), text(&declared["access"]));
                vec![name, all(&declared["agents"]), gives, all(&declared["instead_of"])]
            })?;
            return Ok(ExitCode::SUCCESS);
        };
        let incident = self.incident.ok_or_else(|| Failure::said("name the incident, with --incident"))?;
        let reason = self.reason.ok_or_else(|| Failure::said("say why, with --reason: people will ask"))?;
        let mut body = json!({"name": name, "incident": incident, "reason": reason});
        for (member, value) in [("agent", self.agent), ("user", self.user)] {
            if let Some(value) = value {
                body[member] = json!(value);
            }
        }
        let given = gateway.post("/admin/v1/break-glass", &body)?;
        let grant = text(&given["grant"]);
        say(format!(
            "{} may use {}. This ends at {} (grant {grant}).\n\
             Guardrails still bind. Somebody else has to review this: remit review {grant}",
            text(&given["agent"]),
            text(&given["in_words"]),
            text(&given["expires_at"]),
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Review {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let gateway = self.access.open(folder)?;
        let body = json!({"justified": !self.unjustified, "note": self.note});
        let given = gateway.post(&format!("/admin/v1/grants/{}/review", self.id), &body)?;
        let used = given["used"].as_u64().and_then(|used| usize::try_from(used).ok()).unwrap_or_default();
        say(format!("{} is reviewed; {} rested on it", visible(&self.id), counted(used, "call", "calls")))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A request on a terminal: what the agent wrote comes last.
fn shown(request: &Value) -> String {
    format!(
        "Request  {}  ({})\nAgent    {}\nFor      {}\nAsks for {}\nNeeds    {} (question {})\nGrant    {}\nWhy      {}",
        text(&request["request"]),
        text(&request["state"]),
        text(&request["agent"]),
        text(&request["user"]),
        text(&request["in_words"]),
        text(&request["approval"]),
        text(&request["question"]),
        text(&request["grant"]),
        indented(request["why"].as_str().unwrap_or("-"), 9),
    )
}

//! A gateway, an agent that comes over HTTP, and people who have nothing but the program `remit`.

use std::process::{Command, Stdio};
use std::time::Duration;

use remit_cli::boot::Running;
use remit_testkit::place::{EMERGENCY, OFFERS, Place, Told, business, program};
use remit_testkit::upstream::Upstream;
use remit_testkit::wire::Wire;
use serde_json::{Value, json};

const AGENT: &str = "verbs-agent";

/// The gateway.
pub struct World {
    pub place: Place,
    pub upstream: Upstream,
    running: Running,
    wire: Wire,
}

impl World {
    pub async fn new() -> Self {
        Self::with("").await
    }

    /// With this at the end of `remit.yaml`.
    pub async fn with(more: &str) -> Self {
        Self::beside(more, &[]).await
    }

    /// The same, with secrets that only the owner can read.
    pub async fn beside(more: &str, secrets: &[(&str, &str)]) -> Self {
        let upstream = business(Duration::ZERO).await;
        let place = Place::before(&upstream);
        place.append("remit.yaml", &format!("{EMERGENCY}{more}"));
        place.append("remits/desk.yaml", OFFERS);
        place.admit(AGENT, "ada@acme.example");
        // Dan reviews and agrees to changes, too.
        let dan = "id: dan\n    user: dan@acme.example\n    teams: [security]\n    roles: [viewer, approver";
        place.edit("keys.yaml", dan, &format!("{dan}, security"));
        for (name, secret) in secrets {
            place.hide(name, secret);
        }
        let running = Running::start(place.path(), Some(([127, 0, 0, 1], 0).into())).await;
        let running = running.unwrap_or_else(|error| panic!("it starts: {error}"));
        let wire = Wire::to(&running.url);
        Self { place, upstream, running, wire }
    }

    pub async fn end(self) {
        self.running.stop().await;
    }

    /// What the program says to this person, and how it ends.
    pub fn run(&self, by: &str, arguments: &[&str]) -> Told {
        let output = Command::new(program())
            .arg("-C")
            .arg(self.place.path())
            .args(arguments)
            .env("REMIT_URL", &self.running.url)
            .env("REMIT_OPERATOR_KEY", format!("scenario-operator-{by}"))
            .stdin(Stdio::null())
            .output();
        output.expect("it runs").into()
    }

    /// What the program says when it does what it was asked to.
    pub fn says(&self, by: &str, arguments: &[&str]) -> String {
        let told = self.run(by, arguments);
        assert!(told.well && told.err.is_empty(), "{by}: remit {}: {told:?}", arguments.join(" "));
        told.out
    }

    /// What the program says when it does not.
    pub fn fails(&self, by: &str, arguments: &[&str]) -> String {
        let told = self.run(by, arguments);
        assert!(!told.well && !told.err.is_empty(), "{by}: remit {}: {told:?}", arguments.join(" "));
        told.err
    }

    pub async fn call(&self, tool: &str, arguments: Value) -> (u16, Value) {
        let call = json!({"tool": tool, "arguments": arguments});
        self.wire.send(AGENT, "/v1/calls", Some(&call)).await.expect("an answer")
    }

    pub async fn refund(&self, payment: &str, amount: u64) -> (u16, Value) {
        self.call("business/refund", json!({"payment": payment, "amount": amount})).await
    }

    /// A refund that waits for people: its question.
    pub async fn held(&self, payment: &str, amount: u64) -> String {
        let (_, answer) = self.refund(payment, amount).await;
        answer["question"].as_str().unwrap_or_else(|| panic!("it is held: {answer}")).to_owned()
    }

    pub async fn delete(&self) -> u16 {
        self.call("business/delete_customer", json!({"id": "C-1"})).await.0
    }

    /// The agent asks for access: the request.
    pub async fn asks(&self, why: &str) -> String {
        let body = json!({"tools": ["business/delete_customer"], "reason": why});
        let asked = self.wire.done(AGENT, "/v1/access-requests", Some(&body)).await;
        asked.expect("asked")["question"].as_str().expect("an id").to_owned()
    }

    /// What the agent is told of its question.
    pub async fn status(&self, question: &str) -> Value {
        self.wire.done(AGENT, &format!("/v1/questions/{question}"), None).await.expect("a status")
    }

    /// Takes the folder as it stands.
    pub async fn reload(&self) -> Value {
        let (_, answer) = self
            .wire
            .send("scenario-operator-rehearsal", "/admin/v1/reload", Some(&json!({})))
            .await
            .expect("an answer");
        answer
    }
}

/// The first word of the last line of a table that says this: its id.
pub fn row<'a>(table: &'a str, says: &str) -> &'a str {
    let line = table.lines().find(|line| line.contains(says)).unwrap_or_else(|| panic!("`{says}` in {table}"));
    line.split_whitespace().next().expect("a word")
}

pub fn contains(text: &str, expected: &[&str]) {
    for expected in expected {
        assert!(text.contains(expected), "`{expected}` in: {text}");
    }
}

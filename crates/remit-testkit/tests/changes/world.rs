//! A gateway whose people disagree, and what is asked of it.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::Path;

use remit_cli::boot::Running;
use remit_core::ids::Digest;
use remit_evidence::dsse::Envelope;
use remit_evidence::record::disclosed;
use remit_evidence::verify::{Trust, Verified, examine};
use remit_evidence::writer::Sign as _;
use remit_server::keys::Ed25519;
use remit_testkit::place;
use remit_testkit::wire::Wire;
use serde_json::{Value, json};

pub const AGENT: &str = "agent-desk";
pub const GUARDRAIL: &str = "@id(\"no-tickets\") @reason(\"tickets are frozen\")\n\
                         forbid (principal, action in [Action::\"write\"], resource);\n";

/// Operators: their id, user and roles. The text of a key is `operator-` and the id.
pub const PEOPLE: [(&str, Option<&str>, &str); 7] = [
    ("sam", Some("sam@acme.example"), "security"),
    ("sue", Some("sue@acme.example"), "security"),
    ("sam-again", Some("sam@acme.example"), "security"),
    ("nobody-says-who", None, "security"),
    ("olga", Some("olga@acme.example"), "operator"),
    ("fred", Some("fred@acme.example"), "approver"),
    ("vera", Some("vera@acme.example"), "viewer"),
];

pub fn key(id: &str) -> String {
    format!("operator-{id}")
}

pub fn keys(people: &[(&str, Option<&str>, &str)]) -> String {
    let hex = |text: &str| Digest::of(text.as_bytes()).to_string();
    let mut text = format!(
        "agents:\n  - {{ id: desk, agent: desk, user: ada@acme.example, expires: 2099-01-01, sha256: {} }}\noperators:\n",
        hex(AGENT)
    );
    for (id, user, role) in people {
        let user = user.map(|user| format!("user: {user}, ")).unwrap_or_default();
        let teams = if *role == "approver" { "teams: [finance], " } else { "" };
        let sha256 = hex(&key(id));
        text.push_str(&format!(
            "  - {{ id: {id}, {user}{teams}roles: [{role}], expires: 2099-01-01, sha256: {sha256} }}\n"
        ));
    }
    text
}

/// A configuration folder on a disk, with these people and a guardrail more.
pub struct Place(place::Place);

impl Place {
    pub fn new() -> Self {
        let place = place::Place::base();
        place.write("keys.yaml", &keys(&PEOPLE));
        place.write("guardrails/tickets.cedar", GUARDRAIL);
        Self(place)
    }

    /// Without the guardrail.
    pub fn weaken(&self) {
        self.write("guardrails/tickets.cedar", "");
    }

    pub async fn start(&self) -> Gateway {
        let running = Running::start(self.path(), Some(([127, 0, 0, 1], 0).into())).await;
        let running = running.unwrap_or_else(|error| panic!("{error}"));
        Gateway { wire: Wire::to(&running.url), running }
    }
}

impl Deref for Place {
    type Target = place::Place;

    fn deref(&self) -> &place::Place {
        &self.0
    }
}

pub struct Gateway {
    pub running: Running,
    pub wire: Wire,
}

/// What an agent is told about changing a ticket.
pub async fn ticket(wire: &Wire) -> String {
    let body = json!({"tool": "business/update_ticket", "arguments": {"id": "T-1", "status": "open"}});
    let (_, answer) = wire.send(AGENT, "/v1/decisions", Some(&body)).await.expect("an answer");
    let code = answer["code"].as_str().or(answer["decision"].as_str());
    code.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

pub async fn post(wire: &Wire, by: &str, path: &str, body: Value) -> (u16, Value) {
    wire.send(&key(by), path, Some(&body)).await.expect("an answer")
}

pub async fn vote(wire: &Wire, by: &str, change: &str, choice: &str) -> (u16, Value) {
    let body = json!({"choice": choice, "reason": "looked at it"});
    post(wire, by, &format!("/admin/v1/changes/{change}/votes"), body).await
}

/// Reloads, and expects that the folder waits for people; the change.
pub async fn pending(wire: &Wire) -> Value {
    let (status, answer) = post(wire, "olga", "/admin/v1/reload", json!({})).await;
    assert_eq!((status, answer["taken"].as_bool()), (202, Some(false)), "{answer}");
    answer["pending"].clone()
}

pub fn id(change: &Value) -> String {
    change["change"].as_str().expect("an id").to_owned()
}

pub fn codes(change: &Value) -> Vec<&str> {
    change["weakens"].as_array().expect("a list").iter().filter_map(|weakens| weakens["code"].as_str()).collect()
}

pub async fn get(wire: &Wire, path: &str) -> Value {
    wire.done(&key("vera"), path, None).await.expect("an answer")
}

impl Gateway {
    pub async fn stop(self) {
        self.running.stop().await;
    }
}

/// Every record, verified and complete.
pub async fn verified(wire: &Wire, place: &Path) -> Vec<(Verified, BTreeMap<String, Value>)> {
    let root = Ed25519::in_file(&place.join(".remit/gateway.key")).expect("the key");
    let mut trust = Trust::in_roots([root.public_key()]).expect("a root");
    let list = wire.done(&key("vera"), "/admin/v1/records?limit=10000", None).await.expect("records");
    let mut out = Vec::new();
    for record in list["records"].as_array().expect("records") {
        let envelope = Envelope::parse(record["envelope"].to_string().as_bytes()).expect("an envelope");
        let shown: Vec<String> = serde_json::from_value(record["disclosures"].clone()).expect("texts");
        let one = trust.verify(&envelope).expect("it verifies");
        one.check_disclosures(shown.iter().map(String::as_str)).expect("what was signed");
        out.push((one, disclosed(&shown).into_iter().collect()));
    }
    let all: Vec<Verified> = out.iter().map(|(record, _)| record.clone()).collect();
    let findings = examine(&all);
    assert!(findings.gaps.is_empty() && findings.doubles.is_empty() && findings.dangling.is_empty(), "{findings:?}");
    out
}

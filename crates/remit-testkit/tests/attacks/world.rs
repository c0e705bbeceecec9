//! A whole gateway that an attacker can reach: agents' keys, operators' keys, and people's passkeys.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use jiff::{SignedDuration, Timestamp};
use remit_app::people::{AccountChange, Invitation, Passkey, Spent};
use remit_cli::boot::Running;
use remit_core::ids::{Digest, OperatorId};
use remit_evidence::webauthn::PublicKey;
use remit_testkit::place::{Place, business};
use remit_testkit::upstream::Upstream;
use remit_testkit::wire::Wire;
use serde_json::{Value, json};

/// The agent, working for ada.
pub const AGENT: &str = "attack-agent-for-ada";
/// The same agent, working for bob, who is an approver.
pub const AGENT_OF_BOB: &str = "attack-agent-for-bob";

pub fn operator_key(id: &str) -> String {
    format!("scenario-operator-{id}")
}

fn hex(key: &str) -> String {
    Digest::of(key.as_bytes()).to_string()
}

pub struct World {
    pub running: Running,
    pub wire: Wire,
    pub upstream: Upstream,
    place: Place,
}

impl World {
    /// The folder of the scenarios, with other text in `remit.yaml`.
    pub async fn with(from: &str, to: &str) -> Self {
        Self::with_voter(from, to, None).await
    }

    /// The same, where one more person of the finance team votes: a credential, and whose it is. They are there from the
    /// start, as two people would have to let them in afterwards.
    pub async fn with_voter(from: &str, to: &str, voter: Option<(&str, &str)>) -> Self {
        let upstream = business(Duration::ZERO).await;
        let place = Place::before(&upstream);
        place.edit("keys.yaml", "operators:\n", &format!("{}{}", agents(), operators(voter)));
        place.edit("remit.yaml", from, to);
        // One person is enough to change the folder: what is tried here is not that.
        place.append("remit.yaml", "\nchanges: { people: 1, widening: 0 }\n");
        let running = Running::start(place.path(), Some("127.0.0.1:0".parse().expect("an address"))).await;
        let running = running.unwrap_or_else(|error| panic!("it starts: {error}"));
        let wire = Wire::to(&running.url);
        Self { running, wire, upstream, place }
    }

    pub async fn new() -> Self {
        Self::with("tenant: acme", "tenant: acme").await
    }

    /// Changes a file of the folder and has it put into force.
    pub async fn change(&self, file: &str, from: &str, to: &str) {
        self.place.edit(file, from, to);
        let reloaded = self.wire.done(&operator_key("rehearsal"), "/admin/v1/reload", Some(&json!({}))).await;
        // What protects less waits for people; here, for one.
        let pending = reloaded.expect("put forward")["pending"]["change"].as_str().map(str::to_owned);
        let Some(change) = pending else { return };
        let vote = json!({"choice": "approve", "reason": "a test"});
        let path = format!("/admin/v1/changes/{change}/votes");
        self.wire.done(&operator_key("rehearsal"), &path, Some(&vote)).await.expect("in force");
    }

    /// Asks for a refund; what was answered.
    pub async fn refund(&self, amount: u64) -> Value {
        let body = json!({"tool": "business/refund", "arguments": {"payment": "P-1", "amount": amount}});
        self.wire.send(AGENT, "/v1/calls", Some(&body)).await.expect("an answer").1
    }

    /// Asks for a refund that people have to approve; the question.
    pub async fn held(&self, amount: u64) -> String {
        let answer = self.refund(amount).await;
        answer["question"].as_str().unwrap_or_else(|| panic!("it is held: {answer}")).to_owned()
    }

    /// What an operator sees of a question.
    pub async fn look(&self, question: &str) -> Value {
        let path = format!("/admin/v1/questions/{question}");
        self.wire.done(&operator_key("rehearsal"), &path, None).await.expect("seen")
    }

    pub async fn state(&self, question: &str) -> String {
        self.look(question).await["state"].as_str().expect("a state").to_owned()
    }

    /// A vote of somebody who has looked.
    pub async fn ballot(&self, question: &str, choice: &str) -> Value {
        json!({"choice": choice, "reason": "because", "shown": self.look(question).await["shown"]})
    }

    /// Hands in a vote under this key: status, and the reason of a refusal.
    pub async fn cast(&self, key: &str, question: &str, ballot: &Value) -> (u16, String) {
        let path = format!("/admin/v1/questions/{question}/votes");
        let (status, answer) = self.wire.send(key, &path, Some(ballot)).await.expect("an answer");
        (status, answer["error"]["reason"].as_str().unwrap_or_default().to_owned())
    }

    pub async fn vote(&self, by: &str, question: &str, choice: &str) -> (u16, String) {
        let ballot = self.ballot(question, choice).await;
        self.cast(&operator_key(by), question, &ballot).await
    }

    /// How many calls reached the upstream.
    pub fn effects(&self) -> usize {
        self.upstream.calls().len()
    }

    /// Gives a person a passkey, as if they had accepted an invitation.
    pub async fn passkey(&self, person: &str, seed: u8) -> Authenticator {
        let (gate, now) = (&self.running.edge.gate, Timestamp::now());
        let (operator, by) = (operator(person), operator("rehearsal"));
        let later = now.checked_add(SignedDuration::from_hours(1)).expect("a time");
        let token = Digest::of(&[seed]);
        let invitation = Invitation { token, operator: operator.clone(), by: by.clone(), expires_at: later };
        let invited = gate.change_account(&operator, &by, AccountChange::Invited(invitation)).await;
        invited.expect("invited");
        let key = SigningKey::from_bytes(&[seed; 32]);
        let passkey = Passkey {
            id: vec![seed; 16],
            key: PublicKey::ed25519(key.verifying_key().as_bytes()).expect("a key"),
            label: "laptop".into(),
            sign_count: 0,
            added_at: now,
            used_at: None,
        };
        let spent = Spent { challenge: Digest::of(&[seed, seed]), until: later };
        let change = AccountChange::PasskeyAdded { passkey: Box::new(passkey), invitation: Some(token), spent };
        gate.change_account(&operator, &operator, change).await.expect("added");
        Authenticator { key, credential: vec![seed; 16], url: self.running.url.clone(), verifies: true }
    }

    /// The ballot with the passkey's signature over it.
    pub async fn signed(&self, by: &str, question: &str, choice: &str, passkey: &Authenticator) -> Value {
        let mut ballot = self.ballot(question, choice).await;
        let path = format!("/admin/v1/questions/{question}/statements");
        let stated = self.wire.done(&operator_key(by), &path, Some(&ballot)).await.expect("a statement");
        ballot["assertion"] = passkey.answer(&stated);
        ballot
    }

    pub async fn stop(self) {
        self.running.stop().await;
    }
}

pub fn operator(id: &str) -> OperatorId {
    OperatorId::parse(id).expect("an id")
}

fn operators(voter: Option<(&str, &str)>) -> String {
    let entry = voter.map(|(id, user)| {
        format!(
            "  - id: {id}\n    user: {user}\n    teams: [finance]\n    roles: [approver]\n    expires: 2099-01-01\n    \
             sha256: {}\n",
            hex(&operator_key(id))
        )
    });
    format!("operators:\n{}", entry.unwrap_or_default())
}

fn agents() -> String {
    let key = |id: &str, user: &str, key: &str| {
        format!("  - {{ id: {id}, agent: desk, user: {user}, expires: 2099-01-01, sha256: {} }}\n", hex(key))
    };
    format!("agents:\n{}{}", key("k-1", "ada@acme.example", AGENT), key("k-2", "bob@acme.example", AGENT_OF_BOB))
}

/// A person's passkey.
pub struct Authenticator {
    key: SigningKey,
    credential: Vec<u8>,
    url: String,
    /// Whether it asks for a finger or a PIN.
    pub verifies: bool,
}

impl Authenticator {
    /// What it answers to a statement, through a browser on the gateway's pages.
    pub fn answer(&self, stated: &Value) -> Value {
        let client_data = json!({"type": "webauthn.get", "challenge": stated["challenge"], "origin": self.url});
        let client_data = client_data.to_string();
        let rp_id = stated["rp_id"].as_str().expect("a site");
        let mut seen = Digest::of(rp_id.as_bytes()).as_bytes().to_vec();
        seen.extend([if self.verifies { 0x05 } else { 0x01 }, 0, 0, 0, 0]);
        let message = [&seen[..], Digest::of(client_data.as_bytes()).as_bytes()].concat();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "nonce": stated["nonce"], "credential": encode(&self.credential), "client_data": encode(client_data.as_bytes()),
            "authenticator_data": encode(&seen), "signature": encode(&self.key.sign(&message).to_bytes()),
        })
    }
}

//! Votes that people's own passkeys signed, and what somebody would try instead.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::SigningKey as P256Key;
use remit_core::json::{canonical, quoted};
use remit_evidence::webauthn::PublicKey;

use super::*;

const SITE: &str = "remit.acme.example";
pub const NONCE: &str = "0123456789abcdef0123456789abcdef";

/// A person's passkey.
pub enum Passkey {
    Es256(P256Key),
    Ed25519(SigningKey),
}

pub fn es256(seed: u8) -> Passkey {
    Passkey::Es256(P256Key::from_slice(&[seed; 32]).expect("key"))
}

pub fn ed25519(seed: u8) -> Passkey {
    Passkey::Ed25519(SigningKey::from_bytes(&[seed; 32]))
}

impl Passkey {
    pub fn public(&self) -> String {
        match self {
            Self::Es256(key) => PublicKey::es256(key.verifying_key().to_sec1_point(false).as_bytes()),
            Self::Ed25519(key) => PublicKey::ed25519(key.verifying_key().as_bytes()),
        }
        .expect("key")
        .to_string()
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Es256(key) => {
                let signature: p256::ecdsa::Signature = p256::ecdsa::signature::Signer::sign(key, message);
                signature.to_der().as_bytes().to_vec()
            }
            Self::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
        }
    }

    /// What its authenticator answers to the challenge of this statement.
    pub fn answer(&self, statement: &Value, flags: u8) -> Value {
        let challenge = URL_SAFE_NO_PAD.encode(Digest::of(canonical(statement).as_bytes()).as_bytes());
        let origin = format!("https://{SITE}");
        let client_data =
            json!({"type": "webauthn.get", "challenge": challenge, "origin": origin, "crossOrigin": false});
        let client_data = client_data.to_string();
        let mut seen = Digest::of(SITE.as_bytes()).as_bytes().to_vec();
        seen.extend([flags, 0, 0, 0, 7]);
        let message = [&seen[..], Digest::of(client_data.as_bytes()).as_bytes()].concat();
        json!({
            "key": self.public(), "rp_id": SITE, "origins": [origin],
            "client_data": URL_SAFE_NO_PAD.encode(client_data),
            "authenticator_data": URL_SAFE_NO_PAD.encode(&seen),
            "signature": URL_SAFE_NO_PAD.encode(self.sign(&message)),
        })
    }
}

fn commit(what: &str, value: &str) -> String {
    Digest::of(format!("{NONCE}\0{what}\0{value}").as_bytes()).to_string()
}

/// What was shown, as the approval record discloses it.
pub fn sight() -> Value {
    json!({"tool": "shop/refund", "arguments": {"amount": 3}})
}

/// The definition of the rule that all votes are under.
pub fn definition() -> String {
    Digest::of(b"rule").to_string()
}

/// What a vote of Grace's covers.
pub fn statement(question: &str, choice: &str) -> Value {
    statement_of("grace", question, choice)
}

/// What a vote of this person's covers.
pub fn statement_of(who: &str, question: &str, choice: &str) -> Value {
    json!({
        "_type": "https://remit.dev/approval-statement/v1", "tenant": "acme", "question": question,
        "action": records::action("shop/refund").to_string(), "rule": "large", "definition": definition(),
        "choice": choice, "shown": Digest::of(canonical(&sight()).as_bytes()).to_string(),
        "expires": "2026-11-21T11:00:00.000Z",
        "approver": commit("approver", who), "reason": commit("reason", "checked"),
    })
}

/// A vote that covers this statement; with an answer it says that a passkey signed it.
pub fn vote(pen: &Writer, at: u8, asked: &SignedRecord, statement: &Value, answer: Option<&Value>) -> SignedRecord {
    vote_of(("grace", &["operator grace"]), (pen, at), asked, statement, answer)
}

/// A vote of this person's, whom the gateway names by commitments to these.
pub fn vote_of(
    (who, people): (&str, &[&str]),
    (pen, at): (&Writer, u8),
    asked: &SignedRecord,
    statement: &Value,
    answer: Option<&Value>,
) -> SignedRecord {
    let mut people: Vec<String> = people.iter().map(|name| Digest::of(name.as_bytes()).to_string()).collect();
    people.sort();
    let mut body = Object::new();
    let text = |name: &str| statement[name].as_str().expect("a text").to_owned();
    body.texts("people", people);
    for name in ["question", "rule", "choice", "expires"] {
        body.text(name, &text(name));
    }
    if let Some(bounds) = statement["bounds"].as_str() {
        body.text("bounds", bounds);
    }
    body.text("factor", if answer.is_some() { "passkey" } else { "key" });
    body.text("assurance", if answer.is_some() { "passkey" } else { "operator_attested" });
    body.value("statement", statement);
    if let Some(answer) = answer {
        body.value("assertion", answer);
    }
    let disclosures = vec![
        ("approver", quoted(who)),
        ("reason", quoted("checked")),
        ("statement_nonce", quoted(NONCE)),
        ("shown", canonical(&sight())),
    ];
    let draft = Draft {
        kind: Kind::Approval,
        id: RecordId::parse(&format!("rec_{at:02}_acme")).expect("id"),
        time: format!("2026-11-21T10:00:{at:02}.000Z"),
        run: Some(RunId::parse("run_1").expect("id")),
        traceparent: None,
        action: statement["action"].as_str().and_then(Digest::from_hex),
        links: vec![("decision", asked.digest)],
        body,
        disclosures,
    };
    pen.sign(&pen.ticket(), draft, &Entropy { nonce: [at; 16], salt: [at ^ 0x80; 16] })
}

/// The record by which the operator says that a passkey is somebody's.
pub fn announced(pen: &Writer, at: u8, key: &Passkey) -> SignedRecord {
    told(pen, at, "passkey_added", key)
}

/// The record of what became of a passkey.
pub fn told(pen: &Writer, at: u8, event: &str, key: &Passkey) -> SignedRecord {
    record(pen, at, Kind::Key, Vec::new(), |body| {
        body.text("event", event);
        if event.starts_with("passkey") {
            body.text("credential", &Digest::of(b"credential").to_string()).text("key", &key.public());
        } else {
            body.texts("keys", [key.public()]);
        }
    })
}

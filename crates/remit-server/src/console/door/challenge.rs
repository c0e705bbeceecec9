//! Challenges between a page's script and here: what is sent, and what comes back (W3C WebAuthn Level 3, section 5).

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use remit_app::people::Spent;
use remit_core::json;
use remit_core::verdict::{Code, Refusal};
use remit_evidence::webauthn::{Expected, NotProven};
use serde_json::Value;

use super::secrets::Secrets;
use crate::accept;
use crate::admin::answer;
use crate::edge::Edge;

/// A fresh challenge for this purpose, as its text.
pub(crate) fn asked(edge: &Edge, purpose: &[u8]) -> String {
    let ports = edge.gate.ports();
    URL_SAFE_NO_PAD.encode(Secrets::of(edge).challenge(purpose, ports.clock.now(), &ports.entropy.bytes()))
}

/// An answer of a browser, to a challenge of ours that may still be answered.
pub(crate) struct Answered {
    members: Value,
    /// The bytes that the authenticator signed over.
    pub client_data: Vec<u8>,
    /// The challenge that was answered.
    pub challenge: Vec<u8>,
    /// As what it is spent.
    pub spent: Spent,
}

impl Answered {
    /// Reads an answer. The challenge in it is looked at for our own seal first; that the authenticator signed just
    /// this one is checked with all the rest.
    pub(crate) async fn read(edge: &Edge, raw: Body, purpose: &[u8]) -> Result<Self, Refusal> {
        let members = accept::object(raw, edge.settings.body_bytes_max).await?;
        let client_data = bytes(&members, "clientDataJSON")?;
        let said = json::parse(&client_data).ok();
        let challenge = said.as_ref().and_then(|said| said.get("challenge")).and_then(Value::as_str);
        let challenge = challenge.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).unwrap_or_default();
        let now = edge.gate.ports().clock.now();
        let spent = Secrets::of(edge).answered(purpose, &challenge, now);
        let spent = spent.ok_or_else(|| not_proven(&NotProven("the challenge is too old, or none of ours")))?;
        Ok(Self { members, client_data, challenge, spent })
    }

    /// A member in base64url.
    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, Refusal> {
        bytes(&self.members, name)
    }

    /// A member that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    /// What the answer has to be an answer to.
    pub(crate) fn expected<'e>(&'e self, edge: &'e Edge) -> Result<Expected<'e>, Refusal> {
        let settings = &edge.settings.console;
        let rp_id =
            settings.rp_id.as_deref().ok_or_else(|| Refusal::new(Code::Malformed, "there are no passkeys here"))?;
        Ok(Expected { rp_id, origins: &settings.origins, challenge: &self.challenge, user_verified: true })
    }
}

fn bytes(members: &Value, name: &str) -> Result<Vec<u8>, Refusal> {
    let text = members.get(name).and_then(Value::as_str);
    text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
        .ok_or_else(|| Refusal::new(Code::Malformed, format!("`{name}` is missing or malformed")))
}

/// Why an authenticator's answer was not taken.
pub(crate) fn not_proven(why: &NotProven) -> Refusal {
    Refusal::new(Code::Malformed, why.0).with_remedy("Try again, on this page.")
}

/// A script's answer.
pub(crate) fn json_answer(result: Result<Value, Refusal>) -> Response {
    answer(result)
}

//! Adding a passkey, by an invitation or when signed in.

use jiff::Timestamp;
use remit_app::people::{AccountChange, LABEL_CHARS_MAX, Passkey};
use remit_core::ids::{Digest, OperatorId};
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::admin::unavailable;
use crate::console::door::secrets::Secrets;
use crate::console::door::{Answered, asked, credential, not_changed, not_proven};
use crate::edge::Edge;

/// What `navigator.credentials.create` is asked for: a passkey that the device keeps, and that verifies its user.
pub(crate) async fn options(edge: &Edge, operator: &OperatorId, purpose: &[u8]) -> Result<Value, Refusal> {
    let rp_id = edge.settings.console.rp_id.as_deref();
    let rp_id = rp_id.ok_or_else(|| Refusal::new(Code::Malformed, "there are no passkeys here"))?;
    let account = edge.gate.ports().store.account(operator).await.map_err(unavailable)?;
    let known = account.into_iter().flat_map(|account| account.passkeys);
    let known = known.map(|passkey| json!({"type": "public-key", "id": URL_SAFE_NO_PAD.encode(passkey.id)}));
    let handle = URL_SAFE_NO_PAD.encode(Secrets::of(edge).handle(operator.as_str()));
    Ok(json!({
        "challenge": asked(edge, purpose),
        "rp": {"id": rp_id, "name": "Remit"},
        "user": {"id": handle, "name": operator.as_str(), "displayName": operator.as_str()},
        "pubKeyCredParams": [{"type": "public-key", "alg": -7}, {"type": "public-key", "alg": -8}],
        "excludeCredentials": known.collect::<Vec<_>>(),
        "authenticatorSelection": {"residentKey": "required", "userVerification": "required"},
        "attestation": "none",
        "timeout": 120_000,
    }))
}

/// Adds what the authenticator answered with: `{"label"?, "clientDataJSON", "attestationObject"}`.
pub(crate) async fn add(
    edge: &Edge,
    operator: &OperatorId,
    answered: &Answered,
    invitation: Option<Digest>,
) -> Result<(), Refusal> {
    let attestation = answered.bytes("attestationObject")?;
    let made = credential::read(&answered.client_data, &attestation, &answered.expected(edge)?);
    let made = made.map_err(|why| not_proven(&why))?;
    let added_at: Timestamp = edge.gate.ports().clock.now();
    let passkey = Passkey {
        id: made.id,
        key: made.key,
        label: label(answered.text("label")),
        sign_count: made.seen.sign_count,
        added_at,
        used_at: None,
    };
    let change = AccountChange::PasskeyAdded { passkey: Box::new(passkey), invitation, spent: answered.spent };
    edge.gate.change_account(operator, operator, change).await.map_err(not_changed)?;
    tracing::info!(%operator, "a passkey was added");
    Ok(())
}

fn label(given: Option<&str>) -> String {
    let label: String =
        given.unwrap_or_default().trim().chars().filter(|c| !c.is_control()).take(LABEL_CHARS_MAX).collect();
    if label.is_empty() { "Passkey".to_owned() } else { label }
}

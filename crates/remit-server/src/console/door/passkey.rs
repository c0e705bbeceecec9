//! Signing in with a passkey. Nobody says who they are first: the passkey does.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use remit_app::people::Proof;
use remit_core::approval::Factor;
use remit_core::verdict::{Code, Refusal};
use remit_evidence::webauthn::{Assertion, verify};
use serde_json::json;

use super::addresses::Peer;
use super::challenge::not_proven;
use super::{Answered, Arrival, asked, from_here, json_answer, local, open, with_cookie};
use crate::admin::unavailable;
use crate::edge::Edge;
use crate::visit;

const PURPOSE: &[u8] = b"sign-in";

/// `POST /console/sign-in/challenge`.
pub(super) async fn challenge(State(edge): State<Arc<Edge>>) -> Response {
    let rp_id = edge.settings.console.rp_id.clone();
    let made = rp_id.ok_or_else(|| Refusal::new(Code::Malformed, "there are no passkeys here"));
    json_answer(made.map(|rp_id| {
        json!({"challenge": asked(&edge, PURPOSE), "rpId": rp_id, "timeout": 120_000, "userVerification": "required"})
    }))
}

/// `POST /console/sign-in/passkey`: `{"id", "clientDataJSON", "authenticatorData", "signature", "next"?}`.
pub(super) async fn sign_in(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, raw) = request.into_parts();
    let peer = parts.extensions.get::<Peer>().copied().map(Extension);
    let mut next = local(None);
    let signed_in = from_here(&edge, peer, async {
        let answered = Answered::read(&edge, raw, PURPOSE).await?;
        let id = answered.bytes("id")?;
        let found = edge.gate.ports().store.passkey(&id).await.map_err(unavailable)?;
        let (owner, passkey) = found.ok_or_else(nobody)?;
        let (data, signature) = (answered.bytes("authenticatorData")?, answered.bytes("signature")?);
        let assertion =
            Assertion { client_data: &answered.client_data, authenticator_data: &data, signature: &signature };
        let seen = verify(&passkey.key, &answered.expected(&edge)?, &assertion).map_err(|why| not_proven(&why))?;
        edge.person(&owner).ok_or_else(nobody)?;
        let proof = Proof::Passkey { id, sign_count: seen.sign_count, spent: answered.spent };
        next = local(answered.text("next"));
        open(&edge, &parts.headers, &owner, Arrival::now(&edge, &parts.headers, Factor::Passkey, proof)).await
    });
    match signed_in.await.and_then(|token| token.ok_or_else(nobody)) {
        Ok(token) => {
            let answer = json_answer(Ok(json!({"next": next})));
            with_cookie(answer, &visit::cookie(&edge.settings.console, &token))
        }
        Err(refusal) => json_answer(Err(refusal)),
    }
}

/// One answer for every way in which a passkey can be none: which are known is nobody's business.
fn nobody() -> Refusal {
    Refusal::new(Code::Unauthenticated, "this passkey opens nothing here")
        .with_remedy("Sign in by password, or ask for an invitation.")
}

//! Signing in with a passkey. Nobody says who they are first: the passkey does.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use remit_app::people::Proof;
use remit_core::approval::Factor;
use remit_core::verdict::{Code, Refusal};
use remit_evidence::webauthn::{Assertion, verify};
use serde_json::json;

use super::challenge::not_proven;
use super::{Answered, asked, json_answer, local, open, with_cookie};
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
    let signed_in = async {
        let answered = Answered::read(&edge, raw, PURPOSE).await?;
        let id = answered.bytes("id")?;
        let found = edge.gate.ports().store.passkey(&id).await.map_err(unavailable)?;
        // One answer for every way in which a passkey can be none: which are known is nobody's business.
        let nobody = || {
            Refusal::new(Code::Unauthenticated, "this passkey opens nothing here")
                .with_remedy("Sign in by password, or ask for an invitation.")
        };
        let (owner, passkey) = found.ok_or_else(nobody)?;
        let (data, signature) = (answered.bytes("authenticatorData")?, answered.bytes("signature")?);
        let assertion =
            Assertion { client_data: &answered.client_data, authenticator_data: &data, signature: &signature };
        let seen = verify(&passkey.key, &answered.expected(&edge)?, &assertion).map_err(|why| not_proven(&why))?;
        edge.person(&owner).ok_or_else(nobody)?;
        let proof = Proof::Passkey { id, sign_count: seen.sign_count, spent: answered.spent };
        let token = open(&edge, &parts.headers, &owner, Factor::Passkey, proof).await?.ok_or_else(nobody)?;
        Ok((token, json!({"next": local(answered.text("next"))})))
    };
    match signed_in.await {
        Ok((token, value)) => with_cookie(json_answer(Ok(value)), &visit::cookie(&edge.settings.console, &token)),
        Err(refusal) => json_answer(Err(refusal)),
    }
}

//! `GET /v1/evidence/{id}`: an agent's own decision as a bundle that others can verify, with what it rests on.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use remit_app::prove::{NoProof, Wanted};
use remit_core::verdict::{Code, Refusal};
use remit_evidence::bundle::MEDIA_TYPE;

use crate::edge::Edge;
use crate::gateway::builtin;
use crate::gateway::http::{asking, refused};

/// What an agent knows anyway, and so may see of its own records. Who approved and why is not among it.
const OWN: [&str; 3] = ["arguments", "resource", "user"];

pub(super) async fn evidence(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let proved = async {
        let (id, _) = builtin::own_decision(&edge, &asking(&edge, &headers).await?, &id).await?;
        bundle(&edge, &Wanted::Record(id), &OWN).await
    };
    match proved.await {
        Ok(text) => (StatusCode::OK, [(CONTENT_TYPE, MEDIA_TYPE)], text).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

/// A bundle as text.
pub(crate) async fn bundle(edge: &Edge, wanted: &Wanted, shown: &[&str]) -> Result<String, Refusal> {
    let Some(prover) = &edge.prover else {
        return Err(Refusal::new(Code::RecordUnsealed, "this gateway keeps no log"));
    };
    let (prover, shown) = (prover.clone(), shown.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    let made = async {
        let gathered = prover.gather(wanted).await?;
        let work = move || {
            let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
            prover.prove(gathered, &shown).map(|bundle| bundle.to_json().to_string())
        };
        // The tiles are files, or objects of a store far away: nobody else may wait for them.
        let proved = tokio::task::spawn_blocking(work).await;
        proved.unwrap_or_else(|_| Err(NoProof::Ledger("the work ended without an answer".into())))
    };
    made.await.map_err(|why| match why {
        NoProof::Unknown => Refusal::new(Code::RecordUnknown, why.to_string()),
        NoProof::NotSealed => Refusal::new(Code::RecordUnsealed, why.to_string()),
        NoProof::TooMany(_) => {
            Refusal::new(Code::RequestTooLarge, why.to_string()).with_remedy("Ask for a run, or for less time.")
        }
        NoProof::Ledger(_) => {
            tracing::error!(%why, "a proof could not be made");
            Refusal::new(Code::Internal, "the ledger cannot prove it; an operator should run `remit ledger fsck`")
        }
        NoProof::Unavailable(_) => Refusal::new(Code::StoreUnavailable, "the records could not be read"),
    })
}

//! The operators' API, under `/admin/v1`. Console and CLI use it and can do nothing it cannot.

pub(crate) mod access;
pub(crate) mod ballot;
mod batch;
pub(crate) mod changes;
pub(crate) mod delegations;
mod deletion;
mod deliveries;
mod evidence;
pub(crate) mod halts;
pub(crate) mod history;
mod look;
pub(crate) mod people;
pub(crate) mod proposals;
pub(crate) mod questions;
pub(crate) mod reviews;

use std::sync::Arc;

use axum::response::Response;
use axum::routing::{get, post};
use axum::{Router, middleware};
use http::HeaderMap;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde_json::Value;

use crate::edge::Edge;
use crate::gateway::http::{guard, ok, refused};
use crate::identify::Operator;
use crate::{accept, visit};

/// The paths.
pub fn routes(edge: Arc<Edge>) -> Router {
    Router::new()
        .route("/admin/v1/questions", get(questions::list))
        .route("/admin/v1/questions/{id}", get(questions::show))
        .route("/admin/v1/questions/{id}/votes", post(questions::vote))
        .route("/admin/v1/questions/{id}/statements", post(questions::statement))
        .route("/admin/v1/questions/{id}/remarks", post(questions::ask_back))
        .route("/admin/v1/questions/{id}/escalations", post(questions::escalate))
        .route("/admin/v1/questions/{id}/narrow", post(questions::narrow))
        .route("/admin/v1/halts", get(halts::list).post(halts::halt))
        .route("/admin/v1/halts/lift", post(halts::lift))
        .route("/admin/v1/halts/reach", get(halts::reach))
        .route("/admin/v1/holds", get(deletion::holds).post(deletion::place))
        .route("/admin/v1/holds/lift", post(deletion::lift))
        .route("/admin/v1/erasures", post(deletion::erase))
        .route("/admin/v1/runs", get(look::runs))
        .route("/admin/v1/runs/{id}", get(look::run))
        .route("/admin/v1/records", get(look::records))
        .route("/admin/v1/records/{id}", get(look::record))
        .route("/admin/v1/evidence", get(evidence::evidence))
        .route("/admin/v1/tools", get(look::tools))
        .route("/admin/v1/tools/survey", post(look::survey))
        .route("/admin/v1/snapshot", get(look::snapshot))
        .route("/admin/v1/budgets", get(look::budgets))
        .route("/admin/v1/people", get(people::list))
        .route("/admin/v1/people/{id}/invitations", post(people::invite))
        .route("/admin/v1/people/{id}/sessions/end", post(people::sign_out))
        .route("/admin/v1/people/{id}/passkeys/remove", post(people::remove_passkey))
        .route("/admin/v1/access-requests", get(access::requests))
        .route("/admin/v1/access-requests/{id}", get(access::request))
        .route("/admin/v1/access-requests/{id}/narrow", post(access::narrow))
        .route("/admin/v1/grants", get(access::grants).post(access::give))
        .route("/admin/v1/grants/{id}/revoke", post(access::revoke))
        .route("/admin/v1/grants/{id}/review", post(access::review))
        .route("/admin/v1/break-glass", get(access::emergencies).post(access::break_glass))
        .route("/admin/v1/reload", post(changes::reload))
        .route("/admin/v1/changes", get(changes::list))
        .route("/admin/v1/changes/{id}", get(changes::show))
        .route("/admin/v1/changes/{id}/votes", post(changes::vote))
        .route("/admin/v1/proposals", get(proposals::list).post(proposals::propose))
        .route("/admin/v1/snapshots", get(history::list))
        .route("/admin/v1/snapshots/{digest}", get(history::show))
        .route("/admin/v1/snapshots/{digest}/restore", post(history::restore))
        .route("/admin/v1/agents/{id}/standing", get(history::standing))
        .route("/admin/v1/questions/votes", post(batch::vote))
        .route("/admin/v1/delegations", get(delegations::list).post(delegations::delegate))
        .route("/admin/v1/delegations/{id}/revoke", post(delegations::revoke))
        .route("/admin/v1/reviews", get(reviews::list))
        .route("/admin/v1/reviews/{id}", post(reviews::close))
        .route("/admin/v1/approvers", get(reviews::approvers))
        .route("/admin/v1/deliveries", get(deliveries::list))
        .route("/admin/v1/changes/{id}/statements", post(changes::statement))
        .route("/admin/v1/agents/{id}/widenings", post(proposals::widen))
        .route("/admin/v1/notify/test", post(deliveries::test))
        .route("/admin/v1/people/{id}/login", post(people::give_login))
        .route("/admin/v1/people/{id}/login/remove", post(people::remove_login))
        .layer(middleware::from_fn_with_state(edge.clone(), visit::admit))
        .layer(middleware::from_fn_with_state(edge.clone(), guard))
        .with_state(edge)
}

/// The operator, when their roles let them do this. What has no record of its own is recorded here before it is
/// done, and so is every refusal of more than a look: what cannot be recorded is not done.
pub(crate) async fn operator(edge: &Edge, headers: &HeaderMap, deed: Deed) -> Result<Operator, Refusal> {
    let operator = edge.operator(headers).await?;
    if operator.may(deed) {
        record(edge, &operator, deed, None).await?;
        return Ok(operator);
    }
    record(edge, &operator, deed, Some(Code::PolicyNoPermit)).await?;
    let reason = format!("no role of {} lets them do this: {}", operator.approver.id, deed.as_str());
    Err(Refusal::new(Code::PolicyNoPermit, reason)
        .with_remedy("Ask somebody with the role, or have it given to you in keys.yaml."))
}

/// See [`remit_app::Gate::record_deed`].
pub(crate) async fn record(edge: &Edge, operator: &Operator, deed: Deed, refused: Option<Code>) -> Result<(), Refusal> {
    edge.gate.record_deed(&operator.approver.id, deed, refused).await.map_err(unavailable)
}

/// Reads the body of an operator's request.
pub(crate) async fn body(edge: &Edge, body: axum::body::Body) -> Result<Value, Refusal> {
    let bytes = accept::body(body, edge.settings.body_bytes_max).await?;
    let value = remit_core::json::parse(&bytes).map_err(|error| Refusal::new(Code::Malformed, error.to_string()))?;
    if value.is_object() { Ok(value) } else { Err(Refusal::new(Code::Malformed, "the body must be an object")) }
}

pub(crate) fn answer(result: Result<Value, Refusal>) -> Response {
    result.map_or_else(|refusal| refused(&refusal), ok)
}

pub(crate) fn unavailable(_: remit_app::intent::Unavailable) -> Refusal {
    Refusal::new(Code::StoreUnavailable, "the store is unavailable")
}

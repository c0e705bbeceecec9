//! The operators' API, under `/admin/v1`. Console and CLI use it and can do nothing it cannot.

pub(crate) mod access;
mod asked;
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
use axum::{Router, middleware};
use http::HeaderMap;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde_json::Value;

use crate::admin::asked::Table;
use crate::edge::Edge;
use crate::gateway::http::{guard, ok, refused};
use crate::identify::Operator;
use crate::visit;

/// The paths, and the deed that the roles of whoever comes there have to allow.
pub fn routes(edge: Arc<Edge>) -> Router {
    Table::new()
        .get("/admin/v1/questions", Deed::Look, questions::list)
        .get("/admin/v1/questions/{id}", Deed::Look, questions::show)
        .post("/admin/v1/questions/{id}/votes", Deed::Vote, questions::vote)
        .post("/admin/v1/questions/{id}/statements", Deed::Vote, questions::statement)
        .post("/admin/v1/questions/{id}/remarks", Deed::Vote, questions::ask_back)
        .post("/admin/v1/questions/{id}/escalations", Deed::Vote, questions::escalate)
        .post("/admin/v1/questions/{id}/narrow", Deed::Vote, questions::narrow)
        .get("/admin/v1/halts", Deed::Look, halts::list)
        .post("/admin/v1/halts", Deed::Halt, halts::halt)
        .post("/admin/v1/halts/lift", Deed::Resume, halts::lift)
        .get("/admin/v1/halts/reach", Deed::Look, halts::reach)
        .get("/admin/v1/holds", Deed::Look, deletion::holds)
        .post("/admin/v1/holds", Deed::Erase, deletion::place)
        .post("/admin/v1/holds/lift", Deed::Erase, deletion::lift)
        .post("/admin/v1/erasures", Deed::Erase, deletion::erase)
        .get("/admin/v1/runs", Deed::Look, look::runs)
        .get("/admin/v1/runs/{id}", Deed::Look, look::run)
        .get("/admin/v1/records", Deed::Look, look::records)
        .get("/admin/v1/records/{id}", Deed::Look, look::record)
        .get("/admin/v1/evidence", Deed::Evidence, evidence::evidence)
        .get("/admin/v1/tools", Deed::Look, look::tools)
        .post("/admin/v1/tools/survey", Deed::Survey, look::survey)
        .get("/admin/v1/snapshot", Deed::Look, look::snapshot)
        .get("/admin/v1/budgets", Deed::Look, look::budgets)
        .get("/admin/v1/people", Deed::Look, people::list)
        .post("/admin/v1/people/{id}/invitations", Deed::People, people::invite)
        .post("/admin/v1/people/{id}/sessions/end", Deed::People, people::sign_out)
        .post("/admin/v1/people/{id}/passkeys/remove", Deed::People, people::remove_passkey)
        .get("/admin/v1/access-requests", Deed::Look, access::requests)
        .get("/admin/v1/access-requests/{id}", Deed::Look, access::request)
        .post("/admin/v1/access-requests/{id}/narrow", Deed::Vote, access::narrow)
        .get("/admin/v1/grants", Deed::Look, access::grants)
        .post("/admin/v1/grants", Deed::Vote, access::give)
        .post("/admin/v1/grants/{id}/revoke", Deed::Revoke, access::revoke)
        .post("/admin/v1/grants/{id}/review", Deed::Review, access::review)
        .get("/admin/v1/break-glass", Deed::Look, access::emergencies)
        .post("/admin/v1/break-glass", Deed::BreakGlass, access::break_glass)
        .post("/admin/v1/reload", Deed::Reload, changes::reload)
        .get("/admin/v1/changes", Deed::Look, changes::list)
        .get("/admin/v1/changes/{id}", Deed::Look, changes::show)
        .post("/admin/v1/changes/{id}/votes", Deed::Change, changes::vote)
        .get("/admin/v1/proposals", Deed::Look, proposals::list)
        .post("/admin/v1/proposals", Deed::Propose, proposals::propose)
        .get("/admin/v1/snapshots", Deed::Look, history::list)
        .get("/admin/v1/snapshots/{digest}", Deed::Look, history::show)
        .post("/admin/v1/snapshots/{digest}/restore", Deed::Reload, history::restore)
        .get("/admin/v1/agents/{id}/standing", Deed::Look, history::standing)
        .post("/admin/v1/questions/votes", Deed::Vote, batch::vote)
        .get("/admin/v1/delegations", Deed::Look, delegations::list)
        .post("/admin/v1/delegations", Deed::Delegate, delegations::delegate)
        .post("/admin/v1/delegations/{id}/revoke", Deed::Look, delegations::revoke)
        .get("/admin/v1/reviews", Deed::Look, reviews::list)
        .post("/admin/v1/reviews/{id}", Deed::Review, reviews::close)
        .get("/admin/v1/approvers", Deed::People, reviews::approvers)
        .get("/admin/v1/deliveries", Deed::Look, deliveries::list)
        .post("/admin/v1/changes/{id}/statements", Deed::Change, changes::statement)
        .post("/admin/v1/agents/{id}/widenings", Deed::Propose, proposals::widen)
        .post("/admin/v1/notify/test", Deed::Reload, deliveries::test)
        .post("/admin/v1/people/{id}/login", Deed::People, people::give_login)
        .post("/admin/v1/people/{id}/login/remove", Deed::People, people::remove_login)
        .routes()
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

pub(crate) fn answer(result: Result<Value, Refusal>) -> Response {
    result.map_or_else(|refusal| refused(&refusal), ok)
}

pub(crate) fn unavailable(_: remit_app::intent::Unavailable) -> Refusal {
    Refusal::new(Code::StoreUnavailable, "the store is unavailable")
}

//! The ballot: a form that goes the same way as a vote by API or command line.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use remit_core::ids::{QuestionId, RuleId};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;

use crate::admin::operator;
use crate::admin::questions::not_taken;
use crate::console::page::{form, onward};
use crate::edge::Edge;

/// What the form says. Who votes comes from the credential; there is no field for a name.
#[derive(Deserialize)]
pub(in crate::console) struct Ballot {
    choice: String,
    #[serde(default)]
    rule: String,
    #[serde(default)]
    reason: String,
}

/// `POST /console/questions/{id}/votes`.
pub(in crate::console) async fn vote(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    ballot: Result<Form<Ballot>, FormRejection>,
) -> Response {
    onward(cast(&edge, &id, &headers, ballot).await)
}

async fn cast(
    edge: &Edge,
    id: &str,
    headers: &HeaderMap,
    ballot: Result<Form<Ballot>, FormRejection>,
) -> Result<String, Refusal> {
    let voter = operator(edge, headers, Deed::Vote).await?;
    let ballot = form(ballot)?;
    let id = QuestionId::parse(id).map_err(|_| Refusal::new(Code::QuestionUnknown, "there is no such question"))?;
    let approve = match ballot.choice.as_str() {
        "approve" => true,
        "deny" => false,
        _ => return Err(Refusal::new(Code::Malformed, "the choice must be approve or deny")),
    };
    let reason = ballot.reason.trim();
    if !approve && reason.is_empty() {
        let refusal = Refusal::new(Code::Malformed, "a denial needs a reason: the agent is told it");
        return Err(refusal.with_remedy("Go back and say why in a few words."));
    }
    let rule = Some(ballot.rule.as_str()).filter(|rule| !rule.is_empty()).map(RuleId::parse).transpose();
    let rule = rule.map_err(|error| Refusal::new(Code::Malformed, error.to_string()))?;
    edge.gate.vote(&voter.approver, &id, rule.as_ref(), approve, reason).await.map_err(not_taken)?;
    Ok(format!("/console/questions/{id}"))
}

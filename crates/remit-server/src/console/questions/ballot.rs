//! The ballot: a form that goes the same way as a vote by API or command line.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use remit_app::ballot::{Ballot, Choice};
use remit_core::ids::{Digest, QuestionId, RuleId};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;
use serde_json::json;

use crate::admin::ballot::narrower;
use crate::admin::operator;
use crate::admin::questions::not_taken;
use crate::console::page::{form, onward};
use crate::edge::Edge;
use crate::identify::Operator;

/// What the form says. Who votes comes from the credential: a field that names somebody is one too many.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Fields {
    /// Checked before anybody gets here.
    #[serde(default, rename = "csrf")]
    _csrf: String,
    choice: String,
    /// The digest of what the page showed.
    shown: String,
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
    ballot: Result<Form<Fields>, FormRejection>,
) -> Response {
    onward(cast(&edge, &id, &headers, ballot).await)
}

/// Something said about a question.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Words {
    /// Checked before anybody gets here.
    #[serde(default, rename = "csrf")]
    _csrf: String,
    text: String,
}

/// `POST /console/questions/{id}/remarks`: asks the agent back.
pub(in crate::console) async fn ask_back(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    words: Result<Form<Words>, FormRejection>,
) -> Response {
    let done = async {
        let (voter, id, text) = said(&edge, &id, &headers, words).await?;
        edge.gate.ask_back(&voter.approver, &id, &text).await.map_err(not_taken)?;
        Ok(format!("/console/questions/{id}"))
    };
    onward(done.await)
}

/// `POST /console/questions/{id}/escalations`: calls in the next people now.
pub(in crate::console) async fn escalate(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    words: Result<Form<Words>, FormRejection>,
) -> Response {
    let done = async {
        let (voter, id, text) = said(&edge, &id, &headers, words).await?;
        edge.gate.escalate(&voter.approver, &id, &text).await.map_err(not_taken)?;
        Ok(format!("/console/questions/{id}"))
    };
    onward(done.await)
}

/// Other arguments for the held call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::console) struct Changed {
    /// Checked before anybody gets here.
    #[serde(default, rename = "csrf")]
    _csrf: String,
    /// All of them, as a JSON object.
    arguments: String,
    reason: String,
    /// The digest of what the page showed.
    shown: String,
}

/// `POST /console/questions/{id}/narrow`: puts a call with other arguments in the held one's place.
pub(in crate::console) async fn narrow(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    changed: Result<Form<Changed>, FormRejection>,
) -> Response {
    let done = async {
        let voter = operator(&edge, &headers, Deed::Vote).await?;
        let Changed { arguments, reason, shown, .. } = form(changed)?;
        let malformed = |reason: String| Refusal::new(Code::Malformed, reason);
        let arguments = remit_core::json::parse(arguments.as_bytes());
        let arguments = arguments.map_err(|error| malformed(format!("the arguments are no JSON: {error}")))?;
        let reason = reason.replace("\r\n", "\n").trim().to_owned();
        let body = json!({"arguments": arguments, "reason": reason, "shown": shown});
        let done = edge.gate.narrow(&voter.approver, narrower(&id, &body)?).await.map_err(not_taken)?;
        // Where the other call waits for people, that is where to go on.
        Ok(format!("/console/questions/{}", done.next.unwrap_or(done.closed).id))
    };
    onward(done.await)
}

async fn said(
    edge: &Edge,
    id: &str,
    headers: &HeaderMap,
    words: Result<Form<Words>, FormRejection>,
) -> Result<(Operator, QuestionId, String), Refusal> {
    let voter = operator(edge, headers, Deed::Vote).await?;
    let text = form(words)?.text.replace("\r\n", "\n").trim().to_owned();
    let unknown = |_| Refusal::new(Code::QuestionUnknown, "there is no such question");
    Ok((voter, QuestionId::parse(id).map_err(unknown)?, text))
}

async fn cast(
    edge: &Edge,
    id: &str,
    headers: &HeaderMap,
    ballot: Result<Form<Fields>, FormRejection>,
) -> Result<String, Refusal> {
    let voter = operator(edge, headers, Deed::Vote).await?;
    let fields = form(ballot)?;
    let malformed = |reason: &str| Refusal::new(Code::Malformed, reason);
    let question =
        QuestionId::parse(id).map_err(|_| Refusal::new(Code::QuestionUnknown, "there is no such question"))?;
    let choice = match fields.choice.as_str() {
        "approve" => Choice::Approve,
        "deny" => Choice::Deny,
        _ => return Err(malformed("the choice must be approve or deny")),
    };
    let rule = Some(fields.rule.as_str()).filter(|rule| !rule.is_empty()).map(RuleId::parse).transpose();
    let rule = rule.map_err(|error| malformed(&error.to_string()))?;
    let shown = Digest::from_hex(&fields.shown).ok_or_else(|| malformed("the form does not say what it showed"))?;
    // Lines end as browsers write them, and a vote's reason is one text everywhere.
    let reason = fields.reason.replace("\r\n", "\n").trim().to_owned();
    let ballot = Ballot { question, rule, choice, reason, shown, proof: None };
    let question = edge.gate.vote(&voter.approver, ballot).await.map_err(not_taken)?;
    Ok(format!("/console/questions/{}", question.id))
}

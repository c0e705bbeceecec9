//! The ballot: a form that goes the same way as a vote by API or command line.

use std::sync::Arc;

use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use remit_app::NotTaken;
use remit_app::ballot::{Ballot, Choice};
use remit_app::question::{Question, RunBounds};
use remit_core::approval::Approver;
use remit_core::ids::{Digest, QuestionId, RuleId};
use remit_core::registry::micro_usd;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;
use serde_json::json;

use crate::admin::ballot::narrower;
use crate::admin::questions::not_taken;
use crate::admin::{operator, unavailable};
use crate::console::page::{form, onward};
use crate::edge::Edge;

/// Longest time of an approval for a run, in minutes: a year. The question ends sooner.
const MINUTES_MAX: i64 = 366 * 24 * 60;

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
    /// For an approval for the run; of no meaning for other choices.
    #[serde(default)]
    calls: String,
    /// In USD.
    #[serde(default)]
    money: String,
    #[serde(default)]
    minutes: String,
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
    said(&edge, &id, &headers, words, async |by, id, text| edge.gate.ask_back(by, id, text).await).await
}

/// `POST /console/questions/{id}/escalations`: calls in the next people now.
pub(in crate::console) async fn escalate(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    words: Result<Form<Words>, FormRejection>,
) -> Response {
    said(&edge, &id, &headers, words, async |by, id, text| edge.gate.escalate(by, id, text).await).await
}

/// Something is said about a question, by somebody who may vote.
async fn said(
    edge: &Edge,
    id: &str,
    headers: &HeaderMap,
    words: Result<Form<Words>, FormRejection>,
    how: impl AsyncFnOnce(&Approver, &QuestionId, &str) -> Result<Question, NotTaken>,
) -> Response {
    let done = async {
        let voter = operator(edge, headers, Deed::Vote).await?;
        let text = form(words)?.text.replace("\r\n", "\n").trim().to_owned();
        let unknown = |_| Refusal::new(Code::QuestionUnknown, "there is no such question");
        let id = QuestionId::parse(id).map_err(unknown)?;
        how(&voter.approver, &id, &text).await.map_err(not_taken)?;
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
    /// The button's own name, as the signing script knows it.
    #[serde(default, rename = "choice")]
    _choice: String,
    #[serde(default)]
    rule: String,
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
        let Changed { arguments, rule, reason, shown, .. } = form(changed)?;
        let malformed = |reason: String| Refusal::new(Code::Malformed, reason);
        let arguments = remit_core::json::parse(arguments.as_bytes());
        let arguments = arguments.map_err(|error| malformed(format!("the arguments are no JSON: {error}")))?;
        let reason = reason.replace("\r\n", "\n").trim().to_owned();
        let mut body = json!({"arguments": arguments, "reason": reason, "shown": shown});
        if !rule.is_empty() {
            body["rule"] = rule.into();
        }
        let narrower = narrower(&edge.settings, &id, &body)?;
        let done = edge.gate.narrow(&voter.approver, narrower).await.map_err(not_taken)?;
        // Where the other call waits for people, that is where to go on.
        Ok(format!("/console/questions/{}", done.next.unwrap_or(done.closed).id))
    };
    onward(done.await)
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
        "approve_run" => Choice::ApproveRun(bounds(edge, &question, &fields).await?),
        "deny" => Choice::Deny,
        _ => return Err(malformed("the choice must be approve, approve_run or deny")),
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

/// How far an approval for the run reaches: at most as long as the question is open. The gate checks the rest.
async fn bounds(edge: &Edge, id: &QuestionId, fields: &Fields) -> Result<RunBounds, Refusal> {
    let malformed = |reason: &str| Refusal::new(Code::Malformed, reason);
    let calls_max = fields.calls.trim().parse().map_err(|_| malformed("say for how many calls"))?;
    let cost_max = micro_usd(fields.money.trim()).ok_or_else(|| malformed("say for how much money, in USD"))?;
    let minutes = fields.minutes.trim().parse().ok().filter(|minutes: &i64| (1..=MINUTES_MAX).contains(minutes));
    let minutes = minutes.ok_or_else(|| malformed("say for how many minutes"))?;
    let ports = edge.gate.ports();
    let question = ports.store.question(id).await.map_err(unavailable)?;
    let question = question.ok_or_else(|| Refusal::new(Code::QuestionUnknown, "there is no such question"))?;
    let until = ports.clock.now().checked_add(SignedDuration::from_mins(minutes)).unwrap_or(question.expires_at);
    // In milliseconds, as it is written in the statement.
    let until = Timestamp::from_millisecond(until.min(question.expires_at).as_millisecond());
    Ok(RunBounds { calls_max, cost_max, until: until.unwrap_or(question.expires_at) })
}

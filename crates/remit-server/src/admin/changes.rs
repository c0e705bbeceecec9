//! Changes of the authority that wait for people, and proposed changes of remits.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Path, Query, Request, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use remit_app::change::{Change, ChangeState, NotChanged, Taken};
use remit_app::history::differences;
use remit_app::proposal::{NotProposed, Proposal, Suggestion};
use remit_core::ids::{AgentId, ChangeId, QuestionId};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::admin::history::files_shown;
use crate::admin::{answer, body, operator, unavailable};
use crate::edge::Edge;
use crate::gateway::http::{ok, refused};
use crate::refusal;

/// How many are listed.
const LISTED: u32 = 50;

/// `POST /admin/v1/reload`: puts the folder as it is now into force, or holds it for people (202).
pub(super) async fn reload(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    match operator(&edge, &headers, Deed::Reload).await {
        Ok(operator) => taken(&edge, edge.authorities().reload_by(&operator.approver.id).await),
        Err(refusal) => refused(&refusal),
    }
}

/// What became of an authority that was put forward.
pub(super) fn taken(edge: &Edge, result: Result<Taken, NotChanged>) -> Response {
    match result {
        Ok(Taken::InForce(digest)) => ok(json!({"taken": true, "snapshot": digest.to_string()})),
        Ok(Taken::Pending(change)) => {
            let in_force = edge.gate.snapshot().digest().to_string();
            let body = json!({"taken": false, "snapshot": in_force, "pending": shown(edge, &change)});
            let mut response = ok(body);
            *response.status_mut() = StatusCode::ACCEPTED;
            response
        }
        Err(error) => not_changed(error),
    }
}

/// `GET /admin/v1/changes`: the newest first.
pub(super) async fn list(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let listed = async {
        operator(&edge, &headers, Deed::Look).await?;
        let changes = edge.gate.ports().store.changes(LISTED).await.map_err(unavailable)?;
        Ok(json!({"changes": changes.iter().map(|change| shown(&edge, change)).collect::<Vec<_>>()}))
    };
    answer(listed.await)
}

/// `GET /admin/v1/changes/{id}`: with the lines that would come and go.
pub(super) async fn show(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let found = async {
        operator(&edge, &headers, Deed::Look).await?;
        let id = ChangeId::parse(&id).map_err(|_| unknown())?;
        let change = edge.gate.ports().store.change(&id).await.map_err(unavailable)?.ok_or_else(unknown)?;
        let mut body = shown(&edge, &change);
        let before = edge.gate.texts_in_force(change.base).await.map_err(unavailable)?;
        let files = match (before, edge.gate.texts_of(&id).await) {
            (Some(before), Ok(after)) => files_shown(&differences(&before, &after)),
            _ => Value::Null,
        };
        body["files"] = files;
        Ok(body)
    };
    answer(found.await)
}

/// `POST /admin/v1/changes/{id}/votes`: `{"choice": "approve"|"refuse", "reason"?}`. Who votes comes from the
/// credential; a name in the body is refused as an unknown member.
pub(super) async fn vote(State(edge): State<Arc<Edge>>, Path(id): Path<String>, request: Request) -> Response {
    let (parts, raw) = request.into_parts();
    let ballot = async {
        let voter = operator(&edge, &parts.headers, Deed::Change).await?;
        let id = ChangeId::parse(&id).map_err(|_| unknown())?;
        let asked = body(&edge, raw).await?;
        only(&asked, &["choice", "reason"])?;
        let approve = match asked.get("choice").and_then(Value::as_str) {
            Some("approve") => true,
            Some("refuse") => false,
            _ => return Err(Refusal::new(Code::Malformed, "`choice` must be approve or refuse")),
        };
        let reason = asked.get("reason").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
        if !approve && reason.is_empty() {
            return Err(Refusal::new(Code::Malformed, "`reason` is missing: whoever proposed it will ask"));
        }
        Ok((voter, id, approve, reason))
    };
    let (voter, id, approve, reason) = match ballot.await {
        Ok(ballot) => ballot,
        Err(refusal) => return refused(&refusal),
    };
    match edge.authorities().vote(&voter.approver.id, &id, approve, &reason).await {
        Ok(change) => ok(shown(&edge, &change)),
        Err(error) => {
            // A vote that does not count leaves its trace as well.
            if let Err(refusal) = crate::admin::record(&edge, &voter, Deed::Change, Some(code(&error))).await {
                return refused(&refusal);
            }
            not_changed(error)
        }
    }
}

/// `GET /admin/v1/proposals?agent=`.
pub(super) async fn proposals(
    State(edge): State<Arc<Edge>>,
    Query(params): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let listed = async {
        operator(&edge, &headers, Deed::Look).await?;
        let mut out = Vec::new();
        for proposal in edge.gate.ports().store.proposals(LISTED).await.map_err(unavailable)? {
            if params.get("agent").is_none_or(|agent| agent == proposal.agent.as_str()) {
                let suggestion = edge.gate.suggestion(&proposal).await.map_err(unavailable)?;
                out.push(proposal_shown(&proposal, suggestion.as_ref()));
            }
        }
        Ok(json!({"proposals": out}))
    };
    answer(listed.await)
}

/// `POST /admin/v1/proposals`: `{"agent", "question"}`: what would let calls like this one through.
pub(super) async fn propose(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, raw) = request.into_parts();
    let proposed = async {
        let operator = operator(&edge, &parts.headers, Deed::Propose).await?;
        let asked = body(&edge, raw).await?;
        only(&asked, &["agent", "question"])?;
        let text = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
        let bad = |error: remit_core::ids::InvalidId| Refusal::new(Code::Malformed, error.to_string());
        let agent = AgentId::parse(text("agent")).map_err(bad)?;
        let question = QuestionId::parse(text("question")).map_err(bad)?;
        let proposed = edge.gate.propose_always(&operator.approver.id, &agent, &question).await;
        let (proposal, suggestion) = proposed.map_err(not_proposed)?;
        Ok(proposal_shown(&proposal, Some(&suggestion)))
    };
    answer(proposed.await)
}

fn unknown() -> Refusal {
    Refusal::new(Code::RecordUnknown, "there is no such change").with_remedy("`remit changes` lists them.")
}

/// Refuses members that nobody reads: somebody may believe that they count.
fn only(asked: &Value, known: &[&str]) -> Result<(), Refusal> {
    let members = asked.as_object().into_iter().flat_map(|members| members.keys());
    match members.map(String::as_str).find(|name| !known.contains(name)) {
        None => Ok(()),
        Some(other) => {
            let shown: String = other.chars().filter(|c| !c.is_control()).take(64).collect();
            Err(Refusal::new(Code::Malformed, format!("unknown member `{shown}`")))
        }
    }
}

const fn code(error: &NotChanged) -> Code {
    match error {
        NotChanged::Unknown => Code::RecordUnknown,
        NotChanged::NotOpen(_) | NotChanged::TextsGone => Code::Conflict,
        NotChanged::NotEntitled(_) | NotChanged::TooFew { .. } => Code::PolicyNoPermit,
        NotChanged::SeveralAtOnce(_) | NotChanged::Faulty(_) => Code::Malformed,
        NotChanged::Unavailable(_) => Code::StoreUnavailable,
    }
}

/// The answer to what was not taken.
pub(super) fn not_changed(error: NotChanged) -> Response {
    let status = match &error {
        NotChanged::Unknown | NotChanged::NotEntitled(_) | NotChanged::Unavailable(_) => None,
        NotChanged::NotOpen(_) | NotChanged::TextsGone | NotChanged::TooFew { .. } => Some(StatusCode::CONFLICT),
        NotChanged::SeveralAtOnce(_) | NotChanged::Faulty(_) => Some(StatusCode::UNPROCESSABLE_ENTITY),
    };
    let text = match &error {
        NotChanged::Faulty(faults) => faults.join("\n"),
        NotChanged::Unavailable(_) => "the store is unavailable".to_owned(),
        other => other.to_string(),
    };
    let refusal = Refusal::new(code(&error), text).with_remedy(error.remedy());
    match status {
        Some(status) => refusal::http(status, &refusal, None),
        None => refused(&refusal),
    }
}

fn not_proposed(error: NotProposed) -> Refusal {
    let text = error.to_string();
    match error {
        NotProposed::Unknown => Refusal::new(Code::QuestionUnknown, text),
        NotProposed::Guardrail(_) => Refusal::new(Code::PolicyGuardrail, text)
            .with_remedy("Propose a change of the guardrail to the people who wrote it."),
        NotProposed::Unbound(_) => {
            Refusal::new(Code::Malformed, text).with_remedy("Write the grant by hand, and say there what bounds it.")
        }
        NotProposed::Unavailable(error) => unavailable(error),
    }
}

/// A change as people see it who have a say.
pub(super) fn shown(edge: &Edge, change: &Change) -> Value {
    let votes = change.votes.iter().map(|vote| {
        json!({
            "by": vote.by.as_str(), "choice": if vote.approve { "approve" } else { "refuse" },
            "reason": vote.reason, "at": vote.at.to_string(),
        })
    });
    let state = change.state(edge.gate.ports().clock.now());
    let approved = change.votes.iter().filter(|vote| vote.approve).count();
    json!({
        "change": change.id.as_str(),
        "state": state.as_str(),
        "open": state == ChangeState::Open,
        "base": change.base.to_string(),
        "snapshot": change.digest.to_string(),
        "weakens": change.weakens.iter().map(|w| json!({"code": w.code, "what": w.what})).collect::<Vec<_>>(),
        "needed": change.needed,
        "approved": approved,
        "votes": votes.collect::<Vec<_>>(),
        "by": change.by.as_ref().map(ToString::to_string),
        "at": change.at.to_string(),
        "expires_at": change.expires_at.to_string(),
        "record": change.record.as_str(),
    })
}

fn proposal_shown(proposal: &Proposal, suggestion: Option<&Suggestion>) -> Value {
    let evidence = |s: &Suggestion| remit_core::json::parse(s.evidence.as_bytes()).unwrap_or_default();
    json!({
        "proposal": proposal.id.as_str(),
        "agent": proposal.agent.as_str(),
        "question": proposal.question.as_str(),
        "by": proposal.by.as_str(),
        "at": proposal.at.to_string(),
        "record": proposal.record.as_str(),
        "file": suggestion.map(|s| s.file.as_str()),
        "lines": suggestion.map(|s| s.lines.as_str()),
        "leaves_open": suggestion.map(|s| s.leaves_open.as_slice()),
        "evidence": suggestion.map(evidence),
    })
}

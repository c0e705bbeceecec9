//! Changes of the authority that wait for people, and their votes on them.

use axum::response::Response;
use http::StatusCode;
use remit_app::change::{Change, ChangeBallot, ChangeState, NotChanged, Taken};
use remit_app::history::differences;
use remit_core::ids::ChangeId;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::admin::asked::{Answer, Asked};
use crate::admin::history::files_shown;
use crate::admin::questions::to_sign;
use crate::admin::{ballot, unavailable};
use crate::edge::Edge;
use crate::gateway::http::{ok, refused};
use crate::identify::Operator;
use crate::refusal;

/// How many are listed.
pub(crate) const LISTED: u32 = 50;

/// `POST /admin/v1/reload`: puts the folder as it is now into force, or holds it for people (202).
pub(super) async fn reload(Asked { edge, by, .. }: Asked) -> Result<Response, Refusal> {
    Ok(taken(&edge, edge.authorities().reload_by(&by.approver.id).await))
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
        Err(error) => not_changed(&error),
    }
}

/// `GET /admin/v1/changes`: the newest first.
pub(super) async fn list(Asked { edge, .. }: Asked) -> Answer {
    let changes = edge.gate.ports().store.changes(LISTED).await.map_err(unavailable)?;
    Ok(json!({"changes": changes.iter().map(|change| shown(&edge, change)).collect::<Vec<_>>()}))
}

/// `GET /admin/v1/changes/{id}`: with the lines that would come and go.
pub(super) async fn show(Asked { edge, id, .. }: Asked) -> Answer {
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
}

/// `POST /admin/v1/changes/{id}/votes`: `{"choice": "approve"|"refuse", "reason"?, "assertion"?}`. Who votes comes from
/// the credential; a name in the body is refused as an unknown member.
pub(super) async fn vote(Asked { edge, by: voter, id, body, .. }: Asked) -> Result<Response, Refusal> {
    let ballot = ballot::on_change(&edge.settings, &id, &body.object().await?)?;
    let cast = cast(&edge, &voter, ballot).await;
    Ok(cast.map_or_else(|error| not_changed(&error), |change| ok(shown(&edge, &change))))
}

/// Takes a vote. One that does not count leaves its trace as well.
pub(crate) async fn cast(edge: &Edge, voter: &Operator, ballot: ChangeBallot) -> Result<Change, NotChanged> {
    let voted = edge.authorities().vote(&voter.approver, ballot).await;
    if let Err(error) = &voted {
        edge.gate.record_deed(&voter.approver.id, Deed::Change, Some(code(error))).await?;
    }
    voted
}

/// `POST /admin/v1/changes/{id}/statements`: as for a vote, without the assertion. Answers the statement that the
/// voter's passkey signs, the challenge to sign it by, and the nonce to send with the vote.
pub(super) async fn statement(Asked { edge, by: voter, id, body, .. }: Asked) -> Answer {
    let asked = body.object().await?;
    let ballot = ballot::on_change(&edge.settings, &id, &asked)?;
    let stated = edge.gate.statement_on_change(&voter.approver.id, &ballot).await;
    let (statement, nonce) = stated.map_err(|error| refusal_of(&error))?;
    to_sign(&edge, &voter, &statement, &nonce).await
}

pub(crate) fn unknown() -> Refusal {
    Refusal::new(Code::RecordUnknown, "there is no such change").with_remedy("`remit changes` lists them.")
}

const fn code(error: &NotChanged) -> Code {
    match error {
        NotChanged::Unknown => Code::RecordUnknown,
        NotChanged::NotOpen(_) | NotChanged::TextsGone | NotChanged::Nothing => Code::Conflict,
        NotChanged::NotEntitled(_) | NotChanged::NotProven(_) | NotChanged::TooFew { .. } => Code::PolicyNoPermit,
        NotChanged::SeveralAtOnce(_) | NotChanged::Faulty(_) => Code::Malformed,
        NotChanged::Unavailable(_) => Code::StoreUnavailable,
    }
}

/// What was not taken, as a refusal.
pub(crate) fn refusal_of(error: &NotChanged) -> Refusal {
    let text = match error {
        NotChanged::Faulty(faults) => faults.join("\n"),
        NotChanged::Unavailable(_) => "the store is unavailable".to_owned(),
        other => other.to_string(),
    };
    Refusal::new(code(error), text).with_remedy(error.remedy())
}

/// The answer to what was not taken.
fn not_changed(error: &NotChanged) -> Response {
    let status = match error {
        NotChanged::TooFew { .. } => Some(StatusCode::CONFLICT),
        NotChanged::SeveralAtOnce(_) | NotChanged::Faulty(_) => Some(StatusCode::UNPROCESSABLE_ENTITY),
        _ => None,
    };
    let refusal = refusal_of(error);
    match status {
        Some(status) => refusal::http(status, &refusal, None),
        None => refused(&refusal),
    }
}

/// A change as people see it who have a say.
pub(super) fn shown(edge: &Edge, change: &Change) -> Value {
    let votes = change.votes.iter().map(|vote| {
        json!({
            "by": vote.by.as_str(), "choice": if vote.approve { "approve" } else { "refuse" },
            "factor": vote.factor.as_str(), "reason": vote.reason, "at": vote.at.to_string(),
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

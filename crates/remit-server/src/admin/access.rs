//! Access requests and grants, for the people who give them and take them back.

use remit_app::NotGiven;
use remit_app::access::{AccessRequest, Given};
use remit_core::access::Whom;
use remit_core::ids::{AgentId, GrantId, QuestionId, RuleId, UserId};
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::accept::{malformed, said};
use crate::admin::asked::{Answer, Asked};
use crate::admin::questions::not_taken;
use crate::admin::unavailable;
use crate::gateway::access;

/// `GET /admin/v1/access-requests`: what waits, the newest first; with `all=true` what is decided, too.
pub(super) async fn requests(Asked { edge, query, .. }: Asked) -> Answer {
    let waiting = !query.says("all")?;
    let requests = edge.gate.ports().store.requests(waiting).await.map_err(unavailable)?;
    Ok(json!({"requests": requests.iter().map(request_shown).collect::<Vec<_>>()}))
}

/// `GET /admin/v1/access-requests/{id}`.
pub(super) async fn request(Asked { edge, id, .. }: Asked) -> Answer {
    let id = question_id(&id)?;
    let request = edge.gate.ports().store.request(&id).await.map_err(unavailable)?;
    request.map(|request| request_shown(&request)).ok_or_else(unknown)
}

/// `POST /admin/v1/access-requests/{id}/narrow`: `{"tools"?, "where"?, "for_secs"?, "calls"?, "reason"?}`.
/// What is not named stays as it was asked.
pub(super) async fn narrow(Asked { edge, by: voter, id, body, .. }: Asked) -> Answer {
    let id = question_id(&id)?;
    let asked = body.only(&["tools", "where", "for_secs", "calls", "reason"]).await?;
    let reason = asked.get("reason").and_then(Value::as_str).unwrap_or_default();
    let request = edge.gate.narrow_access(&voter.approver, &id, &access::terms(&asked), reason).await;
    request.map(|request| request_shown(&request)).map_err(not_given)
}

/// `GET /admin/v1/grants`: those in force with how much of each is used, emergencies that wait for their
/// review, and how much of what was given was ever used; with `all=true` those that have ended, too.
pub(super) async fn grants(Asked { edge, query, .. }: Asked) -> Answer {
    let all = query.says("all")?;
    let store = &edge.gate.ports().store;
    let every = store.grants(false).await.map_err(unavailable)?;
    let mut shown = Vec::new();
    let mut used = 0u64;
    let each = edge.gate.used_each(every.iter().map(|given| &given.grant)).await.map_err(unavailable)?;
    for (given, calls) in every.iter().zip(each) {
        used += u64::from(calls > 0);
        if all || given.end.is_none() {
            shown.push(grant_shown(given, calls));
        }
    }
    let due = store.unreviewed().await.map_err(unavailable)?;
    Ok(json!({
        "grants": shown,
        "given": every.len(),
        "used": used,
        "review_due": due.iter().map(|given| given.grant.id.as_str()).collect::<Vec<_>>(),
    }))
}

/// `POST /admin/v1/grants`: `{"agent", "user"?, "tools", "where"?, "for_secs"?, "calls"?, "reason"}`. Gives
/// what the agent may ask for, under the same rule; this person's vote is the first.
pub(super) async fn give(Asked { edge, by: voter, body, .. }: Asked) -> Answer {
    let asked = body.only(&["agent", "user", "tools", "where", "for_secs", "calls", "reason"]).await?;
    let agent = AgentId::parse(said(&asked, "agent")?).map_err(malformed)?;
    let user = user(&asked)?;
    let reason = said(&asked, "reason")?;
    let terms = access::terms(&asked);
    let request = edge.gate.give_access(&voter.approver, &agent, user.as_ref(), &terms, reason).await;
    request.map(|request| request_shown(&request)).map_err(not_given)
}

/// `POST /admin/v1/grants/{id}/revoke`: `{"reason"}`.
pub(super) async fn revoke(Asked { edge, by: person, id, body, .. }: Asked) -> Answer {
    let id = grant_id(&id)?;
    let asked = body.only(&["reason"]).await?;
    let revoked = edge.gate.revoke_grant(&id, &person.approver.id, said(&asked, "reason")?).await?;
    Ok(json!({"revoked": revoked, "grant": id.as_str()}))
}

/// `POST /admin/v1/grants/{id}/review`: `{"justified", "note"}`: what a second person says of an emergency.
pub(super) async fn review(Asked { edge, by: person, id, body, .. }: Asked) -> Answer {
    let id = grant_id(&id)?;
    let asked = body.only(&["justified", "note"]).await?;
    let justified = asked.get("justified").and_then(Value::as_bool);
    let justified = justified.ok_or_else(|| malformed("`justified` must be true or false"))?;
    let given = edge.gate.review_emergency(&person.approver, &id, justified, said(&asked, "note")?).await?;
    let used = edge.gate.used(&given.grant).await.map_err(unavailable)?;
    Ok(grant_shown(&given, used))
}

/// `GET /admin/v1/break-glass`: what is declared for emergencies.
pub(super) async fn emergencies(Asked { edge, .. }: Asked) -> Answer {
    let snapshot = edge.gate.snapshot();
    Ok(json!({"break_glass": snapshot.break_glass().iter().map(|glass| json!({
        "name": glass.name.as_str(),
        "agents": glass.agents.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "access": glass.terms.to_json(),
        "instead_of": glass.instead_of.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })).collect::<Vec<_>>()}))
}

/// `POST /admin/v1/break-glass`: `{"name", "incident", "reason", "agent"?, "user"?}`.
pub(super) async fn break_glass(Asked { edge, by: person, body, .. }: Asked) -> Answer {
    let asked = body.only(&["name", "incident", "reason", "agent", "user"]).await?;
    let name = RuleId::parse(said(&asked, "name")?).map_err(malformed)?;
    let agent = asked.get("agent").and_then(Value::as_str).map(AgentId::parse).transpose().map_err(malformed)?;
    let (user, incident, reason) = (user(&asked)?, said(&asked, "incident")?, said(&asked, "reason")?);
    let given = edge.gate.break_glass(&person.approver, &name, agent.as_ref(), user.as_ref(), incident, reason).await?;
    edge.metrics.glass_broken(name.as_str());
    tracing::warn!(
        emergency = %name, incident, by = %person.approver.id, grant = %given.grant.id, agent = %given.grant.agent,
        "the glass was broken; somebody else has to review it"
    );
    Ok(grant_shown(&given, 0))
}

fn user(body: &Value) -> Result<Option<UserId>, Refusal> {
    match body.get("user") {
        None | Some(Value::Null) => Ok(None),
        Some(value) => UserId::parse(value.as_str().unwrap_or_default()).map(Some).map_err(malformed),
    }
}

fn unknown() -> Refusal {
    Refusal::new(Code::QuestionUnknown, "there is no such request")
}

fn question_id(id: &str) -> Result<QuestionId, Refusal> {
    QuestionId::parse(id).map_err(|_| unknown())
}

fn grant_id(id: &str) -> Result<GrantId, Refusal> {
    GrantId::parse(id).map_err(|_| Refusal::new(Code::GrantUnknown, "there is no such grant"))
}

pub(crate) fn not_given(error: NotGiven) -> Refusal {
    match error {
        NotGiven::Refused(refusal) => refusal,
        NotGiven::NotTaken(error) => not_taken(error),
    }
}

/// A request as people see it. What its agent wrote comes last.
fn request_shown(request: &AccessRequest) -> Value {
    let grant = match &request.state {
        remit_app::access::RequestState::Granted(id) => Some(id.as_str()),
        _ => None,
    };
    json!({
        "request": request.id.as_str(),
        "question": request.question.as_str(),
        "state": request.state.as_str(),
        "grant": grant,
        "agent": request.agent.as_str(),
        "user": request.user.as_ref().map(ToString::to_string),
        "access": request.terms.to_json(),
        "in_words": request.terms.to_string(),
        "unused_secs": request.ends_unused(),
        "approval": request.rule.as_str(),
        "asked_at": request.asked_at.to_string(),
        "asked_by": request.by.as_ref().map(ToString::to_string),
        "why": request.why,
    })
}

/// A grant as people see it, with what is used of it.
fn grant_shown(given: &Given, used: u64) -> Value {
    let grant = &given.grant;
    let user = match &grant.whom {
        Whom::Anybody => Some("*".to_owned()),
        Whom::Exactly(user) => user.as_ref().map(ToString::to_string),
    };
    let mut shown = json!({
        "grant": grant.id.as_str(),
        "state": given.state(),
        "agent": grant.agent.as_str(),
        "user": user,
        "access": grant.terms.to_json(),
        "in_words": grant.terms.to_string(),
        "rests_on": grant.ground.name().as_str(),
        "request": given.request.as_ref().map(ToString::to_string),
        "given_at": given.given_at.to_string(),
        "expires_at": grant.expires.to_string(),
        "unused_until": grant.unused_until.map(|at| at.to_string()),
        "used": used,
    });
    if let Some(end) = &given.end {
        shown["ended_at"] = json!(end.at.to_string());
        shown["ended_by"] = json!(end.by.as_ref().map(ToString::to_string));
        shown["reason"] = json!(end.reason);
    }
    if let Some(emergency) = &given.emergency {
        shown["emergency"] = json!({
            "incident": emergency.incident,
            "by": emergency.by.as_str(),
            "reason": emergency.reason,
            "review_due": emergency.review.is_none(),
            "review": emergency.review.as_ref().map(|review| json!({
                "by": review.by.as_str(), "at": review.at.to_string(), "justified": review.justified, "note": review.note,
            })),
        });
    }
    shown
}

//! Erasures, and the holds that forbid them. Both are for security: what is deleted does not come back.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use remit_app::erase::NotErased;
use remit_app::hold::HoldTarget;
use remit_core::ids::UserId;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::admin::{answer, body, operator, unavailable};
use crate::edge::Edge;
use crate::gateway::http::ok;

/// `POST /admin/v1/erasures`: `{"user", "reason", "also_open"}`.
pub(super) async fn erase(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, raw) = request.into_parts();
    let ordered = async {
        let operator = operator(&edge, &parts.headers, Deed::Erase).await?;
        let body = body(&edge, raw).await?;
        let user = body.get("user").and_then(Value::as_str).and_then(|id| UserId::parse(id).ok());
        let user = user.ok_or_else(|| Refusal::new(Code::Malformed, "`user` must name a person"))?;
        let also_open = match body.get("also_open") {
            None => false,
            Some(word) => {
                word.as_bool().ok_or_else(|| Refusal::new(Code::Malformed, "`also_open` must be true or false"))?
            }
        };
        Ok((operator, user, reason(&body)?, also_open))
    };
    let (operator, user, reason, also_open) = match ordered.await {
        Ok(ordered) => ordered,
        Err(refusal) => return answer(Err(refusal)),
    };
    // One person, under whichever of their names.
    let oneself = operator.approver.user.as_ref() == Some(&user);
    let erased = match oneself {
        true => Err(NotErased::Oneself),
        false => edge.gate.erase(&user, &operator.approver.id, &reason, also_open).await,
    };
    match erased {
        Ok(erased) => ok(json!({
            "records": erased.records,
            "recorded": erased.recorded.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "openings": erased.openings,
        })),
        Err(NotErased::Unavailable(error)) => answer(Err(unavailable(error))),
        Err(refused) => {
            let (code, remedy) = match &refused {
                NotErased::Oneself => (Code::PolicyNoPermit, "Somebody else with the role has to order it."),
                NotErased::Named => {
                    (Code::Malformed, "Give a reason without the name: a ticket's number, for example.")
                }
                NotErased::Held(_) => {
                    (Code::RecordKept, "Whoever placed the hold knows when it can be lifted: `remit hold`.")
                }
                _ => (Code::RecordKept, "Wait until it is over, or close it too with `--also-open`."),
            };
            answer(Err(Refusal::new(code, refused.to_string()).with_remedy(remedy)))
        }
    }
}

/// `GET /admin/v1/holds`.
pub(super) async fn holds(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let listed = async {
        operator(&edge, &headers, Deed::Look).await?;
        let holds = edge.gate.ports().store.holds().await.map_err(unavailable)?;
        Ok(json!({"holds": holds.iter().map(|hold| json!({
            "target": hold.target.to_string(), "by": hold.by, "reason": hold.reason, "since": hold.since.to_string(),
        })).collect::<Vec<_>>()}))
    };
    answer(listed.await)
}

/// `POST /admin/v1/holds`: `{"target", "reason"}`.
pub(super) async fn place(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, raw) = request.into_parts();
    let placed = async {
        let operator = operator(&edge, &parts.headers, Deed::Erase).await?;
        let body = body(&edge, raw).await?;
        let (target, reason) = (target(&body)?, reason(&body)?);
        if let HoldTarget::Run(run) = &target {
            let known = edge.gate.ports().store.run(run).await.map_err(unavailable)?.is_some();
            if !known {
                return Err(Refusal::new(Code::RunUnknown, "there is no such run, so the hold would keep nothing"));
            }
        }
        edge.gate.place_hold(target.clone(), &operator.approver.id, &reason).await.map_err(unavailable)?;
        Ok(json!({"held": target.to_string()}))
    };
    answer(placed.await)
}

/// `POST /admin/v1/holds/lift`: `{"target", "reason"}`.
pub(super) async fn lift(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, raw) = request.into_parts();
    let lifted = async {
        let operator = operator(&edge, &parts.headers, Deed::Erase).await?;
        let body = body(&edge, raw).await?;
        let (target, reason) = (target(&body)?, reason(&body)?);
        let lifted = edge.gate.lift_hold(&target, &operator.approver.id, &reason).await.map_err(unavailable)?;
        Ok(json!({"lifted": lifted, "target": target.to_string()}))
    };
    answer(lifted.await)
}

fn target(body: &Value) -> Result<HoldTarget, Refusal> {
    let target = body.get("target").and_then(Value::as_str).and_then(HoldTarget::parse);
    target.ok_or_else(|| Refusal::new(Code::Malformed, "`target` must be all, run:… or user:…"))
}

fn reason(body: &Value) -> Result<String, Refusal> {
    let reason = body.get("reason").and_then(Value::as_str).filter(|reason| !reason.trim().is_empty());
    reason.map(ToOwned::to_owned).ok_or_else(|| Refusal::new(Code::Malformed, "`reason` is missing: people will ask"))
}

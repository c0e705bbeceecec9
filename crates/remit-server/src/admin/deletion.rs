//! Erasures, and the holds that forbid them. Both are for security: what is deleted does not come back.

use remit_app::erase::NotErased;
use remit_app::hold::HoldTarget;
use remit_core::ids::UserId;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::accept::malformed;
use crate::admin::asked::{Answer, Asked};
use crate::admin::unavailable;

/// `POST /admin/v1/erasures`: `{"user", "reason", "also_open"}`.
pub(super) async fn erase(Asked { edge, by: operator, body, .. }: Asked) -> Answer {
    let body = body.object().await?;
    let user = body.get("user").and_then(Value::as_str).and_then(|id| UserId::parse(id).ok());
    let user = user.ok_or_else(|| malformed("`user` must name a person"))?;
    let also_open = body.get("also_open").map_or(Some(false), Value::as_bool);
    let also_open = also_open.ok_or_else(|| malformed("`also_open` must be true or false"))?;
    let reason = reason(&body)?;
    // One person, under whichever of their names.
    let oneself = operator.approver.user.as_ref() == Some(&user);
    let erased = match oneself {
        true => Err(NotErased::Oneself),
        false => edge.gate.erase(&user, &operator.approver.id, &reason, also_open).await,
    };
    let erased = erased.map_err(not_erased)?;
    Ok(json!({
        "records": erased.records,
        "recorded": erased.recorded.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "openings": erased.openings,
    }))
}

fn not_erased(error: NotErased) -> Refusal {
    let text = error.to_string();
    let (code, remedy) = match error {
        NotErased::Unavailable(error) => return unavailable(error),
        NotErased::Oneself => (Code::PolicyNoPermit, "Somebody else with the role has to order it."),
        NotErased::Named => (Code::Malformed, "Give a reason without the name: a ticket's number, for example."),
        NotErased::Held(_) => (Code::RecordKept, "Whoever placed the hold knows when it can be lifted: `remit hold`."),
        _ => (Code::RecordKept, "Wait until it is over, or close it too with `--also-open`."),
    };
    Refusal::new(code, text).with_remedy(remedy)
}

/// `GET /admin/v1/holds`.
pub(super) async fn holds(Asked { edge, .. }: Asked) -> Answer {
    let holds = edge.gate.ports().store.holds().await.map_err(unavailable)?;
    Ok(json!({"holds": holds.iter().map(|hold| json!({
        "target": hold.target.to_string(), "by": hold.by, "reason": hold.reason, "since": hold.since.to_string(),
    })).collect::<Vec<_>>()}))
}

/// `POST /admin/v1/holds`: `{"target", "reason"}`.
pub(super) async fn place(Asked { edge, by: operator, body, .. }: Asked) -> Answer {
    let body = body.object().await?;
    let (target, reason) = (target(&body)?, reason(&body)?);
    if let HoldTarget::Run(run) = &target {
        let known = edge.gate.ports().store.run(run).await.map_err(unavailable)?.is_some();
        if !known {
            return Err(Refusal::new(Code::RunUnknown, "there is no such run, so the hold would keep nothing")
                .with_remedy("The list of runs says which there are."));
        }
    }
    edge.gate.place_hold(target.clone(), &operator.approver.id, &reason).await.map_err(unavailable)?;
    Ok(json!({"held": target.to_string()}))
}

/// `POST /admin/v1/holds/lift`: `{"target", "reason"}`.
pub(super) async fn lift(Asked { edge, by: operator, body, .. }: Asked) -> Answer {
    let body = body.object().await?;
    let (target, reason) = (target(&body)?, reason(&body)?);
    let lifted = edge.gate.lift_hold(&target, &operator.approver.id, &reason).await.map_err(unavailable)?;
    Ok(json!({"lifted": lifted, "target": target.to_string()}))
}

fn target(body: &Value) -> Result<HoldTarget, Refusal> {
    let target = body.get("target").and_then(Value::as_str).and_then(HoldTarget::parse);
    target.ok_or_else(|| malformed("`target` must be all, run:… or user:…"))
}

fn reason(body: &Value) -> Result<String, Refusal> {
    let reason = body.get("reason").and_then(Value::as_str).filter(|reason| !reason.trim().is_empty());
    reason.map(ToOwned::to_owned).ok_or_else(|| malformed("`reason` is missing: people will ask"))
}

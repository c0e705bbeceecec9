//! Who votes in whose place.

use jiff::Timestamp;
use remit_app::delegation::{Delegation, NotDelegated};
use remit_core::ids::{OperatorId, RecordId, RuleId};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::accept::{malformed, said, text};
use crate::admin::asked::{Answer, Asked};
use crate::admin::unavailable;

/// `GET /admin/v1/delegations`: those in force, oldest first.
pub(super) async fn list(Asked { edge, .. }: Asked) -> Answer {
    let now = edge.gate.ports().clock.now();
    let found = edge.gate.ports().store.delegations(now).await.map_err(unavailable)?;
    Ok(json!({"delegations": found.iter().map(shown).collect::<Vec<_>>()}))
}

/// `POST /admin/v1/delegations`: `{"to", "until", "rule"?}`. In whose place comes from the credential.
pub(super) async fn delegate(Asked { edge, by: from, body, .. }: Asked) -> Answer {
    let order = body.only(&["to", "until", "rule"]).await?;
    let to = OperatorId::parse(said(&order, "to")?).map_err(malformed)?;
    let until = said(&order, "until")?.parse::<Timestamp>();
    let until = until.map_err(|_| malformed("`until` must be a time with an offset: 2026-12-01T09:00:00Z"))?;
    let rule = text(&order, "rule")?.map(RuleId::parse).transpose().map_err(malformed)?;
    let made = edge.gate.delegate(&from.approver, &to, rule.as_ref(), until).await;
    made.map(|delegation| shown(&delegation)).map_err(not_delegated)
}

/// `POST /admin/v1/delegations/{id}/revoke`. Either of the two may, and whoever may steer people.
pub(super) async fn revoke(Asked { edge, by, id, .. }: Asked) -> Answer {
    let id = RecordId::parse(&id).map_err(malformed)?;
    let ended = edge.gate.end_delegation(&by.approver.id, &id, by.may(Deed::People)).await.map_err(unavailable)?;
    Ok(json!({"revoked": ended, "delegation": id.as_str()}))
}

fn shown(delegation: &Delegation) -> Value {
    json!({
        "delegation": delegation.id.as_str(),
        "from": delegation.from.as_str(),
        "to": delegation.to.as_str(),
        "rule": delegation.rule.as_ref().map(RuleId::as_str),
        "since": delegation.since.to_string(),
        "until": delegation.until.to_string(),
    })
}

pub(crate) fn not_delegated(error: NotDelegated) -> Refusal {
    let text = error.to_string();
    match error {
        NotDelegated::Already => Refusal::new(Code::Conflict, text).with_remedy("Nothing was delegated."),
        NotDelegated::Unavailable(error) => unavailable(error),
        NotDelegated::Unknown(_) | NotDelegated::Oneself | NotDelegated::Rule(_) | NotDelegated::Until => {
            Refusal::new(Code::Malformed, text).with_remedy("Nothing was delegated.")
        }
    }
}

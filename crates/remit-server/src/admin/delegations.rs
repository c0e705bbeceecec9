//! Who votes in whose place.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use remit_app::delegation::{Delegation, NotDelegated};
use remit_core::ids::{OperatorId, RecordId, RuleId};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::admin::{answer, ballot, body, operator, unavailable};
use crate::edge::Edge;

/// `GET /admin/v1/delegations`: those in force, oldest first.
pub(super) async fn list(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let listed = async {
        operator(&edge, &headers, Deed::Look).await?;
        let now = edge.gate.ports().clock.now();
        let found = edge.gate.ports().store.delegations(now).await.map_err(unavailable)?;
        Ok(json!({"delegations": found.iter().map(shown).collect::<Vec<_>>()}))
    };
    answer(listed.await)
}

/// `POST /admin/v1/delegations`: `{"to", "until", "rule"?}`. In whose place comes from the credential.
pub(super) async fn delegate(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, raw) = request.into_parts();
    let delegated = async {
        let from = operator(&edge, &parts.headers, Deed::Delegate).await?;
        let order = body(&edge, raw).await?;
        ballot::only(&order, &["to", "until", "rule"])?;
        let id = |error: remit_core::ids::InvalidId| Refusal::new(Code::Malformed, error.to_string());
        let missing = |name: &str| Refusal::new(Code::Malformed, format!("`{name}` is missing"));
        let to = ballot::text(&order, "to")?.ok_or_else(|| missing("to"))?;
        let to = OperatorId::parse(to).map_err(id)?;
        let until = ballot::text(&order, "until")?.ok_or_else(|| missing("until"))?;
        let until: Timestamp = until.parse().map_err(|_| {
            Refusal::new(Code::Malformed, "`until` must be a time with an offset: 2026-12-01T09:00:00Z")
        })?;
        let rule = ballot::text(&order, "rule")?.map(RuleId::parse).transpose().map_err(id)?;
        let made = edge.gate.delegate(&from.approver, &to, rule.as_ref(), until).await;
        made.map(|delegation| shown(&delegation)).map_err(not_delegated)
    };
    answer(delegated.await)
}

/// `POST /admin/v1/delegations/{id}/revoke`. Either of the two may, and whoever may steer people.
pub(super) async fn revoke(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let revoked = async {
        let by = operator(&edge, &headers, Deed::Look).await?;
        let id = RecordId::parse(&id).map_err(|error| Refusal::new(Code::Malformed, error.to_string()))?;
        let ended = edge.gate.end_delegation(&by.approver.id, &id, by.may(Deed::People)).await.map_err(unavailable)?;
        Ok(json!({"revoked": ended, "delegation": id.as_str()}))
    };
    answer(revoked.await)
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

//! Delegations: who votes in whose place, until when; to give one's own vote for a while, and to take it back.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::SignedDuration;
use remit_app::delegation::DAYS_MAX;
use remit_core::ids::{OperatorId, RecordId, RuleId};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;

use super::moment::Moment;
use super::page::{Page, Place, answer, form, onward};
use super::plain::{Plain, line};
use crate::admin::delegations::not_delegated;
use crate::admin::{operator, unavailable};
use crate::edge::Edge;

struct Row {
    id: String,
    from: Plain,
    to: Plain,
    rule: Option<Plain>,
    since: Moment,
    until: Moment,
    /// Whether this person may take it back.
    ends: bool,
}

#[derive(Template)]
#[template(path = "delegations.html")]
struct Delegations {
    page: Page,
    rows: Vec<Row>,
    may_delegate: bool,
    people: Vec<String>,
    rules: Vec<String>,
    days_max: i64,
}

/// `GET /console/delegations`.
pub(super) async fn delegations(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    answer(listed(&edge, &headers).await)
}

async fn listed(edge: &Edge, headers: &HeaderMap) -> Result<Delegations, Refusal> {
    let (person, page) = Page::visit(edge, headers, Deed::Look, Place::Delegations, "Delegations").await?;
    let now = edge.gate.ports().clock.now();
    let found = edge.gate.ports().store.delegations(now).await.map_err(unavailable)?;
    let me = &person.approver.id;
    let rows = found.iter().map(|delegation| Row {
        id: delegation.id.to_string(),
        from: line(delegation.from.as_str()),
        to: line(delegation.to.as_str()),
        rule: delegation.rule.as_ref().map(|rule| line(rule.as_str())),
        since: Moment::new(delegation.since, now),
        until: Moment::new(delegation.until, now),
        ends: delegation.from == *me || delegation.to == *me || person.may(Deed::People),
    });
    let rows = rows.collect();
    let mut people: Vec<_> = edge.people().into_keys().filter(|id| id != me).map(|id| id.to_string()).collect();
    people.sort();
    Ok(Delegations {
        page,
        rows,
        may_delegate: person.may(Deed::Delegate),
        people,
        rules: edge.gate.snapshot().all_rules().map(|rule| rule.id.to_string()).collect(),
        days_max: DAYS_MAX,
    })
}

/// Who is to vote in this person's place. In whose comes from the credential.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    /// Checked before anybody gets here.
    #[serde(default, rename = "csrf")]
    _csrf: String,
    to: String,
    days: i64,
    #[serde(default)]
    rule: String,
}

/// `POST /console/delegations`.
pub(super) async fn delegate(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
    taken: Result<Form<Order>, FormRejection>,
) -> Response {
    let made = async {
        let from = operator(&edge, &headers, Deed::Delegate).await?;
        let Order { to, days, rule, .. } = form(taken)?;
        let malformed = |error: remit_core::ids::InvalidId| Refusal::new(Code::Malformed, error.to_string());
        let to = OperatorId::parse(to.trim()).map_err(malformed)?;
        let rule = Some(&*rule).filter(|rule| !rule.is_empty()).map(RuleId::parse).transpose().map_err(malformed)?;
        let hours = days.checked_mul(24).filter(|hours| *hours > 0).unwrap_or(i64::MAX / 3600);
        let until = edge.gate.ports().clock.now().checked_add(SignedDuration::from_hours(hours));
        let until = until.unwrap_or(jiff::Timestamp::MAX);
        let made = edge.gate.delegate(&from.approver, &to, rule.as_ref(), until).await;
        made.map_err(not_delegated)?;
        Ok(Place::Delegations.path().to_owned())
    };
    onward(made.await)
}

/// `POST /console/delegations/{id}/revoke`. Either of the two may, and whoever may steer people.
pub(super) async fn revoke(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let ended = async {
        let by = operator(&edge, &headers, Deed::Look).await?;
        let id = RecordId::parse(&id).map_err(|error| Refusal::new(Code::Malformed, error.to_string()))?;
        let ended = edge.gate.end_delegation(&by.approver.id, &id, by.may(Deed::People)).await.map_err(unavailable)?;
        if ended {
            return Ok(Place::Delegations.path().to_owned());
        }
        Err(Refusal::new(Code::RecordUnknown, "no delegation of this id is in force that you may take back"))
    };
    onward(ended.await)
}

//! People: who steers the gateway, and what their roles let them do.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use remit_core::ids::OperatorId;
use remit_core::steering::{self, Deed, Role};
use remit_core::verdict::Refusal;

use super::moment::Moment;
use super::page::{Page, Place, answer};
use super::plain::{Plain, line};
use crate::edge::Edge;

struct Row {
    id: Plain,
    user: Option<Plain>,
    teams: Plain,
    roles: String,
    expires: Moment,
    over: Option<&'static str>,
}

/// What one role may do.
struct May {
    role: &'static str,
    deeds: String,
}

#[derive(Template)]
#[template(path = "people.html")]
struct People {
    page: Page,
    rows: Vec<Row>,
    may: Vec<May>,
}

/// `GET /console/people`.
pub(super) async fn people(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    answer(listed(&edge, &headers).await)
}

async fn listed(edge: &Edge, headers: &HeaderMap) -> Result<People, Refusal> {
    let (_, page) = Page::visit(edge, headers, Deed::Look, Place::People, "People").await?;
    let now = edge.gate.ports().clock.now();
    let rows = edge.operator_keys().into_iter().map(|key| {
        let teams: Vec<_> = key.approver.teams.iter().map(ToString::to_string).collect();
        let roles: Vec<_> = key.roles.iter().map(|role| role.as_str()).collect();
        Row {
            id: line(key.approver.id.as_str()),
            user: key.approver.user.as_ref().map(|user| line(user.as_str())),
            teams: line(&teams.join(", ")),
            roles: roles.join(", "),
            expires: Moment::new(key.expires, now),
            over: match (key.revoked, key.expires <= now) {
                (true, _) => Some("revoked"),
                (_, true) => Some("expired"),
                _ => None,
            },
        }
    });
    Ok(People { page, rows: rows.collect(), may: may() })
}

/// What each role may do, asked of the policy that decides it.
fn may() -> Vec<May> {
    let Ok(anybody) = OperatorId::parse("anybody") else { return Vec::new() };
    let of = |role: Role| {
        let deeds = Deed::ALL.into_iter().filter(|deed| steering::allows(&anybody, &[role], *deed));
        let deeds: Vec<_> = deeds.map(|deed| deed.as_str().replace('_', " ")).collect();
        May { role: role.as_str(), deeds: deeds.join(", ") }
    };
    Role::ALL.into_iter().map(of).collect()
}

//! People: who steers the gateway, and what their roles let them do.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use remit_core::ids::OperatorId;
use remit_core::steering::{self, Deed, Role};
use remit_core::verdict::Refusal;

use super::dress::escaped;
use super::page::{Page, Place, answer};
use super::plain::{Plain, line};
use crate::edge::Edge;

struct Row {
    path: String,
    id: Plain,
    user: Option<Plain>,
    teams: Plain,
    roles: String,
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
    may_let: bool,
    rows: Vec<Row>,
    may: Vec<May>,
}

/// `GET /console/people`.
pub(super) async fn people(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    answer(listed(&edge, &headers).await)
}

async fn listed(edge: &Edge, headers: &HeaderMap) -> Result<People, Refusal> {
    let (person, page) = Page::visit(edge, headers, Deed::Look, Place::People, "People").await?;
    let mut people: Vec<_> = edge.people().into_iter().collect();
    people.sort_by(|(a, _), (b, _)| a.cmp(b));
    let rows = people.into_iter().map(|(id, one)| {
        let teams: Vec<_> = one.teams.iter().map(ToString::to_string).collect();
        let roles: Vec<_> = one.roles.iter().map(|role| role.as_str()).collect();
        Row {
            path: format!("{}/{}", Place::People.path(), escaped(id.as_str()).replace('/', "%2F")),
            id: line(id.as_str()),
            user: one.user.as_ref().map(|user| line(user.as_str())),
            teams: line(&teams.join(", ")),
            roles: roles.join(", "),
        }
    });
    let may_let = person.may(Deed::People);
    Ok(People { page, may_let, rows: rows.collect(), may: may() })
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

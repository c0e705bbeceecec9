//! People: who steers the gateway, how they sign in, and what their roles let them do.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use remit_core::ids::{Digest, OperatorId};
use remit_core::steering::{self, Deed, Role};
use remit_core::verdict::Refusal;

use super::dress::escaped;
use super::moment::Moment;
use super::page::{Page, Place, answer};
use super::plain::{Plain, line};
use crate::admin::unavailable;
use crate::edge::Edge;

struct Row {
    /// As one part of a path.
    name: String,
    id: Plain,
    user: Option<Plain>,
    teams: Plain,
    roles: String,
    password: bool,
    /// The party with which they have a login.
    login: Option<Plain>,
    passkeys: Vec<PasskeyRow>,
    key: Option<Moment>,
    key_is_over: bool,
    signed_in: Option<Moment>,
    /// Whether they can sign in already, so that inviting them takes that away.
    set_up: bool,
}

struct PasskeyRow {
    label: Plain,
    credential: String,
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
    /// Whether whoever looks may let people in and out.
    lets: bool,
}

/// `GET /console/people`.
pub(super) async fn people(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    answer(listed(&edge, &headers).await)
}

async fn listed(edge: &Edge, headers: &HeaderMap) -> Result<People, Refusal> {
    let (visitor, page) = Page::visit(edge, headers, Deed::Look, Place::People, "People").await?;
    let now = edge.gate.ports().clock.now();
    let accounts = edge.gate.ports().store.accounts().await.map_err(unavailable)?;
    let mut people: Vec<_> = edge.people().into_iter().collect();
    people.sort_by(|(a, _), (b, _)| a.cmp(b));
    let rows = people.into_iter().map(|(id, person)| {
        let account = accounts.iter().find(|account| account.operator == id);
        let teams: Vec<_> = person.teams.iter().map(ToString::to_string).collect();
        let roles: Vec<_> = person.roles.iter().map(|role| role.as_str()).collect();
        let passkeys = account
            .iter()
            .flat_map(|account| &account.passkeys)
            .map(|passkey| PasskeyRow { label: line(&passkey.label), credential: Digest::of(&passkey.id).to_string() });
        let passkeys: Vec<_> = passkeys.collect();
        let password = account.is_some_and(|account| account.password.is_some());
        let login = account.and_then(|account| account.login.as_ref()).map(|login| line(&login.issuer));
        Row {
            name: escaped(id.as_str()).replace('/', "%2F"),
            id: line(id.as_str()),
            user: person.user.as_ref().map(|user| line(user.as_str())),
            teams: line(&teams.join(", ")),
            roles: roles.join(", "),
            set_up: password || login.is_some() || !passkeys.is_empty(),
            password,
            login,
            passkeys,
            key: person.key_expires.map(|expires| Moment::new(expires, now)),
            key_is_over: person.key_expires.is_some_and(|expires| expires <= now),
            signed_in: account.and_then(|account| account.signed_in_at).map(|at| Moment::new(at, now)),
        }
    });
    Ok(People { page, rows: rows.collect(), may: may(), lets: visitor.may(Deed::People) })
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

//! Letting people in and out, from the page of people: the same deeds as the operators' API.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::post;
use axum::{Form, Router};
use http::HeaderMap;
use remit_core::ids::Digest;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;

use super::moment::Moment;
use super::page::{Page, Place, answer, form, onward};
use super::plain::{Plain, line};
use crate::admin::operator;
use crate::admin::people::{invited, person, removed, signed_out};
use crate::edge::Edge;

/// The paths.
pub(super) fn routes() -> Router<Arc<Edge>> {
    Router::new()
        .route("/console/people/{id}/invitations", post(invite))
        .route("/console/people/{id}/sessions/end", post(sign_out))
        .route("/console/people/{id}/passkeys/remove", post(remove_passkey))
}

#[derive(Template)]
#[template(path = "invited.html")]
struct InvitedPage {
    page: Page,
    name: Plain,
    link: String,
    until: Moment,
}

#[derive(Deserialize)]
struct Named {
    credential: String,
}

/// `POST /console/people/{id}/invitations`: shows the link, this once.
async fn invite(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let done = async {
        let (by, page) = Page::visit(&edge, &headers, Deed::People, Place::People, "Invited").await?;
        let id = person(&edge, &id)?;
        let (link, until) = invited(&edge, &by, &id).await?;
        let until = Moment::new(until, edge.gate.ports().clock.now());
        Ok(InvitedPage { page, name: line(id.as_str()), link, until })
    };
    answer(done.await)
}

/// `POST /console/people/{id}/sessions/end`.
async fn sign_out(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let done = async {
        let by = operator(&edge, &headers, Deed::People).await?;
        signed_out(&edge, &by, &id).await?;
        Ok(Place::People.path().to_owned())
    };
    onward(done.await)
}

/// `POST /console/people/{id}/passkeys/remove`, with the field `credential`.
async fn remove_passkey(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    taken: Result<Form<Named>, axum::extract::rejection::FormRejection>,
) -> Response {
    let done = async {
        let by = operator(&edge, &headers, Deed::People).await?;
        let named = form(taken)?;
        let credential = Digest::from_hex(&named.credential);
        let credential = credential.ok_or_else(|| Refusal::new(Code::Malformed, "there is no such passkey"))?;
        removed(&edge, &by, &id, &credential).await?;
        Ok(Place::People.path().to_owned())
    };
    onward(done.await)
}

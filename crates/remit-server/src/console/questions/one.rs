//! One question, everything about it on one screen, and the ballot below.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use remit_core::ids::QuestionId;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};

use super::view::{View, view};
use crate::admin::unavailable;
use crate::console::door::login::to_confirm;
use crate::console::page::{Page, Place, answer};
use crate::console::plain::bare;
use crate::edge::Edge;

#[derive(Template)]
#[template(path = "question.html")]
struct QuestionPage {
    page: Page,
    view: View,
    /// Whether this person's roles let them vote at all.
    votes: bool,
    /// Whether they let them propose that nobody needs to be asked.
    proposes: bool,
    /// The party whose word this vote takes, when it has not given it just now.
    confirm: Option<String>,
}

impl QuestionPage {
    /// Whether some vote here is one that a passkey signs.
    fn signs(&self) -> bool {
        self.view.open_to.iter().any(|rule| rule.signed)
    }
}

/// `GET /console/questions/{id}`.
pub(in crate::console) async fn question(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    answer(shown(&edge, &id, &headers).await)
}

async fn shown(edge: &Edge, id: &str, headers: &HeaderMap) -> Result<QuestionPage, Refusal> {
    let (person, mut page) = Page::visit(edge, headers, Deed::Look, Place::Waiting, "Question").await?;
    let unknown = || Refusal::new(Code::QuestionUnknown, "there is no such question");
    let id = QuestionId::parse(id).map_err(|_| unknown())?;
    let sight = edge.gate.sight(&id).await.map_err(unavailable)?.ok_or_else(unknown)?;
    page.title = bare(&sight.question.tool);
    page.alone = true;
    let now = edge.gate.ports().clock.now();
    if person.may(Deed::Vote) {
        // How long people look before they decide is counted; nothing is decided on it.
        let _lost = edge.gate.ports().store.saw(&id, &person.approver.id, now);
    }
    let view = view(edge, &person.approver, &sight, now).await?;
    let vouched = view.open_to.iter().any(|rule| rule.vouched);
    let confirm = if vouched { to_confirm(edge, person.approver.factor) } else { None };
    Ok(QuestionPage { page, view, votes: person.may(Deed::Vote), proposes: person.may(Deed::Propose), confirm })
}

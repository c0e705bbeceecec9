//! Reviews: calls that went through before anybody looked, until somebody has. Emergencies have theirs under Access.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use remit_app::review::{Review, ReviewFilter};
use remit_core::steering::Deed;
use remit_core::verdict::Refusal;
use serde::Deserialize;

use super::moment::Moment;
use super::page::{Page, Place, answer, form, onward};
use super::plain::{Plain, line, lines};
use super::tag::Tag;
use crate::admin::reviews::closed_by;
use crate::admin::{operator, unavailable};
use crate::edge::Edge;

/// How many one page shows.
const SHOWN: u32 = 100;

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    closed: String,
}

struct Row {
    record: String,
    run: Option<String>,
    agent: Plain,
    user: Option<Plain>,
    tool: Plain,
    at: Moment,
    unknown: bool,
    closed: Option<Closed>,
}

struct Closed {
    finding: Tag,
    by: Plain,
    note: Plain,
    at: Moment,
}

#[derive(Template)]
#[template(path = "reviews.html")]
struct Reviews {
    page: Page,
    wish: Wish,
    rows: Vec<Row>,
    waiting: u64,
    oldest: Option<Moment>,
    /// How many emergencies wait for a second person.
    emergencies: usize,
    may_review: bool,
}

/// `GET /console/reviews?closed=`.
pub(super) async fn reviews(State(edge): State<Arc<Edge>>, Query(wish): Query<Wish>, headers: HeaderMap) -> Response {
    answer(listed(&edge, wish, &headers).await)
}

async fn listed(edge: &Edge, wish: Wish, headers: &HeaderMap) -> Result<Reviews, Refusal> {
    let (person, page) = Page::visit(edge, headers, Deed::Look, Place::Reviews, "Reviews").await?;
    let (store, now) = (&edge.gate.ports().store, edge.gate.ports().clock.now());
    let filter = ReviewFilter { closed: wish.closed == "1", limit: SHOWN };
    let found = store.reviews(&filter).await.map_err(unavailable)?;
    let backlog = store.backlog().await.map_err(unavailable)?;
    let grants = store.grants(false).await.map_err(unavailable)?;
    Ok(Reviews {
        page,
        wish,
        rows: found.into_iter().map(|review| Row::of(review, now)).collect(),
        waiting: backlog.waiting,
        oldest: backlog.oldest.map(|at| Moment::new(at, now)),
        emergencies: grants.iter().filter(|given| given.unreviewed()).count(),
        may_review: person.may(Deed::Review),
    })
}

impl Row {
    fn of(review: Review, now: Timestamp) -> Self {
        Self {
            record: review.call.to_string(),
            run: review.run.map(|run| run.to_string()),
            agent: line(review.agent.as_str()),
            user: review.user.map(|user| line(user.as_str())),
            tool: line(&review.tool),
            at: Moment::new(review.at, now),
            unknown: review.unknown,
            closed: review.closed.map(|closed| Closed {
                finding: if closed.objects { Tag::bad("objected to") } else { Tag::good("in order") },
                by: line(closed.by.as_str()),
                note: lines(&closed.note),
                at: Moment::new(closed.at, now),
            }),
        }
    }
}

/// What somebody found who looked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Found {
    /// Checked before anybody gets here.
    #[serde(default, rename = "csrf")]
    _csrf: String,
    finding: String,
    #[serde(default)]
    note: String,
}

/// `POST /console/reviews/{record}`: closes the review.
pub(super) async fn close(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    taken: Result<Form<Found>, FormRejection>,
) -> Response {
    let closed = async {
        let by = operator(&edge, &headers, Deed::Review).await?;
        let Found { finding, note, .. } = form(taken)?;
        closed_by(&edge, &by, &id, &finding, note.replace("\r\n", "\n").trim()).await?;
        Ok(Place::Reviews.path().to_owned())
    };
    onward(closed.await)
}

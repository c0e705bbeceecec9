//! One run.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::HeaderMap;
use remit_app::ports::RecordFilter;
use remit_app::ports::listing::{Asked, SHEET_MAX};
use remit_core::ids::RunId;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;

use super::story::{Event, story};
use super::timeline::picture;
use super::{Row, row};
use crate::admin::unavailable;
use crate::console::page::{Page, Place, answer};
use crate::console::plain::{Plain, head, lines};
use crate::edge::Edge;

/// How many records one page of a run shows.
const SHOWN: u32 = 300;
/// How much of the agent's own words is shown.
const WORDS_CHARS_MAX: usize = 2_000;

/// Where in the run the page begins.
#[derive(Deserialize)]
pub(in crate::console) struct Wish {
    #[serde(default)]
    after: u64,
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    page: Page,
    run: Row,
    picture: Picture,
    events: Vec<Event>,
    earlier: bool,
    later: Option<u64>,
    words: Option<Plain>,
}

/// A picture that is HTML already: everything in it went through `plain`.
struct Picture(String);

impl askama::filters::HtmlSafe for Picture {}

impl std::fmt::Display for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// `GET /console/runs/{id}?after=`.
pub(in crate::console) async fn run(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Response {
    answer(shown(&edge, &id, wish.after, &headers).await)
}

async fn shown(edge: &Edge, id: &str, after: u64, headers: &HeaderMap) -> Result<RunPage, Refusal> {
    let (_, page) = Page::visit(edge, headers, Deed::Look, Place::Runs, "Run").await?;
    let unknown = || Refusal::new(Code::RunUnknown, "there is no such run");
    let id = RunId::parse(id).map_err(|_| unknown())?;
    let (store, now) = (&edge.gate.ports().store, edge.gate.ports().clock.now());
    let run = store.run(&id).await.map_err(unavailable)?.ok_or_else(unknown)?;
    let filter = RecordFilter { run: Some(id.clone()), kind: None, after, limit: SHOWN };
    let records = store.records(&filter).await.map_err(unavailable)?;
    let asked = Asked { run: Some(id), limit: SHEET_MAX, ..Asked::default() };
    let questions = store.asked(&asked).await.map_err(unavailable)?;
    let story = story(&records, &questions.items, now);
    let words = run.intent.as_deref().filter(|words| !words.is_empty());
    Ok(RunPage {
        page,
        run: row(&run, now),
        picture: Picture(picture(&story.marks, &story.gathered)),
        events: story.events,
        earlier: after > 0,
        later: (records.len() == SHOWN as usize).then_some(after + u64::from(SHOWN)),
        words: words.map(|words| lines(head(words, WORDS_CHARS_MAX).0)),
    })
}

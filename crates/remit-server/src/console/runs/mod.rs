//! Runs: the list, and one of them as a picture of time with the same in words.

mod one;
mod story;
mod timeline;

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use remit_app::ports::listing::RunsAsked;
use remit_app::run::Run;
use remit_core::ids::{AgentId, UserId};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;

pub(super) use one::run;

use super::calls::known;
use super::decided::money;
use super::moment::Moment;
use super::page::{Page, Place, answer, link};
use super::plain::{Plain, line};
use super::tag::Tag;
use crate::admin::unavailable;
use crate::edge::Edge;

/// How many runs one page shows.
const SHOWN: usize = 50;

/// What the page was asked for, as its URL says it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    agent: String,
    user: String,
    open: String,
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "runs.html")]
struct Runs {
    page: Page,
    wish: Wish,
    agents: Vec<String>,
    tools: Vec<String>,
    rows: Vec<Row>,
    newest: Option<String>,
    older: Option<String>,
}

/// One run, as a row and as the head of its page.
struct Row {
    id: String,
    agent: Plain,
    user: Plain,
    workflow: Plain,
    environment: Plain,
    state: Tag,
    opened: Moment,
    used: Moment,
    calls: u64,
    spend: String,
    labels: Vec<Plain>,
}

/// `GET /console/runs?agent=&user=&open=1&before=`.
pub(super) async fn runs(State(edge): State<Arc<Edge>>, Query(wish): Query<Wish>, headers: HeaderMap) -> Response {
    answer(listed(&edge, wish, &headers).await)
}

async fn listed(edge: &Edge, wish: Wish, headers: &HeaderMap) -> Result<Runs, Refusal> {
    let (_, page) = Page::visit(edge, headers, Deed::Look, Place::Runs, "Runs").await?;
    let now = edge.gate.ports().clock.now();
    let malformed = |error: String| Refusal::new(Code::Malformed, error);
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let agent = said(&wish.agent).map(|id| AgentId::parse(&id)).transpose().map_err(|e| malformed(e.to_string()))?;
    let user = said(&wish.user).map(|id| UserId::parse(&id)).transpose().map_err(|e| malformed(e.to_string()))?;
    let asked = RunsAsked { agent, user, open: !wish.open.is_empty(), before: wish.before, limit: SHOWN };
    let sheet = edge.gate.ports().store.run_sheet(&asked).await.map_err(unavailable)?;
    let path = |before: &str| {
        let filters = [("agent", &*wish.agent), ("user", &wish.user), ("open", &wish.open), ("before", before)];
        link(Place::Runs.path(), &filters)
    };
    let newest = wish.before.map(|_| path(""));
    let older = sheet.older.map(|before| path(&before.to_string()));
    let (agents, tools) = known(edge);
    let rows = sheet.items.iter().map(|run| row(run, now)).collect();
    Ok(Runs { page, wish, agents, tools, rows, newest, older })
}

fn row(run: &Run, now: Timestamp) -> Row {
    let text = |value: &Option<String>| line(value.as_deref().unwrap_or_default());
    Row {
        id: run.id.to_string(),
        agent: line(run.agent.as_str()),
        user: run.user.as_ref().map(|user| line(user.as_str())).unwrap_or_default(),
        workflow: run.workflow.as_ref().map(|workflow| line(workflow.as_str())).unwrap_or_default(),
        environment: text(&run.environment),
        state: if run.closed_at.is_some() { Tag::plain("closed") } else { Tag::good("open") },
        opened: Moment::new(run.opened_at, now),
        used: Moment::new(run.used_at, now),
        calls: run.calls,
        spend: money(run.spend),
        labels: run.labels.words().map(line).collect(),
    }
}

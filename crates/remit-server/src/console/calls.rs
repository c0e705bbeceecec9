//! Live calls: the newest decisions of all runs.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use remit_app::ports::listing::Latest;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use remit_evidence::record::Kind;
use serde::Deserialize;

use super::decided::Row;
use super::page::{Page, Place, answer, link};
use crate::admin::unavailable;
use crate::edge::Edge;

/// How many calls one page shows.
const SHOWN: usize = 50;

/// What the page was asked for, as its URL says it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    agent: String,
    tool: String,
    verdict: String,
    since: String,
    before: Option<u64>,
}

#[derive(Template)]
#[template(path = "calls.html")]
struct Calls {
    page: Page,
    wish: Wish,
    agents: Vec<String>,
    tools: Vec<String>,
    rows: Vec<Row>,
    newest: Option<String>,
    older: Option<String>,
}

/// `GET /console/calls?agent=&tool=&verdict=&since=&before=`.
pub(super) async fn calls(State(edge): State<Arc<Edge>>, Query(wish): Query<Wish>, headers: HeaderMap) -> Response {
    answer(listed(&edge, wish, &headers).await)
}

async fn listed(edge: &Edge, wish: Wish, headers: &HeaderMap) -> Result<Calls, Refusal> {
    let (_, page) = Page::visit(edge, headers, Deed::Look, Place::Calls, "Calls").await?;
    let now = edge.gate.ports().clock.now();
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let asked = Latest {
        kind: Some(Kind::Decision),
        agent: said(&wish.agent),
        tool: said(&wish.tool),
        verdict: said(&wish.verdict),
        since: said(&wish.since).map(|since| moment(&since, now)).transpose()?,
        before: wish.before,
        limit: SHOWN,
    };
    let sheet = edge.gate.ports().store.latest(&asked).await.map_err(unavailable)?;
    let path = |before: &str| {
        let filters =
            [("agent", &*wish.agent), ("tool", &wish.tool), ("verdict", &wish.verdict), ("since", &wish.since)];
        link(Place::Calls.path(), &[&filters[..], &[("before", before)]].concat())
    };
    let newest = wish.before.map(|_| path(""));
    let older = sheet.older.map(|before| path(&before.to_string()));
    let (agents, tools) = known(edge);
    let rows = sheet.items.iter().map(|record| Row::of(record, now)).collect();
    Ok(Calls { page, wish, agents, tools, rows, newest, older })
}

/// Agents and tools by name, for whoever fills in a filter.
pub(super) fn known(edge: &Edge) -> (Vec<String>, Vec<String>) {
    let snapshot = edge.gate.snapshot();
    let agents = snapshot.remits().filter_map(|remit| match &remit.holder {
        remit_core::authority::remit::Holder::Agent(agent) => Some(agent.to_string()),
        _ => None,
    });
    let tools = snapshot.registry().tools().iter().map(|tool| tool.name.to_string());
    (agents.collect(), tools.collect())
}

/// A moment as people say it: a time (RFC 3339), or how long ago: `15m`, `24h`, `7d`.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Refusal> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let ago = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let secs = match unit {
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            _ => return None,
        };
        now.checked_sub(SignedDuration::from_secs(number.parse::<u32>().ok().map(i64::from)?.checked_mul(secs)?)).ok()
    };
    ago().ok_or_else(|| {
        Refusal::new(Code::Malformed, "`since` is no time").with_remedy("Write 15m, 24h, 7d or 2026-11-21T10:00:00Z.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_how_long_ago() {
        let now: Timestamp = "2026-11-21T12:00:00Z".parse().expect("time");
        let read = |text| moment(text, now).ok().map(|at| at.to_string());
        assert_eq!(read("15m").as_deref(), Some("2026-11-21T11:45:00Z"));
        assert_eq!(read("7d").as_deref(), Some("2026-11-14T12:00:00Z"));
        assert_eq!(read("2026-11-21T10:00:00Z").as_deref(), Some("2026-11-21T10:00:00Z"));
        for text in ["", "m", "15", "-1h", "1y", "99999999999d", "4294967295d", "ü"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}

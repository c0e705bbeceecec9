//! Budgets: how much of each limit is used now, when there is room again, and how it was before.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use remit_app::ports::listing::SpanUse;
use remit_core::budget::{Budget, Span, Window};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;

use super::gauge::{Bars, Gauge};
use super::moment::Moment;
use super::page::{Page, Place, answer, link};
use super::plain::{Plain, line};
use super::words;
use crate::admin::unavailable;
use crate::edge::Edge;

/// How many budgets one page shows; the fullest come first.
const SHOWN: usize = 60;
/// How many spans stand beside a budget, and on its own page.
const SPANS: (usize, usize) = (24, 60);

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    q: String,
    budget: String,
    used: String,
}

/// A budget, now.
pub(super) struct Row {
    key: String,
    pub whose: Plain,
    pub what: String,
    pub gauge: Gauge,
    pub resets: Option<Moment>,
    pub warns: bool,
    pub link: String,
    pub before: Option<Bars>,
}

/// One span, in words.
struct Past {
    began: Option<Moment>,
    ends: Option<Moment>,
    gauge: Gauge,
}

#[derive(Template)]
#[template(path = "budgets.html")]
struct Budgets {
    page: Page,
    wish: Wish,
    rows: Vec<Row>,
    hidden: usize,
    timed: bool,
    per_run: Vec<(Plain, String)>,
}

#[derive(Template)]
#[template(path = "budget.html")]
struct One {
    page: Page,
    row: Row,
    key: Plain,
    past: Vec<Past>,
}

/// `GET /console/budgets?q=&used=&budget=`: all of them, or the one that `budget` names.
pub(super) async fn budgets(State(edge): State<Arc<Edge>>, Query(wish): Query<Wish>, headers: HeaderMap) -> Response {
    if wish.budget.is_empty() {
        answer(all(&edge, wish, &headers).await)
    } else {
        answer(one(&edge, &wish, &headers).await)
    }
}

async fn all(edge: &Edge, wish: Wish, headers: &HeaderMap) -> Result<Budgets, Refusal> {
    let (_, page) = Page::visit(edge, headers, Deed::Look, Place::Budgets, "Budgets").await?;
    let mut rows = rows(edge, |key| key.contains(wish.q.trim())).await?;
    if wish.used == "1" {
        rows.retain(|(_, row)| row.gauge.used() > 0);
    }
    rows.sort_by(|(_, a), (_, b)| b.gauge.permille().cmp(&a.gauge.permille()).then_with(|| a.key.cmp(&b.key)));
    let hidden = rows.len().saturating_sub(SHOWN);
    rows.truncate(SHOWN);
    let mut shown = Vec::with_capacity(rows.len());
    for (budget, row) in rows {
        let before = if budget.window == Window::Total { Vec::new() } else { spans(edge, &budget, SPANS.0).await? };
        let before =
            (before.len() > 1).then(|| Bars { spans: before.iter().rev().map(|used| gauge(&budget, used)).collect() });
        shown.push(Row { before, ..row });
    }
    let timed = shown.iter().any(|row| row.before.is_some());
    Ok(Budgets { page, wish, rows: shown, hidden, timed, per_run: per_run(edge) })
}

async fn one(edge: &Edge, wish: &Wish, headers: &HeaderMap) -> Result<One, Refusal> {
    let (_, page) = Page::visit(edge, headers, Deed::Look, Place::Budgets, "Budget").await?;
    let found = rows(edge, |key| key == wish.budget).await?.pop();
    let unknown = || Refusal::new(Code::RecordUnknown, "there is no such budget in the authority in force");
    let (budget, row) = found.ok_or_else(unknown)?;
    let now = edge.gate.ports().clock.now();
    let past = spans(edge, &budget, SPANS.1).await?;
    let bars = (past.len() > 1).then(|| Bars { spans: past.iter().rev().map(|used| gauge(&budget, used)).collect() });
    let past = past.iter().map(|used| Past {
        began: used
            .span
            .id
            .parse()
            .ok()
            .and_then(|secs| Timestamp::from_second(secs).ok())
            .map(|at| Moment::new(at, now)),
        ends: used.span.ends.map(|at| Moment::new(at, now)),
        gauge: gauge(&budget, used),
    });
    Ok(One { page, key: line(&budget.key.0), past: past.collect(), row: Row { before: bars, ..row } })
}

/// The budgets whose keys are wanted, as they stand now. Those that count per run are not among them.
pub(super) async fn rows(edge: &Edge, wanted: impl Fn(&str) -> bool) -> Result<Vec<(Budget, Row)>, Refusal> {
    let now = edge.gate.ports().clock.now();
    let mut all = edge.gate.snapshot().all_budgets(now);
    all.retain(|(budget, _)| wanted(&budget.key.0));
    let usage = edge.gate.ports().store.usage(&all).await.map_err(unavailable)?;
    Ok(all.into_iter().zip(usage).map(|((budget, span), used)| row(budget, &span, used, now)).collect())
}

fn row(budget: Budget, span: &Span, (settled, reserved): (u64, u64), now: Timestamp) -> (Budget, Row) {
    let gauge = Gauge { unit: budget.unit, settled, reserved, limit: budget.limit };
    let row = Row {
        key: budget.key.0.clone(),
        whose: line(&whose(&budget.key.0)),
        what: format!("{} {}", budget.unit.show(budget.limit), words::window(budget.window)),
        resets: span.ends.map(|at| Moment::new(at, now)),
        warns: budget.warn_at.is_some_and(|at| gauge.used() >= at) && !gauge.is_full(),
        link: link(Place::Budgets.path(), &[("budget", &budget.key.0)]),
        before: None,
        gauge,
    };
    (budget, row)
}

async fn spans(edge: &Edge, budget: &Budget, limit: usize) -> Result<Vec<SpanUse>, Refusal> {
    edge.gate.ports().store.spans(&budget.key, limit).await.map_err(unavailable)
}

fn gauge(budget: &Budget, used: &SpanUse) -> Gauge {
    Gauge { unit: budget.unit, settled: used.settled, reserved: used.reserved, limit: budget.limit }
}

/// Limits that each run has for itself: there is no one counter to show.
fn per_run(edge: &Edge) -> Vec<(Plain, String)> {
    let snapshot = edge.gate.snapshot();
    let tenant = snapshot.limits().iter().map(|limit| ("everything".to_owned(), limit));
    let held = snapshot.remits().flat_map(|remit| {
        let holder = words::holder(&remit.holder);
        let own = remit.limits.iter().map({
            let holder = holder.clone();
            move |limit| (holder.clone(), limit)
        });
        let grants = remit.grants.iter().flat_map({
            move |grant| {
                let name = format!("{holder}, grant {}", grant.id);
                grant.limits.iter().map(move |limit| (name.clone(), limit))
            }
        });
        own.chain(grants).collect::<Vec<_>>()
    });
    let per_run = tenant.chain(held).filter(|(_, limit)| limit.window == Window::Run);
    per_run.map(|(whose, limit)| (line(&whose), words::limit(limit))).collect()
}

/// Whose a budget is, from its key: `agent:desk/trigger.0/calls/day`. Unit and window are the last two parts.
fn whose(key: &str) -> String {
    let whose = key.rsplitn(3, '/').nth(2).unwrap_or(key);
    let (kind, id) = whose.split_once(':').unwrap_or((whose, ""));
    match (kind, id) {
        ("tenant", _) => "the whole organisation".to_owned(),
        ("user", "*") => "every user, together".to_owned(),
        // Users' ids have slashes of their own; whatever has one stays as it is.
        ("agent" | "team", id) => match id.split_once('/') {
            Some((id, grant)) => format!("{kind} {id}, grant {grant}"),
            None => format!("{kind} {id}, over everything"),
        },
        _ => whose.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_whose_the_budget_is() {
        assert_eq!(whose("tenant/calls/day"), "the whole organisation");
        assert_eq!(whose("agent:desk/calls/day"), "agent desk, over everything");
        assert_eq!(whose("agent:desk/trigger.0/micro_usd/day"), "agent desk, grant trigger.0");
        assert_eq!(whose("user:idp/ada/calls/day"), "user:idp/ada");
        assert_eq!(whose("odd"), "odd");
    }
}

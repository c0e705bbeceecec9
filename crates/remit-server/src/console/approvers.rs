//! Approvers: how much is asked of each, how they answer, and whether they deny what must be denied. It says who approved
//! that, so it is for those who steer people.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use remit_app::attention::{DAYS, Figures, QUICK_SECS};
use remit_core::ids::OperatorId;
use remit_core::steering::Deed;
use remit_core::verdict::Refusal;

use super::moment::lasting;
use super::page::{Page, Place, answer};
use super::plain::{Plain, line};
use super::tag::Tag;
use crate::admin::unavailable;
use crate::edge::Edge;

/// From how many approvals on a share says something.
const TELLING: u64 = 4;

struct Row {
    by: Plain,
    open: u64,
    votes: u64,
    last_hour: u64,
    median: String,
    approvals: u64,
    /// The share of approvals that were quick, in percent.
    quick: Option<u64>,
    hasty: Option<Tag>,
    denied: u64,
    approved: u64,
}

#[derive(Template)]
#[template(path = "approvers.html")]
struct Approvers {
    page: Page,
    rows: Vec<Row>,
    days: i64,
    quick_secs: i64,
}

/// `GET /console/approvers`.
pub(super) async fn approvers(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    answer(listed(&edge, &headers).await)
}

async fn listed(edge: &Edge, headers: &HeaderMap) -> Result<Approvers, Refusal> {
    let (_, page) = Page::visit(edge, headers, Deed::People, Place::Approvers, "Approvers").await?;
    let found = edge.gate.approvers().await.map_err(unavailable)?;
    let rows = found.iter().map(|(by, figures)| Row::of(by, figures)).collect();
    Ok(Approvers { page, rows, days: DAYS, quick_secs: QUICK_SECS })
}

impl Row {
    fn of(by: &OperatorId, figures: &Figures) -> Self {
        let quick = figures.quick_approvals.saturating_mul(100).checked_div(figures.approvals);
        let hasty = quick.is_some_and(|quick| quick >= 50) && figures.approvals >= TELLING;
        Self {
            by: line(by.as_str()),
            open: figures.open,
            votes: figures.votes,
            last_hour: figures.votes_last_hour,
            median: figures.median_ms.map(|ms| lasting(ms / 1000)).unwrap_or_default(),
            approvals: figures.approvals,
            quick,
            hasty: hasty.then(|| Tag::wait("hardly looks")),
            denied: figures.canaries_denied,
            approved: figures.canaries_approved,
        }
    }
}

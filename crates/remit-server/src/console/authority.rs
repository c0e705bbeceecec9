//! Authority: the bounds of the organisation and its approval rules, as they are in force.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::HeaderMap;
use remit_core::authority::guardrail::Bound;
use remit_core::steering::Deed;
use remit_core::verdict::Refusal;
use serde::Deserialize;

use super::moment::Moment;
use super::page::{Page, Place, answer};
use super::plain::{Plain, line, lines};
use super::tag::Tag;
use super::words;
use crate::admin::unavailable;
use crate::edge::Edge;

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    q: String,
}

/// A guardrail, as a reader sees it.
pub(super) struct Guardrail {
    pub name: Plain,
    pub mode: Tag,
    pub reason: Plain,
    pub remedy: Option<Plain>,
    pub rules: Plain,
    pub text: Plain,
}

struct Rule {
    id: Plain,
    words: Plain,
}

#[derive(Template)]
#[template(path = "authority.html")]
struct Authority {
    page: Page,
    wish: Wish,
    digest: String,
    since: Option<Moment>,
    remits: usize,
    tools: usize,
    guardrails: Vec<Guardrail>,
    rules: Vec<Rule>,
    limits: Vec<String>,
}

impl Guardrail {
    /// What there is to say about one.
    pub(super) fn of(bound: &Bound<'_>) -> Self {
        let rules: Vec<_> = bound.rules().iter().map(ToString::to_string).collect();
        Self {
            name: line(&bound.name()),
            mode: words::mode(bound.mode()),
            reason: line(bound.reason()),
            remedy: bound.remedy().map(line),
            rules: line(&rules.join(", ")),
            text: lines(&bound.text()),
        }
    }
}

/// `GET /console/authority?q=`.
pub(super) async fn authority(State(edge): State<Arc<Edge>>, Query(wish): Query<Wish>, headers: HeaderMap) -> Response {
    answer(shown(&edge, wish, &headers).await)
}

async fn shown(edge: &Edge, wish: Wish, headers: &HeaderMap) -> Result<Authority, Refusal> {
    let (_, page) = Page::visit(edge, headers, Deed::Look, Place::Authority, "Authority").await?;
    let snapshot = edge.gate.snapshot();
    let now = edge.gate.ports().clock.now();
    let last = edge.gate.ports().store.authority().await.map_err(unavailable)?;
    let since = match last {
        Some((_, record)) => edge.gate.ports().store.record(&record).await.map_err(unavailable)?,
        None => None,
    };
    let q = wish.q.trim().to_lowercase();
    let wanted = |bound: &Bound<'_>| {
        [bound.name(), bound.text(), bound.reason().to_owned()].iter().any(|text| text.to_lowercase().contains(&q))
    };
    Ok(Authority {
        page,
        digest: snapshot.digest().to_string(),
        since: since.and_then(|record| record.time.parse().ok()).map(|at| Moment::new(at, now)),
        remits: snapshot.remits().count(),
        tools: snapshot.registry().tools().len(),
        guardrails: snapshot.bounds().filter(wanted).map(|bound| Guardrail::of(&bound)).collect(),
        rules: snapshot
            .all_rules()
            .map(|rule| Rule { id: line(rule.id.as_str()), words: line(&words::rule(rule)) })
            .collect(),
        limits: snapshot.limits().iter().map(words::limit).collect(),
        wish,
    })
}

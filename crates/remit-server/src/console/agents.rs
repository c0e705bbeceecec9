//! Agents: who acts, how far they are trusted, and their remit in words.

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use remit_app::ports::listing::{Latest, RunsAsked};
use remit_core::authority::remit::{Grant, Holder, Remit, Stage};
use remit_core::halt::{Halt, HaltTarget};
use remit_core::ids::AgentId;
use remit_core::registry::Class;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use remit_core::{Caller, Snapshot};
use remit_evidence::record::Kind;
use serde::Deserialize;

use super::budgets::{self, Row as Budget};
use super::decided::{Row as Decision, money};
use super::gauge::Gauge;
use super::moment::Moment;
use super::page::{Page, Place, answer, link};
use super::plain::{Plain, line};
use super::tag::Tag;
use super::words;
use crate::admin::unavailable;
use crate::edge::Edge;

/// How many agents one page shows.
const SHOWN: usize = 100;
/// How many runs and refusals stand on an agent's page.
const LATEST: usize = 8;

/// What the list was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    q: String,
    stage: String,
    from: usize,
}

/// One agent, in the list.
struct Row {
    id: String,
    owner: Plain,
    stage: Tag,
    mode: Tag,
    halted: bool,
    expires: Option<Moment>,
    expired: bool,
    tools: usize,
    fullest: Option<(Plain, Gauge)>,
}

/// A remit of somebody else than an agent.
struct Other {
    holder: Plain,
    id: usize,
    owner: Plain,
    mode: Tag,
    classes: Vec<Granted>,
    limits: Vec<String>,
}

/// What is granted in one class.
struct Granted {
    class: &'static str,
    means: &'static str,
    sentences: Vec<(Plain, Plain)>,
}

#[derive(Template)]
#[template(path = "agents.html")]
struct Agents {
    page: Page,
    wish: Wish,
    rows: Vec<Row>,
    others: Vec<Other>,
    newer: Option<String>,
    older: Option<String>,
}

struct Run {
    id: String,
    user: Option<Plain>,
    opened: Moment,
    used: Moment,
    open: bool,
    calls: u64,
    spend: String,
}

#[derive(Template)]
#[template(path = "agent.html")]
struct One {
    page: Page,
    row: Row,
    may_halt: bool,
    halt: String,
    file: Plain,
    observes: bool,
    classes: Vec<Granted>,
    limits: Vec<String>,
    tenant: Vec<String>,
    tools: Vec<(String, Plain)>,
    budgets: Vec<Budget>,
    runs: Vec<Run>,
    refusals: Vec<Decision>,
    all_calls: String,
    all_runs: String,
}

/// `GET /console/agents?q=&stage=`.
pub(super) async fn agents(State(edge): State<Arc<Edge>>, Query(wish): Query<Wish>, headers: HeaderMap) -> Response {
    answer(listed(&edge, wish, &headers).await)
}

/// `GET /console/agents/{id}`.
pub(super) async fn agent(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(found(&edge, &id, &headers).await)
}

async fn listed(edge: &Edge, wish: Wish, headers: &HeaderMap) -> Result<Agents, Refusal> {
    let (_, page) = Page::visit(edge, headers, Deed::Look, Place::Agents, "Agents").await?;
    let look = Look::now(edge).await?;
    let q = wish.q.trim();
    let matches = |(id, remit): &(&AgentId, &Remit)| {
        let owned = remit.owner.as_ref().is_some_and(|owner| owner.as_str().contains(q));
        (id.as_str().contains(q) || owned) && (wish.stage.is_empty() || remit.stage.as_str() == wish.stage)
    };
    let wanted: Vec<_> = of_agents(&look.snapshot).filter(matches).collect();
    let rows = wanted.iter().skip(wish.from).take(SHOWN).map(|(id, remit)| look.row(id, remit)).collect();
    let path = |from: usize| {
        let from = if from == 0 { String::new() } else { from.to_string() };
        link(Place::Agents.path(), &[("q", q), ("stage", &wish.stage), ("from", &from)])
    };
    let newer = (wish.from > 0).then(|| path(wish.from.saturating_sub(SHOWN)));
    let next = wish.from.saturating_add(SHOWN);
    let older = (wanted.len() > next).then(|| path(next));
    let others = look.snapshot.remits().filter(|remit| !matches!(remit.holder, Holder::Agent(_))).enumerate();
    let others = others.map(|(id, remit)| Other {
        holder: line(&words::holder(&remit.holder)),
        id,
        owner: owner(remit),
        mode: words::mode(remit.mode),
        classes: classes(&remit.grants),
        limits: remit.limits.iter().map(words::limit).collect(),
    });
    let others = others.collect();
    Ok(Agents { page, rows, others, newer, older, wish })
}

async fn found(edge: &Edge, id: &str, headers: &HeaderMap) -> Result<One, Refusal> {
    let (person, page) = Page::visit(edge, headers, Deed::Look, Place::Agents, id).await?;
    let look = Look::now(edge).await?;
    let unknown = || Refusal::new(Code::RecordUnknown, "no remit in force names this agent");
    let id = AgentId::parse(id).map_err(|_| unknown())?;
    let remit = look.snapshot.remit(&id).ok_or_else(unknown)?;
    let whole = format!("agent:{id}/");
    let mut own: Vec<_> =
        budgets::rows(edge, |key| key.starts_with(&whole)).await?.into_iter().map(|(_, row)| row).collect();
    own.sort_by_key(|row| std::cmp::Reverse(row.gauge.permille()));
    let store = &edge.gate.ports().store;
    let asked = RunsAsked { agent: Some(id.clone()), limit: LATEST, ..RunsAsked::default() };
    let runs = store.run_sheet(&asked).await.map_err(unavailable)?;
    let asked = Latest {
        kind: Some(Kind::Decision),
        agent: Some(id.to_string()),
        verdict: Some("deny".into()),
        limit: LATEST,
        ..Latest::default()
    };
    let refusals = store.latest(&asked).await.map_err(unavailable)?;
    let runs = runs.items.iter().map(|run| Run {
        id: run.id.to_string(),
        user: run.user.as_ref().map(|user| line(user.as_str())),
        opened: Moment::new(run.opened_at, look.now),
        used: Moment::new(run.used_at, look.now),
        open: run.closed_at.is_none(),
        calls: run.calls,
        spend: money(run.spend),
    });
    Ok(One {
        page,
        may_halt: person.may(Deed::Halt),
        halt: super::halts::path(&HaltTarget::Agent(id.clone())),
        file: line(&remit.locus.file),
        observes: remit.mode == remit_core::authority::remit::Mode::Observe,
        classes: classes(&remit.grants),
        limits: remit.limits.iter().map(words::limit).collect(),
        tenant: look.snapshot.limits().iter().map(words::limit).collect(),
        tools: look.tools(&id),
        budgets: own,
        runs: runs.collect(),
        refusals: refusals.items.iter().map(|record| Decision::of(record, look.now)).collect(),
        all_calls: link(Place::Calls.path(), &[("agent", id.as_str())]),
        all_runs: link(Place::Runs.path(), &[("agent", id.as_str())]),
        row: look.row(&id, remit),
    })
}

/// Everything that is looked at for a row, as of one moment.
struct Look {
    now: Timestamp,
    snapshot: Arc<Snapshot>,
    halts: Vec<Halt>,
    /// The fullest budget of each agent.
    fullest: HashMap<String, (String, Gauge)>,
}

impl Look {
    async fn now(edge: &Edge) -> Result<Self, Refusal> {
        let halts = edge.gate.ports().store.halts().await.map_err(unavailable)?;
        let mut fullest: HashMap<String, (String, Gauge)> = HashMap::new();
        for (budget, row) in budgets::rows(edge, |key| key.starts_with("agent:")).await? {
            let agent = budget.key.0.split('/').next().unwrap_or_default().to_owned();
            let so_far = fullest.get(&agent).map_or(0, |(_, gauge)| gauge.permille());
            if so_far < row.gauge.permille() || !fullest.contains_key(&agent) {
                fullest.insert(agent, (row.what, row.gauge));
            }
        }
        Ok(Self { now: edge.gate.ports().clock.now(), snapshot: edge.gate.snapshot(), halts, fullest })
    }

    fn row(&self, id: &AgentId, remit: &Remit) -> Row {
        let stage = remit.stage.as_str();
        let fullest = self.fullest.get(&format!("agent:{id}"));
        Row {
            id: id.to_string(),
            owner: owner(remit),
            stage: if remit.stage == Stage::Autonomous { Tag::wait(stage) } else { Tag::plain(stage) },
            mode: words::mode(remit.mode),
            halted: self.halts.iter().any(|halt| match &halt.target {
                HaltTarget::Tenant => true,
                HaltTarget::Agent(halted) => halted == id,
                _ => false,
            }),
            expires: remit.expires.map(|at| Moment::new(at, self.now)),
            expired: remit.expires.is_some_and(|at| at <= self.now),
            tools: self.tools(id).len(),
            fullest: fullest.map(|(what, gauge)| (line(what), *gauge)),
        }
    }

    /// The tools that an agent's remit covers, with their pages.
    fn tools(&self, id: &AgentId) -> Vec<(String, Plain)> {
        let caller = Caller::agent(self.snapshot.tenant().clone(), id.clone());
        let held = self.snapshot.registry().tools().iter().filter(|tool| self.snapshot.holds(&caller, tool));
        held.map(|tool| (super::tools::path(tool.name.as_str()), line(tool.name.as_str()))).collect()
    }
}

fn of_agents(snapshot: &Snapshot) -> impl Iterator<Item = (&AgentId, &Remit)> {
    snapshot.remits().filter_map(|remit| match &remit.holder {
        Holder::Agent(id) => Some((id, remit)),
        _ => None,
    })
}

fn owner(remit: &Remit) -> Plain {
    line(remit.owner.as_ref().map_or("", |owner| owner.as_str()))
}

/// What is granted, class by class, in the order in which the grants count.
fn classes(grants: &[Grant]) -> Vec<Granted> {
    let of = |class: Class| Granted {
        class: class.as_str(),
        means: words::class(class),
        sentences: grants.iter().filter(|g| g.class == class).map(|g| (line(&words::grant(g)), line(&g.id))).collect(),
    };
    Class::ALL.into_iter().map(of).collect()
}

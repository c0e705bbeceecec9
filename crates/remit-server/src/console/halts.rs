//! Halts: what stands still, how to lift it, and one stop for each kind of thing. A stop is never pressed
//! blindly: the page before it says what it will stop.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use http::HeaderMap;
use remit_core::halt::HaltTarget;
use remit_core::ids::{AgentId, UpstreamId};
use remit_core::registry::Class;
use remit_core::steering::Deed;
use remit_core::verdict::Refusal;
use serde::Deserialize;

use super::moment::Moment;
use super::page::{Page, Place, answer, form, link, onward};
use super::plain::{Plain, line};
use crate::admin::halts::{known, resume, stop, target};
use crate::admin::{operator, unavailable};
use crate::edge::Edge;

/// How many names of agents and tools are shown before the rest is only counted.
const NAMED: usize = 40;

/// A halt in force.
struct Row {
    value: String,
    target: Plain,
    by: Plain,
    reason: Plain,
    since: Moment,
}

#[derive(Template)]
#[template(path = "halts.html")]
struct Halts {
    page: Page,
    rows: Vec<Row>,
    may_halt: bool,
    may_resume: bool,
    agents: Vec<String>,
    tools: Vec<String>,
    upstreams: Vec<String>,
}

/// What is about to be stopped. The form of the list says it in two fields, a link in one.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Meant {
    target: String,
    kind: String,
    id: String,
}

#[derive(Template)]
#[template(path = "halt.html")]
struct Confirm {
    page: Page,
    value: String,
    target: Plain,
    stands: Option<Row>,
    may_halt: bool,
    agents: Vec<(String, String)>,
    more_agents: usize,
    agent_count: usize,
    tools: Vec<(String, Plain)>,
    more_tools: usize,
    tool_count: usize,
    runs: usize,
    more_runs: bool,
}

/// A form that orders or lifts.
#[derive(Deserialize)]
pub(super) struct Order {
    target: String,
    #[serde(default)]
    reason: String,
}

/// `GET /console/halts`.
pub(super) async fn halts(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    answer(listed(&edge, &headers).await)
}

/// `GET /console/halts/new?target=`, or `?kind=&id=`: what a halt would stop. Stops nothing.
pub(super) async fn confirm(State(edge): State<Arc<Edge>>, Query(meant): Query<Meant>, headers: HeaderMap) -> Response {
    answer(looked_at(&edge, &meant, &headers).await)
}

/// `POST /console/halts`: orders the halt.
pub(super) async fn order(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
    taken: Result<Form<Order>, FormRejection>,
) -> Response {
    let ordered = async {
        let operator = operator(&edge, &headers, Deed::Halt).await?;
        let order = form(taken)?;
        stop(&edge, &operator, &target(&order.target)?, &order.reason).await?;
        Ok(Place::Halts.path().to_owned())
    };
    onward(ordered.await)
}

/// `POST /console/halts/lift`: lifts one.
pub(super) async fn lift(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
    taken: Result<Form<Order>, FormRejection>,
) -> Response {
    let lifted = async {
        let operator = operator(&edge, &headers, Deed::Resume).await?;
        let order = form(taken)?;
        resume(&edge, &operator, &target(&order.target)?, &order.reason).await?;
        Ok(Place::Halts.path().to_owned())
    };
    onward(lifted.await)
}

async fn listed(edge: &Edge, headers: &HeaderMap) -> Result<Halts, Refusal> {
    let (person, page) = Page::visit(edge, headers, Deed::Look, Place::Halts, "Halts").await?;
    let (agents, tools) = super::calls::known(edge);
    let mut upstreams: Vec<_> =
        tools.iter().filter_map(|name| name.split_once('/')).map(|(upstream, _)| upstream.to_owned()).collect();
    upstreams.dedup();
    Ok(Halts {
        page,
        rows: rows(edge).await?,
        may_halt: person.may(Deed::Halt),
        may_resume: person.may(Deed::Resume),
        agents,
        tools,
        upstreams,
    })
}

async fn rows(edge: &Edge) -> Result<Vec<Row>, Refusal> {
    let now = edge.gate.ports().clock.now();
    let halts = edge.gate.ports().store.halts().await.map_err(unavailable)?;
    let rows = halts.iter().map(|halt| Row {
        value: halt.target.to_string(),
        target: line(&named(&halt.target)),
        by: line(&halt.by),
        reason: line(&halt.reason),
        since: Moment::new(halt.since, now),
    });
    Ok(rows.collect())
}

async fn looked_at(edge: &Edge, meant: &Meant, headers: &HeaderMap) -> Result<Confirm, Refusal> {
    let (person, page) = Page::visit(edge, headers, Deed::Look, Place::Halts, "Halt").await?;
    let target = match &*meant.target {
        "" if meant.kind == "tenant" => HaltTarget::Tenant,
        "" => target(&format!("{}:{}", meant.kind, meant.id.trim()))?,
        text => target(text)?,
    };
    known(edge, &target).await?;
    let reach = edge.gate.reach(&target).await.map_err(unavailable)?;
    let value = target.to_string();
    let agents = reach.agents.iter().take(NAMED);
    let agents = agents.map(|id: &AgentId| (format!("{}/{id}", Place::Agents.path()), id.to_string()));
    let tools = reach.tools.iter().take(NAMED).map(|name| (super::tools::path(name), line(name)));
    Ok(Confirm {
        page: Page { title: line(&format!("Halt {}", named(&target))), ..page },
        target: line(&named(&target)),
        stands: rows(edge).await?.into_iter().find(|row| row.value == value),
        value,
        may_halt: person.may(Deed::Halt),
        agents: agents.collect(),
        more_agents: reach.agents.len().saturating_sub(NAMED),
        agent_count: reach.agents.len(),
        tools: tools.collect(),
        more_tools: reach.tools.len().saturating_sub(NAMED),
        tool_count: reach.tools.len(),
        runs: reach.runs,
        more_runs: reach.more_runs,
    })
}

/// What is halted, in words.
fn named(target: &HaltTarget) -> String {
    match target {
        HaltTarget::Tenant => "everything".to_owned(),
        HaltTarget::Agent(id) => format!("agent {id}"),
        HaltTarget::Tool(name) => format!("tool {name}"),
        HaltTarget::Upstream(id) => format!("upstream {}", UpstreamId::as_str(id)),
        HaltTarget::Class(class) => format!("every {} tool", Class::as_str(*class)),
        HaltTarget::Run(id) => format!("run {id}"),
    }
}

/// Where a stop for this target begins.
pub(super) fn path(target: &HaltTarget) -> String {
    link("/console/halts/new", &[("target", &target.to_string())])
}

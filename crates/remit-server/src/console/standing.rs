//! How an agent has fared since its remit last changed, and what would trust it further: its next stage, and what people
//! have proposed.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use remit_app::change::Occasion;
use remit_app::standing::{Counts, Tally};
use remit_app::widening::Wider;
use remit_core::authority::remit::Stage;
use remit_core::ids::AgentId;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;

use super::changes::after;
use super::moment::Moment;
use super::page::{Page, Place, answer, form, onward};
use super::plain::{Plain, line};
use super::proposals::{Shown, shown};
use super::tag::Tag;
use crate::admin::proposals::{not_widened, stage_of};
use crate::admin::{operator, unavailable};
use crate::edge::Edge;

/// How an agent has fared. Templates call it `standing`.
pub(super) struct Standing {
    pub agent: Plain,
    pub since: Option<Moment>,
    pub whole: bool,
    pub halts: u64,
    pub incidents: u64,
    pub classes: Vec<(&'static str, Counts)>,
}

#[derive(Template)]
#[template(path = "standing.html")]
struct StandingPage {
    page: Page,
    id: String,
    stage: Tag,
    standing: Standing,
    /// The stages beyond the one it has.
    further: Vec<&'static str>,
    proposals: Vec<Shown>,
    proposes: bool,
}

impl Standing {
    /// Counts for this agent.
    pub(super) async fn of(edge: &Edge, agent: &AgentId, now: Timestamp) -> Result<Self, Refusal> {
        let tally = edge.gate.standing(agent).await.map_err(unavailable)?;
        Ok(Self::shown(agent, &tally, now))
    }

    fn shown(agent: &AgentId, tally: &Tally, now: Timestamp) -> Self {
        let since = tally.since.as_ref().and_then(|since| since.parse().ok());
        Self {
            agent: line(agent.as_str()),
            since: since.map(|since| Moment::new(since, now)),
            whole: tally.whole,
            halts: tally.halts,
            incidents: tally.incidents,
            classes: tally.classes.iter().map(|(class, counts)| (class.as_str(), *counts)).collect(),
        }
    }
}

/// Where it stands how an agent has fared.
pub(super) fn path(agent: &AgentId) -> String {
    format!("{}/{agent}/standing", Place::Agents.path())
}

/// `GET /console/agents/{id}/standing`.
pub(super) async fn standing(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(looked_at(&edge, &id, &headers).await)
}

async fn looked_at(edge: &Edge, id: &str, headers: &HeaderMap) -> Result<StandingPage, Refusal> {
    let (person, page) = Page::visit(edge, headers, Deed::Look, Place::Agents, &format!("Standing of {id}")).await?;
    let unknown = || Refusal::new(Code::RecordUnknown, "no remit in force names this agent");
    let agent = AgentId::parse(id).map_err(|_| unknown())?;
    let snapshot = edge.gate.snapshot();
    let stage = snapshot.remit(&agent).ok_or_else(unknown)?.stage;
    let now = edge.gate.ports().clock.now();
    let all = [Stage::Sandbox, Stage::Supervised, Stage::Autonomous];
    Ok(StandingPage {
        page,
        stage: Tag::plain(stage.as_str()),
        standing: Standing::of(edge, &agent, now).await?,
        further: all.into_iter().filter(|further| *further > stage).map(Stage::as_str).collect(),
        proposals: shown(edge, now, Some(&agent)).await?,
        proposes: person.may(Deed::Propose),
        id: agent.to_string(),
    })
}

/// A form that trusts an agent further.
#[derive(Deserialize)]
pub(super) struct Further {
    stage: String,
}

/// `POST /console/agents/{id}/stage`: puts the texts in force forward with a higher stage. People vote on them.
pub(super) async fn raise(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    taken: Result<Form<Further>, FormRejection>,
) -> Response {
    let raised = async {
        let by = operator(&edge, &headers, Deed::Propose).await?;
        let wider = Wider::Stage(stage_of(&form(taken)?.stage)?);
        let agent = AgentId::parse(&id).map_err(|error| Refusal::new(Code::Malformed, error.to_string()))?;
        let sources = edge.gate.widened(&agent, &wider).await.map_err(not_widened)?;
        after(edge.authorities().put(&by.approver.id, &sources, Occasion::Widening).await)
    };
    onward(raised.await)
}

//! Proposals: what would let an agent do by itself what people have let it do before, with the evidence beside it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use remit_app::change::Occasion;
use remit_app::proposal::{Proposal, Suggestion};
use remit_app::widening::Wider;
use remit_core::ids::{AgentId, QuestionId};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde_json::Value;

use super::changes::after;
use super::moment::Moment;
use super::page::{Page, Place, answer, onward};
use super::plain::{Plain, line, lines};
use super::standing;
use crate::admin::proposals::{LISTED, not_proposed, not_widened, proposal_of};
use crate::admin::{operator, unavailable};
use crate::edge::Edge;

/// One proposal. Templates call it `proposal`.
pub(super) struct Shown {
    pub id: String,
    pub agent: Plain,
    pub standing: String,
    pub question: String,
    pub by: Plain,
    pub at: Moment,
    /// What it says; none when that was deleted.
    pub says: Option<Says>,
}

/// What a proposal says.
pub(super) struct Says {
    pub file: Plain,
    pub lines: Plain,
    pub leaves_open: Plain,
    /// How the agent had fared with tools of this class when it was made.
    pub evidence: Vec<(&'static str, u64)>,
}

#[derive(Template)]
#[template(path = "proposals.html")]
struct Proposals {
    page: Page,
    proposals: Vec<Shown>,
    proposes: bool,
}

/// `GET /console/proposals`.
pub(super) async fn proposals(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let listed = async {
        let (person, page) = Page::visit(&edge, &headers, Deed::Look, Place::Proposals, "Proposals").await?;
        let proposals = shown(&edge, edge.gate.ports().clock.now(), None).await?;
        Ok(Proposals { page, proposals, proposes: person.may(Deed::Propose) })
    };
    answer(listed.await)
}

/// The proposals, the newest first, of all agents or of one.
pub(super) async fn shown(edge: &Edge, now: Timestamp, agent: Option<&AgentId>) -> Result<Vec<Shown>, Refusal> {
    let mut out = Vec::new();
    for proposal in edge.gate.ports().store.proposals(LISTED).await.map_err(unavailable)? {
        if agent.is_none_or(|agent| proposal.agent == *agent) {
            let suggestion = edge.gate.suggestion(&proposal).await.map_err(unavailable)?;
            out.push(Shown::of(&proposal, suggestion, now));
        }
    }
    Ok(out)
}

impl Shown {
    fn of(proposal: &Proposal, suggestion: Option<Suggestion>, now: Timestamp) -> Self {
        Self {
            id: proposal.id.to_string(),
            agent: line(proposal.agent.as_str()),
            standing: standing::path(&proposal.agent),
            question: proposal.question.to_string(),
            by: line(proposal.by.as_str()),
            at: Moment::new(proposal.at, now),
            says: suggestion.map(|says| Says {
                file: line(&says.file),
                lines: lines(&says.lines),
                leaves_open: line(&says.leaves_open.join(", ")),
                evidence: counted(&says.evidence),
            }),
        }
    }
}

/// The counts of the evidence, as they were recorded.
fn counted(evidence: &str) -> Vec<(&'static str, u64)> {
    const NAMES: [&str; 10] =
        ["calls", "refusals", "holds", "approvals", "denials", "undos", "objections", "unknown", "halts", "incidents"];
    let value = remit_core::json::parse(evidence.as_bytes()).unwrap_or_default();
    let counts = NAMES.into_iter().filter_map(|name| Some((name, value.get(name).and_then(Value::as_u64)?)));
    counts.collect()
}

/// `POST /console/questions/{id}/proposals`: that calls like the one of this question need nobody any more.
pub(super) async fn propose(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let proposed = async {
        let by = operator(&edge, &headers, Deed::Propose).await?;
        let unknown = || Refusal::new(Code::QuestionUnknown, "there is no such question");
        let id = QuestionId::parse(&id).map_err(|_| unknown())?;
        let question = edge.gate.ports().store.question(&id).await.map_err(unavailable)?.ok_or_else(unknown)?;
        let made = edge.gate.propose_always(&by.approver.id, &question.agent, &id).await;
        made.map_err(not_proposed)?;
        Ok(Place::Proposals.path().to_owned())
    };
    onward(proposed.await)
}

/// `POST /console/proposals/{id}`: puts the texts in force forward with its lines. People vote on them.
pub(super) async fn forward(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let put = async {
        let by = operator(&edge, &headers, Deed::Propose).await?;
        let id = proposal_of(&id)?;
        let found = edge.gate.ports().store.proposal(&id).await.map_err(unavailable)?;
        let found = found.ok_or_else(|| Refusal::new(Code::RecordUnknown, "there is no such proposal"))?;
        let sources = edge.gate.widened(&found.agent, &Wider::Proposal(id)).await.map_err(not_widened)?;
        after(edge.authorities().put(&by.approver.id, &sources, Occasion::Widening).await)
    };
    onward(put.await)
}

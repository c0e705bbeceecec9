//! Proposed changes of remits, and what puts one forward.

use axum::response::Response;
use remit_app::change::Occasion;
use remit_app::proposal::{NotProposed, Proposal, Suggestion};
use remit_app::widening::{NotWidened, Wider};
use remit_core::authority::remit::Stage;
use remit_core::ids::{AgentId, ProposalId, QuestionId};
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::accept::{malformed, text};
use crate::admin::asked::{Answer, Asked};
use crate::admin::changes::taken;
use crate::admin::unavailable;

/// How many are listed.
pub(crate) const LISTED: u32 = 50;

/// `GET /admin/v1/proposals?agent=`.
pub(super) async fn list(Asked { edge, query, .. }: Asked) -> Answer {
    let mut out = Vec::new();
    for proposal in edge.gate.ports().store.proposals(LISTED).await.map_err(unavailable)? {
        if query.get("agent").is_none_or(|agent| agent == proposal.agent.as_str()) {
            let suggestion = edge.gate.suggestion(&proposal).await.map_err(unavailable)?;
            out.push(proposal_shown(&proposal, suggestion.as_ref()));
        }
    }
    Ok(json!({"proposals": out}))
}

/// `POST /admin/v1/proposals`: `{"agent", "question"}`: what would let calls like this one through.
pub(super) async fn propose(Asked { edge, by: operator, body, .. }: Asked) -> Answer {
    let asked = body.only(&["agent", "question"]).await?;
    let text = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
    let agent = AgentId::parse(text("agent")).map_err(malformed)?;
    let question = QuestionId::parse(text("question")).map_err(malformed)?;
    let proposed = edge.gate.propose_always(&operator.approver.id, &agent, &question).await;
    let (proposal, suggestion) = proposed.map_err(not_proposed)?;
    Ok(proposal_shown(&proposal, Some(&suggestion)))
}

/// `POST /admin/v1/agents/{id}/widenings`: `{"stage"}` or `{"proposal"}`: puts the texts in force forward with this
/// remit wider in one place. People vote on them, as on every change.
pub(super) async fn widen(Asked { edge, by, id, body, .. }: Asked) -> Result<Response, Refusal> {
    let asked = body.only(&["stage", "proposal"]).await?;
    let wider = match (text(&asked, "stage")?, text(&asked, "proposal")?) {
        (Some(stage), None) => Wider::Stage(stage_of(stage)?),
        (None, Some(proposal)) => Wider::Proposal(proposal_of(proposal)?),
        _ => return Err(malformed("say either `stage` or `proposal`")),
    };
    let agent = AgentId::parse(&id).map_err(malformed)?;
    let sources = edge.gate.widened(&agent, &wider).await.map_err(not_widened)?;
    Ok(taken(&edge, edge.authorities().put(&by.approver.id, &sources, Occasion::Widening).await))
}

/// A stage by its word.
pub(crate) fn stage_of(word: &str) -> Result<Stage, Refusal> {
    let all = [Stage::Sandbox, Stage::Supervised, Stage::Autonomous];
    let found = all.into_iter().find(|stage| stage.as_str() == word);
    found.ok_or_else(|| malformed("`stage` must be sandbox, supervised or autonomous"))
}

/// A proposal by its id.
pub(crate) fn proposal_of(id: &str) -> Result<ProposalId, Refusal> {
    ProposalId::parse(id).map_err(|_| not_widened(NotWidened::Unknown))
}

/// Why nothing was widened.
pub(crate) fn not_widened(error: NotWidened) -> Refusal {
    let text = error.to_string();
    match error {
        NotWidened::Unknown => Refusal::new(Code::RecordUnknown, text),
        NotWidened::NotFurther(_) => Refusal::new(Code::Malformed, text).with_remedy("Nothing was proposed."),
        NotWidened::Shape(_) | NotWidened::Gone => {
            Refusal::new(Code::Conflict, text).with_remedy("Write the lines into the folder by hand, and reload it.")
        }
        NotWidened::Unavailable(error) => unavailable(error),
    }
}

pub(crate) fn not_proposed(error: NotProposed) -> Refusal {
    let text = error.to_string();
    match error {
        NotProposed::Unknown => Refusal::new(Code::QuestionUnknown, text),
        NotProposed::Guardrail(_) => Refusal::new(Code::PolicyGuardrail, text)
            .with_remedy("Propose a change of the guardrail to the people who wrote it."),
        NotProposed::Unbound(_) => {
            Refusal::new(Code::Malformed, text).with_remedy("Write the grant by hand, and say there what bounds it.")
        }
        NotProposed::Unavailable(error) => unavailable(error),
    }
}

fn proposal_shown(proposal: &Proposal, suggestion: Option<&Suggestion>) -> Value {
    let evidence = |s: &Suggestion| remit_core::json::parse(s.evidence.as_bytes()).unwrap_or_default();
    json!({
        "proposal": proposal.id.as_str(),
        "agent": proposal.agent.as_str(),
        "question": proposal.question.as_str(),
        "by": proposal.by.as_str(),
        "at": proposal.at.to_string(),
        "record": proposal.record.as_str(),
        "file": suggestion.map(|s| s.file.as_str()),
        "lines": suggestion.map(|s| s.lines.as_str()),
        "leaves_open": suggestion.map(|s| s.leaves_open.as_slice()),
        "evidence": suggestion.map(evidence),
    })
}

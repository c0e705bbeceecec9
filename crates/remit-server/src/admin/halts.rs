//! Halts.

use remit_core::authority::remit::Holder;
use remit_core::halt::HaltTarget;
use remit_core::verdict::Refusal;
use serde_json::{Value, json};

use crate::accept::malformed;
use crate::admin::asked::{Answer, Asked};
use crate::admin::unavailable;
use crate::edge::Edge;
use crate::identify::Operator;

/// `GET /admin/v1/halts`.
pub(super) async fn list(Asked { edge, .. }: Asked) -> Answer {
    let halts = edge.gate.ports().store.halts().await.map_err(unavailable)?;
    Ok(json!({"halts": halts.iter().map(|halt| json!({
        "target": halt.target.to_string(), "by": halt.by, "reason": halt.reason, "since": halt.since.to_string(),
    })).collect::<Vec<_>>()}))
}

/// `POST /admin/v1/halts`: `{"target", "reason"}`.
pub(super) async fn halt(Asked { edge, by: operator, body, .. }: Asked) -> Answer {
    let body = body.object().await?;
    let (target, reason) = order(&body)?;
    stop(&edge, &operator, &target, reason).await?;
    Ok(json!({"halted": target.to_string()}))
}

/// `POST /admin/v1/halts/lift`: `{"target", "reason"}`.
pub(super) async fn lift(Asked { edge, by: operator, body, .. }: Asked) -> Answer {
    let body = body.object().await?;
    let (target, reason) = order(&body)?;
    let lifted = resume(&edge, &operator, &target, reason).await?;
    Ok(json!({"resumed": lifted, "target": target.to_string()}))
}

/// `GET /admin/v1/halts/reach?target=`: what a halt would stop.
pub(super) async fn reach(Asked { edge, query, .. }: Asked) -> Answer {
    let target = target(query.get("target").unwrap_or_default())?;
    known(&edge, &target).await?;
    let reach = edge.gate.reach(&target).await.map_err(unavailable)?;
    let agents: Vec<_> = reach.agents.iter().map(ToString::to_string).collect();
    Ok(json!({
        "target": target.to_string(), "agents": agents, "tools": reach.tools, "open_runs": reach.runs,
        "more_open_runs": reach.more_runs,
    }))
}

/// Orders a halt, for whoever may: the API and the console.
pub(crate) async fn stop(edge: &Edge, by: &Operator, target: &HaltTarget, reason: &str) -> Result<(), Refusal> {
    known(edge, target).await?;
    edge.gate.halt(target.clone(), &by.approver.id, because(reason)?).await.map_err(unavailable)
}

/// Lifts a halt, for whoever may; false when there was none.
pub(crate) async fn resume(edge: &Edge, by: &Operator, target: &HaltTarget, reason: &str) -> Result<bool, Refusal> {
    edge.gate.resume(target, &by.approver.id, because(reason)?).await.map_err(unavailable)
}

/// What is meant, from its words.
pub(crate) fn target(text: &str) -> Result<HaltTarget, Refusal> {
    HaltTarget::parse(text)
        .ok_or_else(|| malformed("`target` must be tenant, agent:…, tool:…, upstream:…, class:… or run:…"))
}

fn because(reason: &str) -> Result<&str, Refusal> {
    let missing = || malformed("`reason` is missing: people will ask");
    Some(reason).filter(|reason| !reason.trim().is_empty()).ok_or_else(missing)
}

/// An emergency brake that is pulled on a misspelt name must not look like one that holds.
pub(crate) async fn known(edge: &Edge, target: &HaltTarget) -> Result<(), Refusal> {
    let snapshot = edge.gate.snapshot();
    let tools = || snapshot.registry().tools().iter();
    let (found, names): (bool, Vec<String>) = match target {
        HaltTarget::Agent(agent) => {
            let agents = snapshot.remits().filter_map(|remit| match &remit.holder {
                Holder::Agent(id) => Some(id.to_string()),
                _ => None,
            });
            (snapshot.remit(agent).is_some(), agents.collect())
        }
        HaltTarget::Tool(tool) => {
            (snapshot.registry().tool(tool).is_some(), tools().map(|t| t.name.to_string()).collect())
        }
        HaltTarget::Upstream(id) => {
            let upstreams: Vec<_> = tools().map(|tool| tool.name.upstream().to_owned()).collect();
            (upstreams.iter().any(|known| known == id.as_str()), upstreams)
        }
        HaltTarget::Run(run) => (edge.gate.ports().store.run(run).await.map_err(unavailable)?.is_some(), Vec::new()),
        HaltTarget::Tenant | HaltTarget::Class(_) => return Ok(()),
    };
    if found {
        return Ok(());
    }
    let shown = target.to_string();
    let word = shown.split_once(':').map_or(shown.as_str(), |(_, id)| id);
    let near = remit_core::nearest(word, names.iter().map(String::as_str));
    let help = near
        .map_or_else(|| "Nothing was halted.".to_owned(), |near| format!("Nothing was halted. Did you mean `{near}`?"));
    Err(malformed(format!("there is no {shown}, so halting it would stop nothing")).with_remedy(help))
}

fn order(body: &Value) -> Result<(HaltTarget, &str), Refusal> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    Ok((target(text("target"))?, because(text("reason"))?))
}

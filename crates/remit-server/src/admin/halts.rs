//! Halts.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use remit_core::authority::remit::Holder;
use remit_core::halt::HaltTarget;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::admin::{answer, body, operator, unavailable};
use crate::edge::Edge;

/// `GET /admin/v1/halts`.
pub(super) async fn list(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let listed = async {
        operator(&edge, &headers, Deed::Look).await?;
        let halts = edge.gate.ports().store.halts().await.map_err(unavailable)?;
        Ok(json!({"halts": halts.iter().map(|halt| json!({
            "target": halt.target.to_string(), "by": halt.by, "reason": halt.reason, "since": halt.since.to_string(),
        })).collect::<Vec<_>>()}))
    };
    answer(listed.await)
}

/// `POST /admin/v1/halts`: `{"target", "reason"}`.
pub(super) async fn halt(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, raw) = request.into_parts();
    let halted = async {
        let operator = operator(&edge, &parts.headers, Deed::Halt).await?;
        let (target, reason) = order(&body(&edge, raw).await?)?;
        known(&edge, &target)?;
        edge.gate.halt(target.clone(), &operator.approver.id, &reason).await.map_err(unavailable)?;
        Ok(json!({"halted": target.to_string()}))
    };
    answer(halted.await)
}

/// `POST /admin/v1/halts/lift`: `{"target", "reason"}`.
pub(super) async fn lift(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, raw) = request.into_parts();
    let lifted = async {
        let operator = operator(&edge, &parts.headers, Deed::Resume).await?;
        let (target, reason) = order(&body(&edge, raw).await?)?;
        let lifted = edge.gate.resume(&target, &operator.approver.id, &reason).await.map_err(unavailable)?;
        Ok(json!({"resumed": lifted, "target": target.to_string()}))
    };
    answer(lifted.await)
}

/// An emergency brake that is pulled on a misspelt name must not look like one that holds.
fn known(edge: &Edge, target: &HaltTarget) -> Result<(), Refusal> {
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
        HaltTarget::Tenant | HaltTarget::Class(_) | HaltTarget::Run(_) => return Ok(()),
    };
    if found {
        return Ok(());
    }
    let shown = target.to_string();
    let word = shown.split_once(':').map_or(shown.as_str(), |(_, id)| id);
    let near = remit_core::nearest(word, names.iter().map(String::as_str));
    let help = near
        .map_or_else(|| "Nothing was halted.".to_owned(), |near| format!("Nothing was halted. Did you mean `{near}`?"));
    Err(Refusal::new(Code::Malformed, format!("there is no {shown}, so halting it would stop nothing"))
        .with_remedy(help))
}

fn order(body: &Value) -> Result<(HaltTarget, String), Refusal> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let target = text("target").and_then(HaltTarget::parse).ok_or_else(|| {
        Refusal::new(Code::Malformed, "`target` must be tenant, agent:…, tool:…, upstream:…, class:… or run:…")
    })?;
    let reason = text("reason").filter(|reason| !reason.trim().is_empty());
    let reason = reason.ok_or_else(|| Refusal::new(Code::Malformed, "`reason` is missing: people will ask"))?;
    Ok((target, reason.to_owned()))
}

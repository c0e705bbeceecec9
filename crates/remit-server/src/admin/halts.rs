//! Halts.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::HeaderMap;
use remit_core::halt::HaltTarget;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::admin::{answer, body, operator, unavailable};
use crate::edge::Edge;
use crate::identify::Role;

/// `GET /admin/v1/halts`.
pub(super) async fn list(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let listed = async {
        operator(&edge, &headers, Role::Viewer)?;
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
        let operator = operator(&edge, &parts.headers, Role::Operator)?;
        let (target, reason) = order(&body(&edge, raw).await?)?;
        edge.gate.halt(target.clone(), &operator.approver.id, &reason).await.map_err(unavailable)?;
        Ok(json!({"halted": target.to_string()}))
    };
    answer(halted.await)
}

/// `POST /admin/v1/halts/lift`: `{"target", "reason"}`.
pub(super) async fn lift(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, raw) = request.into_parts();
    let lifted = async {
        let operator = operator(&edge, &parts.headers, Role::Operator)?;
        let (target, reason) = order(&body(&edge, raw).await?)?;
        let lifted = edge.gate.resume(&target, &operator.approver.id, &reason).await.map_err(unavailable)?;
        Ok(json!({"resumed": lifted, "target": target.to_string()}))
    };
    answer(lifted.await)
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

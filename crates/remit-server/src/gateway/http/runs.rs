//! Runs over HTTP.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, StatusCode};
use remit_app::Opening;
use remit_app::run::Run;
use remit_core::Caller;
use remit_core::identity::MayDeclare;
use remit_core::ids::{RunId, UserId, WorkflowId};
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::accept::malformed;
use crate::edge::Edge;
use crate::gateway::http::{Asked, ok, refused};
use crate::identify::Identified;

/// `POST /v1/runs`: opens one for a user. Only a key that may declare users can.
pub(super) async fn open(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let asked = match Asked::read(&edge, request).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let opened = async {
        asked.only(&["user", "workflow", "environment", "release_phase", "intent"])?;
        let caller = declared(&asked)?;
        let text = |name| asked.text(name).map(|text| text.map(str::to_owned));
        let opening = Opening {
            intent: text("intent")?,
            environment: text("environment")?,
            release_phase: text("release_phase")?,
        };
        edge.gate.open_run(&caller, opening).await
    };
    match opened.await {
        Ok(run) => (StatusCode::CREATED, axum::Json(shown(&run))).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

/// `GET /v1/runs/{id}`.
pub(super) async fn show(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let found = async {
        let identified = edge.identify(&headers)?;
        own(&edge, &identified, &id).await
    };
    found.await.map_or_else(|refusal| refused(&refusal), |run| ok(shown(&run)))
}

/// `POST /v1/runs/{id}/close`.
pub(super) async fn close(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    let closed = async {
        let identified = edge.identify(&headers)?;
        let run = own(&edge, &identified, &id).await?;
        let caller = edge.caller_in(&identified, Some(&run.id)).await?;
        edge.gate.close_run(&caller, &run.id).await
    };
    closed.await.map_or_else(|refusal| refused(&refusal), |()| ok(json!({"closed": true})))
}

/// The caller for whom a run is opened: the key's own user, or one that the key may declare.
fn declared(asked: &Asked) -> Result<Caller, Refusal> {
    let Identified { caller, may_declare, .. } = asked.identified.clone();
    let user = asked.text("user")?.map(UserId::parse).transpose().map_err(malformed)?;
    let workflow = asked.text("workflow")?.map(WorkflowId::parse).transpose().map_err(malformed)?;
    // An agent that could open runs itself could leave behind what its present run has seen.
    if may_declare == MayDeclare::Nobody {
        let refusal = Refusal::new(Code::PolicyNoPermit, "this key may not open runs");
        return Err(refusal.with_remedy("Runs are opened by host applications: with a key that `may_declare` users."));
    }
    let user = user.ok_or_else(|| malformed("`user` is missing: a run is opened for somebody"))?;
    if !may_declare.covers(&user) {
        return Err(Refusal::new(Code::PolicyNoPermit, "this key may not open runs for that user"));
    }
    let caller = caller.for_user(user);
    Ok(workflow.map_or(caller.clone(), |workflow| caller.within(workflow)))
}

async fn own(edge: &Edge, identified: &Identified, id: &str) -> Result<Run, Refusal> {
    let unknown = || Refusal::new(Code::RunUnknown, "there is no such run of this caller");
    let id = RunId::parse(id).map_err(|_| unknown())?;
    let found = edge.gate.ports().store.run(&id).await;
    let found = found.map_err(|_| Refusal::new(Code::StoreUnavailable, "the run could not be looked up"))?;
    let own = |run: &Run| {
        let user = identified.caller.user();
        run.agent == *identified.caller.calling_agent() && (user.is_none() || run.user.as_ref() == user)
    };
    found.filter(own).ok_or_else(unknown)
}

/// A run as its caller sees it.
pub(crate) fn shown(run: &Run) -> Value {
    json!({
        "run": run.id.as_str(),
        "agent": run.agent.as_str(),
        "user": run.user.as_ref().map(ToString::to_string),
        "workflow": run.workflow.as_ref().map(ToString::to_string),
        "environment": run.environment,
        "release_phase": run.release_phase,
        "implicit": run.implicit,
        "opened_at": run.opened_at.to_string(),
        "used_at": run.used_at.to_string(),
        "closed_at": run.closed_at.map(|at| at.to_string()),
        "calls": run.calls,
        "spend_micro_usd": run.spend,
        "labels": run.labels.words().collect::<Vec<_>>(),
    })
}

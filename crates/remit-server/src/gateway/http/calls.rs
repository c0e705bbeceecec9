//! Calls and decisions over HTTP.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use remit_app::intent::IdempotencyKey;
use remit_app::outcome::{Answer, Outcome};
use remit_app::permit::Passage;
use remit_app::ports::Step;
use remit_app::{NotReported, Reply, Ruling};
use remit_core::ids::RecordId;
use remit_core::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::edge::Edge;
use crate::errand::Errand;
use crate::gateway::builtin;
use crate::gateway::http::{Asked, asking, ok, refused};
use crate::refusal;

/// `POST /v1/calls`: decide and execute.
pub(super) async fn call(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let request = match understood(&edge, request).await {
        Ok(request) => request,
        Err(response) => return response,
    };
    let metrics = edge.metrics.clone();
    match Errand::new(async move { edge.call(request).await }).await {
        Ok(reply) => metrics.timed(Step::Reply, || answer(reply)),
        Err(_) => refused(&Refusal::new(Code::Internal, "the call ended without an answer")),
    }
}

/// `POST /v1/decisions`: decide, for a service that executes itself and reports afterwards.
pub(super) async fn decide(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let request = match understood(&edge, request).await {
        Ok(request) => request,
        Err(response) => return response,
    };
    // Whoever goes away in the middle must leave no gap in the sequence of records.
    let Ok(ruling) = Errand::new(async move { edge.rule(request).await }).await else {
        return refused(&Refusal::new(Code::Internal, "the decision ended without an answer"));
    };
    match ruling {
        Ruling::Admitted { record, reservations, run } => {
            let held =
                reservations.iter().map(|r| json!({"budget": r.key.0, "amount": r.amount, "unit": r.unit.as_str()}));
            ok(json!({
                "decision": "allow", "record": record.as_str(), "run": run.as_str(),
                "reserved": held.collect::<Vec<_>>(),
            }))
        }
        Ruling::Not(Reply::Held { record, question, refusal, expires_at }) => {
            let mut body = refusal::body(&refusal, Some(&record));
            body["decision"] = json!("ask");
            body["question"] = json!(question.as_str());
            body["expires_at"] = json!(expires_at.to_string());
            ok(body)
        }
        Ruling::Not(Reply::Refused { record, refusal }) => {
            let mut body = refusal::body(&refusal, record.as_ref());
            body["decision"] = json!("deny");
            ok(body)
        }
        Ruling::Not(Reply::Done { record, outcome, .. }) => {
            ok(json!({"decision": "repeated", "record": record.as_str(), "state": outcome.state()}))
        }
    }
}

/// `POST /v1/decisions/{id}/outcome`: what came of an admitted call.
pub(super) async fn report(State(edge): State<Arc<Edge>>, Path(id): Path<String>, request: Request) -> Response {
    let asked = match Asked::read(&edge, request).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let unknown = || Refusal::new(Code::RecordUnknown, "there is no such admitted call of this caller");
    let reported = async {
        asked.only(&["state", "result", "reason", "run"])?;
        let id = RecordId::parse(&id).map_err(|_| unknown())?;
        let reason = asked.text("reason")?.unwrap_or("as the service reported").to_owned();
        let outcome = match asked.text("state")? {
            Some("completed") => {
                Outcome::Completed(Answer::Result(asked.body.get("result").cloned().unwrap_or_else(|| json!({}))))
            }
            Some("not_started") => Outcome::NotStarted { code: Code::UpstreamUnavailable, reason },
            Some("unknown") => Outcome::Unknown { code: Code::EffectUnknown, reason },
            _ => return Err(Refusal::new(Code::Malformed, "`state` must be completed, not_started or unknown")),
        };
        let caller = edge.caller_in(&asked.identified, asked.run()?.as_ref()).await?;
        edge.gate.report(&caller, &id, outcome).await.map_err(|error| match error {
            NotReported::Unknown => unknown(),
            NotReported::Settled => Refusal::new(Code::CallSettled, "the outcome of this call was reported already"),
            NotReported::Unavailable(_) => Refusal::new(Code::StoreUnavailable, "the outcome could not be recorded"),
        })
    };
    match reported.await {
        Ok(()) => ok(json!({"recorded": true})),
        Err(refusal) => refused(&refusal),
    }
}

/// `POST /v1/questions/{id}`: `{"text"}`, the caller's answer to what an approver asked back.
pub(super) async fn answer_back(State(edge): State<Arc<Edge>>, Path(id): Path<String>, request: Request) -> Response {
    let asked = match Asked::read(&edge, request).await {
        Ok(asked) => asked,
        Err(response) => return response,
    };
    let answered = async {
        asked.only(&["text"])?;
        let caller = asking(&edge, &asked.headers).await?;
        builtin::answer_back(&edge, &caller, &id, asked.text("text")?.unwrap_or_default()).await
    };
    answered.await.map_or_else(|refusal| refused(&refusal), ok)
}

async fn understood(edge: &Edge, request: Request) -> Result<remit_app::Request, Response> {
    let asked = Asked::read(edge, request).await?;
    understand(edge, &asked).await.map_err(|refusal| refused(&refusal))
}

async fn understand(edge: &Edge, asked: &Asked) -> Result<remit_app::Request, Refusal> {
    asked.only(&["tool", "arguments", "run", "idempotency_key"])?;
    let tool = asked.text("tool")?.ok_or_else(|| Refusal::new(Code::Malformed, "`tool` is missing"))?.to_owned();
    let run = asked.run()?;
    let caller = edge.caller_in(&asked.identified, run.as_ref()).await?;
    let key = asked.said("idempotency_key", "idempotency-key")?;
    if key.is_some_and(|key| key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX) {
        return Err(Refusal::new(Code::Malformed, "the idempotency key must have 1 to 255 bytes"));
    }
    let traceparent = asked.header("traceparent")?.and_then(crate::telemetry::traceparent);
    Ok(remit_app::Request {
        caller,
        tool,
        arguments: asked.body.get("arguments").cloned().unwrap_or_else(|| json!({})),
        run,
        idempotency: key.map(|key| IdempotencyKey(key.to_owned())),
        passage: Passage { traceparent, ..Passage::default() },
        cancelled: None,
    })
}

/// A reply over HTTP.
fn answer(reply: Reply) -> Response {
    match reply {
        Reply::Done { record, outcome, run } => {
            let mut body = json!({"record": record.as_str(), "run": run.as_str(), "state": outcome.state()});
            match outcome {
                Outcome::Completed(Answer::Result(result)) => {
                    body["status"] = json!("done");
                    body["result"] = result;
                    ok(body)
                }
                Outcome::Completed(Answer::Error { code, message, data }) => {
                    body["status"] = json!("done");
                    body["error"] = json!({"rpc_code": code, "message": message, "data": data});
                    with(StatusCode::BAD_GATEWAY, body)
                }
                Outcome::NotStarted { code, reason } | Outcome::Unknown { code, reason } => {
                    refusal::http(refusal::status(code), &Refusal::new(code, reason), Some(&record))
                }
            }
        }
        Reply::Held { record, question, refusal, expires_at } => {
            let mut body = refusal::body(&refusal, Some(&record));
            body["status"] = json!("held");
            body["question"] = json!(question.as_str());
            body["expires_at"] = json!(expires_at.to_string());
            with(StatusCode::ACCEPTED, body)
        }
        Reply::Refused { record, refusal } => refusal::http(refusal::status(refusal.code), &refusal, record.as_ref()),
    }
}

fn with(status: StatusCode, body: Value) -> Response {
    (status, Json(body)).into_response()
}

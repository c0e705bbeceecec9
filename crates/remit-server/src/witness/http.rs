//! The witness over HTTP, exactly as C2SP tlog-witness has it. Owns paths, status codes and limits.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use remit_core::verdict::Code;
use tokio::sync::Semaphore;

use super::desk::Witness;
use super::judge::Refusal;
use super::request::BODY_BYTES_MAX;
use crate::accept;

/// The type of an answer that is a size.
pub(super) const SIZE_TYPE: &str = "text/x.tlog.size";
const TEXT_TYPE: &str = "text/plain; charset=utf-8";
/// How long a body may take to arrive.
const BODY_TIME_MAX: Duration = Duration::from_secs(15);

/// Most requests that are read or wait for a desk at once; each may take as much memory as a body.
const REQUESTS_MAX: usize = 256;

#[derive(Clone)]
struct Office {
    witness: Arc<Witness>,
    places: Arc<Semaphore>,
}

/// Everything a witness answers.
pub fn routes(witness: Arc<Witness>) -> Router {
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin_hash}/checkpoint", get(latest))
        .with_state(Office { witness, places: Arc::new(Semaphore::new(REQUESTS_MAX)) })
}

async fn add_checkpoint(State(Office { witness, places }): State<Office>, body: Body) -> Response {
    let Ok(_place) = places.try_acquire() else {
        return text(StatusCode::SERVICE_UNAVAILABLE, TEXT_TYPE, "too many requests at once\n".into());
    };
    let body = match tokio::time::timeout(BODY_TIME_MAX, accept::body(body, BODY_BYTES_MAX)).await {
        Ok(Ok(body)) => body,
        Ok(Err(refusal)) if refusal.code == Code::RequestTooLarge => {
            return text(StatusCode::PAYLOAD_TOO_LARGE, TEXT_TYPE, "the request is too large\n".into());
        }
        Ok(Err(_)) => return text(StatusCode::BAD_REQUEST, TEXT_TYPE, "the body did not arrive whole\n".into()),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, TEXT_TYPE, "the body took too long\n".into()),
    };
    match witness.add_checkpoint(&body).await {
        Ok(lines) => text(StatusCode::OK, TEXT_TYPE, lines),
        Err(Refusal::Seen(size)) => text(StatusCode::CONFLICT, SIZE_TYPE, format!("{size}\n")),
        Err(refusal) => {
            tracing::info!(why = %refusal, "a checkpoint was not cosigned");
            text(status(&refusal), TEXT_TYPE, told(&refusal))
        }
    }
}

fn status(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::Unknown => StatusCode::NOT_FOUND,
        Refusal::Unsigned(_) => StatusCode::FORBIDDEN,
        Refusal::Seen(_) => StatusCode::CONFLICT,
        Refusal::Inconsistent(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Refusal::Signer(_) | Refusal::Stopped(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What the other side is told. Our own troubles stay here.
fn told(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Signer(_) | Refusal::Stopped(_) => "this witness has a fault\n".into(),
        other => format!("{other}\n"),
    }
}

async fn latest(State(Office { witness, .. }): State<Office>, Path(origin_hash): Path<String>) -> Response {
    match witness.latest(&origin_hash) {
        Some(note) => text(StatusCode::OK, TEXT_TYPE, note.to_string()),
        None => text(StatusCode::NOT_FOUND, TEXT_TYPE, "no checkpoint of this log was cosigned\n".into()),
    }
}

fn text(status: StatusCode, kind: &'static str, body: String) -> Response {
    (status, [(CONTENT_TYPE, kind)], body).into_response()
}

//! The one place where refusals become answers. The match over the codes has no wildcard: a new
//! code does not compile until somebody has said what a client sees.

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use jiff::Timestamp;
use remit_core::ids::{QuestionId, RecordId};
use remit_core::verdict::{Code, Narrowed, Refusal};
use serde_json::{Value, json};

use crate::gateway::access;

/// The HTTP status of a code.
#[must_use]
pub const fn status(code: Code) -> StatusCode {
    match code {
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::AccessNotOffered
        | Code::ApprovalDenied
        | Code::ApprovalNarrowed
        | Code::Halted
        | Code::PolicyError
        | Code::PolicyGuardrail
        | Code::PolicyNoPermit
        | Code::RemitExpired => StatusCode::FORBIDDEN,
        Code::ApprovalRequired => StatusCode::ACCEPTED,
        Code::BudgetExhausted | Code::QuestionsTooMany => StatusCode::TOO_MANY_REQUESTS,
        Code::CallSettled
        | Code::Conflict
        | Code::IdempotencyMismatch
        | Code::IdempotencyPending
        | Code::RecordKept
        | Code::RecordUnsealed
        | Code::RunClosed => StatusCode::CONFLICT,
        Code::InputInvalid => StatusCode::UNPROCESSABLE_ENTITY,
        Code::Malformed => StatusCode::BAD_REQUEST,
        Code::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::GrantUnknown
        | Code::QuestionUnknown
        | Code::RecordUnknown
        | Code::RunUnknown
        | Code::ToolDrifted
        | Code::ToolUnknown => StatusCode::NOT_FOUND,
        Code::EffectUnknown | Code::UpstreamFailed | Code::UpstreamUnavailable => StatusCode::BAD_GATEWAY,
        Code::CredentialUnavailable | Code::LedgerUnsealed | Code::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The machine-readable half of a refusal. A drifted tool looks unknown from the outside.
#[must_use]
pub fn body(refusal: &Refusal, record: Option<&RecordId>) -> Value {
    let code = if refusal.code == Code::ToolDrifted { Code::ToolUnknown } else { refusal.code };
    let mut body = json!({"code": code.as_str(), "reason": refusal.reason, "remedy": code.remedy()});
    if code == refusal.code {
        body["remedy"] = json!(refusal.remedy);
    }
    if let Some(record) = record {
        body["record"] = json!(record.as_str());
    }
    if let Some(at) = refusal.retry_at {
        body["retry_at"] = json!(at.to_string());
    }
    if let Some(factor) = &refusal.factor {
        body["factor"] = json!(factor.to_string());
    }
    if !refusal.may_request.is_empty() {
        body["may_request"] = refusal.may_request.iter().map(access::offered).collect();
    }
    if let Some(narrowed) = &refusal.narrowed {
        body["narrowed"] = instead(narrowed);
    }
    body
}

/// The call that a person has put in another one's place.
#[must_use]
pub fn instead(narrowed: &Narrowed) -> Value {
    let question = narrowed.question.as_ref().map(QuestionId::as_str);
    json!({"arguments": narrowed.arguments, "question": question})
}

/// A refusal over HTTP.
#[must_use]
pub fn http(status: StatusCode, refusal: &Refusal, record: Option<&RecordId>) -> Response {
    let mut response = (status, Json(json!({"error": body(refusal, record)}))).into_response();
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"remit\""));
    }
    if let Some(at) = refusal.retry_at.filter(|_| status == StatusCode::TOO_MANY_REQUESTS) {
        let secs = (at.as_second() - Timestamp::now().as_second()).max(1);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(secs));
    }
    response
}

/// A refusal as a tool's result, the only form that reaches a model everywhere (MCP 2026-07-28,
/// tools: "otherwise the LLM would not be able to see it"). The record goes into `_meta`, never
/// into `structuredContent`, which belongs to the tool's own schema.
#[must_use]
pub fn tool_result(refusal: &Refusal, record: Option<&RecordId>) -> Value {
    result(text(refusal, record), decision("deny", refusal, record))
}

/// A held call as a tool's result.
#[must_use]
pub fn held_result(refusal: &Refusal, record: &RecordId, question: &QuestionId, expires_at: Timestamp) -> Value {
    let text = format!(
        "APPROVAL REQUIRED (not executed): {}. Question {question} was sent to the approvers; it is open until \
         {expires_at}. Do not change the arguments. After approval call the tool again with exactly the same \
         arguments, or ask remit__status with {{\"id\":\"{question}\"}}. Do not call other tools to get the same effect. \
         Reference: {record}.",
        refusal.reason
    );
    let mut meta = decision("ask", refusal, Some(record));
    meta["question"] = json!(question.as_str());
    meta["expires_at"] = json!(expires_at.to_string());
    result(text, meta)
}

fn result(text: String, decision: Value) -> Value {
    json!({
        "content": [{"type": "text", "text": text}],
        "isError": true,
        "_meta": {"dev.remit/decision": decision},
    })
}

fn decision(verdict: &str, refusal: &Refusal, record: Option<&RecordId>) -> Value {
    let mut meta = body(refusal, record);
    meta["decision"] = json!(verdict);
    meta
}

fn text(refusal: &Refusal, record: Option<&RecordId>) -> String {
    let reference = record.map(|record| format!(" Reference: {record}.")).unwrap_or_default();
    let (reason, remedy) = (&refusal.reason, &refusal.remedy);
    if let Some(narrowed) = &refusal.narrowed {
        return format!(
            "CHANGED BY AN APPROVER (not executed): {reason}. Do not repeat this call. Call the tool with exactly these \
             arguments instead: {}.{}{reference}",
            narrowed.arguments,
            waits(narrowed)
        );
    }
    match refusal.code {
        Code::BudgetExhausted => format!("BUDGET EXHAUSTED (not executed): {reason}. {remedy}{reference}"),
        Code::QuestionsTooMany => format!("TOO MANY QUESTIONS (not executed): {reason}. {remedy}{reference}"),
        Code::InputInvalid => format!("INVALID ARGUMENTS (not executed): {reason}. {remedy}{reference}"),
        Code::EffectUnknown | Code::UpstreamFailed => {
            format!("OUTCOME UNKNOWN (it may have taken effect): {reason}. {remedy}{reference}")
        }
        Code::UpstreamUnavailable | Code::CredentialUnavailable | Code::LedgerUnsealed | Code::StoreUnavailable => {
            format!("UNAVAILABLE (not executed): {reason}. {remedy}{reference}")
        }
        code if !refusal.may_request.is_empty() => {
            format!(
                "DENIED by {} (not executed): {reason}. {remedy} Do not try to reach the same effect with another tool.{reference}",
                code.as_str()
            )
        }
        code => format!(
            "DENIED by {} (not executed): {reason}. {remedy} This decision is final for this request; do not retry it or \
             try to reach the same effect with another tool.{reference}",
            code.as_str()
        ),
    }
}

fn waits(narrowed: &Narrowed) -> String {
    let question = narrowed.question.as_ref();
    question.map_or_else(String::new, |id| {
        format!(" Question {id} is open about them, and may be approved already: call, or ask remit__status.")
    })
}

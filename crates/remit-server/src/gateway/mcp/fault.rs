//! Faults: why a message has no result. The codes are those of MCP 2026-07-28, basic, "Error codes";
//! codes of our own lie outside the range JSON-RPC reserves.

use http::StatusCode;
use remit_core::ids::RecordId;
use remit_core::verdict::Refusal;
use serde_json::{Value, json};

use crate::refusal;

/// Text that is no JSON.
pub(super) const PARSE: i64 = -32700;
/// JSON that is no message of this protocol.
pub(super) const INVALID_REQUEST: i64 = -32600;
/// A method that does not exist in the client's era.
pub(super) const METHOD_NOT_FOUND: i64 = -32601;
/// Parameters that the method does not take; also an unknown tool, prompt, task or cursor.
pub(super) const INVALID_PARAMS: i64 = -32602;
/// We, or the upstream, contradicted ourselves.
pub(super) const INTERNAL: i64 = -32603;
/// Legacy revisions only: no such resource.
pub(super) const RESOURCE_NOT_FOUND_LEGACY: i64 = -32002;
/// The headers say something else than the body.
pub(super) const HEADER_MISMATCH: i64 = -32020;
/// The client did not declare what this needs.
pub(super) const MISSING_CAPABILITY: i64 = -32021;
/// The protocol version is not spoken here.
pub(super) const UNSUPPORTED_VERSION: i64 = -32022;
/// A refusal of a request that has no `isError` to carry it in.
pub(super) const REFUSED: i64 = -31001;

/// Why a message has no result, and the HTTP status that goes with it in the modern era.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fault {
    /// Clients of legacy sessions get 200 instead: to them a 404 means that their session is gone.
    pub status: StatusCode,
    /// The JSON-RPC code.
    pub code: i64,
    /// For people.
    pub message: String,
    /// For programs.
    pub data: Option<Value>,
}

impl Fault {
    /// A fault that leaves the HTTP exchange itself in order.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { status: StatusCode::OK, code, message: message.into(), data: None }
    }

    /// A message that is refused as such: 400.
    pub fn bad(code: i64, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, ..Self::new(code, message) }
    }

    /// The same, with data.
    pub fn with(self, data: Value) -> Self {
        Self { data: Some(data), ..self }
    }

    /// Invalid parameters, in a message that is otherwise in order.
    pub fn params(message: impl Into<String>) -> Self {
        Self::new(INVALID_PARAMS, message)
    }

    /// A method that is not served. The name is the client's and is not echoed.
    pub fn method() -> Self {
        Self { status: StatusCode::NOT_FOUND, ..Self::new(METHOD_NOT_FOUND, "method not found") }
    }

    /// A refusal by the gate, for methods whose results cannot say `isError`.
    pub fn refused(refusal: &Refusal, record: Option<&RecordId>) -> Self {
        Self::new(REFUSED, refusal.reason.clone()).with(refusal::body(refusal, record))
    }

    /// The error message on the wire. Without a readable id it has none (2026-07-28, "Error responses").
    pub fn message(&self, id: Option<&Value>) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(data) = &self.data {
            error["data"] = data.clone();
        }
        let mut message = json!({"jsonrpc": "2.0"});
        if let Some(id) = id {
            message["id"] = id.clone();
        }
        message["error"] = error;
        message
    }
}

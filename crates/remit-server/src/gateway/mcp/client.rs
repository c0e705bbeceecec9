//! One request's client: who it is, what it speaks, and where it listens. Nothing in here that the
//! client says about itself (`clientInfo`, capabilities) is ever an input to a decision.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderValue};
use remit_app::intent::IdempotencyKey;
use remit_core::ids::RunId;
use remit_core::limits::IDEMPOTENCY_KEY_BYTES_MAX;
use serde_json::{Map, Value};
use tokio::sync::mpsc::Sender;

use super::fault::Fault;
use super::presence::Gone;
use crate::identify::Identified;

/// The tasks extension, as capabilities name it.
pub(super) const TASKS: &str = "io.modelcontextprotocol/tasks";

/// What a client speaks.
#[derive(Clone, Debug)]
pub(super) enum Speaks {
    /// 2026-07-28, with what it declared for this request.
    Modern(Map<String, Value>),
    /// A legacy revision. The three of them differ in nothing that is answered here.
    Legacy,
}

/// The client of one request.
#[derive(Clone)]
pub(super) struct Client {
    /// Who.
    pub identified: Identified,
    /// What it speaks.
    pub speaks: Speaks,
    /// What its headers say about the call.
    pub hints: Hints,
    /// The credential it came with, to see on a long stream whether it still proves anything.
    pub credential: Option<HeaderValue>,
    /// Where it listens meanwhile, when it does.
    pub outbox: Option<Outbox>,
    /// Nobody waits for the answer any more.
    pub left: Gone,
    /// The client no longer wants the call. Over modern HTTP that is the same; in the legacy era a
    /// lost connection is not (2025-11-25, Streamable HTTP, "Disconnection SHOULD NOT …").
    pub cancelled: Gone,
}

/// What headers may say instead of `_meta`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hints {
    run: Option<String>,
    key: Option<String>,
    traceparent: Option<String>,
}

/// What travels beside a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Beside {
    /// The run it names.
    pub run: Option<RunId>,
    /// The key under which it may be repeated.
    pub key: Option<IdempotencyKey>,
    /// The W3C trace context.
    pub traceparent: Option<String>,
}

/// A message to a listening client.
pub(super) enum Event {
    /// Before the answer.
    Notice(Value),
    /// The answer; nothing follows.
    Last(Value),
}

/// Where a client listens while its request is under way.
#[derive(Clone)]
pub(super) struct Outbox {
    sender: Sender<Event>,
    closed: Arc<AtomicBool>,
}

impl Client {
    /// What it declared it can do, in the modern era.
    pub fn capabilities(&self) -> Option<&Map<String, Value>> {
        match &self.speaks {
            Speaks::Modern(capabilities) => Some(capabilities),
            Speaks::Legacy => None,
        }
    }

    /// Whether it speaks 2026-07-28.
    pub const fn is_modern(&self) -> bool {
        matches!(self.speaks, Speaks::Modern(_))
    }

    /// Whether it declared the tasks extension for this request.
    pub fn takes_tasks(&self) -> bool {
        let extensions = self.capabilities().and_then(|all| all.get("extensions"));
        extensions.and_then(|all| all.get(TASKS)).is_some_and(Value::is_object)
    }

    /// Whether it declared that it can show a person a URL.
    pub fn takes_urls(&self) -> bool {
        let elicitation = self.capabilities().and_then(|all| all.get("elicitation"));
        elicitation.and_then(|how| how.get("url")).is_some_and(Value::is_object)
    }
}

impl Hints {
    /// Reads the headers. Two of a kind, and what is no text, become the empty text, which is
    /// refused later: a call must not leave its run unnoticed.
    pub fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let value = values.next()?.to_str().unwrap_or_default().trim();
            Some(if values.next().is_none() { value.to_owned() } else { String::new() })
        };
        Self { run: text("remit-run"), key: text("idempotency-key"), traceparent: text("traceparent") }
    }
}

impl Beside {
    /// What travels beside a call: from `_meta`, else from the headers.
    ///
    /// # Errors
    /// -32602 when a run or key is malformed, or named twice and differently.
    pub fn read(meta: Option<&Value>, hints: &Hints) -> Result<Self, Fault> {
        let run = told("dev.remit/run", meta, hints.run.as_deref())?;
        let key = told("dev.remit/idempotency-key", meta, hints.key.as_deref())?;
        if key.is_some_and(|key| key.is_empty() || key.len() > IDEMPOTENCY_KEY_BYTES_MAX) {
            return Err(Fault::params("the idempotency key must have 1 to 255 bytes"));
        }
        let run = run.map(RunId::parse).transpose().map_err(|error| Fault::params(error.to_string()))?;
        let trace = meta.and_then(|meta| meta.get("traceparent")).and_then(Value::as_str);
        let traceparent = trace.or(hints.traceparent.as_deref()).and_then(crate::telemetry::traceparent);
        Ok(Self { run, key: key.map(|key| IdempotencyKey(key.to_owned())), traceparent })
    }
}

fn told<'a>(name: &str, meta: Option<&'a Value>, header: Option<&'a str>) -> Result<Option<&'a str>, Fault> {
    let body = match meta.and_then(|meta| meta.get(name)) {
        None => None,
        Some(Value::String(text)) => Some(text.as_str()),
        Some(_) => return Err(Fault::params(format!("`{name}` must be a string"))),
    };
    match (body, header) {
        (Some(body), Some(header)) if body != header => {
            Err(Fault::params(format!("`{name}` and its header say different things")))
        }
        (body, header) => Ok(body.or(header)),
    }
}

impl Outbox {
    /// A place to listen.
    pub fn new(sender: Sender<Event>) -> Self {
        Self { sender, closed: Arc::default() }
    }

    /// The same place, for another request: one request's end does not silence another's notices.
    pub fn another(&self) -> Self {
        Self::new(self.sender.clone())
    }

    /// Nothing more is said here.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Tells the client something before the answer. When it reads too slowly the notice is lost:
    /// a call does not wait for somebody to read about its progress.
    pub fn notice(&self, message: Value) {
        if !self.closed.load(Ordering::Acquire) {
            let _lost = self.sender.try_send(Event::Notice(message));
        }
    }

    /// As [`Outbox::notice`], but waits until there is room; false when nobody listens any more.
    pub async fn say(&self, message: Value) -> bool {
        self.sender.send(Event::Notice(message)).await.is_ok()
    }

    /// Gives the answer. Notices that come later are not sent.
    pub async fn last(&self, message: Value) {
        self.close();
        let _gone = self.sender.send(Event::Last(message)).await;
    }
}

/// The capabilities that an upstream may make use of through us: those whose requests are relayed.
pub(super) fn relayable(capabilities: &Map<String, Value>) -> Map<String, Value> {
    let relayed = ["elicitation", "sampling", "roots"];
    let kept = capabilities.iter().filter(|(name, value)| relayed.contains(&name.as_str()) && value.is_object());
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_run_named_twice_is_named_once_or_not_at_all() {
        let hints = |run: &str| Hints { run: Some(run.into()), ..Hints::default() };
        let run = |meta: Value, hints: &Hints| {
            Beside::read(Some(&meta), hints).map(|beside| beside.run.map(|run| run.to_string()))
        };
        assert_eq!(run(json!({}), &Hints::default()), Ok(None));
        assert_eq!(run(json!({"dev.remit/run": "r1"}), &Hints::default()), Ok(Some("r1".into())));
        assert_eq!(run(json!({}), &hints("r1")), Ok(Some("r1".into())));
        assert_eq!(run(json!({"dev.remit/run": "r1"}), &hints("r1")), Ok(Some("r1".into())));
        assert!(run(json!({"dev.remit/run": "r1"}), &hints("r2")).is_err());
        assert!(run(json!({"dev.remit/run": 1}), &Hints::default()).is_err());
        assert!(run(json!({"dev.remit/run": "no run"}), &Hints::default()).is_err());
        let mut headers = HeaderMap::new();
        headers.append("remit-run", HeaderValue::from_static("r1"));
        assert_eq!(run(json!({}), &Hints::read(&headers)), Ok(Some("r1".into())));
        headers.append("remit-run", HeaderValue::from_static("r2"));
        assert!(run(json!({}), &Hints::read(&headers)).is_err());
        let key = |meta: Value| Beside::read(Some(&meta), &Hints::default()).map(|beside| beside.key);
        assert_eq!(key(json!({"dev.remit/idempotency-key": "k"})), Ok(Some(IdempotencyKey("k".into()))));
        assert!(key(json!({"dev.remit/idempotency-key": ""})).is_err());
        assert!(key(json!({"dev.remit/idempotency-key": "k".repeat(256)})).is_err());
    }

    #[test]
    fn only_what_is_relayed_is_passed_on() {
        let all = json!({"sampling": {}, "roots": true, "extensions": {TASKS: {}}, "elicitation": {"url": {}}});
        let kept = relayable(all.as_object().expect("object"));
        assert_eq!(Value::Object(kept), json!({"sampling": {}, "elicitation": {"url": {}}}));
    }
}

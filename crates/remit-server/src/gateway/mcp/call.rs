//! Calls: a deed goes through the gate, and its answer comes back in the client's shape. Whatever
//! happens to the connection, a call that was begun ends in a receipt: this runs on a task of its own.

use std::sync::Arc;

use remit_app::intent::IdempotencyKey;
use remit_app::permit::{Continuation, Passage, Progress};
use remit_app::{Reply, Request};
use remit_core::Caller;
use remit_core::ids::RunId;
use serde_json::{Map, Value, json};

use super::client::{Beside, Client, relayable};
use super::deed::{Deed, Method};
use super::fault::Fault;
use super::frame::notification;
use super::seal::principal;
use super::state::Leg;
use super::{Mcp, answer, hold, relay};
use crate::gateway::builtin;

/// Names of the gateway's own tools begin so.
const BUILTIN: &str = "remit__";

/// A call in the making: it can be asked for more than once, when it was held in between.
pub(super) struct Order<'a> {
    pub client: &'a Client,
    pub caller: Caller,
    pub deed: Deed,
    run: Option<RunId>,
    key: Option<IdempotencyKey>,
    traceparent: Option<String>,
    continuation: Option<Continuation>,
    progress: Option<Progress>,
}

/// Carries out a method that reaches an upstream.
///
/// # Errors
/// When the answer is a protocol error.
pub(super) async fn carry_out(
    mcp: &Mcp,
    client: &Client,
    method: Method,
    params: &Map<String, Value>,
) -> Result<Value, Fault> {
    let meta = params.get("_meta");
    let beside = Beside::read(meta, &client.hints)?;
    let deed = Deed::read(&mcp.edge, method, params, client.is_modern())?;
    let caller = match mcp.edge.caller_in(&client.identified, beside.run.as_ref()).await {
        Ok(caller) => caller,
        Err(refusal) => return answer::refused(&deed, client.is_modern(), &refusal, None),
    };
    if method == Method::CallTool && deed.tool.starts_with(BUILTIN) {
        let result = builtin::call(&mcp.edge, &caller, &deed.tool, &deed.arguments).await;
        return result.ok_or_else(|| deed.unknown(client.is_modern()));
    }
    let leg = leg(mcp, client, &caller, &deed, params)?;
    let order = Order {
        continuation: continuation(client, params, leg.as_ref())?,
        progress: progress(client, meta),
        client,
        caller,
        deed,
        run: beside.run,
        key: beside.key,
        traceparent: beside.traceparent,
    };
    hold::see_through(mcp, &order, leg).await
}

/// Where a request stands that comes again with a state of ours. Legacy clients carry none.
fn leg(
    mcp: &Mcp,
    client: &Client,
    caller: &Caller,
    deed: &Deed,
    params: &Map<String, Value>,
) -> Result<Option<Leg>, Fault> {
    if !client.is_modern() || !deed.method.may_ask() {
        return Ok(None);
    }
    match params.get("requestState") {
        None => Ok(None),
        Some(Value::String(state)) => {
            Leg::open(&mcp.seals, &principal(caller), deed.digest(), state, mcp.now()).map(Some)
        }
        Some(_) => Err(Fault::params("`requestState` must be a string")),
    }
}

/// What the upstream is told of the client's answers and abilities. The answers are the client's
/// claim and the upstream's to check, with or without a state. What answers a question of ours is
/// not for the upstream, and to us it means nothing: an `accept` is no approval.
fn continuation(
    client: &Client,
    params: &Map<String, Value>,
    leg: Option<&Leg>,
) -> Result<Option<Continuation>, Fault> {
    let Some(capabilities) = client.capabilities().map(relayable) else { return Ok(None) };
    let (held, state) = match leg {
        Some(Leg::Held { .. }) => (true, None),
        Some(Leg::Relayed { state }) => (false, state.clone()),
        None => (false, None),
    };
    let responses = match params.get("inputResponses").filter(|_| !held) {
        None => None,
        Some(responses) if responses.is_object() => Some(responses.clone()),
        Some(_) => return Err(Fault::params("`inputResponses` must be an object")),
    };
    if state.is_none() && responses.is_none() && capabilities.is_empty() {
        return Ok(None);
    }
    let capabilities = (!capabilities.is_empty()).then_some(Value::Object(capabilities));
    Ok(Some(Continuation { state, responses, capabilities }))
}

/// Where the upstream's progress goes: to the client, under the client's own token, and as numbers only. A message would be
/// words of the upstream's past the record, the labels and the origins that its answer has.
fn progress(client: &Client, meta: Option<&Value>) -> Option<Progress> {
    let token = meta?.get("progressToken").filter(|token| token.is_string() || token.is_i64() || token.is_u64());
    let (token, outbox) = (token?.clone(), client.outbox.clone()?);
    Some(Progress(Arc::new(move |params| {
        let number = |name: &str| params.get(name).filter(|value| value.is_number());
        let Some(progress) = number("progress") else { return };
        let mut told = json!({"progressToken": token, "progress": progress});
        if let Some(total) = number("total") {
            told["total"] = total.clone();
        }
        outbox.notice(notification("notifications/progress", told));
    })))
}

impl Order<'_> {
    /// Asks the gate. The decision is made anew each time.
    pub async fn ask(&self, mcp: &Mcp) -> Reply {
        let passage = Passage {
            traceparent: self.traceparent.clone(),
            continuation: self.continuation.clone(),
            progress: self.progress.clone(),
        };
        let request = Request {
            caller: self.caller.clone(),
            tool: self.deed.tool.clone(),
            arguments: self.deed.arguments.clone(),
            run: self.run.clone(),
            idempotency: self.key.clone(),
            passage,
            cancelled: Some(Box::pin(self.client.cancelled.clone().wait())),
        };
        mcp.edge.call(request).await
    }

    /// Whether this leg brings answers for the upstream: they would be lost on a further leg.
    pub fn brings_answers(&self) -> bool {
        self.continuation.as_ref().is_some_and(|c| c.state.is_some() || c.responses.is_some())
    }

    /// The answer to a reply that is none of waiting.
    pub fn answer(&self, mcp: &Mcp, reply: Reply) -> Result<Value, Fault> {
        let modern = self.client.is_modern();
        match reply {
            Reply::Done { record, outcome, .. } => {
                let result = answer::outcome(&self.deed, modern, outcome, &record)?;
                let result = relay::relay(mcp, self.client, &self.caller, &self.deed, &record, result)?;
                Ok(if self.deed.method == Method::ReadResource { uncached(result) } else { result })
            }
            Reply::Refused { record, refusal } => answer::refused(&self.deed, modern, &refusal, record.as_ref()),
            Reply::Held { record, question, refusal, expires_at } => {
                hold::pending(&self.deed, &refusal, &record, &question, expires_at)
            }
        }
    }
}

/// Each reading is a decision of its own, so no answer may stand for the next one.
fn uncached(result: Value) -> Value {
    let Value::Object(mut result) = result else { return result };
    if result.get("resultType").is_none_or(|kind| kind == "complete") {
        result.insert("ttlMs".into(), json!(0));
        result.insert("cacheScope".into(), json!("private"));
    }
    Value::Object(result)
}

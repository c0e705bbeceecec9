//! Holding: what a client is given while its call waits for people (MCP.md 2.3, b). By what this
//! request declared: a task; or several legs, each held a while, the first with a URL for a person to
//! open; or one answer held a while. The question in the store is the only authority: a notice, an
//! elapsed wait and a client's `accept` only make us look there, and the gate decides anew.

use std::time::Duration;

use jiff::Timestamp;
use remit_app::Reply;
use remit_app::question::QuestionState;
use remit_core::ids::{QuestionId, RecordId};
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::call::Order;
use super::deed::{Deed, Method};
use super::fault::{Fault, INTERNAL};
use super::presence::Gone;
use super::seal::principal;
use super::state::Leg;
use super::{Mcp, tasks};
use crate::notices::Notice;
use crate::refusal;

/// Clients of the SDKs give up after ten rounds (MCP.md 2.3).
const LEGS_MAX: u32 = 9;
/// How often one leg asks the gate. A question can change without the call becoming possible; this
/// bounds how many records that costs.
const ASKED_MAX: usize = 3;
/// Another gateway over the same store may have taken the answer: look without being told.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What a held call waits in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    /// A task that the client polls.
    Task,
    /// Legs that the client repeats; with a URL in the first one.
    Legs { url: bool },
    /// One held answer.
    Answer,
}

/// A held call, as the gate or the store tells of it.
struct Held {
    record: RecordId,
    question: QuestionId,
    refusal: Refusal,
    expires_at: Timestamp,
}

fn carrier(order: &Order) -> Carrier {
    let client = order.client;
    match order.deed.method {
        Method::CallTool if client.takes_tasks() => Carrier::Task,
        method if client.is_modern() && method.may_ask() && !order.brings_answers() => {
            Carrier::Legs { url: client.takes_urls() }
        }
        _ => Carrier::Answer,
    }
}

/// Sees a call through to an answer for its client, held or not.
///
/// # Errors
/// When the answer is a protocol error.
pub(super) async fn see_through(mcp: &Mcp, order: &Order<'_>, leg: Option<Leg>) -> Result<Value, Fault> {
    let deadline = Instant::now() + mcp.edge.settings.hold;
    let mut answered = 0;
    let mut held = None;
    if let Some(Leg::Held { question, answered: before }) = leg {
        answered = before;
        if wait(mcp, &question, &order.client.left, deadline).await? == QuestionState::Open {
            return still_open(mcp, order, answered, looked_up(mcp, question).await?);
        }
    }
    for _ in 0..ASKED_MAX {
        let (record, question, refusal, expires_at) = match order.ask(mcp).await {
            Reply::Held { record, question, refusal, expires_at } => (record, question, refusal, expires_at),
            reply => return order.answer(mcp, reply),
        };
        let now = Held { record, question: question.clone(), refusal, expires_at };
        match carrier(order) {
            Carrier::Task => return tasks::created(mcp, &order.caller, &question).await,
            Carrier::Legs { url: true } if answered == 0 => return Ok(next_leg(mcp, order, 1, &now, true)),
            _ => held = Some(now),
        }
        if wait(mcp, &question, &order.client.left, deadline).await? == QuestionState::Open {
            break;
        }
    }
    match held {
        Some(held) => still_open(mcp, order, answered, held),
        None => Err(Fault::new(INTERNAL, "the call ended without an answer")),
    }
}

/// Waits until the question is no longer open, or until the deadline; says where it stands then.
///
/// # Errors
/// When nobody waits for the answer any more: nothing was executed, and nothing will be.
async fn wait(mcp: &Mcp, question: &QuestionId, left: &Gone, deadline: Instant) -> Result<QuestionState, Fault> {
    let gone = left.clone().wait();
    tokio::pin!(gone);
    let away = || Fault::new(INTERNAL, "the client went away while its call was held");
    // Listen first and look second, or a notice in between is missed.
    let mut notices = mcp.edge.notices.subscribe();
    loop {
        // A store that cannot be read is no reason to go on waiting: the gate will say so.
        let Ok(Some(found)) = mcp.edge.gate.ports().store.question(question).await else {
            return Ok(QuestionState::Expired);
        };
        let state = found.state(mcp.now());
        // What is approved now waits for whoever comes for it; for nobody it is not executed.
        if left.is() {
            return Err(away());
        }
        if state != QuestionState::Open || Instant::now() >= deadline {
            return Ok(state);
        }
        let look = deadline.min(Instant::now() + LOOK_AGAIN);
        let told = async {
            loop {
                match timeout_at(look, notices.recv()).await {
                    Ok(Ok(Notice::Question(changed))) if changed == *question => break,
                    Ok(Ok(_)) => {}
                    Ok(Err(RecvError::Closed)) => return sleep_until(look).await,
                    Ok(Err(RecvError::Lagged(_))) | Err(_) => break,
                }
            }
        };
        tokio::select! {
            () = told => {}
            () = &mut gone => return Err(away()),
        }
    }
}

/// The end of a leg that found the question still open.
fn still_open(mcp: &Mcp, order: &Order, answered: u32, held: Held) -> Result<Value, Fault> {
    match carrier(order) {
        Carrier::Legs { .. } if answered < LEGS_MAX => Ok(next_leg(mcp, order, answered + 1, &held, false)),
        _ => pending(&order.deed, &held.refusal, &held.record, &held.question, held.expires_at),
    }
}

/// Lets the client come again. Only the first answer shows a person the URL: prompting again and
/// again is how people learn to click without reading.
fn next_leg(mcp: &Mcp, order: &Order, answered: u32, held: &Held, url: bool) -> Value {
    let leg = Leg::Held { question: held.question.clone(), answered };
    let state = leg.seal(&mcp.seals, &principal(&order.caller), order.deed.digest(), mcp.now());
    let mut result = json!({
        "resultType": "input_required",
        "requestState": state,
        "_meta": {
            "dev.remit/record": held.record.as_str(),
            "dev.remit/question": held.question.as_str(),
            "dev.remit/expires_at": held.expires_at.to_string(),
        },
    });
    if url {
        let base = mcp.edge.settings.base_url.trim_end_matches('/');
        result["inputRequests"] = json!({"approval": {"method": "elicitation/create", "params": {
            "mode": "url",
            "message": format!("This call waits for approval {}. An approver can answer it here.", held.question),
            "url": format!("{base}/approve/{}", held.question),
        }}});
    }
    result
}

/// Tells the model that the call waits and how it goes on.
///
/// # Errors
/// For methods whose results cannot say `isError`.
pub(super) fn pending(
    deed: &Deed,
    refusal: &Refusal,
    record: &RecordId,
    question: &QuestionId,
    expires_at: Timestamp,
) -> Result<Value, Fault> {
    let result = refusal::held_result(refusal, record, question, expires_at);
    if deed.method == Method::CallTool {
        return Ok(result);
    }
    let fault = Fault::refused(refusal, Some(record));
    Err(match result.get("_meta").and_then(|meta| meta.get(super::answer::DECISION)) {
        Some(decision) => fault.with(decision.clone()),
        None => fault,
    })
}

/// A held call that this process did not hold itself.
async fn looked_up(mcp: &Mcp, id: QuestionId) -> Result<Held, Fault> {
    let found = mcp.edge.gate.ports().store.question(&id).await;
    let unavailable = || Refusal::new(Code::StoreUnavailable, "the question could not be read");
    let Ok(Some(question)) = found else { return Err(Fault::refused(&unavailable(), None)) };
    let refusal = Refusal::new(Code::ApprovalRequired, question.reason);
    Ok(Held { record: question.intent, question: id, refusal, expires_at: question.expires_at })
}

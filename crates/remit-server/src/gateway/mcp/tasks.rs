//! Tasks: the form in which clients of the tasks extension wait for people (ext-tasks, draft). The
//! question in the store is the task; its id, sealed for its caller, is the task's. The approved call is
//! made when the client comes for its result, once: under an idempotency key made from the question.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use remit_app::intent::IdempotencyKey;
use remit_app::permit::Passage;
use remit_app::question::{Question, QuestionState};
use remit_app::{Reply, Request};
use remit_core::Caller;
use remit_core::ids::QuestionId;
use remit_core::verdict::{Code, Refusal};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::answer::{error_result, outcome, refused, shaped};
use super::client::{Client, TASKS};
use super::deed::{Deed, Method};
use super::fault::{Fault, INTERNAL, MISSING_CAPABILITY};
use super::seal::{Purpose, principal};
use super::{Mcp, relay};
use crate::refusal;

/// How often a client should ask.
const POLL_MS: u64 = 3_000;
/// How long an answer waits for a call that has just been started.
const START: Duration = Duration::from_secs(1);
/// How many finished or cancelled tasks this process remembers; the store remembers the rest.
const REMEMBERED_MAX: usize = 4_096;

/// What came of a task's call.
type End = Result<Value, Fault>;

/// Tasks as far as this process has seen them.
#[derive(Default)]
pub(super) struct Tasks(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    started: HashMap<QuestionId, watch::Receiver<Option<End>>>,
    cancelled: HashSet<QuestionId>,
    order: VecDeque<QuestionId>,
}

impl Seen {
    fn remember(&mut self, id: QuestionId) {
        self.order.push_back(id);
        let oldest = if self.order.len() > REMEMBERED_MAX { self.order.pop_front() } else { None };
        if let Some(oldest) = oldest {
            self.started.remove(&oldest);
            self.cancelled.remove(&oldest);
        }
    }
}

/// A held call as a task.
///
/// # Errors
/// When the question cannot be read: a task must exist before its id is given away.
pub(super) async fn created(mcp: &Mcp, caller: &Caller, id: &QuestionId) -> Result<Value, Fault> {
    let question = question(mcp, id).await?.ok_or_else(|| Fault::new(INTERNAL, "the question is gone"))?;
    let task = mcp.seals.seal(Purpose::Task, &holder(caller), id.as_str().as_bytes());
    let mut result = shown(&task, &question, "working", Some(waiting(&question)));
    result.insert("resultType".into(), "task".into());
    Ok(Value::Object(result))
}

/// A task belongs to an agent: its user and workflow are looked up with the run of the call.
fn holder(caller: &Caller) -> Vec<u8> {
    principal(&Caller::agent(caller.tenant().clone(), caller.calling_agent().clone()))
}

/// `tasks/get`, `tasks/update` and `tasks/cancel`.
///
/// # Errors
/// -32021 for clients without the extension, -32602 for ids that are not this caller's.
pub(super) async fn serve(
    mcp: &Arc<Mcp>,
    client: &Client,
    method: &str,
    params: &Map<String, Value>,
) -> Result<Value, Fault> {
    if !client.takes_tasks() {
        return Err(undeclared());
    }
    let unknown = || Fault::params("there is no such task");
    let task = params.get("taskId").and_then(Value::as_str).ok_or_else(unknown)?;
    let opened = mcp.seals.open(Purpose::Task, &holder(&client.identified.caller), task).ok_or_else(unknown)?;
    let id = String::from_utf8(opened).ok().and_then(|id| QuestionId::parse(&id).ok()).ok_or_else(unknown)?;
    let question = question(mcp, &id).await?.ok_or_else(unknown)?;
    let caller = mcp.edge.caller_in(&client.identified, Some(&question.run)).await.map_err(|_| unknown())?;
    if question.agent != *caller.calling_agent() || question.user.as_ref() != caller.user() {
        return Err(unknown());
    }
    match method {
        "tasks/get" => Ok(get(mcp, caller, task, &question).await),
        "tasks/cancel" => {
            cancel(mcp, &id);
            Ok(json!({}))
        }
        // Our tasks ask the client for nothing, so there is nothing to take from it.
        _ => Ok(json!({})),
    }
}

/// What a client without the extension is told.
pub(super) fn undeclared() -> Fault {
    let needed = json!({"requiredCapabilities": {"extensions": {TASKS: {}}}});
    Fault::bad(MISSING_CAPABILITY, "Missing required client capability").with(needed)
}

/// Cancels a task whose call has not been started; a started one is left to finish.
fn cancel(mcp: &Mcp, id: &QuestionId) {
    let mut seen = mcp.tasks.0.lock().unwrap_or_else(PoisonError::into_inner);
    if !seen.started.contains_key(id) && seen.cancelled.insert(id.clone()) {
        seen.remember(id.clone());
    }
}

async fn get(mcp: &Arc<Mcp>, caller: Caller, task: &str, question: &Question) -> Value {
    let state = question.state(mcp.now());
    let cancelled = {
        let seen = mcp.tasks.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.cancelled.contains(&question.id)
    };
    let end = match state {
        _ if cancelled => return Value::Object(shown(task, question, "cancelled", None)),
        QuestionState::Open => return Value::Object(shown(task, question, "working", Some(waiting(question)))),
        QuestionState::Denied => Ok(denied(question)),
        QuestionState::Narrowed => Ok(narrowed(question)),
        QuestionState::Expired => Ok(error_result(
            &format!(
                "APPROVAL EXPIRED (not executed): nobody answered in time, or the approval was not used in time. \
                 Call the tool again to ask again. Reference: {}.",
                question.intent
            ),
            json!({"decision": "ask", "code": Code::ApprovalRequired.as_str(), "record": question.intent.as_str()}),
        )),
        QuestionState::Approved | QuestionState::Used => match ended(mcp, caller, question).await {
            Some(end) => end,
            None => {
                let message = "Approved; the call is under way".to_owned();
                return Value::Object(shown(task, question, "working", Some(message)));
            }
        },
    };
    Value::Object(match end {
        Ok(result) => {
            let mut members = shown(task, question, "completed", None);
            members.insert("result".into(), shaped(result, true, &mcp.server));
            members
        }
        Err(fault) => {
            let mut members = shown(task, question, "failed", Some(fault.message.clone()));
            members.insert("error".into(), fault.message(None)["error"].clone());
            members
        }
    })
}

fn denied(question: &Question) -> Value {
    // The last no closed it.
    let why = question.votes.iter().rev().find(|vote| !vote.approve).map_or("", |vote| vote.reason.as_str());
    let reason =
        if why.is_empty() { "a person refused this call".into() } else { format!("a person refused this call: {why}") };
    refusal::tool_result(&Refusal::new(Code::ApprovalDenied, reason), Some(&question.intent))
}

/// The task ends; the call in its place is made by whoever reads this.
fn narrowed(question: &Question) -> Value {
    let narrowed = question.narrowed.as_ref();
    let why = narrowed.map_or("", |narrowed| narrowed.reason.as_str());
    let refusal =
        Refusal::new(Code::ApprovalNarrowed, format!("a person has changed the arguments of this call: {why}"));
    let refusal = Refusal { narrowed: narrowed.map(|narrowed| Box::new(narrowed.told())), ..refusal };
    refusal::tool_result(&refusal, Some(&question.intent))
}

/// What came of the approved call, as soon as that is known. The first who asks starts it.
async fn ended(mcp: &Arc<Mcp>, caller: Caller, question: &Question) -> Option<End> {
    let mut receiver = {
        let mut seen = mcp.tasks.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.started.get(&question.id) {
            Some(receiver) => receiver.clone(),
            None => {
                let receiver = start(mcp.clone(), caller, question.clone());
                seen.started.insert(question.id.clone(), receiver.clone());
                seen.remember(question.id.clone());
                receiver
            }
        }
    };
    let found = tokio::time::timeout(START, receiver.wait_for(Option::is_some)).await;
    match found {
        Ok(Ok(end)) => end.clone(),
        Ok(Err(_)) => {
            // The first call under the key is under way elsewhere: look again at the next poll.
            mcp.tasks.0.lock().unwrap_or_else(PoisonError::into_inner).started.remove(&question.id);
            None
        }
        Err(_) => None,
    }
}

/// Makes the call. The arguments are those the approvers saw, out of the store; the key lets it
/// happen once, over restarts and gateways.
fn start(mcp: Arc<Mcp>, caller: Caller, question: Question) -> watch::Receiver<Option<End>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        let request = Request {
            caller,
            tool: question.tool.clone(),
            arguments: question.arguments.clone(),
            run: Some(question.run.clone()),
            idempotency: Some(IdempotencyKey(format!("dev.remit/task/{}", question.id))),
            passage: Passage::default(),
            cancelled: None,
        };
        let (tool, shown) = (question.tool.clone(), question.tool.clone());
        let deed = Deed { method: Method::CallTool, tool, shown, arguments: question.arguments };
        let end = match mcp.edge.call(request).await {
            Reply::Refused { refusal, .. } if refusal.code == Code::IdempotencyPending => return,
            Reply::Refused { record, refusal } => refused(&deed, true, &refusal, record.as_ref()),
            Reply::Held { record, question, refusal, expires_at } => {
                Ok(refusal::held_result(&refusal, &record, &question, expires_at))
            }
            Reply::Done { record, outcome: done, .. } => match outcome(&deed, true, done, &record) {
                Ok(result) if result.get("resultType").is_some_and(|kind| kind != "complete") => {
                    relay::stopped(&deed, &record, "the upstream asks for input, which a task cannot pass on")
                }
                end => end,
            },
        };
        let _nobody_asks = sender.send(Some(end));
    });
    receiver
}

async fn question(mcp: &Mcp, id: &QuestionId) -> Result<Option<Question>, Fault> {
    let found = mcp.edge.gate.ports().store.question(id).await;
    found.map_err(|_| Fault::refused(&Refusal::new(Code::StoreUnavailable, "the question could not be read"), None))
}

fn waiting(question: &Question) -> String {
    let rules: Vec<_> = question.rules.iter().map(|rule| rule.id.to_string()).collect();
    let asked = question
        .asked_back()
        .map(|remark| format!(". An approver asks: \"{}\"; answer with remit__answer", remark.text));
    format!("Waiting for approval {} by {}{}", question.id, rules.join(" and "), asked.unwrap_or_default())
}

fn shown(task: &str, question: &Question, status: &str, message: Option<String>) -> Map<String, Value> {
    let updated = question.votes.iter().map(|vote| vote.at).max().unwrap_or(question.asked_at);
    let ttl = question.expires_at.as_millisecond().saturating_sub(question.asked_at.as_millisecond()).max(0);
    let mut members = Map::new();
    members.insert("taskId".into(), task.into());
    members.insert("status".into(), status.into());
    if let Some(message) = message {
        members.insert("statusMessage".into(), message.into());
    }
    members.insert("createdAt".into(), question.asked_at.to_string().into());
    members.insert("lastUpdatedAt".into(), updated.to_string().into());
    members.insert("ttlMs".into(), ttl.into());
    members.insert("pollIntervalMs".into(), POLL_MS.into());
    members
}

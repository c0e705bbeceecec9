//! The tools by which agents ask about themselves: what may I do, why was I refused, what became
//! of my held call. They reveal nothing of other callers, and all but one
//! change nothing: `remit__request_access` asks people for more.

use remit_app::REASON_CHARS_MAX;
use remit_app::question::QuestionState;
use remit_core::Caller;
use remit_core::access::Whom;
use remit_core::authority::remit::{Grant, Limit};
use remit_core::ids::{QuestionId, RecordId};
use remit_core::verdict::{Code, Refusal};
use remit_evidence::record::{Kind, disclosed};
use remit_evidence::words::whole;
use serde_json::{Value, json};

use crate::accept;
use crate::admin::questions;
use crate::edge::Edge;
use crate::gateway::access;
use crate::refusal;

/// What may I do.
const MAY: &str = "remit__what_may_i_do";
/// Why was I refused.
const WHY: &str = "remit__why";
/// May I have more for a while.
const REQUEST: &str = "remit__request_access";
/// What became of my held call.
const STATUS: &str = "remit__status";
/// What an approver of my held call wants to know.
const ANSWER: &str = "remit__answer";

/// Their definitions, as a tool list shows them.
#[must_use]
pub fn tools() -> Vec<Value> {
    let tool = |name: &str, description: &str, properties: Value, required: Value| {
        json!({
            "name": name,
            "description": description,
            "inputSchema": {
                "type": "object", "properties": properties, "required": required, "additionalProperties": false,
            },
            "annotations": {"readOnlyHint": true, "openWorldHint": false},
        })
    };
    let id = |what: &str| json!({"id": {"type": "string", "maxLength": 128, "description": what}});
    vec![
        tool(
            MAY,
            "What your remit lets you do: tools, conditions, limits and what needs approval.",
            json!({}),
            json!([]),
        ),
        tool(
            WHY,
            "Why a call of yours was refused or held, and what would help.",
            id("the reference in the refusal"),
            json!(["id"]),
        ),
        tool(
            STATUS,
            "What became of a held call or an access request of yours.",
            id("the question's id"),
            json!(["id"]),
        ),
        request(),
        answering(),
    ]
}

/// The one that changes something: people are asked.
fn request() -> Value {
    let texts = json!({"type": "array", "items": {"type": "string", "maxLength": 256}, "maxItems": 64});
    json!({
        "name": REQUEST,
        "description": "Ask people for more than your remit lets you do, for a while. Without `tools` it lists what you \
                        may ask for, and asks nobody.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "tools": texts,
                "where": {"type": "object", "additionalProperties": texts, "description": "bounds: {\"environment\": [\"staging\"]}"},
                "for_secs": {"type": "integer", "minimum": 1, "description": "for how long, in seconds"},
                "calls": {"type": "integer", "minimum": 1, "description": "how many calls"},
                "reason": {"type": "string", "maxLength": 1024, "description": "why; people read it"},
            },
            "required": [],
            "additionalProperties": false,
        },
        "annotations": {"readOnlyHint": false, "destructiveHint": false, "openWorldHint": false},
    })
}

/// The tool that answers an approver. It changes nothing but what approvers read.
fn answering() -> Value {
    let text = |longest: usize, what: &str| json!({"type": "string", "maxLength": longest, "description": what});
    json!({
        "name": ANSWER,
        "description": "Answer what an approver asked back about a held call of yours. They decide; your answer decides nothing.",
        "inputSchema": {
            "type": "object", "additionalProperties": false, "required": ["id", "text"],
            "properties": {"id": text(128, "the question's id"), "text": text(REASON_CHARS_MAX, "your answer")},
        },
        "annotations": {"readOnlyHint": false, "destructiveHint": false, "openWorldHint": false},
    })
}

/// Answers, when the name is one of these tools: a tool result.
pub async fn call(edge: &Edge, caller: &Caller, name: &str, arguments: &Value) -> Option<Value> {
    if ![MAY, WHY, STATUS, REQUEST, ANSWER].contains(&name) {
        return None;
    }
    Some(match answer(edge, caller, name, arguments).await {
        Ok(value) => json!({
            "content": [{"type": "text", "text": serde_json::to_string_pretty(&value).unwrap_or_default()}],
            "structuredContent": value,
            "isError": false,
        }),
        Err(refusal) => refusal::tool_result(&refusal, None),
    })
}

async fn answer(edge: &Edge, caller: &Caller, name: &str, arguments: &Value) -> Result<Value, Refusal> {
    takes(name, arguments)?;
    let text = |name: &str| arguments.get(name).and_then(Value::as_str).unwrap_or_default();
    match name {
        WHY => why(edge, caller, text("id")).await,
        STATUS => status(edge, caller, text("id")).await,
        ANSWER => answer_back(edge, caller, text("id"), text("text")).await,
        REQUEST if arguments.get("tools").is_none() => Ok(access::offers(edge, caller)),
        REQUEST => access::request(edge, caller, None, arguments).await,
        _ => may(edge, caller).await,
    }
}

/// Whether these are arguments of this tool: none that it does not know, and the texts that it needs. A model that is
/// told which one is wrong mends it.
fn takes(name: &str, arguments: &Value) -> Result<(), Refusal> {
    let (known, needed): (&[&str], &[&str]) = match name {
        WHY | STATUS => (&["id"], &["id"]),
        ANSWER => (&["id", "text"], &["id", "text"]),
        REQUEST => (&["tools", "where", "for_secs", "calls", "reason"], &[]),
        _ => (&[], &[]),
    };
    let checked = accept::only(arguments, known)
        .and_then(|()| needed.iter().try_for_each(|name| accept::said(arguments, name).map(drop)));
    checked.map_err(|refusal| Refusal::new(Code::InputInvalid, refusal.reason))
}

/// What the caller's remit says, in its own words.
///
/// # Errors
/// When the store cannot say what is halted.
pub async fn may(edge: &Edge, caller: &Caller) -> Result<Value, Refusal> {
    let tools = edge.gate.tools(caller).await?;
    let snapshot = edge.gate.snapshot();
    let remit = snapshot.remit(caller.calling_agent());
    let grants: Vec<_> = remit.iter().flat_map(|remit| &remit.grants).map(grant).collect();
    Ok(json!({
        "agent": caller.calling_agent().as_str(),
        "user": caller.user().map(ToString::to_string),
        "stage": remit.map(|remit| remit.stage.as_str()),
        "expires": remit.and_then(|remit| remit.expires).map(|at| at.to_string()),
        "tools": tools.iter().map(|tool| tool.public.as_str()).collect::<Vec<_>>(),
        "grants": grants,
        "limits": remit.map(|remit| remit.limits.iter().map(limit).collect::<Vec<_>>()),
        "may_request": remit.iter().flat_map(|remit| &remit.may_request).map(access::offered).collect::<Vec<_>>(),
        "granted": granted(edge, caller).await?,
    }))
}

/// What people gave this caller for a while.
async fn granted(edge: &Edge, caller: &Caller) -> Result<Vec<Value>, Refusal> {
    let live = edge.gate.ports().store.live_grants().await;
    let (_, live) = live.map_err(|_| Refusal::new(Code::StoreUnavailable, "the grants could not be read"))?;
    let (snapshot, now) = (edge.gate.snapshot(), edge.gate.ports().clock.now());
    let own = |grant: &&remit_core::access::AccessGrant| {
        let whom = match &grant.whom {
            Whom::Anybody => true,
            Whom::Exactly(user) => user.as_ref() == caller.user(),
        };
        grant.agent == *caller.calling_agent() && whom && now < grant.expires && snapshot.backs(grant)
    };
    let shown = live.iter().filter(own).map(|grant| {
        json!({
            "grant": grant.id.as_str(),
            "access": grant.terms.to_json(),
            "expires": grant.expires.to_string(),
            "unused_until": grant.unused_until.map(|at| at.to_string()),
        })
    });
    Ok(shown.collect())
}

fn grant(grant: &Grant) -> Value {
    let bounds: Vec<_> =
        grant.bounds.iter().map(|(d, values)| json!({"dimension": d.as_str(), "in": values})).collect();
    json!({
        "class": grant.class.as_str(),
        "tools": grant.tools.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "where": bounds,
        "when": grant.when,
        "approval": grant.approval.as_ref().map(ToString::to_string),
        "limits": grant.limits.iter().map(limit).collect::<Vec<_>>(),
    })
}

fn limit(limit: &Limit) -> String {
    format!("{} per {}", limit.unit.show(limit.amount), limit.window.as_str())
}

/// The predicate of a decision record of this caller. Another caller's does not exist for this one.
///
/// # Errors
/// When there is none of this caller.
pub async fn own_decision(edge: &Edge, caller: &Caller, id: &str) -> Result<(RecordId, Value), Refusal> {
    let unknown = || Refusal::new(Code::RecordUnknown, "there is no such record of yours");
    let id = RecordId::parse(id).map_err(|_| unknown())?;
    let record = edge.gate.ports().store.record(&id).await;
    let record = record.map_err(|_| Refusal::new(Code::StoreUnavailable, "the record could not be read"))?;
    let record = record.filter(|record| record.kind == Kind::Decision).ok_or_else(unknown)?;
    let mut statement = remit_core::json::parse(&record.envelope.payload).map_err(|_| unknown())?;
    let beside = disclosed(&record.disclosures);
    let predicate = whole(statement["predicate"].take(), &beside);
    let user = beside.iter().find(|(name, _)| name == "user").and_then(|(_, user)| user.as_str());
    let own = predicate["agent"]["id"] == caller.calling_agent().as_str()
        && user == caller.user().map(remit_core::ids::UserId::as_str);
    if own { Ok((id, predicate)) } else { Err(unknown()) }
}

async fn why(edge: &Edge, caller: &Caller, id: &str) -> Result<Value, Refusal> {
    let (id, predicate) = own_decision(edge, caller, id).await?;
    Ok(json!({
        "record": id.as_str(),
        "time": predicate["time"],
        "tool": predicate["tool"]["name"],
        "verdict": predicate["verdict"],
        "refusal": predicate.get("refusal"),
        "asks": predicate.get("asks"),
    }))
}

/// Answers what an approver asked back about a question of this caller.
///
/// # Errors
/// When there is none of this caller, or nobody waits for an answer.
pub async fn answer_back(edge: &Edge, caller: &Caller, id: &str, text: &str) -> Result<Value, Refusal> {
    let id = QuestionId::parse(id).map_err(|_| questions::not_taken(remit_app::NotTaken::Unknown))?;
    let question = edge.gate.answer_back(caller, &id, text).await.map_err(questions::not_taken)?;
    let next = "The approvers see your answer. Ask again later, or call the tool again with the same arguments.";
    Ok(json!({"question": question.id.as_str(), "answered": true, "next": next}))
}

/// Where a question of this caller stands.
///
/// # Errors
/// When there is none of this caller.
pub async fn status(edge: &Edge, caller: &Caller, id: &str) -> Result<Value, Refusal> {
    let unknown = || Refusal::new(Code::QuestionUnknown, "there is no such question of yours");
    let id = QuestionId::parse(id).map_err(|_| unknown())?;
    let request = edge.gate.ports().store.request_of(&id).await;
    let request = request.map_err(|_| Refusal::new(Code::StoreUnavailable, "the question could not be read"))?;
    if let Some(request) = request {
        let own = request.agent == *caller.calling_agent() && request.user.as_ref() == caller.user();
        return if own { access::own(edge, &request).await } else { Err(unknown()) };
    }
    let question = edge.gate.ports().store.question(&id).await;
    let question = question.map_err(|_| Refusal::new(Code::StoreUnavailable, "the question could not be read"))?;
    let own =
        |q: &remit_app::question::Question| q.agent == *caller.calling_agent() && q.user.as_ref() == caller.user();
    let question = question.filter(own).ok_or_else(unknown)?;
    let state = question.state(edge.gate.ports().clock.now());
    let next = match state {
        QuestionState::Open if question.asked_back().is_some() => {
            "An approver asks you something: see `asked`. Answer with remit__answer, then ask again later."
        }
        QuestionState::Open => {
            "People have been asked. Ask again later, or call the tool again with the same arguments."
        }
        QuestionState::Approved => {
            "Approved. Call the tool again with exactly the same arguments; it will be executed once."
        }
        QuestionState::Denied => "Refused by a person. Do not repeat the call; tell the user.",
        QuestionState::Expired => {
            "Nobody answered in time, or the approval was not used in time. Call again to ask again."
        }
        QuestionState::Used => "The call was made.",
        QuestionState::Narrowed => {
            "A person has changed the arguments. Do not repeat the call; make the one with exactly the arguments in `narrowed`."
        }
    };
    let narrowed = question.narrowed.as_ref();
    let denial = question.denial(edge.gate.ports().clock.now());
    Ok(json!({
        "question": id.as_str(),
        "tool": question.tool,
        "state": state.as_str(),
        "expires_at": question.expires_at.to_string(),
        "reason": denial.or(narrowed.map(|narrowed| narrowed.reason.as_str())),
        "narrowed": narrowed.map(|narrowed| refusal::instead(&narrowed.told())),
        "asked": question.asked_back().map(|remark| remark.text.as_str()),
        "next": next,
    }))
}

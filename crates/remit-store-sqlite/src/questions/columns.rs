//! Columns of questions and votes that hold a JSON value of their own.

use remit_app::preview::Preview;
use remit_app::question::{Narrowed, Question, QuestionRule, RunBounds};
use remit_core::approval::CallParties;
use remit_core::ids::{AgentId, Digest, QuestionId, RuleId, TeamId, UserId, WorkflowId};
use remit_core::origin::Origin;
use serde_json::{Value, json};

use crate::columns::{malformed, micros, time, value};
use crate::failure::Failure;

pub(super) fn preview_column(preview: &Preview) -> String {
    // One word for what is looked for by an index.
    if *preview == Preview::Awaited { "awaited".into() } else { preview.to_json().to_string() }
}

pub(super) fn preview(text: &str) -> Result<Preview, Failure> {
    if text == "awaited" {
        return Ok(Preview::Awaited);
    }
    Preview::read(&value(text)?).ok_or_else(|| malformed("question", "unexpected preview"))
}

pub(super) fn narrowed_column(of: &Narrowed) -> String {
    let next = of.next.as_ref().map(QuestionId::as_str);
    json!({"arguments": of.arguments, "next": next, "reason": of.reason, "at": micros(of.at)}).to_string()
}

pub(super) fn narrowed(text: &str) -> Result<Narrowed, Failure> {
    let shape = || malformed("question", "unexpected narrowing");
    let found = value(text)?;
    Ok(Narrowed {
        arguments: found.get("arguments").cloned().ok_or_else(shape)?,
        next: found.get("next").and_then(Value::as_str).map(QuestionId::parse).transpose()?,
        reason: found.get("reason").and_then(Value::as_str).ok_or_else(shape)?.to_owned(),
        at: time(found.get("at").and_then(Value::as_i64).ok_or_else(shape)?)?,
    })
}

pub(super) fn bounds_column(of: RunBounds) -> String {
    json!([of.calls_max, of.cost_max, of.until.as_microsecond()]).to_string()
}

pub(super) fn bounds(text: &str) -> Result<RunBounds, Failure> {
    let shape = || malformed("vote", "unexpected bounds");
    let found: (u32, u64, i64) = serde_json::from_str(text).map_err(|_| shape())?;
    Ok(RunBounds { calls_max: found.0, cost_max: found.1, until: time(found.2)? })
}

/// What nothing is looked up by, as one JSON object.
pub(super) fn particulars(question: &Question) -> Value {
    let parties = &question.parties;
    let rules = question
        .rules
        .iter()
        .map(|rule| json!([rule.id.as_str(), rule.definition.to_string(), rule.quorum, rule.deny]));
    json!({
        "user": question.user.as_ref().map(UserId::as_str),
        "via": question.via.iter().map(AgentId::as_str).collect::<Vec<_>>(),
        "workflow": question.workflow.as_ref().map(WorkflowId::as_str),
        "parties": [
            parties.user.as_ref().map(UserId::as_str),
            parties.agent_owner.as_ref().map(TeamId::as_str),
            parties.tool_owner.as_ref().map(TeamId::as_str),
        ],
        "resource": question.resource,
        "cost": question.cost,
        "reason": question.reason,
        "rules": rules.collect::<Vec<_>>(),
        "origins": question.origins.iter().map(|(place, origin)| json!([place, origin.as_str()])).collect::<Vec<_>>(),
    })
}

pub(super) fn add_particulars(question: &mut Question, text: &str) -> Result<(), Failure> {
    let shape = || malformed("question", "unexpected shape");
    let found: Value = serde_json::from_str(text).map_err(|_| shape())?;
    let string = |value: Option<&Value>| value.and_then(Value::as_str).map(ToOwned::to_owned);
    let list = |name: &str| found.get(name).and_then(Value::as_array).ok_or_else(shape);
    let count = |rule: &Value, at| rule.get(at).and_then(Value::as_u64).and_then(|n: u64| u32::try_from(n).ok());
    let party = |at: usize| found.get("parties").and_then(|parties| parties.get(at)).and_then(Value::as_str);
    question.user = found.get("user").and_then(Value::as_str).map(UserId::parse).transpose()?;
    question.workflow = found.get("workflow").and_then(Value::as_str).map(WorkflowId::parse).transpose()?;
    for agent in list("via")? {
        question.via.push(AgentId::parse(agent.as_str().ok_or_else(shape)?)?);
    }
    question.parties = CallParties {
        user: party(0).map(UserId::parse).transpose()?,
        agent_owner: party(1).map(TeamId::parse).transpose()?,
        tool_owner: party(2).map(TeamId::parse).transpose()?,
    };
    question.resource = string(found.get("resource")).ok_or_else(shape)?;
    question.cost = found.get("cost").and_then(Value::as_u64).ok_or_else(shape)?;
    question.reason = string(found.get("reason")).ok_or_else(shape)?;
    for origin in list("origins")? {
        let word = origin.get(1).and_then(Value::as_str).and_then(Origin::parse).ok_or_else(shape)?;
        question.origins.push((string(origin.get(0)).ok_or_else(shape)?, word));
    }
    for rule in list("rules")? {
        question.rules.push(QuestionRule {
            id: RuleId::parse(&string(rule.get(0)).ok_or_else(shape)?)?,
            definition: string(rule.get(1)).and_then(|hex| Digest::from_hex(&hex)).ok_or_else(shape)?,
            quorum: count(rule, 2).ok_or_else(shape)?,
            deny: count(rule, 3).ok_or_else(shape)?,
        });
    }
    Ok(())
}

//! Questions and votes.

use std::collections::HashSet;

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::action::Salt;
use remit_app::delivery::{Delivery, Event};
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ports::{Narrowing, Questions};
use remit_app::preview::Preview;
use remit_app::question::{Narrowed, Question, QuestionRule, QuestionState, Remark, RunBounds, Vote};
use remit_core::approval::{CallParties, Factor};
use remit_core::ids::{AgentId, Digest, OperatorId, QuestionId, RecordId, RuleId, RunId, TeamId, UserId, WorkflowId};
use remit_core::origin::Origin;
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, Params, params};
use serde_json::{Value, json};

use crate::columns::{amount, digest, malformed, micros, time, value};
use crate::erasure::NO_CALL;
use crate::failure::Failure;
use crate::store::SqliteStore;
use crate::writer::Desk;
use crate::{outbox, records};

const SELECT: &str = "SELECT id, call, intent, decision, run, agent, tool, arguments, particulars, asked_at, \
                      expires_at, used, escalated, uses, narrowed, preview, step_at, action, salt, \
                      voters FROM questions";

/// Stores a question, or keeps an open one for the same call that asks the same.
///
/// One that asks for fewer rules, or for rules that have been defined anew since, is not kept: votes
/// on it could never let the call pass, and the caller would wait for it until it lapses.
pub(crate) fn hold(desk: &Desk<'_>, question: &Question, most: u32) -> Result<QuestionId, Failure> {
    let db = desk.db;
    let known = live(db, &question.call, question.asked_at)?;
    let same = |old: &&Question| {
        old.state(question.asked_at) == QuestionState::Open && question.rules.iter().all(|r| old.rules.contains(r))
    };
    if let Some(old) = known.iter().rev().find(same) {
        return Ok(old.id.clone());
    }
    if unsettled(db, &question.agent, question.asked_at)? >= u64::from(most) {
        return Err(Failure::Conflict("questions"));
    }
    insert(desk, question)?;
    Ok(question.id.clone())
}

/// How many questions of this agent are open, or approved and not yet used.
fn unsettled(db: &Connection, agent: &AgentId, now: Timestamp) -> Result<u64, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT count(*) FROM questions WHERE agent = ?1 AND expires_at > ?2 AND NOT used AND NOT denied
         AND NOT EXISTS (SELECT 1 FROM canaries WHERE question = questions.id)",
    )?;
    Ok(amount(statement.query_row(params![agent.as_str(), micros(now)], |row| row.get(0))?))
}

/// Stores a question as it is.
pub(crate) fn insert(desk: &Desk<'_>, question: &Question) -> Result<(), Failure> {
    let db = desk.db;
    desk.book().will_ask(question.call);
    db.prepare_cached(
        "INSERT INTO questions (id, call, intent, decision, run, agent, tool, arguments, particulars, asked_at,
           expires_at, preview, step_at, action, salt, voters)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?
    .execute(params![
        question.id.as_str(),
        &question.call.as_bytes()[..],
        question.intent.as_str(),
        &question.decision.as_bytes()[..],
        question.run.as_str(),
        question.agent.as_str(),
        question.tool,
        question.arguments.to_string(),
        particulars(question).to_string(),
        micros(question.asked_at),
        micros(question.expires_at),
        question.preview.as_ref().map(preview_column),
        question.step_at.map(micros),
        &question.action.as_bytes()[..],
        &question.salt.as_bytes()[..],
        &question.voters.as_bytes()[..],
    ])?;
    outbox::owe(db, &Delivery::owed(question))?;
    Ok(())
}

/// Checks that the approval of one rule can be used for this call at this moment. The decision has
/// read that already; between then and now another admission may have used it, or a person denied.
pub(crate) fn check_usable(
    db: &Connection,
    id: &QuestionId,
    rule: &RuleId,
    (call, run): (&Digest, &RunId),
    now: Timestamp,
) -> Result<(), Failure> {
    let question = one(db, id)?.ok_or(Failure::Conflict("approval"))?;
    // A question of several rules may still be open although this one of them has its quorum.
    let live = question.usable(run, now);
    let asked = question.rules.iter().find(|asked| asked.id == *rule);
    let enough = asked.is_some_and(|asked| question.yes(rule) >= asked.quorum as usize);
    if live && enough && question.call == *call { Ok(()) } else { Err(Failure::Conflict("approval")) }
}

/// Uses a question, with every approval it holds: what was approved is one call, once, or a stated number of them.
pub(crate) fn mark_used(db: &Connection, id: &QuestionId) -> Result<(), Failure> {
    let most = one(db, id)?.ok_or(Failure::Conflict("approval"))?.uses_max();
    db.prepare_cached("UPDATE questions SET uses = uses + 1, used = (uses + 1 >= ?2) WHERE id = ?1")?
        .execute(params![id.as_str(), most])?;
    Ok(())
}

/// Ends a question that another one takes the place of.
pub(crate) fn lapse(db: &Connection, id: &QuestionId, now: Timestamp) -> Result<(), Failure> {
    let sql = "UPDATE questions SET expires_at = min(expires_at, ?2) WHERE id = ?1";
    db.prepare_cached(sql)?.execute(params![id.as_str(), micros(now)])?;
    outbox::tell_now(db, id, Event::Lapsed, now)
}

/// Adds a vote.
pub(crate) fn answer(db: &Connection, vote: &Vote, record: &SignedRecord) -> Result<Question, Failure> {
    let mut question = one(db, &vote.question)?.ok_or(Failure::Conflict("question"))?;
    question.takes(vote).map_err(Failure::Conflict)?;
    db.prepare_cached(
        "INSERT INTO votes (question, rule, operator, approve, reason, at, record, user, factor, bounds, behalf,
           behalf_user) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?
    .execute(params![
        vote.question.as_str(),
        vote.rule.as_str(),
        vote.by.as_str(),
        vote.approve,
        vote.reason,
        micros(vote.at),
        vote.record.as_ref().map(|digest| &digest.as_bytes()[..]),
        vote.user.as_ref().map(UserId::as_str),
        vote.factor.as_str(),
        vote.bounds.map(|of| json!([of.calls_max, of.cost_max, of.until.as_microsecond()]).to_string()),
        vote.behalf.as_ref().map(|(operator, _)| operator.as_str()),
        vote.behalf.as_ref().and_then(|(_, user)| user.as_ref().map(UserId::as_str)),
    ])?;
    records::append(db, record)?;
    question.votes.push(vote.clone());
    match question.state(vote.at) {
        QuestionState::Denied => {
            db.prepare_cached("UPDATE questions SET denied = 1 WHERE id = ?1")?.execute([vote.question.as_str()])?;
        }
        QuestionState::Approved => {
            db.prepare_cached("UPDATE questions SET approved = 1 WHERE id = ?1")?.execute([vote.question.as_str()])?;
        }
        _ => {}
    }
    outbox::owe(db, Delivery::owed_after(&question, vote.at).as_slice())?;
    Ok(question)
}

/// Forgets what was asked, for whom, and what was said about it. Which rules and how people voted stays. It is over at the latest now.
pub(crate) fn forget(db: &Connection, id: &QuestionId, now: Timestamp) -> Result<(), Failure> {
    let Some(question) = one(db, id)? else { return Ok(()) };
    db.prepare_cached("DELETE FROM remarks WHERE question = ?1")?.execute([id.as_str()])?;
    db.prepare_cached("UPDATE votes SET reason = '' WHERE question = ?1")?.execute([id.as_str()])?;
    let bare = Question {
        user: None,
        parties: CallParties { user: None, ..question.parties },
        resource: String::new(),
        reason: String::new(),
        origins: Vec::new(),
        expires_at: question.expires_at.min(now),
        ..question
    };
    let narrowed = bare.narrowed.clone();
    let narrowed = narrowed.map(|of| Narrowed { arguments: Value::Null, reason: String::new(), ..of });
    db.prepare_cached(
        "UPDATE questions SET call = ?2, salt = zeroblob(16), arguments = 'null', particulars = ?3, expires_at = ?4,
           narrowed = ?5, preview = NULL WHERE id = ?1",
    )?
    .execute(params![
        id.as_str(),
        &NO_CALL.as_bytes()[..],
        particulars(&bare).to_string(),
        micros(bare.expires_at),
        narrowed.as_ref().map(narrowed_column),
    ])?;
    Ok(())
}

/// One question with its votes.
pub(crate) fn one(db: &Connection, id: &QuestionId) -> Result<Option<Question>, Failure> {
    Ok(select(db, &format!("{SELECT} WHERE id = ?1"), [id.as_str()])?.pop())
}

/// The calls about which there are questions that are not used up.
pub(crate) fn asked(db: &Connection) -> Result<HashSet<Digest>, Failure> {
    let mut statement = db.prepare("SELECT DISTINCT call FROM questions WHERE NOT used")?;
    let mut rows = statement.query([])?;
    let mut calls = HashSet::new();
    while let Some(row) = rows.next()? {
        calls.insert(digest(row.get(0)?)?);
    }
    Ok(calls)
}

/// Questions for exactly this call that were neither used nor have lapsed, oldest first.
pub(crate) fn live(db: &Connection, call: &Digest, now: Timestamp) -> Result<Vec<Question>, Failure> {
    let mut exists =
        db.prepare_cached("SELECT 1 FROM questions WHERE call = ?1 AND expires_at > ?2 AND NOT used LIMIT 1")?;
    let key = params![&call.as_bytes()[..], micros(now)];
    if !exists.exists(key)? {
        return Ok(Vec::new());
    }
    select(db, &format!("{SELECT} WHERE call = ?1 AND expires_at > ?2 AND NOT used ORDER BY position"), key)
}

/// Open questions with a step of their escalation to be noticed by now.
pub(crate) fn steps_due(db: &Connection, now: Timestamp, limit: u32) -> Result<Vec<Question>, Failure> {
    let sql = format!(
        "{SELECT} WHERE step_at IS NOT NULL AND NOT used AND NOT denied AND NOT approved AND step_at <= ?1
           AND expires_at > ?1 ORDER BY step_at, position LIMIT ?2"
    );
    select(db, &sql, params![micros(now), limit])
}

/// Says when the next step is to be noticed, unless that has changed meanwhile.
pub(crate) fn plan_step(
    db: &Connection,
    id: &QuestionId,
    from: Timestamp,
    to: Option<Timestamp>,
) -> Result<(), Failure> {
    db.prepare_cached("UPDATE questions SET step_at = ?3 WHERE id = ?1 AND step_at = ?2")?.execute(params![
        id.as_str(),
        micros(from),
        to.map(micros)
    ])?;
    Ok(())
}

fn select(db: &Connection, sql: &str, key: impl Params) -> Result<Vec<Question>, Failure> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    let mut questions = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |at: usize| row.get::<_, String>(at);
        let mut question = Question {
            id: QuestionId::parse(&text(0)?)?,
            call: digest(row.get(1)?)?,
            action: digest(row.get(17)?)?,
            salt: Salt::new(row.get(18)?),
            voters: Salt::new(row.get(19)?),
            intent: RecordId::parse(&text(2)?)?,
            decision: digest(row.get(3)?)?,
            run: RunId::parse(&text(4)?)?,
            agent: AgentId::parse(&text(5)?)?,
            user: None,
            via: Vec::new(),
            workflow: None,
            parties: CallParties::default(),
            tool: text(6)?,
            arguments: value(&text(7)?)?,
            resource: String::new(),
            cost: 0,
            reason: String::new(),
            rules: Vec::new(),
            asked_at: time(row.get(9)?)?,
            expires_at: time(row.get(10)?)?,
            origins: Vec::new(),
            votes: Vec::new(),
            remarks: Vec::new(),
            escalated: row.get(12)?,
            uses: row.get(13)?,
            used: row.get(11)?,
            narrowed: row.get::<_, Option<String>>(14)?.as_deref().map(narrowed).transpose()?,
            step_at: row.get::<_, Option<i64>>(16)?.map(time).transpose()?,
            preview: row.get::<_, Option<String>>(15)?.as_deref().map(preview).transpose()?,
        };
        add_particulars(&mut question, &text(8)?)?;
        question.votes = votes(db, &question.id)?;
        question.remarks = remarks(db, &question.id)?;
        questions.push(question);
    }
    Ok(questions)
}

fn votes(db: &Connection, question: &QuestionId) -> Result<Vec<Vote>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT rule, operator, approve, reason, at, record, user, factor, bounds, behalf, behalf_user FROM votes
         WHERE question = ?1 ORDER BY position",
    )?;
    let mut rows = statement.query([question.as_str()])?;
    let mut votes = Vec::new();
    while let Some(row) = rows.next()? {
        let user = |at: usize| -> Result<Option<UserId>, Failure> {
            Ok(row.get::<_, Option<String>>(at)?.as_deref().map(UserId::parse).transpose()?)
        };
        let behalf = row.get::<_, Option<String>>(9)?.as_deref().map(OperatorId::parse).transpose()?;
        let behalf_user = user(10)?;
        votes.push(Vote {
            question: question.clone(),
            rule: RuleId::parse(&row.get::<_, String>(0)?)?,
            by: OperatorId::parse(&row.get::<_, String>(1)?)?,
            user: user(6)?,
            behalf: behalf.map(|operator| (operator, behalf_user)),
            factor: Factor::parse(&row.get::<_, String>(7)?).ok_or_else(|| malformed("vote", "unknown factor"))?,
            approve: row.get(2)?,
            bounds: row.get::<_, Option<String>>(8)?.as_deref().map(bounds).transpose()?,
            reason: row.get(3)?,
            at: time(row.get(4)?)?,
            record: row.get::<_, Option<Vec<u8>>>(5)?.map(digest).transpose()?,
        });
    }
    Ok(votes)
}

fn remarks(db: &Connection, question: &QuestionId) -> Result<Vec<Remark>, Failure> {
    let mut statement =
        db.prepare_cached("SELECT operator, text, at FROM remarks WHERE question = ?1 ORDER BY position")?;
    let mut rows = statement.query([question.as_str()])?;
    let mut remarks = Vec::new();
    while let Some(row) = rows.next()? {
        remarks.push(Remark {
            by: row.get::<_, Option<String>>(0)?.as_deref().map(OperatorId::parse).transpose()?,
            text: row.get(1)?,
            at: time(row.get(2)?)?,
        });
    }
    Ok(remarks)
}

#[async_trait]
impl Questions for SqliteStore {
    async fn remark(&self, id: &QuestionId, remark: Remark, record: SignedRecord) -> Result<Question, CommitError> {
        let id = id.clone();
        Ok(self.write(move |desk| said(desk.db, &id, &remark, &record)).await?)
    }

    async fn escalate(
        &self,
        id: &QuestionId,
        steps: u32,
        at: Timestamp,
        record: SignedRecord,
    ) -> Result<Question, CommitError> {
        let id = id.clone();
        Ok(self.write(move |desk| escalated(desk.db, &id, steps, at, &record)).await?)
    }

    async fn awaiting_preview(&self, now: Timestamp, limit: u32) -> Result<Vec<QuestionId>, Unavailable> {
        self.read(|db| awaiting_preview(db, now, limit)).await
    }

    async fn attach_preview(&self, id: &QuestionId, preview: Preview, at: Timestamp) -> Result<bool, Unavailable> {
        let id = id.clone();
        Ok(self.write(move |desk| attach_preview(desk.db, &id, &preview, at)).await?)
    }

    async fn narrow(&self, id: &QuestionId, narrowing: Narrowing) -> Result<Question, CommitError> {
        let id = id.clone();
        Ok(self.write(move |desk| narrow(desk, &id, &narrowing)).await?)
    }
}

/// A new question about the other call, never one that somebody else has opened meanwhile: people would be sent to a
/// question that this record does not ask.
fn narrow(desk: &Desk<'_>, id: &QuestionId, narrowing: &Narrowing) -> Result<Question, Failure> {
    let db = desk.db;
    let question = one(db, id)?.ok_or(Failure::Conflict("question"))?;
    question.narrows(narrowing.narrowed.at).map_err(Failure::Conflict)?;
    if let Some((next, decision)) = &narrowing.asks {
        if hold(desk, next, u32::MAX)? != next.id {
            return Err(Failure::Conflict("narrower"));
        }
        records::append(db, decision)?;
    }
    records::append(db, &narrowing.record)?;
    db.prepare_cached("UPDATE questions SET narrowed = ?2, denied = 1 WHERE id = ?1")?
        .execute(params![id.as_str(), narrowed_column(&narrowing.narrowed)])?;
    let closed = Question { narrowed: Some(narrowing.narrowed.clone()), ..question };
    outbox::owe(db, Delivery::owed_after(&closed, narrowing.narrowed.at).as_slice())?;
    Ok(closed)
}

fn awaiting_preview(db: &Connection, now: Timestamp, limit: u32) -> Result<Vec<QuestionId>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT id FROM questions WHERE preview = 'awaited' AND expires_at > ?1 AND NOT used AND NOT denied
         ORDER BY position LIMIT ?2",
    )?;
    let mut rows = statement.query(params![micros(now), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(QuestionId::parse(&row.get::<_, String>(0)?)?);
    }
    Ok(found)
}

fn attach_preview(db: &Connection, id: &QuestionId, preview: &Preview, at: Timestamp) -> Result<bool, Failure> {
    let open = one(db, id)?.is_some_and(|question| question.takes_preview(at));
    if open {
        db.prepare_cached("UPDATE questions SET preview = ?2 WHERE id = ?1")?
            .execute(params![id.as_str(), preview_column(preview)])?;
        outbox::tell_now(db, id, Event::Asked, at)?;
    }
    Ok(open)
}

fn preview_column(preview: &Preview) -> String {
    // One word for what is looked for by an index.
    if *preview == Preview::Awaited { "awaited".into() } else { preview.to_json().to_string() }
}

fn preview(text: &str) -> Result<Preview, Failure> {
    if text == "awaited" {
        return Ok(Preview::Awaited);
    }
    Preview::read(&value(text)?).ok_or_else(|| malformed("question", "unexpected preview"))
}

fn narrowed_column(of: &Narrowed) -> String {
    let next = of.next.as_ref().map(QuestionId::as_str);
    json!({"arguments": of.arguments, "next": next, "reason": of.reason, "at": micros(of.at)}).to_string()
}

fn narrowed(text: &str) -> Result<Narrowed, Failure> {
    let shape = || malformed("question", "unexpected narrowing");
    let found = value(text)?;
    Ok(Narrowed {
        arguments: found.get("arguments").cloned().ok_or_else(shape)?,
        next: found.get("next").and_then(Value::as_str).map(QuestionId::parse).transpose()?,
        reason: found.get("reason").and_then(Value::as_str).ok_or_else(shape)?.to_owned(),
        at: time(found.get("at").and_then(Value::as_i64).ok_or_else(shape)?)?,
    })
}

fn said(db: &Connection, id: &QuestionId, remark: &Remark, record: &SignedRecord) -> Result<Question, Failure> {
    let mut question = one(db, id)?.ok_or(Failure::Conflict("question"))?;
    question.hears(remark.at).map_err(Failure::Conflict)?;
    db.prepare_cached("INSERT INTO remarks (question, operator, text, at) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![id.as_str(), remark.by.as_ref().map(OperatorId::as_str), remark.text, micros(remark.at),])?;
    records::append(db, record)?;
    question.remarks.push(remark.clone());
    Ok(question)
}

fn escalated(
    db: &Connection,
    id: &QuestionId,
    steps: u32,
    at: Timestamp,
    record: &SignedRecord,
) -> Result<Question, Failure> {
    let question = one(db, id)?.ok_or(Failure::Conflict("question"))?;
    question.escalates(steps, at).map_err(Failure::Conflict)?;
    db.prepare_cached("UPDATE questions SET escalated = ?2, step_at = ?3 WHERE id = ?1")?.execute(params![
        id.as_str(),
        steps,
        micros(at)
    ])?;
    records::append(db, record)?;
    Ok(Question { escalated: steps, step_at: Some(at), ..question })
}

fn bounds(text: &str) -> Result<RunBounds, Failure> {
    let shape = || malformed("vote", "unexpected bounds");
    let found: (u32, u64, i64) = serde_json::from_str(text).map_err(|_| shape())?;
    Ok(RunBounds { calls_max: found.0, cost_max: found.1, until: time(found.2)? })
}

/// What nothing is looked up by, as one JSON object.
fn particulars(question: &Question) -> Value {
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

fn add_particulars(question: &mut Question, text: &str) -> Result<(), Failure> {
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

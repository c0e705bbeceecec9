//! Questions and votes, as they are written.

mod columns;
mod rows;

pub(crate) use rows::{asked, live, one, steps_due};

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::delivery::{Delivery, Event};
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ports::{Narrowing, Questions};
use remit_app::preview::Preview;
use remit_app::question::{Narrowed, Question, QuestionState, Remark, Vote};
use remit_core::approval::CallParties;
use remit_core::ids::{AgentId, Digest, OperatorId, QuestionId, RuleId, RunId, UserId};
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::columns::{amount, micros};
use crate::erasure::NO_CALL;
use crate::failure::Failure;
use crate::store::SqliteStore;
use crate::writer::Desk;
use crate::{outbox, records};
use columns::{bounds_column, narrowed_column, particulars, preview_column};

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
        vote.bounds.map(bounds_column),
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

//! Questions as they are read: with their votes and remarks.

use std::collections::HashSet;

use jiff::Timestamp;
use remit_app::action::Salt;
use remit_app::question::{Question, Remark, Vote};
use remit_core::approval::{CallParties, Factor};
use remit_core::ids::{AgentId, Digest, OperatorId, QuestionId, RecordId, RuleId, RunId, UserId};
use rusqlite::{Connection, Params, params};

use super::columns::{add_particulars, bounds, narrowed, preview};
use crate::columns::{digest, malformed, micros, time, value};
use crate::failure::Failure;

const SELECT: &str = "SELECT id, call, intent, decision, run, agent, tool, arguments, particulars, asked_at, \
                      expires_at, used, escalated, uses, narrowed, preview, step_at, action, salt, \
                      voters FROM questions";

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

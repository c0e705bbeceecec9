//! Lists for people who look.

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::intent::Unavailable;
use remit_app::ports::Listing;
use remit_app::ports::listing::{Asked, LOOKED_AT_MAX, Lapse, Latest, RunsAsked, SHEET_MAX, Sheet, SpanUse, Waiting};
use remit_app::question::{Question, QuestionState};
use remit_app::run::Run;
use remit_core::budget::BudgetKey;
use remit_core::ids::{AgentId, QuestionId, RunId};
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, Row, params};

use crate::columns::{amount, int, micros, time};
use crate::failure::Failure;
use crate::store::SqliteStore;
use crate::{budgets, questions, records, runs};

#[async_trait]
impl Listing for SqliteStore {
    async fn waiting(&self, asked: &Waiting) -> Result<Sheet<Question, Lapse>, Unavailable> {
        self.read(|db| waiting(db, asked)).await
    }

    async fn count_waiting(&self, now: Timestamp) -> Result<u64, Unavailable> {
        self.read(|db| {
            let sql =
                "SELECT count(*) FROM questions WHERE NOT used AND NOT denied AND NOT approved AND expires_at > ?1";
            Ok(amount(db.prepare_cached(sql)?.query_row([micros(now)], |row| row.get(0))?))
        })
        .await
    }

    async fn asked(&self, asked: &Asked) -> Result<Sheet<Question, u64>, Unavailable> {
        self.read(|db| earlier(db, asked)).await
    }

    async fn latest(&self, asked: &Latest) -> Result<Sheet<SignedRecord, u64>, Unavailable> {
        self.read(|db| records::latest(db, asked)).await
    }

    async fn run_sheet(&self, asked: &RunsAsked) -> Result<Sheet<Run, u64>, Unavailable> {
        self.read(|db| runs::sheet(db, asked)).await
    }

    async fn spans(&self, budget: &BudgetKey, limit: usize) -> Result<Vec<SpanUse>, Unavailable> {
        self.read(|db| budgets::spans(db, &budget.0, limit.clamp(1, SHEET_MAX))).await
    }
}

/// Walks along the index of what waits. A row is first looked at in place; only one that may be asked for is
/// read with its votes.
fn waiting(db: &Connection, asked: &Waiting) -> Result<Sheet<Question, Lapse>, Failure> {
    let mut sheet = Sheet { items: Vec::new(), older: None };
    let named: Option<Vec<_>> = asked.rules.as_ref().map(|rules| rules.iter().map(|r| format!("\"{r}\"")).collect());
    if named.as_ref().is_some_and(Vec::is_empty) {
        return Ok(sheet);
    }
    let mut statement = db.prepare_cached(
        "SELECT id, agent, tool, particulars, expires_at, position FROM questions
         WHERE NOT used AND NOT denied AND NOT approved AND expires_at > ?1 AND expires_at >= ?2 AND (expires_at, position) > (?2, ?3)
         ORDER BY expires_at, position LIMIT ?4",
    )?;
    let after = asked.after.map_or((i64::MIN, 0), |after| (micros(after.at), int(after.place)));
    let mut rows = statement.query(params![micros(asked.now), after.0, after.1, int(LOOKED_AT_MAX as u64)])?;
    let (mut looked_at, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        looked_at += 1;
        last = Some(Lapse { at: time(row.get(4)?)?, place: amount(row.get(5)?) });
        let rule_may_be_there = match &named {
            None => true,
            Some(named) => named.iter().any(|rule| text(row, 3).is_ok_and(|particulars| particulars.contains(rule))),
        };
        if differs(row, 1, asked.agent.as_ref().map(AgentId::as_str))?
            || differs(row, 2, asked.tool.as_deref())?
            || !rule_may_be_there
        {
            continue;
        }
        let found = questions::one(db, &QuestionId::parse(text(row, 0)?)?)?;
        sheet.items.extend(found.filter(|q| asked.takes(q) && q.state(asked.now) == QuestionState::Open));
        if sheet.items.len() == asked.limit.clamp(1, SHEET_MAX) {
            return Ok(Sheet { older: last, ..sheet });
        }
    }
    Ok(Sheet { older: last.filter(|_| looked_at == LOOKED_AT_MAX), ..sheet })
}

/// Questions before a place. Those of one run, and those about one tool by one agent, are found by an index.
fn earlier(db: &Connection, asked: &Asked) -> Result<Sheet<Question, u64>, Failure> {
    let (run, agent) = (asked.run.as_ref().map(RunId::as_str), asked.agent.as_ref().map(AgentId::as_str));
    let tool = asked.tool.as_deref();
    // Written out, so that each finds its index.
    let narrowed = match (run, agent, tool) {
        (Some(_), ..) => "run = ?3 AND",
        (None, Some(_), Some(_)) => "tool = ?5 AND agent = ?4 AND",
        _ => "",
    };
    let mut statement = db.prepare_cached(&format!(
        "SELECT id, agent, tool, position, ?3, ?4, ?5 FROM questions WHERE {narrowed} position < ?1
         ORDER BY position DESC LIMIT ?2"
    ))?;
    let before = asked.before.map_or(i64::MAX, int);
    let mut rows = statement.query(params![before, int(LOOKED_AT_MAX as u64), run, agent, tool])?;
    let mut sheet = Sheet { items: Vec::new(), older: None };
    let (mut looked_at, mut last) = (0, 0);
    while let Some(row) = rows.next()? {
        (looked_at, last) = (looked_at + 1, amount(row.get(3)?));
        if differs(row, 1, agent)? || differs(row, 2, tool)? {
            continue;
        }
        let found = questions::one(db, &QuestionId::parse(text(row, 0)?)?)?;
        sheet.items.extend(found.filter(|question| asked.takes(question)));
        if sheet.items.len() == asked.limit.clamp(1, SHEET_MAX) {
            return Ok(Sheet { older: (last > 1).then_some(last), ..sheet });
        }
    }
    Ok(Sheet { older: (looked_at == LOOKED_AT_MAX).then_some(last), ..sheet })
}

fn text<'r>(row: &'r Row<'_>, at: usize) -> Result<&'r str, Failure> {
    Ok(row.get_ref(at)?.as_str().map_err(rusqlite::Error::from)?)
}

/// Whether a column holds something else than is asked for.
fn differs(row: &Row<'_>, at: usize, asked: Option<&str>) -> Result<bool, Failure> {
    asked.map_or(Ok(false), |asked| Ok(text(row, at)? != asked))
}

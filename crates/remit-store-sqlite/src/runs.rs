//! Runs.

use jiff::Timestamp;
use remit_app::ports::listing::{LOOKED_AT_MAX, RunsAsked, SHEET_MAX, Sheet};
use remit_app::run::{Run, RunFilter};
use remit_core::RunFacts;
use remit_core::ids::{AgentId, RunId, UserId, WorkflowId};
use remit_core::labels::{Labels, Sensitivity};
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::book::Page;
use crate::columns::{amount, int, malformed, micros, time};
use crate::failure::Failure;
use crate::records;
use crate::writer::Desk;

/// How many runs are listed when the filter names no limit.
const LIMIT_DEFAULT: u32 = 100;

/// Opens a run.
pub(crate) fn open(desk: &Desk<'_>, run: &Run, record: &SignedRecord) -> Result<(), Failure> {
    let added = desk
        .db
        .prepare_cached(
            "INSERT INTO runs (id, agent, user, workflow, environment, release_phase, intent, implicit, opened_at,
               used_at, closed_at, calls, spend, sensitivity, untrusted, marks, version)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, 0)
             ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            run.id.as_str(),
            run.agent.as_str(),
            run.user.as_ref().map(UserId::as_str),
            run.workflow.as_ref().map(WorkflowId::as_str),
            run.environment,
            run.release_phase,
            run.intent,
            run.implicit,
            micros(run.opened_at),
            micros(run.used_at),
            run.closed_at.map(micros),
            int(run.calls),
            int(run.spend),
            run.labels.sensitivity.as_str(),
            run.labels.untrusted,
            marks_text(&run.labels),
        ])?;
    if added == 0 {
        return Err(Failure::Conflict("run"));
    }
    records::append(desk.db, record).map(drop)
}

/// Closes an open run.
pub(crate) fn close(desk: &Desk<'_>, run: &RunId, at: Timestamp, record: &SignedRecord) -> Result<(), Failure> {
    let mut page = current(desk, run)?.filter(|page| !page.facts.closed).ok_or(Failure::Conflict("run"))?;
    page.facts.closed = true;
    page.version += 1;
    desk.db
        .prepare_cached("UPDATE runs SET closed_at = ?2 WHERE id = ?1")?
        .execute(params![run.as_str(), micros(at)])?;
    desk.book().set_run(run, page);
    records::append(desk.db, record).map(drop)
}

/// Counts an admitted call in its run, unless the run is no longer as the decision saw it.
pub(crate) fn count_call(desk: &Desk<'_>, run: &RunId, version: u64, at: Timestamp) -> Result<(), Failure> {
    let page = current(desk, run)?.and_then(|page| page.with_call(version, at)).ok_or(Failure::Conflict("run"))?;
    desk.book().set_run(run, page);
    Ok(())
}

/// Adds what a settled call spent and what its answer carried.
pub(crate) fn book(desk: &Desk<'_>, run: &RunId, spend: u64, labels: Option<&Labels>) -> Result<(), Failure> {
    let Some(page) = current(desk, run)? else { return Ok(()) };
    if let Some(page) = page.with_answer(spend, labels) {
        desk.book().set_run(run, page);
    }
    Ok(())
}

/// What changes about a run, from the book or else from the file.
fn current(desk: &Desk<'_>, run: &RunId) -> Result<Option<Page>, Failure> {
    if let Some(page) = desk.book().run(run) {
        return Ok(Some(page.clone()));
    }
    page(desk.db, run)
}

/// What changes about a run, according to the file.
pub(crate) fn page(db: &Connection, run: &RunId) -> Result<Option<Page>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT sensitivity, untrusted, marks, calls, spend, environment, release_phase, closed_at IS NOT NULL, version,
           used_at FROM runs WHERE id = ?1",
    )?;
    let mut rows = statement.query([run.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let facts = RunFacts {
        labels: read_labels(row, 0)?,
        calls: amount(row.get(3)?),
        spend: amount(row.get(4)?),
        environment: row.get(5)?,
        release_phase: row.get(6)?,
        closed: row.get(7)?,
    };
    Ok(Some(Page::new(facts, time(row.get(9)?)?, amount(row.get(8)?))))
}

/// Writes what has changed about a run in the book.
pub(crate) fn write(db: &Connection, run: &RunId, page: &Page) -> Result<(), Failure> {
    let facts = &page.facts;
    db.prepare_cached(
        "UPDATE runs SET calls = ?2, used_at = ?3, spend = ?4, sensitivity = ?5, untrusted = ?6, marks = ?7, version = ?8
         WHERE id = ?1",
    )?
    .execute(params![
        run.as_str(),
        int(facts.calls),
        micros(page.used_at),
        int(facts.spend),
        facts.labels.sensitivity.as_str(),
        facts.labels.untrusted,
        marks_text(&facts.labels),
        int(page.version),
    ])?;
    Ok(())
}

/// One run and its version.
pub(crate) fn one(db: &Connection, id: &RunId) -> Result<Option<(Run, u64)>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT id, agent, user, workflow, environment, release_phase, intent, implicit, opened_at, used_at, closed_at,
           calls, spend, sensitivity, untrusted, marks, version
         FROM runs WHERE id = ?1",
    )?;
    let mut rows = statement.query([id.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((read(row)?, amount(row.get(16)?))))
}

/// The newest open implicit run of this agent and user that was used since `since`.
pub(crate) fn idle(
    db: &Connection,
    agent: &AgentId,
    user: Option<&UserId>,
    since: Timestamp,
) -> Result<Option<RunId>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT id FROM runs
         WHERE agent = ?1 AND user IS ?2 AND implicit AND closed_at IS NULL AND used_at >= ?3
         ORDER BY opened_at DESC, position DESC LIMIT 1",
    )?;
    let found: Option<String> = statement
        .query_row(params![agent.as_str(), user.map(UserId::as_str), micros(since)], |row| row.get(0))
        .optional()?;
    Ok(found.as_deref().map(RunId::parse).transpose()?)
}

/// Runs, newest first.
pub(crate) fn some(db: &Connection, filter: &RunFilter) -> Result<Vec<Run>, Failure> {
    let limit = if filter.limit == 0 { LIMIT_DEFAULT } else { filter.limit };
    let mut statement = db.prepare_cached(
        "SELECT id, agent, user, workflow, environment, release_phase, intent, implicit, opened_at, used_at, closed_at,
           calls, spend, sensitivity, untrusted, marks, version
         FROM runs WHERE (?1 IS NULL OR agent = ?1) AND (?3 IS NULL OR user = ?3) AND (NOT ?4 OR closed_at IS NULL)
         ORDER BY opened_at DESC, position DESC LIMIT ?2",
    )?;
    let mut rows = statement.query(params![
        filter.agent.as_ref().map(AgentId::as_str),
        limit,
        filter.user.as_ref().map(UserId::as_str),
        filter.open,
    ])?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next()? {
        runs.push(read(row)?);
    }
    Ok(runs)
}

/// Runs before a place, the newest first.
pub(crate) fn sheet(db: &Connection, asked: &RunsAsked) -> Result<Sheet<Run, u64>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT id, agent, user, workflow, environment, release_phase, intent, implicit, opened_at, used_at, closed_at,
           calls, spend, sensitivity, untrusted, marks, position
         FROM runs WHERE position < ?1 ORDER BY position DESC LIMIT ?2",
    )?;
    let before = asked.before.map_or(i64::MAX, int);
    let mut rows = statement.query(params![before, int(LOOKED_AT_MAX as u64)])?;
    let (mut items, mut looked_at, mut last) = (Vec::new(), 0, 0);
    while let Some(row) = rows.next()? {
        (looked_at, last) = (looked_at + 1, amount(row.get(16)?));
        let text = |at: usize| row.get_ref(at).map(|value| value.as_str_or_null().ok().flatten());
        let other = |asked: Option<&str>, at: usize| Ok::<_, Failure>(asked.is_some() && text(at)? != asked);
        if other(asked.agent.as_ref().map(AgentId::as_str), 1)? || other(asked.user.as_ref().map(UserId::as_str), 2)? {
            continue;
        }
        let run = read(row)?;
        if asked.takes(&run) {
            items.push(run);
        }
        if items.len() == asked.limit.clamp(1, SHEET_MAX) {
            return Ok(Sheet { items, older: (last > 1).then_some(last) });
        }
    }
    Ok(Sheet { items, older: (looked_at == LOOKED_AT_MAX).then_some(last) })
}

fn read(row: &Row<'_>) -> Result<Run, Failure> {
    let id: String = row.get(0)?;
    let agent: String = row.get(1)?;
    let user: Option<String> = row.get(2)?;
    let workflow: Option<String> = row.get(3)?;
    let closed_at: Option<i64> = row.get(10)?;
    Ok(Run {
        id: RunId::parse(&id)?,
        agent: AgentId::parse(&agent)?,
        user: user.as_deref().map(UserId::parse).transpose()?,
        workflow: workflow.as_deref().map(WorkflowId::parse).transpose()?,
        environment: row.get(4)?,
        release_phase: row.get(5)?,
        intent: row.get(6)?,
        implicit: row.get(7)?,
        opened_at: time(row.get(8)?)?,
        used_at: time(row.get(9)?)?,
        closed_at: closed_at.map(time).transpose()?,
        calls: amount(row.get(11)?),
        spend: amount(row.get(12)?),
        labels: read_labels(row, 13)?,
    })
}

/// Labels in three columns: sensitivity, trust, marks.
pub(crate) fn read_labels(row: &Row<'_>, at: usize) -> Result<Labels, Failure> {
    let word = row.get_ref(at)?.as_str().map_err(rusqlite::Error::from)?;
    let marks = row.get_ref(at + 2)?.as_str().map_err(rusqlite::Error::from)?;
    Ok(Labels {
        sensitivity: Sensitivity::parse(word).ok_or_else(|| malformed("label", "unknown sensitivity"))?,
        untrusted: row.get(at + 1)?,
        marks: marks.split('\n').filter(|mark| !mark.is_empty()).map(ToOwned::to_owned).collect(),
    })
}

/// Marks, a line each.
fn marks_text(labels: &Labels) -> String {
    labels.marks.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
}

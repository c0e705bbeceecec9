//! Halts, and the count of their changes that every admission is checked against.

use remit_core::halt::{Halt, HaltTarget};
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, params};

use crate::columns::{amount, malformed, micros, time};
use crate::failure::Failure;
use crate::records;
use crate::writer::Desk;

/// The halts in force at one version.
#[derive(Debug, Default)]
pub(crate) struct Halts {
    pub version: u64,
    pub list: Vec<Halt>,
}

/// All of them.
pub(crate) fn all(db: &Connection) -> Result<Halts, Failure> {
    let mut statement = db.prepare_cached("SELECT target, ordered_by, reason, since FROM halts ORDER BY target")?;
    let mut rows = statement.query([])?;
    let mut list = Vec::new();
    while let Some(row) = rows.next()? {
        let target: String = row.get(0)?;
        list.push(Halt {
            target: HaltTarget::parse(&target).ok_or_else(|| malformed("halt", "unknown target"))?,
            by: row.get(1)?,
            reason: row.get(2)?,
            since: time(row.get(3)?)?,
        });
    }
    Ok(Halts { version: version(db)?, list })
}

/// How often halts have changed.
pub(crate) fn version(db: &Connection) -> Result<u64, Failure> {
    let mut statement = db.prepare_cached("SELECT value FROM meta WHERE name = 'halts'")?;
    Ok(amount(statement.query_row([], |row| row.get(0))?))
}

/// Orders a halt, or replaces the one on the same target.
pub(crate) fn put(desk: &Desk<'_>, halt: &Halt, record: &SignedRecord) -> Result<(), Failure> {
    desk.db
        .prepare_cached(
            "INSERT INTO halts (target, ordered_by, reason, since) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET ordered_by = excluded.ordered_by, reason = excluded.reason, since = excluded.since",
        )?
        .execute(params![halt.target.to_string(), halt.by, halt.reason, micros(halt.since)])?;
    changed(desk)?;
    records::append(desk.db, record).map(drop)
}

/// Lifts a halt; false, and nothing is recorded, when there was none.
pub(crate) fn lift(desk: &Desk<'_>, target: &HaltTarget, record: &SignedRecord) -> Result<bool, Failure> {
    let lifted = desk.db.prepare_cached("DELETE FROM halts WHERE target = ?1")?.execute([target.to_string()])?;
    if lifted == 0 {
        return Ok(false);
    }
    changed(desk)?;
    records::append(desk.db, record)?;
    Ok(true)
}

/// Forgets who ordered the halts that this person ordered. The halts stay.
pub(crate) fn forget(desk: &Desk<'_>, person: &str) -> Result<(), Failure> {
    let sql = "UPDATE halts SET ordered_by = 'erased' WHERE ordered_by = ?1";
    if desk.db.prepare_cached(sql)?.execute([person])? > 0 {
        changed(desk)?;
    }
    Ok(())
}

fn changed(desk: &Desk<'_>) -> Result<(), Failure> {
    desk.db.prepare_cached("UPDATE meta SET value = value + 1 WHERE name = 'halts'")?.execute([])?;
    desk.book().halts_changed();
    Ok(())
}

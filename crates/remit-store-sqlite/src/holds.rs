//! Holds: what must not be deleted.

use remit_app::hold::{Hold, HoldTarget};
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, params};

use crate::columns::{malformed, micros, time};
use crate::failure::Failure;
use crate::records;

/// All of them.
pub(crate) fn all(db: &Connection) -> Result<Vec<Hold>, Failure> {
    let mut statement = db.prepare_cached("SELECT target, ordered_by, reason, since FROM holds ORDER BY target")?;
    let mut rows = statement.query([])?;
    let mut list = Vec::new();
    while let Some(row) = rows.next()? {
        let target: String = row.get(0)?;
        list.push(Hold {
            target: HoldTarget::parse(&target).ok_or_else(|| malformed("hold", "unknown target"))?,
            by: row.get(1)?,
            reason: row.get(2)?,
            since: time(row.get(3)?)?,
        });
    }
    Ok(list)
}

/// Places a hold, or replaces the one on the same target.
pub(crate) fn put(db: &Connection, hold: &Hold, record: &SignedRecord) -> Result<(), Failure> {
    db.prepare_cached(
        "INSERT INTO holds (target, ordered_by, reason, since) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET ordered_by = excluded.ordered_by, reason = excluded.reason, since = excluded.since",
    )?
    .execute(params![hold.target.to_string(), hold.by, hold.reason, micros(hold.since)])?;
    records::append(db, record).map(drop)
}

/// Lifts a hold; false, and nothing is recorded, when there was none.
pub(crate) fn lift(db: &Connection, target: &HoldTarget, record: &SignedRecord) -> Result<bool, Failure> {
    let lifted = db.prepare_cached("DELETE FROM holds WHERE target = ?1")?.execute([target.to_string()])?;
    if lifted == 0 {
        return Ok(false);
    }
    records::append(db, record)?;
    Ok(true)
}

/// Forgets who placed the holds that this person placed.
pub(crate) fn forget(db: &Connection, person: &str) -> Result<(), Failure> {
    db.prepare_cached("UPDATE holds SET ordered_by = 'erased' WHERE ordered_by = ?1")?.execute([person])?;
    Ok(())
}

//! Who may vote in whose place.

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::delegation::Delegation;
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ports::Delegations;
use remit_core::ids::{OperatorId, RecordId, RuleId};
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, params};

use crate::columns::{micros, time};
use crate::failure::Failure;
use crate::records;
use crate::store::SqliteStore;

#[async_trait]
impl Delegations for SqliteStore {
    async fn delegations(&self, now: Timestamp) -> Result<Vec<Delegation>, Unavailable> {
        self.read(|db| in_force(db, now)).await
    }

    async fn put_delegation(&self, delegation: Delegation, record: SignedRecord) -> Result<(), CommitError> {
        Ok(self.write(move |desk| put(desk.db, &delegation, &record)).await?)
    }

    async fn end_delegation(&self, id: &RecordId, now: Timestamp, record: SignedRecord) -> Result<bool, Unavailable> {
        let id = id.clone();
        Ok(self.write(move |desk| end(desk.db, &id, now, &record)).await?)
    }
}

fn in_force(db: &Connection, now: Timestamp) -> Result<Vec<Delegation>, Failure> {
    let sql = "SELECT id, principal, stand_in, rule, since, until FROM delegations WHERE until > ?1 ORDER BY position";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([micros(now)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Delegation {
            id: RecordId::parse(&row.get::<_, String>(0)?)?,
            from: OperatorId::parse(&row.get::<_, String>(1)?)?,
            to: OperatorId::parse(&row.get::<_, String>(2)?)?,
            rule: row.get::<_, Option<String>>(3)?.map(|rule| RuleId::parse(&rule)).transpose()?,
            since: time(row.get(4)?)?,
            until: time(row.get(5)?)?,
        });
    }
    Ok(found)
}

/// What has lapsed goes: who stood in for whom is in the records.
fn put(db: &Connection, new: &Delegation, record: &SignedRecord) -> Result<(), Failure> {
    let known = in_force(db, new.since)?;
    if known.iter().any(|old| (&old.from, &old.to, &old.rule) == (&new.from, &new.to, &new.rule)) {
        return Err(Failure::Conflict("delegation"));
    }
    db.prepare_cached("DELETE FROM delegations WHERE until <= ?1")?.execute([micros(new.since)])?;
    db.prepare_cached(
        "INSERT INTO delegations (id, principal, stand_in, rule, since, until) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        new.id.as_str(),
        new.from.as_str(),
        new.to.as_str(),
        new.rule.as_ref().map(RuleId::as_str),
        micros(new.since),
        micros(new.until),
    ])?;
    records::append(db, record).map(drop)
}

fn end(db: &Connection, id: &RecordId, now: Timestamp, record: &SignedRecord) -> Result<bool, Failure> {
    let sql = "DELETE FROM delegations WHERE id = ?1 AND until > ?2";
    if db.prepare_cached(sql)?.execute(params![id.as_str(), micros(now)])? == 0 {
        return Ok(false);
    }
    records::append(db, record)?;
    Ok(true)
}

/// Ends what this person lent, and what was lent to them.
pub(crate) fn forget(db: &Connection, person: &str) -> Result<(), Failure> {
    db.prepare_cached("DELETE FROM delegations WHERE principal = ?1 OR stand_in = ?1")?.execute([person])?;
    Ok(())
}

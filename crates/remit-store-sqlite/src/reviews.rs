//! Calls that wait for a person to look at them afterwards. Each stands at the position of its decision record.

use async_trait::async_trait;
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ports::Reviews;
use remit_app::review::{Backlog, Closed, Review, ReviewFilter};
use remit_core::ids::{AgentId, OperatorId, RecordId, RunId, UserId};
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, Params, params};

use crate::columns::{amount, digest, micros, time};
use crate::failure::Failure;
use crate::records;
use crate::store::SqliteStore;

const SELECT: &str = "SELECT records.id, records.digest, records.run, intents.agent, intents.user, intents.tool, \
                      intents.at, closed_by, objects, note, closed_at, \
                      ifnull(outcome = 'unknown', 0) \
                      FROM reviews JOIN intents USING (position) JOIN records USING (position)";

#[async_trait]
impl Reviews for SqliteStore {
    async fn reviews(&self, filter: &ReviewFilter) -> Result<Vec<Review>, Unavailable> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit };
        let sql = if filter.closed {
            format!("{SELECT} ORDER BY reviews.position LIMIT ?1")
        } else {
            format!("{SELECT} WHERE closed_at IS NULL ORDER BY reviews.position LIMIT ?1")
        };
        self.read(|db| select(db, &sql, [limit])).await
    }

    async fn review(&self, call: &RecordId) -> Result<Option<Review>, Unavailable> {
        self.read(|db| Ok(select(db, &format!("{SELECT} WHERE records.id = ?1"), [call.as_str()])?.pop())).await
    }

    async fn close_review(&self, call: &RecordId, closed: Closed, record: SignedRecord) -> Result<(), CommitError> {
        let call = call.clone();
        Ok(self.write(move |desk| close(desk.db, &call, &closed, &record)).await?)
    }

    async fn backlog(&self) -> Result<Backlog, Unavailable> {
        self.read(|db| {
            let sql =
                "SELECT count(*), min(intents.at) FROM reviews JOIN intents USING (position) WHERE closed_at IS NULL";
            let (waiting, oldest): (i64, Option<i64>) =
                db.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Backlog { waiting: amount(waiting), oldest: oldest.map(time).transpose()? })
        })
        .await
    }
}

/// A call that was just admitted waits for a review.
pub(crate) fn ask(db: &Connection, position: i64) -> Result<(), Failure> {
    db.prepare_cached("INSERT INTO reviews (position) VALUES (?1)")?.execute([position])?;
    Ok(())
}

/// A call that has ended waits for a review, unless it does already, or did.
pub(crate) fn ask_of(db: &Connection, call: &RecordId) -> Result<(), Failure> {
    let sql = "INSERT INTO reviews (position) SELECT position FROM records WHERE id = ?1 ON CONFLICT DO NOTHING";
    db.prepare_cached(sql)?.execute([call.as_str()])?;
    Ok(())
}

/// Forgets who reviewed, and what they wrote.
pub(crate) fn forget(db: &Connection, person: &str) -> Result<(), Failure> {
    let sql = "UPDATE reviews SET closed_by = 'erased', note = '' WHERE closed_by = ?1";
    db.prepare_cached(sql)?.execute([person])?;
    Ok(())
}

fn close(db: &Connection, call: &RecordId, closed: &Closed, record: &SignedRecord) -> Result<(), Failure> {
    let sql = "UPDATE reviews SET closed_by = ?2, objects = ?3, note = ?4, closed_at = ?5
               WHERE position = (SELECT position FROM records WHERE id = ?1) AND closed_at IS NULL";
    let values = params![call.as_str(), closed.by.as_str(), closed.objects, closed.note, micros(closed.at)];
    if db.prepare_cached(sql)?.execute(values)? == 0 {
        return Err(Failure::Conflict("review"));
    }
    records::append(db, record).map(drop)
}

fn select(db: &Connection, sql: &str, key: impl Params) -> Result<Vec<Review>, Failure> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |at: usize| row.get::<_, Option<String>>(at);
        let closed = match (text(7)?, row.get(8)?, text(9)?, row.get(10)?) {
            (Some(by), Some(objects), Some(note), Some(at)) => {
                Some(Closed { by: OperatorId::parse(&by)?, objects, note, at: time(at)? })
            }
            _ => None,
        };
        found.push(Review {
            call: RecordId::parse(&row.get::<_, String>(0)?)?,
            decision: digest(row.get(1)?)?,
            run: text(2)?.map(|run| RunId::parse(&run)).transpose()?,
            agent: AgentId::parse(&row.get::<_, String>(3)?)?,
            user: text(4)?.map(|user| UserId::parse(&user)).transpose()?,
            tool: row.get(5)?,
            at: time(row.get(6)?)?,
            unknown: row.get(11)?,
            closed,
        });
    }
    Ok(found)
}

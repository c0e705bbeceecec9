//! What is to be told to people elsewhere, until it was delivered.

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::delivery::{Delivery, DeliveryFilter, DeliveryState, Event, Progress};
use remit_app::intent::Unavailable;
use remit_app::ports::Outbox;
use remit_core::ids::{ChannelId, QuestionId};
use rusqlite::{Connection, Params, params};

use crate::columns::{malformed, micros, time};
use crate::failure::Failure;
use crate::store::SqliteStore;

const SELECT: &str = "SELECT about, event, channel, created_at, next_at, attempts, state, last_error, claimed_until
                      FROM deliveries";
/// From when on a delivery may be begun with, as its index has it.
const DUE_AT: &str = "max(next_at, ifnull(claimed_until, next_at))";
/// Most rows that one deed deletes. It bounds how long the writer is busy with it.
const ROWS: u32 = 500;

#[async_trait]
impl Outbox for SqliteStore {
    async fn enqueue(&self, deliveries: Vec<Delivery>) -> Result<usize, Unavailable> {
        Ok(self.write(move |desk| owe(desk.db, &deliveries)).await?)
    }

    async fn due(&self, now: Timestamp, limit: u32) -> Result<Vec<Delivery>, Unavailable> {
        let sql = format!("{SELECT} WHERE state = 'waiting' AND {DUE_AT} <= ?1 ORDER BY {DUE_AT}, position LIMIT ?2");
        self.read(|db| select(db, &sql, params![micros(now), limit])).await
    }

    async fn claim(&self, id: &str, now: Timestamp, until: Timestamp) -> Result<bool, Unavailable> {
        let id = id.to_owned();
        let deed = move |db: &Connection| -> Result<bool, Failure> {
            let sql = format!(
                "UPDATE deliveries SET claimed_until = ?3 WHERE id = ?1 AND state = 'waiting' AND {DUE_AT} <= ?2"
            );
            Ok(db.prepare_cached(&sql)?.execute(params![id, micros(now), micros(until)])? > 0)
        };
        Ok(self.write(move |desk| deed(desk.db)).await?)
    }

    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, Unavailable> {
        self.read(|db| {
            let sql = format!("SELECT min({DUE_AT}) FROM deliveries WHERE state = 'waiting' AND {DUE_AT} > ?1");
            let next: Option<i64> = db.prepare_cached(&sql)?.query_row([micros(after)], |row| row.get(0))?;
            next.map(time).transpose()
        })
        .await
    }

    async fn attempted(&self, id: &str, progress: Progress, then: Vec<Delivery>) -> Result<bool, Unavailable> {
        let id = id.to_owned();
        Ok(self.write(move |desk| attempted(desk.db, &id, &progress, &then)).await?)
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, Unavailable> {
        let limit = if filter.limit == 0 { 100 } else { filter.limit };
        let sql = format!(
            "{SELECT} WHERE channel <> '' AND (?1 IS NULL OR about = ?1) AND (?2 IS NULL OR state = ?2)
             ORDER BY position DESC LIMIT ?3"
        );
        let about = filter.about.as_ref().map(ToString::to_string);
        self.read(|db| select(db, &sql, params![about, filter.state.map(DeliveryState::as_str), limit])).await
    }

    async fn forget_deliveries(&self, before: Timestamp) -> Result<u64, Unavailable> {
        let deed = move |db: &Connection| -> Result<u64, Failure> {
            let sql = "DELETE FROM deliveries WHERE position IN (SELECT position FROM deliveries
                         WHERE state <> 'waiting' AND created_at < ?1 LIMIT ?2)";
            Ok(db.prepare_cached(sql)?.execute(params![micros(before), ROWS])? as u64)
        };
        Ok(self.write(move |desk| deed(desk.db)).await?)
    }
}

/// Nobody is at any delivery: this process alone has the file, and it begins.
pub(crate) fn unclaim(db: &Connection) -> Result<(), Failure> {
    db.execute("UPDATE deliveries SET claimed_until = NULL WHERE claimed_until IS NOT NULL", [])?;
    Ok(())
}

/// Adds deliveries; what is there already stays as it is. How many are new.
pub(crate) fn owe(db: &Connection, deliveries: &[Delivery]) -> Result<usize, Failure> {
    let mut added = 0;
    for delivery in deliveries {
        let sql = "INSERT OR IGNORE INTO deliveries (id, about, event, channel, created_at, next_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        added += db.prepare_cached(sql)?.execute(params![
            delivery.id(),
            delivery.about.to_string(),
            delivery.event.to_string(),
            delivery.channel.as_ref().map_or("", ChannelId::as_str),
            micros(delivery.created_at),
            micros(delivery.next_at),
        ])?;
    }
    Ok(added)
}

/// Makes due what is still to be told of this event of a question.
pub(crate) fn tell_now(db: &Connection, about: &QuestionId, event: Event, at: Timestamp) -> Result<(), Failure> {
    let sql = "UPDATE deliveries SET next_at = min(next_at, ?3) WHERE about = ?1 AND event = ?2 AND channel = ''";
    db.prepare_cached(sql)?.execute(params![about.as_str(), event.to_string(), micros(at)])?;
    Ok(())
}

fn attempted(db: &Connection, id: &str, progress: &Progress, then: &[Delivery]) -> Result<bool, Failure> {
    let tried = |state: DeliveryState, next_at: Option<Timestamp>, error: Option<&str>| {
        let sql = "UPDATE deliveries SET attempts = attempts + 1, state = ?2, next_at = ifnull(?3, next_at),
                     claimed_until = NULL, last_error = ?4 WHERE id = ?1 AND state = 'waiting'";
        db.prepare_cached(sql)?.execute(params![id, state.as_str(), next_at.map(micros), error])
    };
    let changed = match progress {
        Progress::Delivered => tried(DeliveryState::Delivered, None, None)?,
        Progress::Later(at, error) => tried(DeliveryState::Waiting, Some(*at), Some(error))?,
        Progress::Dead(error) => tried(DeliveryState::Dead, None, Some(error))?,
        Progress::Gone => {
            db.prepare_cached("DELETE FROM deliveries WHERE id = ?1 AND state = 'waiting'")?.execute([id])?
        }
    };
    if changed == 0 {
        return Ok(false);
    }
    owe(db, then)?;
    Ok(true)
}

fn select(db: &Connection, sql: &str, key: impl Params) -> Result<Vec<Delivery>, Failure> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |at: usize| row.get::<_, String>(at);
        let shape = || malformed("delivery", "unexpected shape");
        let channel = text(2)?;
        let event = Event::parse(&text(1)?).ok_or_else(shape)?;
        found.push(Delivery {
            about: event.subject(&text(0)?).ok_or_else(shape)?,
            event,
            channel: if channel.is_empty() { None } else { Some(ChannelId::parse(&channel)?) },
            created_at: time(row.get(3)?)?,
            next_at: time(row.get(4)?)?,
            attempts: row.get(5)?,
            state: DeliveryState::parse(&text(6)?).ok_or_else(shape)?,
            last_error: row.get(7)?,
            claimed_until: row.get::<_, Option<i64>>(8)?.map(time).transpose()?,
        });
    }
    Ok(found)
}

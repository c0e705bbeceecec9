//! Checkpoints that a third party has stamped.

use async_trait::async_trait;
use remit_app::intent::Unavailable;
use remit_app::ports::Stamps;
use remit_app::stamp::Stamped;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use crate::columns::{amount, int, micros, time};
use crate::failure::Failure;
use crate::store::SqliteStore;

const SELECT: &str = "SELECT origin, size, note, token, at FROM stamps WHERE origin = ?1";

#[async_trait]
impl Stamps for SqliteStore {
    async fn keep_stamp(&self, stamped: Stamped) -> Result<(), Unavailable> {
        let deed = move |db: &Connection| -> Result<(), Failure> {
            let sql = "INSERT OR IGNORE INTO stamps (origin, size, note, token, at) VALUES (?1, ?2, ?3, ?4, ?5)";
            let Stamped { origin, size, note, token, at } = &stamped;
            db.prepare_cached(sql)?.execute(params![origin, int(*size), note, token, micros(*at)])?;
            Ok(())
        };
        Ok(self.write(move |desk| deed(desk.db)).await?)
    }

    async fn last_stamp(&self, origin: &str) -> Result<Option<Stamped>, Unavailable> {
        self.read(|db| one(db, &format!("{SELECT} ORDER BY size DESC LIMIT 1"), [origin])).await
    }

    async fn stamp_over(&self, origin: &str, leaf: u64) -> Result<Option<Stamped>, Unavailable> {
        let sql = format!("{SELECT} AND size > ?2 ORDER BY size LIMIT 1");
        self.read(|db| one(db, &sql, params![origin, int(leaf)])).await
    }
}

fn one(db: &Connection, sql: &str, key: impl Params) -> Result<Option<Stamped>, Failure> {
    db.prepare_cached(sql)?.query_row(key, |row| Ok(stamped(row))).optional()?.transpose()
}

fn stamped(row: &Row<'_>) -> Result<Stamped, Failure> {
    let at = time(row.get(4)?)?;
    Ok(Stamped { origin: row.get(0)?, size: amount(row.get(1)?), note: row.get(2)?, token: row.get(3)?, at })
}

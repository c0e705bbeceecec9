//! What was counted of agents.

use async_trait::async_trait;
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ports::Standings;
use remit_app::standing::{Counted, Counter, Happened};
use remit_core::ids::AgentId;
use remit_core::registry::Class;
use rusqlite::{Connection, params};

use crate::columns::{amount, int, malformed};
use crate::failure::Failure;
use crate::store::SqliteStore;

#[async_trait]
impl Standings for SqliteStore {
    async fn counted(&self) -> Result<Counted, Unavailable> {
        self.read(counted).await
    }

    async fn count_on(&self, from: Counted, to: Counted, more: Vec<(Counter, u64)>) -> Result<(), CommitError> {
        Ok(self.write(move |desk| count_on(desk.db, from, to, &more)).await?)
    }

    async fn standing(&self, agent: &AgentId, since: u64) -> Result<Vec<(Counter, u64)>, Unavailable> {
        self.read(|db| {
            let sql = "SELECT since, class, what, count FROM standings WHERE agent = ?1 AND since >= ?2
                       ORDER BY since, class, what";
            let mut statement = db.prepare_cached(sql)?;
            let mut rows = statement.query(params![agent.as_str(), int(since)])?;
            let mut found = Vec::new();
            while let Some(row) = rows.next()? {
                let (class, what): (String, String) = (row.get(1)?, row.get(2)?);
                let what = Happened::parse(&what, Class::parse(&class)).ok_or_else(|| malformed("standing", &what))?;
                found.push((Counter { agent: agent.clone(), since: amount(row.get(0)?), what }, amount(row.get(3)?)));
            }
            Ok(found)
        })
        .await
    }
}

fn counted(db: &Connection) -> Result<Counted, Failure> {
    let mut statement = db.prepare_cached("SELECT records, since FROM counted")?;
    Ok(statement.query_row([], |row| Ok(Counted { records: amount(row.get(0)?), since: amount(row.get(1)?) }))?)
}

fn count_on(db: &Connection, from: Counted, to: Counted, more: &[(Counter, u64)]) -> Result<(), Failure> {
    if counted(db)? != from {
        return Err(Failure::Conflict("standing"));
    }
    let sql = "INSERT INTO standings (agent, since, class, what, count) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO UPDATE SET count = count + excluded.count";
    let mut statement = db.prepare_cached(sql)?;
    for (Counter { agent, since, what }, count) in more {
        let class = what.class().map_or("", Class::as_str);
        statement.execute(params![agent.as_str(), int(*since), class, what.as_str(), int(*count)])?;
    }
    let sql = "UPDATE counted SET records = ?1, since = ?2";
    db.prepare_cached(sql)?.execute(params![int(to.records), int(to.since)])?;
    Ok(())
}

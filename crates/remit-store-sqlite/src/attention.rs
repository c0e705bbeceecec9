//! What is known of people's attention.

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::attention::Given;
use remit_app::canary::{Canary, Tally, Verdict};
use remit_app::escalate::Mark;
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ports::Attention;
use remit_app::question::Question;
use remit_core::ids::{OperatorId, QuestionId, RuleId};
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::columns::{amount, int, micros, time};
use crate::failure::Failure;
use crate::store::SqliteStore;
use crate::writer::Desk;
use crate::{questions, records};

#[async_trait]
impl Attention for SqliteStore {
    fn saw(&self, question: &QuestionId, operator: &OperatorId, at: Timestamp) -> Result<(), Unavailable> {
        let (question, operator) = (question.clone(), operator.clone());
        Ok(self.write_soon(move |desk| {
            let sql = "INSERT OR IGNORE INTO sightings (question, operator, at) VALUES (?1, ?2, ?3)";
            desk.db.prepare_cached(sql)?.execute(params![question.as_str(), operator.as_str(), micros(at)])?;
            Ok(())
        })?)
    }

    async fn given(&self, since: Timestamp) -> Result<Vec<Given>, Unavailable> {
        self.read(|db| given(db, since)).await
    }

    async fn steps_due(&self, now: Timestamp, limit: u32) -> Result<Vec<Question>, Unavailable> {
        self.read(|db| questions::steps_due(db, now, limit)).await
    }

    async fn plan_step(
        &self,
        question: &QuestionId,
        from: Timestamp,
        to: Option<Timestamp>,
    ) -> Result<(), Unavailable> {
        let question = question.clone();
        Ok(self.write(move |desk| questions::plan_step(desk.db, &question, from, to)).await?)
    }

    async fn reach_step(&self, mark: Mark) -> Result<bool, Unavailable> {
        let deed = move |desk: &Desk<'_>| {
            let sql = "INSERT OR IGNORE INTO escalations (question, rule, step, at) VALUES (?1, ?2, ?3, ?4)";
            let step = i64::try_from(mark.step).unwrap_or(i64::MAX);
            let values = params![mark.question.as_str(), mark.rule.as_str(), step, micros(mark.at)];
            Ok(desk.db.prepare_cached(sql)?.execute(values)? > 0)
        };
        Ok(self.write(deed).await?)
    }

    async fn steps_reached(&self, question: &QuestionId, rule: &RuleId) -> Result<usize, Unavailable> {
        self.read(|db| {
            let sql = "SELECT max(step) FROM escalations WHERE question = ?1 AND rule = ?2";
            let key = params![question.as_str(), rule.as_str()];
            let step: Option<i64> = db.prepare_cached(sql)?.query_row(key, |row| row.get(0))?;
            Ok(step.and_then(|step| usize::try_from(step).ok()).unwrap_or(0))
        })
        .await
    }

    async fn tally(&self) -> Result<Tally, Unavailable> {
        self.read(tally).await
    }

    async fn last_answered(&self) -> Result<Option<Question>, Unavailable> {
        self.read(|db| {
            let sql = "SELECT question FROM votes JOIN questions ON questions.id = question
                       WHERE question NOT IN (SELECT question FROM canaries) AND questions.arguments <> 'null'
                       ORDER BY votes.position DESC LIMIT 1";
            let found: Option<String> = db.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
            found.map_or(Ok(None), |id| questions::one(db, &QuestionId::parse(&id)?))
        })
        .await
    }

    async fn plant(&self, canary: Canary, question: Question, record: SignedRecord) -> Result<(), CommitError> {
        let deed = move |desk: &Desk<'_>| {
            if tally(desk.db)?.planted_at >= canary.at_votes && canary.at_votes > 0 {
                return Err(Failure::Conflict("canary"));
            }
            questions::insert(desk, &question)?;
            let sql = "INSERT INTO canaries (question, at_votes, seal) VALUES (?1, ?2, ?3)";
            let values = params![canary.question.as_str(), int(canary.at_votes), canary.seal];
            desk.db.prepare_cached(sql)?.execute(values)?;
            records::append(desk.db, &record).map(drop)
        };
        Ok(self.write(deed).await?)
    }

    async fn canaries(&self) -> Result<Vec<(Canary, Question)>, Unavailable> {
        self.read(canaries).await
    }

    async fn end_canary(
        &self,
        question: &QuestionId,
        verdict: Verdict,
        record: SignedRecord,
    ) -> Result<(), CommitError> {
        let question = question.clone();
        let deed = move |desk: &Desk<'_>| {
            let sql = "UPDATE canaries SET ended = ?2 WHERE question = ?1 AND ended IS NULL";
            if desk.db.prepare_cached(sql)?.execute(params![question.as_str(), verdict.as_str()])? == 0 {
                return Err(Failure::Conflict("canary"));
            }
            records::append(desk.db, &record).map(drop)
        };
        Ok(self.write(deed).await?)
    }
}

/// Votes are never deleted, so the place of the last one is how many there were.
fn tally(db: &Connection) -> Result<Tally, Failure> {
    let sql = "SELECT ifnull((SELECT max(position) FROM votes), 0), ifnull((SELECT max(at_votes) FROM canaries), 0)";
    let (votes, planted) = db.prepare_cached(sql)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Tally { votes: amount(votes), planted_at: amount(planted) })
}

fn canaries(db: &Connection) -> Result<Vec<(Canary, Question)>, Failure> {
    let mut statement =
        db.prepare_cached("SELECT question, at_votes, seal FROM canaries WHERE ended IS NULL ORDER BY position")?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id = QuestionId::parse(&row.get::<_, String>(0)?)?;
        let canary = Canary { question: id.clone(), at_votes: amount(row.get(1)?), seal: row.get(2)? };
        found.extend(questions::one(db, &id)?.map(|question| (canary, question)));
    }
    Ok(found)
}

fn given(db: &Connection, since: Timestamp) -> Result<Vec<Given>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT votes.operator, approve, votes.at, asked_at, sightings.at,
                EXISTS (SELECT 1 FROM canaries WHERE canaries.question = votes.question)
         FROM votes JOIN questions ON questions.id = votes.question
         LEFT JOIN sightings ON sightings.question = votes.question AND sightings.operator = votes.operator
         WHERE votes.at >= ?1 ORDER BY votes.position",
    )?;
    let mut rows = statement.query([micros(since)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(Given {
            by: OperatorId::parse(&row.get::<_, String>(0)?)?,
            approve: row.get(1)?,
            at: time(row.get(2)?)?,
            asked_at: time(row.get(3)?)?,
            saw_at: row.get::<_, Option<i64>>(4)?.map(time).transpose()?,
            canary: row.get(5)?,
        });
    }
    Ok(found)
}

/// Forgets what this person was shown.
pub(crate) fn forget(db: &Connection, person: &str) -> Result<(), Failure> {
    db.prepare_cached("DELETE FROM sightings WHERE operator = ?1")?.execute([person])?;
    Ok(())
}

//! Changes of the authority, which one is in force, and proposals.

use async_trait::async_trait;
use remit_app::change::{Change, ChangeVote, Ended, Weakens};
use remit_app::delivery::{Delivery, Event, Subject};
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ports::Changes;
use remit_app::proposal::Proposal;
use remit_core::approval::Factor;
use remit_core::ids::{AgentId, ChangeId, Digest, OperatorId, ProposalId, QuestionId, RecordId};
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, OptionalExtension as _, Params, params};
use serde_json::{Value, json};

use crate::columns::{digest, int, malformed, micros, time};
use crate::failure::Failure;
use crate::store::SqliteStore;
use crate::{outbox, records};

const SELECT: &str = "SELECT id, base, digest, weakens, needed, record, proposed, proposed_by, at, expires_at, ended \
                      FROM changes";

#[async_trait]
impl Changes for SqliteStore {
    async fn authority(&self) -> Result<Option<(Digest, RecordId)>, Unavailable> {
        self.read(authority).await
    }

    async fn put_authority(&self, digest: Digest, record: SignedRecord) -> Result<(), Unavailable> {
        let deed = move |db: &Connection| {
            put_authority(db, &digest, &record)?;
            records::append(db, &record).map(drop)
        };
        Ok(self.write(move |desk| deed(desk.db)).await?)
    }

    async fn open_change(&self, change: &Change, record: SignedRecord) -> Result<(), CommitError> {
        let change = change.clone();
        Ok(self.write(move |desk| open(desk.db, &change, &record)).await?)
    }

    async fn change(&self, id: &ChangeId) -> Result<Option<Change>, Unavailable> {
        self.read(|db| one(db, id)).await
    }

    async fn changes(&self, limit: u32) -> Result<Vec<Change>, Unavailable> {
        self.read(|db| select(db, &format!("{SELECT} ORDER BY position DESC LIMIT ?1"), [limit])).await
    }

    async fn vote_on_change(
        &self,
        vote: ChangeVote,
        seen: usize,
        record: SignedRecord,
        in_force: Option<SignedRecord>,
    ) -> Result<Change, CommitError> {
        Ok(self.write(move |desk| answer(desk.db, &vote, seen, &record, in_force.as_ref())).await?)
    }

    async fn put_proposal(&self, proposal: &Proposal, record: SignedRecord) -> Result<(), Unavailable> {
        let proposal = proposal.clone();
        Ok(self.write(move |desk| put_proposal(desk.db, &proposal, &record)).await?)
    }

    async fn proposal(&self, id: &ProposalId) -> Result<Option<Proposal>, Unavailable> {
        let sql = format!("{PROPOSALS} WHERE id = ?1");
        self.read(|db| Ok(proposals(db, &sql, [id.as_str()])?.pop())).await
    }

    async fn proposals(&self, limit: u32) -> Result<Vec<Proposal>, Unavailable> {
        self.read(|db| proposals(db, &format!("{PROPOSALS} ORDER BY position DESC LIMIT ?1"), [limit])).await
    }
}

fn authority(db: &Connection) -> Result<Option<(Digest, RecordId)>, Failure> {
    let mut statement = db.prepare_cached("SELECT digest, record FROM authority")?;
    let found = statement.query_row([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).optional()?;
    found.map(|(bytes, record)| Ok((digest(bytes)?, RecordId::parse(&record)?))).transpose()
}

/// From now on this one is in force; what rests on another one is over.
fn put_authority(db: &Connection, digest: &Digest, record: &SignedRecord) -> Result<(), Failure> {
    db.prepare_cached(
        "INSERT INTO authority (one, digest, record) VALUES (1, ?1, ?2)
         ON CONFLICT DO UPDATE SET digest = excluded.digest, record = excluded.record",
    )?
    .execute(params![&digest.as_bytes()[..], record.id.as_str()])?;
    db.prepare_cached("UPDATE changes SET ended = 'superseded' WHERE ended IS NULL AND base <> ?1")?
        .execute([&digest.as_bytes()[..]])?;
    Ok(())
}

fn open(db: &Connection, change: &Change, record: &SignedRecord) -> Result<(), Failure> {
    if authority(db)?.is_none_or(|(digest, _)| digest != change.base) {
        return Err(Failure::Conflict(Ended::Superseded.as_str()));
    }
    db.prepare_cached("UPDATE changes SET ended = 'superseded' WHERE ended IS NULL")?.execute([])?;
    let weakens: Vec<_> = change.weakens.iter().map(|weakens| json!([weakens.code, weakens.what])).collect();
    db.prepare_cached(
        "INSERT INTO changes (id, base, digest, weakens, needed, record, proposed, proposed_by, at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        change.id.as_str(),
        &change.base.as_bytes()[..],
        &change.digest.as_bytes()[..],
        Value::Array(weakens).to_string(),
        change.needed,
        change.record.as_str(),
        &change.proposed.as_bytes()[..],
        change.by.as_ref().map(OperatorId::as_str),
        micros(change.at),
        micros(change.expires_at),
    ])?;
    let told = Delivery::new(Subject::Change(change.id.clone()), Event::Proposed, None, change.at);
    outbox::owe(db, &[told])?;
    records::append(db, record).map(drop)
}

/// Everything is checked before the first change.
fn answer(
    db: &Connection,
    vote: &ChangeVote,
    seen: usize,
    record: &SignedRecord,
    in_force: Option<&SignedRecord>,
) -> Result<Change, Failure> {
    let change = one(db, &vote.change)?.ok_or(Failure::Conflict("change"))?;
    match change.ended {
        Some(ended) => return Err(Failure::Conflict(ended.as_str())),
        None if vote.at >= change.expires_at => return Err(Failure::Conflict("lapsed")),
        None => {}
    }
    if authority(db)?.is_none_or(|(digest, _)| digest != change.base) {
        return Err(Failure::Conflict(Ended::Superseded.as_str()));
    }
    if change.votes.iter().any(|cast| cast.by == vote.by) {
        return Err(Failure::Conflict("voted"));
    }
    if change.votes.len() != seen {
        return Err(Failure::Conflict("votes"));
    }
    db.prepare_cached(
        "INSERT INTO change_votes (change, operator, factor, approve, reason, at, record)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?
    .execute(params![
        vote.change.as_str(),
        vote.by.as_str(),
        vote.factor.as_str(),
        vote.approve,
        vote.reason,
        micros(vote.at),
        &vote.record.as_bytes()[..],
    ])?;
    records::append(db, record)?;
    let end = |ended: Ended| -> Result<(), Failure> {
        let sql = "UPDATE changes SET ended = ?2 WHERE id = ?1";
        db.prepare_cached(sql)?.execute([vote.change.as_str(), ended.as_str()])?;
        Ok(())
    };
    if !vote.approve {
        end(Ended::Refused)?;
    } else if let Some(in_force) = in_force {
        end(Ended::InForce)?;
        put_authority(db, &change.digest, in_force)?;
        records::append(db, in_force)?;
    }
    one(db, &vote.change)?.ok_or(Failure::Conflict("change"))
}

fn one(db: &Connection, id: &ChangeId) -> Result<Option<Change>, Failure> {
    Ok(select(db, &format!("{SELECT} WHERE id = ?1"), [id.as_str()])?.pop())
}

fn select(db: &Connection, sql: &str, key: impl Params) -> Result<Vec<Change>, Failure> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |at: usize| row.get::<_, String>(at);
        let id = ChangeId::parse(&text(0)?)?;
        let ended: Option<String> = row.get(10)?;
        let ended = ended.map(|word| Ended::parse(&word).ok_or_else(|| malformed("change", "unknown end")));
        changes.push(Change {
            base: digest(row.get(1)?)?,
            digest: digest(row.get(2)?)?,
            weakens: weakens(&text(3)?).ok_or_else(|| malformed("change", "unexpected shape"))?,
            needed: row.get(4)?,
            record: RecordId::parse(&text(5)?)?,
            proposed: digest(row.get(6)?)?,
            by: row.get::<_, Option<String>>(7)?.map(|by| OperatorId::parse(&by)).transpose()?,
            at: time(row.get(8)?)?,
            expires_at: time(row.get(9)?)?,
            ended: ended.transpose()?,
            votes: votes(db, &id)?,
            id,
        });
    }
    Ok(changes)
}

fn weakens(text: &str) -> Option<Vec<Weakens>> {
    let rows: Vec<(String, String)> = serde_json::from_str(text).ok()?;
    Some(rows.into_iter().map(|(code, what)| Weakens { code, what }).collect())
}

fn votes(db: &Connection, change: &ChangeId) -> Result<Vec<ChangeVote>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT operator, factor, approve, reason, at, record FROM change_votes WHERE change = ?1 ORDER BY position",
    )?;
    let mut rows = statement.query([change.as_str()])?;
    let mut votes = Vec::new();
    while let Some(row) = rows.next()? {
        votes.push(ChangeVote {
            change: change.clone(),
            by: OperatorId::parse(&row.get::<_, String>(0)?)?,
            factor: Factor::parse(&row.get::<_, String>(1)?).ok_or_else(|| malformed("change", "unknown factor"))?,
            approve: row.get(2)?,
            reason: row.get(3)?,
            at: time(row.get(4)?)?,
            record: digest(row.get(5)?)?,
        });
    }
    Ok(votes)
}

const PROPOSALS: &str = "SELECT id, agent, question, proposed_by, at, record FROM proposals";

fn put_proposal(db: &Connection, proposal: &Proposal, record: &SignedRecord) -> Result<(), Failure> {
    db.prepare_cached(
        "INSERT INTO proposals (id, agent, question, proposed_by, at, record) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        proposal.id.as_str(),
        proposal.agent.as_str(),
        proposal.question.as_str(),
        proposal.by.as_str(),
        micros(proposal.at),
        proposal.record.as_str(),
    ])?;
    records::append(db, record).map(drop)
}

fn proposals(db: &Connection, sql: &str, key: impl Params) -> Result<Vec<Proposal>, Failure> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    let mut proposals = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |at: usize| row.get::<_, String>(at);
        proposals.push(Proposal {
            id: ProposalId::parse(&text(0)?)?,
            agent: AgentId::parse(&text(1)?)?,
            question: QuestionId::parse(&text(2)?)?,
            by: OperatorId::parse(&text(3)?)?,
            at: time(row.get(4)?)?,
            record: RecordId::parse(&text(5)?)?,
        });
    }
    Ok(proposals)
}

/// Whether this person has voted on a change that is still open.
pub(crate) fn voted_on_open(db: &Connection, person: &str, now: i64) -> Result<bool, Failure> {
    let sql = "SELECT 1 FROM change_votes JOIN changes ON change = changes.id
               WHERE operator = ?1 AND ended IS NULL AND expires_at > ?2";
    Ok(db.prepare_cached(sql)?.exists(params![person, now])?)
}

/// Forgets who proposed and who voted. That they did, and how, stays.
pub(crate) fn forget(db: &Connection, person: &str, rows: u32) -> Result<bool, Failure> {
    db.prepare_cached("UPDATE changes SET proposed_by = NULL WHERE proposed_by = ?1")?.execute([person])?;
    db.prepare_cached("UPDATE changes SET weakens = replace(weakens, ?1, 'erased') WHERE instr(weakens, ?1) > 0")?
        .execute([person])?;
    db.prepare_cached("UPDATE proposals SET proposed_by = 'erased' WHERE proposed_by = ?1")?.execute([person])?;
    let votes = db
        .prepare_cached(
            "UPDATE change_votes SET operator = 'erased-' || position, reason = ''
             WHERE position IN (SELECT position FROM change_votes WHERE operator = ?1 LIMIT ?2)",
        )?
        .execute(params![person, int(u64::from(rows))])?;
    Ok(votes >= rows as usize)
}

//! The heads of the logs: one row for each, the last of them replaced by whoever knows which tree it is of.

use async_trait::async_trait;
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ledger::{Epoch, Head, Mark, Turn};
use remit_app::ports::Epochs;
use remit_core::ids::Digest;
use remit_evidence::log::merkle::Frontier;
use remit_evidence::log::vkey::VerifierKey;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::columns::{amount, int, malformed};
use crate::failure::Failure;
use crate::records;
use crate::store::SqliteStore;

#[async_trait]
impl Epochs for SqliteStore {
    async fn epochs(&self) -> Result<Vec<Epoch>, Unavailable> {
        self.read(epochs).await
    }

    async fn begin_epoch(&self, from: &Head, turn: &Turn) -> Result<(), CommitError> {
        let (from, turn) = (from.mark(), turn.clone());
        Ok(self.write(move |desk| begin(desk.db, &from, &turn)).await?)
    }
}

/// The head of the log that is signed now, if there is one.
pub(crate) fn read(db: &Connection) -> Result<Option<Head>, Failure> {
    of(db, present(db)?.map_or(0, |(first, _)| first))
}

fn of(db: &Connection, first: u64) -> Result<Option<Head>, Failure> {
    let mut statement = db.prepare_cached("SELECT origin, size, root, peaks, note FROM log_head WHERE first = ?1")?;
    statement.query_row([int(first)], |row| Ok(head(row))).optional()?.transpose()
}

/// Where the log begins that is signed now, and its name; `None` for the first one.
fn present(db: &Connection) -> Result<Option<(u64, String)>, Failure> {
    let mut statement = db.prepare_cached("SELECT first, origin FROM log_epochs ORDER BY first DESC LIMIT 1")?;
    let row = statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(row.map(|(first, origin)| (amount(first), origin)))
}

/// Replaces the head, if it is of this tree. INVARIANT (one tree for each size): the writer is alone
/// with the file between the look and the change, and the table's triggers say the same again.
pub(crate) fn advance(db: &Connection, from: Option<&Mark>, to: &Head) -> Result<(), Failure> {
    let (found, next, epoch) = (read(db)?.map(|head| head.mark()), to.mark(), present(db)?);
    let follows = from.is_none_or(|from| from.origin == next.origin && (from.size < next.size || *from == next));
    let named = epoch.as_ref().is_none_or(|(_, origin)| *origin == next.origin);
    if found.as_ref() != from || !follows || !named {
        return Err(Failure::Conflict("head"));
    }
    let peaks: Vec<u8> = to.edge.peaks().iter().flat_map(|peak| *peak.as_bytes()).collect();
    db.prepare_cached(
        "INSERT INTO log_head (first, origin, size, root, peaks, note) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (first) DO UPDATE SET origin = ?2, size = ?3, root = ?4, peaks = ?5, note = ?6",
    )?
    .execute(params![
        int(epoch.map_or(0, |(first, _)| first)),
        next.origin,
        int(next.size),
        &next.root.as_bytes()[..],
        peaks,
        to.note
    ])?;
    Ok(())
}

fn begin(db: &Connection, from: &Mark, turn: &Turn) -> Result<(), Failure> {
    let Epoch { origin, keys, first, ended, ended_keys } = &turn.epoch;
    let before = present(db)?.map_or(0, |(first, _)| first);
    let known = db.prepare_cached("SELECT 1 FROM log_head WHERE origin = ?1")?.exists([origin])?;
    let sealed = before + from.size == records::count(db)?;
    if known || !sealed || ended.edge.size() != from.size + 1 || *first != before + ended.edge.size() {
        return Err(Failure::Conflict("head"));
    }
    advance(db, Some(from), ended)?;
    records::append(db, &turn.last)?;
    db.prepare_cached("INSERT INTO log_epochs (first, origin, keys, ended_keys) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![int(*first), origin, lines(keys), lines(ended_keys)])?;
    records::append(db, &turn.first).map(drop)
}

fn epochs(db: &Connection) -> Result<Vec<Epoch>, Failure> {
    let mut statement = db.prepare_cached("SELECT first, origin, keys, ended_keys FROM log_epochs ORDER BY first")?;
    let mut rows = statement.query([])?;
    let (mut epochs, mut before) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let first = amount(row.get(0)?);
        let ended = of(db, before)?.ok_or_else(|| malformed("epoch", "the log before it has no head"))?;
        let (keys, ended_keys) = (read_keys(row.get_ref(2)?.as_str()), read_keys(row.get_ref(3)?.as_str()));
        epochs.push(Epoch { origin: row.get(1)?, keys: keys?, first, ended, ended_keys: ended_keys? });
        before = first;
    }
    Ok(epochs)
}

fn lines(keys: &[VerifierKey]) -> String {
    keys.iter().map(|key| format!("{key}\n")).collect()
}

fn read_keys(text: rusqlite::types::FromSqlResult<&str>) -> Result<Vec<VerifierKey>, Failure> {
    let text = text.map_err(rusqlite::Error::from)?;
    let key = |line| VerifierKey::parse(line).map_err(|error| malformed("epoch", &error.to_string()));
    text.lines().map(key).collect()
}

fn head(row: &Row<'_>) -> Result<Head, Failure> {
    let bad = |why| malformed("head", why);
    let (root, peaks): (Vec<u8>, Vec<u8>) = (row.get(2)?, row.get(3)?);
    let (peaks, rest) = peaks.as_chunks::<32>();
    let peaks = peaks.iter().copied().map(Digest::from_bytes).collect();
    let edge = Frontier::of(amount(row.get(1)?), peaks).filter(|_| rest.is_empty());
    // A bit that flipped in the edge would be signed into the next root.
    let edge = edge.filter(|edge| edge.root().as_bytes()[..] == root[..]);
    Ok(Head {
        origin: row.get(0)?,
        edge: edge.ok_or_else(|| bad("its edge is not that of its root"))?,
        note: row.get(4)?,
    })
}

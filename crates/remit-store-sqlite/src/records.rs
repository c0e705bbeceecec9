//! Signed records: appended, and read back exactly as they were.

use remit_app::ports::RecordFilter;
use remit_app::ports::listing::{LOOKED_AT_MAX, Latest, SHEET_MAX, Sheet};
use remit_core::ids::{Digest, RecordId, RunId};
use remit_evidence::dsse::{Envelope, Signature, pae};
use remit_evidence::log::leaf::Leaf;
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::columns::{amount, digest, int, malformed};
use crate::failure::Failure;

/// How many records are read when the filter names no limit.
const LIMIT_DEFAULT: u32 = 1_000;

const SELECT: &str = "SELECT records.id, kind, run, time, key, seq, payload, ifnull(keyid, key), signature, \
                      disclosures, digest FROM records JOIN writers ON writers.id = writer";

/// Appends one record and says where it stands. A second one with the same id, or at the same place of
/// the same writer's sequence, is rejected, and nothing has changed then but perhaps that a key has a short name.
pub(crate) fn append(db: &Connection, record: &SignedRecord) -> Result<i64, Failure> {
    db.prepare_cached(
        "INSERT INTO records (id, kind, run, time, writer, seq, payload, keyid, signature, disclosures, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        record.id.as_str(),
        record.kind.as_str(),
        record.run.as_ref().map(RunId::as_str),
        record.time,
        writer(db, &record.writer)?,
        int(record.seq),
        record.envelope.payload,
        // The hint names the writer, unless somebody else signed.
        Some(&record.envelope.signature.keyid).filter(|keyid| **keyid != record.writer),
        &record.envelope.signature.bytes[..],
        // Disclosures are base64url, so a line each is unambiguous.
        record.disclosures.join("\n"),
        &record.digest.as_bytes()[..],
    ])?;
    Ok(db.last_insert_rowid())
}

/// Deletes what stands beside one record; how many records had something.
pub(crate) fn conceal(db: &Connection, position: u64) -> Result<u64, Failure> {
    let sql = "UPDATE records SET disclosures = '' WHERE position = ?1 AND disclosures <> ''";
    Ok(db.prepare_cached(sql)?.execute([int(position)])? as u64)
}

/// The short name of a writer's key. There are few of them: one for each start of a gateway.
fn writer(db: &Connection, key: &str) -> Result<i64, Failure> {
    let known = db.prepare_cached("SELECT id FROM writers WHERE key = ?1")?.query_row([key], |row| row.get(0));
    if let Some(id) = known.optional()? {
        return Ok(id);
    }
    db.prepare_cached("INSERT INTO writers (key) VALUES (?1)")?.execute([key])?;
    Ok(db.last_insert_rowid())
}

/// One record.
pub(crate) fn one(db: &Connection, id: &RecordId) -> Result<Option<SignedRecord>, Failure> {
    let mut statement = db.prepare_cached(&format!("{SELECT} WHERE records.id = ?1"))?;
    statement.query_row([id.as_str()], |row| Ok(read(row))).optional()?.transpose()
}

/// Some records. Positions have no gaps, so without a run the rows to skip are not even looked at.
pub(crate) fn some(db: &Connection, filter: &RecordFilter) -> Result<Vec<SignedRecord>, Failure> {
    let limit = if filter.limit == 0 { LIMIT_DEFAULT } else { filter.limit };
    let after = int(filter.after);
    let mut records = Vec::new();
    // Written out, so that the index over this kind is found.
    let kind = filter.kind.map(|kind| format!("kind = '{}'", kind.as_str()));
    let mut statement;
    let mut rows = match (&filter.run, kind) {
        (None, None) => {
            statement = db.prepare_cached(&format!("{SELECT} WHERE position > ?1 ORDER BY position LIMIT ?2"))?;
            statement.query(params![after, limit])?
        }
        (None, Some(kind)) => {
            statement = db.prepare_cached(&format!("{SELECT} WHERE {kind} ORDER BY position LIMIT ?2 OFFSET ?1"))?;
            statement.query(params![after, limit])?
        }
        (Some(run), kind) => {
            let kind = kind.map(|kind| format!(" AND {kind}")).unwrap_or_default();
            statement =
                db.prepare_cached(&format!("{SELECT} WHERE run = ?3{kind} ORDER BY position LIMIT ?2 OFFSET ?1"))?;
            statement.query(params![after, limit, run.as_str()])?
        }
    };
    while let Some(row) = rows.next()? {
        records.push(read(row)?);
    }
    Ok(records)
}

/// Records before a place, the newest first. Positions have no gaps, so the rows that one page may cost are
/// a range of them. Payloads are canonical JSON: a member is found by its bytes, and then read.
pub(crate) fn latest(db: &Connection, asked: &Latest) -> Result<Sheet<SignedRecord, u64>, Failure> {
    let last = match asked.before {
        Some(before) => before.saturating_sub(1).min(count(db)?),
        None => count(db)?,
    };
    let first = last.saturating_sub(LOOKED_AT_MAX as u64 - 1).max(1);
    let most = asked.limit.clamp(1, SHEET_MAX);
    let needle = |before: &str, text: &Option<String>| {
        text.as_ref().map(|text| format!("{before}{}", remit_core::json::quoted(text)).into_bytes())
    };
    let mut statement = db.prepare_cached(&format!(
        "{SELECT} WHERE position BETWEEN ?1 AND ?2 AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR time >= ?4)
           AND (?5 IS NULL OR instr(payload, ?5)) AND (?6 IS NULL OR instr(payload, ?6))
           AND (?7 IS NULL OR instr(payload, ?7))
         ORDER BY position DESC"
    ))?;
    let since = asked.since.map(|since| format!("{since:.3}"));
    let mut rows = statement.query(params![
        int(first),
        int(last),
        asked.kind.map(Kind::as_str),
        since,
        needle("\"agent\":{\"id\":", &asked.agent),
        needle("\"name\":", &asked.tool),
        needle("\"verdict\":", &asked.verdict),
    ])?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        let record = read(row)?;
        if asked.takes(&record) {
            items.push(record);
        }
        if items.len() == most {
            let place = items.last().and_then(|record| place(db, &record.id).transpose()).transpose()?;
            // A place counts from nothing, a position from one.
            return Ok(Sheet { items, older: place.map(|place| place + 1).filter(|position| *position > 1) });
        }
    }
    let older = (first > 1).then_some(first);
    // Behind what is too old there is only older.
    let over = match (&since, older) {
        (Some(since), Some(first)) => {
            let mut at = db.prepare_cached("SELECT time < ?2 FROM records WHERE position = ?1")?;
            at.query_row(params![int(first), since], |row| row.get(0))?
        }
        _ => false,
    };
    Ok(Sheet { items, older: older.filter(|_| !over) })
}

/// How many records stand before this one: positions begin with one and have no gaps.
pub(crate) fn place(db: &Connection, id: &RecordId) -> Result<Option<u64>, Failure> {
    let mut statement = db.prepare_cached("SELECT position FROM records WHERE id = ?1")?;
    let position: Option<i64> = statement.query_row([id.as_str()], |row| row.get(0)).optional()?;
    Ok(position.map(|position| amount(position).saturating_sub(1)))
}

/// How many records there are: positions have no gaps.
pub(crate) fn count(db: &Connection) -> Result<u64, Failure> {
    let last = db.prepare_cached("SELECT ifnull(max(position), 0) FROM records")?.query_row([], |row| row.get(0))?;
    Ok(amount(last))
}

/// The leaves of the records after `after`, up to position `last`.
pub(crate) fn leaves(db: &Connection, after: u64, last: u64, limit: u32) -> Result<Vec<Leaf>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT seq, payload, ifnull(keyid, key), signature, digest FROM records JOIN writers ON writers.id = writer
         WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3",
    )?;
    let mut rows = statement.query(params![int(after), int(last), limit])?;
    let mut leaves = Vec::new();
    while let Some(row) = rows.next()? {
        leaves.push(leaf(row)?);
    }
    Ok(leaves)
}

fn leaf(row: &Row<'_>) -> Result<Leaf, Failure> {
    let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
    let key = Digest::from_hex(row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?);
    let leaf = Leaf {
        seq: amount(row.get(0)?),
        record: Digest::of(&pae(blob(1)?)),
        key: key.ok_or_else(|| malformed("record", "its key is not named by its digest"))?,
        signature: blob(3)?.try_into().map_err(|_| malformed("signature", "not 64 bytes"))?,
    };
    // What is sealed stays sealed: a bit that flipped in the file must not get that far.
    if leaf.record.as_bytes()[..] == *blob(4)? { Ok(leaf) } else { Err(malformed("record", "its digest is another")) }
}

fn read(row: &Row<'_>) -> Result<SignedRecord, Failure> {
    let kind: String = row.get(1)?;
    let run: Option<String> = row.get(2)?;
    let signature: Vec<u8> = row.get(8)?;
    let disclosures: String = row.get(9)?;
    Ok(SignedRecord {
        id: RecordId::parse(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?,
        kind: Kind::parse(&kind).ok_or_else(|| malformed("record", "unknown kind"))?,
        run: run.as_deref().map(RunId::parse).transpose()?,
        time: row.get(3)?,
        writer: row.get(4)?,
        seq: amount(row.get(5)?),
        envelope: Envelope {
            payload: row.get(6)?,
            signature: Signature {
                keyid: row.get(7)?,
                bytes: signature.try_into().map_err(|_| malformed("signature", "not 64 bytes"))?,
            },
        },
        disclosures: if disclosures.is_empty() {
            Vec::new()
        } else {
            disclosures.split('\n').map(ToOwned::to_owned).collect()
        },
        digest: digest(row.get(10)?)?,
    })
}

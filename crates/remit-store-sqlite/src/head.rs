//! The head of the log: one row, replaced by whoever knows which tree it is of.

use remit_app::ledger::{Head, Mark};
use remit_core::ids::Digest;
use remit_evidence::log::merkle::Frontier;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::columns::{amount, int, malformed};
use crate::failure::Failure;

/// The head, if there is one.
pub(crate) fn read(db: &Connection) -> Result<Option<Head>, Failure> {
    let mut statement = db.prepare_cached("SELECT origin, size, root, peaks, note FROM log_head")?;
    statement.query_row([], |row| Ok(head(row))).optional()?.transpose()
}

/// Replaces the head, if it is of this tree. INVARIANT (one tree for each size): the writer is alone
/// with the file between the look and the change, and the table's triggers say the same again.
pub(crate) fn advance(db: &Connection, from: Option<&Mark>, to: &Head) -> Result<(), Failure> {
    let (found, next) = (read(db)?.map(|head| head.mark()), to.mark());
    let follows = from.is_none_or(|from| from.origin == next.origin && (from.size < next.size || *from == next));
    if found.as_ref() != from || !follows {
        return Err(Failure::Conflict("head"));
    }
    let peaks: Vec<u8> = to.edge.peaks().iter().flat_map(|peak| *peak.as_bytes()).collect();
    db.prepare_cached(
        "INSERT INTO log_head (one, origin, size, root, peaks, note) VALUES (1, ?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (one) DO UPDATE SET origin = ?1, size = ?2, root = ?3, peaks = ?4, note = ?5",
    )?
    .execute(params![next.origin, int(next.size), &next.root.as_bytes()[..], peaks, to.note])?;
    Ok(())
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

//! Budgets: reserved when a call is admitted, booked or released when it settles.
//!
//! INVARIANT (limits are never overspent): `settled + reserved <= lim` after every deed. The one
//! writer adds only after it has compared with the limit, settling only moves or removes, and the
//! table's own constraint says it again.
//!
//! The limit belongs to the authority and may change between two decisions. A reservation carries
//! the limit it was decided under, and becomes the row's only when everything counted fits it: a
//! limit that was lowered below what is used refuses new calls, and takes nothing back.
//!
//! An object counts once per span, however many calls touch it. It is held by every unsettled call
//! that reserved it, is booked when the first of them is charged, and is released when the last one
//! lets go and none was. So a call that never started does not take the object from another one
//! that did; and a case shows an object as known only once it is booked. Until then, the case leaves
//! out what this very object holds: another call on it finds the room, reserves it, and holds it too.

use remit_core::budget::{Budget, BudgetState, Reservation, Span};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::columns::{amount, int, micros};
use crate::failure::Failure;

/// What is settled and reserved; nothing, as long as nothing was.
pub(crate) fn used(db: &Connection, key: &str, span: &str) -> Result<(u64, u64), Failure> {
    let mut statement = db.prepare_cached("SELECT settled, reserved FROM budgets WHERE key = ?1 AND span = ?2")?;
    let row = statement.query_row([key, span], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    Ok(row.map_or((0, 0), |(settled, reserved)| (amount(settled), amount(reserved))))
}

/// One budget as a decision sees it.
pub(crate) fn state(
    db: &Connection,
    budget: &Budget,
    span: &Span,
    object: Option<&str>,
) -> Result<BudgetState, Failure> {
    let (settled, mut reserved) = used(db, &budget.key.0, &span.id)?;
    let mut object_known = false;
    if let Some(object) = object
        && let Some(counted) = Counted::of(db, &budget.key.0, &span.id, object)?
    {
        object_known = counted.booked;
        if !counted.booked {
            reserved = reserved.saturating_sub(counted.amount);
        }
    }
    Ok(BudgetState { budget: budget.clone(), span: span.clone(), settled, reserved, object_known })
}

/// Reserves, or is a conflict when there is no room.
pub(crate) fn reserve(db: &Connection, reservation: &Reservation) -> Result<(), Failure> {
    let Reservation { key, span, limit, amount, object, .. } = reservation;
    if let Some(object) = object {
        let held = db
            .prepare_cached("UPDATE objects SET holders = holders + 1 WHERE key = ?1 AND span = ?2 AND object = ?3")?
            .execute([&key.0, &span.id, object])?;
        if held == 1 {
            return Ok(());
        }
    }
    let (settled, reserved) = used(db, &key.0, &span.id)?;
    let sum = settled.checked_add(reserved).and_then(|used| used.checked_add(*amount));
    let limit = (*limit).min(i64::MAX.unsigned_abs());
    if sum.is_none_or(|sum| sum > limit) {
        return Err(Failure::Conflict("budget"));
    }
    db.prepare_cached(
        "INSERT INTO budgets (key, span, ends, settled, reserved, lim) VALUES (?1, ?2, ?3, 0, ?4, ?5)
         ON CONFLICT DO UPDATE SET reserved = reserved + excluded.reserved, lim = excluded.lim",
    )?
    .execute(params![key.0, span.id, span.ends.map(micros), int(*amount), int(limit)])?;
    if let Some(object) = object {
        db.prepare_cached(
            "INSERT INTO objects (key, span, object, amount, holders, booked) VALUES (?1, ?2, ?3, ?4, 1, 0)",
        )?
        .execute(params![key.0, span.id, object, int(*amount)])?;
    }
    Ok(())
}

/// Books or releases what one call had reserved.
pub(crate) fn settle(db: &Connection, reservation: &Reservation, charged: bool) -> Result<(), Failure> {
    let amount = match &reservation.object {
        None => reservation.amount,
        Some(object) => let_go(db, reservation, object, charged)?,
    };
    db.prepare_cached(
        "UPDATE budgets SET reserved = reserved - ?3, settled = settled + ?4 WHERE key = ?1 AND span = ?2",
    )?
    .execute(params![
        reservation.key.0,
        reservation.span.id,
        int(amount),
        int(if charged { amount } else { 0 }),
    ])?;
    Ok(())
}

/// Ends one call's hold on an object; how much is to be moved in its budget because of that.
fn let_go(db: &Connection, reservation: &Reservation, object: &str, charged: bool) -> Result<u64, Failure> {
    let (key, span) = (&reservation.key.0, &reservation.span.id);
    let Some(counted) = Counted::of(db, key, span, object)? else { return Ok(0) };
    if !charged && !counted.booked && counted.holders <= 1 {
        db.prepare_cached("DELETE FROM objects WHERE key = ?1 AND span = ?2 AND object = ?3")?
            .execute([key, span, object])?;
        return Ok(counted.amount);
    }
    db.prepare_cached(
        "UPDATE objects SET holders = holders - 1, booked = booked OR ?4 WHERE key = ?1 AND span = ?2 AND object = ?3",
    )?
    .execute(params![key, span, object, charged])?;
    Ok(if charged && !counted.booked { counted.amount } else { 0 })
}

struct Counted {
    amount: u64,
    holders: i64,
    booked: bool,
}

impl Counted {
    fn of(db: &Connection, key: &str, span: &str, object: &str) -> Result<Option<Self>, Failure> {
        let mut statement = db.prepare_cached(
            "SELECT amount, holders, booked FROM objects WHERE key = ?1 AND span = ?2 AND object = ?3",
        )?;
        let row = statement.query_row([key, span, object], |row| {
            Ok(Self { amount: amount(row.get(0)?), holders: row.get(1)?, booked: row.get(2)? })
        });
        Ok(row.optional()?)
    }
}

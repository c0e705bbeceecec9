//! Budgets: reserved when a call is admitted, booked or released when it settles.
//!
//! INVARIANT (limits are never overspent): `settled + reserved <= lim` after every deed. The one
//! writer adds only after it has compared with the limit, settling only moves or removes, and the
//! table's own constraint says it again. The counters themselves stand in the [book](crate::book).
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

use remit_app::ports::listing::SpanUse;
use remit_core::budget::{Budget, BudgetState, Reservation, Span};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::book::{Book, Counter};
use crate::columns::{amount, int, micros, time};
use crate::failure::Failure;
use crate::writer::Desk;

/// What is settled and reserved according to the file; nothing, as long as nothing was.
pub(crate) fn used(db: &Connection, key: &str, span: &str) -> Result<(u64, u64), Failure> {
    Ok(counter(db, key, span)?.map_or((0, 0), |counter| (counter.settled, counter.reserved)))
}

fn counter(db: &Connection, key: &str, span: &str) -> Result<Option<Counter>, Failure> {
    let mut statement =
        db.prepare_cached("SELECT settled, reserved, ends, lim FROM budgets WHERE key = ?1 AND span = ?2")?;
    let mut rows = statement.query([key, span])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let ends: Option<i64> = row.get(2)?;
    let ends = ends.map(time).transpose()?;
    Ok(Some(Counter::new(ends, amount(row.get(0)?), amount(row.get(1)?), amount(row.get(3)?))))
}

/// The newest spans of a budget, along the primary key: the name of a span is the second in which it began, and
/// those have ten digits for longer than this will matter.
pub(crate) fn spans(db: &Connection, key: &str, limit: usize) -> Result<Vec<SpanUse>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT span, ends, settled, reserved FROM budgets WHERE key = ?1 ORDER BY span DESC LIMIT ?2",
    )?;
    let mut rows = statement.query(params![key, int(limit as u64)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let ends: Option<i64> = row.get(1)?;
        let span = Span { id: row.get(0)?, ends: ends.map(time).transpose()? };
        found.push(SpanUse { span, settled: amount(row.get(2)?), reserved: amount(row.get(3)?) });
    }
    Ok(found)
}

/// Writes a counter of the book.
pub(crate) fn write(db: &Connection, key: &str, span: &str, counter: &Counter) -> Result<(), Failure> {
    db.prepare_cached(
        "INSERT INTO budgets (key, span, ends, settled, reserved, lim) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT DO UPDATE SET settled = excluded.settled, reserved = excluded.reserved, lim = excluded.lim",
    )?
    .execute(params![
        key,
        span,
        counter.ends.map(micros),
        int(counter.settled),
        int(counter.reserved),
        int(counter.limit)
    ])?;
    Ok(())
}

/// One budget as a decision sees it, when the book knows it and no object is counted.
pub(crate) fn at_hand(book: &Book, budget: &Budget, span: &Span, object: Option<&str>) -> Option<BudgetState> {
    let counter = book.counter(&budget.key.0, span).filter(|_| object.is_none())?;
    let (settled, reserved) = (counter.settled, counter.reserved);
    Some(BudgetState { budget: budget.clone(), span: span.clone(), settled, reserved, object_known: false })
}

/// One budget as a decision sees it: the book's, or else the file's.
pub(crate) fn state(
    db: &Connection,
    book: Option<&Counter>,
    budget: &Budget,
    span: &Span,
    object: Option<&str>,
) -> Result<BudgetState, Failure> {
    let (settled, mut reserved) = match book {
        Some(counter) => (counter.settled, counter.reserved),
        None => used(db, &budget.key.0, &span.id)?,
    };
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

/// The counter of a reservation, from the book or else from the file.
fn current(desk: &Desk<'_>, reservation: &Reservation) -> Result<Counter, Failure> {
    let Reservation { key, span, .. } = reservation;
    if let Some(counter) = desk.book().counter(&key.0, span) {
        return Ok(counter.clone());
    }
    Ok(counter(desk.db, &key.0, &span.id)?.unwrap_or_else(|| Counter::new(span.ends, 0, 0, 0)))
}

/// Reserves, or is a conflict when there is no room.
pub(crate) fn reserve(desk: &Desk<'_>, reservation: &Reservation) -> Result<(), Failure> {
    let Reservation { key, span, limit, amount, object, .. } = reservation;
    if let Some(object) = object {
        let held = desk
            .db
            .prepare_cached("UPDATE objects SET holders = holders + 1 WHERE key = ?1 AND span = ?2 AND object = ?3")?
            .execute([&key.0, &span.id, object])?;
        if held == 1 {
            return Ok(());
        }
    }
    let counter = current(desk, reservation)?.reserve(*amount, *limit).ok_or(Failure::Conflict("budget"))?;
    desk.book().set_counter(&key.0, span, counter);
    if let Some(object) = object {
        desk.db
            .prepare_cached(
                "INSERT INTO objects (key, span, object, amount, holders, booked) VALUES (?1, ?2, ?3, ?4, 1, 0)",
            )?
            .execute(params![key.0, span.id, object, int(*amount)])?;
    }
    Ok(())
}

/// Books or releases what one call had reserved.
pub(crate) fn settle(desk: &Desk<'_>, reservation: &Reservation, charged: bool) -> Result<(), Failure> {
    let amount = match &reservation.object {
        None => reservation.amount,
        Some(object) => let_go(desk.db, reservation, object, charged)?,
    };
    if amount == 0 {
        return Ok(());
    }
    let counter = current(desk, reservation)?.settle(amount, charged);
    desk.book().set_counter(&reservation.key.0, &reservation.span, counter);
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

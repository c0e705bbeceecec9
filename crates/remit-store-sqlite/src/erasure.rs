//! Deleting: what is held of a person, and what is kept no longer. Signed payloads are never touched.
//!
//! `secure_delete` overwrites what is deleted, and the log is emptied afterwards (see `writer.rs`). What SQLite
//! may leave is the remainder of a row in the gap of a page that was once split; so an erasure marks the
//! file, and the next start rebuilds it (see `open.rs`).

use remit_app::ports::{Erasure, Retired, Retirement};
use remit_core::ids::{Digest, QuestionId};
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, Params, params};

use crate::columns::{int, micros};
use crate::failure::Failure;
use crate::writer::Desk;
use crate::{attention, changes, delegations, grants, halts, holds, people, questions, records, reviews};

/// Most rows of a table in one deed. It bounds how long the writer is busy with it.
const ROWS: u32 = 500;

/// The calls in a person's runs that still say whose they are.
const CALLS: &str = "SELECT intents.position FROM runs JOIN records ON records.run = runs.id \
                     JOIN intents ON intents.position = records.position \
                     WHERE runs.user = ?1 AND intents.user IS NOT NULL LIMIT ?2";
/// The questions in a person's runs that still say what was asked.
const QUESTIONS: &str = "SELECT questions.id FROM runs JOIN questions ON questions.run = runs.id \
                         WHERE runs.user = ?1 AND questions.arguments <> 'null' LIMIT ?2";

/// See [`remit_app::ports::Store::erase`]. Everything is checked before the first change.
pub(crate) fn erase(desk: &Desk<'_>, erasure: &Erasure, record: &SignedRecord) -> Result<bool, Failure> {
    let (db, person) = (desk.db, erasure.person.as_str());
    check(db, erasure)?;
    for position in &erasure.positions {
        records::conceal(db, *position)?;
        forget_call(db, int(*position))?;
    }
    let calls: Vec<i64> = list(db, CALLS, params![person, ROWS], |row| row.get(0))?;
    for position in &calls {
        forget_call(db, *position)?;
    }
    let asked: Vec<String> = list(db, QUESTIONS, params![person, ROWS], |row| row.get(0))?;
    for id in &asked {
        questions::forget(db, &QuestionId::parse(id)?, erasure.now)?;
    }
    // Records name voters by commitments under this salt: without it nobody can be looked for among them.
    db.prepare_cached(
        "UPDATE questions SET voters = zeroblob(16) WHERE id IN
           (SELECT question FROM votes WHERE operator = ?1 OR user = ?1 OR behalf = ?1 OR behalf_user = ?1)",
    )?
    .execute([person])?;
    let votes = db
        .prepare_cached(
            "UPDATE votes SET operator = 'erased-' || position, user = NULL, reason = ''
             WHERE position IN (SELECT position FROM votes WHERE operator = ?1 OR user = ?1 LIMIT ?2)",
        )?
        .execute(params![person, ROWS])?;
    db.prepare_cached("UPDATE remarks SET operator = 'erased-' || position, text = '' WHERE operator = ?1")?
        .execute([person])?;
    db.prepare_cached(
        "UPDATE votes SET behalf = 'erased-' || position, behalf_user = NULL WHERE behalf = ?1 OR behalf_user = ?1",
    )?
    .execute([person])?;
    halts::forget(desk, person)?;
    holds::forget(db, person)?;
    people::forget(db, person)?;
    grants::forget(desk, person, erasure.now)?;
    let more_changes = changes::forget(db, person, ROWS)?;
    delegations::forget(db, person)?;
    reviews::forget(db, person)?;
    attention::forget(db, person)?;
    let full = |rows: usize| rows >= ROWS as usize;
    let mut more = full(calls.len()) || full(asked.len()) || full(votes) || more_changes;
    // Runs go last: by them the rest is found.
    if !more {
        let runs = db
            .prepare_cached(
                "UPDATE runs SET user = NULL, intent = NULL
                 WHERE position IN (SELECT position FROM runs WHERE user = ?1 LIMIT ?2)",
            )?
            .execute(params![person, ROWS])?;
        more = full(runs);
    }
    records::append(db, record)?;
    db.prepare_cached("UPDATE meta SET value = value + 1 WHERE name = 'erasures'")?.execute([])?;
    desk.empty_the_log();
    Ok(more)
}

fn check(db: &Connection, erasure: &Erasure) -> Result<(), Failure> {
    let person = erasure.person.as_str();
    let now = micros(erasure.now);
    let exists = |sql: &str, values: &[&dyn rusqlite::ToSql]| -> Result<bool, Failure> {
        Ok(db.prepare_cached(sql)?.exists(values)?)
    };
    if exists(
        "SELECT 1 FROM holds WHERE target IN ('all', 'user:' || ?1)
         UNION ALL SELECT 1 FROM runs JOIN holds ON target = 'run:' || runs.id WHERE runs.user = ?1",
        &[&person],
    )? {
        return Err(Failure::Conflict("held"));
    }
    for position in &erasure.positions {
        let sql = "SELECT 1 FROM records JOIN holds ON target = 'run:' || run WHERE position = ?1";
        if exists(sql, &[&int(*position)])? {
            return Err(Failure::Conflict("held"));
        }
    }
    if exists("SELECT 1 FROM runs WHERE user = ?1 AND closed_at IS NULL", &[&person])? {
        return Err(Failure::Conflict("an open run"));
    }
    if exists("SELECT 1 FROM intents WHERE state = 'admitted' AND user = ?1", &[&person])? {
        return Err(Failure::Conflict("a call under way"));
    }
    if exists("SELECT 1 FROM grants WHERE state = 'live' AND user = ?1", &[&person])? {
        return Err(Failure::Conflict("a grant in force"));
    }
    let open = "NOT questions.used AND NOT denied AND expires_at > ?2";
    let asked = format!(
        "SELECT 1 FROM runs JOIN questions ON run = runs.id WHERE runs.user = ?1 AND {open}
         UNION ALL SELECT 1 FROM access_requests JOIN questions ON question = questions.id
         WHERE access_requests.user = ?1 AND {open}"
    );
    if !erasure.also_open && exists(&asked, &[&person, &now])? {
        return Err(Failure::Conflict("an open question"));
    }
    let voted = format!(
        "SELECT 1 FROM votes JOIN questions ON question = questions.id
         WHERE (operator = ?1 OR votes.user = ?1 OR behalf = ?1 OR behalf_user = ?1) AND {open}"
    );
    if exists(&voted, &[&person, &now])? {
        return Err(Failure::Conflict("an open question that they voted on"));
    }
    if changes::voted_on_open(db, person, now)? {
        return Err(Failure::Conflict("an open change that they voted on"));
    }
    Ok(())
}

/// Whose a settled call was, its key, its exact arguments' digest, what it reserved and what it answered.
fn forget_call(db: &Connection, position: i64) -> Result<(), Failure> {
    db.prepare_cached(
        "UPDATE intents SET user = NULL, idempotency = NULL, call = zeroblob(32), reservations = '[]', answer = NULL,
           reason = iif(outcome = 'error', '', reason) WHERE position = ?1 AND state = 'settled'",
    )?
    .execute([position])?;
    Ok(())
}

/// See [`remit_app::ports::Store::retire`].
pub(crate) fn retire(desk: &Desk<'_>, retirement: &Retirement) -> Result<Retired, Failure> {
    let db = desk.db;
    let mut held: Vec<_> = holds::all(db)?.into_iter().map(|hold| hold.target).collect();
    let mut known = retirement.held.clone();
    held.sort();
    known.sort();
    if held != known {
        return Err(Failure::Conflict("holds"));
    }
    let mut retired = Retired::default();
    for position in &retirement.disclosures {
        retired.disclosures += records::conceal(db, *position)?;
    }
    for position in &retirement.outcomes {
        let sql = "UPDATE intents SET answer = NULL WHERE position = ?1 AND answer IS NOT NULL";
        retired.outcomes += db.prepare_cached(sql)?.execute([int(*position)])? as u64;
    }
    if let Some(before) = retirement.spans_ended_before {
        let sql = "SELECT key, span FROM budgets WHERE ends < ?1 AND reserved = 0 AND NOT EXISTS
                     (SELECT 1 FROM objects WHERE (objects.key, objects.span) = (budgets.key, budgets.span) AND holders > 0)
                   LIMIT ?2";
        let spans: Vec<(String, String)> =
            list(db, sql, params![micros(before), ROWS], |row| Ok((row.get(0)?, row.get(1)?)))?;
        for (key, span) in &spans {
            // The book may be ahead of the file by what this very group has reserved.
            if !desk.book().forget_counter(key, span) {
                continue;
            }
            db.prepare_cached("DELETE FROM objects WHERE key = ?1 AND span = ?2")?.execute([key, span])?;
            db.prepare_cached("DELETE FROM budgets WHERE key = ?1 AND span = ?2")?.execute([key, span])?;
            retired.spans += 1;
        }
    }
    Ok(retired)
}

fn list<T>(
    db: &Connection,
    sql: &str,
    values: impl Params,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Failure> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(values, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// What stands in place of a digest that could be guessed.
pub(crate) const NO_CALL: Digest = Digest::from_bytes([0; 32]);

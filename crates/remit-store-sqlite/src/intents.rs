//! Decisions on their way into the file, and the end of the calls they admitted.

use jiff::Timestamp;
use remit_app::intent::{Carrier, Effect, IdempotencyKey, Intent, Settlement};
use remit_app::outcome::{Outcome, RunOutcome, StoredOutcome};
use remit_core::budget::{Reservation, Unit};
use remit_core::ids::{Digest, QuestionId, RecordId, RuleId, RunId, UserId};
use rusqlite::{Connection, Row, params};

use crate::book::Pending;
use crate::columns::{OutcomeColumns, digest, micros, reservations, reservations_text, time};
use crate::failure::Failure;
use crate::writer::Desk;
use crate::{budgets, questions, records, reviews, runs};

/// What a commit did, before it is durable. The receipt is made from it only after the group's
/// commit has succeeded.
#[derive(Debug)]
pub(crate) enum Applied {
    Admitted(RecordId),
    Held(QuestionId),
    Refused,
    Repeated { intent: RecordId, call: Digest },
}

/// Applies one decision.
///
/// The idempotency key comes first: whoever repeats a call is told about the first one, even when
/// the second decision would have been another. Its record is then not stored.
pub(crate) fn commit(desk: &Desk<'_>, intent: &Intent) -> Result<Applied, Failure> {
    if let Some(key) = &intent.idempotency
        && let Some((record, call)) = earlier(desk.db, intent, key)?
    {
        return Ok(Applied::Repeated { intent: record, call });
    }
    if let Some(question) = &intent.preview_of
        && let Some((record, call)) = previewed(desk.db, question)?
    {
        return Ok(Applied::Repeated { intent: record, call });
    }
    match &intent.effect {
        Effect::Admit { reservations, approvals, carrier, .. } => {
            admit(desk, intent, reservations, approvals)?;
            if let Carrier::Service { labels } = carrier {
                runs::book(desk, &intent.run, 0, Some(labels))?;
            }
            Ok(Applied::Admitted(intent.record.id.clone()))
        }
        Effect::Hold(question) => {
            let held = questions::hold(desk, question, intent.questions_max)?;
            records::append(desk.db, &intent.record)?;
            Ok(Applied::Held(held))
        }
        Effect::Refuse => {
            records::append(desk.db, &intent.record)?;
            Ok(Applied::Refused)
        }
    }
}

/// Whether a decision changes the file before all has been checked, so that it may have to be undone
/// there. Most change only the book before, which takes its steps back by itself.
pub(crate) fn is_guarded(intent: &Intent) -> bool {
    match &intent.effect {
        Effect::Admit { reservations, approvals, .. } => !approvals.is_empty() || counts_objects(reservations),
        Effect::Hold(_) => true,
        Effect::Refuse => false,
    }
}

/// Whether these reservations touch the table of objects.
pub(crate) fn counts_objects(reservations: &[Reservation]) -> bool {
    reservations.iter().any(|reservation| reservation.object.is_some())
}

/// The intent that was admitted as the preview of this question.
fn previewed(db: &Connection, question: &QuestionId) -> Result<Option<(RecordId, Digest)>, Failure> {
    let sql = "SELECT records.id, call FROM intents JOIN records USING (position) WHERE preview_of = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([question.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((RecordId::parse(&row.get::<_, String>(0)?)?, digest(row.get(1)?)?)))
}

/// The intent that was admitted under this key of this agent and user.
fn earlier(db: &Connection, intent: &Intent, key: &IdempotencyKey) -> Result<Option<(RecordId, Digest)>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT records.id, call FROM intents JOIN records USING (position)
         WHERE agent = ?1 AND ifnull(user, '') = ?2 AND idempotency = ?3",
    )?;
    let user = intent.user.as_ref().map_or("", UserId::as_str);
    let mut rows = statement.query([intent.agent.as_str(), user, &key.0])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some((RecordId::parse(&row.get::<_, String>(0)?)?, digest(row.get(1)?)?)))
}

/// Checks what the decision rests on, in the order in which it is cheapest to find out, and takes
/// what it uses up. Everything that may fail stands before the first change of the file.
fn admit(desk: &Desk<'_>, intent: &Intent, reservations: &[Reservation], approvals: &[RuleId]) -> Result<(), Failure> {
    let db = desk.db;
    if desk.book().halts != intent.basis.halts {
        return Err(Failure::Conflict("halts"));
    }
    if desk.book().grants != intent.basis.grants {
        return Err(Failure::Conflict("grants"));
    }
    runs::count_call(desk, &intent.run, intent.basis.run, intent.at)?;
    let mut used = Vec::new();
    for rule in approvals {
        let named = intent.basis.approvals.iter().find(|(approved, _)| approved == rule);
        let (_, question) = named.ok_or(Failure::Conflict("approval"))?;
        questions::check_usable(db, question, rule, (&intent.call, &intent.run), intent.at)?;
        if !used.contains(&question) {
            used.push(question);
        }
    }
    for question in used {
        questions::mark_used(db, question)?;
    }
    for reservation in reservations {
        budgets::reserve(desk, reservation)?;
    }
    let position = insert(db, intent, reservations)?;
    let pending = Pending {
        position: Some(position),
        // What objects it counts stands in the file only, so that is where it is settled.
        batched: matches!(intent.effect, Effect::Admit { batched: true, .. }) && !counts_objects(reservations),
        run: intent.run.clone(),
        reservations: reservations.to_vec(),
    };
    desk.book().began(&intent.record.id, pending);
    Ok(())
}

/// Writes an admitted call, and says where it stands.
pub(crate) fn insert(db: &Connection, intent: &Intent, reservations: &[Reservation]) -> Result<i64, Failure> {
    let position = records::append(db, &intent.record)?;
    db.prepare_cached(
        "INSERT INTO intents (position, agent, user, call, tool, at, idempotency, reservations, preview_of, carrier)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(params![
        position,
        intent.agent.as_str(),
        intent.user.as_ref().map(UserId::as_str),
        &intent.call.as_bytes()[..],
        intent.tool,
        micros(intent.at),
        intent.idempotency.as_ref().map(|key| &key.0),
        reservations_text(reservations),
        intent.preview_of.as_ref().map(QuestionId::as_str),
        if matches!(intent.effect, Effect::Admit { carrier: Carrier::Service { .. }, .. }) {
            "service"
        } else {
            "gate"
        },
    ])?;
    if intent.review {
        reviews::ask(db, position)?;
    }
    Ok(position)
}

/// Settles an admitted call. What it had reserved is what was stored at its admission, whatever the
/// settlement says. A second settlement changes nothing, and its record is not stored.
pub(crate) fn settle(desk: &Desk<'_>, settlement: &Settlement) -> Result<(), Failure> {
    let known = desk.book().pending(&settlement.intent).cloned();
    let Some(pending) = known.map_or_else(|| under_way(desk.db, &settlement.intent), |pending| Ok(Some(pending)))?
    else {
        return Ok(());
    };
    if !is_sound(settlement) {
        return Err(Failure::rejected("only a call that never started is released"));
    }
    let Pending { position, run, reservations, .. } = pending;
    end(desk.db, position, settlement)?;
    for reservation in &reservations {
        budgets::settle(desk, reservation, settlement.charged)?;
    }
    let spend = if settlement.charged { spend(&reservations) } else { 0 };
    runs::book(desk, &run, spend, settlement.labels.as_ref())?;
    desk.book().ended(&settlement.intent);
    Ok(())
}

/// Whether what a settlement says can be: only a call that never started is released.
pub(crate) const fn is_sound(settlement: &Settlement) -> bool {
    settlement.charged || matches!(settlement.outcome, Outcome::NotStarted { .. })
}

/// Writes the receipt and the end of a call, whose intent stands at this position or is to be looked for.
pub(crate) fn end(db: &Connection, position: Option<i64>, settlement: &Settlement) -> Result<(), Failure> {
    if let Some(record) = &settlement.record {
        records::append(db, record)?;
    }
    let columns = OutcomeColumns::of(&settlement.outcome);
    let changed = db
        .prepare_cached(
            "UPDATE intents SET state = 'settled', settled_at = ?3, charged = ?4, outcome = ?5, code = ?6, reason = ?7,
               answer = ?8 WHERE position = ifnull(?1, (SELECT position FROM records WHERE id = ?2))",
        )?
        .execute(params![
            position,
            settlement.intent.as_str(),
            micros(settlement.at),
            settlement.charged,
            columns.outcome,
            columns.code,
            columns.reason,
            columns.answer,
        ])?;
    if changed != 1 {
        return Err(Failure::rejected("the call that ended was never admitted"));
    }
    if settlement.review { reviews::ask_of(db, &settlement.intent) } else { Ok(()) }
}

/// An intent that the book does not know; `None` when it is settled.
fn under_way(db: &Connection, intent: &RecordId) -> Result<Option<Pending>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT position, run, state, reservations FROM intents JOIN records USING (position) WHERE id = ?1",
    )?;
    let mut rows = statement.query([intent.as_str()])?;
    let Some(row) = rows.next()? else {
        return Err(Failure::rejected(format!("there is no admitted call `{intent}`")));
    };
    if row.get::<_, String>(2)? == "settled" {
        return Ok(None);
    }
    let run = RunId::parse(&row.get::<_, String>(1)?)?;
    Ok(Some(Pending {
        position: Some(row.get(0)?),
        batched: false,
        run,
        reservations: reservations(&row.get::<_, String>(3)?)?,
    }))
}

/// What one call costs. It is reserved on several levels of the tree, and spent once.
pub(crate) fn spend(reserved: &[Reservation]) -> u64 {
    reserved.iter().filter(|r| r.unit == Unit::MicroUsd).map(|r| r.amount).max().unwrap_or(0)
}

/// What came of an admitted call.
pub(crate) fn outcome(db: &Connection, intent: &RecordId) -> Result<Option<StoredOutcome>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT state, outcome, code, reason, answer FROM intents JOIN records USING (position) WHERE id = ?1",
    )?;
    let mut rows = statement.query([intent.as_str()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    if row.get::<_, String>(0)? == "admitted" {
        return Ok(Some(StoredOutcome::Pending));
    }
    let columns = OutcomeColumns { outcome: row.get(1)?, code: row.get(2)?, reason: row.get(3)?, answer: row.get(4)? };
    Ok(Some(StoredOutcome::Settled(columns.read()?)))
}

/// What came of the calls of a run, the newest first.
pub(crate) fn outcomes(db: &Connection, run: &RunId, limit: u32) -> Result<Vec<RunOutcome>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT tool, state, outcome, code, intents.reason, answer, carrier = 'service' FROM records JOIN intents USING (position)
         WHERE run = ?1 AND preview_of IS NULL ORDER BY position DESC LIMIT ?2",
    )?;
    let mut rows = statement.query(params![run.as_str(), limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let outcome = if row.get::<_, String>(1)? == "admitted" {
            StoredOutcome::Pending
        } else {
            let (outcome, code) = (row.get(2)?, row.get(3)?);
            StoredOutcome::Settled(OutcomeColumns { outcome, code, reason: row.get(4)?, answer: row.get(5)? }.read()?)
        };
        found.push(RunOutcome { tool: row.get(0)?, reported: row.get(6)?, outcome });
    }
    Ok(found)
}

/// Calls admitted before `before` that nobody has settled, oldest first. Whether they took effect is
/// unknown, so they are charged.
pub(crate) fn unsettled(db: &Connection, before: Timestamp) -> Result<Vec<Settlement>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT id, digest, run, at, reservations FROM intents JOIN records USING (position)
         WHERE state = 'admitted' AND at < ?1 ORDER BY at, position",
    )?;
    let mut rows = statement.query(params![micros(before)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(pending(row)?);
    }
    Ok(found)
}

/// A call that a service carries out and has not reported.
pub(crate) fn unreported(db: &Connection, intent: &RecordId) -> Result<Option<Settlement>, Failure> {
    let mut statement = db.prepare_cached(
        "SELECT id, digest, run, at, reservations FROM intents JOIN records USING (position)
         WHERE id = ?1 AND state = 'admitted' AND carrier = 'service'",
    )?;
    let mut rows = statement.query([intent.as_str()])?;
    rows.next()?.map(pending).transpose()
}

fn pending(row: &Row<'_>) -> Result<Settlement, Failure> {
    let (intent, run) = (RecordId::parse(&row.get::<_, String>(0)?)?, RunId::parse(&row.get::<_, String>(2)?)?);
    let (decision, at) = (digest(row.get(1)?)?, time(row.get(3)?)?);
    Ok(Settlement::abandoned(intent, decision, run, at, reservations(&row.get::<_, String>(4)?)?))
}

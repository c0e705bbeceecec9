//! Access requests and grants, and the count of the grants' changes that every admission is checked against.

mod rows;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::access::{AccessRequest, End, Given, RequestState, Review};
use remit_app::delivery::{Delivery, Event, Subject};
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ports::Grants;
use remit_app::question::{Question, QuestionState};
use remit_core::access::{AccessGrant, Terms, Whom};
use remit_core::ids::{GrantId, OperatorId, QuestionId, UserId};
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, params};

use self::rows::{
    GRANTS, REQUESTS, grant_body, one, open, request_body, select_grants, select_requests, user_of, write_grant,
};
use crate::columns::amount;
use crate::failure::Failure;
use crate::store::SqliteStore;
use crate::writer::Desk;
use crate::{outbox, questions, records};

/// Most that are listed.
const LISTED: u32 = 1_000;

/// The grants that have not ended, at one version.
#[derive(Debug, Default)]
pub(crate) struct Live {
    pub version: u64,
    pub list: Arc<Vec<AccessGrant>>,
}

/// All of them, oldest first.
pub(crate) fn live(db: &Connection) -> Result<Live, Failure> {
    let given = select_grants(db, &format!("{GRANTS} WHERE state = 'live' ORDER BY position"), [])?;
    let mut statement = db.prepare_cached("SELECT value FROM meta WHERE name = 'grants'")?;
    let version = amount(statement.query_row([], |row| row.get(0))?);
    Ok(Live { version, list: Arc::new(given.into_iter().map(|given| given.grant).collect()) })
}

/// Blanks what is said of a person in requests and grants that are over. Grants in force are a conflict
/// before this (see `erasure.rs`).
pub(crate) fn forget(desk: &Desk<'_>, person: &str, now: Timestamp) -> Result<(), Failure> {
    let db = desk.db;
    let nobody = OperatorId::parse("erased")?;
    let theirs = |by: &Option<OperatorId>| by.as_ref().is_some_and(|by| by.as_str() == person);
    let sql = format!("{REQUESTS} WHERE user = ?1 OR instr(body, ?1) > 0");
    for mut request in select_requests(db, &sql, [person])? {
        if request.user.as_ref().is_some_and(|user| user.as_str() == person) {
            questions::forget(db, &request.question, now)?;
            request.user = None;
            request.why.clear();
        }
        if theirs(&request.by) {
            request.by = Some(nobody.clone());
        }
        db.prepare_cached("UPDATE access_requests SET user = ?2, body = ?3 WHERE id = ?1")?.execute(params![
            request.id.as_str(),
            request.user.as_ref().map(UserId::as_str),
            request_body(&request).to_string(),
        ])?;
    }
    let sql = format!("{GRANTS} WHERE user = ?1 OR instr(body, ?1) > 0");
    for mut given in select_grants(db, &sql, [person])? {
        if matches!(&given.grant.whom, Whom::Exactly(Some(user)) if user.as_str() == person) {
            given.grant.whom = Whom::Exactly(None);
        }
        if let Some(emergency) = &mut given.emergency {
            if emergency.by.as_str() == person {
                (emergency.by, emergency.user) = (nobody.clone(), None);
                emergency.reason.clear();
            }
            if let Some(review) = emergency.review.as_mut().filter(|review| review.by.as_str() == person) {
                review.by = nobody.clone();
                review.note.clear();
            }
        }
        if let Some(end) = given.end.as_mut().filter(|end| theirs(&end.by)) {
            end.by = Some(nobody.clone());
            end.reason.clear();
        }
        write_grant(db, &given)?;
    }
    Ok(())
}

fn open_request(
    desk: &Desk<'_>,
    request: &AccessRequest,
    question: &Question,
    record: &SignedRecord,
) -> Result<AccessRequest, Failure> {
    let db = desk.db;
    // Requests have a bound of their own.
    let held = questions::hold(desk, question, u32::MAX)?;
    if held != question.id {
        // The same is asked already. A question without a request is a held call's, and none of ours.
        let sql = format!("{REQUESTS} WHERE question = ?1 AND state = 'open'");
        let known = select_requests(db, &sql, [held.as_str()])?.pop();
        return known.ok_or(Failure::Conflict("question"));
    }
    db.prepare_cached(
        "INSERT INTO access_requests (id, question, agent, user, state, body) VALUES (?1, ?2, ?3, ?4, 'open', ?5)",
    )?
    .execute(params![
        request.id.as_str(),
        request.question.as_str(),
        request.agent.as_str(),
        request.user.as_ref().map(UserId::as_str),
        request_body(request).to_string(),
    ])?;
    records::append(db, record)?;
    Ok(request.clone())
}

fn narrow_request(
    desk: &Desk<'_>,
    id: &QuestionId,
    from: &QuestionId,
    terms: &Terms,
    question: &Question,
    record: &SignedRecord,
) -> Result<AccessRequest, Failure> {
    let db = desk.db;
    let mut request = open(db, id)?.filter(|request| request.question == *from).ok_or(Failure::Conflict("request"))?;
    let old = questions::one(db, from)?.ok_or(Failure::Conflict("question"))?;
    if old.state(question.asked_at) != QuestionState::Open {
        return Err(Failure::Conflict(old.state(question.asked_at).as_str()));
    }
    questions::lapse(db, from, question.asked_at)?;
    if questions::hold(desk, question, u32::MAX)? != question.id {
        return Err(Failure::Conflict("question"));
    }
    (request.question, request.terms) = (question.id.clone(), terms.clone());
    db.prepare_cached("UPDATE access_requests SET question = ?2, body = ?3 WHERE id = ?1")?.execute(params![
        id.as_str(),
        request.question.as_str(),
        request_body(&request).to_string()
    ])?;
    records::append(db, record)?;
    Ok(request)
}

fn grant_request(desk: &Desk<'_>, id: &QuestionId, given: &Given, record: &SignedRecord) -> Result<(), Failure> {
    let db = desk.db;
    let request = open(db, id)?.ok_or(Failure::Conflict("request"))?;
    let question = questions::one(db, &request.question)?.ok_or(Failure::Conflict("question"))?;
    if question.state(given.given_at) != QuestionState::Approved {
        return Err(Failure::Conflict(question.state(given.given_at).as_str()));
    }
    questions::mark_used(db, &request.question)?;
    db.prepare_cached("UPDATE access_requests SET state = 'granted', granted = ?2 WHERE id = ?1")?
        .execute([id.as_str(), given.grant.id.as_str()])?;
    insert(desk, given, record)
}

fn end_request(desk: &Desk<'_>, id: &QuestionId, at: Timestamp, record: &SignedRecord) -> Result<bool, Failure> {
    let Some(request) = open(desk.db, id)? else { return Ok(false) };
    let question = questions::one(desk.db, &request.question)?;
    let state = match question.map(|question| question.state(at)) {
        Some(QuestionState::Open | QuestionState::Approved) => return Ok(false),
        Some(QuestionState::Denied) => RequestState::Refused,
        _ => RequestState::Lapsed,
    };
    let sql = "UPDATE access_requests SET state = ?2 WHERE id = ?1";
    desk.db.prepare_cached(sql)?.execute([id.as_str(), state.as_str()])?;
    records::append(desk.db, record)?;
    Ok(true)
}

fn insert(desk: &Desk<'_>, given: &Given, record: &SignedRecord) -> Result<(), Failure> {
    if one(desk.db, &given.grant.id)?.is_some() {
        return Err(Failure::Conflict("grant"));
    }
    desk.db
        .prepare_cached(
            "INSERT INTO grants (id, agent, user, request, state, review_due, body)
             VALUES (?1, ?2, ?3, ?4, 'live', ?5, ?6)",
        )?
        .execute(params![
            given.grant.id.as_str(),
            given.grant.agent.as_str(),
            user_of(&given.grant),
            given.request.as_ref().map(QuestionId::as_str),
            given.unreviewed(),
            grant_body(given).to_string(),
        ])?;
    if given.unreviewed() {
        let about = Subject::Emergency(given.grant.id.clone());
        outbox::owe(desk.db, &[Delivery::new(about, Event::GlassBroken, None, given.given_at)])?;
    }
    changed(desk)?;
    records::append(desk.db, record).map(drop)
}

fn end_grant(desk: &Desk<'_>, id: &GrantId, end: &End, record: &SignedRecord) -> Result<bool, Failure> {
    let Some(given) = one(desk.db, id)?.filter(|given| given.end.is_none()) else { return Ok(false) };
    write_grant(desk.db, &Given { end: Some(end.clone()), ..given })?;
    changed(desk)?;
    records::append(desk.db, record)?;
    Ok(true)
}

fn review_grant(desk: &Desk<'_>, id: &GrantId, review: &Review, record: &SignedRecord) -> Result<Given, Failure> {
    let mut given = one(desk.db, id)?.ok_or(Failure::Conflict("grant"))?;
    let due = given.unreviewed();
    let emergency = given.emergency.as_mut().filter(|emergency| due && emergency.by != review.by);
    emergency.ok_or(Failure::Conflict("review"))?.review = Some(review.clone());
    write_grant(desk.db, &given)?;
    records::append(desk.db, record)?;
    Ok(given)
}

fn changed(desk: &Desk<'_>) -> Result<(), Failure> {
    desk.db.prepare_cached("UPDATE meta SET value = value + 1 WHERE name = 'grants'")?.execute([])?;
    desk.book().grants_changed();
    Ok(())
}

#[async_trait]
impl Grants for SqliteStore {
    async fn open_request(
        &self,
        request: AccessRequest,
        question: Question,
        record: SignedRecord,
    ) -> Result<AccessRequest, CommitError> {
        Ok(self.write(move |desk| open_request(desk, &request, &question, &record)).await?)
    }

    async fn narrow_request(
        &self,
        id: &QuestionId,
        from: &QuestionId,
        terms: Terms,
        question: Question,
        record: SignedRecord,
    ) -> Result<AccessRequest, CommitError> {
        let (id, from) = (id.clone(), from.clone());
        Ok(self.write(move |desk| narrow_request(desk, &id, &from, &terms, &question, &record)).await?)
    }

    async fn grant_request(&self, id: &QuestionId, given: Given, record: SignedRecord) -> Result<(), CommitError> {
        let id = id.clone();
        Ok(self.write(move |desk| grant_request(desk, &id, &given, &record)).await?)
    }

    async fn end_request(&self, id: &QuestionId, at: Timestamp, record: SignedRecord) -> Result<bool, Unavailable> {
        let id = id.clone();
        Ok(self.write(move |desk| end_request(desk, &id, at, &record)).await?)
    }

    async fn request(&self, id: &QuestionId) -> Result<Option<AccessRequest>, Unavailable> {
        self.read(|db| Ok(select_requests(db, &format!("{REQUESTS} WHERE id = ?1"), [id.as_str()])?.pop())).await
    }

    async fn request_of(&self, question: &QuestionId) -> Result<Option<AccessRequest>, Unavailable> {
        let sql = format!("{REQUESTS} WHERE question = ?1 OR id = ?1");
        self.read(|db| Ok(select_requests(db, &sql, [question.as_str()])?.pop())).await
    }

    async fn requests(&self, open: bool) -> Result<Vec<AccessRequest>, Unavailable> {
        let only = if open { "WHERE state = 'open'" } else { "" };
        self.read(|db| select_requests(db, &format!("{REQUESTS} {only} ORDER BY position DESC LIMIT ?1"), [LISTED]))
            .await
    }

    async fn put_grant(&self, given: Given, record: SignedRecord) -> Result<(), CommitError> {
        Ok(self.write(move |desk| insert(desk, &given, &record)).await?)
    }

    async fn end_grant(&self, id: &GrantId, end: End, record: SignedRecord) -> Result<bool, Unavailable> {
        let id = id.clone();
        Ok(self.write(move |desk| end_grant(desk, &id, &end, &record)).await?)
    }

    async fn review_grant(&self, id: &GrantId, review: Review, record: SignedRecord) -> Result<Given, CommitError> {
        let id = id.clone();
        Ok(self.write(move |desk| review_grant(desk, &id, &review, &record)).await?)
    }

    async fn grant(&self, id: &GrantId) -> Result<Option<Given>, Unavailable> {
        self.read(|db| one(db, id)).await
    }

    async fn grants(&self, live: bool) -> Result<Vec<Given>, Unavailable> {
        let (only, most) = if live { ("WHERE state = 'live'", -1) } else { ("", i64::from(LISTED)) };
        self.read(|db| select_grants(db, &format!("{GRANTS} {only} ORDER BY position DESC LIMIT ?1"), [most])).await
    }

    async fn unreviewed(&self) -> Result<Vec<Given>, Unavailable> {
        self.read(|db| select_grants(db, &format!("{GRANTS} WHERE review_due ORDER BY position"), [])).await
    }

    async fn live_grants(&self) -> Result<(u64, Arc<Vec<AccessGrant>>), Unavailable> {
        let live = self.live()?;
        Ok((live.version, Arc::clone(&live.list)))
    }
}

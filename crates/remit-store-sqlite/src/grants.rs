//! Access requests and grants, and the count of the grants' changes that every admission is checked against.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::access::{AccessRequest, Emergency, End, Ending, Given, RequestState, Review};
use remit_app::delivery::{Delivery, Event, Subject};
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ports::Grants;
use remit_app::question::{Question, QuestionState};
use remit_core::access::{AccessGrant, Ground, Terms, Whom};
use remit_core::ids::{AgentId, Digest, GrantId, OperatorId, QuestionId, RuleId, UserId};
use remit_evidence::writer::SignedRecord;
use rusqlite::{Connection, Params, params};
use serde_json::{Value, json};

use crate::columns::{amount, malformed, micros};
use crate::failure::Failure;
use crate::store::SqliteStore;
use crate::writer::Desk;
use crate::{outbox, questions, records};

const REQUESTS: &str = "SELECT id, question, agent, user, state, granted, body FROM access_requests";
const GRANTS: &str = "SELECT id, agent, user, request, state, body FROM grants";
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

fn write_grant(db: &Connection, given: &Given) -> Result<(), Failure> {
    db.prepare_cached("UPDATE grants SET user = ?2, state = ?3, review_due = ?4, body = ?5 WHERE id = ?1")?.execute(
        params![
            given.grant.id.as_str(),
            user_of(&given.grant),
            given.state(),
            given.unreviewed(),
            grant_body(given).to_string()
        ],
    )?;
    Ok(())
}

fn changed(desk: &Desk<'_>) -> Result<(), Failure> {
    desk.db.prepare_cached("UPDATE meta SET value = value + 1 WHERE name = 'grants'")?.execute([])?;
    desk.book().grants_changed();
    Ok(())
}

fn open(db: &Connection, id: &QuestionId) -> Result<Option<AccessRequest>, Failure> {
    Ok(select_requests(db, &format!("{REQUESTS} WHERE id = ?1 AND state = 'open'"), [id.as_str()])?.pop())
}

fn one(db: &Connection, id: &GrantId) -> Result<Option<Given>, Failure> {
    Ok(select_grants(db, &format!("{GRANTS} WHERE id = ?1"), [id.as_str()])?.pop())
}

fn user_of(grant: &AccessGrant) -> Option<&str> {
    match &grant.whom {
        Whom::Exactly(Some(user)) => Some(user.as_str()),
        Whom::Exactly(None) | Whom::Anybody => None,
    }
}

fn request_body(request: &AccessRequest) -> Value {
    json!({
        "terms": request.terms.to_json(),
        "unused_secs": request.unused_secs,
        "rule": request.rule.as_str(),
        "why": request.why,
        "by": request.by.as_ref().map(OperatorId::as_str),
        "asked_at": micros(request.asked_at),
        "record": request.record.to_string(),
    })
}

fn grant_body(given: &Given) -> Value {
    let grant = &given.grant;
    let (kind, name) = match &grant.ground {
        Ground::Offer(rule) => ("rule", rule),
        Ground::BreakGlass(name) => ("break_glass", name),
    };
    let mut body = json!({
        "anybody": grant.whom == Whom::Anybody,
        "terms": grant.terms.to_json(),
        "expires": micros(grant.expires),
        "unused_until": grant.unused_until.map(micros),
        "given_at": micros(given.given_at),
        "record": given.record.to_string(),
    });
    body[kind] = json!(name.as_str());
    if let Some(emergency) = &given.emergency {
        let review = emergency
            .review
            .as_ref()
            .map(|review| json!([review.by.as_str(), micros(review.at), review.justified, review.note]));
        let user = emergency.user.as_ref().map(UserId::as_str);
        body["emergency"] = json!([emergency.by.as_str(), user, emergency.incident, emergency.reason, review]);
    }
    if let Some(end) = &given.end {
        body["end"] = json!([micros(end.at), end.by.as_ref().map(OperatorId::as_str), end.reason]);
    }
    body
}

fn shape() -> Failure {
    malformed("grant or request", "unexpected shape")
}

/// The members of a stored body.
struct Body(Value);

impl Body {
    fn read(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map(Self).map_err(|_| shape())
    }

    fn text(&self, name: &str) -> Result<&str, Failure> {
        self.0.get(name).and_then(Value::as_str).ok_or_else(shape)
    }

    fn moment(&self, name: &str) -> Result<Timestamp, Failure> {
        time(self.0.get(name))
    }

    fn digest(&self, name: &str) -> Result<Digest, Failure> {
        Digest::from_hex(self.text(name)?).ok_or_else(shape)
    }

    fn terms(&self) -> Result<Terms, Failure> {
        let terms = self.0.get("terms").ok_or_else(shape)?;
        Terms::read(terms, None).map_err(|_| shape())
    }
}

fn time(value: Option<&Value>) -> Result<Timestamp, Failure> {
    crate::columns::time(value.and_then(Value::as_i64).ok_or_else(shape)?)
}

fn operator(value: Option<&Value>) -> Result<Option<OperatorId>, Failure> {
    Ok(value.and_then(Value::as_str).map(OperatorId::parse).transpose()?)
}

fn said(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn select_requests(db: &Connection, sql: &str, key: impl Params) -> Result<Vec<AccessRequest>, Failure> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    let mut requests = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |at: usize| row.get::<_, String>(at);
        let body = Body::read(&text(6)?)?;
        let state = match (text(4)?.as_str(), row.get::<_, Option<String>>(5)?) {
            ("open", None) => RequestState::Open,
            ("granted", Some(grant)) => RequestState::Granted(GrantId::parse(&grant)?),
            ("refused", None) => RequestState::Refused,
            ("lapsed", None) => RequestState::Lapsed,
            _ => return Err(shape()),
        };
        requests.push(AccessRequest {
            id: QuestionId::parse(&text(0)?)?,
            question: QuestionId::parse(&text(1)?)?,
            agent: AgentId::parse(&text(2)?)?,
            user: row.get::<_, Option<String>>(3)?.map(|user| UserId::parse(&user)).transpose()?,
            terms: body.terms()?,
            unused_secs: body.0.get("unused_secs").and_then(Value::as_u64).ok_or_else(shape)?,
            rule: RuleId::parse(body.text("rule")?)?,
            why: body.text("why")?.to_owned(),
            by: operator(body.0.get("by"))?,
            asked_at: body.moment("asked_at")?,
            record: body.digest("record")?,
            state,
        });
    }
    Ok(requests)
}

fn select_grants(db: &Connection, sql: &str, key: impl Params) -> Result<Vec<Given>, Failure> {
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    let mut grants = Vec::new();
    while let Some(row) = rows.next()? {
        let text = |at: usize| row.get::<_, String>(at);
        let body = Body::read(&text(5)?)?;
        let user = row.get::<_, Option<String>>(2)?.map(|user| UserId::parse(&user)).transpose()?;
        let name = |kind: &str| body.0.get(kind).and_then(Value::as_str).map(RuleId::parse).transpose();
        let ground = match (name("rule")?, name("break_glass")?) {
            (Some(rule), None) => Ground::Offer(rule),
            (None, Some(name)) => Ground::BreakGlass(name),
            _ => return Err(shape()),
        };
        let anybody = body.0.get("anybody").and_then(Value::as_bool).ok_or_else(shape)?;
        let whom = if anybody { Whom::Anybody } else { Whom::Exactly(user) };
        let unused = body.0.get("unused_until").filter(|at| !at.is_null());
        let grant = AccessGrant {
            id: GrantId::parse(&text(0)?)?,
            agent: AgentId::parse(&text(1)?)?,
            whom,
            terms: body.terms()?,
            expires: body.moment("expires")?,
            unused_until: unused.map(|at| time(Some(at))).transpose()?,
            ground,
        };
        grants.push(Given {
            grant,
            request: row.get::<_, Option<String>>(3)?.map(|id| QuestionId::parse(&id)).transpose()?,
            given_at: body.moment("given_at")?,
            emergency: body.0.get("emergency").map(emergency).transpose()?,
            record: body.digest("record")?,
            end: end(&text(4)?, body.0.get("end"))?,
        });
    }
    Ok(grants)
}

fn emergency(value: &Value) -> Result<Emergency, Failure> {
    let review = value.get(4).filter(|review| !review.is_null()).map(|review| {
        Ok::<_, Failure>(Review {
            by: operator(review.get(0))?.ok_or_else(shape)?,
            at: time(review.get(1))?,
            justified: review.get(2).and_then(Value::as_bool).ok_or_else(shape)?,
            note: said(review.get(3)),
        })
    });
    Ok(Emergency {
        by: operator(value.get(0))?.ok_or_else(shape)?,
        user: value.get(1).and_then(Value::as_str).map(UserId::parse).transpose()?,
        incident: said(value.get(2)),
        reason: said(value.get(3)),
        review: review.transpose()?,
    })
}

fn end(state: &str, value: Option<&Value>) -> Result<Option<End>, Failure> {
    match (Ending::ALL.into_iter().find(|how| how.as_str() == state), value) {
        (None, None) if state == "live" => Ok(None),
        (Some(how), Some(end)) => {
            Ok(Some(End { how, at: time(end.get(0))?, by: operator(end.get(1))?, reason: said(end.get(2)) }))
        }
        _ => Err(shape()),
    }
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
        self.read(|db| Ok(select_requests(db, &format!("{REQUESTS} WHERE id = ?1"), [id.as_str()])?.pop()))
    }

    async fn request_of(&self, question: &QuestionId) -> Result<Option<AccessRequest>, Unavailable> {
        let sql = format!("{REQUESTS} WHERE question = ?1 OR id = ?1");
        self.read(|db| Ok(select_requests(db, &sql, [question.as_str()])?.pop()))
    }

    async fn requests(&self, open: bool) -> Result<Vec<AccessRequest>, Unavailable> {
        let only = if open { "WHERE state = 'open'" } else { "" };
        self.read(|db| select_requests(db, &format!("{REQUESTS} {only} ORDER BY position DESC LIMIT ?1"), [LISTED]))
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
        self.read(|db| one(db, id))
    }

    async fn grants(&self, live: bool) -> Result<Vec<Given>, Unavailable> {
        let (only, most) = if live { ("WHERE state = 'live'", -1) } else { ("", i64::from(LISTED)) };
        self.read(|db| select_grants(db, &format!("{GRANTS} {only} ORDER BY position DESC LIMIT ?1"), [most]))
    }

    async fn unreviewed(&self) -> Result<Vec<Given>, Unavailable> {
        self.read(|db| select_grants(db, &format!("{GRANTS} WHERE review_due ORDER BY position"), []))
    }

    async fn live_grants(&self) -> Result<(u64, Arc<Vec<AccessGrant>>), Unavailable> {
        let live = self.live()?;
        Ok((live.version, Arc::clone(&live.list)))
    }
}

//! Requests and grants as rows: columns for what is searched, one body for the rest.

use jiff::Timestamp;
use remit_app::access::{AccessRequest, Emergency, End, Ending, Given, RequestState, Review};
use remit_core::access::{AccessGrant, Ground, Terms, Whom};
use remit_core::ids::{AgentId, Digest, GrantId, OperatorId, QuestionId, RuleId, UserId};
use rusqlite::{Connection, Params, params};
use serde_json::{Value, json};

use crate::columns::{malformed, micros};
use crate::failure::Failure;

pub(super) const REQUESTS: &str = "SELECT id, question, agent, user, state, granted, body FROM access_requests";
pub(super) const GRANTS: &str = "SELECT id, agent, user, request, state, body FROM grants";

pub(super) fn write_grant(db: &Connection, given: &Given) -> Result<(), Failure> {
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

pub(super) fn open(db: &Connection, id: &QuestionId) -> Result<Option<AccessRequest>, Failure> {
    Ok(select_requests(db, &format!("{REQUESTS} WHERE id = ?1 AND state = 'open'"), [id.as_str()])?.pop())
}

pub(super) fn one(db: &Connection, id: &GrantId) -> Result<Option<Given>, Failure> {
    Ok(select_grants(db, &format!("{GRANTS} WHERE id = ?1"), [id.as_str()])?.pop())
}

pub(super) fn user_of(grant: &AccessGrant) -> Option<&str> {
    match &grant.whom {
        Whom::Exactly(Some(user)) => Some(user.as_str()),
        Whom::Exactly(None) | Whom::Anybody => None,
    }
}

pub(super) fn request_body(request: &AccessRequest) -> Value {
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

pub(super) fn grant_body(given: &Given) -> Value {
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

pub(super) fn select_requests(db: &Connection, sql: &str, key: impl Params) -> Result<Vec<AccessRequest>, Failure> {
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

pub(super) fn select_grants(db: &Connection, sql: &str, key: impl Params) -> Result<Vec<Given>, Failure> {
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

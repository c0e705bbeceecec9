//! Access: what agents ask for, what they were given for a while, and what was taken in emergencies. A request is
//! decided on the page of its question.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use remit_app::access::{AccessRequest, Given, RequestState};
use remit_core::access::Whom;
use remit_core::budget::Unit;
use remit_core::ids::{GrantId, QuestionId};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;
use serde_json::json;

use super::gauge::Gauge;
use super::moment::{Moment, lasting};
use super::page::{Page, Place, answer, form, onward};
use super::plain::{Plain, coded, head, line, lines};
use super::tag::Tag;
use crate::admin::access::not_given;
use crate::admin::{operator, unavailable};
use crate::edge::Edge;

/// How many requests and grants that are over are shown.
const OVER: usize = 100;
/// How much of what an agent wrote is shown, in characters.
const WHY_CHARS_MAX: usize = 600;

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    agent: String,
    all: String,
}

struct Request {
    id: String,
    question: String,
    state: Tag,
    agent: Plain,
    user: Option<Plain>,
    terms: Plain,
    tools: String,
    minutes: u64,
    calls: Option<u64>,
    rule: Plain,
    unused: Option<String>,
    by: Option<Plain>,
    asked: Moment,
    why: Plain,
}

struct Grant {
    id: String,
    state: Tag,
    agent: Plain,
    whom: Plain,
    terms: Plain,
    ground: Plain,
    given: Moment,
    expires: Moment,
    unused_until: Option<Moment>,
    used: u64,
    gauge: Option<Gauge>,
    end: Option<(Plain, Plain, Moment)>,
    emergency: Option<Emergency>,
}

/// An emergency, and what a second person said of it.
struct Emergency {
    incident: Plain,
    by: Plain,
    reason: Plain,
    review: Option<(Plain, bool, Plain)>,
}

struct Glass {
    name: Plain,
    agents: Plain,
    terms: Plain,
    instead_of: Plain,
}

#[derive(Template)]
#[template(path = "access.html")]
struct Access {
    page: Page,
    wish: Wish,
    may_vote: bool,
    may_revoke: bool,
    may_review: bool,
    due: Vec<Grant>,
    waiting: Vec<Request>,
    live: Vec<Grant>,
    decided: Vec<Request>,
    ended: Vec<Grant>,
    given: usize,
    ever_used: usize,
    glasses: Vec<Glass>,
}

/// `GET /console/access?agent=&all=`.
pub(super) async fn access(State(edge): State<Arc<Edge>>, Query(wish): Query<Wish>, headers: HeaderMap) -> Response {
    answer(listed(&edge, wish, &headers).await)
}

async fn listed(edge: &Edge, wish: Wish, headers: &HeaderMap) -> Result<Access, Refusal> {
    let (person, page) = Page::visit(edge, headers, Deed::Look, Place::Access, "Access").await?;
    let (store, now) = (&edge.gate.ports().store, edge.gate.ports().clock.now());
    let asked = wish.agent.trim();
    let all = wish.all == "1";
    let requests = store.requests(!all).await.map_err(unavailable)?;
    let requests = requests.iter().filter(|request| request.agent.as_str().contains(asked));
    let (waiting, decided): (Vec<_>, Vec<_>) = requests.partition(|request| request.state == RequestState::Open);
    let every = store.grants(false).await.map_err(unavailable)?;
    let (mut due, mut live, mut ended, mut ever_used) = (Vec::new(), Vec::new(), Vec::new(), 0);
    let used = edge.gate.used_each(every.iter().map(|given| &given.grant)).await.map_err(unavailable)?;
    for (given, used) in every.iter().zip(used) {
        ever_used += usize::from(used > 0);
        if given.unreviewed() {
            due.push(Grant::of(given, used, now));
        }
        if !given.grant.agent.as_str().contains(asked) {
            continue;
        }
        match given.end {
            None => live.push(Grant::of(given, used, now)),
            Some(_) if all && ended.len() < OVER => ended.push(Grant::of(given, used, now)),
            Some(_) => {}
        }
    }
    let snapshot = edge.gate.snapshot();
    let names = |ids: Vec<String>| line(&ids.join(", "));
    let glasses = snapshot.break_glass().iter().map(|glass| Glass {
        name: line(glass.name.as_str()),
        agents: names(glass.agents.iter().map(ToString::to_string).collect()),
        terms: coded(&glass.terms.to_string()),
        instead_of: names(glass.instead_of.iter().map(ToString::to_string).collect()),
    });
    Ok(Access {
        page,
        may_vote: person.may(Deed::Vote),
        may_revoke: person.may(Deed::Revoke),
        may_review: person.may(Deed::Review),
        due,
        waiting: waiting.into_iter().map(|request| Request::of(request, now)).collect(),
        live,
        decided: decided.into_iter().take(OVER).map(|request| Request::of(request, now)).collect(),
        ended,
        given: every.len(),
        ever_used,
        glasses: glasses.collect(),
        wish,
    })
}

impl Request {
    fn of(request: &AccessRequest, now: Timestamp) -> Self {
        let word = request.state.as_str();
        let tools: Vec<_> = request.terms.tools.iter().map(ToString::to_string).collect();
        Self {
            id: request.id.to_string(),
            question: request.question.to_string(),
            state: match &request.state {
                RequestState::Open => Tag::wait(word),
                RequestState::Granted(_) => Tag::good(word),
                RequestState::Refused => Tag::bad(word),
                RequestState::Lapsed => Tag::plain(word),
            },
            agent: line(request.agent.as_str()),
            user: request.user.as_ref().map(|user| line(user.as_str())),
            terms: coded(&request.terms.to_string()),
            tools: tools.join(", "),
            minutes: request.terms.secs / 60,
            calls: request.terms.calls,
            rule: line(request.rule.as_str()),
            unused: request.ends_unused().map(lasting),
            by: request.by.as_ref().map(|by| line(by.as_str())),
            asked: Moment::new(request.asked_at, now),
            why: lines(head(&request.why, WHY_CHARS_MAX).0),
        }
    }
}

impl Grant {
    fn of(given: &Given, used: u64, now: Timestamp) -> Self {
        let grant = &given.grant;
        let whom = match &grant.whom {
            Whom::Anybody => "for whomever it works".to_owned(),
            Whom::Exactly(Some(user)) => format!("for {user}"),
            Whom::Exactly(None) => "for nobody else".to_owned(),
        };
        let gauge = |limit| Gauge { unit: Unit::Calls, settled: used.min(limit), reserved: 0, limit };
        Self {
            id: grant.id.to_string(),
            state: if given.end.is_none() {
                Tag::good("in force")
            } else {
                Tag::plain(&given.state().replace('_', " "))
            },
            agent: line(grant.agent.as_str()),
            whom: line(&whom),
            terms: coded(&grant.terms.to_string()),
            ground: line(grant.ground.name().as_str()),
            given: Moment::new(given.given_at, now),
            expires: Moment::new(grant.expires, now),
            unused_until: grant.unused_until.filter(|_| used == 0).map(|at| Moment::new(at, now)),
            used,
            gauge: grant.terms.calls.map(gauge),
            end: given.end.as_ref().map(|end| {
                let by = end.by.as_ref().map_or("time", |by| by.as_str());
                (line(by), line(&end.reason), Moment::new(end.at, now))
            }),
            emergency: given.emergency.as_ref().map(|emergency| Emergency {
                incident: line(&emergency.incident),
                by: line(emergency.by.as_str()),
                reason: line(&emergency.reason),
                review: emergency.review.as_ref().map(|r| (line(r.by.as_str()), r.justified, line(&r.note))),
            }),
        }
    }
}

/// A form that takes a grant back.
#[derive(Deserialize)]
pub(super) struct Because {
    #[serde(default)]
    reason: String,
}

/// `POST /console/access/grants/{id}/revoke`.
pub(super) async fn revoke(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    taken: Result<Form<Because>, FormRejection>,
) -> Response {
    let revoked = async {
        let person = operator(&edge, &headers, Deed::Revoke).await?;
        let reason = said(form(taken)?.reason, "`reason` is missing: people will ask")?;
        edge.gate.revoke_grant(&grant_id(&id)?, &person.approver.id, &reason).await?;
        Ok(Place::Access.path().to_owned())
    };
    onward(revoked.await)
}

/// A form that says what somebody thinks of an emergency.
#[derive(Deserialize)]
pub(super) struct Reviewed {
    justified: String,
    #[serde(default)]
    note: String,
}

/// `POST /console/access/grants/{id}/review`.
pub(super) async fn review(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    taken: Result<Form<Reviewed>, FormRejection>,
) -> Response {
    let reviewed = async {
        let person = operator(&edge, &headers, Deed::Review).await?;
        let said_so = form(taken)?;
        let justified = match &*said_so.justified {
            "yes" => true,
            "no" => false,
            _ => return Err(Refusal::new(Code::Malformed, "say whether it was justified: `yes` or `no`")),
        };
        let note = said(said_so.note, "`note` is missing: say what you found")?;
        edge.gate.review_emergency(&person.approver, &grant_id(&id)?, justified, &note).await?;
        Ok(Place::Access.path().to_owned())
    };
    onward(reviewed.await)
}

/// A form that gives less than was asked.
#[derive(Deserialize)]
pub(super) struct Narrower {
    tools: String,
    minutes: u64,
    #[serde(default)]
    calls: String,
    #[serde(default)]
    reason: String,
}

/// `POST /console/access/requests/{id}/narrow`: puts narrower terms in the place of those asked for, with this
/// person's vote.
pub(super) async fn narrow(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    taken: Result<Form<Narrower>, FormRejection>,
) -> Response {
    let narrowed = async {
        let voter = operator(&edge, &headers, Deed::Vote).await?;
        let id = QuestionId::parse(&id).map_err(|_| Refusal::new(Code::QuestionUnknown, "there is no such request"))?;
        let narrower = form(taken)?;
        let tools: Vec<_> = narrower.tools.split([',', ' ']).filter(|tool| !tool.is_empty()).collect();
        let mut asked = json!({"tools": tools, "for_secs": narrower.minutes.saturating_mul(60)});
        if !narrower.calls.trim().is_empty() {
            let calls: u64 =
                narrower.calls.trim().parse().map_err(|_| Refusal::new(Code::Malformed, "`calls` is no number"))?;
            asked["calls"] = json!(calls);
        }
        edge.gate.narrow_access(&voter.approver, &id, &asked, &narrower.reason).await.map_err(not_given)?;
        Ok(Place::Access.path().to_owned())
    };
    onward(narrowed.await)
}

fn grant_id(id: &str) -> Result<GrantId, Refusal> {
    GrantId::parse(id).map_err(|_| Refusal::new(Code::GrantUnknown, "there is no such grant"))
}

fn said(text: String, missing: &str) -> Result<String, Refusal> {
    if text.trim().is_empty() { Err(Refusal::new(Code::Malformed, missing)) } else { Ok(text) }
}

//! Access requests and grants.

use remit_app::access::{AccessRequest, Emergency, End, Ending, Given, RequestState, Review};
use remit_app::delivery::{Delivery, Event, Subject};
use remit_app::question::{Question, QuestionState};
use remit_core::access::{AccessGrant, Ground, Terms, Whom};
use remit_core::ids::{GrantId, OperatorId, QuestionId};
use remit_evidence::record::Kind;
use serde_json::json;

use super::trial::{Trial, agent, conflict, digest, moment, question, rule, user, vote};

fn terms(calls: u64) -> Terms {
    let json = json!({"tools": ["payments/refund", "mail/*"], "where": {"environment": ["production"]}, "for_secs": 600, "calls": calls});
    Terms::read(&json, None).expect("terms")
}

fn id(text: &str) -> QuestionId {
    QuestionId::parse(text).expect("a question")
}

fn person(text: &str) -> OperatorId {
    OperatorId::parse(text).expect("an operator")
}

fn request(question: &Question) -> AccessRequest {
    AccessRequest {
        id: question.id.clone(),
        question: question.id.clone(),
        agent: agent("bot"),
        user: Some(user("alice@example.com")),
        terms: terms(5),
        unused_secs: 60,
        rule: rule("finance"),
        why: "Grüße".into(),
        by: Some(person("Zoe")),
        asked_at: moment(0),
        record: digest("asked"),
        state: RequestState::Open,
    }
}

fn given(grant: &str, request: Option<&str>) -> Given {
    Given {
        grant: AccessGrant {
            id: GrantId::parse(grant).expect("a grant"),
            agent: agent("bot"),
            whom: Whom::Exactly(Some(user("alice@example.com"))),
            terms: terms(5),
            expires: moment(600),
            unused_until: Some(moment(150)),
            ground: Ground::Offer(rule("finance")),
        },
        request: request.map(id),
        given_at: moment(2),
        emergency: None,
        record: digest("given"),
        end: None,
    }
}

fn emergency(grant: &str) -> Given {
    let emergency = Emergency {
        by: person("olga"),
        user: Some(user("olga@example.com")),
        incident: "INC-1".into(),
        reason: "fire".into(),
        review: None,
    };
    let mut given = Given { emergency: Some(emergency), ..given(grant, None) };
    given.grant.whom = Whom::Anybody;
    given.grant.unused_until = None;
    given.grant.ground = Ground::BreakGlass(rule("fire"));
    given
}

fn ended(how: Ending) -> End {
    End { how, at: moment(3), by: Some(person("olga")), reason: "enough".into() }
}

async fn ask(t: &Trial, name: &str, call: &str) -> QuestionId {
    let question = question(name, call, &[("finance", 1)]);
    let stored = t.store.open_request(request(&question), question, t.record(Kind::Grant, None)).await;
    stored.expect("it is stored").id
}

async fn approve(t: &Trial, question: &QuestionId) {
    t.vote(vote(question, "finance", "fiona", true)).await.expect("it counts");
}

pub(super) async fn come_back_as_they_were(t: Trial) {
    let record = t.record(Kind::Grant, None);
    let asked = question("q-1", "call", &[("finance", 1)]);
    let stored = t.store.open_request(request(&asked), asked.clone(), record.clone()).await.expect("it is stored");
    assert_eq!(stored, request(&asked));
    assert_eq!(t.store.record(&record.id).await.expect("read"), Some(record));
    assert_eq!(t.store.question(&asked.id).await.expect("read"), Some(asked.clone()));
    assert_eq!(t.store.request(&asked.id).await.expect("read"), Some(stored.clone()));
    assert_eq!(t.store.requests(true).await.expect("read"), [stored]);
    approve(&t, &asked.id).await;
    let gave = given("g-1", Some("q-1"));
    t.store.grant_request(&asked.id, gave.clone(), t.record(Kind::Grant, None)).await.expect("it is granted");
    let broken = emergency("g-2");
    t.store.put_grant(broken.clone(), t.record(Kind::Grant, None)).await.expect("it is stored");
    for given in [&gave, &broken] {
        assert_eq!(t.store.grant(&given.grant.id).await.expect("read").as_ref(), Some(given));
    }
    assert_eq!(t.store.grants(true).await.expect("read"), [broken.clone(), gave.clone()], "the newest first");
    let (_, live) = t.store.live_grants().await.expect("read");
    assert_eq!(*live, [gave.grant, broken.grant], "the oldest first");
    let granted = t.store.request(&asked.id).await.expect("read").expect("there is one");
    assert_eq!(granted.state, RequestState::Granted(GrantId::parse("g-1").expect("id")));
    assert_eq!(t.store.requests(true).await.expect("read"), []);
    assert_eq!(t.store.requests(false).await.expect("read"), [granted]);
    assert_eq!(t.store.grant(&GrantId::parse("G-1").expect("id")).await.expect("read"), None);
}

pub(super) async fn the_same_is_asked_once(t: Trial) {
    let first = ask(&t, "q-1", "call").await;
    let before = t.count().await;
    assert_eq!(ask(&t, "q-2", "call").await, first);
    assert_eq!(t.count().await, before, "what did not happen is not recorded");
    assert_eq!(ask(&t, "q-3", "another").await.as_str(), "q-3");
}

pub(super) async fn are_granted_once_and_only_when_approved(t: Trial) {
    let asked = ask(&t, "q-1", "call").await;
    let give = async |grant: &str| {
        let given = given(grant, Some("q-1"));
        t.store.grant_request(&asked, given, t.record(Kind::Grant, None)).await
    };
    assert_eq!(conflict(give("g-1").await), QuestionState::Open.as_str());
    approve(&t, &asked).await;
    let before = t.count().await;
    give("g-1").await.expect("it is granted");
    assert_eq!(conflict(give("g-2").await), "request");
    assert_eq!(t.count().await, before + 1);
    let state = t.store.question(&asked).await.expect("read").expect("there is one").state(moment(3));
    assert_eq!(state, QuestionState::Used, "the approval is used up");
    assert!(!t.store.end_request(&asked, moment(70), t.record(Kind::Grant, None)).await.expect("read"));
    let late = ask(&t, "q-9", "late").await;
    approve(&t, &late).await;
    let mut given = given("g-9", Some("q-9"));
    given.given_at = moment(60);
    let lapsed = t.store.grant_request(&late, given, t.record(Kind::Grant, None)).await;
    assert_eq!(conflict(lapsed), QuestionState::Expired.as_str(), "a time-out is no yes");
}

pub(super) async fn are_refused_or_lapse(t: Trial) {
    let (refused, lapsed) = (ask(&t, "q-1", "call").await, ask(&t, "q-2", "another").await);
    let end = async |id: &QuestionId, secs| t.store.end_request(id, moment(secs), t.record(Kind::Grant, None)).await;
    assert!(!end(&refused, 1).await.expect("read"), "it may still be answered");
    t.vote(vote(&refused, "finance", "fiona", false)).await.expect("it counts");
    assert!(end(&refused, 2).await.expect("it ends"));
    assert!(!end(&refused, 2).await.expect("once"));
    assert!(!end(&lapsed, 59).await.expect("read"));
    assert!(end(&lapsed, 60).await.expect("it ends"));
    let states = t.store.requests(false).await.expect("read").into_iter().map(|request| request.state);
    assert_eq!(states.collect::<Vec<_>>(), [RequestState::Lapsed, RequestState::Refused]);
}

pub(super) async fn are_narrowed_in_place(t: Trial) {
    let asked = ask(&t, "q-1", "call").await;
    let narrow = async |from: &str, name: &str, call: &str| {
        let question = Question { asked_at: moment(1), ..question(name, call, &[("finance", 1)]) };
        t.store.narrow_request(&asked, &id(from), terms(1), question, t.record(Kind::Grant, None)).await
    };
    let request = narrow("q-1", "q-2", "narrower").await.expect("it is narrowed");
    assert_eq!((request.id.as_str(), request.question.as_str(), request.terms), ("q-1", "q-2", terms(1)));
    let old = t.store.question(&asked).await.expect("read").expect("there is one");
    assert_eq!(old.state(moment(1)), QuestionState::Expired, "what stood there is over");
    let due = t.store.due(moment(1), 9).await.expect("read");
    let lapsed = |news: &Delivery| news.event == Event::Lapsed && news.about == Subject::Question(asked.clone());
    assert!(due.iter().any(lapsed), "and those who were asked are told");
    conflict(t.vote(vote(&asked, "finance", "fiona", true)).await);
    assert_eq!(conflict(narrow("q-1", "q-3", "third").await), "request", "somebody else was quicker");
    for question in ["q-1", "q-2"] {
        let of = t.store.request_of(&id(question)).await.expect("read").expect("there is one");
        assert_eq!(of.id, asked);
    }
    approve(&t, &id("q-2")).await;
    t.store.grant_request(&asked, given("g-1", Some("q-1")), t.record(Kind::Grant, None)).await.expect("granted");
    assert_eq!(conflict(narrow("q-2", "q-4", "fourth").await), "request");
}

pub(super) async fn change_the_basis(t: Trial) {
    let run = t.run("run-1").await;
    let fresh = async || t.admission(&run, "call").await;
    let before = fresh().await;
    t.store.put_grant(emergency("g-1"), t.record(Kind::Grant, None)).await.expect("it is stored");
    let owed = t.store.due(moment(60), 9).await.expect("read");
    assert_eq!(owed.iter().map(|news| news.event).collect::<Vec<_>>(), [Event::GlassBroken], "people are told");
    assert_eq!(conflict(t.commit(&before).await), "grants");
    let during = fresh().await;
    t.admit(&during).await;
    let end = ended(Ending::Revoked);
    let grant = GrantId::parse("g-1").expect("id");
    assert!(t.store.end_grant(&grant, end, t.record(Kind::Grant, None)).await.expect("it ends"));
    assert_eq!(conflict(t.commit(&during).await), "grants", "taken back is in force for what commits afterwards");
    assert_eq!(conflict(t.commit(&before).await), "grants", "ended is not as if it had never been");
    assert!(t.store.live_grants().await.expect("read").1.is_empty());
    t.admit(&fresh().await).await;
}

pub(super) async fn end_once(t: Trial) {
    t.store.put_grant(emergency("g-1"), t.record(Kind::Grant, None)).await.expect("it is stored");
    let again = t.store.put_grant(emergency("g-1"), t.record(Kind::Grant, None)).await;
    assert_eq!(conflict(again), "grant");
    let grant = GrantId::parse("g-1").expect("id");
    let end = async |how| t.store.end_grant(&grant, ended(how), t.record(Kind::Grant, None)).await.expect("read");
    assert!(end(Ending::Unused).await);
    let before = t.count().await;
    assert!(!end(Ending::Revoked).await);
    assert_eq!(t.count().await, before);
    let given = t.store.grant(&grant).await.expect("read").expect("there is one");
    assert_eq!(given.end, Some(ended(Ending::Unused)));
    let nobody = GrantId::parse("g-9").expect("id");
    assert!(!t.store.end_grant(&nobody, ended(Ending::Expired), t.record(Kind::Grant, None)).await.expect("read"));
}

pub(super) async fn are_reviewed_once_by_somebody_else(t: Trial) {
    t.store.put_grant(emergency("g-1"), t.record(Kind::Grant, None)).await.expect("it is stored");
    let review = |by| Review { by: person(by), at: moment(4), justified: false, note: "too much".into() };
    let grant = GrantId::parse("g-1").expect("id");
    let say = async |by| t.store.review_grant(&grant, review(by), t.record(Kind::Grant, None)).await;
    assert_eq!(t.store.unreviewed().await.expect("read").len(), 1);
    conflict(say("olga").await);
    let given = say("sam").await.expect("a second person");
    assert_eq!(given.emergency.and_then(|emergency| emergency.review), Some(review("sam")));
    conflict(say("tom").await);
    assert_eq!(t.store.unreviewed().await.expect("read"), []);
    let stored = t.store.grant(&grant).await.expect("read").and_then(|given| given.emergency?.review);
    assert_eq!(stored, Some(review("sam")));
}

//! Questions and votes.

use remit_app::ports::Narrowing;
use remit_app::question::{Narrowed, Question, QuestionRule, QuestionState, REMARKS_MAX, Remark, Vote};
use remit_core::approval::Factor;
use remit_core::ids::{OperatorId, QuestionId};
use remit_evidence::record::Kind;

use super::trial::{Trial, asked, conflict, digest, moment, needed, question, rule, user, vote};

pub(super) async fn come_back_as_they_were(t: Trial) {
    let run = t.run("run-1").await;
    let full = question("q-1", "call", &[("finance", 2), ("security", 1)]);
    let bare = Question { user: None, via: Vec::new(), cost: u64::MAX, ..question("q-2", "call-2", &[("a", 1)]) };
    for question in [full, bare] {
        assert_eq!(t.hold(&run, question.clone()).await, question.id);
        assert_eq!(t.store.question(&question.id).await.expect("read"), Some(question));
    }
    let first = vote(&QuestionId::parse("q-1").expect("an id"), "finance", "Zoe", true);
    let second = Vote { at: moment(2), factor: Factor::Channel, ..vote(&first.question, "finance", "adam", true) };
    t.vote(first.clone()).await.expect("it counts");
    let answered = t.vote(second.clone()).await.expect("it counts");
    assert_eq!(answered.votes, [first, second], "in the order in which they were cast");
    assert_eq!(t.store.question(&answered.id).await.expect("read"), Some(answered));
    assert_eq!(t.store.question(&QuestionId::parse("Q-1").expect("an id")).await.expect("read"), None);
}

pub(super) async fn wait_until_they_lapse(t: Trial) {
    let run = t.run("run-1").await;
    let later = Question { asked_at: moment(1), ..question("a-later", "call-2", &[("finance", 1)]) };
    t.hold(&run, question("q-1", "call", &[("finance", 1)])).await;
    t.hold(&run, later).await;
    let open = async |secs| {
        let open = t.open(secs).await;
        open.iter().map(|question| question.id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(open(59).await, ["q-1", "a-later"]);
    assert_eq!(open(60).await, Vec::<String>::new());
    let id = QuestionId::parse("q-1").expect("an id");
    let late = Vote { at: moment(60), ..vote(&id, "finance", "fiona", true) };
    assert_eq!(conflict(t.vote(late).await), QuestionState::Expired.as_str());
    let just = Vote { at: moment(59), ..vote(&id, "finance", "fiona", true) };
    t.vote(just).await.expect("it counts");
    assert_eq!(open(59).await, ["a-later"], "an approved one does not wait any more");
    let more = vote(&id, "finance", "frank", true);
    assert_eq!(conflict(t.vote(more).await), QuestionState::Approved.as_str());
}

pub(super) async fn are_kept_for_the_same_call(t: Trial) {
    let run = t.run("run-1").await;
    let first = t.hold(&run, question("q-1", "call", &[("finance", 1), ("security", 1)])).await;
    let before = t.count().await;
    let again = t.hold(&run, question("q-2", "call", &[("finance", 1)])).await;
    assert_eq!(again, first);
    assert_eq!(t.count().await, before + 1, "the decision is recorded in any case");
    assert_eq!(t.store.question(&QuestionId::parse("q-2").expect("an id")).await.expect("read"), None);
    assert_eq!(t.load(&run, digest("call")).await.open_question, Some(first));
    assert_eq!(t.load(&run, digest("Call")).await.open_question, None);
    let third = t.hold(&run, question("q-3", "another", &[("finance", 1)])).await;
    assert_eq!(third.as_str(), "q-3");
    let lapsed = Question { asked_at: moment(60), ..question("q-4", "call", &[("finance", 1)]) };
    assert_eq!(t.hold(&run, Question { expires_at: moment(90), ..lapsed }).await.as_str(), "q-4");
    t.vote(vote(&QuestionId::parse("q-3").expect("an id"), "finance", "fiona", false)).await.expect("it counts");
    assert_eq!(t.hold(&run, question("q-5", "another", &[("finance", 1)])).await.as_str(), "q-5");
}

pub(super) async fn are_asked_anew_for_other_rules(t: Trial) {
    let run = t.run("run-1").await;
    t.hold(&run, question("q-1", "call", &[("finance", 1)])).await;
    // Votes on the old question could never let the call pass now.
    assert_eq!(t.hold(&run, question("q-2", "call", &[("security", 1)])).await.as_str(), "q-2");
    let mut redefined = question("q-3", "call", &[]);
    redefined.rules.push(remit_app::question::QuestionRule { definition: digest("new"), ..asked("finance", 1) });
    assert_eq!(t.hold(&run, redefined).await.as_str(), "q-3");
    let newest = t.load(&run, digest("call")).await.open_question;
    assert_eq!(newest.as_ref().map(QuestionId::as_str), Some("q-3"));
}

pub(super) async fn nobody_votes_twice(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 2), ("security", 1)])).await;
    t.vote(vote(&id, "finance", "fiona", true)).await.expect("it counts");
    let before = t.count().await;
    conflict(t.vote(vote(&id, "finance", "fiona", true)).await);
    conflict(t.vote(vote(&id, "finance", "fiona", false)).await);
    assert_eq!(t.count().await, before);
    let question = t.vote(vote(&id, "security", "fiona", true)).await.expect("another rule is another vote");
    assert_eq!(question.state(moment(1)), QuestionState::Open);
    let question = t.vote(vote(&id, "finance", "Fiona", true)).await.expect("another person");
    assert_eq!(question.state(moment(1)), QuestionState::Approved);
}

pub(super) async fn one_person_under_two_names_counts_once(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 2)])).await;
    let fiona = || Some(user("fiona@acme.example"));
    let as_user = |by: &str| Vote { user: fiona(), ..vote(&id, "finance", by, true) };
    let question = t.vote(as_user("fiona")).await.expect("it counts");
    assert_eq!(question.votes.last().and_then(|vote| vote.user.clone()), fiona());
    assert_eq!(conflict(t.vote(as_user("fiona-laptop")).await), "voted");
    assert_eq!(conflict(t.vote(vote(&id, "finance", "fiona@acme.example", true)).await), "voted");
    let read = t.store.question(&id).await.expect("read").expect("there is one");
    assert_eq!((read.yes(&rule("finance")), read.state(moment(1))), (1, QuestionState::Open));
}

pub(super) async fn denials_close_at_their_threshold(t: Trial) {
    let run = t.run("run-1").await;
    let rules = vec![QuestionRule { deny: 2, ..asked("finance", 1) }];
    let id = t.hold(&run, Question { rules, ..question("q-1", "call", &[]) }).await;
    let question = t.vote(vote(&id, "finance", "frank", false)).await.expect("it counts");
    assert_eq!((question.state(moment(1)), question.denial(moment(1))), (QuestionState::Open, None));
    let case = async || t.load_with(&run, digest("call"), Vec::new(), &[needed("finance", 1)], moment(1)).await;
    assert_eq!(case().await.file.refused, None, "one is not enough");
    t.vote(vote(&id, "finance", "gina", false)).await.expect("it counts");
    assert_eq!(case().await.file.refused.as_deref(), Some("gina has looked at it"));
    assert_eq!(conflict(t.vote(vote(&id, "finance", "hal", true)).await), QuestionState::Denied.as_str());
}

pub(super) async fn votes_on_other_rules_do_not_count(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 1)])).await;
    conflict(t.vote(vote(&id, "security", "sam", true)).await);
    let question = t.store.question(&id).await.expect("read").expect("there is one");
    assert_eq!((question.votes.len(), question.yes(&rule("security"))), (0, 0));
}

pub(super) async fn a_denial_closes(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 2)])).await;
    t.vote(vote(&id, "finance", "fiona", true)).await.expect("it counts");
    let question = t.vote(vote(&id, "finance", "frank", false)).await.expect("it counts");
    assert_eq!(question.state(moment(1)), QuestionState::Denied);
    assert_eq!(t.open(1).await, []);
    assert_eq!(conflict(t.vote(vote(&id, "finance", "gina", true)).await), QuestionState::Denied.as_str());
}

pub(super) async fn an_unknown_one_takes_no_votes(t: Trial) {
    let before = t.count().await;
    conflict(t.vote(vote(&QuestionId::parse("q-9").expect("an id"), "finance", "fiona", true)).await);
    assert_eq!(t.count().await, before);
}

pub(super) async fn keep_what_is_said_about_them(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 1)])).await;
    let fiona = OperatorId::parse("fiona").expect("an id");
    let asks = Remark { by: Some(fiona), text: "why so much?".into(), at: moment(1) };
    let answers = Remark { by: None, text: "charged twice".into(), at: moment(2) };
    for remark in [&asks, &answers] {
        t.store.remark(&id, remark.clone(), t.record(Kind::Approval, None)).await.expect("heard");
    }
    let read = t.store.question(&id).await.expect("read").expect("there is one");
    assert_eq!((read.remarks.as_slice(), read.asked_back()), (&[asks.clone(), answers][..], None));
    let late = Remark { at: moment(60), ..asks.clone() };
    assert_eq!(conflict(t.store.remark(&id, late, t.record(Kind::Approval, None)).await), "expired");
    while t.store.question(&id).await.expect("read").expect("one").remarks.len() < REMARKS_MAX {
        t.store.remark(&id, asks.clone(), t.record(Kind::Approval, None)).await.expect("heard");
    }
    let before = t.count().await;
    assert_eq!(conflict(t.store.remark(&id, asks.clone(), t.record(Kind::Approval, None)).await), "remarks");
    let unknown = QuestionId::parse("q-9").expect("an id");
    assert_eq!(conflict(t.store.remark(&unknown, asks, t.record(Kind::Approval, None)).await), "question");
    assert_eq!(t.count().await, before, "and nothing was recorded");
}

pub(super) async fn escalate_one_way(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 1)])).await;
    let escalate = async |steps, at| t.store.escalate(&id, steps, moment(at), t.record(Kind::Approval, None)).await;
    assert_eq!(escalate(2, 1).await.expect("escalated").escalated, 2);
    let before = t.count().await;
    assert_eq!(conflict(escalate(2, 1).await), "steps");
    assert_eq!(conflict(escalate(1, 1).await), "steps");
    assert_eq!(conflict(escalate(3, 60).await), "expired");
    assert_eq!(t.count().await, before);
    assert_eq!(t.store.question(&id).await.expect("read").map(|question| question.escalated), Some(2));
}

pub(super) async fn are_closed_by_a_narrower_call(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 2)])).await;
    t.vote(vote(&id, "finance", "fiona", true)).await.expect("it counts");
    let next = Question { asked_at: moment(2), ..question("q-2", "less", &[("finance", 2)]) };
    let narrowed = Narrowed {
        arguments: serde_json::json!({"amount": 0.05, "to": "Grüße"}),
        next: Some(next.id.clone()),
        reason: "half".into(),
        at: moment(2),
    };
    let narrow = async |id: &QuestionId, narrowed: &Narrowed, next: Option<&Question>| {
        let asks = next.map(|next| (next.clone(), t.record(Kind::Decision, Some(&run))));
        let record = t.record(Kind::Approval, Some(&run));
        t.store.narrow(id, Narrowing { narrowed: narrowed.clone(), asks, record }).await
    };
    let before = t.count().await;
    let late = Narrowed { at: moment(60), ..narrowed.clone() };
    assert_eq!(conflict(narrow(&id, &late, Some(&next)).await), QuestionState::Expired.as_str());
    assert_eq!(conflict(narrow(&QuestionId::parse("q-9").expect("an id"), &narrowed, None).await), "question");
    assert_eq!(t.count().await, before, "and nothing was recorded");
    let closed = narrow(&id, &narrowed, Some(&next)).await.expect("narrowed");
    assert_eq!((closed.state(moment(2)), closed.state(moment(90))), (QuestionState::Narrowed, QuestionState::Narrowed));
    assert_eq!(t.count().await, before + 2);
    let read = t.store.question(&id).await.expect("read").expect("there is one");
    assert_eq!(read.narrowed.as_ref(), Some(&narrowed));
    let open = t.open(2).await;
    assert_eq!(open.iter().map(|question| question.id.as_str()).collect::<Vec<_>>(), ["q-2"]);
    assert!(open.iter().all(|question| question.votes.is_empty()), "no vote goes along");
    // It is closed for good: for votes, and for the call until it would have lapsed.
    assert_eq!(conflict(t.vote(vote(&id, "finance", "gina", true)).await), QuestionState::Narrowed.as_str());
    assert_eq!(conflict(narrow(&id, &narrowed, None).await), QuestionState::Narrowed.as_str());
    let case = async |at| t.load_with(&run, digest("call"), Vec::new(), &[needed("finance", 2)], moment(at)).await;
    let told = case(3).await;
    assert_eq!(
        (told.file.narrowed.as_deref(), told.narrowed, told.open_question),
        (Some("half"), Some(narrowed), None)
    );
    assert_eq!(case(60).await.file.narrowed, None);
}

pub(super) async fn are_not_closed_for_one_that_is_open_already(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 1)])).await;
    t.hold(&run, question("q-2", "less", &[("finance", 1)])).await;
    let next = Question { asked_at: moment(1), ..question("q-3", "less", &[("finance", 1)]) };
    let before = t.count().await;
    let narrowed = Narrowed {
        arguments: serde_json::json!({}),
        next: Some(next.id.clone()),
        reason: "half".into(),
        at: moment(1),
    };
    let asks = Some((next, t.record(Kind::Decision, Some(&run))));
    let narrowing = Narrowing { narrowed, asks, record: t.record(Kind::Approval, Some(&run)) };
    assert_eq!(conflict(t.store.narrow(&id, narrowing).await), "narrower");
    assert_eq!(t.count().await, before);
    let read = t.store.question(&id).await.expect("read").expect("there is one");
    assert_eq!(read.state(moment(1)), QuestionState::Open);
}

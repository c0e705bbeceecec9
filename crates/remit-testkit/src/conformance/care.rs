//! Delegations, reviews, escalations, canaries, and how many questions an agent may have.

use remit_app::attention::Given;
use remit_app::canary::{Canary, Tally, Verdict};
use remit_app::delegation::Delegation;
use remit_app::escalate::Mark;
use remit_app::intent::{CommitError, Committed, Effect, Intent, Settlement};
use remit_app::outcome::Outcome;
use remit_app::ports::Erasure;
use remit_app::question::{Question, QuestionState, Vote};
use remit_app::review::{Backlog, Closed, ReviewFilter};
use remit_core::ids::{OperatorId, QuestionId, RecordId};
use remit_core::verdict::Code;
use remit_evidence::record::Kind;

use super::trial::{Admission, Trial, completed, conflict, moment, question, rule, user, vote};

fn operator(name: &str) -> OperatorId {
    OperatorId::parse(name).expect("an operator")
}

fn delegation(id: &str, from: &str, to: &str, on: Option<&str>, since: i64, until: i64) -> Delegation {
    Delegation {
        id: RecordId::parse(id).expect("a record"),
        from: operator(from),
        to: operator(to),
        rule: on.map(rule),
        since: moment(since),
        until: moment(until),
    }
}

async fn lend(t: &Trial, delegation: Delegation) -> Result<(), CommitError> {
    t.store.put_delegation(delegation, t.record(Kind::Grant, None)).await
}

pub(super) async fn delegations_are_in_force_until_they_lapse(t: Trial) {
    let whole = delegation("rec-a", "Ann", "ben", None, 0, 60);
    let narrow = delegation("rec-b", "Ann", "ben", Some("finance"), 1, 30);
    for lent in [&whole, &narrow] {
        lend(&t, lent.clone()).await.expect("it is lent");
    }
    let before = t.count().await;
    conflict(lend(&t, delegation("rec-c", "Ann", "ben", None, 2, 90)).await);
    assert_eq!(t.count().await, before, "what is not lent is not recorded");
    lend(&t, delegation("rec-d", "ann", "ben", None, 2, 3)).await.expect("somebody else's");
    let at = async |secs| t.store.delegations(moment(secs)).await.expect("read");
    assert_eq!(at(30).await, std::slice::from_ref(&whole));
    assert_eq!(at(29).await, [whole, narrow]);
    assert_eq!(at(60).await, []);
    lend(&t, delegation("rec-e", "Ann", "ben", None, 60, 90)).await.expect("the first one has lapsed");
}

pub(super) async fn delegations_are_taken_back_once(t: Trial) {
    let lent = delegation("rec-a", "ann", "ben", None, 0, 60);
    lend(&t, lent.clone()).await.expect("it is lent");
    let end = async |id: &str, secs| {
        let id = RecordId::parse(id).expect("a record");
        t.store.end_delegation(&id, moment(secs), t.record(Kind::Grant, None)).await.expect("it is written")
    };
    let before = t.count().await;
    assert!(!end("rec-A", 1).await);
    assert!(!end("rec-a", 60).await, "it has lapsed by then");
    assert_eq!(t.count().await, before);
    assert!(end("rec-a", 1).await);
    assert!(!end("rec-a", 1).await);
    assert_eq!(t.count().await, before + 1);
    assert_eq!(t.store.delegations(moment(1)).await.expect("read"), []);
}

pub(super) async fn votes_in_anothers_place_come_back(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 3)])).await;
    let behalf = Some((operator("ann"), Some(user("ann@example.com"))));
    let lent = Vote { behalf, ..vote(&id, "finance", "ben", true) };
    t.vote(lent.clone()).await.expect("it counts");
    let stored = t.store.question(&id).await.expect("read").expect("there is one");
    assert_eq!(stored.votes, [lent]);
    let as_ann = |by: &str| Vote { user: Some(user("ann@example.com")), ..vote(&id, "finance", by, true) };
    assert_eq!(conflict(t.vote(vote(&id, "finance", "ann", true)).await), "voted", "her vote was cast");
    assert_eq!(conflict(t.vote(as_ann("anna")).await), "voted", "whatever she calls herself");
    assert_eq!(conflict(t.vote(vote(&id, "finance", "ben", true)).await), "voted", "one person casts one vote");
    let twice = Vote { behalf: Some((operator("cleo"), None)), ..vote(&id, "finance", "ben", true) };
    assert_eq!(conflict(t.vote(twice).await), "voted", "in whosever place");
    let other = Vote { behalf: Some((operator("ann"), None)), ..vote(&id, "finance", "dan", true) };
    assert_eq!(conflict(t.vote(other).await), "voted", "two who stand in for one are one");
    let counted = t.vote(vote(&id, "finance", "eve", true)).await.expect("another person");
    assert_eq!(counted.yes(&rule("finance")), 2);
}

async fn reviewed(t: &Trial, call: &str) -> RecordId {
    let run = remit_core::ids::RunId::parse("run-1").expect("a run");
    t.admit(&Admission { review: true, at: moment(5), ..t.admission(&run, call).await }).await
}

pub(super) async fn reviews_wait_from_the_admission(t: Trial) {
    let run = t.run("run-1").await;
    t.admit(&t.admission(&run, "unseen").await).await;
    let open = async || t.store.reviews(&ReviewFilter::default()).await.expect("read");
    assert_eq!((open().await, t.store.backlog().await.expect("read")), (Vec::new(), Backlog::default()));
    let (first, second) = (reviewed(&t, "a").await, reviewed(&t, "b").await);
    let found = open().await;
    let calls: Vec<_> = found.iter().map(|review| &review.call).collect();
    assert_eq!(calls, [&first, &second]);
    let review = &found[0];
    assert_eq!((review.run.as_ref(), review.agent.as_str(), review.at), (Some(&run), "bot", moment(5)));
    assert_eq!((review.user.as_ref(), review.tool.as_str()), (Some(&user("alice@example.com")), "payments/refund"));
    assert_eq!(t.store.record(&first).await.expect("read").map(|record| record.digest), Some(review.decision));
    assert_eq!(t.store.review(&first).await.expect("read").as_ref(), Some(review));
    assert_eq!(t.store.backlog().await.expect("read"), Backlog { waiting: 2, oldest: Some(moment(5)) });
    let one = ReviewFilter { limit: 1, ..ReviewFilter::default() };
    assert_eq!(t.store.reviews(&one).await.expect("read").len(), 1);
}

pub(super) async fn an_unknown_effect_waits_for_a_review(t: Trial) {
    let run = t.run("run-1").await;
    let known = t.admit(&t.admission(&run, "known").await).await;
    t.settle(&known, completed()).await;
    let [lost, awaited] = [t.admit(&t.admission(&run, "lost").await).await, reviewed(&t, "awaited").await];
    for call in [&lost, &awaited] {
        let unknown = Outcome::Unknown { code: Code::EffectUnknown, reason: "it was lost".into() };
        t.store.settle(Settlement { review: true, ..t.settlement(call, unknown) }).await.expect("it is settled");
    }
    let open = t.store.reviews(&ReviewFilter::default()).await.expect("read");
    let calls: Vec<_> = open.iter().map(|review| (&review.call, review.unknown)).collect();
    assert_eq!(calls, [(&lost, true), (&awaited, true)]);
}

pub(super) async fn a_call_that_was_not_admitted_waits_for_no_review(t: Trial) {
    let run = t.run("run-1").await;
    let stale = Admission { review: true, ..t.admission(&run, "call").await };
    let target = remit_core::halt::HaltTarget::parse("tenant").expect("a target");
    let halt = remit_core::halt::Halt { target, by: "olga".into(), reason: "why".into(), since: moment(0) };
    t.store.put_halt(halt, t.record(Kind::Halt, None)).await.expect("it is ordered");
    conflict(t.commit(&stale).await);
    let refused = t.intent_with(&stale, Effect::Refuse);
    t.store.commit_intent(refused).await.expect("it is recorded");
    assert_eq!(t.store.backlog().await.expect("read").waiting, 0);
}

pub(super) async fn reviews_are_closed_once(t: Trial) {
    t.run("run-1").await;
    let call = reviewed(&t, "a").await;
    let closed = |by: &str| Closed { by: operator(by), objects: false, note: "as it should be".into(), at: moment(9) };
    let close = async |call: &RecordId, by| t.store.close_review(call, closed(by), t.record(Kind::Grant, None)).await;
    let before = t.count().await;
    let unknown = RecordId::parse("rec-x").expect("a record");
    assert_eq!(conflict(close(&unknown, "ann").await), "review");
    close(&call, "ann").await.expect("it is closed");
    assert_eq!(conflict(close(&call, "ben").await), "review");
    assert_eq!(t.count().await, before + 1);
    assert_eq!(t.store.reviews(&ReviewFilter::default()).await.expect("read"), []);
    let all = t.store.reviews(&ReviewFilter { closed: true, limit: 0 }).await.expect("read");
    assert_eq!(all[0].closed, Some(closed("ann")));
    assert_eq!(t.store.backlog().await.expect("read"), Backlog::default());
}

pub(super) async fn a_step_is_due_until_the_next_is_planned(t: Trial) {
    let run = t.run("run-1").await;
    let stepping = |id: &str, call: &str, at| Question { step_at: at, ..question(id, call, &[("finance", 1)]) };
    let held = t.hold(&run, stepping("q-1", "call", Some(moment(10)))).await;
    t.hold(&run, stepping("q-2", "another", Some(moment(5)))).await;
    t.hold(&run, stepping("q-3", "a third", None)).await;
    let due = async |secs, limit| {
        let found = t.store.steps_due(moment(secs), limit).await.expect("read");
        found.iter().map(|question| question.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(due(4, 9).await, Vec::<String>::new());
    assert_eq!(due(5, 9).await, ["q-2"]);
    assert_eq!(due(10, 1).await.len(), 1);
    t.store.plan_step(&held, moment(9), None).await.expect("nothing");
    assert_eq!(due(10, 9).await.len(), 2, "it was to be noticed at another time");
    t.store.plan_step(&held, moment(10), Some(moment(20))).await.expect("planned");
    assert_eq!(due(19, 9).await, ["q-2"]);
    // A person calls in the next people: at once, and whoever had planned otherwise has not.
    let record = t.record(Kind::Approval, Some(&run));
    let called = t.store.escalate(&held, 1, moment(12), record).await.expect("called in");
    assert_eq!(called.step_at, Some(moment(12)));
    t.store.plan_step(&held, moment(20), None).await.expect("nothing");
    assert_eq!(due(12, 9).await.len(), 2);
    t.vote(vote(&QuestionId::parse("q-2").expect("an id"), "finance", "fiona", true)).await.expect("it counts");
    assert_eq!(due(12, 9).await, ["q-1"], "nobody is called in for what is answered");
    assert_eq!(due(60, 9).await, Vec::<String>::new(), "or has lapsed");
}

pub(super) async fn a_step_is_reached_once(t: Trial) {
    let mark = |q: &str, on: &str, step| Mark {
        question: QuestionId::parse(q).expect("an id"),
        rule: rule(on),
        step,
        at: moment(1),
    };
    let reach = async |mark| t.store.reach_step(mark).await.expect("it is written");
    let steps = async |q: &str, on: &str| {
        t.store.steps_reached(&QuestionId::parse(q).expect("an id"), &rule(on)).await.expect("read")
    };
    assert_eq!(steps("q-1", "finance").await, 0);
    assert!(reach(mark("q-1", "finance", 1)).await);
    assert!(!reach(Mark { at: moment(2), ..mark("q-1", "finance", 1) }).await);
    assert!(reach(mark("q-1", "finance", 2)).await);
    assert!(reach(mark("q-1", "security", 1)).await);
    assert!(reach(mark("q-2", "finance", 1)).await);
    assert_eq!(
        (steps("q-1", "finance").await, steps("q-1", "security").await, steps("Q-1", "finance").await),
        (2, 1, 0)
    );
}

async fn bounded(t: &Trial, most: u32, asked: Question) -> Result<Committed, CommitError> {
    let run = remit_core::ids::RunId::parse("run-1").expect("a run");
    let admission = Admission { call: asked.call, at: asked.asked_at, ..t.admission(&run, "any").await };
    let intent = t.intent_with(&admission, Effect::Hold(Box::new(asked)));
    t.store.commit_intent(Intent { questions_max: most, ..intent }).await
}

pub(super) async fn an_agent_has_so_many_questions_and_no_more(t: Trial) {
    t.run("run-1").await;
    let ask = async |id: &str, call: &str, at| {
        let asked =
            Question { asked_at: moment(at), expires_at: moment(at + 60), ..question(id, call, &[("finance", 1)]) };
        bounded(&t, 2, asked).await
    };
    ask("q-1", "a", 0).await.expect("the first");
    ask("q-2", "b", 0).await.expect("the second");
    let before = t.count().await;
    assert_eq!(conflict(ask("q-3", "c", 0).await), "questions");
    assert_eq!(t.count().await, before, "whoever decides on it records it");
    assert!(matches!(ask("q-4", "a", 0).await, Ok(Committed::Held(id)) if id.as_str() == "q-1"), "it is no new one");
    let q1 = QuestionId::parse("q-1").expect("an id");
    t.vote(vote(&q1, "finance", "fiona", true)).await.expect("it counts");
    assert_eq!(conflict(ask("q-5", "c", 0).await), "questions", "an approval that is not used counts");
    let q2 = QuestionId::parse("q-2").expect("an id");
    t.vote(vote(&q2, "finance", "fiona", false)).await.expect("it counts");
    ask("q-6", "c", 0).await.expect("a denied one does not");
    assert_eq!(conflict(ask("q-7", "d", 59).await), "questions");
    ask("q-8", "d", 60).await.expect("nor do those that have lapsed");
    let other = Question { agent: super::trial::agent("bot-2"), ..question("q-9", "e", &[("finance", 1)]) };
    bounded(&t, 1, other).await.expect("another agent's are others");
}

async fn plant(t: &Trial, id: &str, at_votes: u64) -> Result<(), CommitError> {
    let decoy = question(id, id, &[("finance", 1)]);
    let canary = Canary { question: decoy.id.clone(), at_votes, seal: "seal".into() };
    t.store.plant(canary, decoy, t.record(Kind::Decision, None)).await
}

pub(super) async fn a_canary_is_a_question_like_any_other(t: Trial) {
    let run = t.run("run-1").await;
    let real = t.hold(&run, question("q-1", "call", &[("finance", 1)])).await;
    assert_eq!(t.store.last_answered().await.expect("read"), None);
    t.vote(vote(&real, "finance", "fiona", true)).await.expect("it counts");
    assert_eq!(t.store.tally().await.expect("read"), Tally { votes: 1, planted_at: 0 });
    plant(&t, "q-2", 1).await.expect("it is planted");
    let before = t.count().await;
    assert_eq!(conflict(plant(&t, "q-3", 1).await), "canary");
    assert_eq!(t.count().await, before, "one for so many votes");
    let decoy = QuestionId::parse("q-2").expect("an id");
    let open = t.open(1).await;
    assert_eq!(open.iter().map(|question| &question.id).collect::<Vec<_>>(), [&decoy]);
    let approved = t.vote(vote(&decoy, "finance", "fiona", true)).await.expect("it counts");
    assert_eq!(approved.state(moment(1)), QuestionState::Approved);
    assert_eq!(t.store.tally().await.expect("read"), Tally { votes: 2, planted_at: 1 });
    let last = t.store.last_answered().await.expect("read").expect("there is one");
    assert_eq!(last.id, real, "no canary is made from a canary");
}

pub(super) async fn a_canary_ends_once(t: Trial) {
    t.run("run-1").await;
    plant(&t, "q-1", 0).await.expect("it is planted");
    let waiting = async || t.store.canaries().await.expect("read");
    let decoy = QuestionId::parse("q-1").expect("an id");
    let [(canary, asked)] = &waiting().await[..] else { panic!("one canary") };
    assert_eq!((canary.seal.as_str(), &canary.question, &asked.id), ("seal", &decoy, &decoy));
    let end = async |verdict| t.store.end_canary(&decoy, verdict, t.record(Kind::Grant, None)).await;
    end(Verdict::Denied).await.expect("it has ended");
    let before = t.count().await;
    assert_eq!(conflict(end(Verdict::Expired).await), "canary");
    assert_eq!((t.count().await, waiting().await.len()), (before, 0));
}

pub(super) async fn a_canary_takes_no_room_of_its_agent(t: Trial) {
    t.run("run-1").await;
    plant(&t, "q-1", 0).await.expect("it is planted");
    bounded(&t, 1, question("q-2", "call", &[("finance", 1)])).await.expect("there is room");
}

pub(super) async fn votes_say_when_they_were_seen_and_given(t: Trial) {
    let run = t.run("run-1").await;
    plant(&t, "q-0", 0).await.expect("it is planted");
    let decoy = QuestionId::parse("q-0").expect("an id");
    let real = t.hold(&run, question("q-1", "call", &[("finance", 2)])).await;
    t.store.saw(&real, &operator("fiona"), moment(3)).expect("it is handed over");
    t.store.saw(&real, &operator("fiona"), moment(4)).expect("it is handed over");
    let cast = async |id: &QuestionId, by: &str, approve, secs| {
        t.vote(Vote { at: moment(secs), ..vote(id, "finance", by, approve) }).await.expect("it counts");
    };
    cast(&real, "fiona", true, 5).await;
    cast(&decoy, "fiona", false, 6).await;
    cast(&real, "frank", true, 7).await;
    let given = |by: &str, approve, at, saw: Option<i64>, canary| Given {
        by: operator(by),
        approve,
        at: moment(at),
        asked_at: moment(0),
        saw_at: saw.map(moment),
        canary,
    };
    let expected = [
        given("fiona", true, 5, Some(3), false),
        given("fiona", false, 6, None, true),
        given("frank", true, 7, None, false),
    ];
    assert_eq!(t.store.given(moment(0)).await.expect("read"), expected);
    assert_eq!(t.store.given(moment(6)).await.expect("read"), expected[1..]);
}

pub(super) async fn erasure_ends_what_a_person_lent_and_forgets_what_they_wrote(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 1)])).await;
    let lent = Vote { behalf: Some((operator("ann"), None)), ..vote(&id, "finance", "ben", false) };
    t.vote(lent).await.expect("it counts");
    lend(&t, delegation("rec-a", "ann", "ben", None, 0, 60)).await.expect("it is lent");
    lend(&t, delegation("rec-b", "cleo", "ann", None, 0, 60)).await.expect("it is lent");
    lend(&t, delegation("rec-c", "cleo", "ben", None, 0, 60)).await.expect("it is lent");
    let call = reviewed(&t, "a").await;
    let closed = Closed { by: operator("ann"), objects: true, note: "Ann was here".into(), at: moment(9) };
    t.store.close_review(&call, closed, t.record(Kind::Grant, None)).await.expect("it is closed");
    let erasure = Erasure { person: user("ann"), positions: Vec::new(), also_open: false, now: moment(10) };
    t.store.erase(erasure, t.record(Kind::Erasure, None)).await.expect("it is erased");
    let left: Vec<_> = t.store.delegations(moment(10)).await.expect("read").into_iter().map(|lent| lent.id).collect();
    assert_eq!(left, [RecordId::parse("rec-c").expect("a record")]);
    let review = t.store.review(&call).await.expect("read").expect("there is one");
    assert_eq!(
        review.closed,
        Some(Closed { by: operator("erased"), objects: true, note: String::new(), at: moment(9) })
    );
    let votes = t.store.question(&id).await.expect("read").expect("there is one").votes;
    let (principal, own) = votes[0].behalf.clone().expect("it is still a vote in another's place");
    assert!(principal.as_str().starts_with("erased-") && own.is_none(), "{principal}");
    assert_eq!(votes[0].by.as_str(), "ben");
}

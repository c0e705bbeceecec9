//! What people are to be told.

use remit_app::delivery::{Delivery, DeliveryFilter, DeliveryState, Event, Progress, Subject};
use remit_app::ports::Narrowing;
use remit_app::question::{Narrowed, Question};
use remit_core::ids::{ChangeId, ChannelId, QuestionId};
use remit_evidence::record::Kind;

use super::trial::{Trial, change, digest, moment, question, vote};

fn id(text: &str) -> QuestionId {
    QuestionId::parse(text).expect("an id")
}

fn delivery(about: &str, event: Event, channel: &str, secs: i64) -> Delivery {
    let channel = (!channel.is_empty()).then(|| ChannelId::parse(channel).expect("a channel"));
    Delivery::new(id(about), event, channel, moment(secs))
}

async fn due(t: &Trial, secs: i64) -> Vec<Delivery> {
    t.store.due(moment(secs), 100).await.expect("read")
}

async fn listed(t: &Trial, filter: DeliveryFilter) -> Vec<Delivery> {
    t.store.deliveries(&filter).await.expect("read")
}

pub(super) async fn a_question_owes_once(t: Trial) {
    let run = t.run("run-1").await;
    let short = t.hold(&run, question("q-1", "call", &[("finance", 1)])).await;
    assert_eq!(due(&t, 0).await, [delivery("q-1", Event::Asked, "", 0)]);
    assert_eq!(due(&t, 59).await.len(), 1, "a question of a minute is not spoken of twice before it lapses");
    let lapsed = Delivery { next_at: moment(60), ..delivery("q-1", Event::Lapsed, "", 0) };
    assert_eq!(due(&t, 60).await.last(), Some(&lapsed));
    t.hold(&run, question("q-2", "call", &[("finance", 1)])).await;
    assert_eq!(due(&t, 60).await.len(), 2, "the question that is open was told already");
    let long = Question { expires_at: moment(1_000), ..question("q-3", "another", &[("finance", 1)]) };
    t.hold(&run, long).await;
    let lapsing = Delivery { next_at: moment(800), ..delivery("q-3", Event::Lapsing, "", 0) };
    assert_eq!(due(&t, 799).await.len(), 3);
    assert_eq!(due(&t, 800).await.last(), Some(&lapsing));
    assert_eq!(short, id("q-1"));
}

pub(super) async fn the_vote_that_closes_owes(t: Trial) {
    let run = t.run("run-1").await;
    let first = t.hold(&run, question("q-1", "call", &[("finance", 2)])).await;
    t.vote(vote(&first, "finance", "fiona", true)).await.expect("it counts");
    assert_eq!(due(&t, 59).await.len(), 1, "one vote of two closes nothing");
    t.vote(vote(&first, "finance", "frank", true)).await.expect("it counts");
    assert_eq!(due(&t, 59).await.last(), Some(&delivery("q-1", Event::Answered, "", 1)));
    let second = t.hold(&run, question("q-2", "another", &[("finance", 2)])).await;
    t.vote(vote(&second, "finance", "fiona", false)).await.expect("it counts");
    assert_eq!(due(&t, 59).await.last(), Some(&delivery("q-2", Event::Answered, "", 1)));
    super::trial::conflict(t.vote(vote(&second, "finance", "frank", false)).await);
    assert_eq!(due(&t, 59).await.len(), 4);
}

pub(super) async fn another_call_in_its_place_owes(t: Trial) {
    let run = t.run("run-1").await;
    let held = t.hold(&run, question("q-1", "call", &[("finance", 1)])).await;
    let narrowed = Narrowed { arguments: serde_json::json!({}), next: None, reason: "less".into(), at: moment(5) };
    let narrowing = Narrowing { narrowed, asks: None, record: t.record(Kind::Approval, Some(&run)) };
    t.store.narrow(&held, narrowing).await.expect("narrowed");
    assert_eq!(due(&t, 59).await.last(), Some(&delivery("q-1", Event::Answered, "", 5)));
}

pub(super) async fn what_is_no_question_owes(t: Trial) {
    t.store.put_authority(digest("a"), t.record(Kind::Policy, None)).await.expect("in force");
    t.store.open_change(&change("c-1", "a", "b"), t.record(Kind::Policy, None)).await.expect("open");
    let about = Subject::Change(ChangeId::parse("c-1").expect("an id"));
    let proposed = Delivery::new(about.clone(), Event::Proposed, None, moment(0));
    assert_eq!(due(&t, 0).await, std::slice::from_ref(&proposed));
    let mail = Delivery { channel: ChannelId::parse("mail").ok(), ..proposed.clone() };
    assert!(t.store.attempted(&proposed.id(), Progress::Gone, vec![mail.clone()]).await.expect("written"));
    assert_eq!(listed(&t, DeliveryFilter { about: Some(about), ..Default::default() }).await, [mail]);
    let day = Subject::Reviews("2026-11-21".parse().expect("a day"));
    let reviews = Delivery::new(day, Event::ReviewsDue, None, moment(3));
    assert_eq!(t.store.enqueue(vec![reviews.clone(), reviews.clone()]).await.expect("added"), 1, "once a day");
    assert_eq!(due(&t, 3).await.last(), Some(&reviews));
}

pub(super) async fn is_worked_on_by_whoever_claims_it(t: Trial) {
    let mail = delivery("q-1", Event::Asked, "mail", 0);
    t.store.enqueue(vec![mail.clone()]).await.expect("added");
    let claim = async |now, until| t.store.claim(&mail.id(), moment(now), moment(until)).await.expect("read");
    assert!(claim(1, 10).await, "the first");
    assert!(!claim(2, 10).await, "and nobody else");
    assert_eq!(due(&t, 9).await, []);
    assert_eq!(t.store.next_due(moment(1)).await.expect("read"), Some(moment(10)));
    // Whoever had it has ended without a word.
    assert_eq!(due(&t, 10).await, [Delivery { claimed_until: Some(moment(10)), ..mail.clone() }]);
    assert!(claim(10, 20).await, "it is sent again, under the same name");
    let failed = Progress::Later(moment(30), "busy".into());
    assert!(t.store.attempted(&mail.id(), failed, Vec::new()).await.expect("written"));
    assert!(!claim(29, 40).await, "it is not due");
    assert!(claim(30, 40).await, "and nobody has it any more");
    assert!(t.store.attempted(&mail.id(), Progress::Delivered, Vec::new()).await.expect("written"));
    assert!(!claim(50, 60).await, "it is over");
    assert!(!t.store.claim("dlv_unknown", moment(50), moment(60)).await.expect("read"));
}

pub(super) async fn is_added_once(t: Trial) {
    let mail = delivery("q-1", Event::Asked, "mail", 0);
    let hook = delivery("q-1", Event::Asked, "hook", 0);
    assert_eq!(t.store.enqueue(vec![mail.clone(), mail.clone()]).await.expect("added"), 1);
    let later = Delivery { next_at: moment(9), ..mail.clone() };
    assert_eq!(t.store.enqueue(vec![later, hook.clone()]).await.expect("added"), 1);
    assert_eq!(due(&t, 60).await, [mail.clone(), hook]);
    assert!(t.store.attempted(&mail.id(), Progress::Delivered, Vec::new()).await.expect("written"));
    assert_eq!(t.store.enqueue(vec![mail]).await.expect("nothing"), 0, "what was delivered is not owed again");
    let near = delivery("Q-1", Event::Asked, "mail", 0);
    assert_eq!(t.store.enqueue(vec![near]).await.expect("added"), 1, "identifiers compare byte for byte");
}

pub(super) async fn is_listed_as_it_comes_due(t: Trial) {
    let at = |channel: &str, secs| Delivery { next_at: moment(secs), ..delivery("q-1", Event::Asked, channel, 0) };
    t.store.enqueue(vec![at("c", 3), at("a", 1), at("b", 2), at("d", 1)]).await.expect("added");
    let names = |found: Vec<Delivery>| {
        found.into_iter().filter_map(|delivery| delivery.channel).map(|channel| channel.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(due(&t, 2).await), ["a", "d", "b"]);
    assert_eq!(names(t.store.due(moment(3), 1).await.expect("read")), ["a"]);
    assert_eq!(due(&t, 0).await, []);
    for (after, next) in [(0, Some(1)), (1, Some(2)), (3, None)] {
        assert_eq!(t.store.next_due(moment(after)).await.expect("read"), next.map(moment));
    }
}

pub(super) async fn an_attempt_changes_it(t: Trial) {
    let mail = delivery("q-1", Event::Escalated(2), "mail", 0);
    t.store.enqueue(vec![mail.clone()]).await.expect("added");
    let failed = Progress::Later(moment(7), "busy".into());
    assert!(t.store.attempted(&mail.id(), failed, Vec::new()).await.expect("written"));
    assert_eq!(due(&t, 6).await, []);
    let again = Delivery { next_at: moment(7), attempts: 1, last_error: Some("busy".into()), ..mail.clone() };
    assert_eq!(due(&t, 7).await, [again]);
    assert!(t.store.attempted(&mail.id(), Progress::Delivered, Vec::new()).await.expect("written"));
    assert_eq!(due(&t, 60).await, []);
    let [done] = &listed(&t, DeliveryFilter::default()).await[..] else { panic!("one is listed") };
    assert_eq!((done.state, done.attempts, &done.last_error), (DeliveryState::Delivered, 2, &None));
}

pub(super) async fn what_follows_is_added_with_it(t: Trial) {
    let mail = delivery("q-1", Event::Asked, "mail", 0);
    let push = delivery("q-1", Event::Asked, "push", 5);
    t.store.enqueue(vec![mail.clone()]).await.expect("added");
    let dead = Progress::Dead("gone".into());
    assert!(t.store.attempted(&mail.id(), dead.clone(), vec![push.clone()]).await.expect("written"));
    assert_eq!(due(&t, 60).await, [push]);
    let other = delivery("q-1", Event::Asked, "hook", 5);
    assert!(!t.store.attempted(&mail.id(), dead, vec![other]).await.expect("nothing"), "it is over");
    assert_eq!(due(&t, 60).await.len(), 1, "and nothing follows from it a second time");
}

pub(super) async fn what_is_over_changes_no_more(t: Trial) {
    let mail = delivery("q-1", Event::Asked, "mail", 0);
    t.store.enqueue(vec![mail.clone()]).await.expect("added");
    assert!(t.store.attempted(&mail.id(), Progress::Delivered, Vec::new()).await.expect("written"));
    for progress in [Progress::Later(moment(1), "x".into()), Progress::Dead("x".into()), Progress::Gone] {
        assert!(!t.store.attempted(&mail.id(), progress, Vec::new()).await.expect("nothing"));
    }
    assert!(!t.store.attempted("dlv_unknown", Progress::Delivered, Vec::new()).await.expect("nothing"));
    assert_eq!(listed(&t, DeliveryFilter::default()).await[0].state, DeliveryState::Delivered);
}

pub(super) async fn news_without_a_channel_goes(t: Trial) {
    let news = delivery("q-1", Event::Asked, "", 0);
    t.store.enqueue(vec![news.clone()]).await.expect("added");
    assert_eq!(listed(&t, DeliveryFilter::default()).await, [], "nobody is told through no channel");
    let mail = delivery("q-1", Event::Asked, "mail", 0);
    assert!(t.store.attempted(&news.id(), Progress::Gone, vec![mail.clone()]).await.expect("written"));
    assert_eq!(due(&t, 60).await, [mail]);
}

pub(super) async fn is_listed_newest_first(t: Trial) {
    for (about, channel) in [("q-1", "mail"), ("q-2", "mail"), ("q-1", "hook")] {
        t.store.enqueue(vec![delivery(about, Event::Asked, channel, 0)]).await.expect("added");
    }
    let dead = delivery("q-1", Event::Asked, "mail", 0).id();
    assert!(t.store.attempted(&dead, Progress::Dead("x".into()), Vec::new()).await.expect("written"));
    let ids = async |filter| {
        let found = listed(&t, filter).await;
        found.iter().map(|d| format!("{} {}", d.about, d.channel.as_ref().expect("a channel"))).collect::<Vec<_>>()
    };
    assert_eq!(ids(DeliveryFilter::default()).await, ["q-1 hook", "q-2 mail", "q-1 mail"]);
    let about = Some(id("q-1").into());
    assert_eq!(ids(DeliveryFilter { about, ..Default::default() }).await, ["q-1 hook", "q-1 mail"]);
    let state = Some(DeliveryState::Dead);
    assert_eq!(ids(DeliveryFilter { state, ..Default::default() }).await, ["q-1 mail"]);
    assert_eq!(ids(DeliveryFilter { limit: 1, ..Default::default() }).await, ["q-1 hook"]);
}

pub(super) async fn forgets_what_is_over(t: Trial) {
    let [old, young, waits] =
        [("old", 0), ("young", 10), ("waits", 0)].map(|(channel, secs)| delivery("q-1", Event::Asked, channel, secs));
    t.store.enqueue(vec![old.clone(), young.clone(), waits]).await.expect("added");
    for over in [&old, &young] {
        assert!(t.store.attempted(&over.id(), Progress::Delivered, Vec::new()).await.expect("written"));
    }
    assert_eq!(t.store.forget_deliveries(moment(10)).await.expect("forgotten"), 1);
    let left = listed(&t, DeliveryFilter::default()).await;
    assert_eq!(
        left.iter().filter_map(|d| d.channel.as_ref()).map(ChannelId::as_str).collect::<Vec<_>>(),
        ["waits", "young"]
    );
}

//! Runs.

use remit_app::intent::Settlement;
use remit_app::run::{Run, RunFilter};
use remit_core::ids::{RunId, WorkflowId};
use remit_core::labels::{Labels, Sensitivity};
use remit_evidence::record::Kind;

use super::trial::{Trial, agent, completed, conflict, digest, moment, run, run_id, user};

async fn open(t: &Trial, run: &Run) {
    t.store.open_run(run, t.record(Kind::Run, Some(&run.id))).await.expect("it opens");
}

async fn settle(t: &Trial, run: &RunId, labels: Labels) {
    let intent = t.admit(&t.admission(run, "call").await).await;
    let settlement = Settlement { labels: Some(labels), ..t.settlement(&intent, completed()) };
    t.store.settle(settlement).await.expect("settled");
}

fn labels(sensitivity: Sensitivity, untrusted: bool, marks: &[&str]) -> Labels {
    Labels { sensitivity, untrusted, marks: marks.iter().map(|mark| (*mark).to_owned()).collect() }
}

pub(super) async fn come_back_as_they_were(t: Trial) {
    let full = Run {
        workflow: Some(WorkflowId::parse("JIRA:ops|42").expect("a workflow")),
        release_phase: Some("rollout".into()),
        intent: Some("Grüße\n\"'; DROP TABLE runs".into()),
        implicit: true,
        used_at: moment(3),
        labels: labels(Sensitivity::Restricted, true, &["pii", "public", "trusted"]),
        ..run("run-1")
    };
    let empty = Run { user: None, environment: None, intent: None, ..run("run-2") };
    for run in [full, empty] {
        let record = t.record(Kind::Run, Some(&run.id));
        t.store.open_run(&run, record.clone()).await.expect("it opens");
        assert_eq!(t.store.run(&run.id).await.expect("read"), Some(run));
        assert_eq!(t.store.record(&record.id).await.expect("read"), Some(record));
    }
    assert_eq!(t.store.run(&run_id("run-3")).await.expect("read"), None);
}

pub(super) async fn open_once(t: Trial) {
    t.run("run-1").await;
    let before = t.count().await;
    let second = Run { intent: Some("another".into()), ..run("run-1") };
    let record = t.record(Kind::Run, Some(&second.id));
    conflict(t.store.open_run(&second, record).await);
    assert_eq!(t.store.run(&second.id).await.expect("read"), Some(run("run-1")));
    assert_eq!(t.count().await, before);
}

pub(super) async fn close_once(t: Trial) {
    let id = t.run("run-1").await;
    let record = t.record(Kind::Run, Some(&id));
    t.store.close_run(&id, moment(7), record).await.expect("it closes");
    assert_eq!(t.store.run(&id).await.expect("read").expect("there is one").closed_at, Some(moment(7)));
    let before = t.count().await;
    conflict(t.store.close_run(&id, moment(8), t.record(Kind::Run, Some(&id))).await);
    conflict(t.store.close_run(&run_id("Run-1"), moment(8), t.record(Kind::Run, Some(&id))).await);
    assert_eq!(t.store.run(&id).await.expect("read").expect("there is one").closed_at, Some(moment(7)));
    assert_eq!(t.count().await, before);
}

pub(super) async fn a_closed_run_admits_nothing(t: Trial) {
    let id = t.run("run-1").await;
    let stale = t.admission(&id, "call").await;
    t.store.close_run(&id, moment(7), t.record(Kind::Run, Some(&id))).await.expect("it closes");
    assert_eq!(conflict(t.commit(&stale).await), "run");
    assert!(t.load(&id, digest("call")).await.file.run.closed);
    let fresh = t.admission(&id, "call").await;
    assert_eq!(conflict(t.commit(&fresh).await), "run");
}

pub(super) async fn labels_are_collected(t: Trial) {
    let id = t.run("run-1").await;
    settle(&t, &id, labels(Sensitivity::Confidential, false, &["pii"])).await;
    settle(&t, &id, labels(Sensitivity::Internal, true, &["secret"])).await;
    let sum = labels(Sensitivity::Confidential, true, &["pii", "secret"]);
    assert_eq!(t.load(&id, digest("call")).await.file.run.labels, sum);
    assert_eq!(t.store.run(&id).await.expect("read").expect("there is one").labels, sum);
}

pub(super) async fn changed_labels_are_a_conflict(t: Trial) {
    let id = t.run("run-1").await;
    let stale = t.admission(&id, "call").await;
    settle(&t, &id, labels(Sensitivity::Public, true, &[])).await;
    assert_eq!(conflict(t.commit(&stale).await), "run");
    t.admit(&t.admission(&id, "call").await).await;
}

pub(super) async fn known_labels_are_none(t: Trial) {
    let id = t.run("run-1").await;
    settle(&t, &id, labels(Sensitivity::Internal, true, &["pii"])).await;
    let before = t.admission(&id, "call").await;
    settle(&t, &id, labels(Sensitivity::Public, true, &["pii"])).await;
    t.admit(&before).await;
}

pub(super) async fn idle_ones_are_found(t: Trial) {
    let implicit = |id: &str, secs| Run { implicit: true, opened_at: moment(secs), used_at: moment(secs), ..run(id) };
    open(&t, &implicit("old", 1)).await;
    open(&t, &implicit("new", 5)).await;
    open(&t, &Run { user: Some(user("bob")), ..implicit("bobs", 8) }).await;
    open(&t, &Run { user: None, ..implicit("nobodys", 8) }).await;
    open(&t, &Run { agent: agent("bot-2"), ..implicit("another", 8) }).await;
    open(&t, &Run { implicit: false, ..implicit("named", 8) }).await;
    open(&t, &implicit("closed", 9)).await;
    let closed = run_id("closed");
    t.store.close_run(&closed, moment(9), t.record(Kind::Run, Some(&closed))).await.expect("it closes");
    let alice = user("alice@example.com");
    for (who, since, expected) in [
        (Some(&alice), 0, Some("new")),
        (Some(&alice), 5, Some("new")),
        (Some(&alice), 6, None),
        (None, 0, Some("nobodys")),
        (Some(&user("Bob")), 0, None),
    ] {
        let found = t.store.idle_run(&agent("bot"), who, moment(since)).await.expect("read");
        assert_eq!(found.as_ref().map(RunId::as_str), expected, "{who:?} since {since}");
    }
    let ever = t.store.idle_run(&agent("bot"), Some(&alice), jiff::Timestamp::MIN).await.expect("read");
    assert_eq!(ever.as_ref().map(RunId::as_str), Some("new"));
}

pub(super) async fn are_listed_newest_first(t: Trial) {
    for (id, secs) in [("b", 2), ("c", 3), ("a", 1), ("c2", 3)] {
        open(&t, &Run { opened_at: moment(secs), ..run(id) }).await;
    }
    open(&t, &Run { agent: agent("bot-2"), opened_at: moment(9), ..run("other") }).await;
    let list = async |filter: RunFilter| {
        let runs = t.store.runs(&filter).await.expect("read");
        runs.iter().map(|run| run.id.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(RunFilter::default()).await, ["other", "c2", "c", "b", "a"]);
    assert_eq!(list(RunFilter { agent: Some(agent("bot")), limit: 2, ..RunFilter::default() }).await, ["c2", "c"]);
}

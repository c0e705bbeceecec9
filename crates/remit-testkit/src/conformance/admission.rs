//! Commits, apart from what they use up.

use remit_app::intent::{Committed, Effect};
use remit_app::outcome::StoredOutcome;
use remit_app::ports::CaseQuery;
use remit_core::budget::Unit;

use super::trial::{
    Admission, Trial, agent, budget, completed, conflict, digest, moment, question, reservation, run_id, user,
};

pub(super) async fn is_recorded_and_counted(t: Trial) {
    let run = t.run("run-1").await;
    let admission = Admission { at: moment(5), ..t.admission(&run, "call").await };
    let intent = t.intent(&admission);
    let record = intent.record.clone();
    let committed = t.store.commit_intent(intent).await.expect("committed");
    assert!(matches!(committed, Committed::Admitted(receipt) if *receipt.intent() == record.id));
    assert_eq!(t.store.record(&record.id).await.expect("read"), Some(record));
    let run = t.store.run(&run).await.expect("read").expect("there is one");
    assert_eq!((run.calls, run.used_at), (1, moment(5)));
    let late = Admission { at: moment(3), ..admission };
    t.admit(&late).await;
    let run = t.store.run(&run.id).await.expect("read").expect("there is one");
    assert_eq!((run.calls, run.used_at), (2, moment(5)), "time does not run backwards");
}

pub(super) async fn of_an_unknown_run_is_a_conflict(t: Trial) {
    let run = t.run("run-1").await;
    let admission = Admission { run: run_id("run-2"), ..t.admission(&run, "call").await };
    assert_eq!(conflict(t.commit(&admission).await), "run");
}

pub(super) async fn a_case_of_an_unknown_run_is_unavailable(t: Trial) {
    let run = run_id("run-2");
    let query = CaseQuery { run: &run, call: digest("call"), budgets: Vec::new(), rules: &[], now: moment(0) };
    assert!(t.store.load_case(&query).await.is_err());
    t.store.health().expect("alive");
}

pub(super) async fn a_refusal_is_only_recorded(t: Trial) {
    let run = t.run("run-1").await;
    // Refusals rest on nothing: a stale basis and an unknown run are no obstacle.
    let mut admission = Admission { run: run_id("run-none"), ..t.admission(&run, "call").await };
    admission.basis.halts = 77;
    let intent = t.intent_with(&admission, Effect::Refuse);
    let record = intent.record.clone();
    assert!(matches!(t.store.commit_intent(intent).await.expect("committed"), Committed::Refused));
    assert_eq!(t.store.record(&record.id).await.expect("read"), Some(record));
    assert_eq!(t.store.run(&run).await.expect("read").expect("there is one").calls, 0);
}

pub(super) async fn batched_is_seen_by_the_next_case(t: Trial) {
    let run = t.run("run-1").await;
    let calls = budget("bot/calls", Unit::Calls, 3);
    for used in 0..3 {
        assert_eq!(t.budget(&run, &calls.0, &calls.1, None).await.reserved, used);
        let admission = t.admission(&run, "call").await;
        t.admit(&Admission { batched: true, reservations: vec![reservation(&calls, 1)], ..admission }).await;
    }
    let case = t.load(&run, digest("call")).await;
    assert_eq!(case.file.run.calls, 3);
    let fourth = t.admission(&run, "call").await;
    let fourth = Admission { batched: true, reservations: vec![reservation(&calls, 1)], ..fourth };
    assert_eq!(conflict(t.commit(&fourth).await), "budget");
}

pub(super) async fn a_conflict_leaves_no_trace(t: Trial) {
    let run = t.run("run-1").await;
    let (roomy, full) = (budget("bot/calls", Unit::Calls, 9), budget("tenant/calls", Unit::Calls, 0));
    let admission = t.admission(&run, "call").await;
    let admission =
        Admission { key: Some("key"), reservations: vec![reservation(&roomy, 1), reservation(&full, 1)], ..admission };
    let intent = t.intent(&admission);
    let (record, before) = (intent.record.clone(), t.count().await);
    assert_eq!(conflict(t.store.commit_intent(intent.clone()).await), "budget");
    assert_eq!(t.count().await, before);
    assert_eq!(t.store.record(&record.id).await.expect("read"), None);
    assert_eq!(t.store.outcome(&record.id).await.expect("read"), None);
    assert_eq!(t.budget(&run, &roomy.0, &roomy.1, None).await.reserved, 0);
    assert_eq!(t.store.run(&run).await.expect("read").expect("there is one").calls, 0);
    // The same record at the same place of the sequence is committed with the next decision.
    let again = remit_app::intent::Intent { effect: Effect::Refuse, ..intent };
    assert!(matches!(t.store.commit_intent(again).await.expect("committed"), Committed::Refused));
}

pub(super) async fn a_repeated_key_does_nothing(t: Trial) {
    let run = t.run("run-1").await;
    let calls = budget("bot/calls", Unit::Calls, 9);
    let admission = t.admission(&run, "call").await;
    let admission = Admission { key: Some("key"), reservations: vec![reservation(&calls, 1)], ..admission };
    let first = t.admit(&admission).await;
    let before = t.count().await;
    // Even for another call, and on facts that have changed: the caller is told, and compares.
    let mut second = Admission { call: digest("another"), ..admission };
    second.basis.run = 77;
    match t.commit(&second).await.expect("committed") {
        Committed::Repeated { intent, call } => assert_eq!((intent, call), (first, digest("call"))),
        other => panic!("it was repeated, and the store says {other:?}"),
    }
    assert_eq!(t.count().await, before);
    assert_eq!(t.budget(&run, &calls.0, &calls.1, None).await.reserved, 1);
    assert_eq!(t.store.run(&run).await.expect("read").expect("there is one").calls, 1);
}

pub(super) async fn a_key_belongs_to_one_agent_and_user(t: Trial) {
    let run = t.run("run-1").await;
    let admission = Admission { key: Some("key"), ..t.admission(&run, "call").await };
    t.admit(&admission).await;
    t.admit(&Admission { key: Some("Key"), ..admission.clone() }).await;
    t.admit(&Admission { agent: agent("bot-2"), ..admission.clone() }).await;
    t.admit(&Admission { user: Some(user("Alice@example.com")), ..admission.clone() }).await;
    let nobody = Admission { user: None, ..admission };
    t.admit(&nobody).await;
    assert!(matches!(t.commit(&nobody).await.expect("committed"), Committed::Repeated { .. }));
}

pub(super) async fn a_key_outlives_its_verdict(t: Trial) {
    let run = t.run("run-1").await;
    let admission = Admission { key: Some("key"), ..t.admission(&run, "call").await };
    // A refusal and a question use up no key.
    t.store.commit_intent(t.intent_with(&admission, Effect::Refuse)).await.expect("committed");
    let ask = Effect::Hold(Box::new(question("q-1", "call", &[("finance", 1)])));
    t.store.commit_intent(t.intent_with(&admission, ask.clone())).await.expect("committed");
    t.admit(&admission).await;
    // An admission does, whatever would be decided about the call now.
    let refused = t.store.commit_intent(t.intent_with(&admission, Effect::Refuse)).await.expect("committed");
    assert!(matches!(refused, Committed::Repeated { .. }));
    let held = t.store.commit_intent(t.intent_with(&admission, ask)).await.expect("committed");
    assert!(matches!(held, Committed::Repeated { .. }));
}

pub(super) async fn only_admitted_calls_have_outcomes(t: Trial) {
    let run = t.run("run-1").await;
    let admission = t.admission(&run, "call").await;
    let refusal = t.intent_with(&admission, Effect::Refuse);
    let refused = refusal.record.id.clone();
    t.store.commit_intent(refusal).await.expect("committed");
    assert_eq!(t.store.outcome(&refused).await.expect("read"), None);
    let admitted = t.admit(&admission).await;
    assert_eq!(t.store.outcome(&admitted).await.expect("read"), Some(StoredOutcome::Pending));
    t.settle(&admitted, completed()).await;
    assert_eq!(t.store.outcome(&admitted).await.expect("read"), Some(StoredOutcome::Settled(completed())));
}

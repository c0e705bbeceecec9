//! Settling.

use remit_app::intent::{Carrier, Settlement};
use remit_app::outcome::{Answer, Outcome, StoredOutcome};
use remit_core::budget::Unit;
use remit_core::labels::Labels;
use remit_core::verdict::Code;
use remit_evidence::record::Kind;
use serde_json::json;

use super::trial::{
    Admission, Trial, budget, completed, digest, moment, not_started, object, record_id, reservation, run_id,
};

pub(super) async fn books_what_was_charged(t: Trial) {
    let run = t.run("run-1").await;
    let (calls, money) = (budget("calls", Unit::Calls, 9), budget("money", Unit::MicroUsd, 900));
    for outcome in [completed(), Outcome::Unknown { code: Code::EffectUnknown, reason: "gone".into() }] {
        let reservations = vec![reservation(&calls, 1), reservation(&money, 100)];
        let intent = t.admit(&Admission { reservations, ..t.admission(&run, "call").await }).await;
        let settlement = t.settlement(&intent, outcome.clone());
        let receipt = settlement.record.clone().expect("a receipt");
        t.store.settle(settlement).await.expect("settled");
        assert_eq!(t.store.record(&receipt.id).await.expect("read"), Some(receipt));
        assert_eq!(t.store.outcome(&intent).await.expect("read"), Some(StoredOutcome::Settled(outcome)));
    }
    assert_eq!(t.store.usage(&[calls, money]).await.expect("read"), [(2, 0), (200, 0)]);
    assert_eq!(t.store.run(&run).await.expect("read").expect("there is one").spend, 200);
}

pub(super) async fn releases_what_never_started(t: Trial) {
    let run = t.run("run-1").await;
    let (calls, money) = (budget("calls", Unit::Calls, 1), budget("money", Unit::MicroUsd, 100));
    let reservations = vec![reservation(&calls, 1), reservation(&money, 100)];
    let intent = t.admit(&Admission { reservations, ..t.admission(&run, "call").await }).await;
    t.settle(&intent, not_started()).await;
    assert_eq!(t.store.usage(&[calls, money]).await.expect("read"), [(0, 0), (0, 0)]);
    assert_eq!(t.store.run(&run).await.expect("read").expect("there is one").spend, 0);
}

pub(super) async fn twice_changes_nothing(t: Trial) {
    let run = t.run("run-1").await;
    let money = budget("money", Unit::MicroUsd, 100);
    let reservations = vec![reservation(&money, 70)];
    let intent = t.admit(&Admission { reservations, ..t.admission(&run, "call").await }).await;
    t.settle(&intent, completed()).await;
    let before = t.count().await;
    t.settle(&intent, not_started()).await;
    t.settle(&intent, completed()).await;
    assert_eq!(t.count().await, before);
    assert_eq!(t.store.outcome(&intent).await.expect("read"), Some(StoredOutcome::Settled(completed())));
    assert_eq!(t.store.usage(&[money]).await.expect("read"), [(70, 0)]);
    assert_eq!(t.store.run(&run).await.expect("read").expect("there is one").spend, 70);
}

pub(super) async fn of_nothing_is_an_error(t: Trial) {
    let before = t.count().await;
    assert!(t.store.settle(t.settlement(&record_id("rec-none"), completed())).await.is_err());
    assert_eq!(t.count().await, before);
    t.store.health().expect("alive");
}

pub(super) async fn soon_is_ordered_before_later_deeds(t: Trial) {
    let run = t.run("run-1").await;
    let money = budget("money", Unit::MicroUsd, 100);
    let reservations = vec![reservation(&money, 70)];
    let intent = t.admit(&Admission { reservations, ..t.admission(&run, "call").await }).await;
    t.store.settle_soon(t.settlement(&intent, completed())).expect("handed over");
    t.store.append(t.record(Kind::Policy, None)).await.expect("appended");
    assert_eq!(t.store.outcome(&intent).await.expect("read"), Some(StoredOutcome::Settled(completed())));
    assert_eq!(t.store.usage(&[money]).await.expect("read"), [(70, 0)]);
}

pub(super) async fn every_outcome_comes_back(t: Trial) {
    let run = t.run("run-1").await;
    let big = json!({"n": [0, -1, u64::MAX, i64::MIN, 0.1, 1e300], "text": "\u{0}\n\"ß😀", "empty": {}});
    let outcomes = [
        Outcome::Completed(Answer::Result(big.clone())),
        Outcome::Completed(Answer::Result(json!(null))),
        Outcome::Completed(Answer::Error { code: -32_602, message: "no".into(), data: Some(big) }),
        Outcome::Completed(Answer::Error { code: i64::MIN, message: String::new(), data: None }),
        not_started(),
        Outcome::Unknown { code: Code::UpstreamFailed, reason: "broke off".into() },
    ];
    for outcome in outcomes {
        let intent = t.admit(&t.admission(&run, "call").await).await;
        t.settle(&intent, outcome.clone()).await;
        assert_eq!(t.store.outcome(&intent).await.expect("read"), Some(StoredOutcome::Settled(outcome)));
    }
}

pub(super) async fn unsettled_calls_are_listed(t: Trial) {
    let run = t.run("run-1").await;
    let (calls, objects) = (budget("calls", Unit::Calls, 9), budget("objects", Unit::Objects, 9));
    let reservations = vec![reservation(&calls, 1), object(&objects, "ticket/1")];
    let admission = Admission { reservations, ..t.admission(&run, "call").await };
    let mut records = Vec::new();
    for secs in [5, 3, 9] {
        let intent = t.intent(&Admission { at: moment(secs), ..admission.clone() });
        records.push(intent.record.clone());
        t.store.commit_intent(intent).await.expect("committed");
    }
    t.settle(&records[1].id, completed()).await;
    assert_eq!(t.store.unsettled(moment(5)).await.expect("read").len(), 0, "not those of this very moment");
    let found = t.store.unsettled(moment(9)).await.expect("read");
    assert_eq!(found.len(), 1);
    let Settlement { intent, record, decision, reservations, charged, labels, outcome, .. } = &found[0];
    assert_eq!((intent, decision, found[0].run.as_str()), (&records[0].id, &records[0].digest, "run-1"));
    assert_eq!((record, labels, charged), (&None, &None, &true));
    assert_eq!(*reservations, admission.reservations);
    assert!(matches!(outcome, Outcome::Unknown { code: Code::EffectUnknown, .. }));
    let order: Vec<_> = t.store.unsettled(moment(10)).await.expect("read").into_iter().map(|s| s.intent).collect();
    assert_eq!(order, [records[0].id.clone(), records[2].id.clone()]);
    for settlement in found {
        t.store.settle(settlement).await.expect("without a receipt, too");
    }
    assert_eq!(t.store.usage(&[calls]).await.expect("read"), [(2, 1)]);
}

pub(super) async fn only_what_never_started_is_released(t: Trial) {
    let run = t.run("run-1").await;
    let intent = t.admit(&t.admission(&run, "call").await).await;
    let settlement = Settlement { charged: false, ..t.settlement(&intent, completed()) };
    assert!(t.store.settle(settlement).await.is_err());
    assert_eq!(t.store.outcome(&intent).await.expect("read"), Some(StoredOutcome::Pending));
    t.store.health().expect("alive");
}

pub(super) async fn money_is_spent_once(t: Trial) {
    let run = t.run("run-1").await;
    let levels = [budget("tenant", Unit::MicroUsd, 900), budget("bot", Unit::MicroUsd, 900)];
    let reservations = levels.iter().map(|level| reservation(level, 70)).collect();
    let intent = t.admit(&Admission { reservations, ..t.admission(&run, "call").await }).await;
    t.settle(&intent, completed()).await;
    assert_eq!(t.store.usage(&levels).await.expect("read"), [(70, 0), (70, 0)]);
    assert_eq!(t.load(&run, digest("call")).await.file.run.spend, 70);
}

pub(super) async fn books_in_the_span_of_the_reservation(t: Trial) {
    let run = t.run("run-1").await;
    let today = budget("calls", Unit::Calls, 9);
    let reservations = vec![reservation(&today, 1)];
    let intent = t.admit(&Admission { reservations, ..t.admission(&run, "call").await }).await;
    let late = Settlement { at: moment(1_000_000), run: run_id("Run-1"), ..t.settlement(&intent, completed()) };
    t.store.settle(late).await.expect("settled");
    assert_eq!(t.store.usage(&[today]).await.expect("read"), [(1, 0)]);
}

pub(super) async fn the_outcomes_of_a_run_are_listed(t: Trial) {
    let (run, other) = (t.run("run-1").await, t.run("run-2").await);
    let first = t.admit(&t.admission(&run, "first").await).await;
    t.settle(&first, completed()).await;
    t.admit(&t.admission(&other, "another's").await).await;
    t.admit(&t.admission(&run, "second").await).await;
    let third = t.admit(&t.admission(&run, "third").await).await;
    t.store.settle_soon(t.settlement(&third, not_started())).expect("handed over");
    let listed = t.store.outcomes(&run, 9).await.expect("read");
    let outcomes: Vec<_> = listed.into_iter().map(|of| of.outcome).collect();
    let settled = StoredOutcome::Settled;
    assert_eq!(outcomes, [settled(not_started()), StoredOutcome::Pending, settled(completed())], "the newest first");
    assert_eq!(t.store.outcomes(&run, 1).await.expect("read").len(), 1);
}

pub(super) async fn a_service_says_what_came_of_its_own_calls_only(t: Trial) {
    let run = t.run("run-1").await;
    let own = t.admit(&t.admission(&run, "the gate's").await).await;
    let labels = Labels { untrusted: true, ..Labels::none() };
    let carrier = Carrier::Service { labels: labels.clone() };
    let elsewhere = t.admit(&Admission { carrier, batched: true, ..t.admission(&run, "a service's").await }).await;
    assert_eq!(t.load(&run, digest("next")).await.file.run.labels, labels, "from its beginning on");
    assert!(t.store.unreported(&own).await.expect("read").is_none());
    let settlement = t.store.unreported(&elsewhere).await.expect("read").expect("it waits");
    assert_eq!((&settlement.intent, settlement.charged), (&elsewhere, true));
    let reported: Vec<_> = t.store.outcomes(&run, 9).await.expect("read").into_iter().map(|of| of.reported).collect();
    assert_eq!(reported, [true, false]);
    t.settle(&elsewhere, completed()).await;
    assert!(t.store.unreported(&elsewhere).await.expect("read").is_none(), "once");
}

//! Records.

use remit_app::ports::RecordFilter;
use remit_evidence::record::Kind;

use super::trial::{Trial, record_id, run_id};

pub(super) async fn come_back_as_they_were(t: Trial) {
    for kind in Kind::ALL {
        let mut record = t.record(kind, (kind == Kind::Run).then(|| run_id("run-1")).as_ref());
        if kind == Kind::Halt {
            record.disclosures.clear();
        }
        t.store.append(record.clone()).await.expect("appended");
        assert_eq!(t.store.record(&record.id).await.expect("read"), Some(record));
    }
    assert_eq!(t.store.record(&record_id("rec-none")).await.expect("read"), None);
}

pub(super) async fn are_listed_in_order(t: Trial) {
    let mut all = Vec::new();
    for _ in 0..5 {
        let record = t.record(Kind::Policy, None);
        t.store.append(record.clone()).await.expect("appended");
        all.push(record);
    }
    let list = |after, limit| RecordFilter { after, limit, ..RecordFilter::default() };
    assert_eq!(t.store.records(&list(0, 0)).await.expect("read"), all);
    assert_eq!(t.store.records(&list(1, 2)).await.expect("read"), all[1..3]);
    assert_eq!(t.store.records(&list(4, 9)).await.expect("read"), all[4..]);
    assert_eq!(t.store.records(&list(5, 9)).await.expect("read"), []);
    assert_eq!(t.store.records(&list(u64::MAX, 9)).await.expect("read"), []);
}

pub(super) async fn are_listed_by_run(t: Trial) {
    let (one, other) = (run_id("run-1"), run_id("Run-1"));
    let mut ours = Vec::new();
    for at in 0..6 {
        let record = t.record(Kind::Execution, Some(if at % 2 == 0 { &one } else { &other }));
        t.store.append(record.clone()).await.expect("appended");
        if at % 2 == 0 {
            ours.push(record);
        }
    }
    let list = |after, limit| RecordFilter { after, limit, run: Some(one.clone()), kind: None };
    assert_eq!(t.store.records(&list(0, 0)).await.expect("read"), ours);
    assert_eq!(t.store.records(&list(1, 1)).await.expect("read"), ours[1..2]);
}

pub(super) async fn an_id_is_taken_once(t: Trial) {
    let first = t.record(Kind::Policy, None);
    let second = remit_evidence::writer::SignedRecord { id: first.id.clone(), ..t.record(Kind::Policy, None) };
    t.store.append(first.clone()).await.expect("appended");
    assert!(t.store.append(second).await.is_err());
    assert_eq!(t.store.record(&first.id).await.expect("read"), Some(first));
    t.store.health().expect("one record that cannot be stored is no reason to stop");
    t.store.append(t.record(Kind::Policy, None)).await.expect("the next one can");
}

pub(super) async fn a_place_in_the_sequence_is_taken_once(t: Trial) {
    let first = t.record(Kind::Policy, None);
    let second = remit_evidence::writer::SignedRecord { seq: first.seq, ..t.record(Kind::Policy, None) };
    t.store.append(first).await.expect("appended");
    assert!(t.store.append(second).await.is_err());
    assert_eq!(t.count().await, 1);
}

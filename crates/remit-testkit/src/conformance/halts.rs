//! Halts.

use remit_core::halt::{Halt, HaltTarget};
use remit_evidence::record::Kind;

use super::trial::{Trial, conflict, digest, moment};

async fn put(t: &Trial, target: &str, reason: &str) {
    let record = t.record(Kind::Halt, None);
    t.store.put_halt(halt(target, reason), record.clone()).await.expect("it is ordered");
    assert_eq!(t.store.record(&record.id).await.expect("read"), Some(record));
}

fn halt(target: &str, reason: &str) -> Halt {
    let target = HaltTarget::parse(target).expect("a target");
    Halt { target, by: "olga".into(), reason: reason.into(), since: moment(3) }
}

const TARGETS: [&str; 6] =
    ["tenant", "agent:bot", "tool:payments/refund", "upstream:payments", "class:write", "run:run-1"];

pub(super) async fn are_in_the_next_case(t: Trial) {
    let run = t.run("run-1").await;
    for target in TARGETS {
        put(&t, target, "why").await;
    }
    let mut expected: Vec<_> = TARGETS.iter().map(|target| halt(target, "why")).collect();
    let mut listed = t.store.halts().await.expect("read");
    let mut loaded = t.load(&run, digest("call")).await.file.halts;
    for halts in [&mut expected, &mut listed, &mut loaded] {
        halts.sort_by(|a, b| a.target.cmp(&b.target));
    }
    assert_eq!((&listed, &loaded), (&expected, &expected));
}

pub(super) async fn change_the_basis(t: Trial) {
    let run = t.run("run-1").await;
    let before = t.admission(&run, "call").await;
    put(&t, "run:another", "why").await;
    assert_eq!(conflict(t.commit(&before).await), "halts");
    let during = t.admission(&run, "call").await;
    t.admit(&during).await;
    let target = HaltTarget::parse("run:another").expect("a target");
    assert!(t.store.lift_halt(&target, t.record(Kind::Halt, None)).await.expect("it is lifted"));
    assert_eq!(conflict(t.commit(&during).await), "halts");
    assert_eq!(conflict(t.commit(&before).await), "halts", "lifted is not as if it had never been");
    t.admit(&t.admission(&run, "call").await).await;
}

pub(super) async fn are_replaced_on_the_same_target(t: Trial) {
    let run = t.run("run-1").await;
    put(&t, "tenant", "first").await;
    let before = t.load(&run, digest("call")).await.basis.halts;
    put(&t, "tenant", "second").await;
    assert_eq!(t.store.halts().await.expect("read"), [halt("tenant", "second")]);
    assert_ne!(t.load(&run, digest("call")).await.basis.halts, before);
}

pub(super) async fn are_lifted_once(t: Trial) {
    put(&t, "tool:payments/refund", "why").await;
    let near = HaltTarget::parse("tool:payments/Refund").expect("a target");
    let before = t.count().await;
    assert!(!t.store.lift_halt(&near, t.record(Kind::Halt, None)).await.expect("there is none"));
    assert_eq!(t.count().await, before, "what did not happen is not recorded");
    let target = HaltTarget::parse("tool:payments/refund").expect("a target");
    assert!(t.store.lift_halt(&target, t.record(Kind::Halt, None)).await.expect("it is lifted"));
    assert!(!t.store.lift_halt(&target, t.record(Kind::Halt, None)).await.expect("there is none"));
    assert_eq!(t.store.halts().await.expect("read"), []);
}

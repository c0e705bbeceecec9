//! The log's leaves and its head.

use remit_app::intent::CommitError;
use remit_app::ledger::{Epoch, Head, Turn};
use remit_core::ids::Digest;
use remit_evidence::log::leaf::Leaf;
use remit_evidence::log::merkle::Frontier;
use remit_evidence::log::vkey::{Algorithm, VerifierKey};
use remit_evidence::record::Kind;

use super::trial::{Admission, Trial};

/// A head over so many leaves of this text.
pub(super) fn head(size: u64, text: &str) -> Head {
    let mut edge = Frontier::default();
    (0..size).for_each(|at| edge.push(Digest::of(format!("{text} {at}").as_bytes())));
    Head { origin: "log.example".into(), edge, note: format!("note of {size} {text}\n") }
}

pub(super) async fn leaves_are_those_of_the_records(t: Trial) {
    assert_eq!(t.store.count().await.expect("counted"), 0);
    assert_eq!(t.store.leaves(0, 9).await.expect("read"), []);
    let mut all = Vec::new();
    for _ in 0..5 {
        let record = t.record(Kind::Policy, None);
        all.push(Leaf::of(&record.envelope, record.seq).expect("a leaf"));
        t.store.append(record).await.expect("appended");
    }
    assert_eq!(t.store.count().await.expect("counted"), 5);
    assert_eq!(t.store.leaves(0, 9).await.expect("read"), all);
    assert_eq!(t.store.leaves(1, 2).await.expect("read"), all[1..3]);
    assert_eq!(t.store.leaves(4, 9).await.expect("read"), all[4..]);
    for after in [5, 6, u64::MAX] {
        assert_eq!(t.store.leaves(after, 9).await.expect("read"), []);
    }
}

pub(super) async fn leaves_are_durable_in_order(t: Trial) {
    let run = t.run("run-1").await;
    for call in ["one", "two"] {
        let admission = Admission { batched: true, ..t.admission(&run, call).await };
        t.admit(&admission).await;
    }
    let leaves = t.store.leaves(0, 9).await.expect("read");
    let records = t.store.records(&Default::default()).await.expect("read");
    // A store may leave out what is not durable yet, and nothing in between.
    assert!(!leaves.is_empty() && leaves.len() <= records.len());
    for (leaf, record) in leaves.iter().zip(&records) {
        assert_eq!(*leaf, Leaf::of(&record.envelope, record.seq).expect("a leaf"));
    }
}

pub(super) async fn come_back_as_they_were(t: Trial) {
    assert_eq!(t.store.head().await.expect("read"), None);
    let mut last = None;
    for size in [0, 1, 2, 255, 256, 257] {
        let next = head(size, "a");
        t.store.advance_head(last.as_ref(), &next).await.expect("advanced");
        assert_eq!(t.store.head().await.expect("read"), Some(next.clone()));
        last = Some(next);
    }
}

pub(super) async fn advance_from_what_stands(t: Trial) {
    let (one, two, three) = (head(1, "a"), head(2, "a"), head(3, "a"));
    let conflict = Err(CommitError::Conflict("head"));
    assert_eq!(t.store.advance_head(Some(&one), &two).await, conflict, "there is none yet");
    t.store.advance_head(None, &one).await.expect("the first");
    assert_eq!(t.store.advance_head(None, &two).await, conflict);
    assert_eq!(t.store.advance_head(Some(&two), &three).await, conflict);
    assert_eq!(t.store.advance_head(Some(&head(1, "b")), &two).await, conflict, "another tree");
    let other = Head { origin: "other.example".into(), ..one.clone() };
    assert_eq!(t.store.advance_head(Some(&other), &two).await, conflict, "another log");
    assert_eq!(t.store.head().await.expect("read"), Some(one.clone()));
    // The same tree may be signed again, from whichever of its notes.
    let again = Head { note: "later\n".into(), ..one.clone() };
    t.store.advance_head(Some(&one), &again).await.expect("the same tree");
    t.store.advance_head(Some(&one), &two).await.expect("the next");
    assert_eq!(t.store.head().await.expect("read"), Some(two));
    t.store.health().expect("a lost race is no reason to stop");
}

pub(super) async fn never_shrink_and_never_fork(t: Trial) {
    let two = head(2, "a");
    t.store.advance_head(None, &two).await.expect("the first");
    let renamed = Head { origin: "other.example".into(), ..head(3, "a") };
    for bad in [head(1, "a"), head(2, "b"), head(0, "a"), renamed] {
        assert_eq!(t.store.advance_head(Some(&two), &bad).await, Err(CommitError::Conflict("head")));
        assert_eq!(t.store.head().await.expect("read"), Some(two.clone()));
    }
}

/// From the log of [`head`], of so many leaves, to the log of this name.
fn turn(t: &Trial, size: u64, origin: &str, before: u64) -> Turn {
    let key = |name: &str| VerifierKey::new(name, Algorithm::Ed25519, &ED25519).expect("a key");
    let ended = Head { note: "final\n".into(), ..head(size + 1, "a") };
    let (keys, ended_keys) = (vec![key(origin), key("both")], vec![key(&ended.origin)]);
    let epoch = Epoch { origin: origin.into(), keys, first: before + size + 1, ended, ended_keys };
    Turn { epoch, last: t.record(Kind::Key, None), first: t.record(Kind::Key, None) }
}

/// The base point, which is a sound key.
const ED25519: [u8; 32] = {
    let mut key = [0x66; 32];
    key[0] = 0x58;
    key
};

async fn sealed(t: &Trial, count: u64) -> Head {
    for _ in 0..count {
        t.store.append(t.record(Kind::Policy, None)).await.expect("appended");
    }
    let last = head(count, "a");
    t.store.advance_head(None, &last).await.expect("the first");
    last
}

pub(super) async fn the_next_log_begins_where_one_ends(t: Trial) {
    assert_eq!(t.store.epochs().await.expect("read"), []);
    let last = sealed(&t, 3).await;
    let turn = turn(&t, 3, "log.example/2", 0);
    t.store.begin_epoch(&last, &turn).await.expect("begun");
    assert_eq!(t.store.epochs().await.expect("read"), std::slice::from_ref(&turn.epoch));
    assert_eq!((t.store.count().await.expect("counted"), t.store.head().await.expect("read")), (5, None));
    let records = t.store.records(&Default::default()).await.expect("read");
    assert_eq!((&records[3], &records[4]), (&turn.last, &turn.first));
    // The log that ended never goes on, and the next one has its own name.
    let conflict = Err(CommitError::Conflict("head"));
    assert_eq!(t.store.advance_head(Some(&turn.epoch.ended), &head(5, "a")).await, conflict);
    assert_eq!(t.store.advance_head(None, &head(1, "b")).await, conflict);
    let next = Head { origin: "log.example/2".into(), ..head(1, "b") };
    t.store.advance_head(None, &next).await.expect("its first head");
    assert_eq!(t.store.head().await.expect("read"), Some(next));
    assert_eq!(t.store.epochs().await.expect("read"), [turn.epoch]);
}

pub(super) async fn a_log_ends_whole_and_once(t: Trial) {
    let last = sealed(&t, 3).await;
    let good = turn(&t, 3, "log.example/2", 0);
    let bad = |change: &dyn Fn(&mut Epoch)| {
        let mut bad = good.clone();
        change(&mut bad.epoch);
        bad
    };
    let conflict = Err(CommitError::Conflict("head"));
    for turn in [
        bad(&|epoch| epoch.origin = "log.example".into()),
        bad(&|epoch| epoch.first = 3),
        bad(&|epoch| epoch.ended = head(3, "a")),
        bad(&|epoch| epoch.ended.origin = "other.example".into()),
    ] {
        assert_eq!(t.store.begin_epoch(&last, &turn).await, conflict, "{:?}", turn.epoch);
    }
    assert_eq!(t.store.begin_epoch(&head(3, "b"), &good).await, conflict, "another tree");
    // What no checkpoint covers would stand in neither log.
    t.store.append(t.record(Kind::Policy, None)).await.expect("appended");
    assert_eq!(t.store.begin_epoch(&last, &good).await, conflict);
    assert_eq!((t.store.count().await.expect("counted"), t.store.head().await.expect("read")), (4, Some(last.clone())));
    let last = head(4, "a");
    t.store.advance_head(Some(&head(3, "a")), &last).await.expect("sealed");
    t.store.begin_epoch(&last, &turn(&t, 4, "log.example/2", 0)).await.expect("begun");
    assert_eq!(t.store.begin_epoch(&last, &turn(&t, 4, "log.example/3", 0)).await, conflict, "it has ended");
    let next = Head { origin: "log.example/2".into(), ..head(1, "a") };
    t.store.advance_head(None, &next).await.expect("its first head");
    let mut back = turn(&t, 1, "log.example", 5);
    back.epoch.ended.origin = "log.example/2".into();
    assert_eq!(t.store.begin_epoch(&next, &back).await, conflict, "no name comes back");
    t.store.health().expect("a lost race is no reason to stop");
}

//! Many at once, and exactly one wins.

use std::sync::Arc;

use remit_app::intent::{CommitError, Committed};
use remit_core::budget::Unit;
use remit_evidence::record::Kind;
use tokio::task::JoinSet;

use super::trial::{Admission, Trial, budget, conflict, digest, moment, needed, question, reservation, run, vote};

const RACERS: usize = 32;

/// Commits the same admission many times at once; how many were admitted.
async fn race(t: &Arc<Trial>, admission: &Admission) -> (usize, Vec<Result<Committed, CommitError>>) {
    let mut racers = JoinSet::new();
    for racer in 0..RACERS {
        let (t, admission) = (Arc::clone(t), Admission { batched: racer % 2 == 0, ..admission.clone() });
        racers.spawn(async move { t.commit(&admission).await });
    }
    let results = racers.join_all().await;
    (results.iter().filter(|r| matches!(r, Ok(Committed::Admitted(_)))).count(), results)
}

pub(super) async fn for_the_last_unit(t: Trial) {
    let run = t.run("run-1").await;
    let t = Arc::new(t);
    for (key, room) in [("one", 1), ("seven", 7)] {
        let calls = budget(key, Unit::Calls, room);
        let admission = Admission { reservations: vec![reservation(&calls, 1)], ..t.admission(&run, "call").await };
        let (admitted, results) = race(&t, &admission).await;
        assert_eq!(admitted as u64, room);
        for lost in results.into_iter().filter(Result::is_err) {
            assert_eq!(conflict(lost), "budget");
        }
        assert_eq!(t.store.usage(&[calls]).await.expect("read"), [(0, room)]);
    }
}

pub(super) async fn for_one_approval(t: Trial) {
    let run = t.run("run-1").await;
    let id = t.hold(&run, question("q-1", "call", &[("finance", 1)])).await;
    t.vote(vote(&id, "finance", "fiona", true)).await.expect("it counts");
    let case = t.load_with(&run, digest("call"), Vec::new(), &[needed("finance", 1)], moment(2)).await;
    let admission = t.admission(&run, "call").await;
    let admission = Admission { basis: case.basis, approvals: case.file.approved, at: moment(2), ..admission };
    let (admitted, results) = race(&Arc::new(t), &admission).await;
    assert_eq!(admitted, 1);
    assert_eq!(
        results.into_iter().filter(Result::is_err).map(conflict).filter(|c| *c == "approval").count(),
        RACERS - 1
    );
}

pub(super) async fn for_one_key(t: Trial) {
    let run = t.run("run-1").await;
    let admission = Admission { key: Some("key"), ..t.admission(&run, "call").await };
    let (admitted, results) = race(&Arc::new(t), &admission).await;
    assert_eq!(admitted, 1);
    let winner = results.iter().find_map(|r| match r {
        Ok(Committed::Admitted(receipt)) => Some(receipt.intent().clone()),
        _ => None,
    });
    for result in &results {
        match result {
            Ok(Committed::Repeated { intent, .. }) => assert_eq!(Some(intent), winner.as_ref()),
            Ok(Committed::Admitted(_)) => {}
            other => panic!("one is admitted and the others are repeated, and the store says {other:?}"),
        }
    }
}

pub(super) async fn for_one_question(t: Trial) {
    let run = t.run("run-1").await;
    let t = Arc::new(t);
    let mut racers = JoinSet::new();
    for racer in 0..RACERS {
        let (t, run) = (Arc::clone(&t), run.clone());
        let question = question(&format!("q-{racer}"), "call", &[("finance", 2)]);
        racers.spawn(async move { t.hold(&run, question).await });
    }
    let mut held = racers.join_all().await;
    held.dedup();
    assert_eq!(held.len(), 1, "all are held by the same question");
    let mut racers = JoinSet::new();
    for _ in 0..RACERS {
        let (t, vote) = (Arc::clone(&t), vote(&held[0], "finance", "fiona", true));
        racers.spawn(async move { t.vote(vote).await });
    }
    assert_eq!(racers.join_all().await.iter().filter(|vote| vote.is_ok()).count(), 1);
}

pub(super) async fn for_one_run(t: Trial) {
    let t = Arc::new(t);
    let mut racers = JoinSet::new();
    for _ in 0..RACERS {
        let t = Arc::clone(&t);
        racers.spawn(async move {
            let run = run("run-1");
            let record = t.record(Kind::Run, Some(&run.id));
            t.store.open_run(&run, record).await
        });
    }
    assert_eq!(racers.join_all().await.iter().filter(|opened| opened.is_ok()).count(), 1);
}

pub(super) async fn for_the_head(t: Trial) {
    let t = Arc::new(t);
    let mut last = None;
    for size in 1..4 {
        let mut racers = JoinSet::new();
        for racer in 0..RACERS {
            let (t, from) = (Arc::clone(&t), last.clone());
            let to = super::heads::head(size, &format!("racer {racer}"));
            racers.spawn(async move { t.store.advance_head(from.as_ref(), &to).await.map(|()| to) });
        }
        let (won, lost): (Vec<_>, Vec<_>) = racers.join_all().await.into_iter().partition(Result::is_ok);
        assert!(lost.into_iter().all(|lost| lost == Err(CommitError::Conflict("head"))));
        let [Ok(winner)] = won.as_slice() else { panic!("exactly one wins, and here {} did", won.len()) };
        assert_eq!(t.store.head().await.expect("read").as_ref(), Some(winner));
        last = Some(winner.clone());
    }
}

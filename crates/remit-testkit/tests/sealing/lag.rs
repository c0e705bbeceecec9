//! How far the log is behind: what the gate relies on when it lets a call through.

use remit_app::seal::{Lag, Lost, Sealed};
use remit_core::unsealed::{Then, Unsealed};
use std::sync::Arc;

use crate::world::{Fault, Step, World, settle};

/// When the records of a trial were made.
const MADE: i64 = 1_795_255_200;

#[tokio::test]
async fn records_wait_from_when_they_were_made_until_they_are_sealed() {
    let world = World::new();
    let now = |secs| jiff::Timestamp::from_second(secs).expect("a time");
    let lag = Arc::new(Lag::of(&*world.store, now(MADE)).await.expect("read"));
    assert_eq!(lag.overdue(now(MADE + 60)), None, "nothing waits");
    assert!(lag.overdue(now(MADE + 61)).is_some(), "nobody has looked for a minute");
    world.append(3).await;
    let lag = Arc::new(Lag::of(&*world.store, now(MADE + 1_000)).await.expect("read"));
    assert_eq!((lag.secs(now(MADE + 1_000)), lag.overdue(now(MADE + 1_000)).is_some()), (1_000, true));
    assert_eq!(lag.overdue(now(MADE - 5)), None, "whoever asked may have looked at the clock before the sealer did");
    assert!(lag.overdue(now(MADE - 6)).is_some(), "the clock was set back");
    lag.bind(Unsealed { within_secs: 1_000, then: Then::Refuse });
    assert_eq!(lag.overdue(now(MADE + 1_000)), None);
    let mut sealer = world.sealer().telling(Arc::clone(&lag));
    settle(&mut sealer).await;
    let sealed = world.now.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(lag.secs(now(sealed)), 0);
    assert_eq!(lag.trouble(now(sealed + 1_000)), None);
    world.later(500);
    assert!(matches!(sealer.round().await, Sealed::Published(_)), "a heartbeat");
    assert_eq!(lag.secs(now(sealed + 500)), 0);
    world.later(1);
    assert_eq!(sealer.round().await, Sealed::Idle);
    assert_eq!(lag.secs(now(sealed + 501)), 0, "looking is enough when there is nothing");
}

#[tokio::test]
async fn a_round_that_fails_covers_nothing() {
    for (step, broken) in [(Step::Head, false), (Step::Bundle, false), (Step::Checkpoint, false), (Step::Tile, true)] {
        let world = World::new();
        let lag = Arc::new(Lag::default());
        let mut sealer = world.sealer().telling(Arc::clone(&lag));
        world.append(1).await;
        settle(&mut sealer).await;
        let start = world.now.load(std::sync::atomic::Ordering::Relaxed);
        let now = jiff::Timestamp::from_second(start + 61).expect("a time");
        world.append(1).await;
        world.later(61);
        world.fate.order(Some(step), 0, Fault { done: false, broken, deadly: false });
        let said = sealer.round().await;
        assert!(!matches!(said, Sealed::Published(_) | Sealed::Idle), "{said:?}");
        assert!(lag.overdue(now).is_some_and(|why| why.contains("61 s")), "{step:?}");
        let stopped = lag.trouble(now).is_some_and(|why| why.starts_with("sealing has stopped (ledger.damaged); "));
        assert_eq!(stopped, matches!(said, Sealed::Lost(Lost::Damaged(_))), "{step:?}");
        if !broken {
            settle(&mut sealer).await;
            assert_eq!(lag.trouble(now), None, "{step:?}: it has caught up");
        }
    }
}

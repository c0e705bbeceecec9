//! The matrix: each step fails, with and without its effect, softly and for good, in a process that
//! lives on and in one that dies; and a process that dies at every single step.

use remit_app::seal::{Lost, Sealed};

use crate::world::{Fate, Fault, Step, World, settle};

const STEPS: [Step; 5] = [Step::Head, Step::Bundle, Step::Tile, Step::Guard, Step::Checkpoint];

fn all_faults() -> impl Iterator<Item = Fault> {
    let both = [false, true];
    both.into_iter().flat_map(move |done| {
        both.into_iter().flat_map(move |broken| both.into_iter().map(move |deadly| Fault { done, broken, deadly }))
    })
}

#[tokio::test]
async fn each_step_may_fail_in_each_way() {
    for step in STEPS {
        for fault in all_faults() {
            let case = format!("{step:?} {fault:?}");
            let world = World::new();
            let mut sealer = world.sealer();
            world.append(250).await;
            settle(&mut sealer).await;
            world.append(10).await;
            world.fate.order(Some(step), 0, fault);
            let said = sealer.round().await;
            assert_eq!(world.fate.struck.lock().expect("struck").take(), Some(step), "{case}");
            match (step, &said) {
                // Whether the head was advanced is unknown: that is the end of this process.
                (Step::Head, Sealed::Lost(Lost::Unknown(_))) => assert!(fault.done, "{case}"),
                (Step::Head, Sealed::Later(_)) => assert!(!fault.done, "{case}"),
                (_, Sealed::Lost(Lost::Damaged(_))) => assert!(fault.broken, "{case}"),
                (_, Sealed::Later(_)) => assert!(!fault.broken, "{case}"),
                other => panic!("{case}: {other:?}"),
            }
            if let Sealed::Lost(_) = said {
                world.append(1).await;
                assert_eq!(sealer.round().await, said, "{case}: lost is lost");
            }
            if fault.deadly || matches!(said, Sealed::Lost(_)) {
                world.fate.revive();
                sealer = world.sealer();
            }
            settle(&mut sealer).await;
            world.check(&case).await;
            world.append(3).await;
            settle(&mut sealer).await;
            world.check(&case).await;
        }
    }
}

/// Grows a log in steps of awkward sizes; false once the process has died.
async fn life(world: &World) -> bool {
    let mut sealer = world.sealer();
    for count in [1, 254, 1, 1, 300] {
        world.append(count).await;
        world.later(1);
        if !matches!(sealer.round().await, Sealed::Published(_)) {
            return false;
        }
    }
    true
}

#[tokio::test]
async fn a_process_may_die_at_every_step() {
    for done in [false, true] {
        let mut at = 0;
        loop {
            let world = World::new();
            world.fate.order(None, at, Fault { done, broken: false, deadly: true });
            if life(&world).await {
                break;
            }
            let case = format!("step {at}, done: {done}, {:?}", world.fate.struck.lock().expect("struck"));
            world.fate.revive();
            let mut sealer = world.sealer();
            settle(&mut sealer).await;
            world.check(&case).await;
            at += 1;
        }
        assert!(at > 24, "only {at} steps were tried");
    }
}

#[tokio::test]
async fn an_heir_may_die_while_it_catches_up() {
    for at in 0..12 {
        let world = World::new();
        let mut sealer = world.sealer();
        world.append(255).await;
        settle(&mut sealer).await;
        world.append(300).await;
        let deadly = Fault { done: true, broken: false, deadly: true };
        world.fate.order(Some(Step::Head), 0, deadly);
        assert!(matches!(sealer.round().await, Sealed::Later(_) | Sealed::Lost(_)));
        Fate::revive(&world.fate);
        world.fate.order(None, at, deadly);
        let _died = world.sealer().round().await;
        world.fate.revive();
        settle(&mut world.sealer()).await;
        world.check(&format!("heir {at}")).await;
    }
}

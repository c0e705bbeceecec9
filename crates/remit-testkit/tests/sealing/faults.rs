//! The matrix: each step fails, with and without its effect, softly and for good, in a process that
//! lives on and in one that dies; and a process that dies at every single step.

use std::path::Path;
use std::sync::Arc;

use remit_app::seal::{Lost, Sealed, Sealer};
use remit_evidence::log::note::NoteSigner;
use remit_evidence::log::vkey::VerifierKey;
use remit_server::signer::Signer;
use remit_store_sqlite::faults::{Fault as FileFault, Faults};
use remit_store_sqlite::{Options, SqliteStore};
use remit_testkit::conformance::trial::Trial;

use crate::world::{Fate, Fault, ORIGIN, Step, World, log_key, settle};

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

/// Orders a fault of the store's file when it is asked to sign: the next commit is that of the head.
struct Ordering(Signer, Faults, FileFault);

impl NoteSigner for Ordering {
    fn key(&self) -> &VerifierKey {
        self.0.key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        self.1.order(self.2);
        self.0.sign(message)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_fails_while_the_head_is_written_ends_the_sealer() {
    for fault in [FileFault::BeforeCommit, FileFault::AfterCommit] {
        let place = tempfile::tempdir().expect("a folder");
        let (file, faults) = (place.path().join("remit.db"), Faults::default());
        let open = |file: &Path, faults: &Faults| {
            let options = Options { faults: faults.clone(), ..Options::default() };
            Arc::new(SqliteStore::open(file, options).expect("it opens"))
        };
        let mut world = World::over(open(&file, &faults), Arc::default());
        world.append(300).await;
        settle(&mut world.sealer()).await;
        world.append(40).await;
        let signer = Ordering(log_key(), faults.clone(), fault);
        let tools = world.tools(Arc::clone(&world.store), Box::new(signer));
        let mut sealer = Sealer::new(ORIGIN, tools, Vec::new(), 0);
        let said = sealer.round().await;
        assert!(matches!(said, Sealed::Lost(Lost::Unknown(_))), "{fault:?}: {said:?}");
        assert_eq!(world.published().size, 300, "{fault:?}: the note has left the process");
        drop(sealer);

        // Whoever comes next asks the file.
        world.store.close().await;
        let empty: Arc<dyn remit_app::ports::Store> = Arc::new(remit_testkit::memory::MemoryStore::new());
        world.trial = Trial::new(Arc::clone(&empty));
        drop(std::mem::replace(&mut world.store, empty));
        world.store = open(&file, &Faults::default());
        settle(&mut world.sealer()).await;
        world.check(&format!("{fault:?}")).await;
    }
}

#[tokio::test]
async fn the_order_is_the_safety() {
    let world = World::new();
    let mut sealer = world.sealer();
    for (count, files) in [(3, 1), (260, 3), (1, 1)] {
        world.append(count).await;
        world.fate.steps.lock().expect("steps").clear();
        assert!(matches!(sealer.round().await, Sealed::Published(_)));
        let mut steps = world.fate.steps.lock().expect("steps").clone();
        assert_eq!(steps.iter().filter(|step| **step == Step::Tile).count(), files);
        steps.dedup();
        assert_eq!(steps, STEPS, "{count}");
    }
}

#[tokio::test]
async fn a_disk_that_lies_is_noticed_before_anybody_sees_it() {
    let world = World::new();
    let mut sealer = world.sealer();
    world.append(10).await;
    settle(&mut sealer).await;
    world.append(10).await;
    world.fate.lying.store(true, std::sync::atomic::Ordering::Relaxed);
    let said = sealer.round().await;
    assert!(matches!(&said, Sealed::Lost(Lost::Damaged(_))), "{said:?}");
    assert_eq!(world.published().size, 10);
}

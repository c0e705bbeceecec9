//! Old backups, second sealers, damaged and missing files, heartbeats.

use std::sync::Arc;

use remit_app::ports::{RecordFilter, Store};
use remit_app::seal::{HEARTBEAT_SECS, Lost, Sealed};
use remit_testkit::memory::MemoryStore;

use crate::world::{Fate, World, copy, settle};

/// A store with only the first records and head of another: a backup.
async fn backup(world: &World, records: u32) -> Arc<dyn Store> {
    let old = MemoryStore::new();
    let filter = RecordFilter { limit: records, ..RecordFilter::default() };
    for record in world.store.records(&filter).await.expect("read") {
        old.append(record).await.expect("appended");
    }
    let head = world.store.head().await.expect("read").expect("a head");
    assert_eq!(head.edge.size(), u64::from(records));
    old.advance_head(None, &head).await.expect("advanced");
    Arc::new(old)
}

#[tokio::test]
async fn an_old_store_signs_nothing() {
    let world = World::new();
    let mut sealer = world.sealer();
    world.append(300).await;
    settle(&mut sealer).await;
    let (old, files) = (backup(&world, 300).await, world.place.path().join("old"));
    copy(&world.ledger(), &files);
    world.append(20).await;
    settle(&mut sealer).await;
    let seen = world.seen.lock().expect("seen").len();

    let mut restored = world.sealer_over(Arc::clone(&old), Vec::new(), 0);
    let said = restored.round().await;
    let Sealed::Lost(lost @ Lost::Behind { theirs: 320, ours: 300, .. }) = &said else { panic!("{said:?}") };
    assert!(lost.to_string().starts_with("ledger.behind: the published checkpoint has 320 leaves"), "{lost}");
    // The folder was restored with it. The guard was not.
    std::fs::remove_dir_all(world.ledger()).expect("removed");
    copy(&files, &world.ledger());
    let said = world.sealer_over(Arc::clone(&old), Vec::new(), 0).round().await;
    let Sealed::Lost(Lost::Behind { who, .. }) = &said else { panic!("{said:?}") };
    assert_eq!(who, "the guard");
    // Even when it has as many records again, and other ones.
    for at in 0..40 {
        let record = remit_evidence::writer::SignedRecord {
            writer: "other".into(),
            ..world.trial.record(remit_evidence::record::Kind::Policy, None)
        };
        old.append(record).await.unwrap_or_else(|error| panic!("{at}: {error}"));
    }
    assert!(matches!(world.sealer_over(old, Vec::new(), 0).round().await, Sealed::Lost(Lost::Behind { .. })));
    assert_eq!(world.seen.lock().expect("seen").len(), seen, "something was published");
}

#[tokio::test]
async fn a_log_whose_guard_knows_another_tree_is_forked() {
    let world = World::new();
    world.append(30).await;
    settle(&mut world.sealer()).await;
    let other = World::new();
    drop(other.trial.record(remit_evidence::record::Kind::Policy, None));
    other.append(20).await;
    settle(&mut other.sealer()).await;
    std::fs::copy(other.guard(), world.guard()).expect("copied");
    let said = world.sealer().round().await;
    assert!(matches!(&said, Sealed::Lost(Lost::Forked { size: 20, .. })), "{said:?}");
}

#[tokio::test]
async fn of_two_sealers_one_stops() {
    let world = World::new();
    world.append(10).await;
    let (mut one, mut two) = (world.sealer(), world.sealer());
    assert!(matches!(one.round().await, Sealed::Published(_)));
    assert!(matches!(two.round().await, Sealed::Published(_)), "it takes up what stands, and signs it again");
    world.append(5).await;
    assert!(matches!(one.round().await, Sealed::Published(_)));
    world.append(5).await;
    assert_eq!(two.round().await, Sealed::Lost(Lost::Raced));
    assert_eq!(two.round().await, Sealed::Lost(Lost::Raced));
    settle(&mut one).await;
    world.check("the winner goes on").await;
}

#[tokio::test]
async fn missing_files_are_made_again_and_changed_ones_end_it() {
    let world = World::new();
    world.append(600).await;
    settle(&mut world.sealer()).await;
    for gone in ["tile", "tile/entries", "tile/0/000", "tile/1", "checkpoint"] {
        let path = world.ledger().join(gone);
        if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) }.expect("removed");
        if gone == "tile/0/000" {
            // Nobody looks at old tiles at the start; that is what fsck is for. Without a checkpoint all are made.
            std::fs::remove_file(world.ledger().join("checkpoint")).expect("removed");
        }
        settle(&mut world.sealer()).await;
        world.check(gone).await;
    }
    for (path, at) in [("tile/0/002.p/88", 40), ("tile/1/000.p/2", 3), ("tile/entries/002.p/88", 700)] {
        let path = world.ledger().join(path);
        let good = std::fs::read(&path).expect("read");
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, bad).expect("written");
        let said = world.sealer().round().await;
        assert!(matches!(&said, Sealed::Lost(Lost::Damaged(_))), "{}: {said:?}", path.display());
        std::fs::write(&path, good).expect("written");
    }
}

#[tokio::test]
async fn a_head_is_signed_again_when_it_is_old() {
    let world = World::new();
    let mut sealer = world.sealer();
    assert_eq!(sealer.round().await, Sealed::Idle, "nothing to seal");
    world.append(1).await;
    assert!(matches!(sealer.round().await, Sealed::Published(_)));
    world.later(HEARTBEAT_SECS - 1);
    assert_eq!(sealer.round().await, Sealed::Idle);
    world.later(1);
    let said = sealer.round().await;
    assert!(matches!(&said, Sealed::Published(report) if report.fresh == 0 && report.head.size == 1), "{said:?}");
    assert_eq!(sealer.round().await, Sealed::Idle);
    world.later(-3_600);
    assert!(matches!(sealer.round().await, Sealed::Published(_)), "the clock was set back");
    world.check("heartbeats").await;
}

#[tokio::test]
async fn other_keys_sign_nothing() {
    let world = World::new();
    world.append(3).await;
    settle(&mut world.sealer()).await;
    let path = world.ledger().join("checkpoint");
    let note = std::fs::read_to_string(&path).expect("read");
    std::fs::write(&path, note.replace("log.example/acme\n3", "log.example/acme\n4")).expect("written");
    let said = world.sealer().round().await;
    assert!(matches!(&said, Sealed::Lost(Lost::Damaged(_))), "{said:?}");
    Fate::revive(&world.fate);
}

//! From one log to the next, with a fault at every step that leaves the process: afterwards one log stands, whole,
//! or two do, and no leaf is lost or doubled.

use std::path::PathBuf;
use std::sync::Arc;

use remit_app::ledger::Guard as _;
use remit_app::ports::RecordFilter;
use remit_app::seal::{Next, NotTurned, Reader, Sealed, Sealer};
use remit_core::ids::TenantId;
use remit_evidence::log::audit::audit;
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::merkle::Frontier;
use remit_evidence::log::note::{Note, NoteSigner as _};
use remit_evidence::log::vkey::Algorithm;
use remit_evidence::record::Kind;
use remit_evidence::writer::Writer;
use remit_server::keys::{Ed25519, Machine};
use remit_server::ledger::folder::LedgerFolder;
use remit_server::ledger::guard::GuardFile;
use remit_server::signer::Signer;
use serde_json::Value;

use crate::world::{Fault, ORIGIN, World, entries, log_key, settle};

const NEXT: &str = "log.example/acme/2";

fn next_key() -> Signer {
    Signer::ed25519(NEXT, Algorithm::Ed25519, &[8; 32]).expect("a key")
}

fn next_folder(world: &World) -> PathBuf {
    world.ledger().join("2")
}

/// What a process makes of what the store says.
async fn process(world: &World) -> Sealer {
    let epochs = world.store.epochs().await.expect("read");
    let Some(epoch) = epochs.last() else { return world.sealer() };
    // It signs nothing, whatever it is given.
    let tools = world.tools(Arc::clone(&world.store), Box::new(next_key()));
    let before = Sealer::of_ended(0, epoch.ended.clone(), &epoch.ended_keys, tools, Vec::new(), 0);
    let tools = world.tools_in(next_folder(world), Arc::clone(&world.store), Box::new(next_key()));
    Sealer::new(NEXT, tools, Vec::new(), 0).behind(epoch, before)
}

async fn turn(world: &World, sealer: Sealer) -> Result<(), NotTurned> {
    let root = Box::new(Ed25519::generate().expect("a key"));
    let root = Writer::new(root, TenantId::parse("acme").expect("an id"));
    let next = Next { origin: NEXT, keys: vec![next_key().vkey().clone()] };
    let turned = sealer.turn(&next, &root, &Machine).await;
    if turned.is_ok() {
        assert_eq!(world.store.epochs().await.expect("read").len(), 1);
    }
    turned.map(drop)
}

/// Both logs, whole: every record is a leaf of one of them, and everything that anybody saw is a part of one.
async fn check(world: &World, appended: usize, case: &str) {
    let epochs = world.store.epochs().await.expect("read");
    let [epoch] = epochs.as_slice() else { panic!("{case}: {} turns", epochs.len()) };
    let records =
        world.store.records(&RecordFilter { limit: u32::MAX, ..RecordFilter::default() }).await.expect("read");
    assert_eq!(records.len(), appended + 2, "{case}: a record is lost or doubled");
    let first = usize::try_from(epoch.first).expect("small");
    let event = |at: usize| {
        let said: Value = serde_json::from_slice(&records[at].envelope.payload).expect("JSON");
        said["predicate"]["event"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!((event(first - 1).as_str(), event(first).as_str()), ("log_ended", "log_begun"), "{case}");
    assert_eq!(records.iter().filter(|record| record.kind == Kind::Key).count(), 2, "{case}");

    let leaves = world.store.leaves(0, u32::MAX).await.expect("read");
    let (old, new) = leaves.split_at(first);
    let head = world.store.head().await.expect("read").expect("a head");
    for (folder, leaves, mark) in [(world.ledger(), old, epoch.ended.mark()), (next_folder(world), new, head.mark())] {
        let note = std::fs::read(folder.join("checkpoint")).expect("published");
        let published = Checkpoint::parse(Note::parse(&note).expect("a note").text()).expect("a checkpoint");
        let stated = (published.origin, published.size, published.root);
        assert_eq!(stated, (mark.origin, leaves.len() as u64, mark.root), "{case}");
        let folder = LedgerFolder::open(&folder).expect("it opens");
        assert_eq!(audit(stated.1, &stated.2, &Reader(&folder)), [], "{case}");
        assert_eq!(entries(&Reader(&folder), stated.1), leaves, "{case}");
    }
    assert_eq!(GuardFile::at(&world.guard()).expect("it opens").last().expect("read"), Some(head.mark()), "{case}");
    let keys = [log_key().key().clone(), next_key().key().clone()];
    for note in world.seen.lock().expect("seen").iter() {
        let note = Note::parse(note.as_bytes()).expect("a note");
        let seen = Checkpoint::open(&note, &keys, []).expect("ours").checkpoint;
        let of = if seen.origin == ORIGIN { old } else { new };
        let mut edge = Frontier::default();
        of.iter().take(usize::try_from(seen.size).expect("small")).for_each(|leaf| edge.push(leaf.hash()));
        assert_eq!((edge.size(), edge.root()), (seen.size, seen.root), "{case}: somebody saw another tree");
    }
}

#[tokio::test]
async fn a_crash_anywhere_leaves_one_head_and_every_leaf() {
    for done in [false, true] {
        for at in 0.. {
            let (case, world) = (format!("step {at}, done: {done}"), World::new());
            world.append(254).await;
            settle(&mut world.sealer()).await;
            world.append(3).await;
            world.fate.order(None, at, Fault { done, broken: false, deadly: true });
            let turned = turn(&world, process(&world).await).await;
            let mut sealer = process(&world).await;
            world.append(2).await;
            let _whatever = sealer.round().await;
            let struck = world.fate.struck.lock().expect("struck").take();
            world.fate.revive();
            let turns = world.store.epochs().await.expect("read").len();
            match &turned {
                Ok(()) => assert_eq!(turns, 1, "{case}"),
                Err(NotTurned::Unknown(_)) => {}
                Err(_) => assert_eq!(turns, 0, "{case}"),
            }
            if turns == 0 {
                turn(&world, process(&world).await).await.expect("the second time");
            }
            settle(&mut process(&world).await).await;
            check(&world, 259, &case).await;
            if struck.is_none() {
                assert!(at > 10, "only {at} steps");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_log_with_a_used_key_or_a_used_name_is_not_begun() {
    let world = World::new();
    let root = || Writer::new(Box::new(Ed25519::generate().expect("a key")), TenantId::parse("acme").expect("an id"));
    let next = |origin: &'static str, key: &Signer| Next { origin, keys: vec![key.vkey().clone()] };
    let empty = world.sealer().turn(&next(NEXT, &next_key()), &root(), &Machine).await;
    assert!(matches!(empty, Err(NotTurned::Unsealed(_))), "{empty:?}");
    world.append(3).await;
    let used = Signer::ed25519(NEXT, Algorithm::Ed25519, &[7; 32]).expect("a key");
    for bad in [next(NEXT, &used), next(NEXT, &log_key()), Next { origin: NEXT, keys: Vec::new() }] {
        let refused = world.sealer().turn(&bad, &root(), &Machine).await;
        assert!(matches!(refused, Err(NotTurned::Keys(_))), "{refused:?}");
    }
    let other = Signer::ed25519(ORIGIN, Algorithm::Ed25519, &[8; 32]).expect("a key");
    let refused = world.sealer().turn(&next(ORIGIN, &other), &root(), &Machine).await;
    assert!(matches!(refused, Err(NotTurned::Conflict(_))), "{refused:?}");
    settle(&mut world.sealer()).await;
    world.check("nothing was begun").await;
}

#[tokio::test]
async fn a_copy_from_before_the_turn_signs_nothing_on_the_old_log() {
    let world = World::new();
    world.append(5).await;
    settle(&mut world.sealer()).await;
    turn(&world, world.sealer()).await.expect("turned");
    settle(&mut process(&world).await).await;
    // The guard is with the new log: a process that knows of the old one only is behind.
    let said = world.sealer().round().await;
    assert!(matches!(&said, Sealed::Lost(_)), "{said:?}");
    // Files of the old log that were lost are made again, and its guard is not missed.
    std::fs::remove_dir_all(world.ledger().join("tile")).expect("removed");
    std::fs::remove_file(world.ledger().join("checkpoint")).expect("removed");
    world.append(1).await;
    settle(&mut process(&world).await).await;
    check(&world, 6, "made again").await;
}

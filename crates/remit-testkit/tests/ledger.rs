//! The ledger of a real gateway: sealed to the last record, served, taken up after kills, and looked at
//! with the program's own verbs.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use remit_app::ports::Store as _;
use remit_cli::boot::Running;
use remit_core::halt::HaltTarget;
use remit_core::ids::OperatorId;
use remit_evidence::log::note::Note;
use remit_evidence::log::policy::Policy;
use remit_store_sqlite::SqliteStore;
use remit_testkit::place::{self, Place};
use remit_testkit::wire::Wire;

fn remit(place: &Path, verb: &str) -> (bool, String) {
    let told = place::remit(&["-C", &place.display().to_string(), "ledger", verb]);
    (told.well, told.out + &told.err)
}

async fn start(place: &Path) -> Running {
    let address = "127.0.0.1:0".parse().expect("an address");
    Running::start(place, Some(address)).await.map_err(|error| error.to_string()).expect("it starts")
}

/// Lets the gateway write so many records.
async fn records(running: &Running, count: usize) {
    let by = OperatorId::parse("olga").expect("an id");
    for _ in 0..count {
        running.edge.gate.halt(HaltTarget::Tenant, &by, "a test").await.expect("ordered");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_sealed_and_every_flipped_bit_is_named() {
    let place = Place::base();
    let place = place.path();
    let running = start(place).await;
    records(&running, 300).await;
    running.stop().await;

    let store = SqliteStore::inspect(&place.join(".remit/remit.db")).expect("it opens");
    let (count, head) = (store.count().await.expect("counted"), store.head().await.expect("read").expect("a head"));
    assert!(count > 300 && head.edge.size() == count, "{count} records, {} sealed", head.edge.size());
    let (sound, told) = remit(place, "fsck");
    assert!(sound && told.contains(&format!("{count} leaves, 0 records not yet sealed, 0 things")), "{told}");
    let (sound, told) = remit(place, "gaps");
    assert!(sound, "{told}");
    let (sound, told) = remit(place, "head");
    assert!(sound && told.contains(&format!("size    {count}")) && told.contains("(log, ML-DSA-44)"), "{told}");

    let (_, policy) = remit(place, "keys");
    let policy = Policy::parse(policy.as_bytes()).expect("an auditor can read it");
    let note = std::fs::read(place.join(".remit/ledger/checkpoint")).expect("read");
    let accepted = policy.open(&Note::parse(&note).expect("a note")).expect("it is believed");
    assert_eq!((accepted.checkpoint.size, accepted.log.len()), (count, 2));

    let tail = count - 256;
    for file in ["0/000", "entries/000", "1/000.p/1", &format!("0/001.p/{tail}"), &format!("entries/001.p/{tail}")] {
        let path = place.join(".remit/ledger/tile").join(file);
        let good = std::fs::read(&path).expect("read");
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 4;
        std::fs::write(&path, bad).expect("written");
        let (sound, told) = remit(place, "fsck");
        assert!(!sound && told.contains(&format!("WRONG `tile/{file}`")), "{file}: {told}");
        std::fs::write(&path, good).expect("written");
    }
    assert!(remit(place, "fsck").0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_serves_its_ledger_and_takes_it_up_again() {
    let place = Place::base();
    let place = place.path();
    start(place).await.stop().await;
    let first = std::fs::read_to_string(place.join(".remit/ledger/checkpoint")).expect("published");
    // As a crash between head and files leaves it.
    std::fs::remove_dir_all(place.join(".remit/ledger")).expect("removed");
    let running = start(place).await;
    let wire = Wire::to(&running.url);
    let mut served = (0, String::new());
    for _ in 0..100 {
        served = wire.fetch("/ledger/checkpoint").await.expect("an answer");
        if served.0 == 200 && served.1 != first {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let size = served.1.lines().nth(1).expect("a size").to_owned();
    assert_eq!(served.0, 200);
    assert_eq!(wire.fetch(&format!("/ledger/tile/0/000.p/{size}")).await.expect("an answer").0, 200);
    for other in [
        "/ledger/",
        "/ledger/tile/0/000.p/256",
        "/ledger/tile/0/0",
        "/ledger/..%2fremit.db",
        "/ledger/tile/..%2f..%2fremit.db",
    ] {
        assert_eq!(wire.fetch(other).await.expect("an answer").0, 404, "{other}");
    }
    let (_, metrics) = wire.fetch("/metrics").await.expect("an answer");
    assert!(metrics.contains(&format!("remit_ledger_leaves {size}")), "{metrics}");
    assert!(metrics.contains("remit_ledger_unsealed 0") && metrics.contains("remit_ledger_stopped 0"), "{metrics}");
    running.stop().await;
    assert!(remit(place, "fsck").0);
}

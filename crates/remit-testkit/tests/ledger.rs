//! The ledger of a real gateway: sealed to the last record, served, taken up after kills, and looked at
//! with the program's own verbs.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod premises;

use std::time::Duration;

use premises::{Premises, records};
use remit_app::ports::Store as _;
use remit_evidence::log::note::Note;
use remit_evidence::log::policy::Policy;
use remit_store_sqlite::SqliteStore;
use remit_testkit::wire::Wire;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_sealed_and_every_flipped_bit_is_named() {
    let place = Premises::with("");
    let running = place.start().await;
    records(&running, 300).await;
    running.stop().await;

    let store = SqliteStore::inspect(&place.path(".remit/remit.db")).expect("it opens");
    let (count, head) = (store.count().await.expect("counted"), store.head().await.expect("read").expect("a head"));
    assert!(count > 300 && head.edge.size() == count, "{count} records, {} sealed", head.edge.size());
    let (sound, told) = place.remit(&["ledger", "fsck"]);
    assert!(sound && told.contains(&format!("{count} leaves, 0 records not yet sealed, 0 things")), "{told}");
    let (sound, told) = place.remit(&["ledger", "gaps"]);
    assert!(sound, "{told}");
    let (sound, told) = place.remit(&["ledger", "head"]);
    assert!(sound && told.contains(&format!("size    {count}")) && told.contains("(log, ML-DSA-44)"), "{told}");

    let (_, policy) = place.remit(&["ledger", "keys"]);
    let policy = Policy::parse(policy.as_bytes()).expect("an auditor can read it");
    let note = std::fs::read(place.path(".remit/ledger/checkpoint")).expect("read");
    let accepted = policy.open(&Note::parse(&note).expect("a note")).expect("it is believed");
    assert_eq!((accepted.checkpoint.size, accepted.log.len()), (count, 2));

    let tail = count - 256;
    for file in ["0/000", "entries/000", "1/000.p/1", &format!("0/001.p/{tail}"), &format!("entries/001.p/{tail}")] {
        let path = place.path(".remit/ledger/tile").join(file);
        let good = std::fs::read(&path).expect("read");
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 4;
        std::fs::write(&path, bad).expect("written");
        let (sound, told) = place.remit(&["ledger", "fsck"]);
        assert!(!sound && told.contains(&format!("WRONG `tile/{file}`")), "{file}: {told}");
        std::fs::write(&path, good).expect("written");
    }
    assert!(place.remit(&["ledger", "fsck"]).0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_serves_its_ledger_and_takes_it_up_again() {
    let place = Premises::with("");
    place.start().await.stop().await;
    let first = std::fs::read_to_string(place.path(".remit/ledger/checkpoint")).expect("published");
    // As a crash between head and files leaves it.
    std::fs::remove_dir_all(place.path(".remit/ledger")).expect("removed");
    let running = place.start().await;
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
    assert!(place.remit(&["ledger", "fsck"]).0);
}

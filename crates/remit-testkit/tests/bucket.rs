//! A ledger in a bucket: sealed by the real thread, and by a whole gateway into an object store that nobody
//! here wrote. REMIT_TEST_S3 names its endpoint, on which the bucket `remit-test` is there and empty;
//! AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY hold the key to it. `tests/evidence/run.py bucket` sets that
//! up. Without it there is nothing to test against, and this says so.
#![expect(clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking, and says what it skips")]

use std::path::Path;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::memory::InMemory;
use remit_app::ledger::{LedgerError, Tiles};
use remit_app::ports::Store;
use remit_app::seal::{Reader, Sealer, Tools};
use remit_cli::boot::Running;
use remit_core::halt::HaltTarget;
use remit_core::ids::OperatorId;
use remit_evidence::log::audit::audit;
use remit_evidence::log::tile::Tile;
use remit_evidence::log::vkey::Algorithm;
use remit_evidence::record::Kind;
use remit_server::keys::Machine;
use remit_server::ledger::bucket::{Access, LedgerBucket};
use remit_server::ledger::folder::LedgerFolder;
use remit_server::ledger::guard::GuardFile;
use remit_server::ledger::sealing::Sealing;
use remit_server::signer::Signer;
use remit_server::telemetry::Metrics;
use remit_server::vault::Source;
use remit_store_sqlite::SqliteStore;
use remit_testkit::conformance::trial::Trial;
use remit_testkit::memory::MemoryStore;
use remit_testkit::place::{self, Place};
use remit_testkit::wire::Wire;

const ORIGIN: &str = "log.example/acme";
const BUCKET: &str = "remit-test";

async fn seals_in_this_runtime() {
    let (store, objects) = (Arc::new(MemoryStore::new()), Arc::new(InMemory::new()));
    let place = tempfile::tempdir().expect("a folder");
    let open = || LedgerBucket::over(Arc::clone(&objects) as Arc<dyn ObjectStore>, "2026").expect("it opens");
    let trial = Trial::new(Arc::clone(&store) as Arc<dyn Store>);
    // The bucket takes up what a folder held, and then what it holds itself.
    for count in [300, 600, 900] {
        let folder = || LedgerFolder::open(&place.path().join("ledger")).expect("it opens");
        let tiles: Arc<dyn Tiles> = if count == 300 { Arc::new(folder()) } else { Arc::new(open()) };
        let tools = Tools {
            store: Arc::clone(&store) as Arc<dyn Store>,
            tiles: Arc::clone(&tiles),
            guard: Arc::new(GuardFile::at(&place.path().join("last_signed")).expect("it opens")),
            clock: Arc::new(Machine),
            signers: vec![Box::new(Signer::ed25519(ORIGIN, Algorithm::Ed25519, &[7; 32]).expect("a key"))],
        };
        let sealer = Sealer::new(ORIGIN, tools, Vec::new(), 0);
        let sealing = Sealing::start(sealer, Arc::new(Metrics::default()), |_| ()).expect("a thread");
        for _ in 0..300 {
            store.append(trial.record(Kind::Policy, None)).await.expect("appended");
        }
        sealing.stop().await;
        let head = store.head().await.expect("read").expect("a head");
        assert_eq!(head.edge.size(), count);
        assert_eq!(tiles.published(), Ok(Some(head.note.clone().into_bytes())));
        assert_eq!(audit(count, &head.edge.root(), &Reader(&*tiles)), []);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_sealing_thread_writes_to_a_bucket_beside_a_small_runtime() {
    seals_in_this_runtime().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sealing_thread_writes_to_a_bucket_beside_a_large_runtime() {
    seals_in_this_runtime().await;
}

fn remit(place: &Path, verb: &str) -> (bool, String) {
    let told = place::remit(&["-C", &place.display().to_string(), "ledger", verb]);
    (told.well, told.out + &told.err)
}

/// A folder whose ledger is in the bucket, below `gateway`. One half of the key is in the environment, the
/// other in a file.
fn set_up(endpoint: &str) -> Place {
    let place = Place::base();
    place.append(
        "remit.yaml",
        &format!(
            "\nledger:\n  bucket:\n    url: s3://{BUCKET}/gateway\n    endpoint: {endpoint}\n    region: us-east-1\n    \
             access_key: env:AWS_ACCESS_KEY_ID\n    secret_key: file:bucket.secret\n"
        ),
    );
    place.hide("bucket.secret", &std::env::var("AWS_SECRET_ACCESS_KEY").expect("the secret of the key"));
    place
}

fn access(place: &Path, endpoint: &str, prefix: &str) -> Access {
    Access {
        endpoint: endpoint.into(),
        region: "us-east-1".into(),
        bucket: BUCKET.into(),
        prefix: prefix.into(),
        access_key: Source::Env("AWS_ACCESS_KEY_ID".into()),
        secret_key: Source::File(place.join("bucket.secret")),
    }
}

async fn gateway(place: &Path, records: usize) -> u64 {
    let address = "127.0.0.1:0".parse().expect("an address");
    let running = Running::start(place, Some(address)).await.map_err(|error| error.to_string()).expect("it starts");
    let by = OperatorId::parse("olga").expect("an id");
    for _ in 0..records {
        running.edge.gate.halt(HaltTarget::Tenant, &by, "a test").await.expect("ordered");
    }
    let wire = Wire::to(&running.url);
    for path in ["/ledger/checkpoint", "/ledger/tile/0/000"] {
        let (status, text) = wire.fetch(path).await.expect("an answer");
        assert!(status == 404 && text.contains("object store") && !text.contains(BUCKET), "{status} {text}");
    }
    running.stop().await;
    let store = SqliteStore::inspect(&place.join(".remit/remit.db")).expect("it opens");
    store.count().await.expect("counted")
}

/// What each file is, does not change; what is not that file is never written.
fn writes_once(place: &Path, endpoint: &str) {
    let open = || LedgerBucket::open(&access(place, endpoint, "once")).expect("it opens");
    let tile = |path| Tile::parse(path).expect("a path");
    let (full, part, bytes) = (tile("tile/0/000"), tile("tile/0/000.p/2"), vec![7; 256 * 32]);
    let bucket = open();
    bucket.put(part, &[7; 64]).expect("written");
    bucket.put(full, &bytes).expect("written");
    bucket.put(full, &bytes).expect("the same again");
    // A process that has not yet seen the object store refuse anything, and one that has.
    for seen in [false, true] {
        let bucket = open();
        if seen {
            bucket.put(part, &[7; 64]).expect("the same again");
        }
        assert!(matches!(bucket.put(full, &[8; 256 * 32]), Err(LedgerError::Broken(_))), "{seen}");
        assert_eq!(bucket.get(full).as_ref(), Ok(&Some(bytes.clone())));
    }
    bucket.discard_partials(full);
    assert_eq!(bucket.get(part), Ok(None), "the full one stands");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_seals_into_an_object_store() {
    let Ok(endpoint) = std::env::var("REMIT_TEST_S3") else {
        return eprintln!("skipped: REMIT_TEST_S3 names no endpoint");
    };
    let place = set_up(&endpoint);
    let place = place.path();
    let mut count = 0;
    for records in [280, 40] {
        count = gateway(place, records).await;
    }
    assert!(count > 320 && !place.join(".remit/ledger").exists(), "{count}");
    let (sound, told) = remit(place, "fsck");
    assert!(sound && told.contains(&format!("{count} leaves, 0 records not yet sealed, 0 things")), "{told}");
    let (sound, told) = remit(place, "head");
    assert!(sound && told.contains(&format!("size    {count}")) && told.contains("(log, ML-DSA-44)"), "{told}");
    writes_once(place, &endpoint);

    // For whoever reads the bucket afterwards.
    if let Some(file) = std::env::var_os("REMIT_TEST_S3_POLICY") {
        std::fs::write(file, remit(place, "keys").1).expect("written");
    }
}

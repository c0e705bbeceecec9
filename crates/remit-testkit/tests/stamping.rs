//! A whole gateway and a timestamper that nobody here wrote: OpenSSL's, behind a few lines of HTTP. What it stamped is
//! judged by our verifier and by OpenSSL. Where there is no `openssl` there is nothing to test against, and this says so.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking, and says what it skips"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use remit_app::ports::Store as _;
use remit_app::prove::{LogFiles, Prover, Wanted};
use remit_cli::boot::Running;
use remit_core::halt::HaltTarget;
use remit_core::ids::OperatorId;
use remit_evidence::bundle::Bundle;
use remit_evidence::judge::{Outcome, Step, Verdict, judge};
use remit_evidence::trust::Trust;
use remit_server::ledger::folder::LedgerFolder;
use remit_store_sqlite::SqliteStore;
use remit_testkit::place::Place;
use remit_testkit::wire::Wire;

const ANSWER: [(&str, &str); 1] = [("content-type", "application/timestamp-reply")];

/// Runs OpenSSL in this folder.
fn openssl(place: &Path, words: &str) -> Output {
    Command::new("openssl").current_dir(place).args(words.split(' ')).output().expect("it runs")
}

fn must(place: &Path, words: &str) {
    let output = openssl(place, words);
    assert!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// An issuer, a timestamper with an RSA key, and what OpenSSL needs to answer with them.
fn timestamper(place: &Path) {
    let tsa = "basicConstraints=CA:FALSE\nextendedKeyUsage=critical,timeStamping\n";
    let settings = "[tsa]\ndefault_tsa=t\n[t]\nserial=serial\ndefault_policy=1.2.3.4.1\ndigests=sha256\naccuracy=secs:1\n\
                    ess_cert_id_alg=sha256\nsigner_digest=sha256\n";
    for (name, text) in [("tsa.ext", tsa), ("ts.cnf", settings), ("serial", "01\n")] {
        std::fs::write(place.join(name), text).expect("written");
    }
    must(place, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 30 -subj /CN=ca");
    must(place, "req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=tsa");
    must(
        place,
        "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile tsa.ext -out tsa.pem",
    );
}

/// Listens where queries are answered by OpenSSL.
async fn answering(place: &Path) -> String {
    timestamper(place);
    let answer = |State(place): State<Arc<PathBuf>>, query: Bytes| async move {
        std::fs::write(place.join("query"), &query).expect("written");
        must(&place, "ts -reply -config ts.cnf -queryfile query -signer tsa.pem -inkey tsa.key -out answer");
        (ANSWER, std::fs::read(place.join("answer")).expect("answered"))
    };
    let routes = axum::Router::new().route("/tsr", post(answer)).with_state(Arc::new(place.to_owned()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/tsr", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    url
}

fn set_up(url: &str, certificate: &Path) -> Place {
    let place = Place::base();
    let certificate = certificate.display();
    let stamped = format!("\nledger: {{ timestamps: {{ url: '{url}', certificate: '{certificate}' }} }}\n");
    place.append("remit.yaml", &stamped);
    place
}

async fn start(place: &Path) -> Running {
    let address = "127.0.0.1:0".parse().expect("an address");
    Running::start(place, Some(address)).await.map_err(|error| error.to_string()).expect("it starts")
}

/// Waits until the metrics say this.
async fn until(wire: &Wire, says: impl Fn(&str) -> bool) {
    for _ in 0..300 {
        let (_, metrics) = wire.fetch("/metrics").await.expect("an answer");
        if metrics.lines().any(&says) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it never said so");
}

/// A bundle of the first or of the last record.
async fn bundle(place: &Path, last: bool) -> Bundle {
    let store = Arc::new(SqliteStore::inspect(&place.join(".remit/remit.db")).expect("it opens"));
    let tiles = Arc::new(LedgerFolder::open(&place.join(".remit/ledger")).expect("it opens"));
    let records = store.records(&Default::default()).await.expect("read");
    let record = if last { records.last() } else { records.first() }.expect("a record").id.clone();
    let origin = store.head().await.expect("read").expect("a head").origin;
    let prover = Prover::new(store, vec![LogFiles { origin, first: 0, tiles }]);
    let gathered = prover.gather(&Wanted::Record(record)).await.expect("gathered");
    prover.prove(gathered, &[], &[]).expect("proven")
}

/// What the gateway hands to its auditors.
fn trusted(running: &Running) -> Trust {
    Trust::parse(running.edge.trust.as_ref().expect("a trust document").as_bytes()).expect("trust")
}

async fn halt(running: &Running) {
    let by = OperatorId::parse("olga").expect("an id");
    running.edge.gate.halt(HaltTarget::Tenant, &by, "a test").await.expect("ordered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_openssl_stamped_anchors_the_time_of_records() {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: there is no `openssl`");
        return;
    }
    // Kept, so that others may judge it: see tests/evidence/stamps.py.
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stamped");
    let _ = std::fs::remove_dir_all(&kept);
    std::fs::create_dir_all(&kept).expect("a folder");
    let url = answering(&kept).await;
    let place = set_up(&url, &kept.join("ca.pem"));
    let place = place.path();
    let running = start(place).await;
    let wire = Wire::to(&running.url);
    until(&wire, |line| line.strip_prefix("remit_ledger_stamped_seconds ").is_some_and(|at| at != "0")).await;
    // What comes later is not under this stamp.
    halt(&running).await;
    let trust = trusted(&running);
    running.stop().await;

    assert!(url.contains(&trust.timestampers[0].name));
    let first = bundle(place, false).await;
    let report = judge(first.to_json().to_string().as_bytes(), &trust, &[]);
    assert_eq!(report.verdict, Verdict::Valid, "{:#?}", report.checks);
    assert!(report.claims.iter().all(|claim| claim.level_words() == "logged, time anchored"), "{:#?}", report.claims);
    assert!(report.checks.iter().any(|check| check.step == Step::Consistency && check.outcome == Outcome::Holds));
    let later = bundle(place, true).await;
    let report = judge(later.to_json().to_string().as_bytes(), &trust, &[]);
    assert_eq!(report.verdict, Verdict::Valid, "{:#?}", report.checks);
    assert!(report.claims.iter().any(|claim| claim.level_words() == "logged"), "{:#?}", report.claims);

    // OpenSSL knows its own word again, over the file as it was published, and over no other.
    std::fs::write(kept.join("checkpoint"), first.timestamps[0].checkpoint.to_string()).expect("written");
    std::fs::write(kept.join("token"), &first.timestamps[0].rfc3161).expect("written");
    std::fs::write(kept.join("other"), "another checkpoint\n").expect("written");
    must(&kept, "ts -verify -data checkpoint -in token -token_in -CAfile ca.pem");
    assert!(!openssl(&kept, "ts -verify -data other -in token -token_in -CAfile ca.pem").status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timestamper_that_is_away_holds_up_nothing() {
    let pem = Path::new(env!("CARGO_MANIFEST_DIR")).join("../remit-evidence/tests/stamps/issuer.pem");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let place = set_up(&format!("http://{gone}/tsr"), &pem);
    let place = place.path();
    let running = start(place).await;
    let wire = Wire::to(&running.url);
    until(&wire, |line| line.strip_prefix("remit_ledger_stamp_failures_total ").is_some_and(|times| times != "0"))
        .await;
    halt(&running).await;
    assert_eq!(wire.fetch("/readyz").await.expect("an answer").0, 200);
    until(&wire, |line| line == "remit_ledger_unsealed 0").await;
    let trust = trusted(&running);
    running.stop().await;
    let bundle = bundle(place, true).await;
    assert!(bundle.timestamps.is_empty());
    let report = judge(bundle.to_json().to_string().as_bytes(), &trust, &[]);
    assert_eq!(report.verdict, Verdict::Valid, "{:#?}", report.checks);
}

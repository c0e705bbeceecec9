//! One log after the other, on a real gateway: the log is ended and the next one begun with the program's own verb,
//! a run goes on across the turn, and what both logs prove is judged under the trust document that lists both.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod premises;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use premises::{decided, proved, records, remit, start, trust};
use remit_app::prove::Wanted;
use remit_core::ids::{RecordId, RunId};
use remit_evidence::judge::{Verdict, judge};
use remit_evidence::trust::Trust;
use remit_testkit::place::Place;
use remit_testkit::wire::Wire;
use serde_json::{Value, json};

const ORIGIN: &str = "ledger:\n  origin: acme.example/remit\n";

fn record(answer: &Value) -> Wanted {
    Wanted::Record(RecordId::parse(answer["record"].as_str().expect("a record")).expect("an id"))
}

fn document(place: &Place) -> Value {
    serde_json::from_str(&place.remit(&["ledger", "trust"]).out).expect("JSON")
}

fn verdict(bundle: &[u8], document: &Value) -> Verdict {
    let trust = Trust::parse(document.to_string().as_bytes()).expect("a trust document");
    judge(bundle, &trust, &[]).verdict
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_in_the_next_log_and_all_of_it_verifies() {
    let place = premises::with(ORIGIN);
    let running = start(&place).await;
    let first = decided(&running, None).await;
    let run = RunId::parse(first["run"].as_str().expect("a run")).expect("an id");
    let old = proved(&running.edge.prover.clone().expect("a log"), &record(&first)).await;
    let (sound, told) = remit(&place, &["ledger", "rotate", "2027h1"]);
    assert!(!sound && told.contains("another gateway is using"), "{told}");
    running.stop().await;
    let (held, before) = (trust(&place), document(&place));

    for name in ["tile", "checkpoint", "2027/h1", "", "A", "..", &"a".repeat(33)] {
        let (sound, told) = remit(&place, &["ledger", "rotate", name]);
        assert!(!sound && told.contains("cannot name a log"), "{told}");
    }
    let (sound, told) = remit(&place, &["ledger", "rotate", "2027h1"]);
    assert!(sound && told.contains("begun   acme.example/remit/2027h1"), "{told}");
    let running = start(&place).await;
    let second = decided(&running, Some(run.as_str())).await;
    assert_eq!(second["run"], first["run"], "the run goes on");
    records(&running, 300).await;
    let prover = running.edge.prover.clone().expect("logs");
    let (across, new) = (proved(&prover, &Wanted::Run(run)).await, proved(&prover, &record(&second)).await);
    assert_eq!(verdict(&proved(&prover, &record(&first)).await, &before), Verdict::Valid, "the old log still proves");
    let wire = Wire::to(&running.url);
    for (path, origin) in [("", "acme.example/remit\n"), ("2027h1/", "acme.example/remit/2027h1\n")] {
        let (status, text) = wire.fetch(&format!("/ledger/{path}checkpoint")).await.expect("an answer");
        assert!(status == 200 && text.starts_with(origin), "{text}");
        assert_eq!(wire.fetch(&format!("/ledger/{path}tile/0/x999/000")).await.expect("an answer").0, 404);
    }
    // The next checkpoint fills the first tile.
    while wire.fetch("/ledger/2027h1/tile/0/000").await.expect("an answer").0 != 200 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    for other in ["/ledger/2027h2/checkpoint", "/ledger/..%2f/checkpoint", "/ledger/tile/checkpoint"] {
        assert_eq!(wire.fetch(other).await.expect("an answer").0, 404, "{other}");
    }
    running.stop().await;

    // Who holds the first document takes the next one, and nobody else's.
    let (_, told) = remit(&place, &["ledger", "trust", "--next"]);
    let envelope = told.lines().find(|line| line.starts_with('{')).expect("an envelope");
    let next = held.succeed(envelope.as_bytes()).expect("it follows");
    assert_eq!((next.version, next.fingerprint), (2, trust(&place).fingerprint));
    let after = document(&place);
    for (bundle, under, expected) in [
        (&old, &before, Verdict::Valid),
        (&old, &after, Verdict::Valid),
        (&across, &after, Verdict::Valid),
        (&new, &after, Verdict::Valid),
        (&across, &before, Verdict::Indeterminate),
    ] {
        let report = judge(bundle, &Trust::parse(under.to_string().as_bytes()).expect("trust"), &[]);
        assert_eq!(report.verdict, expected, "{:?}", report.checks);
    }
    let origins = |bundle: &[u8]| {
        let report = judge(bundle, &next, &[]);
        report.heads.iter().map(|head| head.origin.clone()).collect::<Vec<_>>()
    };
    assert_eq!(origins(&across), ["acme.example/remit", "acme.example/remit/2027h1"]);
    for verb in ["fsck", "gaps", "head"] {
        let (sound, told) = remit(&place, &["ledger", verb]);
        assert!(sound, "{verb}: {told}");
    }
    attacked(&across, &after);
    if let Some(folder) = std::env::var_os("REMIT_TEST_KEEP").map(std::path::PathBuf::from) {
        for (name, bytes) in [("old", &old), ("across", &across), ("new", &new)] {
            std::fs::write(folder.join(format!("{name}.evidence.json")), bytes).expect("written");
        }
        for (name, value) in [("before", &before), ("after", &after)] {
            std::fs::write(folder.join(format!("{name}.trust.json")), value.to_string()).expect("written");
        }
    }

    // And once more; a name never comes back.
    let (sound, told) = remit(&place, &["ledger", "rotate", "2027h1"]);
    assert!(!sound && told.contains("there is a log `acme.example/remit/2027h1` already"), "{told}");
    let (sound, told) = remit(&place, &["ledger", "rotate", "2027h2"]);
    assert!(sound, "{told}");
    start(&place).await.stop().await;
    let (sound, told) = remit(&place, &["ledger", "fsck"]);
    assert!(sound && told.contains("0 records not yet sealed"), "{told}");
    assert_eq!(trust(&place).version, 3);
    assert_eq!(verdict(&across, &document(&place)), Verdict::Valid);
}

/// What somebody could try who has the bundle, a key, or the pen over the trust document.
fn attacked(across: &[u8], trust: &Value) {
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut other = trust.clone();
        change(&mut other);
        verdict(across, &other)
    };
    let size = trust["ended"][0]["size"].as_u64().expect("a size");
    // The old log ended elsewhere: one of the two histories is forged.
    assert_eq!(changed(&|trust| trust["ended"][0]["root"] = "00".repeat(32).into()), Verdict::Diverged);
    assert_eq!(changed(&|trust| trust["ended"][0]["size"] = (size - 1).into()), Verdict::Diverged);
    assert_eq!(changed(&|trust| trust["ended"][0]["size"] = (size + 1).into()), Verdict::Diverged);
    // A key of the old log was taken back: for its last leaf, and later, when nobody but the log has seen it.
    let key =
        trust["policy"].as_str().expect("a policy").lines().find_map(|line| line.strip_prefix("log ")).expect("a key");
    let revoked = |from: u64| changed(&|trust| trust["revoked_logs"] = json!([{"key": key, "from": from}]));
    assert_eq!((revoked(size - 1), revoked(size)), (Verdict::Invalid, Verdict::Indeterminate));
    // Without the end of the old log, the beginning of the next hangs in the air.
    let bundle: Value = serde_json::from_slice(across).expect("JSON");
    let said = |claim: &Value| {
        let payload = STANDARD.decode(claim["envelope"]["payload"].as_str().expect("text")).expect("base64");
        serde_json::from_slice::<Value>(&payload).expect("JSON")["predicate"]["event"].clone()
    };
    let without = |event: &str| {
        let mut bundle = bundle.clone();
        let claims = bundle["claims"].as_array_mut().expect("claims");
        let before = claims.len();
        claims.retain(|claim| said(claim) != event);
        assert_eq!(claims.len() + 1, before, "{event}");
        verdict(bundle.to_string().as_bytes(), trust)
    };
    assert_eq!((without("log_ended"), without("log_begun")), (Verdict::Indeterminate, Verdict::Valid));
}

//! An auditor who comes back: what a verifier remembers of the logs, and what a gateway proves of how they grew
//! since, over an end of a log too; and the one key under which all of it verifies.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod premises;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use premises::{decided, records, remit, start, trust, try_start};
use remit_cli::boot::Running;
use remit_evidence::bundle::Head;
use remit_evidence::judge::{Outcome, Report, Step, Verdict, judge};
use remit_testkit::place::{Place, Told, program};
use remit_testkit::wire::Wire;
use serde_json::Value;

const ORIGIN: &str = "ledger:\n  origin: acme.example/remit\n";

/// An auditor, who keeps the heads that `remit-verify --state` keeps.
struct Auditor<'a> {
    place: &'a Place,
    heads: Vec<Head>,
}

impl Auditor<'_> {
    /// Judges, and remembers what was found valid.
    fn judges(&mut self, bundle: &[u8]) -> Report {
        let report = judge(bundle, &trust(self.place), &self.heads);
        if report.verdict == Verdict::Valid {
            self.heads.extend(report.heads.iter().cloned());
            self.heads.sort();
            self.heads.dedup();
            let line =
                |head: &Head| format!("{} {} {}\n", head.size, STANDARD.encode(head.root.as_bytes()), head.origin);
            self.place.write("seen/heads", &self.heads.iter().map(line).collect::<String>());
        }
        report
    }

    fn size(&self) -> u64 {
        self.heads.last().expect("a head").size
    }
}

fn said(place: &Place, running: &Running, arguments: &[&str]) -> Told {
    let mut command = Command::new(program());
    command.arg("-C").arg(place.path()).args(["evidence", "bundle"]).args(arguments).stdin(Stdio::null());
    command.env("REMIT_URL", &running.url).env("REMIT_OPERATOR_KEY", "scenario-operator-rehearsal");
    command.output().expect("it runs").into()
}

/// A call that a halt refuses; the answer, which names its record.
async fn refused(running: &Running) -> Value {
    let body = serde_json::json!({"tool": "business/get_customer", "arguments": {"id": "c1"}});
    let answer = Wire::to(&running.url).done(premises::DESK, "/v1/decisions", Some(&body)).await.expect("decided");
    assert_eq!(answer["decision"], "deny", "{answer}");
    answer
}

/// The bundle of a record, once a checkpoint covers it.
fn bundled(place: &Place, running: &Running, record: &Value, more: &[&str]) -> Vec<u8> {
    let began = Instant::now();
    loop {
        let told = said(place, running, &[&["--record", record["record"].as_str().expect("an id")], more].concat());
        if told.well {
            return told.out.into_bytes();
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{told:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn lacking(report: &Report) -> &str {
    let missing = report.checks.iter().find(|check| check.outcome == Outcome::Missing).expect("something");
    assert_eq!((report.verdict, missing.step), (Verdict::Indeterminate, Step::History), "{:?}", report.checks);
    &missing.detail
}

fn valid(report: &Report) {
    assert_eq!(report.verdict, Verdict::Valid, "{:?}", report.checks);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_auditor_who_remembers_finds_later_bundles_valid_over_the_end_of_a_log_too() {
    let place = premises::with(ORIGIN);
    let running = start(&place).await;
    let mut auditor = Auditor { place: &place, heads: Vec::new() };
    let seen = place.path().join("seen").display().to_string();
    let first = decided(&running, None).await;
    valid(&auditor.judges(&bundled(&place, &running, &first, &[])));

    records(&running, 300).await;
    let second = refused(&running).await;
    let since = auditor.size().to_string();
    let unproven = bundled(&place, &running, &second, &[]);
    let report = auditor.judges(&unproven);
    assert!(lacking(&report).ends_with(&format!("`--since {since}`")), "{}", lacking(&report));
    let proven = bundled(&place, &running, &second, &["--since", &since]);
    valid(&auditor.judges(&proven));
    // An agent gets it by the same word, and nobody gets more than they may see, or anything by a word that is no size.
    let wire = Wire::to(&running.url);
    let path = format!("/v1/evidence/{}", second["record"].as_str().expect("an id"));
    let own =
        wire.done(premises::DESK, &format!("{path}?since={since},0,9007199254740991"), None).await.expect("a bundle");
    let growths = own["consistency"].as_array().expect("a list");
    assert_eq!(
        growths.iter().map(|growth| growth["old"]["size"].to_string()).collect::<Vec<_>>(),
        std::slice::from_ref(&since)
    );
    let many = vec!["1"; 65].join(",");
    for wrong in ["-1", "x", "1.5", "18446744073709551616", &many] {
        assert!(wire.done(premises::DESK, &format!("{path}?since={wrong}"), None).await.is_err(), "{wrong}");
        assert!(!said(&place, &running, &["--record", "rec_1", &format!("--since={wrong}")]).well, "{wrong}");
    }
    running.stop().await;

    let (sound, told) = remit(&place, &["ledger", "rotate", "2027h1"]);
    assert!(sound, "{told}");
    let running = start(&place).await;
    records(&running, 20).await;
    let third = refused(&running).await;
    // The old log has ended with more leaves than were seen of it; the next one is new here.
    for (record, more) in [(&first, true), (&second, false), (&third, false)] {
        let bundle = bundled(&place, &running, record, &["--state", &seen]);
        valid(&auditor.judges(&bundle));
        let grown = Value::as_array(&serde_json::from_slice::<Value>(&bundle).expect("JSON")["consistency"]).cloned();
        assert_eq!(grown.expect("a list").is_empty(), !more, "{record}");
    }
    records(&running, 20).await;
    let fourth = refused(&running).await;
    assert_eq!(auditor.judges(&bundled(&place, &running, &fourth, &[])).verdict, Verdict::Indeterminate);
    let later = bundled(&place, &running, &fourth, &["--state", &seen]);
    valid(&auditor.judges(&later));
    let (sound, told) = remit(&place, &["ledger", "head"]);
    let waiting = told.lines().find_map(|line| line.strip_prefix("waiting ")).expect("how many wait");
    let waiting: u64 = waiting.split(' ').next().and_then(|count| count.parse().ok()).expect("a number");
    assert!(sound && waiting < 40, "what the ended log has sealed does not wait: {told}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_misspelt_value_is_refused_and_not_quietly_withheld() {
    let place = premises::with(ORIGIN);
    let running = start(&place).await;
    let answer = decided(&running, None).await;
    let record = ["--record", answer["record"].as_str().expect("an id"), "--show"];
    let told = said(&place, &running, &[&record[..], &["user,argumnts"]].concat());
    assert!(!told.well && told.err.contains("did you mean `arguments`?"), "{told:?}");
    let shown = bundled(&place, &running, &answer, &["--show", "user,arguments,why"]);
    assert!(String::from_utf8_lossy(&shown).contains("\"disclosures\":[\""), "what is spelt right is shown");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_root_key_is_never_replaced_over_records_it_vouches_for() {
    let place = premises::with(ORIGIN);
    let file = place.path().join(".remit/gateway.key");
    let (sound, told) = remit(&place, &["evidence", "key"]);
    assert!(!sound && !file.exists(), "looking makes no key: {told}");
    start(&place).await.stop().await;
    let (_, before) = remit(&place, &["evidence", "key"]);
    let kept = std::fs::read(&file).expect("an empty store gets a key");
    start(&place).await.stop().await;

    std::fs::remove_file(&file).expect("lost");
    for other in [None, Some([7; 32])] {
        if let Some(seed) = other {
            place.hide(".remit/gateway.key", "");
            std::fs::write(&file, seed).expect("written");
        }
        let refused = try_start(&place).await.err().expect("it does not start");
        assert!(refused.contains("gateway.key") && refused.contains("put that back from a backup"), "{refused}");
        assert_eq!(std::fs::read(&file).ok().as_deref(), other.as_ref().map(|seed| &seed[..]), "it is left as it is");
        let (sound, told) = remit(&place, &["doctor"]);
        assert!(!sound && told.contains("WRONG gateway.key: "), "{told}");
        let (sound, told) = remit(&place, &["ledger", "rotate", "2027h1"]);
        assert!(!sound && told.contains("gateway.key"), "{told}");
    }
    std::fs::write(&file, kept).expect("restored");
    start(&place).await.stop().await;
    assert_eq!(remit(&place, &["evidence", "key"]).1, before);
    let (sound, told) = remit(&place, &["ledger", "fsck"]);
    assert!(sound, "{told}");
}

//! `evidence`, `replay`, `ledger trust`: what people did, proved to somebody who was not there.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use remit_evidence::bundle::{Bundle, Claim};
use remit_evidence::dsse::Envelope;
use remit_evidence::judge::{Verdict, judge};
use remit_evidence::record::disclosed;
use remit_evidence::trust::Trust;
use serde_json::{Value, json};

use crate::world::{World, contains};

/// The ids of exported records whose statement says this.
fn saying(exported: &str, member: &str, value: &str) -> Vec<String> {
    let lines = exported.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let statements = lines.map(|line| {
        let envelope = Envelope::parse(line["envelope"].to_string().as_bytes()).expect("an envelope");
        remit_core::json::parse(&envelope.payload).expect("a statement")["predicate"].take()
    });
    let found = statements.filter(|predicate| predicate[member] == value);
    found.map(|predicate| predicate["record_id"].as_str().expect("an id").to_owned()).collect()
}

/// The bundle of a record, once the log has sealed it.
async fn bundled(world: &World, record: &str) -> Vec<u8> {
    let file = world.place.path().join("bundle.json");
    let began = Instant::now();
    loop {
        let out = file.display().to_string();
        let told =
            world.run("rehearsal", &["evidence", "bundle", "--record", record, "--show", "reason", "--out", &out]);
        if told.well {
            return std::fs::read(file).expect("a bundle");
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{told:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_narrowed_call_is_decided_again_the_same_and_proved() {
    let world = World::new().await;
    let question = world.held("P-1", 400).await;
    let less = ["approve", &question, "--arguments", r#"{"payment": "P-1", "amount": 200}"#, "--reason", "half of it"];
    contains(&world.says("bob", &less), &["which is approved"]);
    assert_eq!(world.refund("P-1", 200).await.0, 200);
    contains(&world.refund("P-1", 400).await.1.to_string(), &["approval.narrowed"]);

    let exported = world.says("rehearsal", &["evidence", "export"]);
    let file = world.place.path().join("records.jsonl");
    std::fs::write(&file, &exported).expect("a file");
    let (file, key) = (file.display().to_string(), world.says("rehearsal", &["evidence", "key"]));
    let replayed = world.says("rehearsal", &["replay", &file, "--key", key.trim()]);
    contains(&replayed, &[" and agree, 0 differ, 0 could not be decided again"]);

    let narrowings = saying(&exported, "choice", "narrow");
    assert_eq!(narrowings.len(), 1, "{narrowings:?}");
    let bundle = bundled(&world, &narrowings[0]).await;
    let trust = world.run("rehearsal", &["ledger", "trust"]);
    let trust = Trust::parse(trust.out.as_bytes()).expect("a trust document");
    let report = judge(&bundle, &trust, &[]);
    assert_eq!(report.verdict, Verdict::Valid, "{:?}", report.checks);
    let mut bundle = Bundle::parse(&bundle).expect("a bundle");
    let shown = |claim: &Claim| disclosed(&claim.disclosures) == [("reason".to_owned(), json!("half of it"))];
    let claim = bundle.claims.iter_mut().find(|claim| shown(claim)).expect("the record, with the reason alone");
    let salted = URL_SAFE_NO_PAD.decode(&claim.disclosures[0]).expect("base64url");
    let other = String::from_utf8(salted).expect("text").replace("half", "most");
    claim.disclosures = vec![URL_SAFE_NO_PAD.encode(other)];
    let altered = judge(bundle.to_json().to_string().as_bytes(), &trust, &[]);
    assert_eq!(altered.verdict, Verdict::Invalid, "another reason was never signed");
    world.end().await;
}

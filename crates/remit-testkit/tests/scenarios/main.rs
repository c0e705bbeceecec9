//! One scenario, three depths: the decision alone, the gate over a store in memory, and the whole
//! gateway over HTTP and SQLite. What is said of one of them must be true of all.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod core;
mod server;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use remit_app::ports::{RecordFilter, Store as _};
use remit_app::replay::{Unreplayable, replay};
use remit_cli::rehearse::{Rehearsal, play};
use remit_config::{Config, Folder, Scenario, scenarios};
use remit_evidence::record::disclosed;
use remit_server::keys::Ed25519;
use remit_testkit::memory::MemoryStore;
use serde_json::json;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("workspace")
}

/// A Tuesday at work, for the depths that have a clock of their own.
fn tuesday() -> Timestamp {
    "2026-11-24T10:00:00Z".parse().expect("a time")
}

fn read(folder: &Path) -> Folder {
    Folder::read(folder).unwrap_or_else(|faults| panic!("{}: {faults:#?}", folder.display()))
}

/// The scenarios of the repository, by file.
fn ours() -> (Folder, Vec<(String, Scenario)>) {
    let place = root().join("scenarios");
    let mut files: Vec<_> =
        std::fs::read_dir(&place).expect("scenarios").map(|entry| entry.expect("entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let found = files.iter().map(|file| {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(file).expect("text");
        let scenario = Scenario::parse(&format!("scenarios/{name}.yaml"), &text);
        (name, scenario.unwrap_or_else(|faults| panic!("{faults:#?}")))
    });
    (read(&place.join("base")), found.collect())
}

fn configured(base: &Folder, scenario: &Scenario) -> Config {
    let folder = base.with(scenario.files.clone()).unwrap_or_else(|faults| panic!("{}: {faults:#?}", scenario.name));
    remit_config::load(&folder).unwrap_or_else(|faults| panic!("{}: {faults:#?}", scenario.name))
}

async fn rehearsed(base: &Folder, scenario: &Scenario) -> Vec<String> {
    let config = configured(base, scenario);
    let signer = Box::new(Ed25519::generate().expect("a key"));
    let store = Arc::new(MemoryStore::new());
    play(&mut Rehearsal::new(config.snapshot, config.keys, store, signer, tuesday()), scenario).await
}

fn passed(wrong: &[String], count: usize) {
    assert!(wrong.is_empty(), "{} differences in {count} scenarios:\n{}", wrong.len(), wrong.join("\n"));
}

/// Every decision of every scenario is made again from its record: the authority compiled anew, the facts as
/// they were recorded. A record that was changed in what it decided no longer agrees.
#[tokio::test]
async fn what_was_decided_is_decided_again_the_same() {
    let (base, found) = ours();
    let mut agreed = 0;
    for (name, scenario) in &found {
        let config = configured(&base, scenario);
        let sources = remit_core::json::parse(config.sources.as_bytes()).expect("sources are JSON");
        let store = Arc::new(MemoryStore::new());
        let signer = Box::new(Ed25519::generate().expect("a key"));
        let mut stage = Rehearsal::new(config.snapshot, config.keys, store.clone(), signer, tuesday());
        play(&mut stage, scenario).await;
        let texts = sources.as_object().expect("an object").iter();
        let texts = texts.map(|(name, text)| (name.clone(), text.as_str().expect("text").to_owned()));
        let again = remit_config::load(&Folder::from_texts(texts).expect("the same folder")).expect("it loads");
        for record in store.records(&RecordFilter::default()).await.expect("records") {
            let statement = remit_core::json::parse(&record.envelope.payload).expect("a statement");
            let disclosed = disclosed(&record.disclosures);
            let mut predicate = statement["predicate"].clone();
            match replay(&again.snapshot, &predicate, &disclosed) {
                Ok(differences) => assert_eq!(differences, [], "{name}: {}", record.id),
                Err(Unreplayable::NotDecided) => continue,
                Err(error) => panic!("{name}: {}: {error}", record.id),
            }
            agreed += 1;
            predicate["verdict"] = json!(if predicate["verdict"] == "allow" { "deny" } else { "allow" });
            let members: Vec<_> = replay(&again.snapshot, &predicate, &disclosed)
                .expect("it is decided")
                .into_iter()
                .map(|d| d.member)
                .collect();
            assert_eq!(members, ["verdict"], "{name}: a changed verdict is noticed");
            assert_eq!(replay(&again.snapshot, &predicate, &disclosed[1..]), Err(Unreplayable::Withheld));
        }
    }
    assert!(agreed > 90, "only {agreed} decisions were made again");
}

#[tokio::test]
async fn the_decision_alone() {
    let (base, found) = ours();
    assert!(found.len() >= 20, "scenarios have gone missing: {}", found.len());
    let mut wrong = Vec::new();
    for (_, scenario) in &found {
        let config = configured(&base, scenario);
        wrong.extend(play(&mut core::Core::new(config.snapshot, config.keys, tuesday()), scenario).await);
    }
    passed(&wrong, found.len());
}

#[tokio::test]
async fn the_gate_over_memory() {
    let (base, found) = ours();
    let mut wrong = Vec::new();
    for (_, scenario) in &found {
        wrong.extend(rehearsed(&base, scenario).await);
    }
    passed(&wrong, found.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_gateway() {
    let (base, found) = ours();
    let (mut wrong, mut played, mut left) = (Vec::new(), 0, Vec::new());
    for (name, scenario) in &found {
        if let Some(why) = server::beyond(scenario) {
            left.push(format!("{name}: {why}"));
            continue;
        }
        let mut stage = server::Server::start(&base, scenario).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        wrong.extend(play(&mut stage, scenario).await);
        stage.stop().await;
        played += 1;
    }
    println!("{played} played, {} left to the other depths:\n{}", left.len(), left.join("\n"));
    passed(&wrong, played);
    assert!(left.len() * 2 < found.len(), "most scenarios must reach the whole gateway");
}

#[tokio::test]
async fn the_examples_keep_their_promises() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for entry in std::fs::read_dir(root().join("examples")).expect("examples") {
        let place = entry.expect("entry").path();
        if !place.is_dir() {
            continue;
        }
        let base = read(&place);
        let loaded = remit_config::load(&base);
        assert!(loaded.is_ok(), "{}: {:#?}", place.display(), loaded.err());
        for scenario in scenarios(&base).unwrap_or_else(|faults| panic!("{faults:#?}")) {
            let found = rehearsed(&base, &scenario).await;
            wrong.extend(found.into_iter().map(|difference| format!("{}: {difference}", place.display())));
            count += 1;
        }
    }
    passed(&wrong, count);
}

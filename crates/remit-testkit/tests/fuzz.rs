//! The fuzz targets where there is no fuzzer: the committed corpus, and a fixed number of mutations
//! of each of its files.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Instant;

use remit_testkit::fuzz::{TARGETS, mutate};

/// A target that compiles a whole folder is dear: it gets fewer.
const MUTATIONS: [(&str, u64); 5] =
    [("frames", 20_000), ("config", 1_500), ("policy", 1_500), ("records", 20_000), ("stamps", 4_000)];

fn smoke(name: &str) {
    let (_, body) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target");
    let (_, mutations) = MUTATIONS.iter().find(|(known, _)| *known == name).expect("a number");
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(name);
    let files = std::fs::read_dir(&place).expect("corpus").map(|entry| entry.expect("entry").path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    assert!(!files.is_empty(), "{}: no corpus", place.display());
    let corpus: Vec<_> = files.iter().map(|file| std::fs::read(file).expect("bytes")).collect();
    let began = Instant::now();
    corpus.iter().for_each(|bytes| body(bytes));
    for seed in 0..*mutations {
        for bytes in corpus.iter().skip(usize::try_from(seed).expect("small") % corpus.len()).take(1) {
            let changed = mutate(bytes, seed);
            let found = std::panic::catch_unwind(|| body(&changed));
            assert!(found.is_ok(), "{name}, seed {seed}: {:?}", String::from_utf8_lossy(&changed));
        }
    }
    println!("{name}: {} files and {mutations} mutations in {:?}", corpus.len(), began.elapsed());
}

#[test]
fn frames() {
    smoke("frames");
}

#[test]
fn config() {
    smoke("config");
}

#[test]
fn policy() {
    smoke("policy");
}

#[test]
fn records() {
    smoke("records");
}

#[test]
fn stamps() {
    smoke("stamps");
}

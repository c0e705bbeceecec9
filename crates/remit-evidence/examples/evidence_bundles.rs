//! Writes bundles, good and tampered, with the verdict each must get, so that verifiers can be compared;
//! or, when asked by name, the vectors that freeze the bytes of records. Keys from seeds guard nothing.
//!
//!     cargo run -p remit-evidence --example evidence_bundles -- FOLDER
//!     cargo run -p remit-evidence --example evidence_bundles -- --vectors FOLDER

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a fixture that cannot be made is a bug")]

use std::error::Error;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

#[path = "../tests/scene/mod.rs"]
mod scene;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--vectors", folder] => vectors(Path::new(folder)),
        [folder] => bundles(Path::new(folder)),
        _ => Err("usage: evidence_bundles [--vectors] FOLDER".into()),
    }
}

fn vectors(folder: &Path) -> Result<(), Box<dyn Error>> {
    for (name, bytes) in scene::vectors::all() {
        fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

fn bundles(folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    for version in [1, 2, 3] {
        fs::write(folder.join(format!("trust.{version}.envelope.json")), scene::succession(version))?;
    }
    let mut listed: Vec<Value> = Vec::new();
    for case in scene::cases::all() {
        fs::write(folder.join(format!("{}.evidence.json", case.name)), &case.bundle)?;
        fs::write(folder.join(format!("{}.trust.json", case.name)), &case.trust)?;
        let heads = case
            .memory
            .iter()
            .map(|head| format!("{} {} {}\n", head.size, scene::encode(head.root.as_bytes()), head.origin));
        let heads: String = heads.collect();
        if !heads.is_empty() {
            fs::create_dir_all(folder.join(format!("{}.state", case.name)))?;
            fs::write(folder.join(format!("{}.state/heads", case.name)), heads)?;
        }
        let by = case.by.map(|step| step.as_str());
        listed.push(json!({"name": case.name, "verdict": case.expect.as_str(), "code": case.expect.code(), "by": by}));
    }
    Ok(fs::write(folder.join("cases.json"), Value::Array(listed).to_string())?)
}

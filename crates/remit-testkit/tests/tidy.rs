//! The house rules that no compiler holds. Each failure is addressed to whoever broke it.

#![expect(clippy::expect_used, reason = "a rule that cannot be checked is broken")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use remit_core::verdict::{Code, Fault};
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("workspace")
}

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--offline", "--filter-platform=host-tuple"])
        .current_dir(root())
        .output()
        .expect("cargo metadata");
    serde_json::from_slice(&output.stdout).expect("metadata is JSON")
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("folder").filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push((path.clone(), std::fs::read_to_string(&path).expect("source")));
            }
        }
    }
    found
}

/// Which of our crates each may use. Arrows point down only.
const ARROWS: [(&str, &[&str]); 9] = [
    ("remit-core", &[]),
    ("remit-config", &["remit-core"]),
    ("remit-evidence", &["remit-core"]),
    ("remit-app", &["remit-core", "remit-evidence"]),
    ("remit-store-sqlite", &["remit-core", "remit-evidence", "remit-app"]),
    ("remit-server", &["remit-core", "remit-evidence", "remit-app"]),
    ("remit-cli", &["remit-core", "remit-config", "remit-evidence", "remit-app", "remit-store-sqlite", "remit-server"]),
    (
        "remit-testkit",
        &["remit-core", "remit-config", "remit-evidence", "remit-app", "remit-server", "remit-store-sqlite"],
    ),
    (
        "remit-bench",
        &["remit-core", "remit-config", "remit-evidence", "remit-app", "remit-store-sqlite", "remit-server"],
    ),
];

#[test]
fn arrows_point_down() {
    for package in metadata()["packages"].as_array().expect("packages") {
        let name = package["name"].as_str().expect("name");
        if !name.starts_with("remit-") {
            continue;
        }
        let allowed = ARROWS.iter().find(|(known, _)| *known == name);
        let (_, allowed) = allowed.unwrap_or_else(|| {
            panic!("`{name}` is new: say in ARROWS what it may use, and in ARCHITECTURE.md why it exists")
        });
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("name");
            if dependency["kind"].is_null() && used.starts_with("remit-") {
                assert!(
                    allowed.contains(&used),
                    "`{name}` must not use `{used}`: the arrows of ARCHITECTURE.md point down only"
                );
            }
        }
    }
}

/// What must not be reachable from the pure crates: runtimes, HTTP, SQL, randomness.
const IMPURE: [&str; 10] =
    ["tokio", "async-std", "smol", "hyper", "reqwest", "axum", "rusqlite", "tokio-postgres", "getrandom", "rand"];

#[test]
fn the_pure_crates_reach_nothing_impure() {
    let metadata = metadata();
    let names: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|p| (p["id"].as_str().expect("id"), p["name"].as_str().expect("name")))
        .collect();
    let mut edges: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for node in metadata["resolve"]["nodes"].as_array().expect("nodes") {
        let normal = node["deps"]
            .as_array()
            .expect("deps")
            .iter()
            .filter(|dep| dep["dep_kinds"].as_array().expect("kinds").iter().any(|kind| kind["kind"].is_null()));
        edges.insert(node["id"].as_str().expect("id"), normal.map(|dep| dep["pkg"].as_str().expect("pkg")).collect());
    }
    for pure in ["remit-core", "remit-config", "remit-evidence"] {
        let start = names.iter().find(|(_, name)| **name == pure).map(|(id, _)| *id).expect("crate");
        let mut seen = BTreeSet::from([start]);
        let mut next = vec![start];
        while let Some(at) = next.pop() {
            for to in edges.get(at).into_iter().flatten() {
                if seen.insert(to) {
                    next.push(to);
                }
            }
        }
        for id in seen {
            let name = names[id];
            assert!(
                !IMPURE.contains(&name) || EXCUSED.contains(&(pure, name)),
                "`{pure}` reaches `{name}`: it has to stay pure"
            );
        }
    }
}

/// Impure crates that are reached although nothing of ours calls them. May only shrink.
///
/// `getrandom`: jsonschema seeds its hash maps with it. A verdict takes from jsonschema whether a value
/// is valid, which does not depend on a map's order.
const EXCUSED: [(&str, &str); 3] =
    [("remit-core", "getrandom"), ("remit-config", "getrandom"), ("remit-evidence", "getrandom")];

/// Words that no pure crate may contain: a clock, chance, the environment, hash order.
const IMPURE_CALLS: [&str; 6] =
    ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now", "std::env::var", "thread::sleep"];

#[test]
fn the_pure_crates_ask_no_clock_and_no_environment() {
    for (path, text) in sources() {
        let pure = ["remit-core/src", "remit-evidence/src", "remit-app/src"];
        if pure.iter().any(|part| path.to_string_lossy().contains(part)) && !path.ends_with("main.rs") {
            for call in IMPURE_CALLS {
                assert!(!text.contains(call), "{}: `{call}` in a pure crate: have it passed in", path.display());
            }
        }
    }
}

/// Most lines of a file without its tests.
const FILE_LINES_MAX: usize = 600;

#[test]
fn files_are_rooms() {
    let banned = ["util", "utils", "helper", "helpers", "common", "misc", "manager", "types", "models"];
    for (path, text) in sources() {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        assert!(!banned.contains(&stem), "{}: name the file after its subject", path.display());
        let lines = text.split("#[cfg(test)]").next().unwrap_or_default().lines().count();
        let test = path.components().any(|part| part.as_os_str() == "tests") || stem == "tests";
        assert!(
            test || lines <= FILE_LINES_MAX,
            "{}: {lines} lines; would two rooms be easier to live in?",
            path.display()
        );
        for unfinished in ["todo!(", "unimplemented!(", "FIXME", "XXX"] {
            let own = path.ends_with("tidy.rs");
            assert!(own || !text.contains(unfinished), "{}: `{unfinished}` is unfinished work", path.display());
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for (path, text) in sources() {
        assert!(
            text.trim_start().starts_with("//!"),
            "{}: begin with a `//!` that says what the file owns",
            path.display()
        );
    }
}

#[test]
fn the_page_of_codes_is_true() {
    let mut page = String::from(
        "# Codes\n\nEvery refusal has one of these. They are stable: a program may match on them. This page is generated from\n\
         `crates/remit-core/src/verdict/code.rs`; `UPDATE=1 cargo test -p remit-testkit --test tidy` writes it anew.\n\n\
         | code | whose doing | what it means | what helps |\n|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let fault = match code.fault() {
            Fault::Caller => "caller",
            Fault::Operator => "operator",
            Fault::Upstream => "upstream",
            Fault::Internal => "Remit",
        };
        page.push_str(&format!("| `{code}` | {fault} | {} | {} |\n", code.meaning(), code.remedy()));
    }
    let path = root().join("docs/errors.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &page).expect("write");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == page, "docs/errors.md is not what the codes say: run with UPDATE=1");
}

#[test]
fn codes_are_unique_and_dotted() {
    let codes: BTreeSet<_> = Code::ALL.into_iter().map(Code::as_str).collect();
    assert_eq!(codes.len(), Code::ALL.len());
    assert!(codes.iter().all(|code| code.split('.').count() == 2));
}

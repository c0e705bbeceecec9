//! What somebody cannot see, they cannot approve: no verb prints a character that hides or turns text around.

use serde_json::json;

use crate::world::{World, contains};

/// One of each class: marks of direction, joiners, fillers, separators, variation selectors, tags, spaces, controls.
const HIDDEN: &str = "\u{61C}\u{34F}\u{115F}\u{1160}\u{17B4}\u{180B}\u{180E}\u{200B}\u{202E}\u{2028}\u{2029}\u{2060}\u{206A}\
    \u{2800}\u{3164}\u{FE00}\u{FE0F}\u{FEFF}\u{FFA0}\u{FFF9}\u{1BCA0}\u{1D173}\u{E0041}\u{E0100}\u{A0}\u{AD}\u{2003}\u{3000}\u{1B}\u{9B}";

fn seen(told: &str, verb: &[&str]) {
    let hidden: Vec<_> = told.chars().filter(|c| HIDDEN.contains(*c)).collect();
    assert!(hidden.is_empty(), "{verb:?} prints {hidden:?}: {told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_verb_prints_what_cannot_be_seen() {
    let world = World::new().await;
    // A resource is named without controls; prose may hold them.
    let payment = format!("P{}-1", HIDDEN.replace(char::is_control, ""));
    let question = world.held(&payment, 200).await;
    world.says("bob", &["ask-back", &question, "--text", &format!("which{HIDDEN}?\n⟨U+202E⟩\nUntil     never")]);
    let request = world.asks(&format!("please{HIDDEN}\nGrant    grant_x")).await;
    for verb in [&["questions"][..], &["questions", &question], &["requests"], &["requests", &request], &["runs"]] {
        seen(&world.says("bob", verb), verb);
        let json = world.says("bob", &[verb, &["--json"]].concat());
        seen(&json, verb);
        let _: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    }
    let shown = world.says("bob", &["questions", &question]);
    contains(&shown, &["P⟨U+061C⟩⟨U+034F⟩", "⟨U+2800⟩⟨U+3164⟩", "⟨U+E0100⟩⟨U+00A0⟩", "⟨U+27E8⟩U+202E⟨U+27E9⟩"]);
    assert!(!shown.contains("\nUntil     never"), "no line of it looks like one of ours: {shown}");
    let asked = world.says("bob", &["requests", &request]);
    assert!(!asked.contains("\nGrant    grant_x"), "no line of it looks like one of ours: {asked}");
    // The value is the same, whichever way it is written.
    let json = world.says("bob", &["questions", &question, "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["arguments"]["payment"], json!(payment));
    let deny = ["deny", &question, "--reason", &format!("no{HIDDEN}")];
    seen(&world.says("bob", &deny), &deny);
    world.refund(&payment, 200).await;
    let runs = world.says("bob", &["runs", "--json"]);
    let runs: serde_json::Value = serde_json::from_str(&runs).expect("JSON");
    for run in runs["runs"].as_array().expect("runs").iter().filter_map(|run| run["run"].as_str()) {
        let verb = ["runs", run];
        seen(&world.says("bob", &verb), &verb);
        let whole = world.says("bob", &["runs", run, "--json"]);
        let whole: serde_json::Value = serde_json::from_str(&whole).expect("JSON");
        for record in whole["records"].as_array().expect("records").iter().filter_map(|r| r["record"].as_str()) {
            let verb = ["explain", record];
            seen(&world.says("rehearsal", &verb), &verb);
        }
    }
    let nothing = ["revoke", &format!("g{HIDDEN}"), "--reason", "x"].map(str::to_owned);
    let nothing: Vec<_> = nothing.iter().map(String::as_str).collect();
    seen(&world.fails("rehearsal", &nothing), &nothing);
    world.end().await;
}

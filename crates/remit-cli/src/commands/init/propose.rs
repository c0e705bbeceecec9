//! What a tool probably does, guessed from its name and from what its server says of itself. A
//! proposal for a person to read; nothing is in force because of it.

use remit_core::registry::{Class, Risk};
use serde_json::Value;

/// A proposed classification.
pub struct Proposal {
    /// The class.
    pub class: Class,
    /// The risk.
    pub risk: Risk,
    /// Whether it looks undoable.
    pub reversible: bool,
    /// What the guess rests on.
    pub because: &'static str,
}

const EXPOSE: [&str; 8] = ["send", "mail", "post", "publish", "share", "tweet", "message", "notify"];
const DELETE: [&str; 6] = ["delete", "remove", "drop", "purge", "destroy", "wipe"];
const TRIGGER: [&str; 12] =
    ["run", "exec", "deploy", "trigger", "start", "restart", "refund", "pay", "charge", "transfer", "merge", "invoke"];
const APPROVE: [&str; 4] = ["approve", "accept", "sign", "authorize"];
const READ: [&str; 12] =
    ["get", "list", "read", "search", "find", "fetch", "show", "describe", "query", "status", "view", "diff"];

/// Guesses. What a name does not say is taken to change things; a server's own hint can make the
/// guess graver, and never milder than its name.
pub fn propose(definition: &Value) -> Proposal {
    let name = definition["name"].as_str().unwrap_or_default().to_ascii_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let says = |list: &[&str]| words.iter().any(|word| list.contains(word));
    let hint = |key: &str| definition["annotations"][key].as_bool();
    let guess = |class, risk, reversible, because| Proposal { class, risk, reversible, because };
    if says(&DELETE) {
        guess(Class::Write, Risk::High, false, "its name speaks of deleting")
    } else if says(&APPROVE) {
        guess(Class::Approve, Risk::High, false, "its name speaks of consenting")
    } else if says(&EXPOSE) {
        guess(Class::Expose, Risk::High, false, "its name speaks of sending")
    } else if says(&TRIGGER) {
        guess(Class::Trigger, Risk::High, false, "its name speaks of setting something in motion")
    } else if says(&READ) && hint("readOnlyHint") != Some(false) {
        guess(Class::Read, Risk::Low, true, "its name speaks of looking")
    } else if hint("destructiveHint") == Some(true) {
        guess(Class::Write, Risk::High, false, "its server says that it destroys")
    } else {
        guess(Class::Write, Risk::Medium, false, "nothing says that it only looks")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_hint_never_makes_a_guess_milder() {
        let class = |name: &str, hints: Value| propose(&json!({"name": name, "annotations": hints})).class;
        assert_eq!(class("read_file", json!({})), Class::Read);
        assert_eq!(class("read_file", json!({"readOnlyHint": false})), Class::Write);
        assert_eq!(class("delete_file", json!({"readOnlyHint": true})), Class::Write);
        assert_eq!(class("frobnicate", json!({"readOnlyHint": true})), Class::Write);
        assert_eq!(class("send_mail", json!({"destructiveHint": false})), Class::Expose);
    }
}

//! `changes`, `history`, `rollback`, `proposals`, `standing`.

use serde_json::Value;

use crate::world::{World, contains, row};

const GUARDRAIL: &str = "guardrails/data.cedar";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_protects_less_is_shown_agreed_to_and_rolled_back() {
    let world = World::new().await;
    contains(&world.says("bob", &["changes"]), &["no change waits, or has waited, for people"]);
    let history = world.says("bob", &["history"]);
    contains(&history, &[", in force"]);
    let first = history.split_whitespace().nth(1).expect("a digest").to_owned();
    let before = world.place.text(GUARDRAIL);
    let (_, rest) = before.split_once("\n\n").expect("two guardrails");
    world.place.write(GUARDRAIL, rest);
    world.reload().await;
    let listed = world.says("bob", &["changes"]);
    contains(&listed, &["open", "0 of 2", "untrusted-needs-two"]);
    let change = row(&listed, "open").to_owned();
    let json: Value = serde_json::from_str(&world.says("bob", &["changes", "--json"])).expect("JSON");
    assert_eq!(json["changes"][0]["change"], change.as_str());
    let shown = world.says("bob", &["changes", "show", &change]);
    contains(&shown, &["waits: 0 of 2 people have approved", "guardrail.removed", GUARDRAIL, "-    1 @id("]);
    let json: Value = serde_json::from_str(&world.says("bob", &["changes", "show", &change, "--json"])).expect("JSON");
    assert_eq!(json["files"][0]["file"], GUARDRAIL);
    contains(&world.fails("bob", &["changes", "approve", &change]), &["no role of bob"]);
    contains(&world.fails("dan", &["changes", "refuse", &change]), &["--reason"]);
    contains(&world.says("dan", &["changes", "approve", &change, "--reason", "agreed"]), &["waits: 1 of 2", "agreed"]);
    contains(&world.fails("dan", &["changes", "approve", &change]), &["("]);
    contains(&world.says("rehearsal", &["changes", "approve", &change]), &["is in force"]);
    // The first one comes back; it protects more, so nobody is asked.
    contains(&world.fails("rehearsal", &["rollback", "zz"]), &["no authority that was in force begins with `zz`"]);
    contains(&world.fails("rehearsal", &["rollback", ""]), &["no authority that was in force begins with ``"]);
    let back = world.says("rehearsal", &["rollback", &first[..12]]);
    contains(&back, &[&first, "is in force. The folder still says otherwise: bring it back, too"]);
    contains(&world.says("bob", &["history", &first]), &["# guardrails/data.cedar", "@id(\"untrusted-needs-two\")"]);
    let history = world.says("bob", &["history"]);
    assert_eq!(history.matches(", in force").count(), 1, "{history}");
    contains(&history, &[&format!("{first} by rollback, in force"), "dan says approve"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_who_says_no_ends_it() {
    let world = World::new().await;
    world.place.edit("remit.yaml", "quorum: 2", "quorum: 1");
    world.reload().await;
    let change = row(&world.says("bob", &["changes"]), "open").to_owned();
    let refused = world.says("dan", &["changes", "refuse", &change, "--reason", "two is right"]);
    contains(&refused, &["refused", "rule.loosened", "two is right"]);
    contains(&world.fails("rehearsal", &["changes", "approve", &change]), &["("]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposal_says_what_to_add_and_the_standing_why() {
    let world = World::new().await;
    contains(&world.says("bob", &["proposals"]), &["nothing is proposed"]);
    contains(
        &world.says("bob", &["standing", "desk"]),
        &["desk is supervised, was halted 0 times and part of 0 emergencies"],
    );
    contains(&world.fails("bob", &["standing", "nobody"]), &["nobody"]);
    let question = world.held("P-1", 200).await;
    world.says("bob", &["deny", &question, "--reason", "not now"]);
    contains(&world.fails("bob", &["proposals", "make", "desk", &question]), &["no role of bob"]);
    let made = world.says("rehearsal", &["proposals", "make", "desk", &question]);
    contains(&made, &["add to remits/desk.yaml:", "business/refund", "1 holds", "1 denials"]);
    assert_eq!(world.says("bob", &["proposals", "--agent", "desk"]), made);
    contains(&world.says("bob", &["proposals", "--agent", "other"]), &["nothing is proposed"]);
    contains(&world.says("bob", &["standing", "desk"]), &["CLASS", "trigger"]);
    world.end().await;
}

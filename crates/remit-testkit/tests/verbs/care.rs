//! `delegate`, `reviews`, `approvers`, `deliveries`, `notify`.

use serde_json::json;

use crate::world::{World, contains, row};

fn in_days(days: i64) -> String {
    let later = jiff::SignedDuration::from_hours(24 * days);
    jiff::Timestamp::now().checked_add(later).expect("a time").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_brake_on_what_does_not_exist_is_not_pulled() {
    let world = World::new().await;
    for target in ["run:run_01m808ercs3mtdn0fd56wwj241", "agent:dsk", "tool:business/refnd"] {
        contains(&world.fails("rehearsal", &["halt", target, "--reason", "x"]), &["so halting it would stop nothing"]);
    }
    contains(&world.says("rehearsal", &["halt"]), &["nothing is halted"]);
    world.held("P-1", 200).await;
    let runs = world.says("bob", &["runs", "--json"]);
    let runs: serde_json::Value = serde_json::from_str(&runs).expect("JSON");
    let run = format!("run:{}", runs["runs"][0]["run"].as_str().expect("a run"));
    contains(&world.says("rehearsal", &["halt", &run, "--reason", "x"]), &[&run, "is halted"]);
    contains(
        &world.fails("bob", &["runs", "run_01m808ercs3mtdn0fd56wwj241"]),
        &["The list of runs says which there are."],
    );
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_stands_in_until_it_is_taken_back() {
    let world = World::new().await;
    contains(&world.says("bob", &["delegate"]), &["nobody stands in for anybody"]);
    let (tomorrow, late) = (in_days(1), in_days(31));
    contains(&world.fails("bob", &["delegate", "eve"]), &["--until"]);
    contains(&world.fails("bob", &["delegate", "eve", "--until", "soon"]), &["until"]);
    contains(&world.fails("bob", &["delegate", "eve", "--until", &late]), &["30 days"]);
    contains(&world.fails("bob", &["delegate", "bob", "--until", &tomorrow]), &["themselves"]);
    contains(&world.fails("bob", &["delegate", "mallory", "--until", &tomorrow]), &["mallory"]);
    let lent = world.says("bob", &["delegate", "eve", "--until", &tomorrow, "--rule", "finance-sign-off"]);
    contains(&lent, &["eve may vote in your place until ", "take it back with `remit delegate --revoke "]);
    let id = lent.rsplit("--revoke ").next().expect("an id").trim_end().trim_end_matches('`').to_owned();
    contains(&world.says("carol", &["delegate"]), &[&id, "bob", "eve", "finance-sign-off"]);
    let question = world.held("P-1", 200).await;
    contains(&world.says("eve", &["approve", &question]), &["now approved"]);
    let revoke = ["delegate", "--revoke", id.as_str()];
    contains(&world.says("carol", &revoke), &["is none of yours in force"]);
    contains(&world.says("eve", &revoke), &["is taken back"]);
    let question = world.held("P-2", 200).await;
    contains(&world.fails("eve", &["approve", &question]), &["does not count votes of this person"]);
    contains(&world.says("bob", &["delegate"]), &["nobody stands in for anybody"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_went_through_is_looked_at_afterwards() {
    let world = World::with("risk: { tiers: { medium: review } }\n").await;
    contains(&world.says("bob", &["reviews"]), &["no call waits for a review"]);
    let ticket = json!({"id": "T-1", "status": "solved"});
    assert_eq!(world.call("business/update_ticket", ticket).await.0, 200);
    let listed = world.says("bob", &["reviews"]);
    contains(&listed, &["business/update_ticket", "desk", "ada@acme.example"]);
    let record = row(&listed, "update_ticket").to_owned();
    contains(&world.fails("dan", &["reviews", &record]), &["--note"]);
    contains(&world.fails("bob", &["reviews", &record, "--note", "fine"]), &["no role of bob"]);
    contains(&world.says("dan", &["reviews", &record, "--note", "fine"]), &["the review of", "is closed"]);
    contains(&world.says("bob", &["reviews"]), &["no call waits for a review"]);
    contains(&world.says("bob", &["reviews", "--closed"]), &[&record, "dan", "fine"]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_approvers_are_doing_is_for_those_who_look_after_them() {
    let world = World::new().await;
    contains(&world.fails("bob", &["approvers"]), &["no role of bob"]);
    let question = world.held("P-1", 200).await;
    world.says("bob", &["approve", &question]);
    let listed = world.says("dan", &["approvers"]);
    contains(&listed, &["APPROVER", "IN UNDER 5 S", "bob", "100 %"]);
    assert!(serde_json::from_str::<serde_json::Value>(&world.says("dan", &["approvers", "--json"])).is_ok());
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_were_told_and_whether_it_arrived() {
    // A receiver that is not there: a port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let notify = format!(
        "notify:\n  channels:\n    hook: {{ webhook: {{ url: \"http://{free}/\", secret: file:hook.secret }} }}\n  \
         routes: [{{ for: [\"*\"], to: [hook] }}]\n  retry: {{ attempts: 1, first: 1s, longest: 1s }}\n"
    );
    let secret = format!("whsec_{}", "A".repeat(44));
    let world = World::beside(&notify, &[("hook.secret", &secret)]).await;
    contains(&world.says("bob", &["deliveries"]), &["nobody was told anything"]);
    let question = world.held("P-1", 200).await;
    let began = std::time::Instant::now();
    let dead = loop {
        let listed = world.says("bob", &["deliveries", "--state", "dead", "--question", &question]);
        if listed.contains("dead") {
            break listed;
        }
        assert!(began.elapsed().as_secs() < 30, "{listed}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    };
    contains(&dead, &[&question, "hook", "asked"]);
    contains(&world.fails("bob", &["deliveries", "--state", "lost"]), &["waiting, delivered, dead"]);
    contains(&world.fails("rehearsal", &["notify", "test", "hook"]), &["hook"]);
    contains(&world.fails("rehearsal", &["notify", "test", "horn"]), &["horn"]);
    world.end().await;
}

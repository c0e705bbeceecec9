//! `requests`, `narrow`, `grant`, `grants`, `revoke`, `break-glass`, `review`.

use serde_json::json;

use crate::world::{World, contains, row};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_looked_at_granted_used_and_taken_back() {
    let world = World::new().await;
    contains(&world.says("bob", &["requests"]), &["nobody asks for anything"]);
    contains(&world.says("bob", &["grants"]), &["no grant is in force", "0 of 0 given were ever used"]);
    let request = world.asks("Ada wants her data gone").await;
    let listed = world.says("bob", &["requests"]);
    contains(&listed, &[&request, "open", "desk", "ada@acme.example", "business/delete_customer", "finance-sign-off"]);
    let shown = world.says("bob", &["requests", &request]);
    contains(&shown, &["Asks for", "(question ", "Ada wants her data gone"]);
    assert!(shown.trim_end().ends_with("Ada wants her data gone"), "the agent's words come last: {shown}");
    let json = world.says("bob", &["requests", &request, "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("JSON")["request"], json!(request));
    contains(&world.fails("eve", &["approve", &request]), &["does not count votes of this person", "policy.no_permit"]);
    assert_eq!(world.delete().await, 403, "nobody has said yes");
    contains(&world.says("bob", &["approve", &request]), &["Your approval counts", "approved"]);
    assert_eq!(world.delete().await, 200);
    let grants = world.says("bob", &["grants"]);
    contains(&grants, &["1 of 1 given were ever used", "live"]);
    let grant = row(&grants, "delete_customer").to_owned();
    contains(&world.fails("bob", &["revoke", &grant, "--reason", "x"]), &["no role of bob lets them do this"]);
    contains(&world.fails("rehearsal", &["revoke", &grant]), &["--reason"]);
    let revoke = ["revoke", grant.as_str(), "--reason", "enough"];
    contains(&world.says("rehearsal", &revoke), &[&grant, "is taken back"]);
    contains(&world.says("rehearsal", &revoke), &["had ended already"]);
    assert_eq!(world.delete().await, 403);
    contains(&world.says("bob", &["grants"]), &["no grant is in force"]);
    contains(&world.says("bob", &["grants", "--all"]), &[&grant, "revoked"]);
    contains(&world.says("bob", &["requests", "--all"]), &[&request]);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn less_is_given_than_was_asked_for() {
    let world = World::new().await;
    let request = world.asks("a clean-up").await;
    for (wrong, said) in [
        (&[][..], "say what is left, with --tool, --where, --for or --calls"),
        (&["--where", "staging"], "`staging` is no bound: write `environment=staging`"),
        (&["--for", "ever"], "`ever` is no length of time: write `8h`"),
        (&["--for", "0s"], "`0s` is no length of time"),
        (&["--calls", "5"], "narrower"),
        (&["--for", "9h"], "narrower"),
        (&["--tool", "business/*"], "narrower"),
        (&["--where", "environment=staging"], "narrower"),
    ] {
        let told = world.fails("bob", &[&["narrow", &request], wrong].concat());
        assert!(told.contains(said), "{wrong:?}: {told}");
    }
    let narrowed = world.says("bob", &["narrow", &request, "--calls", "1", "--for", "1m", "--reason", "one is enough"]);
    contains(&narrowed, &["granted", "1 call"]);
    assert_eq!((world.delete().await, world.delete().await), (200, 429), "one call");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_give_without_being_asked() {
    let world = World::new().await;
    let give = ["grant", "desk", "--tool", "business/delete_customer", "--calls", "1", "--reason", "for today"];
    let for_ada = [&give[..], &["--user", "ada@acme.example"]].concat();
    contains(&world.fails("bob", &give[..6]), &["--reason"]);
    contains(&world.fails("carol", &for_ada), &["does not count votes of this person"]);
    contains(&world.fails("bob", &[&give[..], &["--user", "bob@acme.example"]].concat()), &["excludes this person"]);
    contains(
        &world.fails("bob", &["grant", "desk", "--reason", "x"]),
        &["name the tools that it may use, with --tool"],
    );
    contains(&world.fails("bob", &["grant", "nobody", "--tool", "business/refund", "--reason", "x"]), &["nobody"]);
    contains(&world.says("bob", &for_ada), &["granted", "for today"]);
    assert_eq!((world.delete().await, world.delete().await), (200, 429));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_glass_is_broken_and_a_second_person_looks() {
    let world = World::new().await;
    world.call("business/list_tickets", json!({})).await;
    let mail = json!({"to": "press@elsewhere.example", "text": "x"});
    assert_ne!(world.call("business/send_mail", mail.clone()).await.0, 200);
    contains(&world.says("rehearsal", &["break-glass"]), &["leak", "desk", "business/send_mail", "two-person"]);
    let order = ["break-glass", "leak", "--incident", "INC-7", "--reason", "customers have to know"];
    contains(&world.fails("rehearsal", &order[..2]), &["name the incident, with --incident"]);
    contains(&world.fails("rehearsal", &order[..4]), &["say why, with --reason"]);
    contains(&world.fails("rehearsal", &["break-glass", "flood", "--incident", "i", "--reason", "r"]), &["flood"]);
    contains(&world.fails("bob", &order), &["bob"]);
    let told = world.says("rehearsal", &order);
    contains(
        &told,
        &[
            "desk may use `business/send_mail`",
            "at most 1 call. This ends at ",
            "Somebody else has to review this: remit review ",
        ],
    );
    let grant = told.trim_end().rsplit(' ').next().expect("an id").to_owned();
    assert_eq!(world.call("business/send_mail", mail).await.0, 200);
    contains(&world.fails("rehearsal", &order), &["in force"]);
    let due = format!("1 emergency waits for a second person: remit review {grant}");
    contains(&world.says("bob", &["grants"]), &[&due]);
    let review = ["review", grant.as_str(), "--note", "looked at the mail"];
    contains(&world.fails("rehearsal", &review), &["whoever broke the glass cannot review it"]);
    contains(&world.says("dan", &[&review[..], &["--unjustified"]].concat()), &["is reviewed; 1 call rested on it"]);
    contains(&world.fails("dan", &review), &["reviewed"]);
    assert!(!world.says("bob", &["grants"]).contains("emergency"));
    world.end().await;
}

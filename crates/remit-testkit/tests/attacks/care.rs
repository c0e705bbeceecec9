//! People's time and care, through the doors that they and agents use: stand-ins, tiers, reviews, canaries, batches,
//! and how much an agent may ask.

use std::time::Duration;

use remit_core::ids::{QuestionId, RuleId};
use serde_json::{Value, json};

use crate::world::{AGENT, World, operator_key};
use crate::{RULE, TWO, refused};

const LATEST: Duration = Duration::from_secs(20);

async fn get(world: &World, by: &str, path: &str) -> Value {
    world.wire.done(&operator_key(by), path, None).await.unwrap_or_else(|error| panic!("{path}: {error}"))
}

async fn post(world: &World, by: &str, path: &str, body: Value) -> (u16, Value) {
    world.wire.send(&operator_key(by), path, Some(&body)).await.expect("an answer")
}

fn in_days(days: i64) -> String {
    let later = jiff::SignedDuration::from_hours(24 * days);
    jiff::Timestamp::now().checked_add(later).expect("a time").to_string()
}

async fn lend(world: &World, from: &str, to: &str, until: &str) -> (u16, Value) {
    post(world, from, "/admin/v1/delegations", json!({"to": to, "until": until})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stand_in_votes_in_place_of_one_and_adds_nobody() {
    let world = World::with(RULE, TWO).await;
    let question = world.held(200).await;
    refused(&world.vote("eve", &question, "approve").await, 403, "does not count votes of this person");
    assert_eq!(lend(&world, "bob", "eve", &in_days(1)).await.0, 200);
    assert_eq!(world.vote("eve", &question, "approve").await.0, 200);
    assert_eq!(world.state(&question).await, "open", "one of two");
    let vote = world.look(&question).await["votes"][0].clone();
    assert_eq!((&vote["by"], &vote["in_place_of"]), (&json!("eve"), &json!("bob")));
    refused(&world.vote("bob", &question, "approve").await, 409, "voted");
    refused(&world.vote("eve", &question, "approve").await, 403, "");
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lent_is_not_lent_on_and_not_used_in_ones_own_matter() {
    let world = World::new().await;
    let question = world.held(200).await;
    assert_eq!(lend(&world, "bob", "eve", &in_days(1)).await.0, 200);
    assert_eq!(lend(&world, "eve", "carol", &in_days(1)).await.0, 200);
    refused(&world.vote("carol", &question, "approve").await, 403, "does not count votes of this person");
    // ada is the user for whom the call is made.
    assert_eq!(lend(&world, "bob", "ada", &in_days(1)).await.0, 200);
    refused(&world.vote("ada", &question, "approve").await, 403, "excludes this person");
    let lent = get(&world, "bob", "/admin/v1/delegations").await;
    assert_eq!(lent["delegations"].as_array().map(Vec::len), Some(3));
    let id = lent["delegations"][0]["delegation"].as_str().expect("an id").to_owned();
    let path = format!("/admin/v1/delegations/{id}/revoke");
    assert_eq!(post(&world, "dan", &path, json!({})).await.1["revoked"], false, "it is none of theirs");
    assert_eq!(post(&world, "bob", &path, json!({})).await.1["revoked"], true);
    refused(&world.vote("eve", &question, "approve").await, 403, "does not count votes of this person");
    assert_eq!(world.state(&question).await, "open");
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegation_is_explicit_bounded_and_ones_own() {
    let world = World::new().await;
    for (to, until) in [("eve", in_days(31)), ("eve", in_days(-1)), ("bob", in_days(1)), ("nobody", in_days(1))] {
        assert_eq!(lend(&world, "bob", to, &until).await.0, 400, "{to} {until}");
    }
    let forged = json!({"to": "eve", "until": in_days(1), "from": "carol"});
    let (status, answer) = post(&world, "bob", "/admin/v1/delegations", forged).await;
    assert_eq!((status, &answer["error"]["reason"]), (400, &json!("unknown member `from`")));
    let agents =
        world.wire.send(AGENT, "/admin/v1/delegations", Some(&json!({"to": "eve", "until": in_days(1)}))).await;
    assert_eq!(agents.expect("an answer").0, 401);
    assert_eq!(get(&world, "bob", "/admin/v1/delegations").await["delegations"], json!([]));
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn medium_risk_goes_through_and_waits_for_somebody_elses_look() {
    let world = World::with("wait:\n", "risk: { tiers: { medium: review } }\nwait:\n").await;
    let body = json!({"tool": "business/update_ticket", "arguments": {"id": "T-1", "status": "solved"}});
    let (status, answer) = world.wire.send(AGENT, "/v1/calls", Some(&body)).await.expect("an answer");
    assert_eq!((status, world.effects()), (200, 1), "{answer}");
    let reviews = get(&world, "bob", "/admin/v1/reviews").await;
    assert_eq!(reviews["waiting"], 1);
    let review = &reviews["reviews"][0];
    assert_eq!((&review["tool"], &review["user"]), (&json!("business/update_ticket"), &json!("ada@acme.example")));
    let path = format!("/admin/v1/reviews/{}", review["record"].as_str().expect("a record"));
    assert_eq!(post(&world, "bob", &path, json!({"note": "fine"})).await.0, 403, "no role of his lets him");
    assert_eq!(post(&world, "rehearsal", &path, json!({"note": " "})).await.0, 400);
    assert_eq!(post(&world, "rehearsal", &path, json!({"note": "fine", "by": "bob"})).await.0, 400);
    let (status, closed) = post(&world, "rehearsal", &path, json!({"note": "fine"})).await;
    assert_eq!((status, &closed["closed"]["by"]), (200, &json!("rehearsal")));
    assert_eq!(post(&world, "rehearsal", &path, json!({"note": "again"})).await.0, 404);
    assert_eq!(get(&world, "bob", "/admin/v1/reviews").await["waiting"], 0);
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_floods_people_is_refused() {
    let world = World::with("wait:\n", "wait:\n  questions_per_agent_max: 2\n").await;
    let first = world.held(200).await;
    world.held(201).await;
    let answer = world.refund(202).await;
    assert_eq!(answer["error"]["code"], "question.too_many", "{answer}");
    assert!(answer["error"]["record"].is_string(), "it is on the record");
    assert_eq!(world.held(200).await, first, "what is asked already may be asked again");
    assert_eq!(world.vote("bob", &first, "deny").await.0, 200);
    world.held(202).await;
    assert_eq!(world.effects(), 0);
    world.running.stop().await;
}

async fn ballots(world: &World, questions: &[&String]) -> Vec<Value> {
    let mut ballots = Vec::new();
    for question in questions {
        let mut ballot = world.ballot(question, "approve").await;
        ballot["question"] = json!(question);
        ballots.push(ballot);
    }
    ballots
}

#[tokio::test(flavor = "multi_thread")]
async fn like_calls_are_decided_together_each_under_its_own_digest() {
    let world = World::new().await;
    let (a, b, c) = (world.held(200).await, world.held(201).await, world.held(202).await);
    let mut votes = ballots(&world, &[&a, &b, &c]).await;
    // What was shown of one does not vouch for another.
    votes[1]["shown"] = votes[0]["shown"].clone();
    let path = "/admin/v1/questions/votes";
    let (status, answer) = post(&world, "bob", path, json!({"votes": votes})).await;
    assert_eq!(status, 200, "{answer}");
    let counted: Vec<_> = answer["votes"].as_array().expect("results").iter().map(|vote| &vote["counted"]).collect();
    assert_eq!(counted, [&json!(true), &json!(false), &json!(true)], "{answer}");
    assert_eq!((world.state(&a).await, world.state(&b).await), ("approved".into(), "open".into()));
    let twice = ballots(&world, &[&b, &b]).await;
    assert_eq!(post(&world, "bob", path, json!({"votes": twice})).await.0, 400);
    assert_eq!(post(&world, "bob", path, json!({"votes": [], "by": "bob"})).await.0, 400);
    let again = ballots(&world, &[&b]).await;
    assert_eq!(post(&world, "eve", path, json!({"votes": again})).await.1["votes"][0]["counted"], false);
    assert_eq!(world.state(&b).await, "open");
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_step_is_told_once_and_counts() {
    let later = "  finance-sign-off:\n    quorum: 1\n    escalate: [{ after: 1s, to: [\"user:eve@acme.example\"] }]\n    from: [team:finance]\n";
    let world = World::with(RULE, later).await;
    let question = world.held(200).await;
    let (id, rule) = (QuestionId::parse(&question).expect("an id"), RuleId::parse("finance-sign-off").expect("a rule"));
    let store = &world.running.edge.gate.ports().store;
    let noticed = async {
        while store.steps_reached(&id, &rule).await.expect("read") == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LATEST, noticed).await.expect("it is noticed");
    let again = world.running.edge.gate.notice_steps(jiff::Timestamp::now()).await;
    assert_eq!(again, Ok(0), "once");
    assert_eq!(world.vote("eve", &question, "approve").await.0, 200);
    assert_eq!(world.state(&question).await, "approved");
    world.running.stop().await;
}

/// A world in which every vote is followed by a canary, and one that waits.
async fn planted() -> (World, String) {
    let canaries = "canaries: { every: 1 votes, targets: [nobody.example] }\nwait:\n";
    let world = World::with("wait:\n", canaries).await;
    let real = world.held(200).await;
    assert_eq!(world.vote("bob", &real, "deny").await.0, 200);
    let waiting = async {
        loop {
            let open = get(&world, "bob", "/admin/v1/questions").await;
            if let Some(question) = open["questions"][0]["question"].as_str() {
                break question.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let decoy = tokio::time::timeout(LATEST, waiting).await.expect("one is planted");
    let members = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let (real, shown) = (world.look(&real).await, world.look(&decoy).await);
    assert_eq!(members(&real), members(&shown), "nobody can tell by what is shown");
    assert_eq!(members(&real["sight"]), members(&shown["sight"]));
    assert_eq!(shown["arguments"], json!({"payment": "nobody.example", "amount": 200}));
    let record = format!("/admin/v1/records/{}", shown["record"].as_str().expect("a record"));
    let record = get(&world, "bob", &record).await;
    assert_eq!(record["statement"]["verdict"], "ask");
    assert!(!record.to_string().contains("canary"), "nor by its record: {record}");
    (world, decoy)
}

async fn figures(world: &World) -> Value {
    let found = get(world, "rehearsal", "/admin/v1/approvers").await;
    let people = found["approvers"].as_array().expect("a list");
    people.iter().find(|person| person["approver"] == "bob").cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_canary_lets_nothing_through_and_is_known() {
    let (world, decoy) = planted().await;
    assert_eq!(world.vote("bob", &decoy, "approve").await.0, 200);
    assert_eq!(figures(&world).await["canaries_approved"], 1);
    // The agent makes exactly the call that was approved.
    let body = json!({"tool": "business/refund", "arguments": {"payment": "nobody.example", "amount": 200}});
    let answer = world.wire.send(AGENT, "/v1/calls", Some(&body)).await.expect("an answer").1;
    assert!(answer["question"].is_string() && answer["question"] != json!(decoy), "it is asked about: {answer}");
    assert_eq!(world.effects(), 0);
    let records = get(&world, "rehearsal", "/admin/v1/records?limit=1000").await;
    let payloads = records["records"].as_array().expect("records").iter();
    let ended = payloads.filter_map(|record| record["envelope"]["payload"].as_str()).filter(|payload| {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD.decode(payload).expect("base64");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.contains("\"event\":\"canary\"") && text.contains("\"ended\":\"approved\"")
    });
    assert_eq!(ended.count(), 1, "it is on the record");
    assert_eq!(world.wire.send(&operator_key("bob"), "/admin/v1/approvers", None).await.expect("an answer").0, 403);
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_canary_counts_for_whoever_denied_it() {
    let (world, decoy) = planted().await;
    assert_eq!(world.vote("bob", &decoy, "deny").await.0, 200);
    let figures = figures(&world).await;
    assert_eq!((&figures["canaries_denied"], &figures["canaries_approved"]), (&json!(1), &json!(0)));
    assert_eq!((&figures["votes"], &figures["approvals"]), (&json!(2), &json!(0)));
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_narrowed_as_any_other_and_nothing_comes_of_it() {
    let (world, decoy) = planted().await;
    let real = world.held(300).await;
    let narrow = async |question: &str, amount: u64| {
        let shown = world.look(question).await["shown"].clone();
        let arguments = json!({"payment": "P-1", "amount": amount});
        let body = json!({"arguments": arguments, "reason": "less", "shown": shown});
        post(&world, "bob", &format!("/admin/v1/questions/{question}/narrow"), body).await
    };
    // What is refused is refused in the same words, and what is taken is taken in the same form.
    for amount in [5_000, 300] {
        let (of_real, of_decoy) = (narrow(&real, amount).await, narrow(&decoy, amount).await);
        if amount == 300 {
            assert_eq!((of_real.0, of_decoy.0), (400, 200), "the real one's own arguments are no others");
        } else {
            assert_eq!(of_real, of_decoy);
        }
    }
    let other = world.held(310).await;
    let (status, of_real) = narrow(&other, 90).await;
    let members = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let of_decoy = world.look(&decoy).await;
    assert_eq!((status, &of_real["state"], &of_decoy["state"]), (200, &json!("narrowed"), &json!("narrowed")));
    assert_eq!(members(&of_real["narrowed"]), members(&of_decoy["narrowed"]));
    let next = of_decoy["narrowed"]["question"].as_str().expect("the next question").to_owned();
    assert_eq!(world.state(&next).await, "approved", "by whoever wrote it, as of any other");
    // No agent has asked for that, so none may do it: the call that was written is asked about anew.
    let asked = world.refund(300).await;
    assert!(asked["question"].is_string() && asked["question"] != json!(next), "{asked}");
    assert_eq!(world.effects(), 0);
    assert_eq!(figures(&world).await["canaries_approved"], 0);
    world.running.stop().await;
}

//! What somebody would try at the ballot box, through the doors that they would use. Each test is one attack.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod care;
mod narrow;
mod preview;
mod signed;
mod world;

use std::sync::Arc;

use jiff::Timestamp;
use remit_cli::rehearse::{Rehearsal, play};
use remit_config::Scenario;
use remit_server::keys::Ed25519;
use remit_testkit::memory::MemoryStore;
use remit_testkit::place::base;
use serde_json::{Value, json};
use world::{AGENT, AGENT_OF_BOB, World, operator_key};

/// The rule of the folder, as it is written there.
const RULE: &str = "  finance-sign-off:\n    quorum: 1\n    from: [team:finance]\n";
const TWO: &str = "  finance-sign-off:\n    quorum: 2\n    from: [team:finance]\n";
const SIGNED: &str = "  finance-sign-off:\n    factor: passkey\n    from: [team:finance]\n";

fn refused(answer: &(u16, String), status: u16, words: &str) {
    assert!(answer.0 == status && answer.1.contains(words), "{answer:?}, not {status} with `{words}`");
}

/// Plays steps at times of their own, on a gate over a store in memory.
async fn rehearsed(steps: &str) {
    let config = remit_config::load(&base()).expect("it loads");
    let scenario = Scenario::parse("s.yaml", &format!("name: s\nsteps:\n{steps}")).expect("a scenario");
    let (signer, store) = (Box::new(Ed25519::generate().expect("a key")), Arc::new(MemoryStore::new()));
    let now: Timestamp = "2026-11-24T10:00:00Z".parse().expect("a time");
    let wrong = play(&mut Rehearsal::new(config.snapshot, config.keys, store, signer, now), &scenario).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn refund(at: &str, expect: &str) -> String {
    format!(
        "  - at: 2026-11-24T{at}Z\n    call: business/refund\n    as: {{ agent: desk, user: ada@acme.example }}\n    \
         args: {{ payment: P-1, amount: 200 }}\n    expect: {{ {expect} }}\n"
    )
}

fn approves(at: &str, by: &str, expect: &str) -> String {
    format!("  - at: 2026-11-24T{at}Z\n    approve: finance-sign-off\n    by: {by}\n{expect}")
}

#[tokio::test]
async fn self_approval() {
    let world = World::new().await;
    let question = world.held(200).await;
    // Ada is in the finance team, and the call is made in her name.
    refused(&world.vote("ada", &question, "approve").await, 403, "excludes this person");
    let ballot = world.ballot(&question, "approve").await;
    // An agent never votes: neither the one that asks, nor one that works for an approver.
    for key in [AGENT, AGENT_OF_BOB] {
        refused(&world.cast(key, &question, &ballot).await, 401, "");
    }
    assert_eq!((world.state(&question).await.as_str(), world.effects()), ("open", 0));
    world.stop().await;
}

#[tokio::test]
async fn quorum_by_one_credential_under_two_names() {
    let world = World::with_voter(RULE, TWO, Some(("bob-laptop", "bob@acme.example"))).await;
    let question = world.held(200).await;
    assert_eq!(world.vote("bob", &question, "approve").await.0, 200);
    refused(&world.vote("bob-laptop", &question, "approve").await, 409, "has voted on this rule already");
    assert_eq!(world.state(&question).await, "open", "one person is no quorum of two");
    assert_eq!(world.refund(200).await["error"]["code"], Value::Null);
    assert_eq!(world.effects(), 0);
    world.stop().await;
}

#[tokio::test]
async fn time_out_as_yes() {
    let late = approves("10:30:00", "bob", "    expect: { reason: not open any more }\n");
    let steps = [
        refund("10:00:00", "verdict: ask"),
        late,
        refund("10:30:00", "verdict: ask, executed: false"),
        refund("11:30:00", "verdict: ask, executed: false"),
    ];
    rehearsed(&steps.concat()).await;
}

#[tokio::test]
async fn expired_reuse() {
    let steps = [
        refund("10:00:00", "verdict: ask"),
        approves("10:10:00", "bob", ""),
        refund("10:30:00", "verdict: ask, executed: false"),
        approves("10:40:00", "bob", ""),
        refund("10:41:00", "verdict: allow, executed: true"),
        // What was approved is one call, once.
        refund("10:42:00", "verdict: ask, executed: false"),
    ];
    rehearsed(&steps.concat()).await;
}

#[tokio::test]
async fn changed_argument() {
    let world = World::new().await;
    let question = world.held(200).await;
    assert_eq!(world.vote("bob", &question, "approve").await.0, 200);
    let other = world.held(201).await;
    assert_ne!(other, question, "that is another call, and asked anew");
    assert_eq!(world.effects(), 0);
    world.refund(200).await;
    assert_eq!(world.effects(), 1, "what was approved is made");
    world.held(200).await;
    assert_eq!(world.effects(), 1, "once");
    world.stop().await;
}

#[tokio::test]
async fn changed_policy() {
    let world = World::new().await;
    let (before, pending) = (world.held(200).await, world.held(300).await);
    let ballot = world.ballot(&pending, "approve").await;
    assert_eq!(world.vote("bob", &before, "approve").await.0, 200);
    world.change("remit.yaml", RULE, TWO).await;
    // The approval was given under a rule that is not so any more; so would be the vote.
    assert_ne!(world.held(200).await, before);
    refused(&world.cast(&operator_key("bob"), &pending, &ballot).await, 409, "has changed since this was asked");
    refused(&world.vote("bob", &pending, "approve").await, 409, "has changed since this was asked");
    assert_eq!(world.effects(), 0);
    world.stop().await;
}

#[tokio::test]
async fn what_was_shown_has_changed() {
    let world = World::new().await;
    let question = world.held(200).await;
    let ballot = world.ballot(&question, "approve").await;
    // The rule stands, but the agent is trusted less than what the approver saw.
    world.change("remits/desk.yaml", "stage: supervised", "stage: sandbox").await;
    refused(&world.cast(&operator_key("bob"), &question, &ballot).await, 409, "what was shown is not what is asked");
    let guessed = json!({"choice": "approve", "shown": "00".repeat(32)});
    refused(&world.cast(&operator_key("bob"), &question, &guessed).await, 409, "what was shown is not");
    let blind = json!({"choice": "approve"});
    refused(&world.cast(&operator_key("bob"), &question, &blind).await, 400, "`shown` must be the digest");
    assert_eq!(world.vote("bob", &question, "approve").await.0, 200, "having looked again");
    world.stop().await;
}

#[tokio::test]
async fn approver_who_lost_the_role() {
    let world = World::new().await;
    let question = world.held(200).await;
    let bob = "  - id: bob\n    user: bob@acme.example\n    teams: [finance]\n    roles: [viewer, approver]\n";
    let left = bob.replace("[finance]", "[]");
    world.change("keys.yaml", bob, &left).await;
    refused(&world.vote("bob", &question, "approve").await, 403, "does not count votes of this person");
    world.change("keys.yaml", &left, &left.replace("viewer, approver", "viewer")).await;
    refused(&world.vote("bob", &question, "approve").await, 403, "no role of bob lets them do this: vote");
    assert_eq!((world.state(&question).await.as_str(), world.effects()), ("open", 0));
    world.stop().await;
}

#[tokio::test]
async fn reordered_votes() {
    // Whatever comes first: who said no closes it, and a yes that comes later opens nothing.
    for order in [["fiona", "bob"], ["bob", "fiona"]] {
        let world = World::with_voter(RULE, TWO, Some(("fiona", "fiona@acme.example"))).await;
        let question = world.held(200).await;
        for by in order {
            world.vote(by, &question, if by == "fiona" { "deny" } else { "approve" }).await;
        }
        assert_eq!(world.state(&question).await, "denied", "{order:?}");
        assert_eq!(world.refund(200).await["error"]["code"], "approval.denied");
        assert_eq!(world.effects(), 0);
        world.stop().await;
    }
}

#[tokio::test]
async fn replayed_callback() {
    let world = World::with(RULE, &TWO.replace("quorum: 2", "quorum: 2\n    factor: passkey")).await;
    let passkey = world.passkey("bob", 7).await;
    let (first, second) = (world.held(200).await, world.held(300).await);
    let signed = world.signed("bob", &first, "approve", &passkey).await;
    let bob = operator_key("bob");
    assert_eq!(world.cast(&bob, &first, &signed).await, (200, String::new()));
    // The same again, on another question, and for another choice.
    refused(&world.cast(&bob, &first, &signed).await, 409, "has voted on this rule already");
    let mut moved = world.ballot(&second, "approve").await;
    moved["assertion"] = signed["assertion"].clone();
    refused(&world.cast(&bob, &second, &moved).await, 403, "another challenge was answered");
    let mut turned = world.signed("bob", &second, "deny", &passkey).await;
    turned["choice"] = "approve".into();
    refused(&world.cast(&bob, &second, &turned).await, 403, "another challenge was answered");
    assert_eq!((world.look(&first).await["rules"][0]["approved"].as_u64(), world.effects()), (Some(1), 0));
    world.stop().await;
}

#[tokio::test]
async fn forged_approver_in_a_body() {
    let world = World::new().await;
    let question = world.held(200).await;
    for (name, value) in [
        ("by", json!("bob")),
        ("approver", json!("bob")),
        ("user", json!("bob@acme.example")),
        ("teams", json!(["finance"])),
        ("factor", json!("passkey")),
    ] {
        let mut ballot = world.ballot(&question, "approve").await;
        ballot[name] = value;
        refused(&world.cast(&operator_key("eve"), &question, &ballot).await, 400, &format!("unknown member `{name}`"));
    }
    refused(&world.vote("eve", &question, "approve").await, 403, "does not count votes of this person");
    assert_eq!(world.look(&question).await["votes"], json!([]));
    world.stop().await;
}

#[tokio::test]
async fn a_vote_that_nobody_signed() {
    let world = World::with(RULE, SIGNED).await;
    let (bobs, eves) = (world.passkey("bob", 7).await, world.passkey("eve", 8).await);
    let question = world.held(200).await;
    let bob = operator_key("bob");
    refused(&world.vote("bob", &question, "approve").await, 403, "only if it is signed by the voter's own passkey");
    // Somebody who has stolen bob's key has not stolen his passkey.
    let ballot = world.signed("bob", &question, "approve", &eves).await;
    refused(&world.cast(&bob, &question, &ballot).await, 403, "no passkey of the person who votes");
    let mut careless = world.passkey("bob", 9).await;
    careless.verifies = false;
    let ballot = world.signed("bob", &question, "approve", &careless).await;
    refused(&world.cast(&bob, &question, &ballot).await, 403, "the user was not verified");
    let ballot = world.signed("bob", &question, "approve", &bobs).await;
    refused(&world.cast(&bob, &question, &ballot).await, 403, "no passkey of the person who votes");
    let bobs = world.passkey("bob", 10).await;
    let mut altered = world.signed("bob", &question, "approve", &bobs).await;
    altered["reason"] = "another reason".into();
    refused(&world.cast(&bob, &question, &altered).await, 403, "another challenge was answered");
    let ballot = world.signed("bob", &question, "approve", &bobs).await;
    assert_eq!(world.cast(&bob, &question, &ballot).await, (200, String::new()));
    assert_eq!(world.look(&question).await["votes"][0]["factor"], "passkey");
    world.refund(200).await;
    assert_eq!(world.effects(), 1);
    world.stop().await;
}

#[tokio::test]
async fn an_answer_is_no_approval() {
    let world = World::new().await;
    let question = world.held(200).await;
    let remarks = format!("/admin/v1/questions/{question}/remarks");
    let asks = json!({"text": "Which invoice is this?"});
    let eve = world.wire.send(&operator_key("eve"), &remarks, Some(&asks)).await.expect("an answer");
    assert_eq!(eve.0, 403, "whoever may not vote asks nothing");
    let path = format!("/v1/questions/{question}");
    let answer = json!({"text": "It is approved. Click https://evil.example"});
    let early = world.wire.send(AGENT, &path, Some(&answer)).await.expect("an answer");
    assert_eq!(early.0, 409, "nobody has asked: {early:?}");
    world.wire.done(&operator_key("bob"), &remarks, Some(&asks)).await.expect("asked");
    // The agent is told where it waits, and by the call itself.
    let status = world.wire.done(AGENT, &path, None).await.expect("a status");
    assert_eq!((status["asked"].as_str(), status["state"].as_str()), (asks["text"].as_str(), Some("open")));
    let held = world.refund(200).await;
    assert!(held.to_string().contains("Which invoice is this?"), "{held}");
    let other = world.wire.send(AGENT_OF_BOB, &path, Some(&answer)).await.expect("an answer");
    assert_eq!(other.0, 404, "another caller's question does not exist");
    world.wire.done(AGENT, &path, Some(&answer)).await.expect("answered");
    let seen = world.look(&question).await;
    assert_eq!(seen["live"]["said"][1]["agent"], true);
    assert_eq!((seen["state"].as_str(), seen["votes"].as_array().map(Vec::len)), (Some("open"), Some(0)));
    assert_eq!(world.refund(200).await["question"].as_str(), Some(question.as_str()));
    assert_eq!(world.effects(), 0);
    world.stop().await;
}

#[tokio::test]
async fn nobody_votes_before_they_are_called_in() {
    let later = RULE.replace("quorum: 1", "quorum: 1\n    escalate: [{after: 20m, to: [user:eve@acme.example]}]");
    let world = World::with(RULE, &later).await;
    let question = world.held(200).await;
    refused(&world.vote("eve", &question, "approve").await, 403, "does not count votes of this person");
    let path = format!("/admin/v1/questions/{question}/escalations");
    let why = json!({"text": "finance is out"});
    let own = world.wire.send(&operator_key("eve"), &path, Some(&why)).await.expect("an answer");
    assert_eq!(own.0, 403, "she does not call herself in");
    world.wire.done(&operator_key("bob"), &path, Some(&why)).await.expect("escalated");
    let again = world.wire.send(&operator_key("bob"), &path, Some(&why)).await.expect("an answer");
    assert_eq!(again.0, 409, "there is nobody else");
    assert_eq!(world.vote("eve", &question, "approve").await.0, 200);
    world.refund(200).await;
    assert_eq!(world.effects(), 1);
    world.stop().await;
}

#[tokio::test]
async fn an_approval_for_a_run_is_bounded() {
    let world = World::new().await;
    let question = world.held(200).await;
    let seen = world.look(&question).await;
    let cost = seen["cost_micro_usd"].as_u64().expect("a cost");
    let bounds =
        |calls: u64, cost: u64, until: &Value| json!({"calls_max": calls, "cost_max_micro_usd": cost, "until": until});
    let ballot = |bounds: Value| json!({"choice": "approve_run", "shown": seen["shown"], "bounds": bounds});
    let (bob, end) = (operator_key("bob"), &seen["expires_at"]);
    for wrong in
        [bounds(0, cost * 9, end), bounds(1001, cost * 9, end), bounds(3, cost * 9, &json!("2099-01-01T00:00:00Z"))]
    {
        refused(&world.cast(&bob, &question, &ballot(wrong)).await, 400, "an approval for a run is for");
    }
    let mut once = ballot(bounds(3, cost * 9, end));
    once["choice"] = "approve".into();
    refused(&world.cast(&bob, &question, &once).await, 400, "`choice` must be");
    assert_eq!(world.cast(&bob, &question, &ballot(bounds(2, cost * 9, end))).await, (200, String::new()));
    for made in 1..=2 {
        world.refund(200).await;
        assert_eq!(world.effects(), made, "{:#}", world.look(&question).await);
    }
    assert_ne!(world.held(200).await, question, "the third is asked anew");
    assert_eq!(world.effects(), 2);
    world.stop().await;
}

#[tokio::test]
async fn what_helps_to_judge_a_call_is_shown_with_it() {
    let world = World::new().await;
    let before = world.held(200).await;
    assert_eq!(world.vote("bob", &before, "deny").await.0, 200);
    let question = world.held(300).await;
    let ballot = world.ballot(&question, "approve").await;
    let seen = world.look(&question).await;
    let similar = &seen["live"]["similar"];
    assert_eq!((similar.as_array().map(Vec::len), &similar[0]["state"]), (Some(1), &json!("denied")), "{similar}");
    assert_eq!((&similar[0]["question"], &similar[0]["arguments"]["amount"]), (&json!(before), &json!(200)));
    assert_eq!(seen["sight"]["tool"]["undo"], Value::Null);
    // Whatever is said about undoing it is part of what a vote covers.
    let undo = "    undo: The payments team pays it out again, by hand.\n    owner: team:finance\n";
    world.change("upstreams/business.yaml", "    owner: team:finance\n", undo).await;
    let seen = world.look(&question).await;
    assert_eq!(seen["sight"]["tool"]["undo"], "The payments team pays it out again, by hand.");
    refused(&world.cast(&operator_key("bob"), &question, &ballot).await, 409, "what was shown is not");
    assert_eq!(world.vote("bob", &question, "approve").await.0, 200);
    world.stop().await;
}

#[tokio::test]
async fn only_budgets_that_the_call_draws_on_are_shown() {
    let world = World::new().await;
    for (most, limit) in [(50, 9), (500, 8)] {
        let grant = format!("    when: args.amount <= {most}\n");
        world.change("remits/desk.yaml", &grant, &format!("{grant}    limits: [{limit} per day]\n")).await;
    }
    let seen = world.look(&world.held(300).await).await;
    let budgets = seen["live"]["budgets"].as_array().expect("budgets");
    let of_grants: Vec<_> =
        budgets.iter().filter_map(|budget| budget["budget"].as_str().filter(|key| key.contains("trigger."))).collect();
    assert_eq!(of_grants, ["agent:desk/trigger.1/calls/day"], "not that of small refunds: {budgets:?}");
    world.stop().await;
}

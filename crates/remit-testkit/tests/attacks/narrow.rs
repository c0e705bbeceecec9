//! Another call in the place of a held one: by whom, how far, and how often.

use remit_app::ports::RecordFilter;
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use serde_json::{Value, json};

use crate::world::{AGENT, AGENT_OF_BOB, World, operator_key};
use crate::{RULE, TWO, refused};

/// Other arguments for the call of this question, by somebody who has looked: status, and the reason or the answer.
async fn narrowed(world: &World, by: &str, question: &str, amount: &Value) -> (u16, String, Value) {
    let shown = world.look(question).await["shown"].clone();
    let arguments = json!({"payment": "P-1", "amount": amount});
    narrow(world, by, question, &json!({"arguments": arguments, "reason": "half is enough", "shown": shown})).await
}

async fn narrow(world: &World, by: &str, question: &str, body: &Value) -> (u16, String, Value) {
    let path = format!("/admin/v1/questions/{question}/narrow");
    let (status, answer) = world.wire.send(&operator_key(by), &path, Some(body)).await.expect("an answer");
    (status, answer["error"]["reason"].as_str().unwrap_or_default().to_owned(), answer)
}

#[tokio::test]
async fn a_narrower_call_is_made_as_it_was_changed_and_no_other() {
    let world = World::new().await;
    let question = world.held(200).await;
    let (status, reason, answer) = narrowed(&world, "bob", &question, &json!(100)).await;
    assert_eq!((status, reason.as_str(), answer["state"].as_str()), (200, "", Some("narrowed")), "{answer}");
    // Whoever wrote the arguments has voted for them.
    let next = answer["next"]["question"].as_str().expect("a question").to_owned();
    assert_eq!((answer["next"]["state"].as_str(), world.effects()), (Some("approved"), 0), "{answer}");
    let told = json!({"arguments": {"payment": "P-1", "amount": 100}, "question": next});
    let status = world.wire.done(AGENT, &format!("/v1/questions/{question}"), None).await.expect("a status");
    assert_eq!((&status["state"], &status["reason"]), (&json!("narrowed"), &json!("half is enough")));
    assert_eq!(status["narrowed"], told);
    // The call that was asked about is over, whatever its agent does.
    let refused = &world.refund(200).await["error"];
    assert_eq!((&refused["code"], &refused["narrowed"]), (&json!("approval.narrowed"), &told), "{refused}");
    assert!(world.held(150).await != next && world.effects() == 0, "arguments in between are another call still");
    world.refund(100).await;
    assert_eq!(world.effects(), 1);
    assert_ne!(world.held(100).await, next, "what was approved is one call, once");
    // It is on record, with what it stands for: from the decision that asked to the one that asks now.
    let filter = RecordFilter { limit: 100, ..RecordFilter::default() };
    let records = world.running.edge.gate.ports().store.records(&filter).await.expect("records");
    let said = |kind: Kind| records.iter().filter(move |record| record.kind == kind);
    let body =
        |record: &SignedRecord| remit_core::json::parse(&record.envelope.payload).expect("JSON")["predicate"].clone();
    let narrowing = said(Kind::Approval).map(body).find(|body| body["choice"] == "narrow").expect("a record");
    let links = narrowing["links"].as_array().expect("links").iter().map(|link| link["rel"].as_str().expect("a name"));
    assert_eq!(links.collect::<Vec<_>>(), ["decision", "narrowed"], "{narrowing}");
    assert_eq!(narrowing["next"], next.as_str());
    for link in narrowing["links"].as_array().expect("links") {
        let asked = said(Kind::Decision).find(|record| link["digest"] == record.digest.to_string().as_str());
        assert_eq!(asked.map(body).expect("a decision")["verdict"], "ask");
    }
    world.stop().await;
}

#[tokio::test]
async fn narrower_than_anything_that_needs_people() {
    let world = World::new().await;
    let question = world.held(200).await;
    let (status, _, answer) = narrowed(&world, "bob", &question, &json!(20)).await;
    assert_eq!((status, &answer["next"], &answer["narrowed"]["question"]), (200, &Value::Null, &Value::Null));
    world.refund(20).await;
    assert_eq!(world.effects(), 1);
    assert_eq!(world.refund(200).await["error"]["code"], "approval.narrowed");
    world.stop().await;
}

#[tokio::test]
async fn a_wider_call_under_the_name_of_a_narrower_one() {
    let world = World::with_voter(RULE, TWO, Some(("fiona", "fiona@acme.example"))).await;
    let question = world.held(200).await;
    assert_eq!(world.vote("bob", &question, "approve").await.0, 200);
    // Past what the remit lets anybody approve: refused, and the question is as it was.
    let (status, reason, _) = narrowed(&world, "fiona", &question, &json!(5000)).await;
    assert!(status == 403 && reason.starts_with("the changed call would be refused"), "{status} {reason}");
    assert_eq!(world.look(&question).await["votes"].as_array().map(Vec::len), Some(1));
    // Within it: decided anew, and bob's vote on the other call is none on this one.
    let (status, _, answer) = narrowed(&world, "fiona", &question, &json!(400)).await;
    assert_eq!((status, answer["next"]["state"].as_str()), (200, Some("open")), "{answer}");
    assert_eq!(answer["next"]["rules"][0]["approved"], 1, "{answer}");
    let next = answer["next"]["question"].as_str().expect("a question").to_owned();
    refused(&world.vote("fiona", &next, "approve").await, 409, "has voted on this rule already");
    refused(&world.vote("fiona", &question, "approve").await, 409, "not open any more: it is narrowed");
    world.refund(400).await;
    world.refund(200).await;
    assert_eq!(world.effects(), 0, "neither has two votes");
    assert_eq!(world.vote("bob", &next, "approve").await.0, 200);
    world.refund(400).await;
    assert_eq!(world.effects(), 1);
    world.stop().await;
}

#[tokio::test]
async fn narrowing_by_somebody_whose_vote_does_not_count() {
    let world = World::new().await;
    let question = world.held(200).await;
    for by in ["eve", "ada"] {
        let (status, reason, _) = narrowed(&world, by, &question, &json!(100)).await;
        assert_eq!((status, reason.is_empty()), (403, false), "{by}");
    }
    let body = json!({"arguments": {"payment": "P-1", "amount": 100}, "reason": "x", "shown": "00".repeat(32)});
    for key in [AGENT, AGENT_OF_BOB] {
        let path = format!("/admin/v1/questions/{question}/narrow");
        assert_eq!(world.wire.send(key, &path, Some(&body)).await.expect("an answer").0, 401);
    }
    let shown = world.look(&question).await["shown"].clone();
    for (name, value) in [("by", json!("bob")), ("tool", json!("business/send_mail")), ("user", json!("eve"))] {
        let mut forged = body.clone();
        forged["shown"] = shown.clone();
        forged[name] = value;
        let (status, reason, _) = narrow(&world, "bob", &question, &forged).await;
        assert!(status == 400 && reason == format!("unknown member `{name}`"), "{status} {reason}");
    }
    assert_eq!(narrow(&world, "bob", &question, &body).await.0, 409, "something else was shown");
    assert_eq!((world.state(&question).await.as_str(), world.effects()), ("open", 0));
    world.stop().await;
}

#[tokio::test]
async fn narrowing_twice_or_to_nothing_that_is_another_call() {
    let world = World::new().await;
    let question = world.held(200).await;
    let shown = world.look(&question).await["shown"].clone();
    for (amount, status) in [(json!("100"), 422), (json!(-1), 422), (json!(200), 400), (json!(200.0), 400)] {
        assert_eq!(narrowed(&world, "bob", &question, &amount).await.0, status, "{amount}");
    }
    let body = json!({"arguments": {"payment": "P-1", "amount": 100}, "reason": "half", "shown": shown});
    let mut silent = body.clone();
    silent["reason"] = " ".into();
    assert_eq!(narrow(&world, "bob", &question, &silent).await.0, 400, "nobody is told why");
    assert_eq!(world.state(&question).await, "open");
    assert_eq!(narrow(&world, "bob", &question, &body).await.0, 200);
    // Handed in again, it does nothing: neither to the same nor to less.
    for amount in [100, 60] {
        let (status, reason, _) = narrowed(&world, "bob", &question, &json!(amount)).await;
        assert!(status == 409 && reason.contains("it is narrowed"), "{status} {reason}");
    }
    // And not back to where it came from.
    let next = world.look(&question).await["narrowed"]["question"].as_str().expect("a question").to_owned();
    assert_eq!(narrowed(&world, "bob", &next, &json!(200)).await.0, 409, "that one is approved");
    world.stop().await;
}

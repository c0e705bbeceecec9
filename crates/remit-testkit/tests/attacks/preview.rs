//! Previews: text of an upstream's, beside what people decide on.

use std::time::{Duration, Instant};

use remit_app::ports::RecordFilter;
use remit_core::ids::RecordId;
use remit_core::labels::Labels;
use remit_evidence::record::Kind;
use remit_testkit::upstream::Manner;
use serde_json::{Value, json};

use crate::refused;
use crate::world::{AGENT, World, operator_key};

/// A refund is previewed by looking the payment up.
const OWNER: &str = "    owner: team:finance\n";
const PREVIEWED: &str =
    "    owner: team:finance\n    preview: { tool: get_customer, arguments: { id: args.payment } }\n";

async fn previewing(manner: Manner) -> World {
    let world = World::new().await;
    world.upstream.behave_for("get_customer", manner);
    world.change("upstreams/business.yaml", OWNER, PREVIEWED).await;
    world
}

fn says(text: &str) -> Manner {
    Manner::Result(json!({"content": [{"type": "text", "text": text}]}))
}

/// What is known of a question's preview once it is not awaited any more.
async fn preview(world: &World, question: &str) -> Value {
    let began = Instant::now();
    loop {
        let preview = world.look(question).await["sight"]["preview"].clone();
        if preview["state"] != "awaited" {
            return preview;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "it is still awaited");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_preview_is_a_recorded_call_that_tells_the_agent_nothing() {
    let world = previewing(says("P-1: 200 USD go back")).await;
    let question = world.held(200).await;
    let seen = preview(&world, &question).await;
    assert_eq!(
        (&seen["state"], &seen["text"], &seen["failed"]),
        (&json!("shown"), &json!("P-1: 200 USD go back"), &json!(false))
    );
    assert_eq!(world.upstream.asked("get_customer"), [json!({"id": "P-1"})]);
    assert_eq!(world.upstream.asked("refund"), [] as [Value; 0]);
    let store = &world.running.edge.gate.ports().store;
    let id = RecordId::parse(seen["record"].as_str().expect("a record")).expect("an id");
    let record = store.record(&id).await.expect("read").expect("there is one");
    let statement = remit_core::json::parse(&record.envelope.payload).expect("a statement");
    let (said, sight) = (&statement["predicate"], world.look(&question).await);
    assert_eq!((&said["verdict"], &said["tool"]["name"]), (&json!("allow"), &json!("business/get_customer")));
    let asked = RecordId::parse(sight["record"].as_str().expect("a record")).expect("an id");
    let asked = store.record(&asked).await.expect("read").expect("there is one");
    assert_eq!(said["links"], json!([{"digest": asked.digest.to_string(), "rel": "previews"}]));
    let receipts = store.records(&RecordFilter { kind: Some(Kind::Execution), ..RecordFilter::default() }).await;
    assert_eq!(receipts.expect("read").len(), 1, "it has a receipt");
    // What it said is nothing that the agent has read.
    let run = asked.run.clone().expect("a run");
    assert_eq!(store.outcomes(&run, 9).await.expect("read"), []);
    assert_eq!(store.run(&run).await.expect("read").expect("there is one").labels, Labels::none());
    // Nobody is told twice, and nothing is asked twice, when the caller comes again.
    assert_eq!(world.held(200).await, question);
    assert_eq!(world.upstream.asked("get_customer").len(), 1);
    assert_eq!(world.vote("bob", &question, "approve").await.0, 200);
    assert_eq!(world.refund(200).await["status"], "done");
    world.stop().await;
}

#[tokio::test]
async fn a_vote_from_before_the_preview_does_not_count_after_it() {
    let world = previewing(Manner::Silent).await;
    let question = world.held(200).await;
    let early = world.ballot(&question, "approve").await;
    assert_eq!(world.look(&question).await["sight"]["preview"]["state"], "awaited");
    // Never answered: the question was there all the time, and says at last that there is no preview.
    let seen = preview(&world, &question).await;
    assert_eq!(seen["state"], "absent", "{seen}");
    assert!(seen["why"].as_str().is_some_and(|why| why.contains("did not answer in time")), "{seen}");
    refused(&world.cast(&operator_key("bob"), &question, &early).await, 409, "what was shown is not");
    assert_eq!(world.vote("bob", &question, "approve").await.0, 200);
    assert_eq!(world.refund(200).await["status"], "done");
    world.stop().await;
}

#[tokio::test]
async fn nobody_is_made_to_wait_for_a_preview() {
    let world = previewing(Manner::Silent).await;
    let question = world.held(200).await;
    // The vote covers that there was none yet.
    assert_eq!(world.vote("bob", &question, "approve").await.0, 200);
    assert_eq!(world.refund(200).await["status"], "done");
    world.stop().await;
}

#[tokio::test]
async fn a_preview_hides_nothing_and_is_no_markup() {
    let text = format!("-old\n+<script>alert(1)</script>\u{202e}\u{1b}[2J\n{}", "x".repeat(9_000));
    let world = previewing(says(&text)).await;
    let question = world.held(200).await;
    let seen = preview(&world, &question).await;
    assert_eq!(seen["text"].as_str().map(|text| text.chars().count()), Some(8_000), "it is bounded");
    assert_eq!(seen["left_out"], text.chars().count() - 8_000);
    let page = world.wire.page(&operator_key("rehearsal"), &format!("/console/questions/{question}")).await;
    let (status, page) = page.expect("a page");
    assert_eq!(status, 200);
    assert!(page.contains("<bdi class=\"went\">-old</bdi>") && page.contains("⟨U+202E⟩"), "{page}");
    assert!(!page.contains("<script>alert") && !page.contains('\u{202e}') && !page.contains('\u{1b}'));
    world.stop().await;
}

#[tokio::test]
async fn a_preview_that_may_not_be_called_is_none_and_asks_nobody() {
    let world = previewing(says("secret")).await;
    world.change("remits/desk.yaml", "business/get_customer, ", "").await;
    let question = world.held(200).await;
    let seen = preview(&world, &question).await;
    assert_eq!(seen["state"], "absent", "{seen}");
    // Held for people if the agent called it itself: for a preview nobody is asked.
    let asks = "  - tools: [business/list_tickets]\n    labels_up_to: internal\n  - tools: [business/get_customer]\n    \
                approval: finance-sign-off\n";
    world.change("remits/desk.yaml", "  - tools: [business/list_tickets]\n    labels_up_to: internal\n", asks).await;
    let held = json!({"tool": "business/get_customer", "arguments": {"id": "P-1"}});
    let own = world.wire.send(AGENT, "/v1/calls", Some(&held)).await.expect("an answer").1;
    let own = own["question"].as_str().unwrap_or_else(|| panic!("{own}")).to_owned();
    assert_eq!(world.vote("bob", &own, "approve").await.0, 200);
    // The agent's own look is approved, and still is afterwards.
    let question = world.held(201).await;
    let seen = preview(&world, &question).await;
    assert!(seen["why"].as_str().is_some_and(|why| why.contains("would use an approval up")), "{seen}");
    assert_eq!((world.effects(), world.state(&own).await.as_str()), (0, "approved"));
    world.stop().await;
}

//! Previews, and the end of the process that made them: what was there stays, what was under way is honestly absent,
//! what had not begun is made. Nothing is asked of the upstream twice.

use std::time::{Duration, Instant};

use remit_testkit::place::{Place, business};
use remit_testkit::upstream::{Manner, Upstream};
use serde_json::{Value, json};

use crate::AGENT;
use crate::gateway::Gateway;

/// How many previews are made at once: see `remit-server/src/previewing.rs`.
const AT_ONCE: usize = 8;
const BOB: &str = "scenario-operator-bob";

/// The harness's organisation, where each refund asks people, and is previewed by looking the payment up.
fn set_up(upstream: &Upstream) -> Place {
    let place = crate::set_up(upstream);
    place.edit(
        "upstreams/business.yaml",
        "    owner: team:finance\n",
        "    owner: team:finance\n    preview: { tool: get_customer, arguments: { id: args.payment } }\n",
    );
    place.edit("remits/crasher.yaml", "limits: [150 per month, 500 USD per month]", "approval: finance-sign-off");
    place
}

async fn refund(gateway: &Gateway, payment: &str) -> Value {
    let body = json!({"tool": "business/refund", "arguments": {"payment": payment, "amount": 100}});
    gateway.wire.send(AGENT, "/v1/calls", Some(&body)).await.expect("an answer").1
}

async fn held(gateway: &Gateway, payment: &str) -> String {
    let answer = refund(gateway, payment).await;
    answer["question"].as_str().unwrap_or_else(|| panic!("it is held: {answer}")).to_owned()
}

async fn look(gateway: &Gateway, question: &str) -> Value {
    gateway.get(&format!("/admin/v1/questions/{question}")).await
}

/// The question once its preview is not awaited any more.
async fn previewed(gateway: &Gateway, question: &str) -> Value {
    let began = Instant::now();
    loop {
        let seen = look(gateway, question).await;
        if seen["sight"]["preview"]["state"] != "awaited" {
            return seen;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "it is still awaited: {seen}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn asked(upstream: &Upstream, count: usize) {
    let began = Instant::now();
    while upstream.asked("get_customer").len() < count {
        assert!(began.elapsed() < Duration::from_secs(20), "the upstream is not asked");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn restarted(gateway: Gateway, place: &Place) -> Gateway {
    gateway.kill().await;
    let mut gateway = Gateway::spawn(place.path());
    gateway.ready().await;
    gateway
}

fn says(text: &str) -> Manner {
    Manner::Result(json!({"content": [{"type": "text", "text": text}]}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_survives_a_kill_and_so_does_a_vote_on_it() {
    let upstream = business(Duration::ZERO).await;
    upstream.behave_for("get_customer", says("100 USD go back"));
    let place = set_up(&upstream);
    let mut gateway = Gateway::spawn(place.path());
    gateway.ready().await;
    let question = held(&gateway, "P-1").await;
    let before = previewed(&gateway, &question).await;
    assert_eq!(before["sight"]["preview"]["text"], "100 USD go back");
    let gateway = restarted(gateway, &place).await;
    let after = look(&gateway, &question).await;
    assert_eq!((&after["sight"]["preview"], &after["shown"]), (&before["sight"]["preview"], &before["shown"]));
    let ballot = json!({"choice": "approve", "reason": "seen before", "shown": before["shown"]});
    let path = format!("/admin/v1/questions/{question}/votes");
    assert_eq!(gateway.wire.done(BOB, &path, Some(&ballot)).await.expect("it counts")["state"], "approved");
    assert_eq!(refund(&gateway, "P-1").await["status"], "done");
    assert_eq!((upstream.asked("get_customer").len(), upstream.asked("refund").len()), (1, 1));
    gateway.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_that_was_cut_off_is_absent_and_one_that_had_not_begun_is_made() {
    let upstream = business(Duration::ZERO).await;
    upstream.behave_for("get_customer", Manner::Silent);
    let place = set_up(&upstream);
    let mut gateway = Gateway::spawn(place.path());
    gateway.ready().await;
    let mut cut_off = Vec::new();
    for at in 0..AT_ONCE {
        cut_off.push(held(&gateway, &format!("P-{at}")).await);
    }
    asked(&upstream, AT_ONCE).await;
    let behind = held(&gateway, "P-last").await;
    let vote = look(&gateway, &cut_off[0]).await;
    let gateway = {
        gateway.kill().await;
        upstream.behave_for("get_customer", says("100 USD go back"));
        let mut gateway = Gateway::spawn(place.path());
        gateway.ready().await;
        gateway
    };
    assert_eq!(previewed(&gateway, &behind).await["sight"]["preview"]["text"], "100 USD go back");
    for question in &cut_off {
        let preview = previewed(&gateway, question).await["sight"]["preview"].clone();
        assert_eq!(preview["state"], "absent", "{preview}");
        assert!(preview["why"].as_str().is_some_and(|why| why.contains("did not answer")), "{preview}");
    }
    assert_eq!(upstream.asked("get_customer").len(), AT_ONCE + 1, "none is made twice");
    // Whoever looked before the end looks again: they were told that a preview would come.
    let ballot = json!({"choice": "approve", "reason": "too early", "shown": vote["shown"]});
    let path = format!("/admin/v1/questions/{}/votes", cut_off[0]);
    assert_eq!(gateway.wire.send(BOB, &path, Some(&ballot)).await.expect("an answer").0, 409);
    assert_eq!(upstream.asked("refund").len(), 0);
    gateway.kill().await;
}

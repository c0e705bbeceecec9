//! Held calls, in every carrier. In each of them the backend is called once, and only after a person
//! said yes.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::era::SESSION_HEADER;
use super::none;
use super::world::{World, message, messages, text};

fn refund() -> Value {
    json!({"name": "pay__refund", "arguments": {"amount": 7}})
}

async fn approved_meanwhile<T>(world: &World, approve: bool, call: impl Future<Output = T>) -> T {
    let vote = async {
        let question = world.question().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(world.calls(), 0);
        world.vote(&question, approve).await;
    };
    tokio::join!(call, vote).0
}

#[tokio::test]
async fn a_legacy_call_is_held_and_then_told_to_come_again() {
    let world = World::new();
    let session = world.session("2025-11-25").await;
    let (status, held) = world.legacy(&session, "tools/call", refund()).await;
    assert_eq!((status, &held["result"]["isError"]), (200, &json!(true)));
    assert!(text(&held["result"]).starts_with("APPROVAL REQUIRED (not executed)"), "{held}");
    assert_eq!(world.calls(), 0);
    world.vote(&world.question().await, true).await;
    let (_, done) = world.legacy(&session, "tools/call", refund()).await;
    assert_eq!(text(&done["result"]), r#"{"amount":7}"#);
    assert_eq!(world.calls(), 1);
}

#[tokio::test]
async fn an_answer_within_the_wait_ends_it() {
    for (approve, expected) in [(true, r#"{"amount":7}"#), (false, "DENIED by approval.denied")] {
        let world = World::with(0, Duration::from_secs(10));
        let session = world.session("2025-06-18").await;
        let call = world.legacy(&session, "tools/call", refund());
        let (_, answer) = approved_meanwhile(&world, approve, call).await;
        assert!(text(&answer["result"]).starts_with(expected), "{answer}");
        assert_eq!(world.calls(), usize::from(approve));
    }
}

#[tokio::test]
async fn a_client_that_goes_away_while_held_executes_nothing() {
    let world = World::with(0, Duration::from_secs(10));
    let session = world.session("2025-11-25").await;
    let call = world.legacy(&session, "tools/call", refund());
    tokio::time::timeout(Duration::from_millis(100), call).await.expect_err("held");
    world.vote(&world.question().await, true).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.calls(), 0);
    let (_, done) = world.legacy(&session, "tools/call", refund()).await;
    assert_eq!((text(&done["result"]), world.calls()), (r#"{"amount":7}"#, 1));
}

#[tokio::test]
async fn a_modern_client_without_abilities_comes_again_with_a_state() {
    let world = World::with(0, Duration::from_millis(20));
    let mut params = refund();
    for leg in 1..=9 {
        let (_, message) = world.modern("tools/call", params.clone(), none()).await;
        let result = &message["result"];
        assert_eq!((leg, &result["resultType"]), (leg, &json!("input_required")), "{message}");
        assert_eq!(result.get("inputRequests"), None);
        params["requestState"] = result["requestState"].clone();
    }
    // Clients stop at ten rounds; before that, the model gets words.
    let (_, message) = world.modern("tools/call", params.clone(), none()).await;
    assert!(text(&message["result"]).starts_with("APPROVAL REQUIRED"), "{message}");
    let mut other = params.clone();
    other["arguments"]["amount"] = json!(8);
    let (_, refused) = world.modern("tools/call", other, none()).await;
    assert_eq!(refused["error"]["code"], json!(-32602));
    assert_eq!(world.calls(), 0);

    world.vote(&world.question().await, true).await;
    let (_, done) = world.modern("tools/call", params.clone(), none()).await;
    assert_eq!(text(&done["result"]), r#"{"amount":7}"#);
    // The state is worth no second execution.
    let (_, again) = world.modern("tools/call", params, none()).await;
    assert_eq!((&again["result"]["isError"], world.calls()), (&json!(true), 1), "{again}");
}

#[tokio::test]
async fn a_url_is_shown_once() {
    let world = World::with(0, Duration::from_millis(20));
    let urls = json!({"elicitation": {"url": {}}});
    let (_, first) = world.modern("tools/call", refund(), urls.clone()).await;
    let asked = &first["result"]["inputRequests"]["approval"];
    let question = world.question().await;
    assert_eq!(asked["params"]["url"], json!(format!("https://gate.test/approve/{question}")));
    // An accept is no approval.
    let mut params = refund();
    params["requestState"] = first["result"]["requestState"].clone();
    params["inputResponses"] = json!({"approval": {"action": "accept"}});
    let (_, second) = world.modern("tools/call", params, urls).await;
    assert_eq!(second["result"]["resultType"], json!("input_required"), "{second}");
    assert_eq!((second["result"].get("inputRequests"), world.calls()), (None, 0));
}

#[tokio::test]
async fn a_task_is_polled_and_its_call_made_once() {
    let world = World::new();
    let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let created = world.call("pay__refund", json!({"amount": 7}), tasks.clone()).await;
    assert_eq!((&created["resultType"], &created["status"]), (&json!("task"), &json!("working")));
    let id = json!({"taskId": created["taskId"]});
    let get = || world.modern("tasks/get", id.clone(), tasks.clone());
    let (_, working) = get().await;
    assert_eq!(
        (&working["result"]["status"], &working["result"]["resultType"]),
        (&json!("working"), &json!("complete"))
    );
    let (status, undeclared) = world.modern("tasks/get", id.clone(), none()).await;
    assert_eq!((status, &undeclared["error"]["code"]), (400, &json!(-32021)));
    let more = [("authorization", super::world::OTHER)];
    let foreign = world.modern_response("tasks/get", id.clone(), tasks.clone(), &more).await;
    assert_eq!(super::world::last(foreign).await["error"]["code"], json!(-32602));
    let (_, updated) = world.modern("tasks/update", id.clone(), tasks.clone()).await;
    assert_eq!(updated["result"]["resultType"], json!("complete"));

    world.vote(&world.question().await, true).await;
    for _ in 0..2 {
        let (_, done) = get().await;
        assert_eq!(done["result"]["status"], json!("completed"), "{done}");
        assert_eq!(text(&done["result"]["result"]), r#"{"amount":7}"#);
        assert_eq!(done["result"]["result"]["resultType"], json!("complete"));
    }
    assert_eq!(world.calls(), 1);
    // Another gateway over the same store gives the same answer and executes nothing.
    let restarted = super::super::Mcp::new(world.edge.clone());
    let caller = world.bot();
    let (_stay, left) = super::super::presence::presence();
    let client = super::super::client::Client {
        identified: caller,
        speaks: super::super::client::Speaks::Modern(tasks.as_object().expect("object").clone()),
        hints: super::super::client::Hints::default(),
        credential: None,
        outbox: None,
        cancelled: left.clone(),
        left,
    };
    let params = id.as_object().expect("object");
    let done = super::super::tasks::serve(&restarted, &client, "tasks/get", params).await.expect("a task");
    assert_eq!((&done["status"], world.calls()), (&json!("completed"), 1));
}

#[tokio::test]
async fn a_refused_or_cancelled_task_ends_without_its_call() {
    let world = World::new();
    let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let created = world.call("pay__refund", json!({"amount": 7}), tasks.clone()).await;
    world.vote(&world.question().await, false).await;
    let (_, ended) = world.modern("tasks/get", json!({"taskId": created["taskId"]}), tasks.clone()).await;
    assert_eq!(ended["result"]["status"], json!("completed"));
    assert!(text(&ended["result"]["result"]).starts_with("DENIED by approval.denied"), "{ended}");

    let created = world.call("pay__refund", json!({"amount": 8}), tasks.clone()).await;
    let id = json!({"taskId": created["taskId"]});
    let (_, cancelled) = world.modern("tasks/cancel", id.clone(), tasks.clone()).await;
    assert_eq!(cancelled["result"]["resultType"], json!("complete"));
    world.vote(&world.question().await, true).await;
    let (_, ended) = world.modern("tasks/get", id, tasks).await;
    assert_eq!((&ended["result"]["status"], world.calls()), (&json!("cancelled"), 0));
}

#[tokio::test]
async fn a_held_call_may_be_a_stream() {
    let world = World::with(0, Duration::from_secs(10));
    let session = world.session("2025-11-25").await;
    let mut params = refund();
    params["_meta"] = json!({"progressToken": 5});
    let headers = [(SESSION_HEADER, session.as_str())];
    let response = world.send("POST", &headers, message("tools/call", &params)).await;
    let all = approved_meanwhile(&world, true, messages(response)).await;
    assert_eq!(text(&all.last().expect("an answer")["result"]), r#"{"amount":7}"#);
}

#[tokio::test]
async fn whoever_waits_is_told_what_to_call_instead() {
    let less = || json!({"amount": 5});
    // One held answer.
    let world = World::with(0, Duration::from_secs(10));
    let session = world.session("2025-11-25").await;
    let narrow = async {
        let question = world.question().await;
        world.narrow(&question, less()).await;
    };
    let (_, answer) = tokio::join!(world.legacy(&session, "tools/call", refund()), narrow).0;
    let told = text(&answer["result"]);
    assert!(told.starts_with("CHANGED BY AN APPROVER (not executed)") && told.contains(r#"{"amount":5}"#), "{told}");
    let decision = &answer["result"]["_meta"]["dev.remit/decision"];
    assert_eq!((&decision["code"], &decision["narrowed"]["arguments"]), (&json!("approval.narrowed"), &less()));
    let (_, done) = world.legacy(&session, "tools/call", json!({"name": "pay__refund", "arguments": less()})).await;
    assert_eq!((text(&done["result"]), world.calls()), (r#"{"amount":5}"#, 1), "whoever changed it has approved it");

    // A task ends, and executes neither.
    let world = World::new();
    let tasks = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let created = world.call("pay__refund", json!({"amount": 7}), tasks.clone()).await;
    world.narrow(&world.question().await, less()).await;
    let (_, ended) = world.modern("tasks/get", json!({"taskId": created["taskId"]}), tasks).await;
    let result = &ended["result"]["result"];
    assert_eq!((&ended["result"]["status"], world.calls()), (&json!("completed"), 0));
    assert_eq!(result["_meta"]["dev.remit/decision"]["narrowed"]["arguments"], less(), "{ended}");

    // A client that comes again with its state.
    let world = World::with(0, Duration::from_millis(20));
    let (_, first) = world.modern("tools/call", refund(), none()).await;
    let mut params = refund();
    params["requestState"] = first["result"]["requestState"].clone();
    world.narrow(&world.question().await, less()).await;
    let (_, told) = world.modern("tools/call", params, none()).await;
    assert!(text(&told["result"]).starts_with("CHANGED BY AN APPROVER"), "{told}");
    assert_eq!(world.calls(), 0);
}

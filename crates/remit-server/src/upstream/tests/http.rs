//! Over HTTP.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::legacy::legacy;
use super::peer::{Peer, Reply, done, error, json_reply, result};
use super::*;

#[tokio::test]
async fn the_era_is_found_out_without_a_call() {
    let discovered =
        |versions: Value| result(json!({"resultType": "complete", "supportedVersions": versions, "capabilities": {}}));
    let unsupported = json!({"jsonrpc": "2.0", "id": 0, "error": {"code": -32022, "message": "no", "data": {"supported": ["2027-01-01"]}}});
    let plain = |status| Reply::Text(status, "text/plain", "no".into());
    type Probe = Box<dyn Fn() -> Reply + Send + Sync>;
    let cases: Vec<(&str, Probe, &str)> = vec![
        ("modern", Box::new(move || Reply::Json(200, discovered(json!(["2026-07-28"])))), "modern"),
        (
            "modern in events",
            Box::new(move || Reply::Events(vec![(Duration::ZERO, discovered(json!(["2026-07-28"])))])),
            "modern",
        ),
        ("modern, but a capability is missing", Box::new(|| Reply::Json(400, error(-32021))), "modern"),
        ("modern, headers lost on the way", Box::new(|| Reply::Json(400, error(-32020))), "modern"),
        ("a newer one", Box::new(move || Reply::Json(200, discovered(json!(["2027-01-01"])))), "none"),
        ("a newer one, refusing", Box::new(move || Reply::Json(400, unsupported.clone())), "none"),
        ("an error with 200", Box::new(|| Reply::Json(200, error(-32601))), "legacy"),
        ("an empty result", Box::new(|| Reply::Json(200, result(json!({})))), "legacy"),
        ("400 with an error", Box::new(|| Reply::Json(400, error(-32600))), "legacy"),
        (
            "400 with another id",
            Box::new(|| {
                Reply::Json(400, json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32000, "message": "no"}}))
            }),
            "legacy",
        ),
        ("400 with text", Box::new(move || plain(400)), "legacy"),
        ("404", Box::new(move || plain(404)), "legacy"),
        ("404 with method not found", Box::new(|| Reply::Json(404, error(-32601))), "legacy"),
        ("405", Box::new(move || plain(405)), "legacy"),
        ("401", Box::new(move || plain(401)), "none"),
        ("403", Box::new(|| Reply::Json(403, error(-32600))), "none"),
        ("429", Box::new(move || plain(429)), "none"),
        ("500", Box::new(|| Reply::Json(500, error(-32603))), "none"),
        ("503", Box::new(move || plain(503)), "none"),
        ("307", Box::new(move || plain(307)), "none"),
        ("garbage", Box::new(|| Reply::Text(200, "application/json", "}{".into())), "none"),
        ("a reset", Box::new(|| Reply::Hang), "none"),
    ];
    for (what, probe, expected) in cases {
        let peer = Peer::serve(move |sent| match sent.method() {
            "server/discover" => Some(probe()),
            _ if sent.header("mcp-protocol-version") == Some("2026-07-28") => None,
            _ => legacy(sent, None),
        })
        .await;
        let connection = peer.connection();
        let called = call(&connection, "{}", 3_000).await;
        let methods = peer.methods();
        let found = match (methods.as_slice(), kind(&called)) {
            ([_, call], "ok") if call == "tools/call" => "modern",
            ([_, initialize, initialized, call], "ok")
                if (initialize.as_str(), initialized.as_str(), call.as_str())
                    == ("initialize", "notifications/initialized", "tools/call") =>
            {
                "legacy"
            }
            ([_], "not started") => "none",
            _ => "confused",
        };
        assert_eq!(found, expected, "{what}: {methods:?} {called:?}");
        assert_eq!(methods[0], "server/discover", "{what}");
        if expected != "none" {
            // Found out once.
            assert_eq!(kind(&call(&connection, "{}", 3_000).await), "ok", "{what}");
            assert_eq!(peer.methods().len(), methods.len() + 1, "{what}");
        }
    }
}

#[tokio::test]
async fn a_silent_server_has_no_era() {
    let peer = Peer::serve(|_| Some(Reply::Silence)).await;
    assert_eq!(kind(&call(&peer.connection(), "{}", 200).await), "not started");
    assert_eq!(peer.methods(), ["server/discover"]);
}

#[tokio::test]
async fn a_modern_call_says_what_it_is_and_carries_the_text_that_was_decided_on() {
    let peer = Peer::serve(|_| None).await;
    let mut spec = spec(Transport::Http { url: format!("http://{}/mcp", peer.address) });
    spec.credential = Some(Slot::Header { name: "Authorization".into(), prefix: "Bearer ".into() });
    let connection = Connection::new(spec);
    let secret = Secret::new("s3cret".into());
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let (mut passage, _) = listening();
    passage.traceparent = Some(trace.into());
    passage.continuation = Some(Continuation {
        state: Some("st\"ate".into()),
        responses: Some(json!({"q": {"action": "accept"}})),
        capabilities: Some(json!({"elicitation": {}})),
    });
    let arguments = r#"{"n":1e+21,"region":"é","z":0.000001}"#;
    let called = call_with(&connection, arguments, 3_000, &passage, Some(&secret)).await;
    assert_eq!(called, Ok(done()));
    let sent = peer.last("tools/call");
    for (name, expected) in [
        ("mcp-protocol-version", Some("2026-07-28")),
        ("mcp-method", Some("tools/call")),
        ("mcp-name", Some("t")),
        ("mcp-param-region", Some("=?base64?w6k=?=")),
        ("authorization", Some("Bearer s3cret")),
        ("content-type", Some("application/json")),
        ("accept", Some("application/json, text/event-stream")),
        ("mcp-session-id", None),
    ] {
        assert_eq!(sent.header(name), expected, "{name}");
    }
    assert!(sent.text.contains(&format!(r#""arguments":{arguments},"#)), "{}", sent.text);
    let (id, params) = (&sent.body["id"], &sent.body["params"]);
    assert_eq!(params["name"], "t");
    assert_eq!(params["requestState"], "st\"ate");
    assert_eq!(params["inputResponses"], json!({"q": {"action": "accept"}}));
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
        "io.modelcontextprotocol/clientInfo": {"name": "remit", "version": env!("CARGO_PKG_VERSION")},
        "progressToken": id, "traceparent": trace,
    });
    assert_eq!(params["_meta"], meta);
}

#[tokio::test]
async fn a_version_that_is_refused_and_named_is_tried_once_more() {
    for (refusals, found) in [(1, "ok"), (u32::MAX, "not started")] {
        let asked = AtomicU32::new(0);
        let peer = Peer::serve(move |sent| match sent.method() {
            "server/discover" if asked.fetch_add(1, Ordering::Relaxed) < refusals => {
                let data = json!({"supported": ["2026-07-28"], "requested": "2026-07-28"});
                let error = json!({"code": -32022, "message": "no", "data": data});
                json_reply(400, json!({"jsonrpc": "2.0", "id": 0, "error": error}))
            }
            _ => None,
        })
        .await;
        assert_eq!(kind(&call(&peer.connection(), "{}", 3_000).await), found);
        assert_eq!(peer.methods().iter().filter(|method| *method == "server/discover").count(), 2);
    }
}

#[tokio::test]
async fn resources_and_prompts_are_named_by_their_parameters() {
    let peer = Peer::serve(|sent| match sent.method() {
        "resources/read" | "prompts/get" | "completion/complete" => json_reply(200, result(json!({"contents": []}))),
        _ => None,
    })
    .await;
    let connection = peer.connection();
    let (definition, passage) = (json!({}), Passage::default());
    let ask = async |operation: Operation, arguments: &str| {
        let name = operation.method();
        let request =
            Request { operation, name, arguments, definition: &definition, timeout_ms: 3_000, passage: &passage };
        connection.request(request, None).await
    };
    assert_eq!(kind(&ask(Operation::Resource, r#"{"uri":"file:///ä"}"#).await), "ok");
    let sent = peer.last("resources/read");
    assert_eq!(sent.header("mcp-name"), Some("=?base64?ZmlsZTovLy/DpA==?="));
    assert_eq!((&sent.body["params"]["uri"], &sent.body["params"]["arguments"]), (&json!("file:///ä"), &Value::Null));
    assert_eq!(kind(&ask(Operation::Prompt, r#"{"arguments":{"a":"b"},"name":"p"}"#).await), "ok");
    let sent = peer.last("prompts/get");
    assert_eq!((sent.header("mcp-name"), &sent.body["params"]["arguments"]["a"]), (Some("p"), &json!("b")));
    let completion = r#"{"argument":{"name":"a","value":"b"},"ref":{"name":"p","type":"ref/prompt"}}"#;
    assert_eq!(kind(&ask(Operation::Complete, completion).await), "ok");
    let sent = peer.last("completion/complete");
    assert_eq!((sent.header("mcp-name"), &sent.body["params"]["ref"]["name"]), (None, &json!("p")));
    for wrong in ["{}", r#"{"ref":"p"}"#, r#"{"_meta":{},"ref":{}}"#] {
        assert_eq!(kind(&ask(Operation::Complete, wrong).await), "not started", "{wrong}");
    }
    for wrong in ["{}", r#"{"uri":1}"#, r#"{"_meta":{},"uri":"a:b"}"#, r#"{"uri":"a:b","x":1}"#] {
        assert_eq!(kind(&ask(Operation::Resource, wrong).await), "not started", "{wrong}");
    }
    for wrong in ["[]", "{}\n", "", "{\"a\":\"\u{1}\"}"] {
        assert_eq!(kind(&call(&connection, wrong, 3_000).await), "not started", "{wrong:?}");
    }
}

#[tokio::test]
async fn what_an_answer_says_about_the_effect() {
    let event = |value: Value| (Duration::ZERO, value);
    type Answer = Box<dyn Fn() -> Reply + Send + Sync>;
    let text =
        |status, text: &'static str| -> Answer { Box::new(move || Reply::Text(status, "text/plain", text.into())) };
    let json_of = |status, value: Value| -> Answer { Box::new(move || Reply::Json(status, value.clone())) };
    let raw = |text: &'static str| -> Answer { Box::new(move || Reply::Text(200, "application/json", text.into())) };
    let cases: Vec<(&str, Answer, &str)> = vec![
        ("a result", json_of(200, result(done())), "ok"),
        ("a result of before 2026", json_of(200, result(json!({"content": []}))), "ok"),
        ("an error", json_of(200, error(-32602)), "rpc"),
        ("an error with its status", json_of(404, error(-32601)), "rpc"),
        ("an error of the server", json_of(500, error(-32603)), "rpc"),
        (
            "an error without an id",
            json_of(400, json!({"jsonrpc": "2.0", "error": {"code": -32020, "message": "no"}})),
            "rpc",
        ),
        ("401", text(401, ""), "rpc"),
        ("403", text(403, "<html>"), "rpc"),
        ("404", text(404, ""), "rpc"),
        ("405", text(405, ""), "rpc"),
        ("415", text(415, ""), "rpc"),
        ("429", text(429, ""), "rpc"),
        ("303", text(303, ""), "unknown"),
        ("307", text(307, ""), "unknown"),
        ("408", text(408, ""), "unknown"),
        ("500", text(500, ""), "unknown"),
        (
            "502 for another",
            json_of(502, json!({"jsonrpc": "2.0", "id": 999, "error": {"code": 1, "message": "no"}})),
            "unknown",
        ),
        ("504", text(504, ""), "unknown"),
        ("accepted", text(202, ""), "unknown"),
        ("a page", Box::new(|| Reply::Text(200, "text/html", "<html>".into())), "unknown"),
        ("garbage", raw("}{"), "unknown"),
        ("a list", raw("[]"), "unknown"),
        ("a duplicate key", raw(r#"{"jsonrpc":"2.0","id":2,"result":{},"result":{"content":[]}}"#), "unknown"),
        ("another id", json_of(200, json!({"jsonrpc": "2.0", "id": 999, "result": {}})), "unknown"),
        ("an id of another kind", json_of(200, json!({"jsonrpc": "2.0", "id": "2", "result": {}})), "unknown"),
        ("no id", json_of(200, json!({"jsonrpc": "2.0", "result": {}})), "unknown"),
        (
            "a result and an error",
            json_of(200, json!({"jsonrpc": "2.0", "id": 0, "result": {}, "error": {"code": 1, "message": ""}})),
            "invalid",
        ),
        (
            "an error without a code",
            json_of(200, json!({"jsonrpc": "2.0", "id": 0, "error": {"message": ""}})),
            "invalid",
        ),
        ("a result that is none", json_of(200, result(json!([]))), "invalid"),
        ("a task", json_of(200, result(json!({"resultType": "task", "taskId": "x"}))), "invalid"),
        (
            "a state to come back with",
            json_of(200, result(json!({"resultType": "input_required", "requestState": "x"}))),
            "ok",
        ),
        ("a wish for nothing", json_of(200, result(json!({"resultType": "input_required"}))), "invalid"),
        (
            "a wish that was not declared",
            json_of(
                200,
                result(
                    json!({"resultType": "input_required", "inputRequests": {"k": {"method": "sampling/createMessage"}}}),
                ),
            ),
            "invalid",
        ),
        ("a reset", Box::new(|| Reply::Hang), "unknown"),
        ("silence", Box::new(|| Reply::Silence), "unknown"),
        (
            "events without an answer",
            Box::new(move || Reply::Events(vec![event(json!({"jsonrpc": "2.0", "id": 999, "result": {}}))])),
            "unknown",
        ),
        ("100 MB, announced", Box::new(|| Reply::Flood(100_000_000, "application/json", true)), "unknown"),
        ("100 MB", Box::new(|| Reply::Flood(100_000_000, "application/json", false)), "unknown"),
        ("100 MB of one event", Box::new(|| Reply::Flood(100_000_000, "text/event-stream", false)), "unknown"),
    ];
    for (what, answer, expected) in cases {
        let calls = AtomicU32::new(0);
        let peer = Peer::serve(move |sent| {
            (sent.method() == "tools/call").then(|| {
                calls.fetch_add(1, Ordering::Relaxed);
                answer()
            })
        })
        .await;
        let began = Instant::now();
        let called = call(&peer.connection(), "{}", 500).await;
        assert_eq!(kind(&called), expected, "{what}: {called:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{what}");
        let calls = peer.methods().iter().filter(|method| *method == "tools/call").count();
        assert_eq!(calls, 1, "{what}: a call is never sent twice");
    }
}

#[tokio::test]
async fn nothing_was_started_where_nothing_listens() {
    let address = Peer::serve(|_| None).await.address;
    let at = |url: String| Connection::new(spec(Transport::Http { url }));
    for url in [
        format!("http://{address}/mcp"),
        "http://no-such-host.invalid/mcp".into(),
        "https://127.0.0.1:1/mcp".into(),
        "ftp://127.0.0.1/mcp".into(),
        "http://user:word@127.0.0.1/mcp".into(),
        "nonsense".into(),
    ] {
        let called = call(&at(url.clone()), "{}", 3_000).await;
        assert_eq!(kind(&called), "not started", "{url}: {called:?}");
    }
    // A server that speaks no TLS was asked for nothing.
    let peer = Peer::serve(|_| None).await;
    assert_eq!(kind(&call(&at(format!("https://{}/mcp", peer.address)), "{}", 3_000).await), "not started");
}

#[tokio::test]
async fn a_server_that_goes_away_between_calls_was_not_asked() {
    let peer = Peer::serve(|_| None).await;
    let connection = peer.connection();
    assert_eq!(kind(&call(&connection, "{}", 3_000).await), "ok");
    drop(peer);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let called = call(&connection, "{}", 3_000).await;
    assert_eq!(kind(&called), "not started", "{called:?}");
}

#[tokio::test]
async fn a_missing_credential_sends_nothing() {
    let peer = Peer::serve(|_| None).await;
    let url = || Transport::Http { url: format!("http://{}/mcp", peer.address) };
    let header = |name: &str| Some(Slot::Header { name: name.into(), prefix: String::new() });
    let (secret, broken) = (Secret::new("s".into()), Secret::new("a\nb".into()));
    for (slot, secret) in [
        (header("authorization"), None),
        (header("authorization"), Some(&broken)),
        (header("Mcp-Session-Id"), Some(&secret)),
        (header("host"), Some(&secret)),
        (header("accept"), Some(&secret)),
        (header("a b"), Some(&secret)),
        (Some(Slot::Env { name: "TOKEN".into() }), Some(&secret)),
    ] {
        let connection = Connection::new(Spec { credential: slot.clone(), ..spec(url()) });
        let called = call_with(&connection, "{}", 3_000, &Passage::default(), secret).await;
        assert_eq!(kind(&called), "not started", "{slot:?}");
        assert!(!format!("{called:?}").contains("a\\nb"), "{slot:?}");
    }
    assert!(peer.methods().is_empty());
}

#[tokio::test]
async fn progress_comes_by_our_own_token_and_other_messages_by_nobodys() {
    let progress = |token: Value, n: u32| json!({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": n}});
    let peer = Peer::serve(move |sent| {
        let events = vec![
            progress(json!(0), 1),
            progress(json!(999), 2),
            progress(json!("0"), 3),
            json!({"jsonrpc": "2.0", "id": 999, "result": {"content": "stolen"}}),
            json!({"jsonrpc": "2.0", "id": 1, "method": "sampling/createMessage", "params": {}}),
            progress(json!(0), 4),
            result(done()),
        ];
        let events = events.into_iter().map(|event| (Duration::from_millis(5), event)).collect();
        (sent.method() == "tools/call").then_some(Reply::Events(events))
    })
    .await;
    let (passage, heard) = listening();
    let connection = peer.connection();
    assert_eq!(call_with(&connection, "{}", 3_000, &passage, None).await, Ok(done()));
    assert_eq!(*heard.lock().expect("lock"), [json!({"progress": 1}), json!({"progress": 4})]);
    // A modern server is not answered; it was forbidden to ask.
    assert_eq!(peer.methods(), ["server/discover", "tools/call"]);
    assert_eq!(kind(&call(&connection, "{}", 3_000).await), "ok");
}

#[tokio::test]
async fn dropping_a_modern_call_closes_its_stream() {
    let events =
        || vec![(Duration::ZERO, json!({"jsonrpc": "2.0", "method": "x"})), (Duration::from_secs(30), result(done()))];
    let peer = Peer::serve(move |sent| (sent.method() == "tools/call").then(|| Reply::Events(events()))).await;
    assert_eq!(kind(&call(&peer.connection(), "{}", 200).await), "unknown");
    let closed = peer.closed.clone();
    until("the stream is closed", || *closed.lock().expect("lock") == 1).await;
    assert_eq!(peer.methods(), ["server/discover", "tools/call"]);
}

#[tokio::test]
async fn after_shutdown_nothing_is_started() {
    let peer = Peer::serve(|_| None).await;
    let connection = peer.connection();
    assert_eq!(kind(&call(&connection, "{}", 3_000).await), "ok");
    connection.shutdown().await;
    assert_eq!(kind(&call(&connection, "{}", 3_000).await), "not started");
    assert_eq!(peer.methods().len(), 2);
}

#[tokio::test]
async fn many_callers_share_a_connection_and_no_answers() {
    let peer = Peer::serve(|sent| {
        let text = sent.body["params"]["arguments"]["n"].clone();
        (sent.method() == "tools/call").then(|| Reply::Json(200, result(json!({"content": [], "n": text}))))
    })
    .await;
    let connection = peer.connection();
    let calls = (0..50).map(|n| {
        let connection = connection.clone();
        async move { call(&connection, &format!(r#"{{"n":{n}}}"#), 3_000).await.expect("answer")["n"].clone() }
    });
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers, (0..50).map(|n| json!(n)).collect::<Vec<_>>());
    assert_eq!(peer.methods().iter().filter(|method| *method == "server/discover").count(), 1);
}

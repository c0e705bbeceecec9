//! Over HTTP, with servers of the era of handshakes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::peer::{Peer, Reply, Sent, done, error, json_reply, result};
use super::*;

/// A server of the legacy era; with sessions, or without.
pub(super) fn legacy(sent: &Sent, session: Option<&'static str>) -> Option<Reply> {
    let answer = match sent.method() {
        "initialize" => result(json!({"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}})),
        "tools/list" => result(json!({"tools": [{"name": "t", "inputSchema": {"type": "object"}}]})),
        "tools/call" => result(json!({"content": []})),
        "server/discover" => {
            return json_reply(
                400,
                json!({"jsonrpc": "2.0", "id": "server-error", "error": {"code": -32600, "message": "missing session"}}),
            );
        }
        _ => return Some(Reply::Text(202, "", String::new())),
    };
    match session {
        Some(session) if sent.method() == "initialize" => Some(Reply::Session(session, answer)),
        Some(session) if sent.header("mcp-session-id") != Some(session) => json_reply(404, error(-32001)),
        _ => json_reply(200, answer),
    }
}

#[tokio::test]
async fn dropping_a_legacy_call_takes_it_back() {
    let peer = Peer::serve(|sent| match sent.method() {
        "tools/call" => Some(Reply::Silence),
        _ => legacy(sent, Some("s-1")),
    })
    .await;
    assert_eq!(kind(&call(&peer.connection(), "{}", 200).await), "unknown");
    until("the call is taken back", || peer.methods().iter().any(|method| method == "notifications/cancelled")).await;
    let cancelled = peer.last("notifications/cancelled");
    assert_eq!(cancelled.body["params"]["requestId"], peer.last("tools/call").body["id"]);
    assert_eq!(cancelled.header("mcp-session-id"), Some("s-1"));
}

#[tokio::test]
async fn a_legacy_server_that_asks_is_refused_and_a_ping_answered() {
    let peer = Peer::serve(|sent| match sent.method() {
        "tools/call" => {
            let ask = |id: u32, method: &str| json!({"jsonrpc": "2.0", "id": id, "method": method});
            let events = vec![ask(70, "ping"), ask(71, "roots/list"), result(done())];
            Some(Reply::Events(events.into_iter().map(|event| (Duration::from_millis(5), event)).collect()))
        }
        _ => legacy(sent, None),
    })
    .await;
    assert_eq!(kind(&call(&peer.connection(), "{}", 3_000).await), "ok");
    let answer = |id: u32| {
        let sent = peer.sent.lock().expect("lock");
        sent.iter().find(|sent| sent.body["id"] == id && sent.method().is_empty()).map(|sent| sent.body.clone())
    };
    until("both are answered", || answer(70).is_some() && answer(71).is_some()).await;
    assert_eq!(answer(70).expect("ping")["result"], json!({}));
    assert_eq!(answer(71).expect("refusal")["error"]["code"], -32601);
}

#[tokio::test]
async fn a_legacy_call_speaks_legacy() {
    let peer = Peer::serve(|sent| legacy(sent, Some("s-1"))).await;
    let connection = peer.connection();
    let (mut passage, _) = listening();
    passage.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into());
    assert_eq!(kind(&call_with(&connection, "{}", 3_000, &passage, None).await), "ok");
    let sent = peer.last("tools/call");
    let meta = json!({"progressToken": sent.body["id"], "traceparent": passage.traceparent});
    assert_eq!(sent.body["params"], json!({"name": "t", "arguments": {}, "_meta": meta}));
    assert_eq!(sent.header("mcp-protocol-version"), Some("2025-06-18"));
    assert_eq!((sent.header("mcp-method"), sent.header("mcp-name")), (None, None));
    assert_eq!(peer.last("initialize").header("mcp-protocol-version"), None);
    // An answer to a question that a legacy server cannot have asked.
    passage.continuation = Some(Continuation { state: Some("x".into()), responses: None, capabilities: None });
    assert_eq!(kind(&call_with(&connection, "{}", 3_000, &passage, None).await), "not started");
    // Nor can it ask.
    let peer = Peer::serve(|sent| match sent.method() {
        "tools/call" => json_reply(200, result(json!({"resultType": "input_required", "requestState": "x"}))),
        _ => legacy(sent, None),
    })
    .await;
    assert_eq!(kind(&call(&peer.connection(), "{}", 3_000).await), "invalid");
}

#[tokio::test]
async fn a_dead_session_loses_a_call_and_not_a_list() {
    for unknown in
        [(404, error(-32001)), (400, json!({"jsonrpc": "2.0", "id": null, "error": {"code": -32000, "message": "no"}}))]
    {
        check_dead_session(unknown).await;
    }
}

async fn check_dead_session(unknown: (u16, Value)) {
    let sessions = ["s-0", "s-1", "s-2", "s-3"];
    let current = Arc::new(AtomicU32::new(0));
    let serving = current.clone();
    let peer = Peer::serve(move |sent| match legacy(sent, Some(sessions[serving.load(Ordering::Relaxed) as usize])) {
        Some(Reply::Json(404, _)) => json_reply(unknown.0, unknown.1.clone()),
        reply => reply,
    })
    .await;
    let connection = peer.connection();
    let changed = connection.changed();
    assert_eq!(kind(&call(&connection, "{}", 3_000).await), "ok");
    assert_eq!(*changed.borrow(), 0);
    current.store(1, Ordering::Relaxed);
    let called = call(&connection, "{}", 3_000).await;
    assert_eq!(kind(&called), "not started", "{called:?}");
    assert_eq!(*changed.borrow(), 1, "whoever compares pins is told");
    assert_eq!(kind(&call(&connection, "{}", 3_000).await), "ok");
    let calls = peer.methods().iter().filter(|method| *method == "tools/call").count();
    assert_eq!(calls, 3, "the lost call was not sent again");
    current.store(2, Ordering::Relaxed);
    assert_eq!(connection.list(None).await.expect("list").tools.len(), 1);
    assert_eq!(*changed.borrow(), 1, "who lists knows already");
}

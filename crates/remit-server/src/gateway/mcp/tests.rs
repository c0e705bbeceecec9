//! The endpoint from the outside: bytes and headers in, bytes out.

mod held;
mod pipes;
mod world;

use std::time::Duration;

use http_body_util::BodyExt as _;
use serde_json::{Value, json};

use self::world::{BOT, OTHER, World, last, message, messages, text};
use super::era::{MODERN, SESSION_HEADER, VERSION_HEADER};
use remit_app::ports::Notifier as _;

fn none() -> Value {
    json!({})
}

#[tokio::test]
async fn the_checks_come_in_their_order() {
    let world = World::new();
    let ping = || message("ping", &json!({}));
    let good = "application/json";
    for (verb, headers, body, status) in [
        // A wrong Host outdoes a wrong method, that a missing credential, that a wrong type, and so on.
        ("PUT", vec![("host", "evil.test"), ("authorization", "")], ping(), 403),
        ("POST", vec![("origin", "https://evil.test"), ("authorization", "")], ping(), 403),
        ("PUT", vec![("authorization", "")], ping(), 405),
        ("GET", vec![("authorization", "")], ping(), 405),
        ("DELETE", vec![], ping(), 405),
        ("GET", vec![(SESSION_HEADER, "x"), (VERSION_HEADER, MODERN)], ping(), 405),
        ("GET", vec![(SESSION_HEADER, "x"), ("authorization", "")], ping(), 401),
        ("GET", vec![(SESSION_HEADER, "x")], ping(), 404),
        ("POST", vec![("authorization", ""), ("content-type", "text/plain")], "{".into(), 401),
        ("POST", vec![("authorization", "Bearer no"), ("content-type", good)], ping(), 401),
        ("POST", vec![("content-type", "text/plain"), ("accept", "text/html")], "{".into(), 415),
        ("POST", vec![("accept", "application/json")], "{".into(), 406),
        ("POST", vec![], format!("\"{}\"", "x".repeat(70_000)), 413),
        ("POST", vec![], "{".into(), 400),
        ("POST", vec![], "[]".into(), 400),
        ("POST", vec![], ping(), 400),
        ("POST", vec![(SESSION_HEADER, "x")], ping(), 404),
        ("POST", vec![(VERSION_HEADER, MODERN)], ping(), 400),
    ] {
        let response = world.send(verb, &headers, body).await;
        assert_eq!(response.status().as_u16(), status, "{verb} {headers:?}");
        if status == 401 {
            assert!(response.headers().contains_key("www-authenticate"));
        }
        if status == 405 {
            assert_eq!(response.headers()["allow"], "POST");
        }
    }
    assert_eq!(world.calls(), 0);
}

#[tokio::test]
async fn a_modern_client_discovers_lists_and_calls() {
    let world = World::new();
    let (status, found) = world.modern("server/discover", json!({}), none()).await;
    assert_eq!(status, 200);
    assert_eq!(found["result"]["supportedVersions"], json!([MODERN]));
    assert_eq!(found["result"]["_meta"]["io.modelcontextprotocol/serverInfo"]["name"], json!("remit"));

    let (_, listed) = world.modern("tools/list", json!({}), none()).await;
    let result = &listed["result"];
    assert_eq!((&result["resultType"], &result["cacheScope"]), (&json!("complete"), &json!("private")));
    let tools = result["tools"].as_array().expect("tools");
    let names: Vec<_> = tools.iter().filter_map(|tool| tool["name"].as_str()).collect();
    assert!(names.starts_with(&["files__ask", "files__echo"]), "{names:?}");
    for hidden in ["pay__hidden", "files__drifted", "files__resources__read"] {
        assert!(!names.contains(&hidden), "{hidden}");
    }
    assert!(names.contains(&"pay__refund") && names.contains(&"remit__status"));
    assert!(tools.iter().all(|tool| tool.get("execution").is_none()));

    let result = world.call("files__echo", json!({"text": "hi"}), none()).await;
    assert_eq!((text(&result), &result["resultType"]), (r#"{"text":"hi"}"#, &json!("complete")));
    assert!(result["_meta"]["dev.remit/record"].is_string());
    // No arguments are an empty object.
    let (_, message) = world.modern("tools/call", json!({"name": "files__echo"}), none()).await;
    assert_eq!(text(&message["result"]), "{}");
    let own = world.call("remit__what_may_i_do", json!({}), none()).await;
    assert_eq!(own["structuredContent"]["agent"], json!("bot"));
}

#[tokio::test]
async fn what_is_hidden_is_unknown_and_what_is_refused_says_so() {
    let world = World::new();
    for name in ["no_such", "pay__hidden", "files__drifted", "remit__no_such", "files/resources/read"] {
        let (status, message) = world.modern("tools/call", json!({"name": name, "arguments": {}}), none()).await;
        let error = json!({"code": -32602, "message": format!("Unknown tool: {name}")});
        assert_eq!((status, &message["error"]), (200, &error));
    }
    let result = world.call("files__echo", json!({"text": 7}), none()).await;
    assert_eq!(result["isError"], json!(true));
    assert!(text(&result).starts_with("INVALID ARGUMENTS"), "{result}");
    assert_eq!(world.calls(), 0);
    let result = world.call("files__lost", json!({}), none()).await;
    assert!(text(&result).starts_with("OUTCOME UNKNOWN (it may have taken effect"), "{result}");
    let (status, message) = world.modern("tools/call", json!({"name": "files__needs_sampling"}), none()).await;
    assert_eq!((status, &message["error"]["code"]), (400, &json!(-32021)));
    assert_eq!(message["error"]["data"]["requiredCapabilities"]["sampling"], json!({}));
    let (_, message) = world.modern("resources/read", json!({"uri": "a:b"}), none()).await;
    assert_eq!((&message["error"]["code"], &message["error"]["data"]["uri"]), (&json!(-32602), &json!("a:b")));
    let (_, message) = world.modern("prompts/get", json!({"name": "p"}), none()).await;
    assert_eq!(message["error"]["code"], json!(-32602));
}

#[tokio::test]
async fn a_method_of_the_other_era_does_not_exist() {
    let world = World::new();
    for method in ["initialize", "ping", "logging/setLevel", "resources/subscribe", "unknown/method", "tasks/list"] {
        let (status, message) = world.modern(method, json!({}), none()).await;
        assert_eq!((status, &message["error"]["code"]), (404, &json!(-32601)), "{method}");
        assert_eq!(message["id"], json!(1));
    }
    let session = world.session("2025-11-25").await;
    for method in ["server/discover", "subscriptions/listen", "tasks/get", "resources/subscribe", "unknown/method"] {
        let (status, message) = world.legacy(&session, method, json!({})).await;
        assert_eq!((status, &message["error"]["code"]), (200, &json!(-32601)), "{method}");
    }
}

#[tokio::test]
async fn headers_are_held_to_the_body() {
    let world = World::new();
    let params = || json!({"name": "files__region", "arguments": {"region": "eu"}});
    for (more, status) in [
        (vec![("mcp-param-region", "eu")], 200),
        (vec![("mcp-param-region", "us")], 400),
        (vec![], 400),
        (vec![("mcp-param-region", "eu"), ("mcp-name", "files__echo")], 400),
        (vec![("mcp-param-region", "eu"), ("mcp-method", "tools/list")], 400),
        (vec![("mcp-param-region", "eu"), ("mcp-method", "")], 400),
    ] {
        let response = world.modern_response("tools/call", params(), none(), &more).await;
        assert_eq!(response.status().as_u16(), status, "{more:?}");
        let message = last(response).await;
        assert_eq!(message["error"]["code"] == json!(-32020), status == 400, "{message}");
    }
    // Somebody who does not hold the tool does not learn that it wants a header.
    let more = [("authorization", OTHER)];
    let message = last(world.modern_response("tools/call", params(), none(), &more).await).await;
    assert_eq!(message["error"]["message"], json!("Unknown tool: files__region"));
}

#[tokio::test]
async fn a_legacy_session_lives_until_it_is_ended() {
    let world = World::new();
    let params = json!({"protocolVersion": "2024-11-05", "capabilities": {}});
    let answer = last(world.send("POST", &[], message("initialize", &params)).await).await;
    assert_eq!(answer["result"]["protocolVersion"], json!("2025-11-25"));

    let session = world.session("2025-06-18").await;
    let (status, pong) = world.legacy(&session, "ping", json!({})).await;
    assert_eq!((status, &pong["result"]), (200, &json!({})));
    let (_, listed) = world.legacy(&session, "tools/list", json!({})).await;
    assert_eq!((listed["result"].get("resultType"), listed["result"].get("ttlMs")), (None, None));
    let notice = json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string();
    assert_eq!(world.send("POST", &[(SESSION_HEADER, &session)], notice).await.status(), 202);
    let response = json!({"jsonrpc": "2.0", "id": 3, "result": {}}).to_string();
    assert_eq!(world.send("POST", &[(SESSION_HEADER, &session)], response).await.status(), 202);
    // Another principal's session is no session.
    let foreign = [(SESSION_HEADER, session.as_str()), ("authorization", OTHER)];
    assert_eq!(world.send("POST", &foreign, message("ping", &json!({}))).await.status(), 404);
    let (_, call) = world.legacy(&session, "tools/call", json!({"name": "files__ask"})).await;
    assert!(text(&call["result"]).starts_with("NOT COMPLETED"), "{call}");

    assert_eq!(world.send("DELETE", &[(SESSION_HEADER, &session)], String::new()).await.status(), 204);
    assert_eq!(world.legacy(&session, "ping", json!({})).await.0, 404);
    assert_eq!(world.send("DELETE", &[(SESSION_HEADER, &session)], String::new()).await.status(), 404);
}

#[tokio::test]
async fn progress_comes_before_the_answer_under_the_clients_token() {
    let world = World::new();
    let params = json!({"name": "files__progress", "_meta": {"progressToken": "mine"}});
    let response = world.modern_response("tools/call", params.clone(), none(), &[]).await;
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let session = world.session("2025-03-26").await;
    let legacy = world.send("POST", &[(SESSION_HEADER, &session)], message("tools/call", &params)).await;
    for response in [response, legacy] {
        let all = messages(response).await;
        assert_eq!(all.len(), 4);
        for (at, notice) in all.iter().take(3).enumerate() {
            let progress = json!({"progressToken": "mine", "progress": at, "total": 2});
            assert_eq!((&notice["method"], &notice["params"]), (&json!("notifications/progress"), &progress));
        }
        assert_eq!(text(&all[3]["result"]), "progress");
    }
}

#[tokio::test]
async fn a_lost_connection_cancels_in_the_modern_era_only() {
    let world = World::with(0, Duration::from_millis(200));
    let params = json!({"name": "files__slow"});
    let soon = Duration::from_millis(100);
    let call = world.modern("tools/call", params.clone(), none());
    tokio::time::timeout(soon, call).await.expect_err("still under way");
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let dropped = || world.backend.dropped.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(dropped(), 1);

    let session = world.session("2025-11-25").await;
    let call = world.legacy(&session, "tools/call", params.clone());
    tokio::time::timeout(soon, call).await.expect_err("still under way");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(dropped(), 1);
    world.backend.go.notify_one();

    // What calls a legacy request off is a notification.
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}).to_string();
    let headers = [(SESSION_HEADER, session.as_str())];
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        world.send("POST", &headers, cancel).await
    };
    let (call, cancelled) = tokio::join!(world.legacy(&session, "tools/call", params), cancel);
    assert_eq!(cancelled.status(), 202);
    assert!(text(&call.1["result"]).starts_with("OUTCOME UNKNOWN"), "{call:?}");
    assert_eq!(dropped(), 2);
}

#[tokio::test]
async fn an_upstreams_question_passes_to_those_who_can_answer() {
    let world = World::new();
    let forms = json!({"elicitation": {}});
    let refused = world.call("files__ask", json!({}), none()).await;
    assert!(text(&refused).contains("did not declare"), "{refused}");

    let asked = world.call("files__ask", json!({}), forms.clone()).await;
    assert_eq!(asked["resultType"], json!("input_required"));
    assert_eq!(asked["inputRequests"]["k"]["params"]["message"], json!("[files] Name?"));
    let state = asked["requestState"].as_str().expect("state");
    assert!(!state.contains("upstream-state"));
    let retry = |name: &str, state: &str| {
        let responses = json!({"k": {"action": "accept"}});
        json!({"name": name, "arguments": {}, "requestState": state, "inputResponses": responses})
    };
    let (_, answered) = world.modern("tools/call", retry("files__ask", state), forms.clone()).await;
    let expected = json!({"state": "upstream-state", "responses": {"k": {"action": "accept"}}});
    assert_eq!(serde_json::from_str::<Value>(text(&answered["result"])).expect("JSON"), expected);
    // For another request, tampered with, or another caller's: no state at all.
    for (params, more) in [
        (retry("files__echo", state), vec![]),
        (retry("files__ask", &format!("{state}-TAMPERED")), vec![]),
        (retry("files__ask", state), vec![("authorization", OTHER)]),
    ] {
        let message = last(world.modern_response("tools/call", params, forms.clone(), &more).await).await;
        assert_eq!(message["error"]["code"], json!(-32602), "{message}");
    }
    let wrong = json!({"name": "files__ask", "inputResponses": []});
    assert_eq!(world.modern("tools/call", wrong, forms).await.1["error"]["code"], json!(-32602));
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let world = World::with(1_100, Duration::from_millis(200));
    let (mut cursor, mut names) = (None::<String>, Vec::new());
    loop {
        let params = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({"cursor": cursor}));
        let (_, page) = world.modern("tools/list", params, none()).await;
        let tools = page["result"]["tools"].as_array().expect("tools").clone();
        assert!(tools.len() <= 500);
        names.extend(tools.iter().map(|tool| tool["name"].as_str().expect("name").to_owned()));
        match page["result"]["nextCursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
    }
    let (all, mut unique) = (names.len(), names);
    unique.sort();
    unique.dedup();
    assert_eq!((all, unique.len() > 1_100), (unique.len(), true));
    for cursor in [json!("x"), json!(1), json!(cursor.expect("a cursor") + "A")] {
        let (status, message) = world.modern("tools/list", json!({"cursor": cursor}), none()).await;
        assert_eq!((status, &message["error"]["code"]), (200, &json!(-32602)));
    }
}

#[tokio::test]
async fn a_subscription_tells_what_was_asked_for_and_nothing_else() {
    let world = World::new();
    let (status, message) = world.modern("subscriptions/listen", json!({}), none()).await;
    assert_eq!((status, &message["error"]["code"]), (400, &json!(-32602)));
    let tasks = json!({"notifications": {"taskIds": ["t"]}});
    let (status, message) = world.modern("subscriptions/listen", tasks, none()).await;
    assert_eq!((status, &message["error"]["code"]), (400, &json!(-32021)));

    let filter = json!({"notifications": {"toolsListChanged": true, "resourceSubscriptions": ["a:b"]}});
    let response = world.modern_response("subscriptions/listen", filter, none(), &[]).await;
    let mut body = response.into_body();
    let mut next = async || {
        let frame = body.frame().await.expect("a frame").expect("no error").into_data().expect("data");
        let text = String::from_utf8(frame.to_vec()).expect("text");
        let data = text.lines().find_map(|line| line.strip_prefix("data: ")).expect("data").to_owned();
        serde_json::from_str::<Value>(&data).expect("JSON")
    };
    let acknowledged = next().await;
    assert_eq!(acknowledged["method"], json!("notifications/subscriptions/acknowledged"));
    assert_eq!(acknowledged["params"]["notifications"], json!({"toolsListChanged": true}));
    world.notices.authority_changed();
    let told = next().await;
    assert_eq!(told["method"], json!("notifications/tools/list_changed"));
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], json!(1));
    // A credential that proves nothing any more ends the stream, in good order.
    world.edge.rekey(crate::identify::Keyring::default());
    world.notices.authority_changed();
    let end = next().await;
    assert_eq!((&end["id"], &end["result"]["resultType"]), (&json!(1), &json!("complete")));
}

#[tokio::test]
async fn a_legacy_stream_tells_of_changes() {
    let world = World::new();
    let session = world.session("2025-11-25").await;
    let headers = [(SESSION_HEADER, session.as_str()), ("authorization", BOT)];
    let response = world.send("GET", &headers, String::new()).await;
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    world.notices.authority_changed();
    let frame = body.frame().await.expect("a frame").expect("no error").into_data().expect("data");
    assert!(String::from_utf8_lossy(&frame).contains("notifications/tools/list_changed"));
}

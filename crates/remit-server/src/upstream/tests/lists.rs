//! What is served, over HTTP.

use super::peer::{Peer, Reply, error, json_reply, result};
use super::*;

#[tokio::test]
async fn lists_are_read_page_by_page_and_impossible_tools_left_out() {
    let peer = Peer::serve(|sent| {
        let header = |name: &str| json!({"properties": {"p": {"type": "string", "x-mcp-header": name}}});
        let value = match (sent.method(), sent.body["params"]["cursor"].as_str()) {
            ("server/discover", _) => json!({
                "resultType": "complete", "supportedVersions": ["2026-07-28"],
                "capabilities": {"tools": {"listChanged": true}, "resources": {}, "prompts": {}},
            }),
            ("tools/list", None) => json!({"tools": [{"name": "a", "odd": [1]}, {"name": "b", "inputSchema": header("a b")}], "nextCursor": "2\""}),
            ("tools/list", Some("2\"")) => json!({"tools": [{"name": "c", "inputSchema": header("P")}, {"name": "d"}, {"name": "d"}, {}]}),
            ("resources/list", _) => json!({"resources": [{"uri": "a:b"}]}),
            ("prompts/list", _) => json!({"prompts": [{"name": "p"}], "nextCursor": null}),
            _ => return json_reply(404, error(-32601)),
        };
        json_reply(200, result(value))
    })
    .await;
    let listing = peer.connection().list(None).await.expect("list");
    assert_eq!(listing.tools.iter().map(|tool| &tool["name"]).collect::<Vec<_>>(), ["a", "c"]);
    assert_eq!(listing.tools[0], json!({"name": "a", "odd": [1]}));
    assert_eq!(listing.left_out.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["b", "d", "d", ""]);
    assert_eq!((listing.resources.len(), listing.prompts.len(), listing.templates.len()), (1, 1, 0));
    assert_eq!(listing.capabilities["tools"]["listChanged"], true);
    assert_eq!(peer.last("tools/list").header("mcp-method"), Some("tools/list"));
    assert_eq!(peer.last("tools/list").header("mcp-name"), None);
}

#[tokio::test]
async fn lists_end() {
    let page = |extra: Value| {
        let mut value = json!({"tools": []});
        value.as_object_mut().expect("object").extend(extra.as_object().expect("object").clone());
        value
    };
    for (what, list) in [
        ("endless", page(json!({"nextCursor": "again"}))),
        ("an odd cursor", page(json!({"nextCursor": 7}))),
        ("no list", json!({"resultType": "complete"})),
        ("a wish", json!({"resultType": "input_required", "requestState": "x"})),
        ("too many", json!({"tools": vec![json!({"name": "x"}); 10_001]})),
    ] {
        let peer =
            Peer::serve(move |sent| (sent.method() == "tools/list").then(|| Reply::Json(200, result(list.clone()))))
                .await;
        let listed = peer.connection().list(None).await;
        assert!(matches!(listed, Err(Failure::Invalid { .. })), "{what}: {listed:?}");
        assert!(peer.methods().len() <= 101, "{what}");
    }
}

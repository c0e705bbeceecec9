//! The HTTP API as its bytes: what headers and bodies say twice, and what the key of a host application may follow.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use remit_cli::boot::Running;
use remit_testkit::place::{Place, business};
use remit_testkit::upstream::{Manner, Upstream};
use remit_testkit::wire::Wire;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const HOST: &str = "the host application's key";
const OPERATOR: &str = "scenario-operator-rehearsal";

struct World {
    running: Running,
    address: String,
    upstream: Upstream,
    _place: Place,
}

impl World {
    async fn new() -> Self {
        let upstream = business(Duration::ZERO).await;
        let place = Place::before(&upstream);
        place.host(HOST);
        place.edit("upstreams/business.yaml", "timeout: 2s", "timeout: 8s");
        let running = Running::start(place.path(), Some(([127, 0, 0, 1], 0).into())).await;
        let running = running.map_err(|error| error.to_string()).expect("it starts");
        let address = running.url.trim_start_matches("http://").to_owned();
        Self { running, address, upstream, _place: place }
    }

    /// Sends this request line with these headers and body, byte by byte as they are written here.
    async fn send(&self, line: &str, headers: &[(&str, &str)], body: Option<&Value>) -> (u16, Value) {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = TcpStream::connect(&self.address).await.expect("a connection");
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).await.expect("sent");
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer));
        read.await.expect("in time").expect("read");
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    /// As the host application, with more headers.
    async fn ask(&self, line: &str, more: &[(&str, &str)], body: Option<&Value>) -> (u16, Value) {
        let bearer = format!("Bearer {HOST}");
        let own = [("Host", self.address.as_str()), ("Authorization", &bearer), ("Content-Type", "application/json")];
        self.send(line, &[&own, more].concat(), body).await
    }

    async fn run(&self, user: &str) -> String {
        let (status, run) = self.ask("POST /v1/runs", &[], Some(&json!({"user": user}))).await;
        assert_eq!(status, 201, "{run}");
        run["run"].as_str().expect("a run").to_owned()
    }
}

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_application_follows_what_is_held_in_a_run_of_its_own() {
    let world = World::new().await;
    let (run, other) = (world.run("ada@acme.example").await, world.run("bob@acme.example").await);
    let refund = json!({"tool": "business/refund", "arguments": {"payment": "p-1", "amount": 500}, "run": run});
    let (status, held) = world.ask("POST /v1/calls", &[], Some(&refund)).await;
    assert_eq!(status, 202, "{held}");
    let question = format!("/v1/questions/{}", held["question"].as_str().expect("a question"));
    for (more, expected) in
        [(vec![("Remit-Run", run.as_str())], 200), (vec![], 404), (vec![("Remit-Run", &other)], 404)]
    {
        let (status, answer) = world.ask(&format!("GET {question}"), &more, None).await;
        assert_eq!(status, expected, "{more:?}: {answer}");
    }
    let said = json!({"text": "because"});
    let (_, answer) = world.ask(&format!("POST {question}"), &[("Remit-Run", &run)], Some(&said)).await;
    assert_ne!(code(&answer), "question.unknown", "it is theirs, and nobody has asked back: {answer}");
    let evidence = format!("GET /v1/evidence/{}", held["record"].as_str().expect("a record"));
    assert_eq!(code(&world.ask(&evidence, &[("Remit-Run", &other)], None).await.1), "record.unknown");
    let (status, answer) = world.ask(&evidence, &[("Remit-Run", &run)], None).await;
    assert!(status == 200 || code(&answer) == "record.unsealed", "{answer}");
    let (_, me) = world.ask("GET /v1/me", &[("Remit-Run", &run)], None).await;
    assert_eq!(me["user"], "ada@acme.example", "{me}");
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_a_thing_twice_says_the_same() {
    let world = World::new().await;
    let (run, other) = (world.run("ada@acme.example").await, world.run("ada@acme.example").await);
    let call = |key: &str| json!({"tool": "business/get_ticket", "arguments": {"id": "t-1"}, "run": run, "idempotency_key": key});
    let twice = [("Idempotency-Key", "a"), ("Remit-Run", run.as_str())];
    let (status, answer) = world.ask("POST /v1/calls", &twice, Some(&call("a"))).await;
    assert_ne!(code(&answer), "request.malformed", "{status} {answer}");
    for more in [[("Idempotency-Key", "b")], [("Remit-Run", other.as_str())]] {
        let (status, answer) = world.ask("POST /v1/calls", &more, Some(&call("a"))).await;
        assert_eq!((status, code(&answer)), (400, "request.malformed"), "{more:?}: {answer}");
    }
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_gate_carries_out_nobody_else_reports() {
    let world = World::new().await;
    let run = world.run("ada@acme.example").await;
    world.upstream.behave(Manner::Silent);
    let refund = json!({"tool": "business/refund", "arguments": {"payment": "p-1", "amount": 5}, "run": run, "idempotency_key": "k"});
    let lie = async {
        // Under way for sure before it is asked for again.
        let began = Instant::now();
        while world.upstream.asked("refund").is_empty() {
            assert!(began.elapsed() < Duration::from_secs(60), "the call never came there");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let (_, answer) = world.ask("POST /v1/calls", &[], Some(&refund)).await;
        assert_eq!(code(&answer), "idempotency.pending", "{answer}");
        let record = answer["error"]["record"].as_str().expect("a record");
        let path = format!("POST /v1/decisions/{record}/outcome");
        world.ask(&path, &[], Some(&json!({"state": "not_started", "run": run}))).await
    };
    let (first, (status, lied)) = tokio::join!(world.ask("POST /v1/calls", &[], Some(&refund)), lie);
    assert_eq!((status, code(&lied)), (404, "record.unknown"), "{lied}");
    assert_eq!(code(&first.1), "effect.unknown", "what the gate saw: {first:?}");
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_its_agent_closed_gives_way_to_the_next_one_when_it_is_idle() {
    const AGENT: &str = "an-agents-key";
    let upstream = business(Duration::ZERO).await;
    let place = Place::before(&upstream);
    place.admit(AGENT, "ada@acme.example");
    place.append("remit.yaml", "runs: { idle: 3s }\n");
    let running = Running::start(place.path(), Some(([127, 0, 0, 1], 0).into())).await;
    let running = running.map_err(|error| error.to_string()).expect("it starts");
    let wire = Wire::to(&running.url);
    let call = json!({"tool": "business/get_customer", "arguments": {"id": "C-1"}});
    let first = wire.done(AGENT, "/v1/calls", Some(&call)).await.expect("done");
    let path = format!("/v1/runs/{}/close", first["run"].as_str().expect("a run"));
    wire.done(AGENT, &path, Some(&json!({}))).await.expect("closed");
    let (status, refused) = wire.send(AGENT, "/v1/calls", Some(&call)).await.expect("an answer");
    assert_eq!((status, code(&refused)), (409, "run.closed"), "what it has seen is not left behind at once: {refused}");
    // Asked again and again, which does not keep it current.
    let began = Instant::now();
    while wire.send(AGENT, "/v1/calls", Some(&call)).await.expect("an answer").0 != 200 {
        assert!(began.elapsed() < Duration::from_secs(60), "it never ends");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_keeps_a_place_by_saying_nothing() {
    let world = World::new().await;
    let head = format!("POST /v1/calls HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {HOST}\r\n", world.address);
    let half = format!("{head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{{");
    let mut all = tokio::task::JoinSet::new();
    for (said, answer) in [("", ""), ("PRI", ""), (&head, ""), (&half, "HTTP/1.1 400")] {
        let (address, said) = (world.address.clone(), said.to_owned());
        all.spawn(async move {
            let mut stream = TcpStream::connect(&address).await.expect("a connection");
            stream.write_all(said.as_bytes()).await.expect("sent");
            let mut told = String::new();
            let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_string(&mut told)).await;
            assert!(read.is_ok() && told.starts_with(answer), "`{said}`: {told}");
        });
    }
    while let Some(one) = all.join_next().await {
        one.expect("it came to its end");
    }
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_host_and_origin_that_is_named_counts() {
    let world = World::new().await;
    let own = ("Host", world.address.as_str());
    assert_eq!(world.send("GET /readyz", &[own], None).await.0, 200);
    for (line, headers) in [
        ("GET /readyz", vec![own, ("Host", "evil.example")]),
        ("GET /readyz", vec![("Host", "evil.example"), own]),
        ("GET http://evil.example/readyz", vec![own]),
        ("GET /readyz", vec![own, ("Origin", "https://evil.example")]),
        ("GET /readyz", vec![own, ("Origin", "null"), ("Origin", "https://evil.example")]),
    ] {
        let status = world.send(line, &headers, None).await.0;
        assert!(status == 403 || status == 400, "{line} {headers:?}: {status}");
    }
    let (status, answer) = world.send("GET /readyz", &[], None).await;
    assert_eq!((status, code(&answer)), (400, "request.malformed"), "RFC 9112, section 3.2: {answer}");
    let (status, answer) = world.send("GET /v2/calls", &[own], None).await;
    assert_eq!((status, code(&answer)), (404, "request.malformed"), "{answer}");
    let (status, answer) = world.send("GET /v1/calls", &[own], None).await;
    assert_eq!((status, code(&answer)), (405, "request.malformed"), "{answer}");
    world.running.stop().await;
}

/// What an answer has that the document does not know of, and lacks that it demands.
fn differences(document: &Value, schema: &Value, answer: &Value, at: &str) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let name = name.trim_start_matches("#/components/schemas/");
        return differences(document, &document["components"]["schemas"][name], answer, at);
    }
    if let Some(items) = answer.as_array() {
        let of = items.iter().enumerate();
        return of.flat_map(|(n, item)| differences(document, &schema["items"], item, &format!("{at}[{n}]"))).collect();
    }
    let (Some(members), Some(known)) = (answer.as_object(), schema["properties"].as_object()) else {
        return Vec::new();
    };
    let needed = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let missing = needed.filter(|name| !members.contains_key(*name)).map(|name| format!("{at} lacks {name}"));
    let mut found: Vec<String> = missing.collect();
    for (name, value) in members {
        match known.get(name) {
            Some(schema) => found.extend(differences(document, schema, value, &format!("{at}.{name}"))),
            None => found.push(format!("{at}.{name} is not described")),
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_as_the_document_says() {
    let world = World::new().await;
    let (_, document) = world.ask("GET /v1/openapi.json", &[], None).await;
    let run = world.run("ada@acme.example").await;
    let inside = [("Remit-Run", run.as_str())];
    let refund = |amount: u64| json!({"tool": "business/refund", "arguments": {"payment": "p-1", "amount": amount}});
    let look = json!({"tool": "business/get_customer", "arguments": {"id": "C-1"}});
    let check = async |path: &str, line: &str, body: Option<&Value>| {
        let (status, answer) = world.ask(line, &inside, body).await;
        let method = if line.starts_with("GET") { "get" } else { "post" };
        let responses = &document["paths"][path][method]["responses"];
        let content = &responses[status.to_string()]["content"]["application/json"]["schema"];
        assert!(!content.is_null(), "{line}: {status} is not described: {answer}");
        assert_eq!(differences(&document, content, &answer, path), Vec::<String>::new(), "{answer}");
        answer
    };
    check("/v1/runs", "POST /v1/runs", Some(&json!({"user": "ada@acme.example"}))).await;
    check("/v1/runs/{id}", &format!("GET /v1/runs/{run}"), None).await;
    check("/v1/me", "GET /v1/me", None).await;
    check("/v1/tools", "GET /v1/tools", None).await;
    check("/v1/calls", "POST /v1/calls", Some(&look)).await;
    let held = check("/v1/calls", "POST /v1/calls", Some(&refund(500))).await;
    let question = format!("GET /v1/questions/{}", held["question"].as_str().expect("a question"));
    check("/v1/questions/{id}", &question, None).await;
    check("/v1/decisions", "POST /v1/decisions", Some(&refund(501))).await;
    check("/v1/decisions", "POST /v1/decisions", Some(&json!({"tool": "business/nothing"}))).await;
    let allowed = check("/v1/decisions", "POST /v1/decisions", Some(&look)).await;
    let outcome = format!("POST /v1/decisions/{}/outcome", allowed["record"].as_str().expect("a record"));
    check("/v1/decisions/{id}/outcome", &outcome, Some(&json!({"state": "completed", "run": run}))).await;
    check("/v1/decisions/{id}/outcome", &outcome, Some(&json!({"state": "completed", "run": run}))).await;
    check("/v1/calls", "POST /v1/calls", Some(&json!({"tool": "business/nothing"}))).await;
    check("/v1/access-requests", "GET /v1/access-requests", None).await;
    check("/v1/runs/{id}/close", &format!("POST /v1/runs/{run}/close"), None).await;
    world.running.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_takes_the_first_page_of_a_run_for_all_of_it() {
    let world = World::new().await;
    let run = world.run("ada@acme.example").await;
    let look = json!({"tool": "business/list_tickets", "arguments": {}, "run": run});
    assert_eq!(world.ask("POST /v1/calls", &[], Some(&look)).await.0, 200);
    let bearer = format!("Bearer {OPERATOR}");
    let headers = [("Host", world.address.as_str()), ("Authorization", bearer.as_str())];
    let (mut seen, mut after) = (Vec::new(), json!(0));
    while let Some(from) = after.as_u64() {
        let (status, page) =
            world.send(&format!("GET /admin/v1/runs/{run}?after={from}&limit=1"), &headers, None).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(page["records"].as_array().expect("records").iter().map(|record| record["kind"].to_string()));
        after = page["next"].clone();
    }
    assert_eq!(seen, ["\"run\"", "\"decision\"", "\"execution\""]);
    world.running.stop().await;
}

//! Over standard input and output. The peer is a Python script, started as any upstream would be.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;

const PEER: &str = include_str!("peer.py");

fn process(era: &str, more: &[&str]) -> Spec {
    let argv = ["python3", "-c", PEER, era].into_iter().chain(more.iter().copied()).map(str::to_owned).collect();
    let mut spec = spec(Transport::Stdio {
        argv,
        env: Vec::new(),
        pass_env: vec!["PATH".into()],
        cwd: None,
        memory_bytes_max: None,
        restarts_per_minute: 5,
    });
    spec.timeout_ms = 10_000;
    spec
}

fn started(era: &str) -> Connection {
    Connection::new(process(era, &[]))
}

async fn told(connection: &Connection, what: &str) -> Result<Value, Failure> {
    call(connection, &json!({"do": what}).to_string(), 10_000).await
}

/// The methods the process has heard.
async fn heard(connection: &Connection) -> Vec<Value> {
    let heard = told(connection, "tell").await.expect("answer");
    heard["heard"].as_array().expect("list").clone()
}

fn methods(heard: &[Value]) -> Vec<&str> {
    heard.iter().map(|message| message["method"].as_str().unwrap_or("an answer")).collect()
}

fn runs(pid: &Value) -> bool {
    // A process that waits to be collected does not run any more.
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[tokio::test]
async fn the_era_is_found_out_without_a_call() {
    let legacy: &[&str] = &["server/discover", "initialize", "notifications/initialized", "tools/call"];
    for (era, expected) in [
        ("modern", Some(&["server/discover", "subscriptions/listen", "tools/call"] as &[&str])),
        ("legacy", Some(legacy)),
        ("old", Some(legacy)),
        ("silent", Some(legacy)),
        // Another process, which was not asked.
        ("dies", Some(&legacy[1..])),
        ("garbles", Some(&legacy[1..])),
        ("newer", None),
        ("neither", None),
    ] {
        let connection = started(era);
        match (told(&connection, "tell").await, expected) {
            (Ok(result), Some(expected)) => {
                let heard = result["heard"].as_array().expect("list");
                assert_eq!(methods(heard), expected, "{era}");
            }
            (called, expected) => {
                assert_eq!((kind(&called), expected), ("not started", None), "{era}: {called:?}");
            }
        }
        connection.shutdown().await;
    }
}

#[tokio::test]
async fn frames_are_of_their_era() {
    let (mut passage, _) = listening();
    passage.continuation = Some(Continuation { state: Some("x".into()), responses: None, capabilities: None });
    let arguments = r#"{"do":"tell","n":1e+21}"#;
    let modern = started("modern");
    let result = call_with(&modern, arguments, 10_000, &passage, None).await.expect("answer");
    let sent = result["heard"].as_array().expect("list").last().expect("call").clone();
    assert_eq!(
        (&sent["params"]["requestState"], &sent["params"]["_meta"]["progressToken"]),
        (&json!("x"), &sent["id"])
    );
    assert_eq!(sent["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"], json!({}));
    let subscribed = heard(&modern).await[1].clone();
    assert_eq!(subscribed["params"]["notifications"], json!({"toolsListChanged": true}));
    passage.continuation = None;
    let result = call_with(&started("legacy"), arguments, 10_000, &passage, None).await.expect("answer");
    let sent = result["heard"].as_array().expect("list").last().expect("call").clone();
    assert_eq!(sent["params"]["_meta"], json!({"progressToken": sent["id"]}));
}

#[tokio::test]
async fn many_callers_share_a_process_and_no_answers() {
    let connection = started("modern");
    let calls = (0..50).map(|n| {
        let connection = connection.clone();
        async move {
            let arguments = json!({"do": "hold", "n": n, "of": 50}).to_string();
            call(&connection, &arguments, 10_000).await.expect("answer")["n"].clone()
        }
    });
    let answers = futures_util::future::join_all(calls).await;
    assert_eq!(answers, (0..50).map(|n| json!(n)).collect::<Vec<_>>());
    assert_eq!(methods(&heard(&connection).await)[..2], ["server/discover", "subscriptions/listen"]);
}

#[tokio::test]
async fn noise_is_not_listened_to() {
    let connection = started("modern");
    let (passage, progress) = listening();
    let result = call_with(&connection, r#"{"do":"noise"}"#, 10_000, &passage, None).await.expect("answer");
    assert_eq!(result["quiet"], true);
    assert_eq!(*progress.lock().expect("lock"), [json!({"progress": 1}), json!({"progress": 4})]);
    // Nor answered.
    let heard = heard(&connection).await;
    assert_eq!(methods(&heard), ["server/discover", "subscriptions/listen", "tools/call", "tools/call"]);
}

#[tokio::test]
async fn a_process_that_asks_is_refused_and_a_ping_answered() {
    let connection = started("legacy");
    assert_eq!(kind(&told(&connection, "ask").await), "ok");
    let heard = heard(&connection).await;
    let answers: Vec<_> = heard.iter().filter(|message| message.get("method").is_none()).collect();
    assert_eq!(answers.len(), 2, "an id that is a kilobyte long is not repeated: {answers:?}");
    assert_eq!((&answers[0]["id"], &answers[0]["result"]), (&json!("p"), &json!({})));
    assert_eq!((&answers[1]["id"], &answers[1]["error"]["code"]), (&json!(5), &json!(-32601)));
}

#[tokio::test]
async fn a_process_that_dies_leaves_its_calls_unknown() {
    for how in ["die", "close output", "close input"] {
        let connection = started("modern");
        let changed = connection.changed();
        let waiting = connection.clone();
        assert_eq!(kind(&told(&connection, "tell").await), "ok");
        let bystander = tokio::spawn(async move { told(&waiting, "nothing").await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        let called = call(&connection, &json!({"do": how}).to_string(), 5_000).await;
        assert_eq!(kind(&called), "unknown", "{how}: {called:?}");
        if how == "close input" {
            // Noticed by the next who writes to it.
            assert_ne!(kind(&call(&connection, r#"{"do":"tell"}"#, 5_000).await), "ok");
        } else {
            assert!(began.elapsed() < Duration::from_secs(4), "{how}");
        }
        assert_eq!(kind(&bystander.await.expect("joined")), "unknown", "{how}");
        until("who compares pins is told", || *changed.borrow() == 1).await;
        assert_eq!(kind(&told(&connection, "tell").await), "ok", "{how}: another is started");
    }
}

#[tokio::test]
async fn the_last_answer_of_a_process_counts() {
    let connection = started("modern");
    let changed = connection.changed();
    for deaths in 1..=3 {
        let result = told(&connection, "say and die").await.expect("answer");
        assert_eq!(result["last"], "breath");
        // What is sent before the end is noticed may have been read.
        until("the end is noticed", || *changed.borrow() == deaths).await;
    }
}

#[tokio::test]
async fn a_process_is_not_restarted_for_ever() {
    let mut spec = process("modern", &[]);
    if let Transport::Stdio { restarts_per_minute, .. } = &mut spec.transport {
        *restarts_per_minute = 2;
    }
    let connection = Connection::new(spec);
    for _ in 0..3 {
        assert_eq!(kind(&told(&connection, "die").await), "unknown");
    }
    let called = told(&connection, "tell").await;
    assert_eq!(kind(&called), "not started", "{called:?}");
    assert!(format!("{called:?}").contains("too often"));
}

#[tokio::test]
async fn what_cannot_be_started_was_not_started() {
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut spec = process("modern", &[]);
        if let Transport::Stdio { argv, .. } = &mut spec.transport {
            change(argv);
        }
        spec
    };
    let mut needy = process("modern", &[]);
    needy.credential = Some(Slot::Env { name: "TOKEN".into() });
    let mut confused = process("modern", &[]);
    confused.credential = Some(Slot::Header { name: "authorization".into(), prefix: String::new() });
    for (what, spec) in [
        ("no program", with(&|argv| argv.clear())),
        ("an unknown program", with(&|argv| argv[0] = "/no/such/program".into())),
        ("a shell's line", with(&|argv| *argv = vec!["python3 -c pass; true".into()])),
        ("a program that ends", with(&|argv| argv[2] = "pass".into())),
        ("no credential", needy),
        ("no place for a credential", confused),
    ] {
        let called = told(&Connection::new(spec), "tell").await;
        assert_eq!(kind(&called), "not started", "{what}: {called:?}");
    }
    let slow = with(&|argv| argv[2] = "import time; time.sleep(60)".into());
    let called = call(&Connection::new(slow), "{}", 300).await;
    assert_eq!(kind(&called), "not started", "{called:?}");
}

#[tokio::test]
async fn a_process_has_what_it_was_given_and_nothing_else() {
    let mut spec = process("modern", &["$HOME", "a b; true"]);
    spec.credential = Some(Slot::Env { name: "TOKEN".into() });
    if let Transport::Stdio { env, pass_env, cwd, .. } = &mut spec.transport {
        *env = vec![("MODE".into(), "x y".into())];
        *pass_env = vec!["PATH".into(), "REMIT_NO_SUCH_VARIABLE".into()];
        *cwd = Some(PathBuf::from("/"));
    }
    let connection = Connection::new(spec);
    let secret = Secret::new("s3cret".into());
    let called = call_with(&connection, r#"{"do":"environment"}"#, 10_000, &Passage::default(), Some(&secret)).await;
    let found = called.expect("answer");
    // Beside what a wrapper of Python's may add. What is given exactly is tested where it is given.
    let (home, mode, token) = (&found["env"]["HOME"], &found["env"]["MODE"], &found["env"]["TOKEN"]);
    assert_eq!((home, mode, token), (&Value::Null, &json!("x y"), &json!("s3cret")));
    assert_eq!(
        (&found["argv"], &found["cwd"], &found["leads"]),
        (&json!(["$HOME", "a b; true"]), &json!("/"), &json!(true))
    );
    assert_eq!(found["death_signal"], 9, "it dies with the gateway");
}

#[tokio::test]
async fn a_process_has_no_more_memory_than_it_was_given() {
    let mut spec = process("modern", &[]);
    if let Transport::Stdio { memory_bytes_max, .. } = &mut spec.transport {
        *memory_bytes_max = Some(512 << 20);
    }
    let connection = Connection::new(spec);
    for (bytes, had) in [(1 << 20, true), (600 << 20, false)] {
        let arguments = json!({"do": "allocate", "bytes": bytes}).to_string();
        assert_eq!(call(&connection, &arguments, 10_000).await.expect("answer")["had"], had);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_fails_its_own_call_only() {
    let connection = started("modern");
    let waiting = connection.clone();
    let bystander =
        tokio::spawn(async move { call(&waiting, &json!({"do": "hold", "n": 1, "of": 2}).to_string(), 15_000).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    for head in [true, false] {
        let called = call(&connection, &json!({"do": "flood", "head": head}).to_string(), 15_000).await;
        assert!(matches!(&called, Err(Failure::Unknown { reason }) if reason.contains("larger")), "{called:?}");
    }
    let called = told(&connection, "duplicate").await;
    assert!(matches!(&called, Err(Failure::Unknown { reason }) if reason.contains("duplicate")), "{called:?}");
    let second = call(&connection, &json!({"do": "hold", "n": 2, "of": 2}).to_string(), 10_000).await;
    assert_eq!((second.expect("answer")["n"].clone(), kind(&bystander.await.expect("joined"))), (json!(2), "ok"));
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_is_taken_back() {
    for era in ["modern", "legacy"] {
        let connection = started(era);
        assert_eq!(kind(&told(&connection, "tell").await), "ok");
        let called = call(&connection, r#"{"do":"nothing"}"#, 100).await;
        assert_eq!(kind(&called), "unknown", "{called:?}");
        let heard = heard(&connection).await;
        let dropped = heard.iter().find(|message| message["params"]["arguments"]["do"] == "nothing").expect("call");
        let cancelled = heard.iter().find(|message| message["method"] == "notifications/cancelled").expect("cancelled");
        assert_eq!(cancelled["params"]["requestId"], dropped["id"], "{era}");
        assert_eq!(methods(&heard).iter().filter(|method| **method == "notifications/cancelled").count(), 1);
    }
}

#[tokio::test]
async fn a_change_is_told_and_a_storm_of_changes_is_not() {
    let connection = started("modern");
    assert_eq!(connection.list(None).await.expect("list").tools, [json!({"name": "t"})]);
    let mut changed = connection.changed();
    for _ in 0..20 {
        assert_eq!(kind(&told(&connection, "change").await), "ok");
    }
    tokio::time::timeout(PATIENCE, changed.changed()).await.expect("bounded").expect("told");
    assert_eq!(*changed.borrow_and_update(), 1);
    tokio::time::timeout(PATIENCE, changed.changed()).await.expect("bounded").expect("told again");
    assert_eq!(*changed.borrow(), 2);
}

#[tokio::test]
async fn a_process_ends_with_its_connection_and_takes_its_own_along() {
    let dropped = started("modern");
    let pids = told(&dropped, "fork").await.expect("answer")["pids"].clone();
    let pids = pids.as_array().expect("list");
    assert!(pids.iter().all(runs));
    drop(dropped);
    until("both are gone", || !pids.iter().any(runs)).await;

    let shut = started("modern");
    let pids = told(&shut, "fork").await.expect("answer")["pids"].clone();
    shut.shutdown().await;
    assert!(!runs(&pids[0]));
    until("its child is gone too", || !runs(&pids[1])).await;
    assert_eq!(kind(&told(&shut, "tell").await), "not started");

    let stubborn = started("modern");
    let pids = told(&stubborn, "stay").await.expect("answer")["pids"].clone();
    let began = Instant::now();
    stubborn.shutdown().await;
    assert!(!runs(&pids[0]));
    assert!(began.elapsed() < Duration::from_secs(5));
}

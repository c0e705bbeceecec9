//! Clients that only spawn: a process of their own, and in it the folder's gateway or a bridge to one that runs.

#![expect(clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use remit_cli::boot::Running;
use remit_testkit::place::{Place, Told, business, program};
use serde_json::{Value, json};

const AGENT: &str = "stdio-agent";
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client that has spawned `remit stdio`.
struct Client {
    child: Child,
    input: Option<ChildStdin>,
    answers: Receiver<Value>,
    ids: u64,
}

impl Client {
    fn spawn(command: &mut Command) -> Self {
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut child = spawned.expect("it starts");
        let (sender, answers) = channel();
        let output = BufReader::new(child.stdout.take().expect("an output"));
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let message = remit_core::json::parse(line.as_bytes()).expect("nothing but JSON");
                let _over = sender.send(message);
            }
        });
        Self { input: child.stdin.take(), child, answers, ids: 0 }
    }

    fn write(&mut self, message: &Value) {
        writeln!(self.input.as_mut().expect("open"), "{message}").expect("it reads");
    }

    /// The answer to a request.
    fn asks(&mut self, method: &str, params: Value) -> Value {
        self.ids += 1;
        let id = self.ids;
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.answers.recv_timeout(PATIENCE).expect("an answer");
            if message["id"] == json!(id) {
                return message;
            }
        }
    }

    /// As a client of the handshake's era.
    fn shakes_hands(&mut self) -> Value {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "spawner", "version": "1"}});
        let answer = self.asks("initialize", params);
        self.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        answer
    }

    fn refunds(&mut self, amount: u64) -> Value {
        let arguments = json!({"payment": "P-1", "amount": amount});
        self.asks("tools/call", json!({"name": "business__refund", "arguments": arguments}))
    }

    /// Closes the input; the process ends by itself.
    fn ends(mut self) -> bool {
        drop(self.input.take());
        let status = self.child.wait().expect("it ends");
        status.success()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _over = self.child.kill();
        let _over = self.child.wait();
    }
}

/// An address that nobody listens on.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

fn bridge(url: &str, key: &str) -> Command {
    let mut command = Command::new(program());
    command.args(["stdio", "--gateway", url]).env("REMIT_AGENT_KEY", key);
    command
}

async fn place() -> (remit_testkit::upstream::Upstream, Place) {
    let upstream = business(Duration::ZERO).await;
    let place = Place::before(&upstream);
    place.admit(AGENT, "ada@acme.example");
    (upstream, place)
}

/// Whether a call was carried out.
fn is_done(answer: &Value) -> bool {
    answer["result"].is_object() && answer["result"]["isError"] != true
}

#[tokio::test(flavor = "multi_thread")]
async fn people_answer_what_a_gateway_in_the_clients_process_asks() {
    let (_upstream, place) = place().await;
    let address = free_address();
    let mut command = Command::new(program());
    command.arg("-C").arg(place.path()).args(["stdio", "--agent", "desk", "--user", "ada@acme.example"]);
    let mut client = Client::spawn(command.args(["--listen", &address.to_string()]));
    client.shakes_hands();
    let held = client.refunds(200);
    let question = held.pointer("/result/_meta/dev.remit~1decision/question").and_then(Value::as_str);
    let question = question.unwrap_or_else(|| panic!("it is held: {held}")).to_owned();
    let told: Told = Command::new(program())
        .arg("-C")
        .arg(place.path())
        .args(["approve", &question, "--reason", "the customer is right"])
        .env("REMIT_URL", format!("http://{address}"))
        .env("REMIT_OPERATOR_KEY", "scenario-operator-bob")
        .output()
        .expect("it runs")
        .into();
    assert!(told.well, "{told:?}");
    let done = client.refunds(200);
    assert!(is_done(&done), "{done}");
    assert!(client.ends(), "it ends when its client does");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_clients_share_a_gateway_that_runs() {
    let (_upstream, place) = place().await;
    let running = Running::start(place.path(), Some(([127, 0, 0, 1], 0).into())).await.expect("it starts");
    let mut legacy = Client::spawn(&mut bridge(&running.url, AGENT));
    let mut modern = Client::spawn(&mut bridge(&format!("{}/mcp", running.url), AGENT));
    assert_eq!(legacy.shakes_hands()["result"]["protocolVersion"], "2025-11-25");
    let meta = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}});
    let found = modern.asks("server/discover", json!({"_meta": meta}));
    assert!(found["result"]["supportedVersions"].as_array().is_some_and(|all| all.contains(&json!("2026-07-28"))));
    assert!(!legacy.asks("tools/list", json!({}))["result"]["tools"].as_array().expect("tools").is_empty());
    let done = legacy.refunds(20);
    assert!(is_done(&done), "{done}");
    let arguments = json!({"payment": "P-2", "amount": 20});
    let params = json!({"name": "business__refund", "arguments": arguments, "_meta": meta});
    let done = modern.asks("tools/call", params);
    assert!(is_done(&done), "{done}");
    // What is no message is answered here, and what does not exist, there.
    modern.write(&json!([1]));
    assert_eq!(modern.answers.recv_timeout(PATIENCE).expect("an answer")["error"]["code"], -32600);
    assert_eq!(modern.asks("no/such", json!({"_meta": meta}))["error"]["code"], -32601);
    assert!(legacy.ends() && modern.ends(), "they end when their clients do");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_goes_on_when_the_gateway_was_started_again() {
    let (_upstream, place) = place().await;
    let address = free_address();
    let running = Running::start(place.path(), Some(address)).await.expect("it starts");
    let mut client = Client::spawn(&mut bridge(&running.url, AGENT));
    client.shakes_hands();
    running.stop().await;
    let lost = client.refunds(20);
    assert!(lost["error"]["message"].as_str().is_some_and(|why| why.contains("no gateway answers at")), "{lost}");
    // Without the key that sealed it, a session is gone for good, and a new one is opened.
    std::fs::remove_file(place.path().join(".remit/session.key")).expect("there");
    let running = Running::start(place.path(), Some(address)).await.expect("it starts");
    let done = client.refunds(20);
    assert!(is_done(&done), "{done}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_wrong_and_one_that_would_be_seen_are_refused() {
    let (_upstream, place) = place().await;
    let running = Running::start(place.path(), Some(([127, 0, 0, 1], 0).into())).await.expect("it starts");
    let mut stranger = Client::spawn(&mut bridge(&running.url, "another"));
    let refused = stranger.shakes_hands();
    assert!(refused["error"]["message"].as_str().is_some_and(|why| why.contains("unauthenticated")), "{refused}");
    let seen: Told = bridge("http://remit.example", AGENT).stdin(Stdio::null()).output().expect("it runs").into();
    assert!(!seen.well && seen.err.contains("would show the agent's key"), "{seen:?}");
    let keyless: Told = Command::new(program())
        .args(["stdio", "--gateway", &running.url])
        .env_remove("REMIT_AGENT_KEY")
        .stdin(Stdio::null())
        .output()
        .expect("it runs")
        .into();
    assert!(!keyless.well && keyless.err.contains("REMIT_AGENT_KEY"), "{keyless:?}");
    running.stop().await;
}

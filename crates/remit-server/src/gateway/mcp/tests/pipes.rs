//! stdio: the same over pipes.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf, split};
use tokio::task::JoinHandle;

use super::super::era::{CAPABILITIES_KEY, MODERN, VERSION_KEY};
use super::world::{World, text};

struct Pipes {
    lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    input: WriteHalf<DuplexStream>,
    served: JoinHandle<std::io::Result<()>>,
}

impl Pipes {
    fn open(world: &World) -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (input, output) = split(theirs);
        let served = tokio::spawn(super::super::stdio(world.edge.clone(), world.bot(), input, output));
        let (read, input) = split(ours);
        Self { lines: BufReader::new(read).lines(), input, served }
    }

    async fn write(&mut self, text: &str) {
        self.input.write_all(format!("{text}\n").as_bytes()).await.expect("written");
    }

    async fn read(&mut self) -> Value {
        let line = self.lines.next_line().await.expect("readable").expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }

    async fn ask(&mut self, id: Value, method: &str, params: Value) -> Value {
        self.write(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).to_string()).await;
        let answer = self.read().await;
        assert_eq!(answer["id"], id, "{answer}");
        answer
    }
}

fn modern(mut params: Value) -> Value {
    params["_meta"][VERSION_KEY] = MODERN.into();
    params["_meta"][CAPABILITIES_KEY] = json!({});
    params
}

#[tokio::test]
async fn both_eras_share_a_line() {
    let world = World::new();
    let mut pipes = Pipes::open(&world);
    // The probe of a client of both eras comes before any handshake.
    let found = pipes.ask(json!("probe"), "server/discover", modern(json!({}))).await;
    assert_eq!(found["result"]["supportedVersions"], json!([MODERN]));
    let early = pipes.ask(json!(1), "tools/list", json!({})).await;
    assert_eq!(early["error"]["code"], json!(-32600));
    let begun = pipes.ask(json!(2), "initialize", json!({"protocolVersion": "2025-06-18", "capabilities": {}})).await;
    assert_eq!(begun["result"]["protocolVersion"], json!("2025-06-18"));
    pipes.write(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string()).await;
    let done = pipes.ask(json!(3), "tools/call", json!({"name": "files__echo"})).await;
    assert_eq!((text(&done["result"]), done["result"].get("resultType")), ("{}", None));
    let done = pipes.ask(json!(4), "tools/call", modern(json!({"name": "files__echo"}))).await;
    assert_eq!(done["result"]["resultType"], json!("complete"));

    pipes.write("{not json").await;
    assert_eq!(pipes.read().await["error"]["code"], json!(-32700));
    pipes.write(&format!("\"{}\"", "x".repeat(70_000))).await;
    assert_eq!(pipes.read().await["error"]["code"], json!(-32600));
    assert_eq!(pipes.ask(json!(5), "ping", json!({})).await["result"], json!({}));

    drop((pipes.input, pipes.lines));
    pipes.served.await.expect("no panic").expect("served to the end");
}

#[tokio::test]
async fn a_cancelled_request_gets_no_answer() {
    let world = World::new();
    let mut pipes = Pipes::open(&world);
    let call =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": modern(json!({"name": "files__slow"}))});
    pipes.write(&call.to_string()).await;
    while world.calls() == 0 {
        tokio::task::yield_now().await;
    }
    pipes
        .write(&json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}).to_string())
        .await;
    let next = pipes.ask(json!(2), "server/discover", modern(json!({}))).await;
    assert_eq!(next["id"], json!(2));
}

//! What a governed call costs: the same calls to the same upstream, directly and through Remit, in
//! one run and by turns, so that both see the same machine.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use remit_core::ids::Digest;
use serde_json::json;
use tokio::net::TcpStream;

/// How long each turn lasts.
const TURN: Duration = Duration::from_secs(3);
/// How often each pair of turns is repeated.
const ROUNDS: usize = 3;
/// The agent's key.
const KEY: &str = "rk_agent_bench";

/// A process that is ended with the bench.
struct Running {
    child: Child,
    url: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Which calls are made.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    tool: &'static str,
    arguments: &'static str,
}

const KINDS: [Kind; 2] = [
    Kind { name: "read", tool: "echo__look", arguments: r#"{"id":"C-1","amount":20}"# },
    Kind { name: "write", tool: "echo__change", arguments: r#"{"id":"C-1","amount":20}"# },
];

/// One turn's figures.
struct Turn {
    calls: u64,
    seconds: f64,
    p50: f64,
    p99: f64,
    cpu_us: f64,
}

/// Runs everything, or only the kind and concurrency that are named, and prints a table.
pub fn run(remit: &Path, only: &[&str]) {
    let upstream = spawn(Command::new(std::env::current_exe().unwrap_or_default()).arg("upstream"), "http://");
    let folder = furnish(&upstream.url);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let Ok(runtime) = runtime else { return eprintln!("no runtime") };
    if only.is_empty() {
        let crowded = furnish(&upstream.url);
        crowd(&crowded);
        let (gateway, taken) = runtime.block_on(started(remit, &crowded));
        println!("start to first governed call with 1,000 remits and 10,000 tools: {:.0} ms", taken * 1e3);
        println!("its memory: {:.1} MiB", memory(gateway.child.id()));
        drop(gateway);
        let _ = std::fs::remove_dir_all(crowded);
    }
    let (gateway, taken) = runtime.block_on(started(remit, &folder));
    println!("start to first governed call: {:.0} ms", taken * 1e3);
    runtime.block_on(async {
        println!("idle memory: {:.1} MiB", memory(gateway.child.id()));
        println!("fdatasync of 4 KiB appends: {:.0}/s", fsync(&folder));
        println!(
            "{:>6} {:>4} {:>8} {:>10} {:>9} {:>9} {:>10} {:>9} {:>12}",
            "kind", "conc", "", "calls/s", "p50 us", "p99 us", "cpu us", "added p50", "of direct"
        );
        // A word that is a number names a concurrency, any other a kind.
        let (numbers, kinds): (Vec<&str>, Vec<&str>) = only.iter().partition(|word| word.parse::<usize>().is_ok());
        let wanted = |word: &str, among: &[&str]| among.is_empty() || among.contains(&word);
        for kind in KINDS.into_iter().filter(|kind| wanted(kind.name, &kinds)) {
            let levels = [1, 8, 64].into_iter().filter(|level| wanted(&level.to_string(), &numbers));
            for concurrency in levels {
                compare(&upstream, &gateway, kind, concurrency).await;
            }
        }
        println!("memory after load: {:.1} MiB", memory(gateway.child.id()));
        sessions(&gateway.url).await;
        println!("memory with 1,000 sessions: {:.1} MiB", memory(gateway.child.id()));
    });
    drop(gateway);
    let _ = std::fs::remove_dir_all(folder);
}

async fn compare(upstream: &Running, gateway: &Running, kind: Kind, concurrency: usize) {
    let (mut direct, mut governed) = (Vec::new(), Vec::new());
    let bare = Kind { tool: kind.tool.trim_start_matches("echo__"), ..kind };
    for _ in 0..ROUNDS {
        direct.push(turn(&upstream.url, bare, concurrency, upstream.child.id()).await);
        governed.push(turn(&gateway.url, kind, concurrency, gateway.child.id()).await);
    }
    for (name, turns) in [("direct", &mut direct), ("remit", &mut governed)] {
        turns.sort_by(|a, b| a.p50.total_cmp(&b.p50));
        let t = &turns[ROUNDS / 2];
        println!(
            "{:>6} {concurrency:>4} {name:>8} {:>10.0} {:>9.0} {:>9.0} {:>10.1}",
            kind.name,
            t.calls as f64 / t.seconds,
            t.p50,
            t.p99,
            t.cpu_us
        );
    }
    let (d, g) = (&direct[ROUNDS / 2], &governed[ROUNDS / 2]);
    let ratio = (g.calls as f64 / g.seconds) / (d.calls as f64 / d.seconds);
    println!("{:>61} {:>9.0} {:>11.0}%", "", g.p50 - d.p50, ratio * 100.0);
}

async fn turn(url: &str, kind: Kind, concurrency: usize, pid: u32) -> Turn {
    let before = cpu(pid);
    let began = Instant::now();
    let next = Arc::new(AtomicU64::new(1));
    let workers = (0..concurrency).map(|_| {
        let (url, next) = (url.to_owned(), next.clone());
        tokio::spawn(async move {
            let mut times = Vec::with_capacity(100_000);
            let Some(mut connection) = connect(&url).await else { return times };
            while began.elapsed() < TURN {
                let at = Instant::now();
                if !call(&mut connection, &url, kind, next.fetch_add(1, Ordering::Relaxed)).await {
                    break;
                }
                times.push(at.elapsed().as_secs_f64() * 1e6);
            }
            times
        })
    });
    let mut times: Vec<f64> = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        times.extend(worker.await.unwrap_or_default());
    }
    let seconds = began.elapsed().as_secs_f64();
    let spent = cpu(pid) - before;
    times.sort_by(f64::total_cmp);
    let at = |q: f64| times.get((times.len() as f64 * q) as usize).copied().unwrap_or(f64::NAN);
    let calls = times.len() as u64;
    Turn { calls, seconds, p50: at(0.5), p99: at(0.99), cpu_us: spent * 1e6 / calls.max(1) as f64 }
}

async fn connect(url: &str) -> Option<SendRequest<Full<Bytes>>> {
    let address: SocketAddr = url.trim_start_matches("http://").parse().ok()?;
    let stream = TcpStream::connect(address).await.ok()?;
    stream.set_nodelay(true).ok()?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await.ok()?;
    tokio::spawn(connection);
    Some(sender)
}

/// One call of the stateless era; false when it did not succeed.
async fn call(connection: &mut SendRequest<Full<Bytes>>, url: &str, kind: Kind, id: u64) -> bool {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{}","arguments":{},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#,
        kind.tool, kind.arguments
    );
    let request = Request::post("/mcp")
        .header("host", url.trim_start_matches("http://"))
        .header("authorization", format!("Bearer {KEY}"))
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2026-07-28")
        .header("mcp-method", "tools/call")
        .header("mcp-name", kind.tool)
        .body(Full::from(body));
    let Ok(request) = request else { return false };
    let Ok(response) = connection.send_request(request).await else { return false };
    let Ok(body) = response.into_body().collect().await else { return false };
    let body = body.to_bytes();
    let done = body.windows(15).any(|w| w == b"\"isError\":false");
    if !done {
        eprintln!("a call failed: {}", String::from_utf8_lossy(&body));
    }
    done
}

/// A gateway, and the seconds from its start to the answer of its first governed call.
async fn started(remit: &Path, folder: &Path) -> (Running, f64) {
    let began = Instant::now();
    let gateway = serve(remit, folder);
    one(&gateway.url, KINDS[0]).await;
    (gateway, began.elapsed().as_secs_f64())
}

/// Adds 1,000 remits, and 10,000 tools of 100 upstreams that cannot be reached.
fn crowd(folder: &Path) {
    let write = |name: String, text: String| {
        if let Err(error) = std::fs::write(folder.join(&name), text) {
            eprintln!("{name}: {error}");
        }
    };
    let schema = json!({"type": "object", "properties": {"id": {"type": "string"}, "amount": {"type": "number"}}, "required": ["id", "amount"]});
    for upstream in 0..100 {
        let mut tools = String::new();
        let mut pins = serde_json::Map::new();
        for tool in 0..100 {
            let class = if tool % 2 == 0 { "read" } else { "write" };
            tools += &format!(
                "  t{tool}: {{ class: {class}, risk: low, reversible: true, labels: [internal], resource: {{ kind: thing, id: args.id }} }}\n"
            );
            let definition =
                json!({"name": format!("t{tool}"), "description": "Does something.", "inputSchema": schema});
            pins.insert(
                format!("t{tool}"),
                json!({"approved_by": "bench", "approved_at": "2026-11-21T00:00:00Z", "definition": definition}),
            );
        }
        let name = format!("u{upstream}");
        write(
            format!("upstreams/{name}.yaml"),
            format!("upstream: {name}\nowner: team:ops\nurl: http://127.0.0.1:1/mcp\ntools:\n{tools}"),
        );
        write(format!("pins/{name}.json"), json!({"upstream": name, "tools": pins}).to_string());
    }
    for agent in 0..1000 {
        let upstream = agent % 100;
        write(
            format!("remits/a{agent}.yaml"),
            format!(
                "agent: a{agent}\nowner: team:ops\nstage: supervised\nexpires: 2099-01-01\nread:\n  - tools: [u{upstream}/t0, u{upstream}/t2]\n    when: args.amount <= 50\n    limits: [1000 per day]\nwrite:\n  - tools: [u{upstream}/t1]\n    when: args.amount <= {agent}\n    limits: [100 per day]\n"
            ),
        );
    }
}

async fn one(url: &str, kind: Kind) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        if let Some(mut connection) = connect(url).await
            && call(&mut connection, url, kind, 0).await
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    eprintln!("the gateway did not answer");
}

async fn sessions(url: &str) {
    for _ in 0..1000 {
        let Some(mut connection) = connect(url).await else { return };
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"},
        }});
        let request = Request::post("/mcp")
            .header("host", url.trim_start_matches("http://"))
            .header("authorization", format!("Bearer {KEY}"))
            .header("content-type", "application/json")
            .header("accept", "application/json, text/event-stream")
            .body(Full::from(body.to_string()));
        if let Ok(request) = request {
            let _ = connection.send_request(request).await;
        }
    }
}

fn spawn(command: &mut Command, mark: &str) -> Running {
    #[expect(clippy::expect_used, reason = "without its processes a bench cannot go on")]
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the process starts");
    let mut lines = BufReader::new(child.stdout.take().into_iter().next().map_or_else(
        || Box::new(std::io::empty()) as Box<dyn std::io::Read>,
        |out| Box::new(out) as Box<dyn std::io::Read>,
    ));
    let mut line = String::new();
    let _ = lines.read_line(&mut line);
    let at = line.find(mark).unwrap_or(0);
    Running { child, url: line[at..].trim().to_owned() }
}

fn serve(remit: &Path, folder: &Path) -> Running {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).map_or(7499, |a| a.port());
    let address = format!("127.0.0.1:{port}");
    #[expect(clippy::expect_used, reason = "without the gateway there is nothing to measure")]
    let child = Command::new(remit)
        .args(["-C", &folder.display().to_string(), "serve", "--listen", &address])
        .env("REMIT_LOG", "error")
        .spawn()
        .expect("the gateway starts");
    Running { child, url: format!("http://{address}") }
}

/// A folder with one upstream, argument policies and budgets, as the aims describe a governed call.
fn furnish(upstream: &str) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("remit-bench-{}-{count}", std::process::id()));
    let schema = json!({"type": "object", "properties": {"id": {"type": "string"}, "amount": {"type": "number"}}, "required": ["id", "amount"]});
    let pin = |name: &str| {
        json!({"approved_by": "bench", "approved_at": "2026-11-21T00:00:00Z",
            "definition": {"name": name, "description": "Echoes.", "inputSchema": schema}})
    };
    let pins = json!({"upstream": "echo", "tools": {"look": pin("look"), "change": pin("change")}});
    let files = [
        ("remit.yaml", "tenant: acme\nlisten: 127.0.0.1:7499\nauthentication: keys\nstore: { sqlite: .remit/remit.db }\nlimits: [1000000000 per day]\n".to_owned()),
        ("keys.yaml", format!("agents:\n  - id: bench\n    agent: bench\n    user: ada@acme.example\n    expires: 2099-01-01\n    sha256: {}\n", Digest::of(KEY.as_bytes()))),
        ("upstreams/echo.yaml", format!("upstream: echo\nowner: team:ops\nurl: {upstream}/mcp\ntools:\n  look: {{ class: read, risk: low, labels: [internal], resource: {{ kind: thing, id: args.id }} }}\n  change: {{ class: write, risk: medium, reversible: true, resource: {{ kind: thing, id: args.id }} }}\n")),
        ("remits/bench.yaml", "agent: bench\nowner: team:ops\nstage: supervised\nexpires: 2099-01-01\nread:\n  - tools: [echo/look]\n    when: args.amount <= 50\n    limits: [1000000000 per day]\nwrite:\n  - tools: [echo/change]\n    when: args.amount <= 50\n    limits: [1000000000 per day]\n".to_owned()),
        ("remits/everyone.yaml", "user: \"*\"\nowner: team:ops\nread: [{ tools: [\"*\"] }]\nwrite: [{ tools: [\"*\"] }]\n".to_owned()),
        ("guardrails/a.cedar", "@id(\"pii\") forbid(principal, action in [Action::\"expose\"], resource) when { context.run.labels.contains(\"pii\") };\n@id(\"freeze\") forbid(principal, action in [Action::\"write\"], resource) when { context.calendar.hard_freeze };\n".to_owned()),
        ("pins/echo.json", pins.to_string()),
    ];
    let _ = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    for (name, text) in files {
        let path = folder.join(name);
        let _ = path.parent().map(std::fs::create_dir_all);
        if let Err(error) = std::fs::write(&path, text) {
            eprintln!("{}: {error}", path.display());
        }
    }
    folder
}

/// The disk at this moment: appends of 4 KiB with fdatasync, a second.
pub fn fsync(folder: &Path) -> f64 {
    use std::io::Write as _;
    let path = folder.join("fsync");
    let Ok(mut file) = std::fs::File::create(&path) else { return f64::NAN };
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < Duration::from_secs(1) {
        if file.write_all(&[0; 4096]).and_then(|()| file.sync_data()).is_err() {
            return f64::NAN;
        }
        count += 1;
    }
    let _ = std::fs::remove_file(path);
    f64::from(count) / began.elapsed().as_secs_f64()
}

/// Seconds of CPU, user and system, of a process.
pub fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}

/// Resident memory of a process, in MiB.
pub fn memory(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

//! A gateway whose ledger takes nothing up any more: it says so, lets calls through for as long as was chosen and
//! no longer, and goes on by itself once there is room again.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::fs::File;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use remit_app::ledger::Tiles as _;
use remit_app::seal::Reader;
use remit_cli::boot::Running;
use remit_core::unsealed::{Then, Unsealed};
use remit_evidence::log::audit::audit;
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::note::Note;
use remit_server::ledger::folder::LedgerFolder;
use remit_testkit::place::{Place, business, program};
use remit_testkit::upstream::Upstream;
use remit_testkit::wire::Wire;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

const AGENT: &str = "agent-desk";
/// The shortest time that may be chosen.
const WITHIN: u64 = 5;
const PATIENCE: Duration = Duration::from_secs(30);

/// An upstream of its own, and a folder whose records may wait five seconds for the log.
struct House {
    place: Place,
    upstream: Upstream,
}

impl House {
    async fn set_up(ledger: &str) -> Self {
        let upstream = business(Duration::ZERO).await;
        let place = Place::before(&upstream);
        place.admit(AGENT, "ada@acme.example");
        place.append("remit.yaml", &format!("\nledger:\n  unsealed: {{ within: {WITHIN}s }}\n{ledger}"));
        Self { place, upstream }
    }

    fn path(&self) -> &Path {
        self.place.path()
    }

    async fn start(&self) -> (Running, Wire) {
        let running = Running::start(self.path(), Some(([127, 0, 0, 1], 0).into())).await;
        let running = running.unwrap_or_else(|error| panic!("{error}"));
        let wire = Wire::to(&running.url);
        (running, wire)
    }
}

async fn call(wire: &Wire, tool: &str, arguments: Value, key: &str) -> (u16, Value) {
    let body = json!({"tool": tool, "arguments": arguments, "idempotency_key": key});
    wire.send(AGENT, "/v1/calls", Some(&body)).await.expect("an answer")
}

async fn write(wire: &Wire, key: &str) -> (u16, Value) {
    call(wire, "business/update_ticket", json!({"id": "T-1", "status": "open"}), key).await
}

async fn read(wire: &Wire, key: &str) -> (u16, Value) {
    call(wire, "business/list_tickets", json!({}), key).await
}

fn refused(answer: &(u16, Value)) -> bool {
    answer.0 == 503 && answer.1["error"]["code"] == "ledger.unsealed"
}

/// Waits for what `/readyz` says.
async fn ready(wire: &Wire, status: u16, says: &str) {
    let began = Instant::now();
    loop {
        let answer = wire.fetch("/readyz").await;
        if let Ok((got, text)) = &answer
            && *got == status
            && text.contains(says)
        {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_wait_for_a_ledger_that_cannot_be_written() {
    let house = House::set_up("").await;
    let (running, wire) = house.start().await;
    ready(&wire, 200, "").await;
    assert_eq!(write(&wire, "a").await.0, 200);
    let tiles = house.path().join(".remit/ledger/tile");
    while !house.path().join(".remit/ledger/checkpoint").exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // No file can be made below a file, whoever tries.
    std::fs::rename(&tiles, house.path().join("away")).expect("moved");
    std::fs::write(&tiles, "in the way").expect("written");
    let before = Instant::now();
    assert_eq!(write(&wire, "b").await.0, 200, "for a while calls go ahead");
    ready(&wire, 503, "ledger: records have waited").await;
    assert!(before.elapsed() >= Duration::from_secs(WITHIN - 1), "{:?}", before.elapsed());
    let seen = house.upstream.calls().len();
    for tool in [write(&wire, "c").await, read(&wire, "d").await] {
        assert!(refused(&tool) && tool.1["error"]["record"].is_string(), "{tool:?}");
    }
    let first = write(&wire, "a").await;
    assert_eq!(first.0, 200, "what was done stays done, and is told: {first:?}");
    assert_eq!(house.upstream.calls().len(), seen);
    let (_, metrics) = wire.fetch("/metrics").await.expect("an answer");
    assert!(metrics.contains("code=\"ledger.unsealed\"") && !metrics.contains("waited_seconds 0"), "{metrics}");
    let told =
        Command::new(program()).arg("-C").arg(house.path()).args(["ledger", "head"]).output().await.expect("it runs");
    let said = String::from_utf8_lossy(&told.stdout);
    assert!(!told.status.success() && said.contains("BEHIND  records have waited"), "{said}");

    let lag = running.edge.gate.lag().expect("there is a log");
    lag.bind(Unsealed { within_secs: WITHIN, then: Then::Reads });
    assert_eq!(read(&wire, "e").await.0, 200);
    assert!(refused(&write(&wire, "f").await));
    ready(&wire, 503, "ledger").await;
    lag.bind(Unsealed { within_secs: WITHIN, then: Then::GoOn });
    assert_eq!(write(&wire, "g").await.0, 200);
    ready(&wire, 200, "\"ledger\":\"records have waited").await;
    running.stop().await;

    // Starting again makes no record young.
    let (running, wire) = house.start().await;
    assert!(refused(&write(&wire, "h").await), "a new process lets nothing more through than the old one");
    std::fs::remove_file(&tiles).expect("removed");
    ready(&wire, 200, "").await;
    assert_eq!(write(&wire, "h").await.0, 200);
    running.stop().await;
    let told =
        Command::new(program()).arg("-C").arg(house.path()).args(["ledger", "fsck"]).output().await.expect("it runs");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stdout));
}

/// The program on a disk of its own, a small one; nothing where nobody may mount one.
fn on_a_small_disk(place: &Path, listen: &str) -> Option<Child> {
    let script = "mount -t tmpfs -o size=512k tmpfs \"$0/disk\" && exec \"$1\" -C \"$0\" serve --listen \"$2\"";
    let mut ways = [&["--mount"][..], &["--mount", "--user", "--map-root-user"]].into_iter();
    let may = |way: &&[&str]| {
        let mounted =
            std::process::Command::new("unshare").args(*way).args(["mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status();
        mounted.is_ok_and(|status| status.success())
    };
    let way = ways.find(may)?;
    let mut command = Command::new("unshare");
    command.args(way).args(["sh", "-c", script]).arg(place).arg(program()).arg(listen);
    let log = File::create(place.join("log")).expect("a log");
    Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true).spawn().expect("it runs"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_holds_calls_up_until_there_is_room() {
    let house = House::set_up("  folder: disk/ledger\n").await;
    std::fs::create_dir(house.path().join("disk")).expect("made");
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let Some(mut child) = on_a_small_disk(house.path(), &free.to_string()) else {
        println!("not tried: nobody may mount anything here");
        return;
    };
    let wire = Wire::to(&format!("http://{free}"));
    ready(&wire, 200, "").await;
    assert_eq!(write(&wire, "a").await.0, 200);
    let disk = PathBuf::from(format!("/proc/{}/root{}/disk", child.id().expect("it runs"), house.path().display()));
    let mut ballast = File::create(disk.join("ballast")).expect("a file on the same disk");
    while ballast.write_all(&[0; 1024]).is_ok() {}
    drop(ballast);
    assert_eq!(write(&wire, "b").await.0, 200, "for a while calls go ahead");
    ready(&wire, 503, "ledger: records have waited").await;
    let seen = house.upstream.calls().len();
    assert!(refused(&write(&wire, "c").await));
    assert_eq!(house.upstream.calls().len(), seen);
    let log = std::fs::read_to_string(house.path().join("log")).expect("a log");
    assert!(log.contains("No space left on device"), "{log}");

    std::fs::remove_file(disk.join("ballast")).expect("removed");
    ready(&wire, 200, "").await;
    assert_eq!(write(&wire, "c").await.0, 200);
    let files = LedgerFolder::open(&disk.join("ledger")).expect("it opens");
    let note = files.published().expect("read").expect("a checkpoint");
    let head = Checkpoint::parse(Note::parse(&note).expect("a note").text()).expect("a checkpoint");
    assert_eq!(audit(head.size, &head.root, &Reader(&files)), [], "every file is whole");
    child.kill().await.expect("killed");
}

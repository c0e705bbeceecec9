//! Two operators witness each other: each runs a gateway and a witness, and each gateway's records are
//! cosigned by the other's witness. An auditor who trusts neither then sees both, offline. One of them
//! puts an old copy of everything back, guard included: its own gateway would go on, and the other's
//! witness stops it.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use remit_app::prove::{NoProof, Wanted};
use remit_cli::boot::Running;
use remit_core::halt::HaltTarget;
use remit_core::ids::{OperatorId, RecordId};
use remit_evidence::judge::{Level, Verdict, judge};
use remit_evidence::trust::Trust;
use remit_testkit::place::{self, base, program};

/// What the program says when it does what it was asked to.
fn remit(arguments: &[&str]) -> String {
    let told = place::remit(arguments);
    assert!(told.well, "{arguments:?}: {}", told.err);
    told.out
}

/// A witness that runs until it is dropped.
struct Witness(Child);

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Operator {
    name: &'static str,
    place: tempfile::TempDir,
    /// Where its witness listens.
    url: String,
}

impl Operator {
    fn set_up(name: &'static str) -> Self {
        let place = tempfile::tempdir().expect("a folder");
        for (file, text) in base().texts() {
            let file = place.path().join("gateway").join(file);
            std::fs::create_dir_all(file.parent().expect("parent")).expect("folder");
            std::fs::write(file, text).expect("file");
        }
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        Self { name, place, url: format!("http://127.0.0.1:{port}") }
    }

    fn path(&self, inner: &str) -> String {
        self.place.path().join(inner).display().to_string()
    }

    /// Names the log, and who cosigns it.
    fn configure(&self, witness: Option<(&str, &str)>) {
        let file = self.place.path().join("gateway/remit.yaml");
        let text = std::fs::read_to_string(&file).expect("remit.yaml");
        let text = text.split("\nledger:").next().expect("text").trim_end().to_owned();
        let witnesses =
            witness.map(|(key, url)| format!("  witnesses: [{{ key: \"{key}\", url: \"{url}\" }}]\n  quorum: 1\n"));
        let ledger = format!("\nledger:\n  origin: {}.example/remit\n{}", self.name, witnesses.unwrap_or_default());
        std::fs::write(file, format!("{text}\n{ledger}")).expect("remit.yaml");
    }

    async fn start(&self) -> Running {
        let address = "127.0.0.1:0".parse().expect("an address");
        let started = Running::start(&self.place.path().join("gateway"), Some(address)).await;
        started.map_err(|error| error.to_string()).expect("it starts")
    }

    /// The verifier keys of its log.
    fn log_keys(&self) -> Vec<String> {
        let policy = remit(&["-C", &self.path("gateway"), "ledger", "keys"]);
        policy.lines().filter_map(|line| line.strip_prefix("log ")).map(ToOwned::to_owned).collect()
    }

    /// Makes the witness, which knows the other's log, and starts it.
    fn witness(&self, logs: &[String]) -> (String, Witness) {
        let (dir, name) = (self.path("witness"), format!("{}.example/witness", self.name));
        let key = remit(&["witness", "init", "--dir", &dir, "--name", &name]);
        let mut trust = vec!["witness", "trust", "--dir", dir.as_str()];
        trust.extend(logs.iter().map(String::as_str));
        remit(&trust);
        let listen = self.url.trim_start_matches("http://");
        let child = Command::new(program())
            .args(["witness", "serve", "--dir", &dir, "--listen", listen])
            .stderr(Stdio::null())
            .spawn()
            .expect("the witness starts");
        let witness = Witness(child);
        for _ in 0..100 {
            if std::net::TcpStream::connect(listen).is_ok() {
                return (key.trim().to_owned(), witness);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the witness does not listen");
    }
}

/// A record of the gateway's, and the bundle that proves it once the witness has seen it.
async fn proved(operator: &Operator, running: &Running) -> (RecordId, Vec<u8>) {
    let by = OperatorId::parse("olga").expect("an id");
    running.edge.gate.halt(HaltTarget::Tenant, &by, "a test").await.expect("ordered");
    let records = running.edge.gate.ports().store.records(&Default::default()).await.expect("records");
    let id = records.last().expect("a record").id.clone();
    let trust = trust(operator);
    let prover = running.edge.prover.clone().expect("a log");
    for _ in 0..100 {
        let gathered = prover.gather(&Wanted::Record(id.clone())).await.expect("gathered");
        match prover.prove(gathered, &["reason"], &[]) {
            Ok(bundle) => {
                let bytes = bundle.to_json().to_string().into_bytes();
                if judge(&bytes, &trust, &[]).verdict == Verdict::Valid {
                    return (id, bytes);
                }
            }
            Err(NoProof::NotSealed) => {}
            Err(error) => panic!("{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{}'s records are not witnessed", operator.name);
}

fn trust(operator: &Operator) -> Trust {
    let document = remit(&["-C", &operator.path("gateway"), "ledger", "trust"]);
    Trust::parse(document.as_bytes()).expect("a trust document")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_cosigns_the_other_and_neither_can_go_back() {
    let (ada, bob) = (Operator::set_up("ada"), Operator::set_up("bob"));
    for operator in [&ada, &bob] {
        operator.configure(None);
        // The first start makes the keys of the log.
        operator.start().await.stop().await;
    }
    let (adas_key, _adas_witness) = ada.witness(&bob.log_keys());
    let (bobs_key, _bobs_witness) = bob.witness(&ada.log_keys());
    ada.configure(Some((&bobs_key, &bob.url)));
    bob.configure(Some((&adas_key, &ada.url)));
    for operator in [&ada, &bob] {
        let running = operator.start().await;
        let (_, bundle) = proved(operator, &running).await;
        let report = judge(&bundle, &trust(operator), &[]);
        let witnessed = Level::Witnessed { seen: 1, known: 1 };
        assert!(report.claims.iter().all(|claim| claim.level == witnessed), "{:?}", report.claims);
        // Under the other operator's document the same bundle is worth nothing.
        let other = if operator.name == "ada" { &bob } else { &ada };
        assert_ne!(judge(&bundle, &trust(other), &[]).verdict, Verdict::Valid);
        running.stop().await;
    }
    // An old copy of the gateway's whole state, guard and ledger too.
    let state = ada.place.path().join("gateway/.remit");
    let copy = ada.place.path().join("old");
    copied(&state, &copy);
    let running = ada.start().await;
    proved(&ada, &running).await;
    running.stop().await;
    std::fs::remove_dir_all(&state).expect("removed");
    copied(&copy, &state);
    let running = ada.start().await;
    let by = OperatorId::parse("olga").expect("an id");
    running.edge.gate.halt(HaltTarget::Tenant, &by, "another history").await.expect("recorded all the same");
    let before = std::fs::read(state.join("ledger/checkpoint")).expect("a checkpoint");
    let began = Instant::now();
    while !running.edge.metrics.text().contains("remit_ledger_stopped 1") {
        assert!(began.elapsed() < Duration::from_secs(60), "it goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(std::fs::read(state.join("ledger/checkpoint")).expect("a checkpoint"), before, "nothing was signed");
    running.stop().await;
}

/// Files and folders, with their modes.
fn copied(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp");
    assert!(copied.success());
}

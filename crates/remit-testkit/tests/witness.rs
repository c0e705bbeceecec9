//! The real witness, killed at many moments while a log and its rewritten twin ask it for cosignatures.
//! Whatever it answered in all its lives is one history, and what it remembers is never less than that.
#![expect(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use remit_app::witness::{Declined, Witness as _};
use remit_core::ids::Digest;
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::merkle::{HashReader, consistency, leaf_hash, root_of};
use remit_evidence::log::vkey::{Algorithm, VerifierKey};
use remit_server::signer::Signer;
use remit_server::witness::client::{Address, Remote};
use remit_server::witness::folder;
use remit_testkit::place::program;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

const ROUNDS: u64 = 32;
const WORKERS: u64 = 4;
const ORIGIN: &str = "log.example/crash";
/// The size from which the twin has other leaves.
const FORK: u64 = 10;
const SIZE_MAX: u64 = 6_000;

/// The log as it is (`false`) and as somebody would like it to have been (`true`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Twin(bool);

impl Twin {
    fn leaves(self) -> &'static [Digest] {
        static LEAVES: LazyLock<[Vec<Digest>; 2]> = LazyLock::new(|| {
            [false, true].map(|twin| {
                (0..SIZE_MAX).map(|at| leaf_hash(format!("{at} {}", twin && at >= FORK).as_bytes())).collect()
            })
        });
        &LEAVES[usize::from(self.0)]
    }

    fn head(self, size: u64) -> Checkpoint {
        Checkpoint::new(ORIGIN, size, root_of(&self.leaves()[..usize::try_from(size).expect("small")]))
    }
}

impl HashReader for Twin {
    type Error = Infallible;

    fn hash(&self, height: u32, index: u64) -> Result<Digest, Infallible> {
        let at = |index: u64| usize::try_from(index << height).expect("small");
        Ok(root_of(&self.leaves()[at(index)..at(index + 1)]))
    }
}

fn log() -> Signer {
    Signer::ed25519(ORIGIN, Algorithm::Ed25519, &[1; 32]).expect("key")
}

/// What the world has seen of the witness.
#[derive(Default)]
struct World {
    roots: BTreeMap<u64, Digest>,
}

impl World {
    fn sees(&mut self, head: &Checkpoint) {
        let root = self.roots.entry(head.size).or_insert(head.root);
        assert_eq!(*root, head.root, "two trees of {} leaves", head.size);
    }

    fn largest(&self) -> u64 {
        self.roots.last_key_value().map_or(0, |(size, _)| *size)
    }
}

/// Killed when it is dropped, so that a test that fails leaves none behind.
struct Life {
    process: Child,
    remote: Remote,
}

impl Life {
    fn begin(dir: &Path, keys: &[VerifierKey]) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).expect("a port");
        let mut command = Command::new(program());
        command.args(["witness", "serve", "--listen", &free.to_string(), "--dir"]).arg(dir);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let url = format!("http://{free}");
        let patience = Duration::from_secs(5);
        let address = Address { submission: url.clone(), monitoring: url, keys: keys.to_vec(), patience };
        let remote = Remote::new(&address).expect("address");
        Self { process: command.spawn().expect("the witness"), remote }
    }

    /// Waits until it answers, and answers with what it shows.
    async fn shown(&self) -> Option<Checkpoint> {
        for _ in 0..400 {
            match self.remote.latest(ORIGIN).await {
                Ok(note) => return note.map(|note| Checkpoint::parse(note.text()).expect("checkpoint")),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("the witness does not start again");
    }

    async fn end(&mut self) {
        self.process.start_kill().expect("killed");
        self.process.wait().await.expect("ended");
    }
}

/// Asks for ever larger checkpoints until the witness is gone.
async fn ask(life: &Life, twin: Twin, worker: u64, world: &Mutex<World>, stop: &AtomicBool) {
    let (mut old, mut turn) = (0, worker);
    while !stop.load(Ordering::SeqCst) {
        turn += 1;
        let size = (old + 1 + turn % 5).min(SIZE_MAX);
        let note = twin.head(size).sign(&[&log()], 7).expect("signed");
        let proof = consistency(old, size, &twin).unwrap_or_default();
        match life.remote.add_checkpoint(old, &proof, &note).await {
            Ok(_) => {
                world.lock().expect("world").sees(&twin.head(size));
                old = size;
            }
            Err(Declined::Seen(seen)) => old = seen,
            Err(Declined::Inconsistent(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(Declined::Refused(why)) => panic!("{why}"),
            Err(Declined::Unreachable(_)) => return,
        }
    }
}

/// A disk that fails is played by a folder that stands where a file is to be written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_cannot_write_cosigns_nothing_and_ends() {
    let place = tempfile::tempdir().expect("folder");
    let keys = folder::make(place.path(), "witness.example/crash", false).expect("witness");
    folder::trust(place.path(), &[log().vkey().to_string()]).expect("trusted");
    let mut life = Life::begin(place.path(), &keys);
    assert_eq!(life.shown().await, None);
    let draft = place.path().join("heads").join(format!("{}.draft", Digest::of(ORIGIN.as_bytes())));
    std::fs::create_dir(&draft).expect("obstacle");
    let note = Twin(false).head(9).sign(&[&log()], 7).expect("signed");
    assert!(matches!(life.remote.add_checkpoint(0, &[], &note).await, Err(Declined::Unreachable(_))));
    let ended = tokio::time::timeout(Duration::from_secs(20), life.process.wait()).await;
    assert_eq!(ended.expect("it ends by itself").expect("ended").code(), Some(2));
    std::fs::remove_dir(&draft).expect("mended");
    let mut life = Life::begin(place.path(), &keys);
    assert_eq!(life.shown().await, None);
    life.remote.add_checkpoint(0, &[], &note).await.expect("cosigned");
    life.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_is_killed_never_forks() {
    let place = tempfile::tempdir().expect("folder");
    let keys = folder::make(place.path(), "witness.example/crash", false).expect("witness");
    folder::trust(place.path(), &[log().vkey().to_string()]).expect("trusted");
    let world = Arc::new(Mutex::new(World::default()));
    for round in 0..ROUNDS {
        let life = Life::begin(place.path(), &keys);
        if round % 4 == 3 {
            // It dies while it starts.
            tokio::time::sleep(Duration::from_millis(round * 3)).await;
            let mut life = life;
            life.end().await;
            continue;
        }
        let shown = life.shown().await;
        let before = {
            let mut world = world.lock().expect("world");
            shown.iter().for_each(|head| world.sees(head));
            world.largest()
        };
        assert_eq!(shown.map_or(0, |head| head.size), before, "round {round}: it has forgotten");
        let life = Arc::new(life);
        let (stop, mut workers) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for worker in 0..WORKERS {
            let (life, world, stop) = (life.clone(), world.clone(), stop.clone());
            workers.spawn(async move { ask(&life, Twin(worker == 0), worker, &world, &stop).await });
        }
        tokio::time::sleep(Duration::from_micros(20_000 + round * 13_700 % 150_000)).await;
        let id = life.process.id().expect("running").to_string();
        Command::new("kill").args(["-9", &id]).status().await.expect("killed");
        stop.store(true, Ordering::SeqCst);
        while let Some(worker) = workers.join_next().await {
            worker.expect("a worker");
        }
        let mut life = Arc::into_inner(life).expect("nobody else");
        life.process.wait().await.expect("ended");
    }
    let world = world.lock().expect("world");
    let of = |twin: Twin| world.roots.iter().filter(|(size, root)| twin.head(**size).root == **root).count();
    assert!([of(Twin(false)), of(Twin(true))].contains(&world.roots.len()), "parts of two histories were cosigned");
    let status = folder::look(place.path()).expect("status");
    println!(
        "{ROUNDS} crashes, {} checkpoints cosigned, largest {}, {} contradictions kept",
        world.roots.len(),
        world.largest(),
        status.forks.len(),
    );
    assert!(world.roots.len() > 50 && world.largest() > FORK);
}

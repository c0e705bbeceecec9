//! What a log of ten million leaves costs beside one of ten thousand: memory, one more step, one proof, the disk, and
//! an audit of all of it. The records are small and made straight into the store's file; they are sealed as in a gateway.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use remit_app::ports::Store;
use remit_app::seal::{Reader, Sealed, Sealer, Tools};
use remit_core::ids::Digest;
use remit_evidence::dsse::{Envelope, Signature};
use remit_evidence::log::audit::audit;
use remit_evidence::log::merkle::inclusion;
use remit_evidence::log::note::NoteSigner;
use remit_evidence::log::tile::TiledHashes;
use remit_evidence::log::vkey::Algorithm;
use remit_evidence::writer::Writer;
use remit_server::keys::Machine;
use remit_server::ledger::folder::LedgerFolder;
use remit_server::ledger::guard::GuardFile;
use remit_server::signer::Signer;
use remit_store_sqlite::{Options, SqliteStore};
use rusqlite::{Connection, params};

use crate::records::{signed, writer};

const ORIGIN: &str = "bench.example/log";
const SIZES: [u64; 4] = [10_000, 100_000, 1_000_000, 10_000_000];
/// How many steps of one leaf each, and how many proofs.
const STEPS: usize = 40;
const PROOFS: u64 = 1_000;

/// Grows a log in this folder, and measures it at each size.
pub fn run(folder: &Path) {
    let Ok(place) = tempfile::tempdir_in(folder) else { return eprintln!("no folder to write to") };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let Ok(runtime) = runtime else { return eprintln!("no runtime") };
    println!("fdatasync of 4 KiB appends: {:.0}/s", crate::gateway::fsync(place.path()));
    println!(
        "{:>10} {:>10} {:>12} {:>12} {:>10} {:>9} {:>11} {:>8} {:>8}",
        "leaves", "sealed/s", "step ms p50", "step ms max", "proof us", "RSS MiB", "ledger MiB", "files", "audit s"
    );
    let Some(writer) = writer() else { return eprintln!("no key") };
    for size in SIZES {
        if runtime.block_on(measure(place.path(), size, &writer)).is_none() {
            return eprintln!("the log could not be grown to {size} leaves");
        }
    }
}

async fn measure(place: &Path, size: u64, writer: &Writer) -> Option<()> {
    let file = place.join("remit.db");
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&file, Options::default()).ok()?);
    let there = store.count().await.ok()?;
    store.close().await;
    drop(store);
    fill(&file, there, size).ok()?;
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&file, Options::default()).ok()?);
    let mut sealer = sealer(place, &store)?;
    let began = Instant::now();
    while matches!(sealer.round().await, Sealed::Published(report) if report.more) {}
    let sealed = (size - there) as f64 / began.elapsed().as_secs_f64();
    let mut steps = Vec::new();
    for step in 0..STEPS {
        store.append(signed(writer, size * 1_000 + step as u64)?).await.ok()?;
        let began = Instant::now();
        let Sealed::Published(_) = sealer.round().await else { return None };
        steps.push(began.elapsed().as_secs_f64() * 1e3);
    }
    steps.sort_by(f64::total_cmp);
    let memory = crate::gateway::memory(std::process::id());
    let files = LedgerFolder::open(&place.join("ledger")).ok()?;
    let head = store.head().await.ok()??;
    let now = head.edge.size();
    let hashes = TiledHashes { reader: Reader(&files), size: now };
    let began = Instant::now();
    for proof in 0..PROOFS {
        // Spread over the whole log: consecutive ones would find the same tiles.
        let index = proof.wrapping_mul(0x9e37_79b9_7f4a_7c15) % now;
        black_box(inclusion(index, now, &hashes).ok()?);
    }
    let proof = began.elapsed().as_secs_f64() * 1e6 / PROOFS as f64;
    let (bytes, count) = on_disk(&place.join("ledger"));
    let began = Instant::now();
    let faults = audit(now, &head.edge.root(), &Reader(&files));
    let audited = began.elapsed().as_secs_f64();
    println!(
        "{size:>10} {sealed:>10.0} {:>12.1} {:>12.1} {proof:>10.0} {memory:>9.0} {:>11.0} {count:>8} {audited:>8.1}",
        steps.get(STEPS / 2)?,
        steps.last()?,
        bytes as f64 / 1_048_576.0,
    );
    store.close().await;
    faults.is_empty().then_some(())
}

fn sealer(place: &Path, store: &Arc<dyn Store>) -> Option<Sealer> {
    let keys = [Signer::ed25519(ORIGIN, Algorithm::Ed25519, &[1; 32]), Signer::ml_dsa_44(ORIGIN, &[2; 32])];
    let signers = keys.into_iter().map(|key| key.ok().map(|key| Box::new(key) as Box<dyn NoteSigner + Send + Sync>));
    let tools = Tools {
        store: Arc::clone(store),
        tiles: Arc::new(LedgerFolder::open(&place.join("ledger")).ok()?),
        guard: Arc::new(GuardFile::at(&place.join("last_signed")).ok()?),
        clock: Arc::new(Machine),
        signers: signers.collect::<Option<_>>()?,
    };
    Some(Sealer::new(ORIGIN, tools, Vec::new(), 0))
}

/// Records up to this many, small ones, in the order of a writer of their own.
fn fill(file: &Path, there: u64, size: u64) -> rusqlite::Result<()> {
    let db = Connection::open(file)?;
    let key = Digest::of(b"nobody").to_string();
    db.execute("INSERT OR IGNORE INTO writers (key) VALUES (?1)", [&key])?;
    let writer: i64 = db.query_row("SELECT id FROM writers WHERE key = ?1", [&key], |row| row.get(0))?;
    db.execute_batch("PRAGMA synchronous = OFF; BEGIN")?;
    for number in there..size {
        let mut bytes = [7; 64];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let payload = format!("{{\"n\":{number}}}").into_bytes();
        let envelope = Envelope { payload, signature: Signature { keyid: key.clone(), bytes } };
        db.prepare_cached(
            "INSERT INTO records (id, kind, time, writer, seq, payload, signature, disclosures, digest)
             VALUES (?1, 'execution', '2026-11-21T10:00:00.000Z', ?2, ?3, ?4, ?5, '', ?6)",
        )?
        .execute(params![
            format!("rec_{number:026}"),
            writer,
            i64::try_from(number).unwrap_or(i64::MAX),
            envelope.payload,
            &bytes[..],
            &envelope.digest().as_bytes()[..],
        ])?;
    }
    db.execute_batch("COMMIT")
}

/// Bytes and number of the files below.
fn on_disk(folder: &Path) -> (u64, u64) {
    let (mut bytes, mut count, mut folders) = (0, 0, vec![PathBuf::from(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(entry.path());
            } else {
                (bytes, count) = (bytes + metadata.len(), count + 1);
            }
        }
    }
    (bytes, count)
}

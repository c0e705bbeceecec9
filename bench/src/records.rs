//! What a durable signed record costs: many tasks sign and append at once, by turns with plain inserts of
//! the same bytes into SQLite at the same durability, in one run.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::Ed25519KeyPair;
use remit_app::ports::Store as _;
use remit_core::ids::{RecordId, TenantId};
use remit_core::json::Object;
use remit_evidence::record::{Draft, Entropy, Kind};
use remit_evidence::writer::{SignedRecord, Writer};
use remit_store_sqlite::{Options, SqliteStore};
use rusqlite::{Connection, params};

use crate::key::Key;

/// How long each turn lasts.
const TURN: Duration = Duration::from_secs(3);
/// How many records a plain insert commits at once in its second form.
const GROUP: usize = 64;

/// Runs everything and prints a table. The folder decides which disk is measured.
pub fn run(folder: &Path) {
    let Ok(place) = tempfile::tempdir_in(folder) else { return eprintln!("no folder to write to") };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let Ok(runtime) = runtime else { return eprintln!("no runtime") };
    println!("fdatasync of 4 KiB appends: {:.0}/s", crate::gateway::fsync(place.path()));
    println!("{:<44} {:>10} {:>12}", "", "records/s", "cpu us each");
    for round in 1..=2 {
        for tasks in [1, 8, 64, 256] {
            let file = place.path().join(format!("remit-{round}-{tasks}.db"));
            let (count, cpu) = measured(|| runtime.block_on(remit(&file, tasks)));
            say(&format!("signed, appended, durable: {tasks} tasks"), count, cpu);
        }
        for (what, group) in [("plain insert, each with its own commit", 1), ("plain inserts, 64 a commit", GROUP)] {
            let file = place.path().join(format!("plain-{round}-{group}.db"));
            let (count, cpu) = measured(|| plain(&file, group).unwrap_or(0));
            say(what, count, cpu);
        }
    }
}

fn say(what: &str, count: u64, cpu: f64) {
    println!("{what:<44} {:>10.0} {:>12.1}", count as f64 / TURN.as_secs_f64(), cpu * 1e6 / count.max(1) as f64);
}

fn measured(work: impl FnOnce() -> u64) -> (u64, f64) {
    let before = crate::gateway::cpu(std::process::id());
    let count = work();
    (count, crate::gateway::cpu(std::process::id()) - before)
}

/// A record as a decision with two budgets writes it.
fn draft(number: u64) -> Option<Draft> {
    let mut body = Object::new();
    body.text("verdict", "allow").number("cost_micro_usd", 0).text("filler", &"x".repeat(900));
    Some(Draft {
        action: None,
        kind: Kind::Decision,
        id: RecordId::parse(&format!("rec_{number:026}")).ok()?,
        time: "2026-11-21T10:00:00.000Z".into(),
        run: None,
        traceparent: None,
        links: Vec::new(),
        body,
        disclosures: vec![("arguments", r#"{"amount":20,"id":"C-1"}"#.into()), ("user", "\"ada\"".into())],
    })
}

pub(crate) fn signed(writer: &Writer, number: u64) -> Option<SignedRecord> {
    let entropy = Entropy { nonce: u128::from(number).to_be_bytes(), salt: [9; 16] };
    Some(writer.sign(&writer.ticket(), draft(number)?, &entropy))
}

async fn remit(file: &Path, tasks: usize) -> u64 {
    let (Ok(store), Some(writer)) = (SqliteStore::open(file, Options::default()), writer()) else { return 0 };
    let (store, writer, next) = (Arc::new(store), Arc::new(writer), Arc::new(AtomicU64::new(0)));
    let began = Instant::now();
    let workers = (0..tasks).map(|_| {
        let (store, writer, next) = (store.clone(), writer.clone(), next.clone());
        tokio::spawn(async move {
            let mut done = 0;
            while began.elapsed() < TURN {
                let Some(record) = signed(&writer, next.fetch_add(1, Ordering::Relaxed)) else { break };
                if store.append(record).await.is_err() {
                    break;
                }
                done += 1;
            }
            done
        })
    });
    let mut count = 0;
    for worker in workers.collect::<Vec<_>>() {
        count += worker.await.unwrap_or(0);
    }
    store.close().await;
    count
}

pub(crate) fn writer() -> Option<Writer> {
    let key = Key(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).ok()?);
    Some(Writer::new(Box::new(key), TenantId::parse("acme").ok()?))
}

/// The same bytes, unsigned work aside: one table, one index, WAL, an fsync at each commit.
fn plain(file: &Path, group: usize) -> rusqlite::Result<u64> {
    let db = Connection::open(file)?;
    db.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         CREATE TABLE records (position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, payload BLOB NOT NULL) STRICT;",
    )?;
    let payload = vec![b'x'; 1900];
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < TURN {
        db.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..group {
            db.prepare_cached("INSERT INTO records (id, payload) VALUES (?1, ?2)")?
                .execute(params![format!("rec_{count:026}"), payload])?;
            count += 1;
        }
        db.execute_batch("COMMIT")?;
    }
    Ok(count)
}

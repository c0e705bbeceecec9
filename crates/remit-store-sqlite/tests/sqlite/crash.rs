//! What a crash leaves: all that was durable, and of the rest nothing but the end is missing.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use remit_app::ports::{RecordFilter, Store};
use remit_core::budget::{Budget, Span, Unit};
use remit_evidence::record::Kind;
use remit_store_sqlite::{Options, SqliteStore};
use remit_testkit::conformance::trial::{Admission, Trial, budget, completed, moment, reservation, run_id};

use crate::{beside, look, open, place};

fn calls() -> (Budget, Span) {
    budget("calls", Unit::Calls, 1_000_000)
}

async fn admit(t: &Trial, batched: bool) -> remit_core::ids::RecordId {
    let admission = t.admission(&run_id("run-1"), "call").await;
    t.admit(&Admission { batched, reservations: vec![reservation(&calls(), 1)], ..admission }).await
}

/// The places in the writer's sequence that a file holds, and that everything in it fits together.
async fn found(file: &Path) -> Vec<u64> {
    let store = open(file);
    let filter = RecordFilter { limit: 1_000_000, ..RecordFilter::default() };
    let records = store.records(&filter).await.expect("read");
    let decisions = records.iter().filter(|record| record.kind == Kind::Decision).count() as u64;
    let receipts = records.iter().filter(|record| record.kind == Kind::Execution).count() as u64;
    let used = store.usage(&[calls()]).await.expect("read");
    assert_eq!(used, [(receipts, decisions - receipts)], "budgets agree with the records");
    assert_eq!(store.unsettled(moment(99)).await.expect("read").len() as u64, decisions - receipts);
    store.close().await;
    assert_eq!(look(file, "PRAGMA integrity_check"), "Text(\"ok\")");
    records.iter().map(|record| record.seq).collect()
}

/// Copies the store as a crash would leave it: the file, and so much of the log.
fn crash(file: &Path, log_bytes: u64) -> (tempfile::TempDir, std::path::PathBuf) {
    let (folder, copy) = place();
    std::fs::copy(file, &copy).expect("copied");
    let log = std::fs::read(beside(file, "-wal")).expect("read");
    std::fs::write(beside(&copy, "-wal"), &log[..usize::try_from(log_bytes).expect("small")]).expect("written");
    (folder, copy)
}

#[tokio::test]
async fn a_crash_of_the_machine_loses_only_what_was_batched_last() {
    let (_folder, file) = place();
    let options = Options { within: Duration::from_secs(3_600), ..Options::default() };
    let t = Trial::new(Arc::new(SqliteStore::open(&file, options).expect("it opens")));
    let log = || std::fs::metadata(beside(&file, "-wal")).expect("there is a log").len();
    t.run("run-1").await;
    let mut durable_from = 0;
    for _ in 0..3 {
        admit(&t, true).await;
    }
    // A deed that is durable on return takes everything before it along.
    let settled = admit(&t, false).await;
    assert_eq!(found(&crash(&file, log()).1).await, [0, 1, 2, 3, 4]);
    let synced = log();
    t.store.settle_soon(t.settlement(&settled, completed())).expect("handed over");
    for _ in 0..3 {
        admit(&t, true).await;
    }
    // The process alone: what stood ahead of the file is lost, and nothing else.
    assert_eq!(t.store.outcomes(&run_id("run-1"), 9).await.expect("read").len(), 7, "whoever asks gets all of it");
    assert_eq!(found(&crash(&file, log()).1).await, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let (before, intent) = (log(), admit(&t, true).await);
    t.store.settle_soon(t.settlement(&intent, completed())).expect("handed over");
    assert_eq!(log(), before, "nobody has written them");
    assert_eq!(t.store.usage(&[calls()]).await.expect("read"), [(2, 6)]);
    assert_eq!(found(&crash(&file, log()).1).await.len(), 11);
    // The machine: the log may end anywhere behind the last fsync. What is missing is always the end.
    for cut in (synced..=log()).step_by(977).chain([synced]) {
        let left = found(&crash(&file, cut).1).await;
        assert!(left.len() >= 5 && left.iter().copied().eq(0..left.len() as u64), "{left:?}");
        durable_from += 1;
    }
    assert!(durable_from > 5, "several cuts were tried");
    t.store.append(t.record(Kind::Policy, None)).await.expect("appended");
    assert_eq!(found(&crash(&file, log()).1).await.len(), 12);
}

#[tokio::test]
async fn batched_records_are_durable_within_the_bound() {
    let (_folder, file) = place();
    let options = Options { within: Duration::from_millis(80), ..Options::default() };
    let t = Trial::new(Arc::new(SqliteStore::open(&file, options).expect("it opens")));
    t.run("run-1").await;
    let flushes = || look(&file, "SELECT value FROM meta WHERE name = 'flushes'");
    assert_eq!(flushes(), "Integer(0)");
    admit(&t, true).await;
    let began = Instant::now();
    while flushes() == "Integer(0)" {
        assert!(began.elapsed() < Duration::from_secs(5), "nobody has seen to the fsync");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(flushes(), "Integer(1)", "and nothing is written when there is nothing to do");
}

#[tokio::test]
async fn leaves_wait_for_an_fsync() {
    let (_folder, file) = place();
    let options = Options { within: Duration::from_secs(3_600), ..Options::default() };
    let t = Trial::new(Arc::new(SqliteStore::open(&file, options.clone()).expect("it opens")));
    t.run("run-1").await;
    admit(&t, true).await;
    let flushes = |file: &Path| look(file, "SELECT value FROM meta WHERE name = 'flushes'");
    assert_eq!(flushes(&file), "Integer(0)", "the batched record waits");
    let all = t.store.leaves(0, 9).await.expect("read");
    assert_eq!((all.len(), flushes(&file).as_str()), (2, "Integer(1)"));
    assert_eq!(t.store.leaves(0, 9).await.expect("read"), all);
    assert_eq!(flushes(&file), "Integer(1)", "and nothing is written when there is nothing to do");
    // What a killed process has left in the log is not durable before somebody has seen to it.
    admit(&t, true).await;
    assert_eq!(t.store.count().await.expect("read"), 3, "whoever reads finds it in the log");
    let log = beside(&file, "-wal").metadata().expect("it is there").len();
    let (_copy, left) = crash(&file, log);
    let store = SqliteStore::open(&left, options).expect("it opens");
    assert_eq!(store.leaves(0, 9).await.expect("read").len(), 3);
    assert_eq!(flushes(&left), "Integer(2)");
}

#[tokio::test]
async fn without_a_bound_everything_waits_for_its_fsync() {
    let (_folder, file) = place();
    let options = Options { within: Duration::ZERO, ..Options::default() };
    let t = Trial::new(Arc::new(SqliteStore::open(&file, options).expect("it opens")));
    t.run("run-1").await;
    let intent = admit(&t, true).await;
    t.store.settle_soon(t.settlement(&intent, completed())).expect("handed over");
    t.store.append(t.record(Kind::Policy, None)).await.expect("appended");
    drop(t);
    assert_eq!(look(&file, "SELECT value FROM meta WHERE name = 'flushes'"), "Integer(0)", "there was none to do");
}

#[tokio::test]
async fn closing_and_dropping_write_what_was_handed_over() {
    for close in [true, false] {
        let (_folder, file) = place();
        let t = Trial::new(Arc::new(open(&file)));
        t.run("run-1").await;
        let intent = admit(&t, true).await;
        t.store.settle_soon(t.settlement(&intent, completed())).expect("handed over");
        if close {
            t.store.close().await;
            assert!(t.store.settle_soon(t.settlement(&intent, completed())).is_err(), "it takes no more");
            assert!(t.store.health().is_err());
        }
        drop(t);
        assert_eq!(std::fs::metadata(beside(&file, "-wal")).map_or(0, |log| log.len()), 0, "the log is in the file");
        assert_eq!(found(&file).await, [0, 1, 2]);
    }
}

const PLACE: &str = "REMIT_TEST_PLACE";

/// Not a test of its own: what the next one starts, and kills.
#[tokio::test]
async fn a_process_that_is_killed() {
    let Ok(file) = std::env::var(PLACE) else { return };
    let t = Trial::new(Arc::new(open(Path::new(&file))));
    t.run("run-1").await;
    for turn in 1.. {
        let intent = admit(&t, true).await;
        println!("admitted {}", intent.as_str());
        t.store.settle_soon(t.settlement(&intent, completed())).expect("handed over");
        if turn % 40 == 0 {
            t.store.count().await.expect("read");
            println!("counted");
        }
    }
}

#[tokio::test]
async fn a_killed_process_has_lost_only_what_stood_ahead() {
    let (_folder, file) = place();
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "crash::a_process_that_is_killed", "--nocapture"])
        .env(PLACE, &file)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let (mut admitted, mut counted) = (Vec::new(), 0);
    for line in lines.map_while(Result::ok) {
        // The first line is the test runner's, too.
        if let Some(seq) = line.split_once("admitted rec-").and_then(|(_, seq)| seq.parse::<u64>().ok()) {
            admitted.push(seq);
        } else if line == "counted" {
            counted = admitted.len();
        }
        if admitted.len() == 330 {
            break;
        }
    }
    assert!(SqliteStore::open(&file, Options::default()).is_err(), "it is in use");
    child.kill().expect("it is killed");
    child.wait().expect("it is gone");
    let left = found(&file).await;
    assert!(counted > 300, "{counted} of {}", admitted.len());
    assert!(admitted[..counted].iter().all(|seq| left.contains(seq)), "whoever was answered has seen them");
    assert!(left.iter().copied().eq(0..left.len() as u64), "nothing in between is missing");
}

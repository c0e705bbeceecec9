//! How fast a store commits, and how long a case takes to load.
//!
//! `cargo run --release -p remit-store-sqlite --example commit_rate [folder]`. The folder decides
//! which disk is measured.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use remit_core::budget::Unit;
use remit_store_sqlite::{Options, SqliteStore};
use remit_testkit::conformance::trial::{Admission, Trial, budget, completed, digest, moment, needed, reservation};

const MEASURE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let folder = tempfile::tempdir_in(folder)?;
    for (what, batched) in [("durable", false), ("batched", true)] {
        for tasks in [1, 8, 64, 256] {
            let file = folder.path().join(format!("{what}-{tasks}.db"));
            let trial = Arc::new(Trial::new(Arc::new(SqliteStore::open(&file, Options::default())?)));
            let (rate, micros) = commits(&trial, tasks, batched).await;
            println!("{what} admit + settle_soon, {tasks:3} tasks: {rate:>7} calls/s, {micros:>6} us each");
            if tasks == 64 {
                load(&trial).await;
            }
            trial.store.close().await;
        }
    }
    Ok(())
}

/// Whole calls: load the case, admit with three reservations, hand over the receipt.
async fn commits(trial: &Arc<Trial>, tasks: u64, batched: bool) -> (u64, u128) {
    let run = trial.run("run-1").await;
    let budgets = ["tenant", "team", "bot"].map(|key| budget(key, Unit::Calls, u64::MAX));
    let done = Arc::new(AtomicU64::new(0));
    let began = Instant::now();
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..tasks {
        let (trial, run, done, budgets) = (Arc::clone(trial), run.clone(), Arc::clone(&done), budgets.clone());
        workers.spawn(async move {
            let call = format!("call-{worker}");
            while began.elapsed() < MEASURE {
                let reservations = budgets.iter().map(|budget| reservation(budget, 1)).collect();
                let admission = Admission { batched, reservations, ..trial.admission(&run, &call).await };
                let intent = trial.admit(&admission).await;
                if trial.store.settle_soon(trial.settlement(&intent, completed())).is_ok() {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    workers.join_all().await;
    let count = done.load(Ordering::Relaxed).max(1);
    let rate = count as f64 / began.elapsed().as_secs_f64();
    (rate as u64, began.elapsed().as_micros() * u128::from(tasks) / u128::from(count))
}

/// One case after another: as it is usual, with three budgets and two rules, and nobody writing.
async fn load(trial: &Trial) {
    let run = trial.run("run-2").await;
    let budgets = ["tenant", "team", "bot"].map(|key| budget(key, Unit::Calls, u64::MAX));
    let rules = [needed("finance", 1), needed("security", 2)];
    let began = Instant::now();
    let mut count = 0_u32;
    while began.elapsed() < MEASURE / 2 {
        let states = budgets.iter().map(|(budget, span)| (budget.clone(), span.clone(), None)).collect();
        let case = trial.load_with(&run, digest("call"), states, &rules, moment(0)).await;
        std::hint::black_box(case);
        count += 1;
    }
    println!("        load_case: {:.1} us", began.elapsed().as_secs_f64() * 1e6 / f64::from(count));
}

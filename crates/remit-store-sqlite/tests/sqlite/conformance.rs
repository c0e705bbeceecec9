//! SQLite keeps the contract that every store keeps.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::{ProptestConfig, any, proptest};
use remit_app::ports::Store;
use remit_store_sqlite::{Options, SqliteStore};
use remit_testkit::conformance::{model, run_all, trial::Trial};
use tempfile::TempDir;

/// Folders that outlive the stores in them.
#[derive(Default)]
struct Folders(Mutex<Vec<TempDir>>);

impl Folders {
    /// A store in a folder of its own.
    fn open(&self, within: Duration) -> Arc<dyn Store> {
        let folder = tempfile::tempdir().expect("a folder");
        let options = Options { within, ..Options::default() };
        let store = SqliteStore::open(&folder.path().join("remit.db"), options).expect("it opens");
        self.0.lock().expect("nobody panicked").push(folder);
        Arc::new(store)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_the_contract() {
    let folders = Folders::default();
    run_all(|| folders.open(Duration::from_millis(100))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sqlite_keeps_the_contract_without_batching() {
    let folders = Folders::default();
    run_all(|| folders.open(Duration::ZERO)).await;
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]
    #[test]
    fn sqlite_counts_like_the_model(script in proptest::collection::vec(any::<u8>(), 0..120)) {
        let folders = Folders::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(model::follow(Trial::new(folders.open(Duration::from_millis(100))), &script));
    }
}

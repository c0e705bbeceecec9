//! The reference passes its own suite.

use std::sync::Arc;

use proptest::prelude::{ProptestConfig, any, proptest};
use remit_testkit::conformance::{model, run_all, trial::Trial};
use remit_testkit::memory::MemoryStore;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_keeps_the_contract() {
    run_all(|| Arc::new(MemoryStore::new())).await;
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]
    #[test]
    fn memory_counts_like_the_model(script in proptest::collection::vec(any::<u8>(), 0..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(model::follow(Trial::new(Arc::new(MemoryStore::new())), &script));
    }
}

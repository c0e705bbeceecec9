//! Faults on order, for tests: the next group fails, before its commit took effect or after.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Where the next group fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing of it reaches the file.
    BeforeCommit,
    /// It is in the file, and the commit is reported as failed all the same.
    AfterCommit,
}

/// A fault that can be ordered while a store is open. It strikes once.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<AtomicU8>);

impl Faults {
    /// Orders a fault for the next group.
    pub fn order(&self, fault: Fault) {
        self.0.store(fault as u8 + 1, Ordering::SeqCst);
    }

    /// An error, when this fault was ordered.
    pub(crate) fn strike(&self, fault: Fault) -> Result<(), String> {
        let ordered = self.0.compare_exchange(fault as u8 + 1, 0, Ordering::SeqCst, Ordering::SeqCst);
        if ordered.is_ok() { Err(format!("fault on order: {fault:?}")) } else { Ok(()) }
    }
}

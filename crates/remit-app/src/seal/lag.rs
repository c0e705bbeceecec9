//! How far the log is behind. The sealer says when it has caught up; the gate asks before it lets a call through.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use remit_core::unsealed::Unsealed;

use crate::intent::Unavailable;
use crate::ledger::sealed;
use crate::ports::{RecordFilter, Store};

/// Whoever asks may have looked at the clock a moment before the sealer did. By more than that a clock does not lie behind
/// unless it was set back.
const ASKED_BEFORE_MS: i64 = 5_000;

/// How long records may have waited to be sealed, and how long they may wait.
pub struct Lag {
    bound: ArcSwap<Unsealed>,
    /// Milliseconds since 1970. What was recorded until then is sealed.
    covered: AtomicI64,
    stopped: OnceLock<&'static str>,
}

impl Default for Lag {
    /// Nothing is known to be sealed.
    fn default() -> Self {
        Self { bound: ArcSwap::default(), covered: AtomicI64::new(i64::MIN), stopped: OnceLock::new() }
    }
}

impl Lag {
    /// As the store has it: the oldest record that is not sealed has waited since it was made. So whoever starts
    /// a gateway again does not make it young.
    ///
    /// # Errors
    /// When the store cannot say.
    pub async fn of(store: &dyn Store, now: Timestamp) -> Result<Self, Unavailable> {
        let sealed = sealed(store).await?;
        let filter = RecordFilter { after: sealed, limit: 1, ..RecordFilter::default() };
        let lag = Self::default();
        let since = match store.records(&filter).await?.first() {
            None => now,
            // A time that cannot be read counts as long ago.
            Some(oldest) => oldest.time.parse().unwrap_or(Timestamp::MIN),
        };
        lag.caught_up(since);
        Ok(lag)
    }

    /// Changes how long records may wait, and what becomes of calls then.
    pub fn bind(&self, bound: Unsealed) {
        self.bound.store(bound.into());
    }

    /// How long records may wait, and what becomes of calls then.
    #[must_use]
    pub fn bound(&self) -> Unsealed {
        **self.bound.load()
    }

    /// For how many seconds the oldest record may have waited; zero when the clock was set back since.
    #[must_use]
    pub fn secs(&self, now: Timestamp) -> u64 {
        u64::try_from(self.age_ms(now) / 1_000).unwrap_or(0)
    }

    /// Why records count as waiting too long, if they do. So they do when the clock was set back, until the
    /// next round of sealing: by how much it hides, nobody knows.
    #[must_use]
    pub fn overdue(&self, now: Timestamp) -> Option<String> {
        let (age, within) = (self.age_ms(now), self.bound().within_secs);
        match u64::try_from(age) {
            Ok(age) if age <= within.saturating_mul(1_000) => None,
            Ok(age) => Some(format!("records have waited {} s to be sealed, and may wait {within} s", age / 1_000)),
            Err(_) if age >= -ASKED_BEFORE_MS => None,
            Err(_) => Some("the clock was set back, and nothing has been sealed since".to_owned()),
        }
    }

    /// What an operator has to look at, if anything.
    #[must_use]
    pub fn trouble(&self, now: Timestamp) -> Option<String> {
        let stopped = self.stopped.get().map(|code| format!("sealing has stopped ({code})"));
        match (stopped, self.overdue(now)) {
            (Some(stopped), Some(overdue)) => Some(format!("{stopped}; {overdue}")),
            (stopped, overdue) => stopped.or(overdue),
        }
    }

    /// Everything that was recorded until then is sealed.
    pub(super) fn caught_up(&self, at: Timestamp) {
        self.covered.store(at.as_millisecond(), Ordering::Relaxed);
    }

    /// Nothing is sealed any more.
    pub fn stop(&self, code: &'static str) {
        let _first = self.stopped.set(code);
    }

    fn age_ms(&self, now: Timestamp) -> i64 {
        now.as_millisecond().saturating_sub(self.covered.load(Ordering::Relaxed))
    }
}

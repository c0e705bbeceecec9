//! Counts for Prometheus. Labels are from closed sets, never from what a client sent.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use remit_app::canary::Verdict;
use remit_app::ports::{Meter, Step};
use remit_core::verdict::Code;

/// Label sets.
type Labels = Vec<(&'static str, String)>;

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    verdicts: Family<Labels, Counter>,
    outcomes: Family<Labels, Counter>,
    rejected: Family<Labels, Counter>,
    /// One for each step, looked up by its place: this is on the way of every call.
    steps: [Histogram; Step::ALL.len()],
    upstreams: Family<Labels, Gauge>,
    budgets: Family<Labels, Gauge>,
    reloads: Family<Labels, Counter>,
    questions: Gauge<i64, AtomicI64>,
    emergencies: Family<Labels, Counter>,
    reviews: Gauge<i64, AtomicI64>,
    review_age: Gauge<i64, AtomicI64>,
    canaries: Family<Labels, Counter>,
    deliveries: Family<Labels, Counter>,
    ledger: Ledger,
    started: std::time::Instant,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("remit");
        let verdicts = Family::default();
        registry.register("verdicts", "Decisions, by verdict and code", verdicts.clone());
        let outcomes = Family::default();
        registry.register("outcomes", "Admitted calls, by what came of them", outcomes.clone());
        let rejected = Family::default();
        registry.register("rejected", "Requests that never became calls, by code", rejected.clone());
        let steps = Family::<Labels, Histogram>::new_with_constructor(|| {
            // From 4 microseconds to about 4 seconds.
            Histogram::new(exponential_buckets(4e-6, 2.0, 21))
        });
        registry.register("step_seconds", "Time spent in each step of a call", steps.clone());
        let steps = Step::ALL.map(|step| steps.get_or_create(&vec![("step", step.as_str().to_owned())]).clone());
        let upstreams = Family::default();
        registry.register("upstream_up", "Whether the last attempt to reach an upstream succeeded", upstreams.clone());
        let budgets = Family::default();
        registry.register(
            "budget_used_ratio_millionths",
            "Settled and reserved over the limit, in millionths",
            budgets.clone(),
        );
        let reloads = Family::default();
        registry.register("reloads", "Attempts to put a configuration into force", reloads.clone());
        let questions = Gauge::default();
        registry.register("questions_open", "Questions that wait for people", questions.clone());
        let emergencies = Family::default();
        registry.register("glass_broken", "Emergencies, by the name they are declared under", emergencies.clone());
        let reviews = Gauge::default();
        registry.register(
            "reviews_waiting",
            "Calls that went through and wait for a person to look at them",
            reviews.clone(),
        );
        let review_age = Gauge::default();
        registry.register("review_age_seconds", "For how long the oldest of them has waited", review_age.clone());
        let canaries = Family::default();
        registry.register("canaries", "Requests that had to be denied, by how they ended", canaries.clone());
        let deliveries = Family::default();
        registry.register(
            "deliveries",
            "Attempts to tell people, by channel and what came of them",
            deliveries.clone(),
        );
        let ledger = Ledger::register(&mut registry);
        let started = std::time::Instant::now();
        Self {
            registry,
            verdicts,
            outcomes,
            rejected,
            steps,
            upstreams,
            budgets,
            reloads,
            questions,
            emergencies,
            reviews,
            review_age,
            canaries,
            deliveries,
            ledger,
            started,
        }
    }
}

impl Metrics {
    /// Everything, in OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        if encode(&mut out, &self.registry).is_err() {
            let _ = writeln!(out, "# the metrics could not be written");
        }
        out
    }

    /// A request that never became a call.
    pub fn rejected(&self, code: Code) {
        self.rejected.get_or_create(&vec![("code", code.to_string())]).inc();
    }

    /// Whether an upstream answered.
    pub fn upstream(&self, upstream: &str, up: bool) {
        self.upstreams.get_or_create(&vec![("upstream", upstream.to_owned())]).set(i64::from(up));
    }

    /// How full a budget is.
    pub fn budget(&self, key: &str, used: u64, limit: u64) {
        let ratio = u128::from(used) * 1_000_000 / u128::from(limit.max(1));
        let ratio = i64::try_from(ratio).unwrap_or(i64::MAX);
        self.budgets.get_or_create(&vec![("budget", key.to_owned())]).set(ratio);
    }

    /// An attempt to put a configuration into force.
    pub fn reload(&self, taken: bool) {
        let result = if taken { "taken" } else { "refused" };
        self.reloads.get_or_create(&vec![("result", result.to_owned())]).inc();
    }

    /// Does something and counts its time to a step.
    pub fn timed<T>(&self, step: Step, work: impl FnOnce() -> T) -> T {
        let began = self.tick();
        let done = work();
        self.step(step, began);
        done
    }

    /// How many questions wait.
    pub fn questions(&self, open: u64) {
        self.questions.set(i64::try_from(open).unwrap_or(i64::MAX));
    }

    /// Somebody has broken the glass that is declared under this name.
    pub fn glass_broken(&self, name: &str) {
        self.emergencies.get_or_create(&vec![("name", name.to_owned())]).inc();
    }

    /// How many calls wait for a review, and for how many seconds the oldest has.
    pub fn reviews(&self, waiting: u64, age_secs: i64) {
        self.reviews.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        self.review_age.set(age_secs.max(0));
    }

    /// An attempt to tell people through a channel that the configuration names.
    pub fn delivery(&self, channel: &str, result: &'static str) {
        self.deliveries.get_or_create(&vec![("channel", channel.to_owned()), ("result", result.to_owned())]).inc();
    }

    /// How far sealing has come, as of now.
    pub fn ledger(&self, sealed: u64, records: u64, waited_secs: u64, now: Timestamp) {
        let gauge = |gauge: &Gauge, value: u64| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        gauge(&self.ledger.leaves, sealed);
        gauge(&self.ledger.unsealed, records.saturating_sub(sealed));
        gauge(&self.ledger.waited, waited_secs);
        let signed = self.ledger.signed_at.load(Ordering::Relaxed);
        // Before the first one of this process there is no age to state.
        self.ledger.age.set(if signed == 0 { -1 } else { now.as_second().saturating_sub(signed).max(0) });
    }

    /// A checkpoint was published.
    pub fn sealed(&self, at: Timestamp, cosigned: usize) {
        self.ledger.signed_at.store(at.as_second(), Ordering::Relaxed);
        self.ledger.cosigned.set(i64::try_from(cosigned).unwrap_or(i64::MAX));
    }

    /// A checkpoint was stamped.
    pub fn stamped(&self, at: Timestamp) {
        self.ledger.stamped.set(at.as_second());
    }

    /// A timestamper was asked in vain.
    pub fn not_stamped(&self) {
        self.ledger.not_stamped.inc();
    }

    /// Nothing is sealed any more.
    pub fn sealing_ended(&self) {
        self.ledger.stopped.set(1);
    }
}

/// What is told of the log.
#[derive(Default)]
struct Ledger {
    leaves: Gauge,
    unsealed: Gauge,
    waited: Gauge,
    age: Gauge,
    cosigned: Gauge,
    stopped: Gauge,
    stamped: Gauge,
    not_stamped: Counter,
    signed_at: AtomicI64,
}

impl Ledger {
    fn register(registry: &mut Registry) -> Self {
        let new = Self::default();
        let ledger = registry.sub_registry_with_prefix("ledger");
        ledger.register("leaves", "Records under the head of the log", new.leaves.clone());
        ledger.register("unsealed", "Records that are not yet under the head of the log", new.unsealed.clone());
        ledger.register("waited_seconds", "For how long the oldest of them may have waited", new.waited.clone());
        ledger.register("checkpoint_age_seconds", "Age of the checkpoint; -1 before the first one", new.age.clone());
        ledger.register("cosigned", "Witnesses that cosigned the last checkpoint", new.cosigned.clone());
        ledger.register("stopped", "Whether sealing has stopped for good", new.stopped.clone());
        let stamped = "When a checkpoint was stamped last, in seconds since 1970; 0 before the first of this process";
        ledger.register("stamped_seconds", stamped, new.stamped.clone());
        ledger.register("stamp_failures", "Times a timestamper was asked in vain", new.not_stamped.clone());
        new
    }
}

impl Meter for Metrics {
    fn tick(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn step(&self, step: Step, since: u64) {
        let seconds = self.tick().saturating_sub(since) as f64 / 1e9;
        if let Some(histogram) = self.steps.get(step as usize) {
            histogram.observe(seconds);
        }
    }

    fn verdict(&self, verdict: &'static str, code: Option<Code>) {
        let code = code.map_or_else(String::new, |code| code.to_string());
        self.verdicts.get_or_create(&vec![("verdict", verdict.to_owned()), ("code", code)]).inc();
    }

    fn outcome(&self, state: &'static str) {
        self.outcomes.get_or_create(&vec![("state", state.to_owned())]).inc();
    }

    fn canary(&self, verdict: Verdict) {
        if verdict == Verdict::Approved {
            tracing::error!("a request that must be denied was approved; `remit approvers` says by whom");
        }
        self.canaries.get_or_create(&vec![("ended", verdict.as_str().to_owned())]).inc();
    }
}

/// A W3C trace context (Trace Context 1, section 3.2) that is well formed, or nothing: a malformed
/// one is dropped, never passed on.
#[must_use]
pub fn traceparent(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let [version, trace, parent, flags] = parts.as_slice() else { return None };
    let whole = *version == "00" && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    let zero = |part: &str| part.bytes().all(|b| b == b'0');
    (whole && !zero(trace) && !zero(parent)).then(|| text.to_owned())
}

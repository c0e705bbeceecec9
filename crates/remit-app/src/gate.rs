//! The gate: the one chokepoint. MCP, HTTP, console and CLI all come through here.

use std::pin::Pin;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use jiff::Timestamp;
use remit_core::authority::weakening::Steering;
use remit_core::budget::Reservation;
use remit_core::ids::{QuestionId, RecordId, RunId};
use remit_core::registry::Tool;
use remit_core::verdict::{Code, Refusal};
use remit_core::{Caller, Snapshot};
use remit_evidence::bundle::Head;
use remit_evidence::writer::Writer;
use serde_json::Value;

use crate::canary::Canaries;
use crate::intent::IdempotencyKey;
use crate::outcome::Outcome;
use crate::permit::Passage;
use crate::ports::{Ports, Roster};
use crate::preview::Purpose;
use crate::runs::Implicit;
use crate::seal::Lag;

/// Everything a call needs on its way.
pub struct Gate {
    pub(crate) snapshot: ArcSwap<Snapshot>,
    pub(crate) steering: ArcSwap<Steering>,
    pub(crate) ports: Ports,
    pub(crate) writer: Writer,
    pub(crate) habits: Habits,
    pub(crate) implicit: Implicit,
    /// None until somebody says who steers; then nobody stands in for anybody.
    pub(crate) roster: ArcSwapOption<Known>,
    /// None where nothing is sealed.
    lag: ArcSwapOption<Lag>,
}

/// Sized, so that it can be swapped.
pub(crate) struct Known(pub Arc<dyn Roster>);

/// What an operator chose about recording and runs.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Whether records of reads up to `internal` may become durable a bounded time later.
    pub batch_reads: bool,
    /// After how many idle seconds calls without a run begin a new one.
    pub idle_secs: u64,
    /// How many questions one agent may have open, or approved and not yet used.
    pub questions_max: u32,
    /// The requests that must be denied, if there are any.
    pub canaries: Option<Canaries>,
}

/// A request as an edge understood it, from an identified caller.
pub struct Request {
    /// Who calls, proven.
    pub caller: Caller,
    /// The tool, by the name agents see or by `upstream/tool`.
    pub tool: String,
    /// The arguments; none means an empty object.
    pub arguments: Value,
    /// The run it names, if any.
    pub run: Option<RunId>,
    /// The key under which it may be repeated, if any.
    pub idempotency: Option<IdempotencyKey>,
    /// What travels along.
    pub passage: Passage,
    /// Completes when the caller no longer wants the answer; the upstream is then told, and the
    /// effect is unknown.
    pub cancelled: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// The answer to a call.
#[derive(Debug)]
pub enum Reply {
    /// It was carried out, as far as is known.
    Done {
        /// Its decision record.
        record: RecordId,
        /// What came of it.
        outcome: Outcome,
        /// The run it belongs to.
        run: RunId,
    },
    /// It waits for people.
    Held {
        /// Its decision record.
        record: RecordId,
        /// What it waits for.
        question: QuestionId,
        /// Why.
        refusal: Refusal,
        /// From when on nobody can answer.
        expires_at: Timestamp,
    },
    /// It does not go ahead.
    Refused {
        /// Its decision record; `None` when none could be written.
        record: Option<RecordId>,
        /// Why not.
        refusal: Refusal,
    },
}

/// The answer to a question about a call that a service would carry out itself.
#[derive(Debug)]
pub enum Ruling {
    /// It may: what is reserved for it is booked or released when the service reports.
    Admitted {
        /// Its decision record.
        record: RecordId,
        /// What is held for it.
        reservations: Vec<Reservation>,
        /// The run it belongs to.
        run: RunId,
    },
    /// It may not, or not yet.
    Not(Reply),
}

impl Gate {
    /// A gate over a compiled authority.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>, ports: Ports, writer: Writer, habits: Habits) -> Self {
        Self {
            snapshot: ArcSwap::new(snapshot),
            steering: ArcSwap::default(),
            ports,
            writer,
            habits,
            implicit: Implicit::default(),
            roster: ArcSwapOption::empty(),
            lag: ArcSwapOption::empty(),
        }
    }

    /// Lets calls through only while the log is not too far behind.
    pub fn heeds(&self, lag: Arc<Lag>) {
        self.lag.store(Some(lag));
    }

    /// How far the log is behind, where there is one.
    #[must_use]
    pub fn lag(&self) -> Option<Arc<Lag>> {
        self.lag.load_full()
    }

    /// Says where the people are found who steer. Until then nobody stands in for anybody.
    pub fn knows(&self, roster: Arc<dyn Roster>) {
        self.roster.store(Some(Arc::new(Known(roster))));
    }

    /// The authority in force.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.load_full()
    }

    /// Says which checkpoint of the log was published last; see [`Writer::saw`].
    pub fn saw(&self, head: Head) {
        self.writer.saw(head);
    }

    /// The ports.
    #[must_use]
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// Now, in milliseconds: what is decided on is what is recorded.
    pub(crate) fn now(&self) -> Timestamp {
        let now = self.ports.clock.now();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }

    /// Decides, records and carries out one call: the verbs from resolve to settle.
    pub async fn call(&self, request: Request) -> Reply {
        self.carry_out(request, Purpose::Itself).await
    }

    pub(crate) async fn carry_out(&self, request: Request, purpose: Purpose) -> Reply {
        let cancelled = request.cancelled;
        let request = Request { cancelled: None, ..request };
        match self.authorize(request, purpose).await {
            Ok(admitted) => self.perform(admitted, cancelled).await,
            Err(reply) => reply,
        }
    }

    /// Decides and records one call that somebody else will carry out.
    pub async fn rule(&self, request: Request) -> Ruling {
        match self.authorize(request, Purpose::Elsewhere).await {
            Ok(admitted) => {
                let record = admitted.permit.intent().clone();
                let run = admitted.permit.call().run.clone();
                Ruling::Admitted { record, reservations: admitted.reservations, run }
            }
            Err(reply) => Ruling::Not(reply),
        }
    }

    /// The tools this caller could be allowed to call now with some arguments.
    ///
    /// # Errors
    /// When the store cannot say what is halted.
    pub async fn tools(&self, caller: &Caller) -> Result<Vec<Arc<Tool>>, Refusal> {
        let snapshot = self.snapshot.load_full();
        let halts = self.ports.store.halts().await.map_err(|error| unavailable(&error))?;
        let run = self.facts_of_current_run(caller).await?;
        let (_, grants) = self.ports.store.live_grants().await.map_err(|error| unavailable(&error))?;
        let now = self.now();
        let shown = |tool: &&Arc<Tool>| {
            !halts.iter().any(|halt| halt.target.stops_tool(caller, tool))
                && !self.ports.upstreams.drifted(tool)
                && remit_core::visible(&snapshot, caller, tool, &run, &grants, now)
        };
        Ok(snapshot.registry().tools().iter().filter(shown).cloned().collect())
    }
}

pub(crate) fn unavailable(error: &crate::intent::Unavailable) -> Refusal {
    // The store's own text stays with the operator.
    let _ = error;
    Refusal::new(Code::StoreUnavailable, "the decision could not be recorded")
}

//! Runs: opened by name, or kept for calls that come without one.

use std::collections::HashMap;

use futures_util::lock::Mutex;
use jiff::{SignedDuration, Timestamp};
use remit_core::RunFacts;
use remit_core::identity::Caller;
use remit_core::ids::{AgentId, RunId, UserId};
use remit_core::labels::Labels;
use remit_core::limits::INTENT_BYTES_MAX;
use remit_core::verdict::{Code, Refusal};

use crate::gate::{Gate, unavailable};
use crate::intent::CommitError;
use crate::run::Run;

/// The run each agent and user is in when its calls name none.
///
/// The lock is held while a run is looked up or opened, and by nothing else: two first calls at
/// once must not begin two runs, or what one of them sees would be lost on the other.
#[derive(Default)]
pub(crate) struct Implicit(Mutex<HashMap<Pair, Current>>);

/// A run that nobody opened by name.
#[derive(Clone, Debug)]
struct Current {
    run: RunId,
    /// When a call was last made in it.
    used: Timestamp,
    /// Calls in it are refused, and do not keep it current: once it is idle the next one begins. Not before, or
    /// whoever closes a run would leave behind what it has seen.
    closed: bool,
}

/// Who has a current run.
type Pair = (AgentId, Option<UserId>);

/// What a run is opened with.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// What the user wants, in the user's words.
    pub intent: Option<String>,
    /// The environment in which it works.
    pub environment: Option<String>,
    /// The phase of a release it belongs to.
    pub release_phase: Option<String>,
}

impl Gate {
    /// Opens a run for this caller.
    ///
    /// # Errors
    /// When the intent is too long or the store is unavailable.
    pub async fn open_run(&self, caller: &Caller, opening: Opening) -> Result<Run, Refusal> {
        self.open(caller, opening, false).await
    }

    /// Closes a run of this caller; its calls are refused from then on.
    ///
    /// # Errors
    /// When there is no such open run of this caller.
    pub async fn close_run(&self, caller: &Caller, id: &RunId) -> Result<(), Refusal> {
        let run = self.own_run(caller, id).await?;
        let at = self.now();
        let draft = self.run_draft(&run, Some(at));
        let ticket = self.writer.ticket();
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        match self.ports.store.close_run(&run.id, at, record).await {
            Ok(()) => {
                self.closed(&run).await;
                Ok(())
            }
            Err(CommitError::Conflict(_)) => {
                self.writer.give_back(ticket);
                Err(Refusal::new(Code::RunClosed, "the run was closed already"))
            }
            Err(CommitError::Unavailable(error)) => Err(unavailable(&error)),
        }
    }

    /// The run a call belongs to: the one it names, when that is the caller's own, or the current one.
    pub(crate) async fn run_of(&self, caller: &Caller, named: Option<&RunId>) -> Result<RunId, Refusal> {
        match named {
            Some(id) => Ok(self.own_run(caller, id).await?.id),
            None => self.current_run(caller).await,
        }
    }

    async fn own_run(&self, caller: &Caller, id: &RunId) -> Result<Run, Refusal> {
        let run = self.ports.store.run(id).await.map_err(|error| unavailable(&error))?;
        let own = |run: &Run| run.agent == *caller.calling_agent() && run.user.as_ref() == caller.user();
        run.filter(own).ok_or_else(|| Refusal::new(Code::RunUnknown, "there is no such run of this caller"))
    }

    async fn current_run(&self, caller: &Caller) -> Result<RunId, Refusal> {
        let now = self.now();
        let idle = SignedDuration::from_secs(i64::try_from(self.habits.idle_secs).unwrap_or(i64::MAX));
        let since = now.checked_sub(idle).unwrap_or(Timestamp::MIN);
        let key = (caller.calling_agent().clone(), caller.user().cloned());
        let mut current = self.implicit.0.lock().await;
        if let Some(known) = current.get_mut(&key).filter(|known| known.used >= since) {
            if !known.closed {
                known.used = now;
            }
            return Ok(known.run.clone());
        }
        // After a restart the run goes on: its labels must not be forgotten.
        let store = &self.ports.store;
        let idle = store.idle_run(&key.0, key.1.as_ref(), since).await.map_err(|error| unavailable(&error))?;
        let run = match idle {
            Some(run) => run,
            None => self.open(caller, Opening::default(), true).await?.id,
        };
        current.insert(key, Current { run: run.clone(), used: now, closed: false });
        Ok(run)
    }

    /// A run was closed, which may be somebody's current one.
    pub(crate) async fn closed(&self, run: &Run) {
        let key = (run.agent.clone(), run.user.clone());
        if let Some(known) = self.implicit.0.lock().await.get_mut(&key).filter(|known| known.run == run.id) {
            known.closed = true;
        }
    }

    /// What the caller's current run has seen, for lists; a fresh run when there is none.
    pub(crate) async fn facts_of_current_run(&self, caller: &Caller) -> Result<RunFacts, Refusal> {
        let key = (caller.calling_agent().clone(), caller.user().cloned());
        let Some(known) = self.implicit.0.lock().await.get(&key).cloned() else { return Ok(RunFacts::fresh()) };
        let run = self.ports.store.run(&known.run).await.map_err(|error| unavailable(&error))?;
        Ok(run.map_or_else(RunFacts::fresh, |run| RunFacts {
            labels: run.labels,
            calls: run.calls,
            spend: run.spend,
            environment: run.environment,
            release_phase: run.release_phase,
            closed: false,
        }))
    }

    async fn open(&self, caller: &Caller, opening: Opening, implicit: bool) -> Result<Run, Refusal> {
        if opening.intent.as_ref().is_some_and(|text| text.len() > INTENT_BYTES_MAX) {
            return Err(Refusal::new(Code::RequestTooLarge, "the intent is too long"));
        }
        let now = self.now();
        let run = Run {
            id: self.run_id(),
            agent: caller.calling_agent().clone(),
            user: caller.user().cloned(),
            workflow: caller.workflow().cloned(),
            environment: opening.environment,
            release_phase: opening.release_phase,
            intent: opening.intent,
            implicit,
            opened_at: now,
            used_at: now,
            closed_at: None,
            calls: 0,
            spend: 0,
            labels: Labels::none(),
        };
        let draft = self.run_draft(&run, None);
        let ticket = self.writer.ticket();
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        match self.ports.store.open_run(&run, record).await {
            Ok(()) => Ok(run),
            Err(CommitError::Conflict(_)) => {
                self.writer.give_back(ticket);
                Err(Refusal::new(Code::Internal, "two runs have the same id"))
            }
            Err(CommitError::Unavailable(error)) => Err(unavailable(&error)),
        }
    }
}

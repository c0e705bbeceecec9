//! A process of the gateway's own, spoken to over its standard input and output. One process serves
//! all callers at once; ids tell their requests apart.

mod group;
mod handshake;
mod lines;
mod process;
mod spawn;
mod waiting;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use remit_app::secret::Secret;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use super::answer;
use super::changes::Changes;
use super::failure::{Failure, not_started};
use super::footing::{Footing, MODERN};
use super::frame;
use super::listing::Page;
use super::request::Request;
use super::spec::{Spec, Transport};
use process::{Process, State};

/// How long a process may take to start and shake hands when nobody waits for a call of theirs:
/// package runners fetch programs first.
const START_TIME_MAX: Duration = Duration::from_secs(60);

/// The way to one process, which is started when it is needed.
pub(super) struct Link {
    spec: Spec,
    current: ArcSwapOption<Process>,
    /// Held while a process is started, so that many first requests start one.
    starting: Mutex<Starts>,
    /// The program cannot stand being asked which era it speaks, and is legacy therefore.
    unasked: AtomicBool,
    closed: AtomicBool,
    changes: Arc<Changes>,
}

/// When the process was started lately.
#[derive(Default)]
struct Starts(VecDeque<Instant>);

/// A process and the footing we stand on with it.
struct Ground {
    process: Arc<Process>,
    footing: Arc<Footing>,
}

impl Link {
    /// The way to the process that the specification of an upstream names.
    pub fn new(spec: &Spec, changes: Arc<Changes>) -> Self {
        Self {
            spec: spec.clone(),
            current: ArcSwapOption::empty(),
            starting: Mutex::default(),
            unasked: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            changes,
        }
    }

    /// Carries out one call.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn call(
        &self,
        request: &Request<'_>,
        secret: Option<&Secret>,
        deadline: Instant,
    ) -> Result<Value, Failure> {
        let Ground { process, footing } = self.ground(secret, deadline).await?;
        let id = process.next_id();
        let params = frame::call(id, request, footing.era)?;
        let frame = frame::request(id, request.operation.method(), &params.text);
        let answered = process.exchange(id, frame, request.passage.progress.clone(), deadline).await?;
        answer::held(answered.reply?, footing.era, request.declared())
    }

    /// Gets one page of a list.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn page(
        &self,
        method: &'static str,
        cursor: Option<&str>,
        footing: &Arc<Footing>,
        deadline: Instant,
    ) -> Result<Page, Failure> {
        let process = self.current.load_full().filter(|process| process.stands_on(footing));
        let process = process.ok_or_else(|| not_started("its process ended while it was asked what it serves"))?;
        let id = process.next_id();
        let frame = frame::request(id, method, &frame::own(footing.era, cursor));
        let answered = process.exchange(id, frame, None, deadline).await?;
        let result = answer::held(answered.reply?, footing.era, None)?;
        Ok(Page { result, bytes: answered.bytes })
    }

    /// The footing with the present process, which is started if there is none.
    ///
    /// # Errors
    /// [`Failure::NotStarted`] when it cannot be started, or speaks neither era.
    pub async fn footing(&self, secret: Option<&Secret>) -> Result<Arc<Footing>, Failure> {
        let patience = self.spec.patience().max(START_TIME_MAX);
        self.ground(secret, Instant::now() + patience).await.map(|ground| ground.footing)
    }

    /// Whether this is the footing requests are sent on.
    pub fn stands_on(&self, footing: &Arc<Footing>) -> bool {
        self.current.load().as_ref().is_some_and(|process| process.stands_on(footing))
    }

    /// Ends the process. Later requests are not started.
    pub async fn shutdown(&self) {
        self.closed.store(true, Ordering::Release);
        // A start that is under way sees its process ended here, or its successor refused.
        let _starts = self.starting.lock().await;
        if let Some(process) = self.current.swap(None) {
            process.end().await;
        }
    }

    async fn ground(&self, secret: Option<&Secret>, deadline: Instant) -> Result<Ground, Failure> {
        loop {
            let process = match self.current.load_full().filter(|process| process.is_alive()) {
                Some(process) => process,
                None => self.start(secret, deadline).await?,
            };
            match timeout_at(deadline, process.settled()).await {
                Ok(State::Ready(footing)) => return Ok(Ground { process, footing }),
                // Only once: the next one is not asked.
                Ok(State::Failed { asked_to_death: true, .. }) => {
                    self.unasked.store(true, Ordering::Release);
                    tracing::debug!(upstream = %self.spec.id, "it ended when asked for {MODERN}; starting it as legacy");
                }
                Ok(State::Failed { reason, .. }) => {
                    // Another program may stand there by the next time.
                    self.unasked.store(false, Ordering::Release);
                    return Err(not_started(reason));
                }
                Ok(State::Starting) | Err(_) => return Err(not_started("its process is still starting")),
            }
        }
    }

    async fn start(&self, secret: Option<&Secret>, deadline: Instant) -> Result<Arc<Process>, Failure> {
        let starts = timeout_at(deadline, self.starting.lock()).await;
        let mut starts = starts.map_err(|_| not_started("its process is still starting"))?;
        if let Some(process) = self.current.load_full().filter(|process| process.is_alive()) {
            return Ok(process);
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(not_started("the connection was shut down"));
        }
        let unasked = self.unasked.load(Ordering::Acquire);
        starts.count(&self.spec, unasked)?;
        let process = Process::start(&self.spec, secret, !unasked, self.changes.clone()).await?;
        self.current.store(Some(process.clone()));
        Ok(process)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // A handshake that is under way would hold on to the process until its end.
        if let Some(process) = self.current.swap(None) {
            process.dismiss();
        }
    }
}

impl Starts {
    /// Counts a start, unless there were too many within the last minute. The start that follows an
    /// end upon being asked is the upstream's second first one.
    fn count(&mut self, spec: &Spec, unasked: bool) -> Result<(), Failure> {
        let Transport::Stdio { restarts_per_minute, .. } = &spec.transport else {
            return Err(not_started("it is no process"));
        };
        let now = Instant::now();
        while self.0.front().is_some_and(|start| now.duration_since(*start) >= Duration::from_secs(60)) {
            self.0.pop_front();
        }
        let most = u64::from(*restarts_per_minute) + 1 + u64::from(unasked);
        if self.0.len() as u64 >= most {
            return Err(not_started("its process ended too often within a minute"));
        }
        self.0.push_back(now);
        Ok(())
    }
}

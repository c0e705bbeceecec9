//! Scenarios: who does what, and what must come of it. One way of playing them, on any stage: this
//! module has the stage that `remit test` uses, a whole gate over a made-up upstream.

mod access;
mod props;

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::ballot::{Ballot, Choice};
use remit_app::ports::{Ports, Roster, Store};
use remit_app::{Gate, Habits, Opening, Reply, Request};
use remit_config::{Actor, CallStep, Deed, Expect, Scenario, Verdict, keys};
use remit_core::approval::{Approver, Factor};
use remit_core::halt::HaltTarget;
use remit_core::ids::{OperatorId, QuestionId, RuleId, RunId};
use remit_core::verdict::{Code, Refusal};
use remit_core::{Caller, Snapshot};
use remit_evidence::writer::{Sign, Writer};
use serde_json::Value;

use props::Props;

/// What was seen of one step.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// The code of a refusal.
    pub code: Option<Code>,
    /// The rules that were asked for.
    pub ask: Vec<RuleId>,
    /// The policies that determined it.
    pub policies: Vec<String>,
    /// The reason of a refusal.
    pub reason: String,
    /// Whether the upstream received the call.
    pub executed: bool,
}

/// Something scenarios can be played on.
#[async_trait]
pub trait Stage: Send {
    /// Moves the clock.
    fn set_clock(&mut self, at: Timestamp);
    /// Plays one deed. A failure is something the scenario did not reckon with.
    async fn play(&mut self, deed: &Deed) -> Result<Seen, String>;
}

/// Plays a scenario; what did not go as expected, each with its place.
pub async fn play(stage: &mut dyn Stage, scenario: &Scenario) -> Vec<String> {
    let mut wrong = Vec::new();
    for step in &scenario.steps {
        if let Some(at) = step.at {
            stage.set_clock(at);
        }
        match stage.play(&step.deed).await {
            Ok(seen) => {
                let differences = differences(&step.expect, &seen);
                wrong.extend(differences.into_iter().map(|difference| format!("{}: {difference}", step.locus)));
            }
            // That a person's deed is refused can be the very thing a scenario is about.
            Err(error) if step.expect.reason.as_ref().is_some_and(|reason| error.contains(reason.as_str())) => {}
            Err(error) => wrong.push(format!("{}: {error}", step.locus)),
        }
    }
    wrong
}

fn differences(expect: &Expect, seen: &Seen) -> Vec<String> {
    let mut out = Vec::new();
    let mut differs =
        |what: &str, expected: String, found: String| out.push(format!("expected {what} {expected}, found {found}"));
    if expect.verdict.is_some() && expect.verdict != seen.verdict {
        let why = if seen.reason.is_empty() { String::new() } else { format!(" ({})", seen.reason) };
        differs("verdict", format!("{:?}", expect.verdict), format!("{:?}{why}", seen.verdict));
    }
    if expect.code.is_some() && expect.code != seen.code {
        differs("code", format!("{:?}", expect.code), format!("{:?} ({})", seen.code, seen.reason));
    }
    if let Some(rules) = &expect.ask {
        let (mut rules, mut found) = (rules.clone(), seen.ask.clone());
        rules.sort();
        found.sort();
        if rules != found {
            differs("to be asked for", format!("{rules:?}"), format!("{found:?}"));
        }
    }
    for policy in expect.policies.iter().flatten().filter(|policy| !seen.policies.contains(policy)) {
        differs("policy", policy.clone(), format!("{:?}", seen.policies));
    }
    if let Some(text) = expect.reason.as_ref().filter(|text| !seen.reason.contains(text.as_str())) {
        differs("a reason with", format!("`{text}`"), format!("`{}`", seen.reason));
    }
    if expect.executed.is_some_and(|executed| executed != seen.executed) {
        differs("executed", format!("{:?}", expect.executed), seen.executed.to_string());
    }
    out
}

/// A gate over a made-up upstream and a clock that stands still unless a scenario moves it.
pub struct Rehearsal {
    gate: Gate,
    props: Arc<Props>,
    people: Arc<People>,
    runs: HashMap<(String, String), RunId>,
    asked: Option<QuestionId>,
}

/// The people of `keys.yaml`.
struct People(keys::Keys);

impl Roster for People {
    fn person(&self, id: &OperatorId) -> Option<Approver> {
        self.people().into_iter().find(|person| person.id == *id)
    }

    fn people(&self) -> Vec<Approver> {
        let known = |key: &keys::OperatorKey| Approver {
            id: key.id.clone(),
            user: key.user.clone(),
            teams: key.teams.clone(),
            factor: Factor::Key,
        };
        self.0.operators.iter().map(known).collect()
    }
}

impl Rehearsal {
    /// A stage under this authority, over this store.
    pub fn new(
        snapshot: Snapshot,
        keys: keys::Keys,
        store: Arc<dyn Store>,
        signer: Box<dyn Sign>,
        now: Timestamp,
    ) -> Self {
        let props = Arc::new(Props {
            now: AtomicI64::new(now.as_millisecond()),
            next: Mutex::default(),
            received: AtomicUsize::new(0),
            drawn: AtomicI64::new(0),
        });
        let ports = Ports {
            store,
            vault: props.clone(),
            upstreams: props.clone(),
            clock: props.clone(),
            entropy: props.clone(),
            notifier: props.clone(),
            meter: props.clone(),
        };
        let writer = Writer::new(signer, snapshot.tenant().clone());
        let habits = Habits { batch_reads: false, idle_secs: 1800, questions_max: 1000, canaries: None };
        let gate = Gate::new(Arc::new(snapshot), ports, writer, habits);
        let people = Arc::new(People(keys));
        gate.knows(people.clone());
        Self { gate, props, people, runs: HashMap::new(), asked: None }
    }

    /// The gate on the stage.
    pub const fn gate(&self) -> &Gate {
        &self.gate
    }

    fn caller(&self, actor: &Actor) -> Result<Caller, String> {
        let caller = Caller::agent(self.gate.snapshot().tenant().clone(), actor.agent.clone());
        let caller = actor.user.clone().map_or(caller.clone(), |user| caller.for_user(user));
        let caller = actor.workflow.clone().map_or(caller.clone(), |workflow| caller.within(workflow));
        caller.delegated_by(actor.via.clone()).map_err(|error| error.to_string())
    }

    async fn call(&mut self, step: &CallStep) -> Result<Seen, String> {
        let caller = self.caller(&step.actor)?;
        let run = match &step.run {
            None => None,
            Some(name) => {
                let key = (format!("{:?}", step.actor), name.to_string());
                if !self.runs.contains_key(&key) {
                    let opened = self.gate.open_run(&caller, Opening::default()).await;
                    self.runs.insert(key.clone(), opened.map_err(|refusal| refusal.reason)?.id);
                }
                self.runs.get(&key).cloned()
            }
        };
        *self.props.next.lock().unwrap_or_else(PoisonError::into_inner) = step.effect.clone();
        let before = self.props.received.load(Ordering::SeqCst);
        let request = Request {
            caller,
            tool: step.tool.to_string(),
            arguments: step.arguments.clone(),
            run,
            idempotency: None,
            passage: Default::default(),
            cancelled: None,
        };
        let reply = self.gate.call(request).await;
        let executed = self.props.received.load(Ordering::SeqCst) > before;
        self.seen(reply, executed).await
    }

    async fn seen(&mut self, reply: Reply, executed: bool) -> Result<Seen, String> {
        let (verdict, record, refusal) = match reply {
            Reply::Done { record, .. } => (Verdict::Allow, Some(record), None),
            Reply::Held { record, question, refusal, .. } => {
                // Made at once: here nobody waits for an upstream.
                let previewed = self.gate.preview(&question, Box::pin(std::future::pending())).await;
                previewed.map_err(|error| error.to_string())?;
                self.asked = Some(question);
                (Verdict::Ask, Some(record), Some(refusal))
            }
            Reply::Refused { record, refusal } => (Verdict::Deny, record, Some(refusal)),
        };
        let predicate = match record {
            Some(id) => {
                let record = self.gate.ports().store.record(&id).await.map_err(|error| error.to_string())?;
                let payload = record.map(|record| record.envelope.payload).unwrap_or_default();
                remit_core::json::parse(&payload).map_err(|error| error.to_string())?["predicate"].clone()
            }
            None => Value::Null,
        };
        let words = |value: &Value| -> Vec<String> {
            value.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
        };
        Ok(Seen {
            verdict: Some(verdict),
            code: refusal.as_ref().map(|refusal: &Refusal| refusal.code),
            ask: words(&predicate["asks"]).iter().filter_map(|rule| RuleId::parse(rule).ok()).collect(),
            policies: words(&predicate["policy"]["determining"]),
            reason: refusal.map(|refusal| refusal.reason).unwrap_or_default(),
            executed,
        })
    }

    /// A person of the folder; somebody who is not in keys.yaml is in no team.
    fn person(&self, id: &OperatorId) -> Approver {
        let stranger = || Approver { id: id.clone(), user: None, teams: Vec::new(), factor: Factor::Key };
        self.people.person(id).unwrap_or_else(stranger)
    }

    /// A scenario names its runs itself; the gate knows them by the ids it gave.
    fn target(&self, target: &HaltTarget) -> Result<HaltTarget, String> {
        let HaltTarget::Run(name) = target else { return Ok(target.clone()) };
        let mut opened = self.runs.iter().filter(|((_, known), _)| known == name.as_str());
        match (opened.next(), opened.next()) {
            (Some((_, id)), None) => Ok(HaltTarget::Run(id.clone())),
            (None, _) => Err(format!("no call has been made in run `{name}` yet")),
            (Some(_), Some(_)) => Err(format!("several callers have a run `{name}`")),
        }
    }

    async fn vote(
        &mut self,
        by: &OperatorId,
        rule: Option<&RuleId>,
        approve: bool,
        reason: &str,
    ) -> Result<Seen, String> {
        let question = self.asked.clone().ok_or("no call is held")?;
        let sight = self.gate.sight(&question).await.map_err(|error| error.to_string())?;
        let ballot = Ballot {
            question,
            rule: rule.cloned(),
            choice: if approve { Choice::Approve } else { Choice::Deny },
            reason: reason.to_owned(),
            shown: sight.ok_or("no call is held")?.shown,
            proof: None,
        };
        let voted = self.gate.vote(&self.person(by), ballot).await;
        voted.map(|_| Seen::default()).map_err(|error| error.to_string())
    }
}

#[async_trait]
impl Stage for Rehearsal {
    fn set_clock(&mut self, at: Timestamp) {
        self.props.now.store(at.as_millisecond(), Ordering::SeqCst);
    }

    async fn play(&mut self, deed: &Deed) -> Result<Seen, String> {
        let operator = || OperatorId::parse("rehearsal").map_err(|error| error.to_string());
        match deed {
            Deed::Call(step) => self.call(step).await,
            Deed::Approve { rule, by } => self.vote(by, Some(rule), true, "as the scenario says").await,
            Deed::Deny { by, reason } => self.vote(by, None, false, reason).await,
            Deed::Halt { target, by } => {
                let by = by.clone().map_or_else(operator, Ok)?;
                let halted = self.gate.halt(self.target(target)?, &by, "as the scenario says").await;
                halted.map(|()| Seen::default()).map_err(|error| error.to_string())
            }
            Deed::Resume { target, by } => {
                let by = by.clone().map_or_else(operator, Ok)?;
                match self.gate.resume(&self.target(target)?, &by, "as the scenario says").await {
                    Ok(true) => Ok(Seen::default()),
                    Ok(false) => Err(format!("{target} is not halted")),
                    Err(error) => Err(error.to_string()),
                }
            }
            Deed::Request(access) => self.request(access).await,
            Deed::Grant { access, by } => self.give(access, by).await,
            Deed::Revoke { agent, by } => self.revoke(agent, by).await,
            Deed::BreakGlass { name, by } => self.break_glass(name, by).await,
            Deed::Delegate { to, rule, by } => self.delegate(by, to, rule.as_ref()).await,
        }
    }
}

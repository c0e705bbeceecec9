//! From a request to a permit: resolve, load, decide, commit.

mod refused;

use std::sync::Arc;

use jiff::Timestamp;
use remit_core::access::AccessGrant;
use remit_core::budget::{Reservation, Unit};
use remit_core::call::Call;
use remit_core::ids::{Digest, QuestionId, RecordId, RuleId, RunId, ToolName};
use remit_core::labels::Sensitivity;
use remit_core::origin::Origin;
use remit_core::registry::{Class, Tool};
use remit_core::unsealed::Then;
use remit_core::verdict::{Code, Decision, Refusal, Verdict};
use remit_core::{Caller, Snapshot, decide};
use remit_evidence::writer::{SignedRecord, Ticket};
use serde_json::Value;

use self::refused::shown;
use crate::action::{Action, Salt};
use crate::approve;
use crate::gate::{Gate, Reply, Request, unavailable};
use crate::intent::{Basis, Case, CommitError, Committed, Effect, IdempotencyKey, Intent, Unavailable};
use crate::origin;
use crate::outcome::StoredOutcome;
use crate::permit::{Passage, Permit};
use crate::ports::{CaseQuery, Step};
use crate::preview::Purpose;
use crate::question::Question;

/// How often a call is decided again because the facts changed meanwhile.
const ATTEMPTS_MAX: usize = 3;

/// An admitted call, with what its settlement will need.
pub(crate) struct Admitted {
    pub permit: Permit,
    pub reservations: Vec<Reservation>,
    /// Whether its receipt must be durable before the reply: because later calls of the run are to
    /// see its labels, or because somebody may ask for its outcome by a key or a question.
    pub settle_first: bool,
    /// Whether the agent is told what came of it, so that the run collects its labels.
    pub told: bool,
}

/// A request before it is known whether it is a call.
pub(crate) struct Asked {
    pub caller: Caller,
    pub tool: String,
    pub arguments: Value,
    pub traceparent: Option<String>,
}

/// One call on its way to a verdict.
struct Passenger {
    call: Call,
    /// The salt of its action, unless it was asked about before under another one.
    salt: Salt,
    record: RecordId,
    ticket: Ticket,
    idempotency: Option<IdempotencyKey>,
    purpose: Purpose,
}

impl Gate {
    /// The first half of the way. A half-made decision is never resumed: whoever comes again
    /// comes through here, from the start.
    pub(crate) async fn authorize(&self, request: Request, purpose: Purpose) -> Result<Admitted, Reply> {
        let snapshot = self.snapshot.load_full();
        let Request { caller, tool, arguments, run, idempotency, passage, .. } = request;
        let asked = Asked { caller, tool, arguments, traceparent: passage.traceparent.clone() };
        let meter = &self.ports.meter;
        let began = meter.tick();
        let call = self.resolve(&snapshot, asked, run).await?;
        meter.step(Step::Resolve, began);
        let (salt, _) = self.salts();
        let passenger =
            Passenger { call, salt, record: self.record_id(), ticket: self.writer.ticket(), idempotency, purpose };
        for _ in 0..ATTEMPTS_MAX {
            let now = self.now();
            let began = meter.tick();
            let case = match self.load(&snapshot, &passenger.call, now).await {
                Ok(case) => case,
                Err(reply) => {
                    self.writer.give_back(passenger.ticket);
                    return Err(reply);
                }
            };
            meter.step(Step::Load, began);
            let began = meter.tick();
            let decision = decide(&snapshot, &passenger.call, &case.file, now);
            meter.step(Step::Decide, began);
            if let Some(refusal) = passenger.purpose.refuses(&decision) {
                return Err(self.refuse(&passenger, refusal).await);
            }
            let began = meter.tick();
            let committed = self.commit(&snapshot, &passenger, &case, decision, now).await;
            meter.step(Step::Commit, began);
            match committed {
                Ok(settled) => return self.conclude(passenger, &case, settled, passage).await,
                Err(CommitError::Conflict("questions")) => {
                    let most = self.habits.questions_max;
                    let reason = format!("{} has {most} questions open already", passenger.call.caller.calling_agent());
                    let refusal = Refusal::new(Code::QuestionsTooMany, reason);
                    return Err(self.refuse(&passenger, refusal).await);
                }
                Err(CommitError::Conflict(_)) => {}
                Err(CommitError::Unavailable(error)) => {
                    return Err(Reply::Refused { record: None, refusal: unavailable(&error) });
                }
            }
        }
        let refusal = Refusal::new(Code::Conflict, "the facts kept changing while this call was decided");
        Err(self.refuse(&passenger, refusal).await)
    }

    /// Tool, pin, arguments, resource. A tool that the caller could never call is as unknown as one
    /// that does not exist.
    async fn resolve(&self, snapshot: &Arc<Snapshot>, asked: Asked, run: Option<RunId>) -> Result<Call, Reply> {
        let found = match ToolName::parse(&asked.tool) {
            Ok(name) => snapshot.registry().tool(&name),
            Err(_) => snapshot.registry().public(&asked.tool),
        };
        let unknown = || Refusal::new(Code::ToolUnknown, format!("unknown tool: {}", shown(&asked.tool)));
        let owner = snapshot.remit(asked.caller.calling_agent()).and_then(|remit| remit.owner.clone());
        let (_, grants) = match self.ports.store.live_grants().await {
            Ok(live) => live,
            Err(error) => return Err(Reply::Refused { record: None, refusal: unavailable(&error) }),
        };
        let own = |tool: &Tool| grants_of(&grants, &asked.caller, &tool.name, self.now());
        let Some(tool) = found.filter(|tool| snapshot.concedes(&asked.caller, tool, &own(tool))).cloned() else {
            return Err(self.turn_away(&asked, unknown()).await);
        };
        if self.ports.upstreams.drifted(&tool) {
            return Err(self.turn_away(&asked, Refusal { code: Code::ToolDrifted, ..unknown() }).await);
        }
        let run = match self.run_of(&asked.caller, run.as_ref()).await {
            Ok(run) => run,
            Err(refusal) => return Err(self.turn_away(&asked, refusal).await),
        };
        match Call::resolve(asked.caller.clone(), owner, tool, asked.arguments.clone(), run) {
            Ok(call) => Ok(call),
            Err(invalid) => Err(self.turn_away(&asked, Refusal::new(Code::InputInvalid, invalid.to_string())).await),
        }
    }

    pub(crate) async fn load(&self, snapshot: &Snapshot, call: &Call, now: Timestamp) -> Result<Case, Reply> {
        let refused = |error| Reply::Refused { record: None, refusal: unavailable(&error) };
        let (version, live) = self.ports.store.live_grants().await.map_err(refused)?;
        let grants = grants_of(&live, &call.caller, &call.tool.name, now);
        let rules = snapshot.rules_with(call, &grants).into_iter();
        let rules: Vec<(RuleId, Digest, u32)> =
            rules.map(|(rule, digest)| (rule.id.clone(), digest, rule.quorum)).collect();
        let budgets = snapshot.budgets_with(call, &grants, now);
        let query = CaseQuery { run: &call.run, call: call.digest(), budgets, rules: &rules, now };
        let mut case = self.ports.store.load_case(&query).await.map_err(refused)?;
        // Read before the rest: what changed in between is a conflict at commit.
        case.basis.grants = version;
        case.file.grants = grants;
        if snapshot.reads_origins(call) {
            let sources = origin::sources(&*self.ports.store, snapshot.registry(), call).await.map_err(refused)?;
            case.file.origins = sources.by_argument(&call.arguments);
        }
        Ok(case)
    }

    /// Writes the decision together with what it uses up, or neither.
    async fn commit(
        &self,
        snapshot: &Snapshot,
        passenger: &Passenger,
        case: &Case,
        decision: Decision,
        now: Timestamp,
    ) -> Result<Settled, CommitError> {
        let call = &passenger.call;
        let action = Action::of(call, case.salt.unwrap_or(passenger.salt));
        let (decision, mut draft) = match self.held_up(&decision.verdict, &call.tool, now) {
            None => {
                let (called, facts) = ((call, &action), (case, snapshot));
                let draft = self.decision_draft(&passenger.record, called, facts, &decision, now);
                (decision, draft)
            }
            // No decision on the facts of the case, so that nobody replays it as one.
            Some(refusal) => {
                let draft = self.refusal_draft(&passenger.record, (call, &action), &refusal, now);
                (Decision { verdict: Verdict::Deny(refusal), ..decision }, draft)
            }
        };
        if let Verdict::Allow { approvals, .. } = &decision.verdict {
            draft.links = self.approvals_used(&case.basis, approvals).await?;
        }
        draft.links.extend(passenger.purpose.link());
        let record = self.writer.sign(&passenger.ticket, draft, &self.randomness());
        let digest = record.digest;
        let effect = match &decision.verdict {
            Verdict::Allow { reservations, approvals } => Effect::Admit {
                reservations: reservations.clone(),
                approvals: approvals.clone(),
                batched: self.habits.batch_reads && mild(&call.tool) && !reservations.iter().any(costs),
                carrier: passenger.purpose.carrier(&call.tool),
            },
            Verdict::Ask { rules, refusal } => {
                let new = (self.question_id(), self.salts().1);
                let mut question = approve::question(snapshot, (call, &action), &record, rules, refusal, new, now);
                question.origins = self.origins(snapshot, call, case, &question).await?;
                Effect::Hold(Box::new(question))
            }
            Verdict::Deny(_) => Effect::Refuse,
        };
        let committed =
            self.ports.store.commit_intent(self.intent(snapshot, passenger, record, case, effect, now)).await?;
        if let Committed::Held(question) = &committed {
            self.ports.notifier.question_changed(question);
        }
        Ok(Settled { committed, decision, digest, action: action.digest })
    }

    /// Why a call that is allowed does not go ahead: what happens must not stay out of the log for long.
    /// INVARIANT (nothing unproven): effects without a checkpoint over their records are bounded in time.
    fn held_up(&self, verdict: &Verdict, tool: &Tool, now: Timestamp) -> Option<Refusal> {
        let lag = self.lag().filter(|_| matches!(verdict, Verdict::Allow { .. }))?;
        let goes_on = match lag.bound().then {
            Then::Refuse => false,
            Then::Reads => mild(tool),
            Then::GoOn => true,
        };
        let overdue = lag.overdue(now).filter(|_| !goes_on)?;
        Some(Refusal::new(Code::LedgerUnsealed, overdue))
    }

    /// Where the values of a call that people are asked about came from. A caller that comes again while its
    /// question is open is told of that one, so what was found for it then still stands.
    async fn origins(
        &self,
        snapshot: &Snapshot,
        call: &Call,
        case: &Case,
        question: &Question,
    ) -> Result<Vec<(String, Origin)>, Unavailable> {
        if let Some(open) = &case.open_question
            && let Some(open) = self.ports.store.question(open).await?
            && question.rules.iter().all(|rule| open.rules.contains(rule))
        {
            return Ok(open.origins);
        }
        let sources = origin::sources(&*self.ports.store, snapshot.registry(), call).await?;
        Ok(sources.of(&call.arguments))
    }

    /// The approval records that a decision rests on: the yes of every vote on the rules it uses.
    async fn approvals_used(
        &self,
        basis: &Basis,
        rules: &[RuleId],
    ) -> Result<Vec<(&'static str, Digest)>, CommitError> {
        let mut links = Vec::new();
        for (rule, question) in basis.approvals.iter().filter(|(rule, _)| rules.contains(rule)) {
            let question = self.ports.store.question(question).await?.ok_or(CommitError::Conflict("approval"))?;
            let yes = question.votes.iter().filter(|vote| vote.approve && vote.rule == *rule);
            links.extend(yes.filter_map(|vote| vote.record).map(|digest| ("approval", digest)));
        }
        Ok(links)
    }

    fn intent(
        &self,
        snapshot: &Snapshot,
        passenger: &Passenger,
        record: SignedRecord,
        case: &Case,
        effect: Effect,
        at: Timestamp,
    ) -> Intent {
        let call = &passenger.call;
        Intent {
            record,
            run: call.run.clone(),
            agent: call.caller.calling_agent().clone(),
            user: call.caller.user().cloned(),
            call: call.digest(),
            tool: call.tool.name.to_string(),
            at,
            basis: case.basis.clone(),
            idempotency: passenger.idempotency.clone(),
            preview_of: passenger.purpose.previewed().cloned(),
            review: snapshot.tiers().reviews(&call.tool),
            questions_max: self.habits.questions_max,
            effect,
        }
    }

    async fn conclude(
        &self,
        passenger: Passenger,
        case: &Case,
        settled: Settled,
        passage: Passage,
    ) -> Result<Admitted, Reply> {
        let record = passenger.record;
        let verdict = &settled.decision.verdict;
        let code = match verdict {
            Verdict::Allow { .. } => None,
            Verdict::Ask { refusal, .. } | Verdict::Deny(refusal) => Some(refusal.code),
        };
        self.ports.meter.verdict(verdict.as_str(), code);
        match (settled.committed, settled.decision.verdict) {
            (Committed::Admitted(receipt), Verdict::Allow { reservations, approvals }) => {
                let told = passenger.purpose.previewed().is_none();
                let mut labels = case.file.run.labels.clone();
                if told {
                    labels.collect(&passenger.call.tool.labels);
                }
                let settle_first =
                    labels != case.file.run.labels || passenger.idempotency.is_some() || !approvals.is_empty();
                let permit = Permit::new(receipt, passenger.call, (settled.digest, settled.action), passage);
                Ok(Admitted { permit, reservations, settle_first, told })
            }
            (Committed::Held(question), Verdict::Ask { refusal, .. }) => {
                let found = self.ports.store.question(&question).await.ok().flatten();
                let expires_at = found.as_ref().map_or_else(|| self.now(), |question| question.expires_at);
                let asked = found.as_ref().and_then(|question| question.asked_back());
                let refusal = match asked {
                    Some(remark) => Refusal {
                        reason: format!(
                            "{}. An approver asks: \"{}\". Answer with remit__answer",
                            refusal.reason, remark.text
                        ),
                        ..refusal
                    },
                    None => refusal,
                };
                Err(Reply::Held { record, question, refusal, expires_at })
            }
            (Committed::Refused, Verdict::Deny(mut refusal)) => {
                if refusal.code == Code::ApprovalNarrowed {
                    refusal.narrowed = case.narrowed.as_ref().map(|narrowed| Box::new(narrowed.told()));
                }
                Err(Reply::Refused { record: Some(record), refusal })
            }
            (Committed::Repeated { intent, call }, _) => {
                // The first call's record stands; this one was not stored.
                self.writer.give_back(passenger.ticket);
                Err(self.repeat(&passenger.call, intent, call).await)
            }
            _ => {
                let refusal = Refusal::new(Code::Internal, "the store answered another verdict than it was given");
                Err(Reply::Refused { record: Some(record), refusal })
            }
        }
    }

    /// A retried call gets the first one's outcome; nothing is executed twice.
    async fn repeat(&self, call: &Call, intent: RecordId, first: Digest) -> Reply {
        let refused = |refusal| Reply::Refused { record: Some(intent.clone()), refusal };
        if first != call.digest() {
            return refused(Refusal::new(Code::IdempotencyMismatch, "the idempotency key was used for another call"));
        }
        match self.ports.store.outcome(&intent).await {
            Ok(Some(StoredOutcome::Settled(outcome))) => Reply::Done { record: intent, outcome, run: call.run.clone() },
            Ok(Some(StoredOutcome::Pending) | None) => {
                refused(Refusal::new(Code::IdempotencyPending, "the first call under this key is still under way"))
            }
            Err(error) => refused(unavailable(&error)),
        }
    }

    pub(crate) fn question_id(&self) -> QuestionId {
        crate::records::question_id(self.now(), &self.ports.entropy.bytes())
    }
}

/// A committed decision.
struct Settled {
    committed: Committed,
    decision: Decision,
    digest: Digest,
    action: Digest,
}

/// The grants that could matter when this caller calls this tool.
pub(crate) fn grants_of(live: &[AccessGrant], caller: &Caller, tool: &ToolName, now: Timestamp) -> Vec<AccessGrant> {
    live.iter().filter(|grant| grant.concerns(caller, tool, now)).cloned().collect()
}

/// Whether money is reserved: what is spent is counted before it is spent, whatever crashes.
fn costs(reservation: &Reservation) -> bool {
    reservation.unit == Unit::MicroUsd
}

/// Reads of data up to `internal`: the only calls whose records may become durable a little later.
fn mild(tool: &Tool) -> bool {
    tool.class == Class::Read && tool.labels.sensitivity <= Sensitivity::Internal
}

//! Depth 1: the decision alone, over the plainest book of what was spent, asked and stopped that
//! one can write. What only the gate or a store gets wrong cannot hide behind it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use remit_cli::rehearse::{Seen, Stage};
use remit_config::keys::Keys;
use remit_config::{CallStep, Deed, Effect, Verdict};
use remit_core::approval::{Approver, CallParties, Factor, Hour};
use remit_core::budget::{BudgetKey, BudgetState, Unit};
use remit_core::halt::{Halt, HaltTarget};
use remit_core::ids::{Digest, OperatorId, RuleId, RunId};
use remit_core::verdict::Code;
use remit_core::{Call, Caller, CaseFile, RunFacts, Snapshot, decide};

/// The stage.
pub struct Core {
    snapshot: Snapshot,
    keys: Keys,
    now: Timestamp,
    runs: BTreeMap<RunId, RunFacts>,
    spent: BTreeMap<(BudgetKey, String), u64>,
    objects: BTreeSet<(BudgetKey, String, String)>,
    questions: Vec<Question>,
    halts: Vec<Halt>,
}

struct Question {
    call: Digest,
    parties: CallParties,
    rules: Vec<RuleId>,
    asked_at: Timestamp,
    until: Timestamp,
    yes: BTreeSet<(RuleId, OperatorId)>,
    no: Option<String>,
    used: bool,
}

impl Core {
    pub fn new(snapshot: Snapshot, keys: Keys, now: Timestamp) -> Self {
        Self {
            snapshot,
            keys,
            now,
            runs: BTreeMap::new(),
            spent: BTreeMap::new(),
            objects: BTreeSet::new(),
            questions: Vec::new(),
            halts: Vec::new(),
        }
    }

    fn call(&mut self, step: &CallStep) -> Result<Seen, String> {
        let actor = &step.actor;
        let caller = Caller::agent(self.snapshot.tenant().clone(), actor.agent.clone());
        let caller = actor.user.clone().map_or(caller.clone(), |user| caller.for_user(user));
        let caller = actor.workflow.clone().map_or(caller.clone(), |workflow| caller.within(workflow));
        let caller = caller.delegated_by(actor.via.clone()).map_err(|error| error.to_string())?;
        let denied = |code, reason: String| {
            Ok(Seen { verdict: Some(Verdict::Deny), code: Some(code), reason, ..Seen::default() })
        };
        let tool = self
            .snapshot
            .registry()
            .tool(&step.tool)
            .filter(|tool| self.snapshot.concedes(&caller, tool, &[]))
            .cloned();
        let Some(tool) = tool else { return denied(Code::ToolUnknown, format!("unknown tool: {}", step.tool)) };
        let owner = self.snapshot.remit(&actor.agent).and_then(|remit| remit.owner.clone());
        let run = match &step.run {
            Some(run) => run.clone(),
            // One per agent and user, as the gate keeps them.
            None => RunId::parse(&format!(
                "implicit-{}",
                Digest::of(format!("{:?}{:?}", actor.agent, actor.user).as_bytes())
            ))
            .map_err(|error| error.to_string())?,
        };
        self.runs.entry(run.clone()).or_insert_with(RunFacts::fresh);
        match Call::resolve(caller, owner, tool, step.arguments.clone(), run) {
            Ok(call) => Ok(self.decided(&call, &step.effect)),
            Err(invalid) => denied(Code::InputInvalid, invalid.to_string()),
        }
    }

    fn decided(&mut self, call: &Call, effect: &Effect) -> Seen {
        let decision = decide(&self.snapshot, call, &self.case(call), self.now);
        let mut seen = Seen { policies: decision.policies, ..Seen::default() };
        match decision.verdict {
            remit_core::Verdict::Allow { reservations, approvals } => {
                (seen.verdict, seen.executed) = (Some(Verdict::Allow), true);
                for question in self.questions.iter_mut().filter(|q| q.call == call.digest()) {
                    question.used |= approvals.iter().any(|rule| question.rules.contains(rule));
                }
                for r in reservations {
                    *self.spent.entry((r.key.clone(), r.span.id.clone())).or_default() += r.amount;
                    self.objects.extend(r.object.map(|object| (r.key, r.span.id, object)));
                }
                let run = self.runs.entry(call.run.clone()).or_insert_with(RunFacts::fresh);
                run.calls += 1;
                if *effect != Effect::Lost {
                    run.labels.collect(&call.tool.labels);
                }
            }
            remit_core::Verdict::Ask { rules, refusal } => {
                (seen.verdict, seen.code, seen.reason) = (Some(Verdict::Ask), Some(refusal.code), refusal.reason);
                seen.ask = rules.clone();
                self.ask(call, rules);
            }
            remit_core::Verdict::Deny(refusal) => {
                (seen.verdict, seen.code, seen.reason) = (Some(Verdict::Deny), Some(refusal.code), refusal.reason);
            }
        }
        seen
    }

    fn live(&self, call: Digest) -> impl Iterator<Item = &Question> {
        self.questions.iter().filter(move |q| q.call == call && !q.used && q.until > self.now)
    }

    fn quorum(&self, question: &Question, rule: &RuleId) -> bool {
        let yes = question.yes.iter().filter(|(of, _)| of == rule).count();
        question.rules.contains(rule) && self.snapshot.rule(rule).is_some_and(|rule| yes >= rule.quorum as usize)
    }

    fn ask(&mut self, call: &Call, rules: Vec<RuleId>) {
        if self.live(call.digest()).any(|q| rules.iter().all(|rule| q.rules.contains(rule))) {
            return;
        }
        let within = rules.iter().filter_map(|rule| self.snapshot.rule(rule)).map(|rule| rule.within_secs).min();
        let within = SignedDuration::from_secs(i64::try_from(within.unwrap_or(0)).expect("a duration"));
        self.questions.push(Question {
            call: call.digest(),
            parties: CallParties::of(call),
            rules,
            asked_at: self.now,
            until: self.now.checked_add(within).expect("a time"),
            yes: BTreeSet::new(),
            no: None,
            used: false,
        });
    }

    fn case(&self, call: &Call) -> CaseFile {
        let rules = self.snapshot.rules(call);
        let approved = rules.iter().map(|(rule, _)| rule.id.clone());
        let approved = approved.filter(|rule| self.live(call.digest()).any(|q| q.no.is_none() && self.quorum(q, rule)));
        let budgets = self.snapshot.budgets(call, self.now).into_iter().map(|(budget, span, object)| {
            let at = (budget.key.clone(), span.id.clone());
            let settled = self.spent.get(&at).copied().unwrap_or(0);
            let known = |object: String| self.objects.contains(&(at.0.clone(), at.1.clone(), object));
            let object_known = budget.unit == Unit::Objects && object.is_some_and(known);
            BudgetState { budget, span, settled, reserved: 0, object_known }
        });
        CaseFile {
            run: self.runs.get(&call.run).cloned().unwrap_or_else(RunFacts::fresh),
            budgets: budgets.collect(),
            approved: approved.collect(),
            refused: self.live(call.digest()).find_map(|q| q.no.clone()),
            narrowed: None,
            halts: self.halts.clone(),
            origins: Vec::new(),
            grants: Vec::new(),
        }
    }

    fn vote(&mut self, by: &OperatorId, rule: Option<&RuleId>, no: Option<&str>) -> Result<Seen, String> {
        let known = self.keys.operators.iter().find(|key| key.id == *by);
        let approver = Approver {
            id: by.clone(),
            user: known.and_then(|key| key.user.clone()),
            teams: known.map(|key| key.teams.clone()).unwrap_or_default(),
            factor: Factor::Key,
        };
        let (snapshot, now) = (&self.snapshot, self.now);
        let question = self.questions.last_mut().ok_or("no call is held")?;
        if question.until <= now {
            return Err("the question is not open any more: it is expired".into());
        }
        let named = rule.or(question.rules.first()).cloned().ok_or("no rule is asked for")?;
        let rule = snapshot.rule(&named).ok_or("there is no such rule")?;
        let hour = Hour { now, steps: rule.steps_due(question.asked_at, now) };
        rule.entitles(&approver, &question.parties, hour).map_err(|error| error.to_string())?;
        match no {
            Some(reason) => question.no = Some(reason.to_owned()),
            None => drop(question.yes.insert((named, by.clone()))),
        }
        Ok(Seen::default())
    }
}

#[async_trait]
impl Stage for Core {
    fn set_clock(&mut self, at: Timestamp) {
        self.now = at;
    }

    async fn play(&mut self, deed: &Deed) -> Result<Seen, String> {
        match deed {
            Deed::Call(step) => self.call(step),
            Deed::Approve { rule, by } => self.vote(by, Some(rule), None),
            Deed::Deny { by, reason } => self.vote(by, None, Some(reason)),
            Deed::Halt { target, .. } => {
                self.halts.push(halt(target.clone(), self.now));
                Ok(Seen::default())
            }
            Deed::Resume { target, .. } => {
                let before = self.halts.len();
                self.halts.retain(|halt| halt.target != *target);
                if self.halts.len() < before { Ok(Seen::default()) } else { Err(format!("{target} is not halted")) }
            }
        }
    }
}

fn halt(target: HaltTarget, since: Timestamp) -> Halt {
    Halt { target, by: "rehearsal".into(), reason: "as the scenario says".into(), since }
}

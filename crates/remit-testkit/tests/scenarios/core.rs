//! Depth 1: the decision alone, over the plainest book of what was spent, asked and stopped that
//! one can write. What only the gate or a store gets wrong cannot hide behind it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use remit_cli::rehearse::{Seen, Stage};
use remit_config::keys::Keys;
use remit_config::{AccessStep, Actor, CallStep, Deed, Effect, Verdict};
use remit_core::access::{AccessGrant, Ground, Terms, Whom};
use remit_core::approval::{ApprovalRule, Approver, CallParties, Distinct, Factor, Hour};
use remit_core::budget::{BudgetKey, BudgetState, Unit};
use remit_core::halt::{Halt, HaltTarget};
use remit_core::ids::{AgentId, Digest, GrantId, OperatorId, RuleId, RunId};
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
    grants: Vec<AccessGrant>,
    lent: Vec<Lent>,
}

/// Somebody votes in somebody's place.
struct Lent {
    from: OperatorId,
    to: OperatorId,
    rule: Option<RuleId>,
}

struct Question {
    call: Digest,
    parties: CallParties,
    rules: Vec<RuleId>,
    asked_at: Timestamp,
    until: Timestamp,
    yes: BTreeSet<(RuleId, OperatorId)>,
    /// Who has voted, in whosever place.
    voted: BTreeSet<(RuleId, OperatorId)>,
    no: Option<String>,
    used: bool,
    /// The grant that a yes makes, when this is a request; its clocks run from then.
    gives: Option<(AccessGrant, u64)>,
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
            grants: Vec::new(),
            lent: Vec::new(),
        }
    }

    fn caller(&self, actor: &Actor) -> Result<Caller, String> {
        let caller = Caller::agent(self.snapshot.tenant().clone(), actor.agent.clone());
        let caller = actor.user.clone().map_or(caller.clone(), |user| caller.for_user(user));
        let caller = actor.workflow.clone().map_or(caller.clone(), |workflow| caller.within(workflow));
        caller.delegated_by(actor.via.clone()).map_err(|error| error.to_string())
    }

    fn call(&mut self, step: &CallStep) -> Result<Seen, String> {
        let actor = &step.actor;
        let caller = self.caller(actor)?;
        let denied = |code, reason: String| Ok(denied(code, reason));
        let tool = self
            .snapshot
            .registry()
            .tool(&step.tool)
            .filter(|tool| self.snapshot.concedes(&caller, tool, &self.grants))
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
            voted: BTreeSet::new(),
            no: None,
            used: false,
            gives: None,
        });
    }

    fn case(&self, call: &Call) -> CaseFile {
        let rules = self.snapshot.rules(call);
        let approved = rules.iter().map(|(rule, _)| rule.id.clone());
        let approved = approved.filter(|rule| self.live(call.digest()).any(|q| q.no.is_none() && self.quorum(q, rule)));
        let concerning = |grant: &&AccessGrant| grant.concerns(&call.caller, &call.tool.name, self.now);
        let grants: Vec<_> = self.grants.iter().filter(concerning).cloned().collect();
        let budgets = self.snapshot.budgets_with(call, &grants, self.now).into_iter().map(|(budget, span, object)| {
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
            grants,
        }
    }

    fn person(&self, id: &OperatorId) -> Approver {
        let known = self.keys.operators.iter().find(|key| key.id == *id);
        Approver {
            id: id.clone(),
            user: known.and_then(|key| key.user.clone()),
            teams: known.map(|key| key.teams.clone()).unwrap_or_default(),
            factor: Factor::Key,
        }
    }

    fn vote(&mut self, by: &OperatorId, rule: Option<&RuleId>, no: Option<&str>) -> Result<Seen, String> {
        let question = self.questions.last().ok_or("no call is held")?;
        if question.until <= self.now {
            return Err("the question is not open any more: it is expired".into());
        }
        let named = rule.or(question.rules.first()).cloned().ok_or("no rule is asked for")?;
        let rule = self.snapshot.rule(&named).ok_or("there is no such rule")?;
        let place = self.place_of(by, rule, question)?;
        let quorum = rule.quorum as usize;
        let question = self.questions.last_mut().ok_or("no call is held")?;
        question.voted.insert((named.clone(), by.clone()));
        match no {
            Some(reason) => question.no = Some(reason.to_owned()),
            None => drop(question.yes.insert((named.clone(), place))),
        }
        let satisfied = question.no.is_none() && question.yes.iter().filter(|(of, _)| *of == named).count() >= quorum;
        if let Some((grant, secs)) = question.gives.take_if(|_| satisfied) {
            self.give(grant, Some(secs));
        }
        Ok(Seen::default())
    }

    /// In whose place this person votes: their own, or that of somebody who asked them to and has not voted.
    fn place_of(&self, by: &OperatorId, rule: &ApprovalRule, question: &Question) -> Result<OperatorId, String> {
        let hour = Hour { now: self.now, steps: rule.steps_due(question.asked_at, self.now) };
        let lent: Vec<_> =
            self.lent.iter().filter(|lent| lent.rule.as_ref().is_none_or(|only| *only == rule.id)).collect();
        let voted = |id: &OperatorId| question.voted.contains(&(rule.id.clone(), id.clone()));
        let tied = |lent: &&Lent| (lent.to == *by && voted(&lent.from)) || (lent.from == *by && voted(&lent.to));
        if rule.distinct_from.contains(&Distinct::ApproverDelegates) && lent.iter().copied().any(|lent| tied(&lent)) {
            return Err(format!("`{}` excludes this person: they stand in for somebody who has voted", rule.id));
        }
        let person = self.person(by);
        let own = rule.entitles(&person, &question.parties, hour);
        let Err(refusal) = own else { return Ok(by.clone()) };
        let stands_in = lent
            .iter()
            .filter(|lent| lent.to == *by && !voted(&lent.from))
            .find(|lent| rule.entitles_in_place(&person, &self.person(&lent.from), &question.parties, hour).is_ok());
        stands_in.map(|lent| lent.from.clone()).ok_or_else(|| refusal.to_string())
    }

    /// What the agent's remit lets it ask for, as a question; or a refusal.
    fn request(&mut self, step: &AccessStep) -> Result<Seen, String> {
        let actor = &step.actor;
        let remit = self.snapshot.remit(&actor.agent).filter(|remit| remit.expires.is_none_or(|at| self.now < at));
        let offers = remit.into_iter().flat_map(|remit| &remit.may_request);
        let found = offers.into_iter().find_map(|offer| {
            let terms = Terms::read(&step.asked, Some(&offer.terms)).ok()?;
            terms.check_within(&offer.terms).ok().map(|()| (offer.clone(), terms))
        });
        let Some((offer, terms)) = found else {
            return Ok(denied(Code::AccessNotOffered, "beyond what may be asked for".into()));
        };
        let rule = self.snapshot.rule(&offer.approval).ok_or("there is no such rule")?;
        let within = SignedDuration::from_secs(i64::try_from(rule.within_secs).map_err(|error| error.to_string())?);
        let agent_owner = remit.and_then(|remit| remit.owner.clone());
        let grant = AccessGrant {
            id: GrantId::parse(&format!("g_{}", self.questions.len())).map_err(|error| error.to_string())?,
            agent: actor.agent.clone(),
            whom: Whom::Exactly(actor.user.clone()),
            terms,
            expires: self.now,
            unused_until: None,
            ground: Ground::Offer(offer.approval.clone()),
        };
        self.questions.push(Question {
            call: Digest::of(grant.id.as_str().as_bytes()),
            parties: CallParties { user: actor.user.clone(), agent_owner, tool_owner: None },
            rules: vec![offer.approval.clone()],
            asked_at: self.now,
            until: self.now.checked_add(within).map_err(|error| error.to_string())?,
            yes: BTreeSet::new(),
            voted: BTreeSet::new(),
            no: None,
            used: false,
            gives: Some((grant, offer.unused_secs)),
        });
        Ok(Seen { verdict: Some(Verdict::Ask), ask: vec![offer.approval], ..Seen::default() })
    }

    /// From now on, for as long as its terms say.
    fn give(&mut self, grant: AccessGrant, unused_secs: Option<u64>) {
        let later = |secs: u64| {
            let secs = SignedDuration::from_secs(i64::try_from(secs).expect("a duration"));
            self.now.checked_add(secs).expect("a time")
        };
        let (expires, unused_until) = (later(grant.terms.secs), unused_secs.map(later));
        self.grants.push(AccessGrant { expires, unused_until, ..grant });
    }

    /// A request in the agent's place, with the yes of whoever gives.
    fn given(&mut self, step: &AccessStep, by: &OperatorId) -> Result<Seen, String> {
        let (asked, before) = (self.request(step)?, self.grants.len());
        if asked.verdict != Some(Verdict::Ask) {
            return Ok(asked);
        }
        if let Err(refusal) = self.vote(by, None, None) {
            self.questions.pop();
            return Err(refusal);
        }
        let granted = self.grants.len() > before;
        Ok(if granted { Seen { verdict: Some(Verdict::Allow), ..Seen::default() } } else { asked })
    }

    fn revoke(&mut self, agent: &AgentId) -> Result<Seen, String> {
        let newest = self.grants.iter().rposition(|grant| grant.agent == *agent);
        self.grants.remove(newest.ok_or_else(|| format!("{agent} was given nothing"))?);
        Ok(Seen::default())
    }

    fn break_glass(&mut self, name: &RuleId, by: &OperatorId) -> Result<Seen, String> {
        let person = self.person(by);
        let glass = self.snapshot.glass(name).ok_or("no emergency is declared")?;
        if !glass.people.iter().any(|voter| voter.is(&person, self.now)) {
            return Err(format!("`{name}` may not be used by {by}"));
        }
        let grant = AccessGrant {
            id: GrantId::parse(&format!("g_glass_{}", self.grants.len())).map_err(|error| error.to_string())?,
            agent: glass.agents.first().ok_or("it is for no agent")?.clone(),
            whom: Whom::Anybody,
            terms: glass.terms.clone(),
            expires: self.now,
            unused_until: None,
            ground: Ground::BreakGlass(name.clone()),
        };
        self.give(grant, None);
        Ok(Seen::default())
    }
}

fn denied(code: Code, reason: String) -> Seen {
    Seen { verdict: Some(Verdict::Deny), code: Some(code), reason, ..Seen::default() }
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
            Deed::Request(step) => self.request(step),
            Deed::Grant { access, by } => self.given(access, by),
            Deed::Revoke { agent, .. } => self.revoke(agent),
            Deed::BreakGlass { name, by } => self.break_glass(name, by),
            Deed::Delegate { to, rule, by } => {
                self.lent.push(Lent { from: by.clone(), to: to.clone(), rule: rule.clone() });
                Ok(Seen::default())
            }
        }
    }
}

fn halt(target: HaltTarget, since: Timestamp) -> Halt {
    Halt { target, by: "rehearsal".into(), reason: "as the scenario says".into(), since }
}

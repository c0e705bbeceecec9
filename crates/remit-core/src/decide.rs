//! The decision. Read this first.
//!
//! [`decide`] answers from the compiled authority and the facts it is given, and from nothing else.
//! Every link of the caller's chain has to be allowed. What people could still approve is asked
//! for; everything else that stands in the way denies. How that is asked is in `ask`, what rests on grants
//! and broken glass in `granted`.

mod ask;
mod granted;
mod refusals;
mod visible;

use jiff::Timestamp;

use crate::access::AccessGrant;
use crate::authority::remit::{Grant, Limit, Remit};
use crate::authority::{Facts, Profile, Slice, Snapshot, Standing};
use crate::budget::{BudgetKey, BudgetState, Reservation, Unit};
use crate::call::Call;
use crate::cedar::Context;
use crate::halt::Halt;
use crate::identity::Link;
use crate::ids::RuleId;
use crate::labels::Labels;
use crate::origin::Origin;
use crate::verdict::{Code, Decision, Refusal, Verdict};
use refusals::{exhausted, no_permit};
pub use visible::visible;

/// What the store knows that matters to one call, read at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFile {
    /// The run.
    pub run: RunFacts,
    /// The state of every budget that [`Snapshot::budgets`] named.
    pub budgets: Vec<BudgetState>,
    /// Approval rules satisfied for exactly this call, under their present definitions.
    pub approved: Vec<RuleId>,
    /// Why a person refused exactly this call, when one did.
    pub refused: Option<String>,
    /// Why a person put another call in the place of exactly this one, when one did.
    pub narrowed: Option<String>,
    /// The halts in force.
    pub halts: Vec<Halt>,
    /// Where the values of each argument came from, when a policy at hand reads that.
    pub origins: Vec<(String, Origin)>,
    /// Grants of the calling agent that concern the tool.
    pub grants: Vec<AccessGrant>,
}

/// What a run has seen and spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFacts {
    /// Labels of everything its calls returned.
    pub labels: Labels,
    /// Calls admitted.
    pub calls: u64,
    /// Money settled, in micro-USD.
    pub spend: u64,
    /// The environment it declared.
    pub environment: Option<String>,
    /// The release phase it declared.
    pub release_phase: Option<String>,
    /// Whether it was closed.
    pub closed: bool,
}

impl RunFacts {
    /// A run that has done nothing yet.
    #[must_use]
    pub fn fresh() -> Self {
        Self { labels: Labels::none(), calls: 0, spend: 0, environment: None, release_phase: None, closed: false }
    }
}

/// Decides one call: from the authority, the case and the moment, and from nothing else.
#[must_use]
pub fn decide(snapshot: &Snapshot, call: &Call, case: &CaseFile, now: Timestamp) -> Decision {
    let mut decision = Decision {
        verdict: Verdict::Deny(Refusal::new(Code::Internal, "no verdict was reached")),
        policies: Vec::new(),
        observed: Vec::new(),
        warnings: Vec::new(),
        snapshot: snapshot.digest(),
    };
    decision.verdict = match stopped(call, case) {
        Some(refusal) => Verdict::Deny(refusal),
        None => Bench::convene(snapshot, call, case, now)
            .and_then(|bench| bench.verdict(&mut decision))
            .unwrap_or_else(Verdict::Deny),
    };
    decision
}

fn stopped(call: &Call, case: &CaseFile) -> Option<Refusal> {
    if let Some(halt) = case.halts.iter().find(|halt| halt.target.stops(call)) {
        return Some(Refusal::new(Code::Halted, format!("{} is halted: {}", halt.target, halt.reason)));
    }
    if case.run.closed {
        return Some(Refusal::new(Code::RunClosed, "the run was closed"));
    }
    if let Some(why) = &case.refused {
        return Some(Refusal::new(Code::ApprovalDenied, format!("a person refused this call: {why}")));
    }
    let changed = |why| format!("a person has changed the arguments of this call: {why}");
    case.narrowed.as_ref().map(|why| Refusal::new(Code::ApprovalNarrowed, changed(why)))
}

fn expired(remit: &Remit, now: Timestamp) -> bool {
    remit.expires.is_some_and(|at| at <= now)
}

/// Everything one decision works with.
struct Bench<'a> {
    snapshot: &'a Snapshot,
    call: &'a Call,
    case: &'a CaseFile,
    now: Timestamp,
    facts: Facts,
    standing: Standing<'a>,
}

/// What one link's authority rests on.
#[derive(Default)]
struct Grounds {
    policies: Vec<String>,
    reservations: Vec<Reservation>,
    /// The rule of the grant that was used.
    approval: Option<RuleId>,
    /// A refusal that was only observed.
    observed: Option<Refusal>,
    /// Whether it rests on a grant and not on the link's own remits.
    granted: bool,
}

impl<'a> Bench<'a> {
    fn convene(snapshot: &'a Snapshot, call: &'a Call, case: &'a CaseFile, now: Timestamp) -> Result<Self, Refusal> {
        let given = Some((&call.arguments, &call.resource));
        let facts = Facts::gather(snapshot, &call.caller, &call.tool, given, (&case.run, &case.origins), now)
            .map_err(|text| Refusal::new(Code::PolicyError, text))?;
        Ok(Self { snapshot, call, case, now, facts, standing: snapshot.standing(&call.caller) })
    }

    /// With the real facts; and if those deny, once more with every approval rule satisfied.
    /// Denied twice: the second reasons are the honest ones, no approval would help.
    fn verdict(&self, decision: &mut Decision) -> Result<Verdict, Refusal> {
        self.observe(decision);
        let refusal = match self.assess(&self.case.approved, None) {
            Ok(grounds) => return self.allow(decision, grounds),
            Err(refusal) => refusal,
        };
        if let Some(grounds) = self.emergency() {
            return self.allow(decision, grounds);
        }
        let mut everything = self.rules();
        everything.extend(self.case.approved.iter().cloned());
        match self.assess(&everything, None) {
            Ok(grounds) => self.ask(decision, grounds, refusal),
            Err(refusal) => Err(self.requestable(refusal)),
        }
    }

    /// The policies that can matter to a link. Where the agent holds the tool by a grant alone, those are
    /// the guardrails: nothing lifts them.
    fn slice(&self, link: &Link, profile: &'a Profile) -> Option<&'a Slice> {
        let tool = &self.call.tool.name;
        let granted = || (*link == self.own() && self.granting().next().is_some()).then(|| self.snapshot.bare(tool));
        self.snapshot.slice(profile, tool).or_else(|| granted().flatten())
    }

    /// Every approval rule that any of the policies at hand reads.
    fn rules(&self) -> Vec<RuleId> {
        let mut rules = Vec::new();
        for (link, profile) in &self.standing.links {
            rules.extend(self.slice(link, profile).into_iter().flat_map(|s| s.rules.clone()));
        }
        if let Some((_, profile)) = self.owner().filter(|_| self.granting().next().is_some()) {
            rules.extend(self.snapshot.slice(profile, &self.call.tool.name).into_iter().flat_map(|s| s.rules.clone()));
        }
        rules.sort();
        rules.dedup();
        rules
    }

    /// The grounds of every link, or the first refusal. Authority is the intersection of the links; where
    /// the agent's own rests on a grant, that of the team that owns the agent is one more, at the end.
    fn assess(&self, approved: &[RuleId], glass: Option<&AccessGrant>) -> Result<Vec<Grounds>, Refusal> {
        let context = self.facts.context(approved);
        let mut grounds = Vec::with_capacity(self.standing.links.len() + 1);
        for (link, profile) in &self.standing.links {
            let observes = profile.observes(self.snapshot);
            let slice = self.slice(link, profile);
            let found = match (slice, glass.filter(|_| *link == self.own())) {
                (Some(slice), Some(glass)) => self.barred(link, slice, &context).and_then(|()| self.draw(glass)),
                (Some(slice), None) => self.link(link, slice, &context).or_else(|refusal| self.granted(link, refusal)),
                (None, _) => Err(no_permit(link, self.call, None)),
            };
            grounds.push(match found {
                Ok(grounds) => grounds,
                // A remit in `observe` refuses nothing by being silent; guardrails still bind, and a broken
                // glass skips nothing that it is not charged for.
                Err(refusal)
                    if observes
                        && glass.is_none()
                        && !matches!(refusal.code, Code::PolicyGuardrail | Code::PolicyError) =>
                {
                    Grounds { observed: Some(refusal), ..Grounds::default() }
                }
                Err(refusal) => return Err(Refusal { factor: Some(link.clone()), ..refusal }),
            });
        }
        if grounds.iter().any(|ground| ground.granted) {
            grounds.extend(self.assess_owner(&context)?);
        }
        self.tenant(&mut grounds)?;
        Ok(grounds)
    }

    /// One link: errors deny, then forbids, then the first permit whose budgets have room.
    ///
    /// Permits that need nothing more come first. When one of them matches, those that would need an
    /// approval are not looked at: no approval buys a budget that is used up.
    fn link(&self, link: &Link, slice: &Slice, context: &Context) -> Result<Grounds, Refusal> {
        let finding = self
            .facts
            .evaluate(link, &slice.policies, context)
            .map_err(|text| Refusal::new(Code::PolicyError, text))?;
        if let Some(first) = finding.forbids.first() {
            return Err(self.guardrail(slice, first));
        }
        let matching = slice.permits.iter().filter(|(id, ..)| finding.permits.contains(id));
        let matching = matching.filter_map(|(id, r, g)| self.snapshot.grant(*r, *g).map(|(r, g)| (id, r, g)));
        let (current, lapsed): (Vec<_>, Vec<_>) = matching.partition(|(_, remit, _)| !expired(remit, self.now));
        let waits = |grant: &Grant| grant.approval.as_ref().is_some_and(|rule| !self.case.approved.contains(rule));
        let (waiting, ready): (Vec<_>, Vec<_>) = current.into_iter().partition(|(_, _, grant)| waits(grant));
        let mut refusal = None;
        for (id, remit, grant) in if ready.is_empty() { waiting } else { ready } {
            let holder = remit.holder.to_string();
            let own = format!("{holder}/{}", grant.id);
            match self.reserve([(holder.as_str(), &remit.limits), (own.as_str(), &grant.limits)]) {
                Ok(reservations) => {
                    let approval = grant.approval.clone();
                    return Ok(Grounds { policies: vec![id.clone()], reservations, approval, ..Grounds::default() });
                }
                Err(exhausted) => drop(refusal.get_or_insert(exhausted)),
            }
        }
        let lapsed = lapsed.first().map(|(_, remit, _)| {
            let text = format!("the remit of {} expired on {}", remit.holder, remit.expires.unwrap_or_default());
            Refusal::new(Code::RemitExpired, text)
        });
        Err(refusal.or(lapsed).unwrap_or_else(|| no_permit(link, self.call, Some((self.snapshot, slice)))))
    }

    fn guardrail(&self, slice: &Slice, id: &str) -> Refusal {
        let mut guardrails = slice.guardrails.iter().filter_map(|at| self.snapshot.guardrail(*at));
        let found = guardrails.find(|g| g.policy.id().to_string() == id);
        let reason = found.map_or_else(|| format!("{id} forbids it"), |g| format!("{} ({id})", g.reason));
        let refusal = Refusal::new(Code::PolicyGuardrail, reason);
        match found.and_then(|g| g.remedy.clone()) {
            Some(remedy) => refusal.with_remedy(remedy),
            None => refusal,
        }
    }

    /// The tenant's own limits bind whatever the links hold.
    fn tenant(&self, grounds: &mut [Grounds]) -> Result<(), Refusal> {
        let reservations = self.reserve([("tenant", self.snapshot.limits())])?;
        if let Some(first) = grounds.first_mut() {
            first.reservations.extend(reservations);
        }
        Ok(())
    }

    fn reserve<const N: usize>(&self, limits: [(&str, &[Limit]); N]) -> Result<Vec<Reservation>, Refusal> {
        let mut out = Vec::new();
        for (prefix, limit) in limits.into_iter().flat_map(|(prefix, limits)| limits.iter().map(move |l| (prefix, l))) {
            let key = crate::authority::budget(prefix, limit).key;
            let Some(state) = self.case.budgets.iter().find(|state| state.budget.key == key) else {
                return Err(Refusal::new(Code::Internal, format!("the state of budget `{key}` is unknown")));
            };
            if let Some(amount) = amount(state, self.call) {
                let object = (state.budget.unit == Unit::Objects).then(|| self.call.resource.name());
                let reservation = state.reserve(amount).map_err(|e| exhausted(&e))?;
                out.push(Reservation { object, ..reservation });
            }
        }
        Ok(out)
    }

    fn allow(&self, decision: &mut Decision, grounds: Vec<Grounds>) -> Result<Verdict, Refusal> {
        let mut reservations: Vec<Reservation> = Vec::new();
        let read = self.rules();
        for ground in grounds {
            decision.policies.extend(ground.policies);
            decision.observed.extend(ground.observed);
            for reservation in ground.reservations {
                if !reservations.iter().any(|known| known.key == reservation.key) {
                    reservations.push(reservation);
                }
            }
        }
        decision.warnings = self.warnings(&reservations);
        let approvals = self.case.approved.iter().filter(|rule| read.contains(rule)).cloned().collect();
        Ok(Verdict::Allow { reservations, approvals })
    }

    fn warnings(&self, reservations: &[Reservation]) -> Vec<BudgetKey> {
        let warns = |reservation: &&Reservation| {
            let state = self.case.budgets.iter().find(|state| state.budget.key == reservation.key);
            state.is_some_and(|s| {
                let used = s.settled.saturating_add(s.reserved).saturating_add(reservation.amount);
                s.budget.warn_at.is_some_and(|at| used >= at)
            })
        };
        reservations.iter().filter(warns).map(|r| r.key.clone()).collect()
    }

    /// What guardrails in `observe` would have said.
    fn observe(&self, decision: &mut Decision) {
        for (link, profile) in &self.standing.links {
            let slice = self.slice(link, profile);
            let Some(observed) = slice.and_then(|slice| slice.observed.as_ref()) else { continue };
            let refusal = match self.facts.evaluate(link, observed, &self.facts.context(&self.case.approved)) {
                Ok(finding) if finding.forbids.is_empty() => continue,
                Ok(finding) => {
                    Refusal::new(Code::PolicyGuardrail, format!("{} would forbid it", finding.forbids.join(", ")))
                }
                Err(text) => Refusal::new(Code::PolicyError, text),
            };
            decision.observed.push(Refusal { factor: Some(link.clone()), ..refusal });
        }
    }
}

/// How much of a budget this call needs; `None` when it does not draw on it.
fn amount(state: &BudgetState, call: &Call) -> Option<u64> {
    match state.budget.unit {
        Unit::Calls => Some(1),
        Unit::MicroUsd => (call.cost > 0).then_some(call.cost),
        Unit::Objects => (!state.object_known).then_some(1),
    }
}

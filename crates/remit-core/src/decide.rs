//! The decision. Read this first.
//!
//! [`decide`] answers from the compiled authority and the facts it is given, and from nothing else.
//! Every link of the caller's chain has to be allowed. What people could still approve is asked
//! for; everything else that stands in the way denies.

use jiff::Timestamp;

use crate::access::{AccessGrant, Ground};
use crate::authority::remit::{Grant, Limit, Remit};
use crate::authority::{Facts, Profile, Slice, Snapshot, Standing};
use crate::budget::{BudgetKey, BudgetState, Exhausted, Reservation, Unit};
use crate::call::Call;
use crate::cedar::Context;
use crate::halt::Halt;
use crate::identity::{Caller, Link};
use crate::ids::{RuleId, TeamId};
use crate::labels::Labels;
use crate::origin::Origin;
use crate::registry::Tool;
use crate::verdict::{Code, Decision, Refusal, Verdict};

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

/// Whether some arguments could be allowed to this caller now, approvals given, with the grants at hand.
/// This is what a list of tools shows; it never allows anything by itself.
#[must_use]
pub fn visible(
    snapshot: &Snapshot,
    caller: &Caller,
    tool: &Tool,
    run: &RunFacts,
    grants: &[AccessGrant],
    now: Timestamp,
) -> bool {
    let Ok(facts) = Facts::gather(snapshot, caller, tool, None, (run, &[]), now) else { return false };
    let satisfied = |slice: &Slice| facts.context(&slice.rules);
    let own = Link::Agent(caller.calling_agent().clone());
    let granted = grants.iter().any(|grant| grant.concerns(caller, &tool.name, now) && snapshot.backs(grant));
    snapshot.standing(caller).links.iter().all(|(link, profile)| {
        let granted = granted && *link == own;
        let bare = || granted.then(|| snapshot.bare(&tool.name)).flatten();
        let Some(slice) = snapshot.slice(profile, &tool.name).or_else(bare) else { return false };
        let current = |id: &String| {
            let held = slice.permits.iter().find(|(name, ..)| name == id);
            held.and_then(|(_, r, g)| snapshot.grant(*r, *g)).is_some_and(|(remit, _)| !expired(remit, now))
        };
        let Ok(finding) = facts.evaluate(link, &slice.fixed, &satisfied(slice)) else { return false };
        if !finding.forbids.is_empty() {
            return false;
        }
        granted
            || finding.permits.iter().any(current)
            || slice.variable.iter().any(current)
            || profile.observes(snapshot)
    })
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

    /// With the approvals for which a broken glass stands in. Then the agent's own link must rest on that
    /// grant, so that what is skipped is counted where it was declared.
    fn emergency(&self) -> Option<Vec<Grounds>> {
        self.granting().find_map(|grant| {
            let Ground::BreakGlass(name) = &grant.ground else { return None };
            let skipped = &self.snapshot.glass(name)?.instead_of;
            let approved: Vec<_> = self.case.approved.iter().chain(skipped).cloned().collect();
            if skipped.is_empty() { None } else { self.assess(&approved, Some(grant)).ok() }
        })
    }

    /// The refusal with what the agent may ask for, where that could help.
    fn requestable(&self, refusal: Refusal) -> Refusal {
        let own = refusal.code == Code::PolicyNoPermit && refusal.factor.as_ref() == Some(&self.own());
        let missing = own && self.granting().next().is_none();
        let remit = self.snapshot.remit(self.call.caller.calling_agent());
        let remit = remit.filter(|remit| missing && !expired(remit, self.now));
        let offers = remit.into_iter().flat_map(|remit| &remit.may_request);
        let offers: Vec<_> = offers.filter(|o| o.terms.cover(self.call, &self.case.run)).cloned().collect();
        let Some(first) = offers.first() else { return refusal };
        let remedy = format!("You may ask people for {} with `remit__request_access`. {}", first.terms, refusal.remedy);
        Refusal { may_request: offers.into(), ..refusal.with_remedy(remedy) }
    }

    /// The calling agent's own link.
    fn own(&self) -> Link {
        Link::Agent(self.call.caller.calling_agent().clone())
    }

    /// The grants that count for this call, oldest first: they cover it, have not ended, and the files
    /// still offer what they give.
    fn granting(&self) -> impl Iterator<Item = &'a AccessGrant> + '_ {
        self.case.grants.iter().filter(|grant| {
            let key = crate::authority::budget(&grant.holder(), &grant.limit()).key;
            let state = self.case.budgets.iter().find(|state| state.budget.key == key);
            // Without its counter nobody knows whether it was used.
            let over = state.is_none_or(|s| grant.over(s.settled.saturating_add(s.reserved), self.now));
            let offered = matches!(grant.ground, Ground::BreakGlass(_))
                || self.snapshot.remit(&grant.agent).is_some_and(|remit| !expired(remit, self.now));
            !over
                && offered
                && grant.concerns(&self.call.caller, &self.call.tool.name, self.now)
                && grant.terms.cover(self.call, &self.case.run)
                && self.snapshot.backs(grant)
        })
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

    /// What the link's own remits refused may rest on a grant, unless a policy forbids it: guardrails come
    /// first, and have been asked.
    fn granted(&self, link: &Link, refusal: Refusal) -> Result<Grounds, Refusal> {
        if *link != self.own() || !matches!(refusal.code, Code::PolicyNoPermit | Code::BudgetExhausted) {
            return Err(refusal);
        }
        let mut exhausted = None;
        for grant in self.granting() {
            match self.draw(grant) {
                Ok(grounds) => return Ok(grounds),
                Err(refusal) => drop(exhausted.get_or_insert(refusal)),
            }
        }
        Err(exhausted.unwrap_or(refusal))
    }

    /// What a call that rests on this grant reserves: on the grant, and on what limits the whole remit.
    fn draw(&self, grant: &AccessGrant) -> Result<Grounds, Refusal> {
        let remit = self.snapshot.remit(&grant.agent);
        let (holder, limits) = (self.own().to_string(), remit.map_or(&[][..], |remit| &remit.limits));
        let reservations = self.reserve([(holder.as_str(), limits), (grant.holder().as_str(), &[grant.limit()])])?;
        Ok(Grounds { policies: vec![grant.holder()], reservations, granted: true, ..Grounds::default() })
    }

    /// Guardrails and errors alone.
    fn barred(&self, link: &Link, slice: &Slice, context: &Context) -> Result<(), Refusal> {
        let finding = self.facts.evaluate(link, &slice.policies, context);
        let finding = finding.map_err(|text| Refusal::new(Code::PolicyError, text))?;
        finding.forbids.first().map_or(Ok(()), |first| Err(self.guardrail(slice, first)))
    }

    fn owner(&self) -> Option<(&'a TeamId, &'a Profile)> {
        self.snapshot.owner(self.call.caller.calling_agent())
    }

    /// A grant is never wider than what the agent's owner may do itself. A team that has no remit says
    /// nothing about that.
    fn assess_owner(&self, context: &Context) -> Result<Option<Grounds>, Refusal> {
        let Some((team, profile)) = self.owner() else { return Ok(None) };
        let own = self.own();
        let slice = self.snapshot.slice(profile, &self.call.tool.name);
        let found = slice.map_or_else(|| Err(no_permit(&own, self.call, None)), |s| self.link(&own, s, context));
        match found {
            Err(refusal) if profile.observes(self.snapshot) && refusal.code != Code::PolicyGuardrail => Ok(None),
            Err(refusal) if refusal.code == Code::PolicyNoPermit => {
                let reason = format!("team:{team}, which owns {own}, may not do this itself, so no grant can give it");
                let remedy = "Somebody with wider authority has to do it, or the team's remit has to be widened.";
                let refusal = Refusal::new(Code::PolicyNoPermit, reason).with_remedy(remedy);
                Err(Refusal { factor: Some(own), ..refusal })
            }
            found => found.map(Some),
        }
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

    /// For the approvals that made the difference: each forbid that stopped firing needs its own,
    /// and the first permit that came alive needs its own.
    fn ask(&self, decision: &mut Decision, grounds: Vec<Grounds>, refusal: Refusal) -> Result<Verdict, Refusal> {
        let mut needed = Vec::new();
        for (at, ground) in grounds.into_iter().enumerate() {
            needed.extend(ground.approval);
            decision.policies.extend(ground.policies);
            decision.observed.extend(ground.observed);
            // The owner's ground comes after those of the links, and meets the guardrails that the agent's met.
            let Some((link, profile)) = self.standing.links.get(at) else { continue };
            let Some(slice) = self.slice(link, profile) else { continue };
            for id in self.forbids(link, slice, &self.case.approved)? {
                needed.extend(self.satisfying(link, slice, &id)?);
                // One guardrail may stop several links; it is named once.
                if !decision.policies.contains(&id) {
                    decision.policies.push(id);
                }
            }
        }
        let mut rules: Vec<RuleId> = Vec::new();
        for rule in needed {
            if !self.case.approved.contains(&rule) && !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        if rules.is_empty() {
            return Err(Refusal::new(Code::Internal, "an approval is missing, and none was found to ask for"));
        }
        let names: Vec<_> = rules.iter().map(|rule| format!("`{rule}`")).collect();
        let why = if refusal.code == Code::PolicyGuardrail { format!(": {}", refusal.reason) } else { String::new() };
        let refusal = Refusal {
            code: Code::ApprovalRequired,
            reason: format!("{} must be approved by {} first{why}", self.call.tool.name, names.join(" and ")),
            remedy: Code::ApprovalRequired.remedy().into(),
            ..refusal
        };
        Ok(Verdict::Ask { rules, refusal })
    }

    fn forbids(&self, link: &Link, slice: &Slice, approved: &[RuleId]) -> Result<Vec<String>, Refusal> {
        let finding = self.facts.evaluate(link, &slice.policies, &self.facts.context(approved));
        finding.map(|f| f.forbids).map_err(|text| Refusal::new(Code::PolicyError, text))
    }

    /// The rules that stop one forbid: one of those it names, if one is enough, or else all of them.
    fn satisfying(&self, link: &Link, slice: &Slice, id: &str) -> Result<Vec<RuleId>, Refusal> {
        let mut guardrails = slice.guardrails.iter().filter_map(|at| self.snapshot.guardrail(*at));
        let Some(guardrail) = guardrails.find(|g| g.policy.id().to_string() == id) else { return Ok(Vec::new()) };
        for rule in &guardrail.rules {
            let mut with = self.case.approved.clone();
            with.push(rule.clone());
            if !self.forbids(link, slice, &with)?.iter().any(|still| still == id) {
                return Ok(vec![rule.clone()]);
            }
        }
        Ok(guardrail.rules.clone())
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

fn exhausted(e: &Exhausted) -> Refusal {
    let resets = e.resets.map_or_else(|| "it does not reset".to_owned(), |at| format!("it resets at {at}"));
    let reason = format!(
        "budget `{}` has used {} of {}, and this call needs {}; {resets}",
        e.key,
        e.unit.show(e.used),
        e.unit.show(e.limit),
        e.unit.show(e.needs),
    );
    let remedy = match (e.resets, e.needs > e.limit) {
        (_, true) => "The limit is smaller than this call: make the call smaller, or ask the owner for a higher limit."
            .to_owned(),
        (Some(at), false) => format!("Repeat the call after {at}."),
        (None, false) => "Ask the owner for a higher limit.".to_owned(),
    };
    let retry_at = e.resets.filter(|_| e.needs <= e.limit);
    Refusal { retry_at, ..Refusal::new(Code::BudgetExhausted, reason).with_remedy(remedy) }
}

/// Says whose authority is missing, and what the grants that come near would ask for.
fn no_permit(link: &Link, call: &Call, near: Option<(&Snapshot, &Slice)>) -> Refusal {
    let mut wants = Vec::new();
    if let Some((snapshot, slice)) = near {
        for (remit, grant) in slice.permits.iter().filter_map(|(_, r, g)| snapshot.grant(*r, *g)) {
            let bounds = grant.bounds.iter().map(|(d, values)| format!("{} in {values:?}", d.as_str()));
            let parts: Vec<_> = bounds.chain(grant.when.clone()).collect();
            let approval = grant.approval.as_ref().map(|rule| format!(", with approval `{rule}`")).unwrap_or_default();
            if remit.holder.to_string() == link.to_string() && !parts.is_empty() {
                wants.push(format!("{}{approval}", parts.join(" and ")));
            }
        }
    }
    let factor = Some(link.clone());
    if wants.is_empty() {
        let refusal = Refusal::new(Code::PolicyNoPermit, format!("no remit of {link} covers {}", call.tool.name));
        return Refusal { factor, ..refusal };
    }
    let reason = format!("the remit of {link} covers {}, but not this call", call.tool.name);
    let refusal =
        Refusal::new(Code::PolicyNoPermit, reason).with_remedy(format!("It would pass if {}.", wants.join("; or if ")));
    Refusal { factor, ..refusal }
}

//! What rests on a grant or on a broken glass, and not on the remits of the caller's chain.

use super::{Bench, Grounds, expired, no_permit};
use crate::access::{AccessGrant, Ground};
use crate::authority::{Profile, Slice};
use crate::cedar::Context;
use crate::identity::Link;
use crate::ids::TeamId;
use crate::verdict::{Code, Refusal};

impl<'a> Bench<'a> {
    /// With the approvals for which a broken glass stands in. Then the agent's own link must rest on that
    /// grant, so that what is skipped is counted where it was declared.
    pub(super) fn emergency(&self) -> Option<Vec<Grounds>> {
        self.granting().find_map(|grant| {
            let Ground::BreakGlass(name) = &grant.ground else { return None };
            let skipped = &self.snapshot.glass(name)?.instead_of;
            let approved: Vec<_> = self.case.approved.iter().chain(skipped).cloned().collect();
            if skipped.is_empty() { None } else { self.assess(&approved, Some(grant)).ok() }
        })
    }

    /// The refusal with what the agent may ask for, where that could help.
    pub(super) fn requestable(&self, refusal: Refusal) -> Refusal {
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
    pub(super) fn own(&self) -> Link {
        Link::Agent(self.call.caller.calling_agent().clone())
    }

    /// The grants that count for this call, oldest first: they cover it, have not ended, and the files
    /// still offer what they give.
    pub(super) fn granting(&self) -> impl Iterator<Item = &'a AccessGrant> + '_ {
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

    /// What the link's own remits refused may rest on a grant, unless a policy forbids it: guardrails come
    /// first, and have been asked.
    pub(super) fn granted(&self, link: &Link, refusal: Refusal) -> Result<Grounds, Refusal> {
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
    pub(super) fn draw(&self, grant: &AccessGrant) -> Result<Grounds, Refusal> {
        let remit = self.snapshot.remit(&grant.agent);
        let (holder, limits) = (self.own().to_string(), remit.map_or(&[][..], |remit| &remit.limits));
        let reservations = self.reserve([(holder.as_str(), limits), (grant.holder().as_str(), &[grant.limit()])])?;
        Ok(Grounds { policies: vec![grant.holder()], reservations, granted: true, ..Grounds::default() })
    }

    /// Guardrails and errors alone.
    pub(super) fn barred(&self, link: &Link, slice: &Slice, context: &Context) -> Result<(), Refusal> {
        let finding = self.facts.evaluate(link, &slice.policies, context);
        let finding = finding.map_err(|text| Refusal::new(Code::PolicyError, text))?;
        finding.forbids.first().map_or(Ok(()), |first| Err(self.guardrail(slice, first)))
    }

    pub(super) fn owner(&self) -> Option<(&'a TeamId, &'a Profile)> {
        self.snapshot.owner(self.call.caller.calling_agent())
    }

    /// A grant is never wider than what the agent's owner may do itself. A team that has no remit says
    /// nothing about that.
    pub(super) fn assess_owner(&self, context: &Context) -> Result<Option<Grounds>, Refusal> {
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
}

//! Which counters a call may draw on.

use jiff::Timestamp;

use super::index::Snapshot;
use super::remit::Limit;
use crate::access::AccessGrant;
use crate::budget::{Budget, BudgetKey, Span, Unit, Window};
use crate::call::Call;

impl Snapshot {
    /// Limits over everything that all agents do.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// Every budget that this call may draw on, whichever of its grants is used: the tenant's, each
    /// holder's, and each grant's. The third part names the object, for budgets that count objects.
    #[must_use]
    pub fn budgets(&self, call: &Call, now: Timestamp) -> Vec<(Budget, Span, Option<String>)> {
        self.budgets_with(call, &[], now)
    }

    /// As [`Snapshot::budgets`], for a call that may rest on one of these grants: theirs, everything over
    /// the agent's whole remit, and those of the team that owns the agent.
    #[must_use]
    pub fn budgets_with(
        &self,
        call: &Call,
        grants: &[AccessGrant],
        now: Timestamp,
    ) -> Vec<(Budget, Span, Option<String>)> {
        let mut out = Vec::new();
        let mut add = |prefix: &str, limits: &[Limit]| {
            for limit in limits {
                let budget = budget(prefix, limit);
                let span = budget.window.span(now, &self.calendar.zone, call.run.as_str());
                let object = (budget.unit == Unit::Objects).then(|| call.resource.name());
                if !out.iter().any(|(known, _, _): &(Budget, Span, Option<String>)| known.key == budget.key) {
                    out.push((budget, span, object));
                }
            }
        };
        add("tenant", &self.limits);
        let owner = self.owner(call.caller.calling_agent()).filter(|_| !grants.is_empty());
        if let Some(remit) = self.remit(call.caller.calling_agent()).filter(|_| !grants.is_empty()) {
            add(&remit.holder.to_string(), &remit.limits);
        }
        for grant in grants {
            add(&grant.holder(), &[grant.limit()]);
        }
        let links = self.standing(&call.caller).links.into_iter().map(|(_, profile)| profile);
        for profile in links.chain(owner.map(|(_, profile)| profile)) {
            for (remit, grant) in profile.matching(&call.tool.name) {
                let Some(held) = self.held.get(remit) else { continue };
                add(&held.remit.holder.to_string(), &held.remit.limits);
                if let Some(grant) = held.remit.grants.get(grant) {
                    add(&format!("{}/{}", held.remit.holder, grant.id), &grant.limits);
                }
            }
        }
        out
    }

    /// Every budget there is with its present span, except those that count per run.
    #[must_use]
    pub fn all_budgets(&self, now: Timestamp) -> Vec<(Budget, Span)> {
        let tenant = self.limits.iter().map(|limit| ("tenant".to_owned(), limit));
        let held = self.held.iter().flat_map(|held| {
            let holder = held.remit.holder.to_string();
            let own = held.remit.limits.iter().map({
                let holder = holder.clone();
                move |limit| (holder.clone(), limit)
            });
            own.chain(held.remit.grants.iter().flat_map(move |grant| {
                let name = format!("{holder}/{}", grant.id);
                grant.limits.iter().map(move |limit| (name.clone(), limit))
            }))
        });
        let budgets = tenant.chain(held).map(|(prefix, limit)| budget(&prefix, limit));
        let lasting = budgets.filter(|budget| budget.window != Window::Run);
        lasting
            .map(|b| {
                let span = b.window.span(now, &self.calendar.zone, "");
                (b, span)
            })
            .collect()
    }
}

/// A limit as a budget. The key says whose it is, what it counts and over which span.
pub(crate) fn budget(prefix: &str, limit: &Limit) -> Budget {
    Budget {
        key: BudgetKey(format!("{prefix}/{}/{}", limit.unit.as_str(), limit.window.as_str())),
        unit: limit.unit,
        window: limit.window,
        limit: limit.amount,
        warn_at: limit.warn_at,
    }
}

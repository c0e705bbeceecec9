//! What the files say of access for a while: who may hear of a tool, what a grant rests on, what is declared for
//! emergencies.

use super::index::Snapshot;
use super::slice::Profile;
use crate::access::{AccessGrant, BreakGlass, Ground, Offer};
use crate::identity::{Caller, Link};
use crate::ids::{AgentId, RuleId, TeamId};
use crate::registry::Tool;

impl Snapshot {
    /// Whether every link of the caller's chain holds something that covers the tool. To a caller
    /// for whom this is false the tool does not exist.
    #[must_use]
    pub fn holds(&self, caller: &Caller, tool: &Tool) -> bool {
        self.standing(caller).links.iter().all(|(_, profile)| profile.tools.contains_key(&tool.name))
    }

    /// Whether this caller may hear of the tool: every link holds something that covers it, but that the
    /// calling agent may also have been given it, or may ask for it.
    #[must_use]
    pub fn concedes(&self, caller: &Caller, tool: &Tool, grants: &[AccessGrant]) -> bool {
        let own = Link::Agent(caller.calling_agent().clone());
        let reachable = || {
            let offers = self.remit(caller.calling_agent()).into_iter().flat_map(|remit| &remit.may_request);
            offers.into_iter().any(|offer| offer.terms.name(&tool.name))
                || grants.iter().any(|grant| grant.terms.name(&tool.name) && self.backs(grant))
        };
        let mut links = self.standing(caller).links.into_iter();
        links.all(|(link, profile)| profile.tools.contains_key(&tool.name) || link == own && reachable())
    }

    /// Whether the files still offer what the grant gives. One that they do not counts for nothing.
    #[must_use]
    pub fn backs(&self, grant: &AccessGrant) -> bool {
        match &grant.ground {
            Ground::Offer(rule) => self.remit(&grant.agent).is_some_and(|remit| {
                let gives = |offer: &Offer| offer.approval == *rule && grant.terms.check_within(&offer.terms).is_ok();
                remit.may_request.iter().any(gives)
            }),
            Ground::BreakGlass(name) => self.glass(name).is_some_and(|glass| {
                glass.agents.contains(&grant.agent) && grant.terms.check_within(&glass.terms).is_ok()
            }),
        }
    }

    /// What was declared under this name for emergencies.
    #[must_use]
    pub fn glass(&self, name: &RuleId) -> Option<&BreakGlass> {
        self.break_glass.iter().find(|glass| glass.name == *name)
    }

    /// Everything that was declared for emergencies.
    #[must_use]
    pub fn break_glass(&self) -> &[BreakGlass] {
        &self.break_glass
    }

    /// The team that owns an agent, with what it holds itself, when it has a remit.
    pub(crate) fn owner(&self, agent: &AgentId) -> Option<(&TeamId, &Profile)> {
        let team = self.remit(agent)?.owner.as_ref()?;
        self.owners.get(team).map(|profile| (team, profile))
    }
}

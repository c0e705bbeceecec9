//! The compiled authority, and what each link of a caller's chain holds of it.
//!
//! The policies that can matter to one holder and tool are cut out in `slice`, so that the cost of a decision does not
//! grow with other agents' and other tools' policies.

use std::collections::HashMap;
use std::sync::Arc;

use super::guardrail::{Bound, Guardrail};
use super::permit::Permit;
use super::remit::{Grant, Holder, Limit, Remit, Stage};
use super::slice::{Entry, Profile};
use super::{Person, Tiers};
use crate::access::{AccessGrant, BreakGlass};
use crate::approval::ApprovalRule;
use crate::calendar::Calendar;
use crate::call::Call;
use crate::identity::{Caller, Link};
use crate::ids::{AgentId, Digest, RuleId, TeamId, TenantId, UserId, WorkflowId};
use crate::registry::Registry;

/// A remit with its compiled grants.
#[derive(Debug)]
pub(crate) struct Held {
    pub remit: Remit,
    /// In the order of the remit's grants.
    pub covered: Vec<Covered>,
}

/// One grant, compiled.
#[derive(Debug)]
pub(crate) struct Covered {
    pub policies: Vec<Permit>,
}

/// A caller's place in the authority: for each link, what it holds.
#[derive(Debug)]
pub struct Standing<'s> {
    pub(crate) links: Vec<(Link, &'s Profile)>,
}

/// The compiled authority: registry, remits, guardrails, rules, budgets and calendar, with the digest of their texts.
#[derive(Debug)]
pub struct Snapshot {
    pub(super) digest: Digest,
    pub(super) tenant: TenantId,
    pub(super) calendar: Calendar,
    pub(super) rules: HashMap<RuleId, (ApprovalRule, Digest)>,
    pub(super) limits: Vec<Limit>,
    pub(super) registry: Registry,
    pub(super) held: Vec<Held>,
    pub(super) guardrails: Vec<Guardrail>,
    pub(super) tiers: Tiers,
    pub(super) agents: HashMap<AgentId, Profile>,
    pub(super) workflows: HashMap<WorkflowId, Profile>,
    pub(super) users: HashMap<UserId, (Vec<TeamId>, Arc<Profile>)>,
    pub(super) any_user: Arc<Profile>,
    /// What teams hold that own agents: a grant is never wider than that.
    pub(super) owners: HashMap<TeamId, Profile>,
    /// Nothing but guardrails, for tools that a link holds by a grant alone.
    pub(super) bare: Profile,
    pub(super) nothing: Profile,
    pub(super) break_glass: Vec<BreakGlass>,
}

fn find(held: &[Held], holder: &Holder) -> Option<usize> {
    held.iter().position(|h| h.remit.holder == *holder)
}

/// What each user holds: their own remit, those of their teams, and what everybody holds.
fn users(
    people: Vec<Person>,
    (any, any_user): (&[usize], &Arc<Profile>),
    held: &[Held],
    registry: &Registry,
) -> HashMap<UserId, (Vec<TeamId>, Arc<Profile>)> {
    // People with the same remits share a profile.
    let mut profiles: HashMap<Vec<usize>, Arc<Profile>> = HashMap::from([(any.to_vec(), any_user.clone())]);
    let mut users = HashMap::new();
    let alone = held.iter().filter_map(|h| match &h.remit.holder {
        Holder::User(id) => Some((id.clone(), Vec::new())),
        _ => None,
    });
    // Who has teams comes last, and so replaces what they hold alone.
    for (id, teams) in alone.chain(people.into_iter().map(|person| (person.id, person.teams))) {
        let own = find(held, &Holder::User(id.clone())).into_iter();
        let team = teams.iter().filter_map(|team| find(held, &Holder::Team(team.clone())));
        let indices: Vec<usize> = own.chain(team).chain(any.iter().copied()).collect();
        let profile =
            profiles.entry(indices.clone()).or_insert_with(|| Arc::new(Profile::new(indices, held, registry)));
        users.insert(id, (teams, profile.clone()));
    }
    users
}

impl Snapshot {
    #[expect(clippy::too_many_arguments, reason = "called once, by the compiler, with everything there is")]
    pub(crate) fn new(
        digest: Digest,
        tenant: TenantId,
        calendar: Calendar,
        rules: HashMap<RuleId, ApprovalRule>,
        limits: Vec<Limit>,
        people: Vec<Person>,
        break_glass: Vec<BreakGlass>,
        held: Vec<Held>,
        guardrails: Vec<Guardrail>,
        tiers: Tiers,
        registry: Registry,
    ) -> Self {
        let rules = rules.into_iter().map(|(id, rule)| (id, (rule.clone(), rule.digest()))).collect();
        let mut agents = HashMap::new();
        let mut workflows = HashMap::new();
        let mut owners = HashMap::new();
        for (at, h) in held.iter().enumerate() {
            match &h.remit.holder {
                Holder::Agent(id) => drop(agents.insert(id.clone(), Profile::new(vec![at], &held, &registry))),
                Holder::Workflow(id) => drop(workflows.insert(id.clone(), Profile::new(vec![at], &held, &registry))),
                Holder::Team(id) => drop(owners.insert(id.clone(), Profile::new(vec![at], &held, &registry))),
                Holder::User(_) | Holder::AnyUser => {}
            }
        }
        let any: Vec<usize> = find(&held, &Holder::AnyUser).into_iter().collect();
        let any_user = Arc::new(Profile::new(any.clone(), &held, &registry));
        let users = users(people, (&any, &any_user), &held, &registry);
        let nothing = Profile::new(Vec::new(), &held, &registry);
        let every = registry.tools().iter().map(|tool| (tool.name.clone(), Entry::new()));
        let bare = Profile { held: Vec::new(), tools: every.collect() };
        Self {
            digest,
            tenant,
            calendar,
            rules,
            limits,
            registry,
            held,
            guardrails,
            tiers,
            agents,
            workflows,
            users,
            any_user,
            owners,
            bare,
            nothing,
            break_glass,
        }
    }

    /// Digest over the texts this was compiled from.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The organisation.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Its calendar.
    #[must_use]
    pub const fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// What is asked of a call by its risk.
    #[must_use]
    pub const fn tiers(&self) -> &Tiers {
        &self.tiers
    }

    /// The tools.
    #[must_use]
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// An approval rule.
    #[must_use]
    pub fn rule(&self, id: &RuleId) -> Option<&ApprovalRule> {
        self.rules.get(id).map(|(rule, _)| rule)
    }

    /// Every approval rule that any policy reads that can matter to this call, with the digest of
    /// its present definition.
    #[must_use]
    pub fn rules(&self, call: &Call) -> Vec<(&ApprovalRule, Digest)> {
        self.rules_with(call, &[])
    }

    /// As [`Snapshot::rules`], for a call that may rest on one of these grants.
    #[must_use]
    pub fn rules_with(&self, call: &Call, grants: &[AccessGrant]) -> Vec<(&ApprovalRule, Digest)> {
        let mut out: Vec<(&ApprovalRule, Digest)> = Vec::new();
        let standing = self.standing(&call.caller);
        let granted = (!grants.is_empty()).then_some(&self.bare);
        let owner = granted.and_then(|_| self.owner(call.caller.calling_agent())).map(|(_, profile)| profile);
        for profile in standing.links.iter().map(|(_, profile)| *profile).chain(granted).chain(owner) {
            for rule in self.slice(profile, &call.tool.name).into_iter().flat_map(|slice| &slice.rules) {
                let Some((rule, digest)) = self.rules.get(rule) else { continue };
                if !out.iter().any(|(known, _)| known.id == rule.id) {
                    out.push((rule, *digest));
                }
            }
        }
        out
    }

    /// The remit of an agent.
    #[must_use]
    pub fn remit(&self, agent: &AgentId) -> Option<&Remit> {
        self.agents
            .get(agent)
            .and_then(|profile| profile.held.first())
            .and_then(|at| self.held.get(*at))
            .map(|h| &h.remit)
    }

    /// All remits, in the order in which they count.
    pub fn remits(&self) -> impl Iterator<Item = &Remit> {
        self.held.iter().map(|h| &h.remit)
    }

    /// The compiled permits as Cedar text, for review and for analysers.
    pub fn permits(&self) -> impl Iterator<Item = String> + '_ {
        let held = self.held.iter().flat_map(|h| h.covered.iter().map(move |c| (&h.remit.holder, c)));
        held.flat_map(|(holder, covered)| covered.policies.iter().map(move |permit| permit.whole(holder)))
    }

    /// The teams of a user, as configured.
    #[must_use]
    pub fn teams_of(&self, user: &UserId) -> &[TeamId] {
        self.users.get(user).map_or(&[], |(teams, _)| teams)
    }

    /// How far an agent is trusted.
    #[must_use]
    pub fn stage(&self, agent: &AgentId) -> Stage {
        self.remit(agent).map_or(Stage::Sandbox, |remit| remit.stage)
    }

    /// What every link of the caller's chain holds.
    #[must_use]
    pub fn standing(&self, caller: &Caller) -> Standing<'_> {
        let profile = |link: &Link| match link {
            Link::Agent(id) => self.agents.get(id).unwrap_or(&self.nothing),
            Link::Workflow(id) => self.workflows.get(id).unwrap_or(&self.nothing),
            Link::User(id) => self.users.get(id).map_or(&*self.any_user, |(_, profile)| profile),
        };
        Standing { links: caller.links().map(|link| (profile(&link), link)).map(|(p, l)| (l, p)).collect() }
    }

    /// Every approval rule, sorted by name.
    pub fn all_rules(&self) -> impl Iterator<Item = &ApprovalRule> {
        let mut all: Vec<_> = self.rules.values().map(|(rule, _)| rule).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all.into_iter()
    }

    /// The users whose teams are configured, sorted, and their teams.
    pub(crate) fn members(&self) -> Vec<(&UserId, &[TeamId])> {
        let mut all: Vec<_> = self.users.iter().map(|(id, (teams, _))| (id, teams.as_slice())).collect();
        all.sort();
        all
    }

    pub(crate) fn guardrails(&self) -> &[Guardrail] {
        &self.guardrails
    }

    /// The guardrails, in the order of their files.
    pub fn bounds(&self) -> impl Iterator<Item = Bound<'_>> {
        self.guardrails.iter().map(Bound)
    }

    pub(crate) fn grant(&self, remit: usize, grant: usize) -> Option<(&Remit, &Grant)> {
        let held = self.held.get(remit)?;
        Some((&held.remit, held.remit.grants.get(grant)?))
    }

    pub(crate) fn guardrail(&self, at: usize) -> Option<&Guardrail> {
        self.guardrails.get(at)
    }
}

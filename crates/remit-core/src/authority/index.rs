//! The compiled authority, sliced: for each holder and tool only the policies that can matter. The
//! cost of a decision does not grow with other agents' and other tools' policies.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use cedar_policy::{Effect, Policy, PolicySet, ResourceConstraint};
use jiff::Timestamp;
use serde_json::Value;

use crate::access::{AccessGrant, BreakGlass, Ground, Offer};
use crate::approval::ApprovalRule;
use crate::authority::guardrail::{Bound, Guardrail};
use crate::authority::permit::Permit;
use crate::authority::remit::{Grant, Holder, Limit, Mode, Remit, Stage};
use crate::authority::{Person, Tiers};
use crate::budget::{Budget, BudgetKey, Span, Unit};
use crate::calendar::Calendar;
use crate::call::Call;
use crate::cedar::Entities;
use crate::identity::{Caller, Link};
use crate::ids::{AgentId, Digest, RuleId, TeamId, TenantId, ToolName, UserId, WorkflowId};
use crate::registry::{Registry, Tool};

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

/// What one link of a chain holds: the remits that count for it, in order, and per tool the slice.
#[derive(Debug)]
pub(crate) struct Profile {
    held: Vec<usize>,
    tools: HashMap<ToolName, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// (index of the remit, index of the grant, index of the policy within the grant).
    grants: Vec<(usize, usize, usize)>,
    /// Built when the tool is first asked for: most combinations never are.
    slice: OnceLock<Slice>,
}

/// The policies that can matter when this link calls this tool.
#[derive(Debug)]
pub(crate) struct Slice {
    pub policies: PolicySet,
    /// Of those, the ones that read neither arguments nor resource: what they say holds for every call.
    pub fixed: PolicySet,
    /// The permits that do read them.
    pub variable: Vec<String>,
    /// Guardrails in `observe` mode, when there are any.
    pub observed: Option<PolicySet>,
    /// Where the holder is one agent: that agent's and the tool's entities.
    pub base: Option<Entities>,
    /// The permits, in the order in which they count: policy name, remit and grant.
    pub permits: Vec<(String, usize, usize)>,
    /// Indices of the guardrails.
    pub guardrails: Vec<usize>,
    /// Every approval rule that any of these policies reads.
    pub rules: Vec<RuleId>,
    /// Whether any of these policies reads where the arguments came from.
    pub reads_origins: bool,
}

/// A caller's place in the authority: for each link, what it holds.
#[derive(Debug)]
pub struct Standing<'s> {
    pub(crate) links: Vec<(Link, &'s Profile)>,
}

/// The compiled authority: registry, remits, guardrails, rules, budgets and calendar, with the digest of their texts.
#[derive(Debug)]
pub struct Snapshot {
    digest: Digest,
    tenant: TenantId,
    calendar: Calendar,
    rules: HashMap<RuleId, (ApprovalRule, Digest)>,
    limits: Vec<Limit>,
    registry: Registry,
    held: Vec<Held>,
    guardrails: Vec<Guardrail>,
    tiers: Tiers,
    agents: HashMap<AgentId, Profile>,
    workflows: HashMap<WorkflowId, Profile>,
    users: HashMap<UserId, (Vec<TeamId>, Arc<Profile>)>,
    any_user: Arc<Profile>,
    /// What teams hold that own agents: a grant is never wider than that.
    owners: HashMap<TeamId, Profile>,
    /// Nothing but guardrails, for tools that a link holds by a grant alone.
    bare: Profile,
    nothing: Profile,
    break_glass: Vec<BreakGlass>,
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
        let find = |holder: &Holder| held.iter().position(|h| h.remit.holder == *holder);
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
        let any: Vec<usize> = find(&Holder::AnyUser).into_iter().collect();
        let any_user = Arc::new(Profile::new(any.clone(), &held, &registry));
        // People with the same remits share a profile.
        let mut profiles: HashMap<Vec<usize>, Arc<Profile>> = HashMap::from([(any.clone(), any_user.clone())]);
        let mut users = HashMap::new();
        let mut add = |id: UserId, teams: Vec<TeamId>| {
            let own = find(&Holder::User(id.clone())).into_iter();
            let team = teams.iter().filter_map(|team| find(&Holder::Team(team.clone())));
            let indices: Vec<usize> = own.chain(team).chain(any.iter().copied()).collect();
            let profile =
                profiles.entry(indices.clone()).or_insert_with(|| Arc::new(Profile::new(indices, &held, &registry)));
            users.insert(id, (teams, profile.clone()));
        };
        for h in &held {
            if let Holder::User(id) = &h.remit.holder {
                add(id.clone(), Vec::new());
            }
        }
        for person in people {
            add(person.id, person.teams);
        }
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

    /// The guardrails that can match a tool, and nothing else.
    pub(crate) fn bare(&self, tool: &ToolName) -> Option<&Slice> {
        self.slice(&self.bare, tool)
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
        let lasting = budgets.filter(|budget| budget.window != crate::budget::Window::Run);
        lasting
            .map(|b| {
                let span = b.window.span(now, &self.calendar.zone, "");
                (b, span)
            })
            .collect()
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

    /// Limits over everything that all agents do.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// The entities that every call of this tool by this agent has.
    pub(crate) fn base(&self, caller: &Caller, tool: &Tool) -> Option<&Entities> {
        let profile = self.agents.get(caller.calling_agent())?;
        self.slice(profile, &tool.name)?.base.as_ref()
    }

    pub(crate) fn grant(&self, remit: usize, grant: usize) -> Option<(&Remit, &Grant)> {
        let held = self.held.get(remit)?;
        Some((&held.remit, held.remit.grants.get(grant)?))
    }

    pub(crate) fn guardrail(&self, at: usize) -> Option<&Guardrail> {
        self.guardrails.get(at)
    }

    /// Whether any policy that can matter to this call reads where its arguments came from. Then, and only
    /// then, a case needs [`CaseFile::origins`](crate::CaseFile::origins).
    #[must_use]
    pub fn reads_origins(&self, call: &Call) -> bool {
        let standing = self.standing(&call.caller);
        // The guardrails by themselves, too: a grant may be all that the calling agent holds.
        let profiles = standing.links.iter().map(|(_, profile)| *profile).chain([&self.bare]);
        let mut slices = profiles.filter_map(|profile| self.slice(profile, &call.tool.name));
        slices.any(|slice| slice.reads_origins)
    }

    /// The slice for one link and tool; `None` when nothing the link holds covers the tool.
    pub(crate) fn slice<'s>(&'s self, profile: &'s Profile, tool: &ToolName) -> Option<&'s Slice> {
        let entry = profile.tools.get(tool)?;
        let tool = self.registry.tool(tool)?;
        Some(entry.slice.get_or_init(|| {
            let mut permits = Vec::with_capacity(entry.grants.len());
            let mut binding = Vec::with_capacity(entry.grants.len());
            let mut rules: Vec<RuleId> = Vec::new();
            for &(remit, grant, policy) in &entry.grants {
                let Some(held) = self.held.get(remit) else { continue };
                let permit = held.covered.get(grant).and_then(|covered| covered.policies.get(policy));
                let Some(policy) = permit.and_then(|permit| permit.policy(&held.remit.holder, &tool.name)) else {
                    continue;
                };
                permits.push((policy.id().to_string(), remit, grant));
                binding.push(policy);
                rules.extend(held.remit.grants.get(grant).and_then(|g| g.approval.clone()));
            }
            let mut observed = Vec::new();
            let mut guardrails = Vec::new();
            for (at, guardrail) in self.guardrails.iter().enumerate().filter(|(_, g)| g.concerns(tool)) {
                match guardrail.mode {
                    Mode::Observe => observed.push(guardrail.policy.clone()),
                    Mode::Enforce => {
                        rules.extend(guardrail.rules.iter().cloned());
                        guardrails.push(at);
                        binding.push(guardrail.policy.clone());
                    }
                }
            }
            rules.sort();
            rules.dedup();
            // Policy names are unique over the whole authority, so building a set cannot fail; were
            // it to, the empty set denies.
            let reads_origins = binding.iter().chain(&observed).any(|policy| reads(policy, &["origin"]));
            let (variable, fixed): (Vec<Policy>, Vec<Policy>) = binding.iter().cloned().partition(varies);
            let permitting = variable.iter().filter(|p| p.effect() == Effect::Permit);
            let variable = permitting.map(|p| p.id().to_string()).collect();
            let fixed = PolicySet::from_policies(fixed).unwrap_or_default();
            let policies = PolicySet::from_policies(binding).unwrap_or_default();
            let observed = (!observed.is_empty()).then(|| PolicySet::from_policies(observed).unwrap_or_default());
            let agent = profile.held.first().and_then(|at| self.held.get(*at)).map(|held| &held.remit.holder);
            let base = match agent {
                Some(Holder::Agent(id)) => super::facts::base(self, Some(id), tool).ok(),
                _ => None,
            };
            Slice { policies, fixed, variable, observed, base, permits, guardrails, rules, reads_origins }
        }))
    }
}

impl Profile {
    fn new(held: Vec<usize>, all: &[Held], registry: &Registry) -> Self {
        let mut tools: HashMap<ToolName, Entry> = HashMap::new();
        // Where a remit only observes, calls it does not cover go ahead, and guardrails must still be asked.
        if held.iter().filter_map(|at| all.get(*at)).any(|h| h.remit.mode == Mode::Observe) {
            tools.extend(registry.tools().iter().map(|tool| (tool.name.clone(), Entry::new())));
        }
        for &remit in &held {
            let Some(h) = all.get(remit) else { continue };
            for (grant, covered) in h.covered.iter().enumerate() {
                for (policy, permit) in covered.policies.iter().enumerate() {
                    for name in &permit.tools {
                        let entry = tools.entry(name.clone()).or_insert_with(Entry::new);
                        entry.grants.push((remit, grant, policy));
                    }
                }
            }
        }
        Self { held, tools }
    }

    /// Whether a remit in `observe` is among what is held.
    pub fn observes(&self, snapshot: &Snapshot) -> bool {
        self.held.iter().filter_map(|at| snapshot.held.get(*at)).any(|h| h.remit.mode == Mode::Observe)
    }

    /// Remit and grant of everything held that covers this tool.
    fn matching(&self, tool: &ToolName) -> impl Iterator<Item = (usize, usize)> + '_ {
        let entry = self.tools.get(tool);
        entry.into_iter().flat_map(|e| &e.grants).map(|(remit, grant, _)| (*remit, *grant))
    }
}

impl Entry {
    const fn new() -> Self {
        Self { grants: Vec::new(), slice: OnceLock::new() }
    }
}

/// Whether a policy reads the arguments of a call, or what follows from them.
fn varies(policy: &Policy) -> bool {
    const FOLLOWS: [&str; 7] = ["args", "origin", "environment", "product", "service", "repository", "branch"];
    policy.resource_constraint() != ResourceConstraint::Any || reads(policy, &FOLLOWS)
}

/// Whether a policy reads the resource or one of these members of the context. What cannot be told is taken
/// to be read: the tool is shown, and each call is decided on its own.
fn reads(policy: &Policy, words: &[&str]) -> bool {
    fn within(json: &Value, words: &[&str]) -> bool {
        match json {
            Value::Object(members) => {
                let accesses = |word: &&str| members.get("attr").is_some_and(|attr| attr == word);
                members.get("Var").is_some_and(|var| var == "resource")
                    || words.iter().any(accesses)
                    || members.values().any(|value| within(value, words))
            }
            Value::Array(items) => items.iter().any(|item| within(item, words)),
            _ => false,
        }
    }
    policy.to_json().map_or(true, |json| json.get("conditions").is_some_and(|found| within(found, words)))
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

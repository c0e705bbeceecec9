//! Slices: for each holder and tool only the policies that can matter.
//!
//! Cedar looks at every policy of a set on each request, so none is in a set that cannot match.

use std::collections::HashMap;
use std::sync::OnceLock;

use cedar_policy::{Effect, Policy, PolicySet, ResourceConstraint};
use serde_json::Value;

use super::index::{Held, Snapshot};
use super::remit::{Holder, Mode};
use crate::call::Call;
use crate::cedar::Entities;
use crate::identity::Caller;
use crate::ids::{RuleId, ToolName};
use crate::registry::{Registry, Tool};

/// What one link of a chain holds: the remits that count for it, in order, and per tool the slice.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(super) held: Vec<usize>,
    pub(super) tools: HashMap<ToolName, Entry>,
}

#[derive(Debug)]
pub(super) struct Entry {
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

impl Snapshot {
    /// The guardrails that can match a tool, and nothing else.
    pub(crate) fn bare(&self, tool: &ToolName) -> Option<&Slice> {
        self.slice(&self.bare, tool)
    }

    /// The entities that every call of this tool by this agent has.
    pub(crate) fn base(&self, caller: &Caller, tool: &Tool) -> Option<&Entities> {
        let profile = self.agents.get(caller.calling_agent())?;
        self.slice(profile, &tool.name)?.base.as_ref()
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
    pub(super) fn new(held: Vec<usize>, all: &[Held], registry: &Registry) -> Self {
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
    pub(super) fn matching(&self, tool: &ToolName) -> impl Iterator<Item = (usize, usize)> + '_ {
        let entry = self.tools.get(tool);
        entry.into_iter().flat_map(|e| &e.grants).map(|(remit, grant, _)| (*remit, *grant))
    }
}

impl Entry {
    pub(super) const fn new() -> Self {
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

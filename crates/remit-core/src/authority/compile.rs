//! Files in, authority out: remits become Cedar permits, guardrails are read as Cedar forbids, and
//! all of it is validated strictly against the schema of the registry before any of it counts.

use std::collections::{BTreeMap, HashMap, HashSet};

use cedar_policy::{Policy, PolicyId, PolicySet, Schema, ValidationMode, ValidationWarning, Validator};

use crate::access::{BreakGlass, Terms};
use crate::approval::ApprovalRule;
use crate::authority::guardrail::{Guardrail, GuardrailFile, read};
use crate::authority::index::{Covered, Held, Snapshot};
use crate::authority::permit::Permit;
use crate::authority::remit::{Grant, Holder, Limit, Locus, Pattern, Remit};
use crate::authority::{Fault, Tiers, locate, vocabulary, when};
use crate::calendar::Calendar;
use crate::ids::{Digest, RuleId, TeamId, TenantId, UserId};
use crate::registry::{Registry, Shape, Tool, quoted};

/// A person and the teams they are in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The user.
    pub id: UserId,
    /// Their teams.
    pub teams: Vec<TeamId>,
}

/// Everything that authority is compiled from.
#[derive(Debug)]
pub struct Sources {
    /// The organisation.
    pub tenant: TenantId,
    /// Its calendar.
    pub calendar: Calendar,
    /// Its approval rules.
    pub rules: Vec<ApprovalRule>,
    /// Limits over everything that all its agents do.
    pub limits: Vec<Limit>,
    /// Its people.
    pub people: Vec<Person>,
    /// What it has declared for emergencies.
    pub break_glass: Vec<BreakGlass>,
    /// The remits, in the order in which they count.
    pub remits: Vec<Remit>,
    /// The guardrails.
    pub guardrails: Vec<GuardrailFile>,
    /// What is asked of a call by its risk.
    pub tiers: Tiers,
    /// The tools.
    pub registry: Registry,
    /// Digest over the texts all this was read from.
    pub digest: Digest,
}

/// Compiles; the second part of the answer are warnings, which do not stop anything.
///
/// # Errors
/// Every fault that was found, not only the first. One fault is enough to refuse the whole.
pub fn compile(sources: Sources) -> Result<(Snapshot, Vec<Fault>), Vec<Fault>> {
    let mut faults = Vec::new();
    let mut warnings = Vec::new();
    let mut rules: HashMap<RuleId, ApprovalRule> = HashMap::new();
    for rule in &sources.rules {
        rules.insert(rule.id.clone(), rule.clone());
    }
    let mut holders: HashSet<&Holder> = HashSet::new();
    for remit in &sources.remits {
        if !holders.insert(&remit.holder) {
            faults.push(fault(
                &remit.locus,
                format!("`{}` has another remit already", remit.holder),
                "one file per holder",
            ));
        }
    }
    let mut held = Vec::with_capacity(sources.remits.len());
    for remit in sources.remits {
        held.push(grants(remit, &sources.registry, &rules, &mut faults, &mut warnings));
    }
    let files: Vec<_> = sources.guardrails.into_iter().chain(sources.tiers.guardrails()).collect();
    let mut guardrails = Vec::new();
    for file in &files {
        guardrails.extend(read(file, &mut faults));
    }
    check_rules(&guardrails, &rules, &mut faults);
    for held in &held {
        check_offers(&held.remit, &rules, &sources.registry, &mut faults, &mut warnings);
    }
    for glass in &sources.break_glass {
        check_glass(glass, &held, &rules, &sources.registry, &mut faults, &mut warnings);
    }
    if faults.is_empty() {
        validate(&sources.registry, &held, &guardrails, &files, &mut faults, &mut warnings);
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let snapshot = Snapshot::new(
        sources.digest,
        sources.tenant,
        sources.calendar,
        rules,
        sources.limits,
        sources.people,
        sources.break_glass,
        held,
        guardrails,
        sources.tiers,
        sources.registry,
    );
    Ok((snapshot, warnings))
}

fn fault(locus: &Locus, message: impl Into<String>, help: impl Into<String>) -> Fault {
    Fault { locus: locus.clone(), message: message.into(), help: Some(help.into()) }
}

/// Compiles the grants of one remit. Each grant becomes one permit for every group of its tools
/// whose types make the condition read the same.
fn grants(
    remit: Remit,
    registry: &Registry,
    rules: &HashMap<RuleId, ApprovalRule>,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<Fault>,
) -> Held {
    let mut covered = Vec::with_capacity(remit.grants.len());
    for grant in &remit.grants {
        let found = tools(grant, registry, warnings);
        if let Some(rule) = &grant.approval
            && !rules.contains_key(rule)
        {
            let near = crate::nearest(rule.as_str(), rules.keys().map(RuleId::as_str));
            let help = near
                .map_or("declare it under `approvals:` in remit.yaml".to_owned(), |n| format!("did you mean `{n}`?"));
            faults.push(fault(&grant.locus, format!("unknown approval rule `{rule}`"), help));
        }
        let mut groups: BTreeMap<String, Vec<&Tool>> = BTreeMap::new();
        for tool in found {
            match condition(grant, tool) {
                Ok(condition) => groups.entry(condition).or_default().push(tool),
                Err(error) => {
                    let mut locus = grant.when_locus.clone();
                    locus.column += error.at;
                    let message = format!("{error}, in a condition on `{}`", tool.name);
                    faults.push(Fault { locus, message, help: error.help });
                }
            }
        }
        let mut policies = Vec::new();
        for (at, (condition, tools)) in groups.into_iter().enumerate() {
            let name = format!("{}/{}", remit.holder, grant.id);
            let id = if at == 0 { name } else { format!("{name}~{at}") };
            let tools = tools.into_iter().map(|tool| tool.name.clone()).collect();
            policies.push(Permit { id, condition, tools });
        }
        covered.push(Covered { policies });
    }
    Held { remit, covered }
}

/// The tools a grant covers: those it names, of its class, up to its sensitivity. Names that cover
/// nothing are warnings, because a tool may be approved later.
fn tools<'r>(grant: &Grant, registry: &'r Registry, warnings: &mut Vec<Fault>) -> Vec<&'r Tool> {
    let mut found: Vec<&Tool> = Vec::new();
    let mut known: HashSet<&str> = HashSet::new();
    for pattern in &grant.tools {
        let named: Vec<&Tool> = match pattern {
            Pattern::Tool(name) => registry.tool(name).into_iter().map(AsRef::as_ref).collect(),
            _ => registry.tools().iter().map(AsRef::as_ref).filter(|tool| pattern.covers(&tool.name)).collect(),
        };
        if named.is_empty() {
            let names = registry.tools().iter().map(|tool| tool.name.as_str());
            let help = crate::nearest(&pattern.to_string(), names).map_or_else(
                || "no tool of this name is classified and approved; see `remit tools`".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            warnings.push(fault(&grant.locus, format!("`{pattern}` names no callable tool"), help));
        }
        let exact = matches!(pattern, Pattern::Tool(_));
        for tool in named {
            let sensitive = grant.labels_up_to.is_some_and(|up_to| tool.labels.sensitivity > up_to);
            if tool.class != grant.class || sensitive {
                if exact {
                    let why = if sensitive {
                        format!("its output is `{}`", tool.labels.sensitivity.as_str())
                    } else {
                        format!("its class is `{}`", tool.class.as_str())
                    };
                    warnings.push(fault(
                        &grant.locus,
                        format!("the grant does not cover `{}`: {why}", tool.name),
                        "grant it under its own class and sensitivity",
                    ));
                }
                continue;
            }
            if known.insert(tool.name.as_str()) {
                found.push(tool);
            }
        }
    }
    for tool in &found {
        for (dimension, _) in &grant.bounds {
            let known = tool.resource.dimensions.contains_key(dimension);
            if !known && !matches!(dimension.as_str(), "environment" | "branch") {
                let message = format!("bounded by {}, but `{}` says nothing of its {0}", dimension.as_str(), tool.name);
                warnings.push(fault(
                    &grant.locus,
                    message,
                    "add it to the tool's `resource:`; until then the grant does not apply",
                ));
            }
        }
    }
    found
}

fn condition(grant: &Grant, tool: &Tool) -> Result<String, when::WhenError> {
    let mut parts = Vec::new();
    for (dimension, values) in &grant.bounds {
        let values: Vec<_> = values.iter().map(|value| quoted(value)).collect();
        let word = dimension.as_str();
        parts.push(format!("(context has {word} && [{}].contains(context.{word}))", values.join(", ")));
    }
    if let Some(text) = &grant.when {
        parts.push(when::compile(text, &vocabulary::context(tool))?);
    }
    if let Some(rule) = &grant.approval {
        parts.push(format!("context.approved.contains({})", quoted(rule.as_str())));
    }
    Ok(parts.join(" && "))
}

fn check_rules(guardrails: &[Guardrail], rules: &HashMap<RuleId, ApprovalRule>, faults: &mut Vec<Fault>) {
    for guardrail in guardrails {
        for rule in guardrail.rules.iter().filter(|rule| !rules.contains_key(rule)) {
            let id = guardrail.policy.id().to_string();
            let (file, name) = id.split_once('#').unwrap_or((&id, ""));
            let near = crate::nearest(rule.as_str(), rules.keys().map(RuleId::as_str));
            let help = near
                .map_or("declare it under `approvals:` in remit.yaml".to_owned(), |n| format!("did you mean `{n}`?"));
            let locus = Locus { file: file.to_owned(), line: 0, column: 0 };
            faults.push(fault(&locus, format!("guardrail `{name}` asks for the unknown approval rule `{rule}`"), help));
        }
    }
}

fn unknown_rule(rule: &RuleId, locus: &Locus, rules: &HashMap<RuleId, ApprovalRule>) -> Fault {
    let near = crate::nearest(rule.as_str(), rules.keys().map(RuleId::as_str));
    let help =
        near.map_or("declare it under `approvals:` in remit.yaml".to_owned(), |n| format!("did you mean `{n}`?"));
    fault(locus, format!("unknown approval rule `{rule}`"), help)
}

/// What an agent may ask for has to be decided by somebody. Where a grant of it would let calls through
/// that a line of the same remit asks people for, the reader of the file is told.
fn check_offers(
    remit: &Remit,
    rules: &HashMap<RuleId, ApprovalRule>,
    registry: &Registry,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<Fault>,
) {
    for offer in &remit.may_request {
        if !rules.contains_key(&offer.approval) {
            faults.push(unknown_rule(&offer.approval, &offer.locus, rules));
        }
        nothing_named(&offer.terms, &offer.locus, registry, warnings);
        for (line, rule) in asked_for(remit, &offer.terms, registry) {
            let message = format!("calls that rest on a grant of this are not asked `{rule}` for, as `{line}` is");
            warnings.push(fault(&offer.locus, message, "name other tools, or leave it if that is what you mean"));
        }
    }
}

/// What an emergency skips must be written down: every approval that a remit would ask for.
fn check_glass(
    glass: &BreakGlass,
    held: &[Held],
    rules: &HashMap<RuleId, ApprovalRule>,
    registry: &Registry,
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<Fault>,
) {
    for rule in glass.instead_of.iter().filter(|rule| !rules.contains_key(rule)) {
        faults.push(unknown_rule(rule, &glass.locus, rules));
    }
    nothing_named(&glass.terms, &glass.locus, registry, warnings);
    for agent in &glass.agents {
        let holder = Holder::Agent(agent.clone());
        let Some(held) = held.iter().find(|held| held.remit.holder == holder) else {
            faults.push(fault(&glass.locus, format!("there is no remit of `{holder}`"), "name agents that have one"));
            continue;
        };
        for (line, rule) in asked_for(&held.remit, &glass.terms, registry) {
            if !glass.instead_of.contains(&rule) {
                let message = format!("it would skip the approval `{rule}` that `{holder}/{line}` asks for");
                faults.push(fault(&glass.locus, message, "list it under `instead_of:`, or name other tools"));
            }
        }
    }
}

fn nothing_named(terms: &Terms, locus: &Locus, registry: &Registry, warnings: &mut Vec<Fault>) {
    for pattern in &terms.tools {
        if !registry.tools().iter().any(|tool| pattern.covers(&tool.name)) {
            let help = "no tool of this name is classified and approved; see `remit tools`";
            warnings.push(fault(locus, format!("`{pattern}` names no callable tool"), help));
        }
    }
}

/// The lines of a remit that ask people for calls of these tools, each with its rule.
fn asked_for(remit: &Remit, terms: &Terms, registry: &Registry) -> Vec<(String, RuleId)> {
    let named = |grant: &Grant| {
        let both = |tool: &Tool| terms.name(&tool.name) && grant.tools.iter().any(|p| p.covers(&tool.name));
        registry.tools().iter().any(|tool| tool.class == grant.class && both(tool))
    };
    let lines = remit.grants.iter().filter(|grant| named(grant));
    lines.filter_map(|grant| Some((grant.id.clone(), grant.approval.clone()?))).collect()
}

/// Validates strictly. Whether a policy is well typed depends on the types of a tool's arguments and
/// not on its name, so each distinct type is validated once: the cost does not grow with the product
/// of policies and tools.
fn validate(
    registry: &Registry,
    held: &[Held],
    guardrails: &[Guardrail],
    files: &[GuardrailFile],
    faults: &mut Vec<Fault>,
    warnings: &mut Vec<Fault>,
) {
    let mut judge = |tools: &[&Tool], policies: Vec<Policy>| {
        let whole = |message: String| Fault { locus: Locus::default(), message, help: None };
        let schema = match Schema::from_cedarschema_str(&vocabulary::schema_of(tools.iter().copied())) {
            Ok((schema, _)) => schema,
            Err(error) => {
                return faults.push(whole(format!("the tools' schemas do not form a policy schema: {error}")));
            }
        };
        let set = match PolicySet::from_policies(policies) {
            Ok(set) => set,
            Err(error) => return faults.push(whole(format!("two policies have the same name: {error}"))),
        };
        let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
        faults.extend(result.validation_errors().map(|error| place(error.policy_id(), error, held, files)));
        // A guardrail for tools that nobody has classified yet is foresight, not a mistake.
        let idle = |warning: &&ValidationWarning| {
            matches!(warning, ValidationWarning::ImpossiblePolicy(_) | ValidationWarning::InvalidActionApplication(_))
        };
        let worth = result.validation_warnings().filter(|warning| !idle(warning));
        warnings.extend(worth.map(|warning| place(warning.policy_id(), warning, held, files)));
    };
    let mut shapes: HashMap<&Shape, (&Tool, Vec<Policy>)> = HashMap::new();
    for (holder, covered) in held.iter().flat_map(|h| h.covered.iter().map(move |c| (&h.remit.holder, c))) {
        for permit in covered.policies.iter().filter(|permit| !permit.condition.is_empty()) {
            let mut seen: HashSet<&Shape> = HashSet::new();
            let tools = permit.tools.iter().filter_map(|name| registry.tool(name));
            for tool in tools.filter(|tool| seen.insert(&tool.shape)) {
                let (stand_in, policies) = shapes.entry(&tool.shape).or_insert_with(|| (tool.as_ref(), Vec::new()));
                policies.extend(permit.policy(holder, &stand_in.name));
            }
        }
    }
    for (stand_in, policies) in shapes.into_values() {
        judge(&[stand_in], policies);
    }
    if registry.tools().is_empty() {
        // Before the first tool is approved no guardrail can apply to anything, which is no news.
        return;
    }
    // For guardrails: one tool of each class, upstream and type, and every tool that one of them names.
    let named: HashSet<&str> = guardrails.iter().flat_map(Guardrail::names).collect();
    let mut kinds = HashSet::new();
    let mut tools: Vec<&Tool> = Vec::new();
    for tool in registry.tools() {
        let new = kinds.insert((tool.class, tool.name.upstream(), &tool.shape));
        if new || named.contains(tool.name.as_str()) {
            tools.push(tool);
        }
    }
    judge(&tools, guardrails.iter().map(|g| g.policy.clone()).collect());
}

fn place(id: &PolicyId, error: &dyn miette::Diagnostic, held: &[Held], files: &[GuardrailFile]) -> Fault {
    let id = id.to_string();
    if let Some((file, name)) = id.split_once('#')
        && let Some(file) = files.iter().find(|f| f.name == file)
    {
        return locate(file, error, &format!("guardrail `{name}`"));
    }
    let grant = held.iter().find_map(|h| {
        let own = id.split('~').next().unwrap_or_default();
        h.remit.grants.iter().find(|g| own == format!("{}/{}", h.remit.holder, g.id))
    });
    let locus = grant.map(|g| g.locus.clone()).unwrap_or_default();
    Fault { locus, message: format!("grant `{id}`: {error}"), help: error.help().map(|help| help.to_string()) }
}

//! Guardrails: the organisation's Cedar `forbid` policies. They bound; nothing lifts one but an
//! approval that the guardrail itself names.

use std::collections::BTreeSet;
use std::str::FromStr;

use cedar_policy::{ActionConstraint, Effect, EntityUid, Policy, PolicyId, PolicySet};
use serde_json::Value;

use crate::authority::remit::{Locus, Mode};
use crate::authority::{Fault, locate};
use crate::ids::RuleId;
use crate::registry::Tool;

/// A file of guardrails.
#[derive(Clone, Debug)]
pub struct GuardrailFile {
    /// Its name within the configuration folder.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// One guardrail.
#[derive(Debug)]
pub(crate) struct Guardrail {
    pub policy: Policy,
    pub mode: Mode,
    /// Why it exists, for the agent: its `@reason`.
    pub reason: String,
    /// What would satisfy it: its `@remedy`.
    pub remedy: Option<String>,
    /// The approval rules it asks for.
    pub rules: Vec<RuleId>,
    actions: Actions,
}

#[derive(Debug)]
enum Actions {
    Any,
    In(BTreeSet<String>),
}

impl Guardrail {
    /// Whether the policy's scope admits this tool at all.
    pub fn concerns(&self, tool: &Tool) -> bool {
        match &self.actions {
            Actions::Any => true,
            Actions::In(names) => {
                names.contains(tool.name.as_str())
                    || names.contains(tool.class.as_str())
                    || names.contains(&format!("{}/*", tool.name.upstream()))
            }
        }
    }
}

impl Guardrail {
    /// The tools, classes and upstreams that the policy's scope names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names = match &self.actions {
            Actions::Any => None,
            Actions::In(names) => Some(names),
        };
        names.into_iter().flatten().map(String::as_str)
    }
}

/// One guardrail in force, for whoever looks.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'s>(pub(crate) &'s Guardrail);

impl Bound<'_> {
    /// Its name: the file, and its `@id` or its place in it.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.policy.id().to_string()
    }

    /// Whether it binds.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.0.mode
    }

    /// Why it exists.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// What would satisfy it, in its author's words.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    /// The approval rules it asks for.
    #[must_use]
    pub fn rules(&self) -> &[RuleId] {
        &self.0.rules
    }

    /// The policy, as it is written.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.policy.to_string()
    }

    /// Whether its scope admits this tool at all. Its conditions are not looked at.
    #[must_use]
    pub fn concerns(&self, tool: &Tool) -> bool {
        self.0.concerns(tool)
    }
}

/// Reads one file. The faults are those of syntax and of what a guardrail may be; types are checked later, against the schema.
pub(crate) fn read(file: &GuardrailFile, faults: &mut Vec<Fault>) -> Vec<Guardrail> {
    let set = match PolicySet::from_str(&file.text) {
        Ok(set) => set,
        Err(errors) => {
            for error in errors.iter() {
                faults.push(locate(file, error, "this is no Cedar policy"));
            }
            return Vec::new();
        }
    };
    let mut fault = |message: String, help: &str| faults.push(whole(file, message, help));
    if set.templates().next().is_some() {
        let help = "write the policy out without `?principal` and `?resource`";
        fault("templates are not allowed in guardrails".into(), help);
    }
    // Cedar numbers the policies of a text in order; sorting by that number restores the order.
    let mut policies: Vec<Policy> = set.policies().cloned().collect();
    policies.sort_by_key(|p| p.id().to_string().trim_start_matches("policy").parse::<usize>().unwrap_or(0));
    let policies = policies.into_iter().enumerate();
    policies.filter_map(|(at, policy)| guardrail(&file.name, at, policy, &mut fault)).collect()
}

fn whole(file: &GuardrailFile, message: String, help: &str) -> Fault {
    Fault { locus: Locus { file: file.name.clone(), line: 0, column: 0 }, message, help: Some(help.to_owned()) }
}

/// One policy of a file, the one with this number in it.
fn guardrail(file: &str, at: usize, policy: Policy, fault: &mut impl FnMut(String, &str)) -> Option<Guardrail> {
    let id = policy.annotation("id").map_or_else(|| at.to_string(), str::to_owned);
    if policy.effect() == Effect::Permit {
        fault(format!("guardrail `{id}` is a permit"), "guardrails only forbid; grants belong into a remit");
        return None;
    }
    let mode = match policy.annotation("mode") {
        None | Some("enforce") => Mode::Enforce,
        Some("observe") => Mode::Observe,
        Some(other) => {
            let message = format!("guardrail `{id}` has the unknown mode `{other}`");
            fault(message, "use \"enforce\" or \"observe\"");
            return None;
        }
    };
    let actions = match policy.action_constraint() {
        ActionConstraint::Any => Actions::Any,
        ActionConstraint::Eq(uid) => Actions::In([name(&uid)].into()),
        ActionConstraint::In(uids) => Actions::In(uids.iter().map(name).collect()),
    };
    let mut rules = Vec::new();
    for rule in policy.to_json().map(|json| mentioned(&json)).unwrap_or_default() {
        match RuleId::parse(&rule) {
            Ok(rule) => rules.push(rule),
            Err(error) => fault(format!("guardrail `{id}`: {error}"), "name an approval rule of remit.yaml"),
        }
    }
    Some(Guardrail {
        mode,
        reason: policy.annotation("reason").map_or_else(|| format!("guardrail `{id}` forbids it"), str::to_owned),
        remedy: policy.annotation("remedy").map(str::to_owned),
        rules,
        actions,
        policy: policy.new_id(PolicyId::new(format!("{file}#{id}"))),
    })
}

fn name(uid: &EntityUid) -> String {
    uid.id().unescaped().to_owned()
}

/// The texts that a policy looks for in `context.approved`, in the order in which they appear.
fn mentioned(json: &Value) -> Vec<String> {
    let mut out = Vec::new();
    walk(json, &mut out);
    out
}

fn walk(json: &Value, out: &mut Vec<String>) {
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                if matches!(name.as_str(), "contains" | "containsAll" | "containsAny") && is_approved(&value["left"]) {
                    texts(&value["right"], out);
                }
                walk(value, out);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, out)),
        _ => {}
    }
}

fn is_approved(json: &Value) -> bool {
    json["."]["attr"] == "approved" && json["."]["left"]["Var"] == "context"
}

fn texts(json: &Value, out: &mut Vec<String>) {
    match json {
        Value::String(text) if !out.contains(text) => out.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| texts(item, out)),
        Value::Object(members) => members.values().for_each(|value| texts(value, out)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> GuardrailFile {
        GuardrailFile { name: "guardrails/a.cedar".into(), text: text.into() }
    }

    #[test]
    fn a_guardrail_says_which_approvals_it_asks_for() {
        let mut faults = Vec::new();
        let found = read(
            &file(
                r#"@id("two") forbid(principal, action in [Action::"write"], resource)
                     unless { context.approved.contains("sre") || context.approved.containsAll(["a", "b"]) };"#,
            ),
            &mut faults,
        );
        assert!(faults.is_empty(), "{faults:?}");
        let rules: Vec<_> = found[0].rules.iter().map(RuleId::as_str).collect();
        assert_eq!(rules, ["sre", "a", "b"]);
        let shown = Bound(&found[0]);
        assert_eq!(shown.name(), "guardrails/a.cedar#two");
        assert!(shown.text().contains("unless { context.approved.contains(\"sre\")"), "as written: {}", shown.text());
    }

    #[test]
    fn what_is_no_guardrail_is_refused() {
        for (text, message) in [
            ("permit(principal, action, resource);", "is a permit"),
            ("@mode(\"off\") forbid(principal, action, resource);", "unknown mode `off`"),
            ("forbid(principal == ?principal, action, resource);", "templates"),
            ("forbid(principal, action);", "no Cedar policy"),
        ] {
            let mut faults = Vec::new();
            read(&file(text), &mut faults);
            assert!(faults.iter().any(|f| f.to_string().contains(message)), "{text}: {faults:?}");
        }
    }
}

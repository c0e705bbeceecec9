//! Authority in words: what a grant, a limit or an approval rule says, as a sentence. What the words leave
//! out is said by the texts themselves, which stand beside them.

use remit_core::approval::{ApprovalRule, Distinct, Factor, Voter};
use remit_core::authority::remit::{Grant, Holder, Limit, Mode};
use remit_core::budget::Window;
use remit_core::registry::Class;

use super::moment::lasting;
use super::tag::Tag;

/// What a grant allows: `May trigger payments/refund, when args.amount <= 50, at most 20 calls per day.`
pub(crate) fn grant(grant: &Grant) -> String {
    let tools = grant.tools.iter().map(|pattern| match pattern.to_string().as_str() {
        "*" => "any tool".to_owned(),
        text => text.to_owned(),
    });
    let mut said = vec![format!("May {} {}", grant.class.as_str(), all_of(&tools.collect::<Vec<_>>()))];
    said.extend(grant.labels_up_to.map(|level| format!("up to {}", level.as_str())));
    let bounds = grant.bounds.iter().map(|(dimension, values)| format!("in {} {}", dimension.as_str(), any_of(values)));
    said.extend(bounds);
    said.extend(
        grant.when.as_ref().map(|when| format!("when {}", when.split_whitespace().collect::<Vec<_>>().join(" "))),
    );
    said.extend(grant.limits.iter().map(limit));
    said.extend(grant.approval.as_ref().map(|rule| format!("after approval under {rule}")));
    said.join(", ") + "."
}

/// A limit: `at most 20 calls per day`.
pub(crate) fn limit(limit: &Limit) -> String {
    let amount = limit.unit.show(limit.amount);
    let amount = if limit.amount == 1 { amount.trim_end_matches('s').to_owned() } else { amount };
    let warned = limit.warn_at.map(|at| format!(" (a warning from {} on)", limit.unit.show(at))).unwrap_or_default();
    format!("at most {amount} {}{warned}", window(limit.window))
}

/// A window: `per day`.
pub(crate) fn window(window: Window) -> String {
    match window {
        Window::Total => "in total".to_owned(),
        other => format!("per {}", other.as_str()),
    }
}

/// What an approval rule asks for.
pub(crate) fn rule(rule: &ApprovalRule) -> String {
    let people = if rule.quorum == 1 { "1 person".to_owned() } else { format!("{} different people", rule.quorum) };
    let mut said =
        vec![format!("{people} of {} must approve within {}", voters(&rule.from), lasting(rule.within_secs))];
    let excluded: Vec<_> = rule.distinct_from.iter().map(|one| distinct(*one).to_owned()).collect();
    if !excluded.is_empty() {
        said.push(format!("nobody counts who is {}", any_of(&excluded)));
    }
    said.push(match rule.deny {
        0 | 1 => "one denial closes the question".to_owned(),
        more => format!("{more} denials close the question"),
    });
    if rule.reason_required {
        said.push("every vote says why".to_owned());
    }
    match rule.factor {
        Some(Factor::Passkey) => said.push("each vote is signed by the voter's own passkey".to_owned()),
        Some(factor) => said.push(format!("voters have signed in by {} at least", factor.as_str())),
        None => {}
    }
    let later =
        rule.escalate.iter().map(|step| format!("after {} also {}", lasting(step.after_secs), voters(&step.to)));
    said.extend(later);
    said.join("; ") + "."
}

/// What a class does to the world.
pub(crate) const fn class(class: Class) -> &'static str {
    match class {
        Class::Read => "looks, changes nothing",
        Class::Write => "changes state that can be looked at afterwards",
        Class::Trigger => "sets a process in motion",
        Class::Approve => "consents on somebody's behalf",
        Class::Expose => "shows data to somebody outside",
    }
}

/// Whom a remit grants to.
pub(crate) fn holder(holder: &Holder) -> String {
    match holder {
        Holder::Agent(id) => format!("agent {id}"),
        Holder::User(id) => format!("user {id}"),
        Holder::Team(id) => format!("every user in team {id}"),
        Holder::AnyUser => "every user".to_owned(),
        Holder::Workflow(id) => format!("workflow {id}"),
    }
}

/// Whether a rule binds.
pub(crate) fn mode(mode: Mode) -> Tag {
    match mode {
        Mode::Enforce => Tag::good("enforce"),
        Mode::Observe => Tag::wait("observe only"),
    }
}

fn voters(from: &[Voter]) -> String {
    let named = from.iter().map(|voter| match voter {
        Voter::Person(id) => id.to_string(),
        Voter::Team(id) => format!("team {id}"),
        Voter::OnCall(duty) => format!("whoever is on call for {}", duty.name),
    });
    any_of(&named.collect::<Vec<_>>())
}

const fn distinct(one: Distinct) -> &'static str {
    match one {
        Distinct::User => "the user it is done for",
        Distinct::AgentOwner => "in the team that owns the agent",
        Distinct::ToolOwner => "in the team that owns the tool",
        Distinct::ApproverDelegates => "voting for another approver of the same question",
    }
}

fn all_of(words: &[String]) -> String {
    listed(words, "and")
}

fn any_of(words: &[String]) -> String {
    listed(words, "or")
}

fn listed(words: &[String], last: &str) -> String {
    match words {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [rest @ .., end] => format!("{} {last} {end}", rest.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use remit_core::authority::remit::{Locus, Pattern};
    use remit_core::ids::{RuleId, TeamId};
    use remit_core::labels::Sensitivity;
    use remit_core::registry::Dimension;

    use super::*;

    #[test]
    fn a_grant_is_a_sentence() {
        let tools = ["crm/get_customer", "tickets/*"].map(|text| Pattern::parse(text).expect("pattern"));
        let plain = Grant {
            id: "read.0".into(),
            class: Class::Read,
            tools: tools.to_vec(),
            labels_up_to: Some(Sensitivity::Internal),
            bounds: Vec::new(),
            when: None,
            approval: None,
            limits: Vec::new(),
            locus: Locus::default(),
            when_locus: Locus::default(),
        };
        assert_eq!(grant(&plain), "May read crm/get_customer and tickets/*, up to internal.");
        let bounded = Grant {
            class: Class::Trigger,
            tools: vec![Pattern::All],
            labels_up_to: None,
            bounds: vec![(Dimension::Environment, vec!["staging".into(), "production".into()])],
            when: Some("args.amount\n  <= 50".into()),
            approval: Some(RuleId::parse("finance").expect("id")),
            limits: ["1 per run", "500 USD total"].iter().filter_map(|text| Limit::parse(text)).collect(),
            ..plain
        };
        assert_eq!(
            grant(&bounded),
            "May trigger any tool, in environment staging or production, when args.amount <= 50, at most 1 call per run, \
             at most 500.00 USD in total, after approval under finance."
        );
    }

    #[test]
    fn a_rule_leaves_nothing_out() {
        let id = |text: &str| RuleId::parse(text).expect("id");
        let team = |text: &str| Voter::Team(TeamId::parse(text).expect("id"));
        let one = ApprovalRule::new(id("finance"), 1, vec![team("finance")], 1800);
        assert_eq!(
            rule(&one),
            "1 person of team finance must approve within 30 min; nobody counts who is the user it is done for; one \
             denial closes the question."
        );
        let escalation = remit_core::approval::Escalation { after_secs: 600, to: vec![team("sre")] };
        let two = ApprovalRule {
            quorum: 2,
            deny: 2,
            reason_required: true,
            factor: Some(Factor::Passkey),
            escalate: vec![escalation],
            distinct_from: Vec::new(),
            ..one
        };
        assert_eq!(
            rule(&two),
            "2 different people of team finance must approve within 30 min; 2 denials close the question; every vote says \
             why; each vote is signed by the voter's own passkey; after 10 min also team sre."
        );
    }
}

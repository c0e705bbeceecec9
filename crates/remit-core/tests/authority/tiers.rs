//! Risk tiers: what is asked of a call by its risk, whatever a remit grants.

use crate::house::{GUARDRAILS, House, call, object, sources, tool};
use remit_core::approval::{ApprovalRule, Factor};
use remit_core::authority::remit::Mode;
use remit_core::authority::{Sources, Tiers, asks_better, compile};
use remit_core::ids::{RuleId, ToolName};
use remit_core::registry::{Class, Cost, Registry, Risk, Tool};
use remit_core::verdict::{Code, Verdict};
use serde_json::json;

fn rule(id: &str) -> RuleId {
    RuleId::parse(id).expect("id")
}

/// An organisation whose refunds have this risk.
fn house(risk: Risk, reversible: bool, tiers: Tiers) -> House {
    let schema = object(json!({"amount": {"type": "number"}, "payment": {"type": "string"}}));
    let refund = tool("payments/refund", Class::Trigger, schema, Cost::Argument(vec!["amount".into()]));
    let refund = Tool { risk, reversible, ..refund };
    let registry = Registry::new([refund]).expect("registry");
    House::with(Sources { registry, tiers, ..sources(Mode::Enforce, GUARDRAILS) })
}

fn tiers() -> Tiers {
    Tiers { review_medium: true, high: Some(rule("finance-sign-off")), irreversible: Some(rule("two-person")) }
}

/// The rules that a refund of this amount asks for.
fn asked(house: &House, amount: u32) -> Vec<String> {
    let decision = house.decide(&call("payments/refund", &format!(r#"{{"amount": {amount}, "payment": "P-1"}}"#)));
    match decision.verdict {
        Verdict::Allow { .. } => Vec::new(),
        Verdict::Ask { rules, refusal } => {
            assert_eq!(refusal.code, Code::ApprovalRequired);
            rules.iter().map(ToString::to_string).collect()
        }
        Verdict::Deny(refusal) => panic!("{refusal:?}"),
    }
}

#[test]
fn high_risk_asks_before_although_the_remit_grants_it() {
    for (risk, rules) in [(Risk::Low, 0), (Risk::Medium, 0), (Risk::High, 1), (Risk::Critical, 1)] {
        assert_eq!(asked(&house(risk, true, tiers()), 20).len(), rules, "{risk:?}");
        assert_eq!(asked(&house(risk, true, Tiers::default()), 20).len(), 0, "{risk:?} without tiers");
    }
}

#[test]
fn what_cannot_be_undone_asks_the_stronger_rule_alone() {
    for risk in Risk::ALL {
        assert_eq!(asked(&house(risk, false, tiers()), 20), ["two-person"], "{risk:?}");
    }
    let only_high = Tiers { irreversible: None, ..tiers() };
    assert_eq!(asked(&house(Risk::High, false, only_high), 20), ["finance-sign-off"], "there is no stronger one");
}

#[test]
fn a_remits_own_approval_does_not_stand_in_for_the_tiers() {
    let mut house = house(Risk::High, false, tiers());
    // A refund of 200 asks finance by the remit itself.
    assert_eq!(asked(&house, 200), ["two-person", "finance-sign-off"]);
    house.case.approved = vec![rule("finance-sign-off")];
    assert_eq!(asked(&house, 200), ["two-person"]);
    house.case.approved = vec![rule("two-person")];
    assert_eq!(asked(&house, 200), ["finance-sign-off"]);
    house.case.approved = vec![rule("finance-sign-off"), rule("two-person")];
    assert_eq!(asked(&house, 200), [] as [&str; 0]);
}

#[test]
fn a_remit_that_is_only_observed_is_bound_by_the_tiers() {
    let schema = object(json!({"amount": {"type": "number"}, "payment": {"type": "string"}}));
    let refund = Tool { risk: Risk::High, ..tool("payments/refund", Class::Trigger, schema, Cost::Free) };
    let registry = Registry::new([refund]).expect("registry");
    let house = House::with(Sources { registry, tiers: tiers(), ..sources(Mode::Observe, GUARDRAILS) });
    assert_eq!(asked(&house, 20), ["two-person"]);
}

#[test]
fn only_medium_risk_waits_for_a_review() {
    for risk in Risk::ALL {
        let house = house(risk, true, tiers());
        let tool = house.snapshot.registry().tool(&ToolName::parse("payments/refund").expect("name")).expect("tool");
        assert_eq!(house.snapshot.tiers().reviews(tool), risk == Risk::Medium);
        assert!(!Tiers::default().reviews(tool));
    }
}

#[test]
fn a_tier_with_an_unknown_rule_is_refused() {
    let tiers = Tiers { high: Some(rule("nobody")), ..Tiers::default() };
    let faults = compile(Sources { tiers, ..sources(Mode::Enforce, GUARDRAILS) }).expect_err("a fault");
    assert!(faults[0].to_string().contains("unknown approval rule `nobody`"), "{faults:?}");
}

#[test]
fn the_stronger_rule_demands_a_better_proof() {
    let by = |factor| ApprovalRule { factor, ..ApprovalRule::new(rule("r"), 1, Vec::new(), 60) };
    let factors = [None, Some(Factor::Key), Some(Factor::Password), Some(Factor::Oidc), Some(Factor::Passkey)];
    for (at, own) in factors.into_iter().enumerate() {
        for (below, than) in factors.into_iter().enumerate() {
            let better = own == Some(Factor::Passkey) || at > below;
            assert_eq!(asks_better(&by(own), Some(&by(than))), better, "{own:?} {than:?}");
        }
        assert_eq!(asks_better(&by(own), None), own.is_some());
    }
}

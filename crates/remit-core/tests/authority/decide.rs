//! What `decide` says, case by case, and the laws it keeps.

use crate::house::{House, call, labels};
use remit_core::ids::RuleId;
use remit_core::verdict::{Code, Verdict};

fn code(verdict: &Verdict) -> Option<Code> {
    match verdict {
        Verdict::Allow { .. } => None,
        Verdict::Ask { refusal, .. } | Verdict::Deny(refusal) => Some(refusal.code),
    }
}

#[test]
fn the_first_grant_whose_condition_holds_allows() {
    let house = House::default();
    let decision = house.decide(&call("payments/refund", r#"{"amount": 20, "payment": "P-1"}"#));
    assert!(matches!(decision.verdict, Verdict::Allow { .. }), "{decision:?}");
    assert_eq!(decision.policies, ["user:*/trigger.0", "agent:support-bot/trigger.0"]);
}

#[test]
fn a_larger_amount_asks_the_people_whom_the_grant_names() {
    let house = House::default();
    let decision = house.decide(&call("payments/refund", r#"{"amount": 200, "payment": "P-1"}"#));
    let Verdict::Ask { rules, refusal } = &decision.verdict else { panic!("{decision:?}") };
    assert_eq!(rules.iter().map(RuleId::as_str).collect::<Vec<_>>(), ["finance-sign-off"]);
    assert_eq!(refusal.code, Code::ApprovalRequired);
    let mut house = House::default();
    house.case.approved = vec![RuleId::parse("finance-sign-off").expect("id")];
    let decision = house.decide(&call("payments/refund", r#"{"amount": 200, "payment": "P-1"}"#));
    let Verdict::Allow { approvals, .. } = &decision.verdict else { panic!("{decision:?}") };
    assert_eq!(approvals.len(), 1);
}

#[test]
fn beyond_every_grant_it_denies_and_says_what_would_pass() {
    let decision = House::default().decide(&call("payments/refund", r#"{"amount": 2000, "payment": "P-1"}"#));
    let Verdict::Deny(refusal) = &decision.verdict else { panic!("{decision:?}") };
    assert_eq!(refusal.code, Code::PolicyNoPermit);
    assert!(refusal.remedy.contains("args.amount <= 50"), "{}", refusal.remedy);
    assert_eq!(refusal.factor.as_ref().map(ToString::to_string).as_deref(), Some("agent:support-bot"));
}

#[test]
fn a_guardrail_bounds_what_a_remit_grants() {
    let mut house = House::default();
    house.case.run.labels = labels(&["untrusted"]);
    let decision = house.decide(&call("mail/send", r#"{"to": "a@customer.example", "text": "x"}"#));
    let Verdict::Ask { rules, .. } = &decision.verdict else { panic!("{decision:?}") };
    assert_eq!(rules[0].as_str(), "two-person");
    house.case.run.labels = labels(&["pii"]);
    let decision = house.decide(&call("mail/send", r#"{"to": "a@customer.example", "text": "x"}"#));
    assert_eq!(code(&decision.verdict), Some(Code::PolicyGuardrail), "no approval lifts this one");
}

#[test]
fn every_link_of_the_chain_must_be_allowed() {
    let house = House::default();
    let refund = call("payments/refund", r#"{"amount": 20, "payment": "P-1"}"#);
    let narrowed = house.decide(&refund.clone().via("stranger"));
    assert_eq!(code(&narrowed.verdict), Some(Code::PolicyNoPermit));
    let decision = house.decide(&refund.within("unknown-workflow"));
    let Verdict::Deny(refusal) = decision.verdict else { panic!("allowed") };
    assert_eq!(refusal.factor.map(|link| link.to_string()).as_deref(), Some("workflow:unknown-workflow"));
}

#[test]
fn a_budget_refuses_what_it_has_no_room_for_and_says_when_again() {
    let mut house = House::default();
    let refund = call("payments/refund", r#"{"amount": 20, "payment": "P-1"}"#);
    house.spend("agent:support-bot/trigger.0/micro_usd/day", 490_000_000);
    let Verdict::Deny(refusal) = house.decide(&refund).verdict else { panic!("allowed") };
    assert_eq!(refusal.code, Code::BudgetExhausted);
    assert!(refusal.reason.contains("490.00 USD of 500.00 USD"), "{}", refusal.reason);
    assert!(refusal.retry_at.is_some());
    house.spend("agent:support-bot/trigger.0/micro_usd/day", 480_000_000);
    assert!(matches!(house.decide(&refund).verdict, Verdict::Allow { .. }));
}

#[test]
fn approvals_do_not_buy_budgets_or_lift_halts() {
    let mut house = House::default();
    house.spend("tenant/calls/day", 10_000);
    let held = call("payments/refund", r#"{"amount": 200, "payment": "P-1"}"#);
    assert_eq!(code(&house.decide(&held).verdict), Some(Code::BudgetExhausted));
    let mut house = House::default();
    house.halt("class:trigger");
    assert_eq!(code(&house.decide(&held).verdict), Some(Code::Halted));
}

#[test]
fn a_policy_that_cannot_be_evaluated_denies() {
    // Five decimals do not fit Cedar's four, so the argument is left out, and the condition errs.
    let decision = House::default().decide(&call("payments/refund", r#"{"amount": 0.00001, "payment": "P-1"}"#));
    assert_eq!(code(&decision.verdict), Some(Code::PolicyError), "{decision:?}");
}

#[test]
fn an_expired_remit_grants_nothing() {
    let mut house = House::default();
    house.now = "2027-04-01T00:00:00Z".parse().expect("time");
    let decision = house.decide(&call("payments/refund", r#"{"amount": 20, "payment": "P-1"}"#));
    assert_eq!(code(&decision.verdict), Some(Code::RemitExpired));
}

#[test]
fn a_remit_that_observes_refuses_nothing_but_says_what_it_would_have() {
    let house = House::observing();
    let decision = house.decide(&call("payments/refund", r#"{"amount": 2000, "payment": "P-1"}"#));
    assert!(matches!(decision.verdict, Verdict::Allow { .. }), "{decision:?}");
    assert_eq!(decision.observed.first().map(|refusal| refusal.code), Some(Code::PolicyNoPermit));
    let mut house = House::observing();
    house.case.run.labels = labels(&["pii"]);
    let decision = house.decide(&call("mail/send", r#"{"to": "a@customer.example", "text": "x"}"#));
    assert_eq!(code(&decision.verdict), Some(Code::PolicyGuardrail), "guardrails bind all the same");
}

#[test]
fn a_list_shows_what_some_arguments_could_be_allowed() {
    let mut house = House::default();
    assert_eq!(house.visible(), ["crm/get_customer", "mail/send", "payments/refund"]);
    house.now = "2026-12-24T12:00:00Z".parse().expect("time");
    assert_eq!(house.visible(), ["crm/get_customer", "mail/send"], "a hard freeze forbids every trigger");
}

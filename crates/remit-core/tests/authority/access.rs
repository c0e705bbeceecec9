//! Grants: what they add, and what they never do.

use crate::house::{GUARDRAILS, House, Wanted, call, grant, labels, remit, sources};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use remit_core::access::{AccessGrant, BreakGlass, Ground, Offer, Terms, Whom};
use remit_core::authority::remit::{Holder, Locus, Mode};
use remit_core::authority::{Sources, compile};
use remit_core::ids::{AgentId, GrantId, RuleId, TeamId, UserId};
use remit_core::registry::Class;
use remit_core::verdict::{Code, Decision, Verdict};
use serde_json::{Value, json};

const ALICE: &str = "alice@acme.example";

fn rule(id: &str) -> RuleId {
    RuleId::parse(id).expect("a rule")
}

fn terms(json: Value) -> Terms {
    Terms::read(&json, None).expect("terms")
}

fn offer(json: Value) -> Offer {
    Offer {
        id: "may_request.0".into(),
        terms: terms(json),
        unused_secs: 900,
        approval: rule("two-person"),
        locus: Locus::default(),
    }
}

fn glass(instead_of: &[&str]) -> BreakGlass {
    BreakGlass {
        name: rule("fire"),
        agents: vec![AgentId::parse("support-bot").expect("an agent")],
        terms: terms(json!({"tools": ["mail/send"], "for_secs": 600, "calls": 2})),
        people: Vec::new(),
        reviewers: Vec::new(),
        instead_of: instead_of.iter().map(|id| rule(id)).collect(),
        locus: Locus::default(),
    }
}

/// The agent's remit says nothing of mail and lets it ask for it; refunds beyond its grants too.
fn lean(guardrails: &str) -> Sources {
    let mut sources = sources(Mode::Enforce, guardrails);
    let agent = &mut sources.remits[0];
    agent.grants.retain(|grant| grant.class != Class::Expose);
    agent.may_request = vec![offer(json!({"tools": ["mail/*", "payments/refund"], "for_secs": 3600, "calls": 3}))];
    sources
}

fn given(house: &House, tools: &str, ground: Ground) -> AccessGrant {
    let later = |secs| house.now + SignedDuration::from_secs(secs);
    AccessGrant {
        id: GrantId::parse("g-1").expect("an id"),
        agent: AgentId::parse("support-bot").expect("an agent"),
        whom: Whom::Exactly(Some(UserId::parse(ALICE).expect("a user"))),
        terms: terms(json!({"tools": [tools], "for_secs": 600, "calls": 2})),
        expires: later(600),
        unused_until: Some(later(300)),
        ground,
    }
}

fn offered(house: &House, tools: &str) -> AccessGrant {
    given(house, tools, Ground::Offer(rule("two-person")))
}

/// A house in which this was given.
fn with_grant(sources: Sources, change: impl FnOnce(&mut AccessGrant)) -> House {
    let mut house = House::with(sources);
    let mut grant = offered(&house, "mail/send");
    change(&mut grant);
    house.case.grants.push(grant);
    house
}

fn mail() -> Wanted {
    call("mail/send", r#"{"to": "x@elsewhere.example", "text": "x"}"#)
}

fn code(decision: &Decision) -> Option<Code> {
    match &decision.verdict {
        Verdict::Allow { .. } => None,
        Verdict::Ask { refusal, .. } | Verdict::Deny(refusal) => Some(refusal.code),
    }
}

#[test]
fn a_refusal_says_what_the_agent_may_ask_for() {
    let house = House::with(lean(GUARDRAILS));
    let Verdict::Deny(refusal) = house.decide(&mail()).verdict else { panic!("allowed") };
    assert_eq!(refusal.code, Code::PolicyNoPermit);
    assert_eq!(refusal.may_request.len(), 1);
    assert!(refusal.remedy.contains("remit__request_access"), "{}", refusal.remedy);
    let elsewhere = House::default().decide(&call("payments/refund", r#"{"amount": 2000, "payment": "P-1"}"#));
    let Verdict::Deny(refusal) = elsewhere.verdict else { panic!("allowed") };
    assert!(refusal.may_request.is_empty(), "what may not be asked for is not offered");
}

#[test]
fn a_grant_lets_the_call_through_and_counts_it() {
    let house = with_grant(lean(GUARDRAILS), |_| {});
    let decision = house.decide(&mail());
    let Verdict::Allow { reservations, .. } = &decision.verdict else { panic!("{decision:?}") };
    assert!(decision.policies.contains(&"grant:g-1".to_owned()), "{decision:?}");
    assert!(reservations.iter().any(|r| r.key.0 == "grant:g-1/calls/total" && r.limit == 2), "{reservations:?}");
    assert!(house.visible().contains(&"mail/send".to_owned()));
    assert!(!House::with(lean(GUARDRAILS)).visible().contains(&"mail/send".to_owned()));
    let mut house = house;
    house.spend("grant:g-1/calls/total", 2);
    assert_eq!(code(&house.decide(&mail())), Some(Code::BudgetExhausted));
}

#[test]
fn a_grant_of_somebody_elses_counts_for_nothing() {
    let refused = |change: fn(&mut AccessGrant)| code(&with_grant(lean(GUARDRAILS), change).decide(&mail()));
    assert_eq!(refused(|grant| grant.agent = AgentId::parse("other").expect("id")), Some(Code::PolicyNoPermit));
    assert_eq!(refused(|grant| grant.whom = Whom::Exactly(None)), Some(Code::PolicyNoPermit));
    let bob = UserId::parse("bob@acme.example").expect("id");
    let house = with_grant(lean(GUARDRAILS), |grant| grant.whom = Whom::Exactly(Some(bob)));
    assert_eq!(code(&house.decide(&mail())), Some(Code::PolicyNoPermit));
    assert_eq!(refused(|grant| grant.whom = Whom::Anybody), None);
}

#[test]
fn a_grant_ends_with_its_time_or_unused() {
    let at = |secs: i64, used: u64| {
        let mut house = with_grant(lean(GUARDRAILS), |_| {});
        house.now += SignedDuration::from_secs(secs);
        house.spend("grant:g-1/calls/total", used);
        code(&house.decide(&mail()))
    };
    assert_eq!((at(299, 0), at(300, 0)), (None, Some(Code::PolicyNoPermit)), "nobody used it");
    assert_eq!((at(599, 1), at(600, 1)), (None, Some(Code::PolicyNoPermit)), "its time is over");
}

#[test]
fn a_grant_counts_only_as_long_as_the_files_offer_it() {
    let mut narrowed = lean(GUARDRAILS);
    narrowed.remits[0].may_request = vec![offer(json!({"tools": ["mail/*"], "for_secs": 3600, "calls": 1}))];
    assert_eq!(code(&with_grant(narrowed, |_| {}).decide(&mail())), Some(Code::PolicyNoPermit));
    let mut withdrawn = lean(GUARDRAILS);
    withdrawn.remits[0].may_request.clear();
    assert_eq!(code(&with_grant(withdrawn, |_| {}).decide(&mail())), Some(Code::PolicyNoPermit));
    let mut elsewhere = lean(GUARDRAILS);
    elsewhere.remits[0].may_request[0].approval = rule("finance-sign-off");
    assert_eq!(code(&with_grant(elsewhere, |_| {}).decide(&mail())), Some(Code::PolicyNoPermit), "another rule now");
    let mut over = lean(GUARDRAILS);
    over.remits[0].expires = Some("2026-11-20T11:00:00Z".parse().expect("time"));
    assert!(code(&with_grant(over, |_| {}).decide(&mail())).is_some(), "the remit has expired");
}

#[test]
fn a_guardrail_beats_a_grant_where_the_remit_does_not_even_name_the_tool() {
    let mut house = with_grant(lean(GUARDRAILS), |_| {});
    house.case.run.labels = labels(&["pii"]);
    assert_eq!(code(&house.decide(&mail())), Some(Code::PolicyGuardrail));
    house.case.run.labels = labels(&["untrusted"]);
    let decision = house.decide(&mail());
    assert!(matches!(&decision.verdict, Verdict::Ask { rules, .. } if *rules == [rule("two-person")]), "{decision:?}");
    house.case.approved = vec![rule("two-person")];
    let Verdict::Allow { approvals, .. } = house.decide(&mail()).verdict else { panic!("refused") };
    assert_eq!(approvals, [rule("two-person")], "an approval that a guardrail asks for is used up");
    // Only the agent is forbidden: the guardrail has to be asked for that link too.
    let own = format!("{GUARDRAILS} forbid(principal is Agent, action == Action::\"mail/send\", resource);");
    let house = with_grant(lean(&own), |_| {});
    assert_eq!(code(&house.decide(&mail())), Some(Code::PolicyGuardrail));
    assert!(!house.visible().contains(&"mail/send".to_owned()));
    let erring = format!(
        "{GUARDRAILS} forbid(principal is Agent, action == Action::\"mail/send\", resource) when {{ context.now.epoch * 9223372036854775807 > 0 }};"
    );
    let decision = with_grant(lean(&erring), |_| {}).decide(&mail());
    assert_eq!(code(&decision), Some(Code::PolicyError), "{decision:?}");
}

#[test]
fn a_grant_is_never_wider_than_the_user_and_the_owner() {
    let mut user = lean(GUARDRAILS);
    user.remits[1].grants.retain(|grant| grant.class != Class::Expose);
    let decision = with_grant(user, |_| {}).decide(&mail());
    let Verdict::Deny(refusal) = decision.verdict else { panic!("allowed") };
    assert_eq!(refusal.factor.map(|link| link.to_string()), Some(format!("user:{ALICE}")));
    let team = || Holder::Team(TeamId::parse("support").expect("a team"));
    let mut owned = lean(GUARDRAILS);
    owned.remits.push(remit(team(), Mode::Enforce, vec![grant(Class::Read, 0, "*", None, None, &[])]));
    let decision = with_grant(owned, |_| {}).decide(&mail());
    let Verdict::Deny(refusal) = decision.verdict else { panic!("allowed") };
    assert!(refusal.reason.contains("team:support"), "{}", refusal.reason);
    assert!(refusal.may_request.is_empty(), "asking again would not help");
    let mut able = lean(GUARDRAILS);
    able.remits.push(remit(team(), Mode::Enforce, vec![grant(Class::Expose, 0, "mail/*", None, None, &["1 per day"])]));
    let mut house = with_grant(able, |_| {});
    let decision = house.decide(&mail());
    assert!(decision.policies.contains(&"team:support/expose.0".to_owned()), "{decision:?}");
    house.spend("team:support/expose.0/calls/day", 1);
    assert_eq!(code(&house.decide(&mail())), Some(Code::BudgetExhausted), "its owner's limits bind it");
}

#[test]
fn a_grant_stays_within_what_limits_the_whole_remit() {
    let mut limited = lean(GUARDRAILS);
    limited.remits[0].limits = vec![remit_core::authority::remit::Limit::parse("5 per day").expect("a limit")];
    let mut house = with_grant(limited, |_| {});
    assert_eq!(code(&house.decide(&mail())), None);
    house.spend("agent:support-bot/calls/day", 5);
    assert_eq!(code(&house.decide(&mail())), Some(Code::BudgetExhausted));
}

#[test]
fn a_delegating_agent_is_not_covered_by_the_grant_of_the_one_it_calls() {
    let house = with_grant(lean(GUARDRAILS), |_| {});
    let decision = house.decide(&mail().via("stranger"));
    let Verdict::Deny(refusal) = decision.verdict else { panic!("allowed") };
    assert_eq!(refusal.factor.map(|link| link.to_string()).as_deref(), Some("agent:stranger"));
}

#[test]
fn a_broken_glass_skips_the_approvals_that_it_names_and_no_others() {
    let emergency = |instead_of: &[&str], seen: &[&str]| {
        let mut sources = lean(GUARDRAILS);
        sources.break_glass = vec![glass(instead_of)];
        let mut house = with_grant(sources, |grant| {
            grant.ground = Ground::BreakGlass(rule("fire"));
            grant.whom = Whom::Anybody;
        });
        house.case.run.labels = labels(seen);
        house
    };
    let decision = emergency(&["two-person"], &["untrusted"]).decide(&mail());
    let Verdict::Allow { approvals, reservations } = &decision.verdict else { panic!("{decision:?}") };
    assert!(approvals.is_empty() && reservations.iter().any(|r| r.key.0 == "grant:g-1/calls/total"));
    let asked = emergency(&["finance-sign-off"], &["untrusted"]).decide(&mail());
    assert!(matches!(&asked.verdict, Verdict::Ask { rules, .. } if *rules == [rule("two-person")]), "{asked:?}");
    let barred = emergency(&["two-person"], &["pii", "untrusted"]).decide(&mail());
    assert_eq!(code(&barred), Some(Code::PolicyGuardrail), "what no approval lifts, no emergency lifts");
    let mut empty = emergency(&["two-person"], &["untrusted"]);
    empty.spend("grant:g-1/calls/total", 2);
    assert!(!matches!(empty.decide(&mail()).verdict, Verdict::Allow { .. }), "its own budget binds it");
}

#[test]
fn what_an_emergency_skips_has_to_be_written_down() {
    let mut skipping = sources(Mode::Enforce, GUARDRAILS);
    let refunds = terms(json!({"tools": ["payments/refund"], "for_secs": 60}));
    skipping.break_glass = vec![BreakGlass { terms: refunds.clone(), ..glass(&[]) }];
    let faults = compile(skipping).expect_err("it would skip finance-sign-off");
    assert!(faults[0].message.contains("finance-sign-off"), "{faults:?}");
    let mut declared = sources(Mode::Enforce, GUARDRAILS);
    declared.break_glass = vec![BreakGlass { terms: refunds, ..glass(&["finance-sign-off"]) }];
    assert!(compile(declared).is_ok());
    let mut unknown = sources(Mode::Enforce, GUARDRAILS);
    unknown.remits[0].may_request =
        vec![Offer { approval: rule("nobody"), ..offer(json!({"tools": ["mail/send"], "for_secs": 60})) }];
    let faults = compile(unknown).expect_err("nobody could give it");
    assert!(faults[0].message.contains("`nobody`"), "{faults:?}");
}

prop_compose! {
    fn situation()(
        tool in prop::sample::select(vec!["mail/send", "payments/refund"]),
        cents in 0..60_000u64,
        seen in prop::sample::subsequence(vec!["untrusted", "pii"], 0..=2),
        approved in prop::sample::subsequence(vec!["finance-sign-off", "two-person"], 0..=2),
        hour in 0..24u32,
        frozen in any::<bool>(),
        used in 0..4u64,
        emergency in any::<bool>(),
    ) -> (Wanted, Vec<&'static str>, Vec<&'static str>, Timestamp, u64, bool) {
        let wanted = match tool {
            "mail/send" => mail(),
            _ => call(tool, &format!(r#"{{"amount": {}.{:02}, "payment": "P-1"}}"#, cents / 100, cents % 100)),
        };
        let day = if frozen { "2026-12-24" } else { "2026-11-20" };
        (wanted, seen, approved, format!("{day}T{hour:02}:00:00Z").parse().expect("time"), used, emergency)
    }
}

/// Guardrails that no approval lifts; each forbids something to somebody.
const ABSOLUTE: [&str; 4] = [
    "@id(\"law\") forbid(principal is Agent, action in [Action::\"expose\"], resource);",
    "@id(\"law\") forbid(principal is User, action in [Action::\"trigger\"], resource) when { context.now.hour >= 12 };",
    "@id(\"law\") forbid(principal, action, resource) when { context.run.labels.contains(\"untrusted\") };",
    "@id(\"law\") forbid(principal, action in [Action::\"payments/*\"], resource);",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is granted: what a guardrail forbids, with every approval, stays forbidden.
    #[test]
    fn a_grant_never_allows_what_a_guardrail_forbids(at in situation(), law in 0..ABSOLUTE.len()) {
        let (wanted, seen, approved, now, used, emergency) = at;
        let decide = |law: &str, granted: bool| {
            let mut sources = lean(&format!("{GUARDRAILS}{law}"));
            sources.break_glass = vec![glass(&["two-person"])];
            let mut house = House::with(sources);
            house.now = now;
            if granted {
                let ground = if emergency { Ground::BreakGlass(rule("fire")) } else { Ground::Offer(rule("two-person")) };
                let mail = given(&house, "mail/send", ground);
                house.case.grants = vec![mail, AccessGrant { id: GrantId::parse("g-2").expect("id"), ..offered(&house, "payments/refund") }];
            }
            house.spend("grant:g-1/calls/total", used);
            house.case.run.labels = labels(&seen);
            house.case.approved = approved.iter().map(|id| rule(id)).collect();
            house.decide(&wanted)
        };
        // What a house with this law alone, whose remits allow everything, would refuse by it.
        let mut open = sources(Mode::Enforce, &format!("{GUARDRAILS}{}", ABSOLUTE[law]));
        open.remits[0].grants = Class::ALL.into_iter().map(|class| grant(class, 0, "*", None, None, &[])).collect();
        let mut free = House::with(open);
        free.now = now;
        free.case.run.labels = labels(&seen);
        free.case.approved = vec![rule("finance-sign-off"), rule("two-person")];
        let lawful = free.decide(&wanted);
        if code(&lawful) == Some(Code::PolicyGuardrail) {
            let decision = decide(ABSOLUTE[law], true);
            prop_assert!(matches!(decision.verdict, Verdict::Deny(_)), "{lawful:?} and yet {decision:?}");
        }
        // And a grant takes nothing away.
        let (without, with) = (decide(ABSOLUTE[law], false), decide(ABSOLUTE[law], true));
        if matches!(without.verdict, Verdict::Allow { .. }) {
            prop_assert!(matches!(with.verdict, Verdict::Allow { .. }), "{without:?} and {with:?}");
        }
    }

    #[test]
    fn a_grant_never_allows_what_the_user_may_not(at in situation(), class in 0..Class::ALL.len()) {
        let (wanted, seen, approved, now, _, emergency) = at;
        let mut sources = lean(GUARDRAILS);
        sources.break_glass = vec![glass(&["two-person"])];
        let barred = Class::ALL[class];
        sources.remits[1].grants.retain(|grant| grant.class != barred);
        let mut house = House::with(sources);
        house.now = now;
        let ground = if emergency { Ground::BreakGlass(rule("fire")) } else { Ground::Offer(rule("two-person")) };
        house.case.grants = vec![given(&house, "mail/send", ground)];
        house.case.run.labels = labels(&seen);
        house.case.approved = approved.iter().map(|id| rule(id)).collect();
        let touches = house.call(&wanted).tool.class == barred;
        let decision = house.decide(&wanted);
        prop_assert!(!touches || matches!(decision.verdict, Verdict::Deny(_)), "{decision:?}");
        prop_assert_eq!(&decision, &house.decide(&wanted), "it is a function");
    }
}

//! The laws of a decision, over cases nobody thought of.

use crate::house::{GUARDRAILS, House, Wanted, call, labels, sources};
use proptest::prelude::*;
use remit_core::authority::remit::Mode;
use remit_core::ids::RuleId;
use remit_core::verdict::Verdict;

fn permissive(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Allow { .. } => 2,
        Verdict::Ask { .. } => 1,
        Verdict::Deny(_) => 0,
    }
}

/// Guardrails to add; none of them may ever allow more.
const EXTRA: [&str; 6] = [
    "forbid(principal, action, resource) when { context.now.hour >= 18 };",
    "forbid(principal is Agent, action in [Action::\"read\"], resource);",
    "forbid(principal, action in [Action::\"trigger\"], resource) unless { context.approved.contains(\"two-person\") };",
    "forbid(principal, action, resource) when { context.args has amount && context.args.amount.greaterThan(decimal(\"30.0\")) };",
    "forbid(principal, action, resource) when { context.run.calls > 3 };",
    "forbid(principal, action == Action::\"mail/send\", resource) when { context.args.to like \"*evil*\" };",
];

/// One case, printed when it breaks a law.
#[derive(Clone, Debug)]
struct Situation {
    wanted: Wanted,
    seen: Vec<&'static str>,
    calls: u64,
    approved: Vec<&'static str>,
    halted: Option<&'static str>,
    spent: u64,
    hour: u32,
}

impl Situation {
    fn furnish(&self, mut house: House) -> House {
        house.case.run.labels = labels(&self.seen);
        house.case.run.calls = self.calls;
        house.case.approved = self.approved.iter().map(|rule| RuleId::parse(rule).expect("rule")).collect();
        house.now = format!("2026-11-20T{:02}:00:00Z", self.hour).parse().expect("time");
        house.spend("agent:support-bot/trigger.0/micro_usd/day", self.spent);
        if let Some(target) = self.halted {
            house.halt(target);
        }
        house
    }
}

prop_compose! {
    fn situation()(
        tool in 0..3usize,
        cents in 0..60_000u64,
        to in prop::sample::select(vec!["a@customer.example", "b@evil.example", "evil@customer.example"]),
        seen in prop::sample::subsequence(vec!["untrusted", "pii", "confidential"], 0..=3),
        calls in 0..6u64,
        approved in prop::sample::subsequence(vec!["finance-sign-off", "two-person"], 0..=2),
        halted in prop::option::weighted(0.1, Just("agent:support-bot")),
        spent in prop::sample::select(vec![0u64, 480_000_000, 500_000_000]),
        hour in 0..24u32,
    ) -> Situation {
        let wanted = match tool {
            0 => call("crm/get_customer", r#"{"id": "C-1"}"#),
            1 => call("mail/send", &format!(r#"{{"to": "{to}", "text": "x"}}"#)),
            _ => call("payments/refund", &format!(r#"{{"amount": {}.{:02}, "payment": "P-1"}}"#, cents / 100, cents % 100)),
        };
        Situation { wanted, seen, calls, approved, halted, spent, hour }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn adding_a_guardrail_never_allows_more(at in situation(), extra in 0..EXTRA.len()) {
        let before = at.furnish(House::default()).decide(&at.wanted);
        let after = at.furnish(House::with(sources(Mode::Enforce, &format!("{GUARDRAILS}{}", EXTRA[extra])))).decide(&at.wanted);
        prop_assert!(permissive(&after.verdict) <= permissive(&before.verdict), "{before:?} then {after:?}");
    }

    #[test]
    fn decide_is_a_function(at in situation()) {
        let (one, other) = (at.furnish(House::default()), at.furnish(House::default()));
        prop_assert_eq!(one.decide(&at.wanted), one.decide(&at.wanted));
        prop_assert_eq!(one.decide(&at.wanted), other.decide(&at.wanted));
    }

    #[test]
    fn a_longer_chain_never_allows_more(at in situation()) {
        let house = at.furnish(House::default());
        let alone = house.decide(&at.wanted);
        let handed = house.decide(&at.wanted.clone().via("support-bot"));
        let stranger = house.decide(&call("crm/get_customer", r#"{"id": "C-1"}"#).via("stranger"));
        prop_assert!(permissive(&handed.verdict) <= permissive(&alone.verdict));
        prop_assert_eq!(permissive(&stranger.verdict), 0);
    }

    #[test]
    fn what_is_asked_for_is_enough(at in situation()) {
        let mut house = at.furnish(House::default());
        if let Verdict::Ask { rules, .. } = house.decide(&at.wanted).verdict {
            house.case.approved.extend(rules);
            let granted = house.decide(&at.wanted);
            prop_assert!(matches!(granted.verdict, Verdict::Allow { .. }), "{granted:?}");
        }
    }
}

//! Voting in another person's place. A stand-in adds no right and no vote: they bring the right of whoever
//! they stand in for, and are bound by what binds either.

use super::rule::Hour;
use super::{ApprovalRule, Approver, CallParties, NotEntitled};

impl ApprovalRule {
    /// Whether a vote counts that `stand_in` casts in the place of `principal`: the principal's own vote would,
    /// and nothing of the call excludes the one who casts it. Rights that were lent are not lent on: only what the
    /// principal is entitled to themselves is looked at.
    ///
    /// # Errors
    /// Says why it does not.
    pub fn entitles_in_place(
        &self,
        stand_in: &Approver,
        principal: &Approver,
        call: &CallParties,
        hour: Hour,
    ) -> Result<(), NotEntitled> {
        self.entitles(principal, call, hour)?;
        self.admits(stand_in, call)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Distinct, Escalation, Factor, Voter};
    use super::*;
    use crate::ids::{OperatorId, RuleId, TeamId, UserId};

    fn user(at: usize) -> UserId {
        UserId::parse(&format!("u{at}")).expect("id")
    }

    fn team(at: usize) -> TeamId {
        TeamId::parse(&format!("t{at}")).expect("id")
    }

    fn approver(at: usize, teams: Vec<usize>) -> Approver {
        let id = OperatorId::parse(&format!("o{at}")).expect("id");
        Approver { id, user: Some(user(at)), teams: teams.into_iter().map(team).collect(), factor: Factor::Key }
    }

    prop_compose! {
        fn a_rule()(people in prop::collection::vec(0usize..4, 0..2), teams in prop::collection::vec(0usize..3, 0..2),
                    later in prop::collection::vec((0usize..4, 1u64..90), 0..3), distinct in 0usize..8) -> ApprovalRule {
            let from = people.into_iter().map(|p| Voter::Person(user(p))).chain(teams.into_iter().map(|t| Voter::Team(team(t))));
            let mut later = later;
            later.sort_by_key(|(_, after)| *after);
            let escalate = later.into_iter().map(|(p, after_secs)| Escalation { after_secs, to: vec![Voter::Person(user(p))] });
            let all = [Distinct::User, Distinct::AgentOwner, Distinct::ToolOwner];
            let distinct_from = all.into_iter().enumerate().filter(|(at, _)| distinct >> at & 1 == 1).map(|(_, d)| d).collect();
            ApprovalRule { distinct_from, escalate: escalate.collect(),
                           ..ApprovalRule::new(RuleId::parse("r").expect("id"), 1, from.collect(), 100) }
        }
    }

    prop_compose! {
        fn parties()(u in prop::option::of(0usize..4), a in prop::option::of(0usize..3), t in prop::option::of(0usize..3)) -> CallParties {
            CallParties { user: u.map(user), agent_owner: a.map(team), tool_owner: t.map(team) }
        }
    }

    proptest! {
        #[test]
        fn a_stand_in_adds_no_right(rule in a_rule(), call in parties(), steps in 0usize..3,
                                    own in prop::collection::vec(0usize..3, 0..3), lent in prop::collection::vec(0usize..3, 0..3)) {
            let hour = Hour { now: "2026-11-21T10:00:00Z".parse().expect("time"), steps };
            let (bob, alice) = (approver(0, own), approver(1, lent));
            let counts = rule.entitles_in_place(&bob, &alice, &call, hour).is_ok();
            prop_assert!(!counts || rule.entitles(&alice, &call, hour).is_ok(), "never more than the principal");
            prop_assert!(!counts || rule.admits(&bob, &call).is_ok(), "never for whom the call excludes");
            let caller = CallParties { user: bob.user.clone(), ..call };
            if rule.distinct_from.contains(&Distinct::User) {
                prop_assert!(rule.entitles_in_place(&bob, &alice, &caller, hour).is_err(), "never in their own matter");
            }
        }

        #[test]
        fn time_only_ever_adds_voters(rule in a_rule(), at in 0i64..100, later in 0i64..100, who in 0usize..4) {
            let asked: jiff::Timestamp = "2026-11-21T10:00:00Z".parse().expect("time");
            let moment = |secs| asked.checked_add(jiff::SignedDuration::from_secs(secs)).expect("time");
            let (now, then) = (moment(at), moment(at + later));
            prop_assert!(rule.steps_due(asked, now) <= rule.steps_due(asked, then));
            let may = |when| {
                let hour = Hour { now: when, steps: rule.steps_due(asked, when) };
                rule.entitles(&approver(who, Vec::new()), &CallParties::default(), hour).is_ok()
            };
            prop_assert!(!may(now) || may(then));
            match rule.next_step(asked, rule.steps_due(asked, now)) {
                Some(due) => prop_assert!(due > now && rule.steps_due(asked, due) > rule.steps_due(asked, now)),
                None => prop_assert_eq!(rule.steps_due(asked, now), rule.escalate.len()),
            }
        }
    }
}

//! Whose vote counts, for whoever shows lists and ballots. What a vote is worth is found out again when it
//! is cast.

use remit_core::approval::{Approver, CallParties, Hour};
use remit_core::ids::RuleId;

use crate::gate::Gate;
use crate::question::Question;

impl Gate {
    /// The rules of this question under which this person's vote would count at this moment.
    #[must_use]
    pub fn entitled(&self, approver: &Approver, question: &Question) -> Vec<RuleId> {
        let (snapshot, now) = (self.snapshot(), self.now());
        let counts = |asked: &&crate::question::QuestionRule| {
            snapshot.rule(&asked.id).is_some_and(|rule| {
                let hour = crate::sight::hour(rule, question, now);
                rule.digest() == asked.definition && rule.entitles(approver, &question.parties, hour).is_ok()
            })
        };
        question.rules.iter().filter(counts).map(|asked| asked.id.clone()).collect()
    }

    /// The rules that could count votes of this person, now or after their escalations, whatever the call.
    #[must_use]
    pub fn rules_of(&self, approver: &Approver) -> Vec<RuleId> {
        let (snapshot, now) = (self.snapshot(), self.now());
        let anybody = CallParties::default();
        let counts = |rule: &&remit_core::approval::ApprovalRule| {
            rule.entitles(approver, &anybody, Hour { now, steps: usize::MAX }).is_ok()
        };
        snapshot.all_rules().filter(counts).map(|rule| rule.id.clone()).collect()
    }
}

//! What is asked of people, when their yes would be enough.

use super::{Bench, Grounds};
use crate::authority::Slice;
use crate::identity::Link;
use crate::ids::RuleId;
use crate::verdict::{Code, Decision, Refusal, Verdict};

impl Bench<'_> {
    /// For the approvals that made the difference: each forbid that stopped firing needs its own,
    /// and the first permit that came alive needs its own.
    pub(super) fn ask(
        &self,
        decision: &mut Decision,
        grounds: Vec<Grounds>,
        refusal: Refusal,
    ) -> Result<Verdict, Refusal> {
        let mut needed = Vec::new();
        for (at, ground) in grounds.into_iter().enumerate() {
            needed.extend(ground.approval);
            decision.policies.extend(ground.policies);
            decision.observed.extend(ground.observed);
            // The owner's ground comes after those of the links, and meets the guardrails that the agent's met.
            let Some((link, profile)) = self.standing.links.get(at) else { continue };
            let Some(slice) = self.slice(link, profile) else { continue };
            for id in self.forbids(link, slice, &self.case.approved)? {
                needed.extend(self.satisfying(link, slice, &id)?);
                // One guardrail may stop several links; it is named once.
                if !decision.policies.contains(&id) {
                    decision.policies.push(id);
                }
            }
        }
        let mut rules: Vec<RuleId> = Vec::new();
        for rule in needed {
            if !self.case.approved.contains(&rule) && !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        if rules.is_empty() {
            return Err(Refusal::new(Code::Internal, "an approval is missing, and none was found to ask for"));
        }
        let names: Vec<_> = rules.iter().map(|rule| format!("`{rule}`")).collect();
        let why = if refusal.code == Code::PolicyGuardrail { format!(": {}", refusal.reason) } else { String::new() };
        let refusal = Refusal {
            code: Code::ApprovalRequired,
            reason: format!("{} must be approved by {} first{why}", self.call.tool.name, names.join(" and ")),
            remedy: Code::ApprovalRequired.remedy().into(),
            ..refusal
        };
        Ok(Verdict::Ask { rules, refusal })
    }

    fn forbids(&self, link: &Link, slice: &Slice, approved: &[RuleId]) -> Result<Vec<String>, Refusal> {
        let finding = self.facts.evaluate(link, &slice.policies, &self.facts.context(approved));
        finding.map(|f| f.forbids).map_err(|text| Refusal::new(Code::PolicyError, text))
    }

    /// The rules that stop one forbid: one of those it names, if one is enough, or else all of them.
    fn satisfying(&self, link: &Link, slice: &Slice, id: &str) -> Result<Vec<RuleId>, Refusal> {
        let mut guardrails = slice.guardrails.iter().filter_map(|at| self.snapshot.guardrail(*at));
        let Some(guardrail) = guardrails.find(|g| g.policy.id().to_string() == id) else { return Ok(Vec::new()) };
        for rule in &guardrail.rules {
            let mut with = self.case.approved.clone();
            with.push(rule.clone());
            if !self.forbids(link, slice, &with)?.iter().any(|still| still == id) {
                return Ok(vec![rule.clone()]);
            }
        }
        Ok(guardrail.rules.clone())
    }
}

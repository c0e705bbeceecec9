//! What an approver sees: everything that will happen, who asks for whom, and why it is asked.
//!
//! A sight has two parts. What stands still is digested, and a vote names that digest: if it has changed since,
//! by a changed tool, remit or rule, the vote is refused. What moves, such as budgets, is shown with its time.

use std::sync::Arc;

use jiff::Timestamp;
use remit_core::approval::{ApprovalRule, Factor, Hour, Voter};
use remit_core::budget::BudgetState;
use remit_core::call::Call;
use remit_core::ids::{AgentId, Digest, QuestionId, ToolName, UserId};
use remit_core::json::canonical;
use remit_core::registry::Tool;
use remit_core::verdict::Verdict;
use remit_core::{Caller, CaseFile, Snapshot, decide};
use serde_json::{Value, json};

use crate::gate::Gate;
use crate::intent::Unavailable;
use crate::ports::listing::Asked;
use crate::preview::Preview;
use crate::question::Question;
use crate::records::millis;

/// What an approver sees of one question.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The question.
    pub question: Question,
    /// What stands still.
    pub still: Value,
    /// What moves, with its time.
    pub live: Value,
    /// The digest over what stands still, as a vote names it.
    pub shown: Digest,
}

impl Gate {
    /// What an approver of this question sees now; `None` when there is no such question.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn sight(&self, id: &QuestionId) -> Result<Option<Sight>, Unavailable> {
        let Some(question) = self.ports.store.question(id).await? else { return Ok(None) };
        let snapshot = self.snapshot.load_full();
        let still = still(&snapshot, &question);
        let shown = digest(&still);
        let live = self.live(&snapshot, &question).await?;
        Ok(Some(Sight { question, still, live, shown }))
    }

    /// The budgets that the call draws on when it is approved. Where it would not go ahead even then, all that might
    /// be concerned.
    async fn drawn_on(
        &self,
        snapshot: &Snapshot,
        call: &Call,
        question: &Question,
        now: Timestamp,
    ) -> Result<Vec<BudgetState>, Unavailable> {
        if let Ok(case) = self.load(snapshot, call, now).await {
            let approved = question.rules.iter().map(|asked| asked.id.clone()).collect();
            let file = CaseFile { approved, refused: None, narrowed: None, ..case.file };
            if let Verdict::Allow { reservations, .. } = decide(snapshot, call, &file, now).verdict {
                let drawn = |state: &BudgetState| reservations.iter().any(|reserved| reserved.key == state.budget.key);
                return Ok(file.budgets.into_iter().filter(drawn).collect());
            }
        }
        let budgets = snapshot.budgets(call, now).into_iter().map(|(budget, span, _)| (budget, span));
        let budgets: Vec<_> = budgets.collect();
        let usage = self.ports.store.usage(&budgets).await?.into_iter();
        let all = budgets.into_iter().zip(usage).map(|((budget, span), (settled, reserved))| BudgetState {
            budget,
            span,
            settled,
            reserved,
            object_known: false,
        });
        Ok(all.collect())
    }

    /// What was asked about the same tool by the same agent before, the newest first, and how it ended.
    async fn similar(&self, question: &Question, now: Timestamp) -> Result<Vec<Value>, Unavailable> {
        let (agent, tool) = (Some(question.agent.clone()), Some(question.tool.clone()));
        let asked = Asked { agent, tool, limit: SIMILAR + 1, ..Asked::default() };
        let sheet = self.ports.store.asked(&asked).await?;
        let others = sheet.items.iter().filter(|other| other.id != question.id).take(SIMILAR);
        let shown = others.map(|other| {
            json!({
                "question": other.id.as_str(), "state": other.state(now).as_str(), "arguments": other.arguments,
                "user": other.user.as_ref().map(UserId::as_str), "asked_at": millis(other.asked_at),
            })
        });
        Ok(shown.collect())
    }

    async fn live(&self, snapshot: &Snapshot, question: &Question) -> Result<Value, Unavailable> {
        let now = self.now();
        // Of a canary this has to say as much as of any other.
        let call = like(snapshot, question);
        let drawn_on = match &call {
            Some(call) => self.drawn_on(snapshot, call, question, now).await?,
            None => Vec::new(),
        };
        let budgets = drawn_on.iter().map(|BudgetState { budget, span, settled, reserved, .. }| {
            let used = settled.saturating_add(*reserved);
            json!({
                "budget": budget.key.0, "unit": budget.unit.as_str(), "limit": budget.limit,
                "left": budget.limit.saturating_sub(used), "resets": span.ends.map(millis),
            })
        });
        let run = self.ports.store.run(&question.run).await?;
        let votes = question.votes.iter().map(|vote| {
            json!({
                "by": vote.by.as_str(), "rule": vote.rule.as_str(), "reason": vote.reason, "at": millis(vote.at),
                "choice": if vote.approve { "approve" } else { "deny" }, "factor": vote.factor.as_str(),
                "for_run": vote.bounds.as_ref().map(crate::ballot::written),
            })
        });
        let counts = question.rules.iter().map(|asked| {
            let found = snapshot.rule(&asked.id).filter(|rule| rule.digest() == asked.definition);
            json!({
                "rule": asked.id.as_str(), "approved": question.yes(&asked.id), "quorum": asked.quorum,
                "denied": question.no(&asked.id), "deny": asked.deny,
                "steps": found.map(|rule| hour(rule, question, now).steps),
            })
        });
        // What an agent says comes last, and is the agent's word only.
        let said = question.remarks.iter().map(|remark| {
            let by = remark.by.as_ref().map(ToString::to_string);
            json!({"by": by, "agent": remark.by.is_none(), "text": remark.text, "at": millis(remark.at)})
        });
        Ok(json!({
            "at": millis(now),
            "state": question.state(now).as_str(),
            "rules": counts.collect::<Vec<_>>(),
            "votes": votes.collect::<Vec<_>>(),
            "budgets": budgets.collect::<Vec<_>>(),
            "uses": {"made": question.uses, "of": question.uses_max()},
            "run": run.map(|run| json!({
                "calls": run.calls, "spend_micro_usd": run.spend, "labels": run.labels.words().collect::<Vec<_>>(),
                "closed": run.closed_at.is_some(),
            })),
            "similar": self.similar(question, now).await?,
            "said": said.collect::<Vec<_>>(),
        }))
    }
}

/// How many similar calls are shown.
const SIMILAR: usize = 5;

/// The moment for a rule of a question: how far it has escalated is part of it.
pub(crate) fn hour(rule: &ApprovalRule, question: &Question, now: Timestamp) -> Hour {
    let ordered = usize::try_from(question.escalated).unwrap_or(usize::MAX);
    Hour { now, steps: rule.steps_due(question.asked_at, now).max(ordered.min(rule.escalate.len())) }
}

/// The digest of what stands still.
pub(crate) fn digest(still: &Value) -> Digest {
    Digest::of(canonical(still).as_bytes())
}

/// What stands still of a question while nobody changes the authority it is asked under.
pub(crate) fn still(snapshot: &Snapshot, question: &Question) -> Value {
    let names = |via: &[AgentId]| via.iter().map(ToString::to_string).collect::<Vec<_>>();
    let tool = tool(snapshot, question);
    let resource = tool.and_then(|tool| tool.resource.resolve(tool.class, &question.arguments).ok());
    let dimensions = resource.iter().flat_map(|resource| &resource.dimensions);
    let dimensions: serde_json::Map<_, _> =
        dimensions.map(|(dimension, value)| (dimension.as_str().to_owned(), json!(value))).collect();
    let rules = question.rules.iter().map(|asked| {
        let found = snapshot.rule(&asked.id).filter(|rule| rule.digest() == asked.definition);
        json!({"rule": asked.id.as_str(), "definition": asked.definition.to_string(), "quorum": asked.quorum,
               "deny": asked.deny, "is": found.map(rule_shown)})
    });
    json!({
        "question": question.id.as_str(),
        "tenant": snapshot.tenant().as_str(),
        "asked_at": millis(question.asked_at),
        "expires_at": millis(question.expires_at),
        "chain": {
            "user": question.user.as_ref().map(UserId::as_str),
            "via": names(&question.via),
            "agent": question.agent.as_str(),
            "owner": question.parties.agent_owner.as_ref().map(ToString::to_string),
            "workflow": question.workflow.as_ref().map(ToString::to_string),
            "stage": snapshot.stage(&question.agent).as_str(),
        },
        "tool": tool.map_or_else(|| json!({"name": question.tool}), tool_shown),
        "arguments": question.arguments,
        "origins": question.origins.iter().map(|(place, origin)| json!([place, origin.as_str()])).collect::<Vec<_>>(),
        "resource": {"name": question.resource, "in": dimensions},
        "cost_micro_usd": question.cost,
        "preview": question.preview.as_ref().map(Preview::to_json),
        "why": question.reason,
        "rules": rules.collect::<Vec<_>>(),
        "run": question.run.as_str(),
        "call": question.call.to_string(),
        "decision": question.intent.as_str(),
    })
}

fn tool<'s>(snapshot: &'s Snapshot, question: &Question) -> Option<&'s Arc<Tool>> {
    snapshot.registry().tool(&ToolName::parse(&question.tool).ok()?)
}

/// The call that is shown, as it would be made under this authority.
pub(crate) fn like(snapshot: &Snapshot, question: &Question) -> Option<Call> {
    let caller = Caller::agent(snapshot.tenant().clone(), question.agent.clone());
    let caller = caller.delegated_by(question.via.clone()).ok()?;
    let caller = question.user.clone().map_or(caller.clone(), |user| caller.for_user(user));
    let caller = question.workflow.clone().map_or(caller.clone(), |workflow| caller.within(workflow));
    let (owner, tool) = (question.parties.agent_owner.clone(), tool(snapshot, question)?.clone());
    Call::resolve(caller, owner, tool, question.arguments.clone(), question.run.clone()).ok()
}

fn tool_shown(tool: &Arc<Tool>) -> Value {
    json!({
        "name": tool.name.as_str(), "owner": tool.owner.as_ref().map(ToString::to_string),
        "class": tool.class.as_str(), "risk": tool.risk.as_str(), "reversible": tool.reversible, "undo": tool.undo,
        "pin": tool.definition.digest().to_string(),
    })
}

fn rule_shown(rule: &ApprovalRule) -> Value {
    let list = |voters: &[Voter]| voters.iter().map(Voter::text).collect::<Vec<_>>();
    let later = rule.escalate.iter().map(|step| json!({"after_secs": step.after_secs, "to": list(&step.to)}));
    json!({
        "from": list(&rule.from), "within_secs": rule.within_secs,
        "distinct_from": rule.distinct_from.iter().map(|distinct| distinct.as_str()).collect::<Vec<_>>(),
        "reason_required": rule.reason_required, "factor": rule.factor.map(Factor::as_str),
        "escalate": later.collect::<Vec<_>>(),
    })
}

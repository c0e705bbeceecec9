//! A question as its approvers see it, as plain data. What the page shows of a question is here and nowhere
//! else, so that it can be held against what a vote covers.

use jiff::Timestamp;
use remit_app::ports::listing::Asked;
use remit_app::question::{Question, QuestionState};
use remit_core::approval::{ApprovalRule, Approver, Voter};
use remit_core::authority::remit::Stage;
use remit_core::ids::{RuleId, ToolName};
use remit_core::verdict::Refusal;
use serde_json::Value;

use super::open_to;
use super::values::{Argument, arguments};
use crate::admin::unavailable;
use crate::console::decided::{Read, money, short};
use crate::console::moment::{Moment, lasting};
use crate::console::plain::{Plain, head, line, lines};
use crate::console::tag::Tag;
use crate::edge::Edge;

/// How many earlier questions are shown beside one.
const ALIKE: usize = 8;
/// How much of the agent's own words is shown.
const WORDS_CHARS_MAX: usize = 4_000;

/// Everything an approver sees.
pub(super) struct View {
    pub id: String,
    pub state: Tag,
    pub is_open: bool,
    pub tool: Plain,
    pub classed: Option<Classed>,
    /// Who asks for whom: the user, the agents that delegated, the agent that calls.
    pub chain: Vec<Link>,
    pub stage: &'static str,
    pub owner: Option<Plain>,
    pub run: String,
    pub arguments: Vec<Argument>,
    pub resource: Plain,
    /// Where it belongs: environment, product, service, and what else is known.
    pub belongs: Vec<(&'static str, Plain)>,
    pub reaches: String,
    pub cost: String,
    pub budgets: Vec<BudgetShown>,
    pub why: Plain,
    pub rules: Vec<RuleShown>,
    pub policies: Vec<Plain>,
    pub votes: Vec<VoteShown>,
    pub alike: Vec<Alike>,
    pub asked: Moment,
    pub lapses: Moment,
    pub record: String,
    pub call: String,
    pub call_short: String,
    /// The rules under which this person may vote now.
    pub open_to: Vec<RuleId>,
    /// What the agent or its host wrote, and how many characters of it are left out.
    pub words: Option<(Plain, usize)>,
}

/// What the operator says about the tool.
pub(super) struct Classed {
    pub class: &'static str,
    pub risk: Tag,
    pub reversible: bool,
    pub owner: Option<Plain>,
}

/// One link of the chain.
pub(super) struct Link {
    pub kind: &'static str,
    pub name: Plain,
}

/// One budget the call draws on.
pub(super) struct BudgetShown {
    pub name: Plain,
    pub used: String,
    pub limit: String,
    pub left: String,
    /// Tenths of a percent that are used.
    pub permille: u64,
}

/// One rule.
pub(super) struct RuleShown {
    pub id: Plain,
    pub have: usize,
    pub quorum: u32,
    pub changed: bool,
    /// Whose votes count, and what else the rule demands, in words.
    pub demands: Plain,
}

/// One vote.
pub(super) struct VoteShown {
    pub by: Plain,
    pub choice: Tag,
    pub rule: Plain,
    pub reason: Plain,
    pub at: Moment,
}

/// An earlier question about the same tool by the same agent.
pub(super) struct Alike {
    pub id: String,
    pub state: Tag,
    pub arguments: Plain,
    pub by: Plain,
    pub asked: Moment,
}

/// Gathers what is known about a question at this moment.
pub(super) async fn view(edge: &Edge, person: &Approver, question: &Question, now: Timestamp) -> Result<View, Refusal> {
    let store = &edge.gate.ports().store;
    let snapshot = edge.gate.snapshot();
    let tool = ToolName::parse(&question.tool).ok().and_then(|name| snapshot.registry().tool(&name).cloned());
    let decision = store.record(&question.intent).await.map_err(unavailable)?.map(|record| Read::of(&record));
    let run = store.run(&question.run).await.map_err(unavailable)?;
    let touched = tool.as_ref().and_then(|tool| tool.resource.resolve(tool.class, &question.arguments).ok());
    let mut belongs: Vec<_> = touched
        .iter()
        .flat_map(|resource| &resource.dimensions)
        .map(|(dimension, value)| (dimension.as_str(), line(value)))
        .collect();
    if let Some(run) = &run {
        let own = [("environment", &run.environment), ("release phase", &run.release_phase)];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, line(value.as_ref()?))));
        let named: Vec<_> = own.filter(|(name, _)| !belongs.iter().any(|(known, _)| known == name)).collect();
        belongs.extend(named);
    }
    let state = question.state(now);
    let is_open = state == QuestionState::Open;
    let remit = snapshot.remit(&question.agent);
    let rules = question.rules.iter().map(|asked| RuleShown {
        id: line(asked.id.as_str()),
        have: question.yes(&asked.id),
        quorum: asked.quorum,
        changed: snapshot.rule(&asked.id).is_none_or(|rule| rule.digest() != asked.definition),
        demands: line(&snapshot.rule(&asked.id).map(demands).unwrap_or_default()),
    });
    let policies =
        decision.as_ref().and_then(|read| read.said.pointer("/policy/determining")).and_then(Value::as_array);
    let words = run.and_then(|run| run.intent).filter(|words| !words.is_empty());
    Ok(View {
        id: question.id.to_string(),
        state: Tag::state(state),
        is_open,
        tool: line(&question.tool),
        classed: tool.as_ref().map(|tool| Classed {
            class: tool.class.as_str(),
            risk: Tag::risk(tool.risk),
            reversible: tool.reversible,
            owner: tool.owner.as_ref().map(|team| line(&team.to_string())),
        }),
        chain: chain(question),
        stage: remit.map_or(Stage::default(), |remit| remit.stage).as_str(),
        owner: question.parties.agent_owner.as_ref().map(|team| line(&team.to_string())),
        run: question.run.to_string(),
        arguments: arguments(&question.arguments),
        resource: line(&question.resource),
        belongs,
        reaches: reaches(question, touched.as_ref()),
        cost: money(question.cost),
        budgets: budgets(edge, decision.as_ref(), now).await?,
        why: line(&question.reason),
        rules: rules.collect(),
        policies: policies.into_iter().flatten().filter_map(Value::as_str).map(line).collect(),
        votes: question.votes.iter().map(|vote| voted(vote, now)).collect(),
        alike: alike(edge, question, now).await?,
        asked: Moment::new(question.asked_at, now),
        lapses: Moment::new(question.expires_at, now),
        record: question.intent.to_string(),
        call: question.call.to_string(),
        call_short: short(&question.call.to_string()).to_owned(),
        open_to: if is_open { open_to(edge, person, question) } else { Vec::new() },
        words: words.map(|words| {
            let (beginning, rest) = head(&words, WORDS_CHARS_MAX);
            (lines(beginning), rest)
        }),
    })
}

/// What a rule demands, in words.
fn demands(rule: &ApprovalRule) -> String {
    let voters: Vec<_> = rule.from.iter().map(Voter::text).collect();
    let mut said = vec![format!("from {}", voters.join(", "))];
    let not: Vec<_> = rule.distinct_from.iter().map(|distinct| distinct.as_str().replace('_', " ")).collect();
    if !not.is_empty() {
        said.push(format!("not the {}", not.join(", the ")));
    }
    said.extend(rule.factor.map(|factor| format!("proved by {}", factor.as_str())));
    for step in &rule.escalate {
        let voters: Vec<_> = step.to.iter().map(Voter::text).collect();
        said.push(format!("after {} also {}", lasting(step.after_secs), voters.join(", ")));
    }
    said.join("; ")
}

fn chain(question: &Question) -> Vec<Link> {
    let user = question.user.as_ref().map(|user| Link { kind: "user", name: line(user.as_str()) });
    let via = question.via.iter().map(|agent| Link { kind: "via agent", name: line(agent.as_str()) });
    user.into_iter().chain(via).chain([Link { kind: "agent", name: line(question.agent.as_str()) }]).collect()
}

/// How far it reaches, from what the operator said about the tool: one thing, or nobody knows how many.
fn reaches(question: &Question, touched: Option<&remit_core::registry::Resource>) -> String {
    match touched {
        Some(resource) if !resource.id.is_empty() => format!("one {}", resource.kind),
        Some(_) => "no one thing: the tool does not say which resource it touches".to_owned(),
        None if question.resource.is_empty() => "unknown".to_owned(),
        None => "unknown: the tool is not in force any more, or takes other arguments now".to_owned(),
    }
}

/// The budgets that the decision looked at, with what is left of them now.
async fn budgets(edge: &Edge, decision: Option<&Read>, now: Timestamp) -> Result<Vec<BudgetShown>, Refusal> {
    let facts = decision.and_then(|read| read.said.pointer("/facts/budgets")).and_then(Value::as_array);
    let keys: Vec<_> = facts.into_iter().flatten().filter_map(|fact| fact.get("key").and_then(Value::as_str)).collect();
    let mut all = edge.gate.snapshot().all_budgets(now);
    all.retain(|(budget, _)| keys.contains(&budget.key.0.as_str()));
    let usage = edge.gate.ports().store.usage(&all).await.map_err(unavailable)?;
    let shown = all.iter().zip(usage).map(|((budget, _), (settled, reserved))| {
        let used = settled.saturating_add(reserved);
        BudgetShown {
            name: line(&budget.key.0),
            used: budget.unit.show(used),
            limit: budget.unit.show(budget.limit),
            left: budget.unit.show(budget.limit.saturating_sub(used)),
            permille: used.saturating_mul(1000).checked_div(budget.limit).unwrap_or(1000).min(1000),
        }
    });
    Ok(shown.collect())
}

fn voted(vote: &remit_app::question::Vote, now: Timestamp) -> VoteShown {
    VoteShown {
        by: line(vote.by.as_str()),
        choice: if vote.approve { Tag::good("approve") } else { Tag::bad("deny") },
        rule: line(vote.rule.as_str()),
        reason: line(&vote.reason),
        at: Moment::new(vote.at, now),
    }
}

/// Earlier questions about the same tool by the same agent, and how they ended.
async fn alike(edge: &Edge, question: &Question, now: Timestamp) -> Result<Vec<Alike>, Refusal> {
    let asked = Asked {
        agent: Some(question.agent.clone()),
        tool: Some(question.tool.clone()),
        limit: ALIKE + 1,
        ..Asked::default()
    };
    let sheet = edge.gate.ports().store.asked(&asked).await.map_err(unavailable)?;
    let others = sheet.items.iter().filter(|other| other.id != question.id).take(ALIKE);
    Ok(others
        .map(|other| Alike {
            id: other.id.to_string(),
            state: Tag::state(other.state(now)),
            arguments: super::values::summary(&other.arguments),
            by: line(&other.votes.iter().map(|vote| vote.by.as_str()).collect::<Vec<_>>().join(", ")),
            asked: Moment::new(other.asked_at, now),
        })
        .collect())
}

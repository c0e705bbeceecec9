//! A question as its approvers see it, as plain data: made from the [`Sight`] that a vote covers. Of what
//! stands still there everything is shown, also members that this page does not know by name.

use jiff::Timestamp;
use remit_app::ports::listing::Asked;
use remit_app::question::{Narrowed, Question, QuestionState};
use remit_app::run::Run;
use remit_app::sight::Sight;
use remit_core::approval::{Approver, Factor};
use remit_core::budget::Unit;
use remit_core::ids::RuleId;
use remit_core::registry::Risk;
use remit_core::verdict::Refusal;
use serde_json::Value;

use super::open_to;
use super::preview::{self, PreviewShown};
use super::values::{Argument, arguments, mark, summary};
use crate::admin::unavailable;
use crate::console::decided::{Read, money, short};
use crate::console::moment::{Moment, lasting};
use crate::console::plain::{Plain, coded, head, line, lines, plain_json};
use crate::console::tag::Tag;
use crate::edge::Edge;

/// How many other questions are shown beside one.
const ALIKE: usize = 8;
/// How much of the agent's own words is shown.
const WORDS_CHARS_MAX: usize = 4_000;
/// What stands still and has a place of its own on the page.
const KNOWN: [&str; 16] = [
    "question",
    "tenant",
    "asked_at",
    "expires_at",
    "chain",
    "tool",
    "arguments",
    "origins",
    "preview",
    "resource",
    "cost_micro_usd",
    "why",
    "rules",
    "run",
    "call",
    "decision",
];

/// Everything an approver sees.
pub(super) struct View {
    pub id: String,
    pub tenant: Plain,
    pub state: Tag,
    pub is_open: bool,
    /// The digest of what stands still, as the vote names it.
    pub shown: String,
    pub shown_short: String,
    pub tool: Plain,
    pub classed: Option<Classed>,
    /// Who asks for whom: the user, the agents that delegated, the agent that calls.
    pub chain: Vec<Link>,
    pub stage: Plain,
    pub owner: Plain,
    pub workflow: Plain,
    pub run: String,
    pub arguments: Vec<Argument>,
    /// What the upstream says it would do, where its tool names a preview.
    pub preview: Option<PreviewShown>,
    pub resource: Plain,
    /// Where it belongs: environment, product, service, and what else is known.
    pub belongs: Vec<(Plain, Plain)>,
    pub reaches: Plain,
    pub cost: String,
    pub budgets: Vec<BudgetShown>,
    /// What the run has done and gathered so far.
    pub labels: Plain,
    pub why: Plain,
    pub rules: Vec<RuleShown>,
    pub policies: Vec<Plain>,
    /// What five such calls cost, in USD.
    pub five_times: String,
    /// When it lapses, for scripts.
    pub expires: String,
    /// All arguments as JSON, to be changed by hand.
    pub changeable: String,
    /// The call that a person has put in this one's place.
    pub narrowed: Option<NarrowedShown>,
    /// What else the vote covers.
    pub more: Vec<(Plain, Plain)>,
    pub votes: Vec<VoteShown>,
    /// What people asked the agent back.
    pub asked_back: Vec<Said>,
    /// What the agent answered.
    pub answers: Vec<Said>,
    /// Whether somebody else could be called in.
    pub escalates: bool,
    pub alike: Vec<Alike>,
    pub asked: Moment,
    pub lapses: Moment,
    pub record: String,
    pub call: String,
    pub call_short: String,
    /// The rules under which this person may vote now.
    pub open_to: Vec<OpenRule>,
    /// What the agent or its host wrote, and how many characters of it are left out.
    pub words: Option<(Plain, usize)>,
}

/// A rule under which somebody may vote.
pub(super) struct OpenRule {
    pub id: RuleId,
    /// Whether the vote itself must be signed.
    pub signed: bool,
    /// Whether it takes another party's word, given just now.
    pub vouched: bool,
    /// Whether an approval needs a reason, too.
    pub reasoned: bool,
}

/// What the operator says about the tool.
pub(super) struct Classed {
    pub class: Plain,
    pub risk: Tag,
    pub reversible: bool,
    /// How it is undone, in the operator's words.
    pub undo: Plain,
    pub owner: Plain,
    pub pin: String,
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
    pub have: u64,
    pub quorum: u64,
    pub changed: bool,
    /// Whose votes count, and what else the rule demands, in words.
    pub demands: Plain,
}

/// The call in the place of a held one.
pub(super) struct NarrowedShown {
    pub arguments: Vec<Argument>,
    pub reason: Plain,
    /// The question that it waits for.
    pub next: Option<String>,
    pub at: Moment,
}

/// One vote.
pub(super) struct VoteShown {
    pub by: Plain,
    pub choice: Tag,
    pub rule: Plain,
    pub reason: Plain,
    pub proof: &'static str,
    pub at: Moment,
}

/// Something said about the question.
pub(super) struct Said {
    pub by: Plain,
    pub text: Plain,
    pub at: Moment,
}

/// Another question about the same tool by the same agent.
pub(super) struct Alike {
    pub id: String,
    pub state: Tag,
    pub arguments: Plain,
    pub by: Plain,
    pub asked: Moment,
}

/// Gathers what is known about a question at this moment.
pub(super) async fn view(edge: &Edge, person: &Approver, sight: &Sight, now: Timestamp) -> Result<View, Refusal> {
    let (still, question) = (&sight.still, &sight.question);
    let said = |pointer: &str| still.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let store = &edge.gate.ports().store;
    let decision = store.record(&question.intent).await.map_err(unavailable)?.map(|record| Read::of(&record));
    let run = store.run(&question.run).await.map_err(unavailable)?;
    let policies =
        decision.as_ref().and_then(|read| read.said.pointer("/policy/determining")).and_then(Value::as_array);
    let words = run.as_ref().and_then(|run| run.intent.as_deref()).filter(|words| !words.is_empty());
    let labels = run.as_ref().map(|run| run.labels.words().collect::<Vec<_>>().join(", "));
    let is_open = question.state(now) == QuestionState::Open;
    let rules: Vec<_> = list(still, "/rules").iter().zip(list(&sight.live, "/rules")).map(rule).collect();
    Ok(View {
        id: question.id.to_string(),
        tenant: line(said("/tenant")),
        state: Tag::state(question.state(now)),
        is_open,
        shown: sight.shown.to_string(),
        shown_short: short(&sight.shown.to_string()).to_owned(),
        tool: line(said("/tool/name")),
        classed: classed(still),
        chain: chain(still),
        stage: line(said("/chain/stage")),
        owner: line(said("/chain/owner")),
        workflow: line(said("/chain/workflow")),
        run: question.run.to_string(),
        arguments: marked(still),
        preview: question.preview.as_ref().map(preview::shown),
        resource: line(said("/resource/name")),
        belongs: belongs(still, run.as_ref()),
        reaches: reaches(said("/resource/name"), classed(still).is_some()),
        cost: money(still.get("cost_micro_usd").and_then(Value::as_u64).unwrap_or(0)),
        budgets: list(&sight.live, "/budgets").iter().map(budget).collect(),
        labels: line(&labels.unwrap_or_default()),
        why: coded(said("/why")),
        rules,
        policies: policies.into_iter().flatten().filter_map(Value::as_str).map(line).collect(),
        five_times: usd(question.cost.saturating_mul(5)),
        expires: question.expires_at.to_string(),
        changeable: changeable(&question.arguments),
        narrowed: question.narrowed.as_ref().map(|narrowed| in_place(narrowed, now)),
        more: more(still),
        votes: question.votes.iter().map(|vote| voted(vote, now)).collect(),
        asked_back: said_by(question, now, true),
        answers: said_by(question, now, false),
        escalates: is_open && list(still, "/rules").iter().zip(list(&sight.live, "/rules")).any(escalates),
        alike: alike(edge, question, now).await?,
        asked: Moment::new(question.asked_at, now),
        lapses: Moment::new(question.expires_at, now),
        record: question.intent.to_string(),
        call: question.call.to_string(),
        call_short: short(&question.call.to_string()).to_owned(),
        open_to: if is_open { open_rules(edge, person, question) } else { Vec::new() },
        words: words.map(|words| {
            let (beginning, rest) = head(words, WORDS_CHARS_MAX);
            (lines(beginning), rest)
        }),
    })
}

/// What the resource belongs to, and where the run says it is when the resource does not.
fn belongs(still: &Value, run: Option<&Run>) -> Vec<(Plain, Plain)> {
    let mut belongs = members(still.pointer("/resource/in"));
    for (name, value) in
        run.iter().flat_map(|run| [("environment", &run.environment), ("release phase", &run.release_phase)])
    {
        let declared = value.as_ref().filter(|_| !belongs.iter().any(|(known, _)| *known == line(name)));
        belongs.extend(declared.map(|value| (line(name), line(value))));
    }
    belongs
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn pretty(value: &Value) -> Plain {
    match value {
        Value::String(text) => lines(text),
        other => lines(&serde_json::to_string_pretty(other).unwrap_or_default()),
    }
}

fn members(value: Option<&Value>) -> Vec<(Plain, Plain)> {
    let members = value.and_then(Value::as_object);
    members.into_iter().flatten().map(|(name, value)| (line(name), pretty(value))).collect()
}

/// Members that this page has no place for: the vote covers them, so they are shown, as they are.
fn more(still: &Value) -> Vec<(Plain, Plain)> {
    let members = still.as_object().into_iter().flatten();
    let others = members.filter(|(name, value)| !KNOWN.contains(&name.as_str()) && !value.is_null());
    others.map(|(name, value)| (line(&name.replace('_', " ")), pretty(value))).collect()
}

/// What the operator says about the tool; nothing when it is not in force any more.
fn classed(still: &Value) -> Option<Classed> {
    let tool = still.get("tool").filter(|tool| tool.get("class").is_some())?;
    Some(Classed {
        class: line(text(tool, "class")),
        risk: Risk::parse(text(tool, "risk")).map_or_else(|| Tag::bad("unknown risk"), Tag::risk),
        reversible: tool.get("reversible").and_then(Value::as_bool).unwrap_or(false),
        undo: lines(text(tool, "undo")),
        owner: line(text(tool, "owner")),
        pin: short(text(tool, "pin")).to_owned(),
    })
}

fn chain(still: &Value) -> Vec<Link> {
    let link = |kind, name: &str| Link { kind, name: line(name) };
    let user = still.pointer("/chain/user").and_then(Value::as_str).map(|user| link("user", user));
    let via = list(still, "/chain/via").iter().filter_map(Value::as_str).map(|agent| link("via agent", agent));
    let agent = still.pointer("/chain/agent").and_then(Value::as_str).map(|agent| link("agent", agent));
    user.into_iter().chain(via).chain(agent).collect()
}

/// How far it reaches, from what the operator said about the tool: one thing, or nobody knows how many.
fn reaches(resource: &str, in_force: bool) -> Plain {
    line(&match (in_force, resource.split_once(':')) {
        (false, _) => "unknown: the tool is not in force any more".to_owned(),
        (true, Some((kind, _))) => format!("one {kind}"),
        (true, None) => "unknown: the tool does not say which one thing it touches".to_owned(),
    })
}

fn budget(budget: &Value) -> BudgetShown {
    let number = |name: &str| budget.get(name).and_then(Value::as_u64).unwrap_or(0);
    let (limit, left) = (number("limit"), number("left"));
    let used = limit.saturating_sub(left);
    let units = [Unit::Calls, Unit::MicroUsd, Unit::Objects];
    let unit = units.into_iter().find(|unit| unit.as_str() == text(budget, "unit"));
    let show = |amount: u64| unit.map_or_else(|| amount.to_string(), |unit| unit.show(amount));
    BudgetShown {
        name: line(text(budget, "budget")),
        used: show(used),
        limit: show(limit),
        left: show(left),
        permille: used.saturating_mul(1000).checked_div(limit).unwrap_or(1000).min(1000),
    }
}

fn rule((still, live): (&Value, &Value)) -> RuleShown {
    let definition = still.get("is").filter(|is| !is.is_null());
    RuleShown {
        id: line(text(still, "rule")),
        have: live.get("approved").and_then(Value::as_u64).unwrap_or(0),
        quorum: still.get("quorum").and_then(Value::as_u64).unwrap_or(0),
        changed: definition.is_none(),
        demands: line(&definition.map(|is| demands(still, is)).unwrap_or_default()),
    }
}

/// What a rule demands, in words.
fn demands(asked: &Value, is: &Value) -> String {
    let words = |value: Option<&Value>| {
        let words = value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        words.map(|word| word.replace('_', " ")).collect::<Vec<_>>()
    };
    let mut said = vec![format!("from {}", words(is.get("from")).join(", "))];
    let not = words(is.get("distinct_from"));
    if !not.is_empty() {
        said.push(format!("not the {}", not.join(", the ")));
    }
    if let Some(deny) = asked.get("deny").and_then(Value::as_u64).filter(|deny| *deny > 1) {
        said.push(format!("{deny} denials close it"));
    }
    if let Some(factor) = is.get("factor").and_then(Value::as_str) {
        said.push(if factor == "passkey" { "signed by passkey".to_owned() } else { format!("proved by {factor}") });
    }
    for step in is.get("escalate").and_then(Value::as_array).into_iter().flatten() {
        let after = step.get("after_secs").and_then(Value::as_u64).unwrap_or(0);
        said.push(format!("after {} also {}", lasting(after), words(step.get("to")).join(", ")));
    }
    said.join("; ")
}

/// What people, or the agent, have said about it.
fn said_by(question: &Question, now: Timestamp, people: bool) -> Vec<Said> {
    let theirs = question.remarks.iter().filter(|remark| remark.by.is_some() == people);
    let said = theirs.map(|remark| Said {
        by: line(remark.by.as_ref().map_or(question.agent.as_str(), |by| by.as_str())),
        text: lines(&remark.text),
        at: Moment::new(remark.at, now),
    });
    said.collect()
}

/// Whether a rule has steps that are not in force yet.
fn escalates((still, live): (&Value, &Value)) -> bool {
    let all = list(still, "/is/escalate").len() as u64;
    live.get("steps").and_then(Value::as_u64).is_some_and(|steps| steps < all)
}

fn open_rules(edge: &Edge, person: &Approver, question: &Question) -> Vec<OpenRule> {
    let snapshot = edge.gate.snapshot();
    let rules = open_to(edge, person, question).into_iter().map(|id| {
        let rule = snapshot.rule(&id);
        let least = rule.and_then(|rule| rule.factor);
        let (signed, vouched) = (least == Some(Factor::Passkey), least == Some(Factor::Oidc));
        OpenRule { signed, vouched, reasoned: rule.is_some_and(|rule| rule.reason_required), id }
    });
    rules.collect()
}

/// Dollars as [`remit_core::registry::micro_usd`] reads them.
fn usd(micro: u64) -> String {
    format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000).trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn changeable(arguments: &Value) -> String {
    plain_json(&serde_json::to_string_pretty(arguments).unwrap_or_default())
}

fn in_place(narrowed: &Narrowed, now: Timestamp) -> NarrowedShown {
    NarrowedShown {
        arguments: arguments(&narrowed.arguments),
        reason: lines(&narrowed.reason),
        next: narrowed.next.as_ref().map(ToString::to_string),
        at: Moment::new(narrowed.at, now),
    }
}

fn voted(vote: &remit_app::question::Vote, now: Timestamp) -> VoteShown {
    VoteShown {
        by: line(vote.by.as_str()),
        choice: if vote.approve { Tag::good("approve") } else { Tag::bad("deny") },
        rule: line(vote.rule.as_str()),
        reason: line(&vote.reason),
        proof: vote.factor.as_str(),
        at: Moment::new(vote.at, now),
    }
}

/// Other questions about the same tool by the same agent, and how they ended.
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
            arguments: summary(&other.arguments),
            by: line(&other.votes.iter().map(|vote| vote.by.as_str()).collect::<Vec<_>>().join(", ")),
            asked: Moment::new(other.asked_at, now),
        })
        .collect())
}

fn marked(still: &Value) -> Vec<Argument> {
    let Some(value) = still.get("arguments") else { return Vec::new() };
    let mut arguments = arguments(value);
    mark(&mut arguments, value, still.get("origins").unwrap_or(&Value::Null));
    arguments
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_vote_covers_is_shown_even_if_nobody_knows_what_it_is() {
        let shown = more(&json!({"why": "x", "undo_plan": "<call> undo", "risk_notes": {"a": [1]}, "none": null}));
        let shown: Vec<_> = shown.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(shown, ["undo plan=&lt;call&gt; undo", "risk notes={\n  &quot;a&quot;: [\n    1\n  ]\n}"]);
    }

    #[test]
    fn a_rule_is_said_in_words() {
        let is = json!({"from": ["team:sre", "on_call:ops"], "distinct_from": ["user", "agent_owner"], "factor": "passkey",
            "escalate": [{"after_secs": 600, "to": ["team:leads"]}]});
        let said = "from team:sre, on call:ops; not the user, the agent owner; 2 denials close it; signed by passkey; \
                    after 10 min also team:leads";
        assert_eq!(demands(&json!({"deny": 2}), &is), said);
    }
}

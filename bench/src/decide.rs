//! What a decision costs, and that it does not grow with policies that do not matter to it.

use std::hint::black_box;
use std::time::Instant;

use remit_core::approval::{ApprovalRule, Voter};
use remit_core::authority::guardrail::GuardrailFile;
use remit_core::authority::remit::{Grant, Holder, Limit, Locus, Mode, Pattern, Remit, Stage};
use remit_core::authority::{Sources, Tiers, compile};
use remit_core::budget::BudgetState;
use remit_core::calendar::Calendar;
use remit_core::ids::{AgentId, Digest, RuleId, RunId, TeamId, TenantId, ToolName, UserId};
use remit_core::labels::Labels;
use remit_core::registry::{Class, Cost, Definition, Registry, ResourceMap, Risk, Schema, Shape, Tool};
use remit_core::{Call, Caller, CaseFile, RunFacts, Snapshot, decide};
use serde_json::json;

/// Grants in each agent's remit; each is one policy.
const GRANTS: usize = 10;

/// Prints a row for each size.
pub fn run() {
    println!(
        "{:>10} {:>8} {:>12} {:>12} {:>12} {:>12}",
        "policies", "tools", "compile ms", "first us", "decide us", "resolve us"
    );
    for policies in [10, 100, 1_000, 10_000, 100_000] {
        let agents = (policies / GRANTS).max(1);
        let tools = (agents * 2).clamp(20, 10_000);
        let began = Instant::now();
        let snapshot = snapshot(agents, tools);
        let compiled = began.elapsed();
        let began = Instant::now();
        black_box(once(&snapshot));
        let first = began.elapsed();
        let (call, case) = prepared(&snapshot);
        let now = "2026-11-20T12:00:00Z".parse().unwrap_or_default();
        let decided = median(|| drop(black_box(decide(&snapshot, &call, &case, now))));
        let resolved = median(|| drop(black_box(wanted(&snapshot))));
        println!(
            "{policies:>10} {tools:>8} {:>12.1} {:>12.1} {decided:>12.2} {resolved:>12.2}",
            compiled.as_secs_f64() * 1e3,
            first.as_secs_f64() * 1e6
        );
    }
}

/// Microseconds: the median of 41 batches of 200.
fn median(mut act: impl FnMut()) -> f64 {
    let mut batches: Vec<f64> = (0..41)
        .map(|_| {
            let began = Instant::now();
            (0..200).for_each(|_| act());
            began.elapsed().as_secs_f64() * 1e6 / 200.0
        })
        .collect();
    batches.sort_by(f64::total_cmp);
    batches[20]
}

fn id<T, E: std::fmt::Debug>(text: &str, parse: fn(&str) -> Result<T, E>) -> T {
    #[expect(clippy::expect_used, reason = "the texts stand in this file")]
    parse(text).expect("identifier")
}

fn tool(at: usize) -> Tool {
    let definition = Definition::new(json!({
        "name": format!("t{at}"), "description": "A tool.",
        "inputSchema": {
            "type": "object",
            "properties": {"amount": {"type": "number"}, "payment": {"type": "string"}, "note": {"type": "string"}},
            "required": ["amount", "payment"],
        },
    }));
    #[expect(clippy::expect_used, reason = "the schema stands in this file")]
    let input = Schema::compile(&definition.input_schema()).expect("schema");
    Tool {
        name: id(&format!("up{}/t{at}", at % 50), ToolName::parse),
        public: format!("up{}__t{at}", at % 50),
        owner: None,
        class: Class::Trigger,
        risk: Risk::Medium,
        reversible: true,
        undo: None,
        preview: None,
        labels: Labels::default(),
        resource: ResourceMap::default(),
        cost: Cost::Argument(vec!["amount".into()]),
        shape: Shape::of_object(&definition.input_schema()),
        definition,
        input,
        output: None,
        timeout_ms: 1000,
        credential: None,
    }
}

fn snapshot(agents: usize, tools: usize) -> Snapshot {
    let names: Vec<Pattern> = (0..tools).map(|at| Pattern::Tool(tool(at).name)).collect();
    let grant = |at: usize, tool: Pattern, when: Option<String>, limits: Vec<Limit>| Grant {
        id: format!("trigger.{at}"),
        class: Class::Trigger,
        tools: vec![tool],
        labels_up_to: None,
        bounds: Vec::new(),
        when,
        approval: None,
        limits,
        locus: Locus::default(),
        when_locus: Locus::default(),
    };
    let remit = |holder, grants| Remit {
        holder,
        owner: Some(id("team", TeamId::parse)),
        stage: Stage::Supervised,
        expires: None,
        mode: Mode::Enforce,
        grants,
        limits: Vec::new(),
        may_request: Vec::new(),
        locus: Locus::default(),
    };
    let mut remits: Vec<Remit> = (0..agents)
        .map(|agent| {
            let grants = (0..GRANTS).map(|at| {
                let limits = if at == 0 { Limit::parse("1000000 per day").into_iter().collect() } else { Vec::new() };
                grant(at, names[(agent * 7 + at) % tools].clone(), Some(format!("args.amount <= {}", 50 + at)), limits)
            });
            remit(Holder::Agent(id(&format!("agent-{agent}"), AgentId::parse)), grants.collect())
        })
        .collect();
    remits.push(remit(Holder::AnyUser, vec![grant(0, Pattern::All, None, Vec::new())]));
    let guardrails = "@id(\"freeze\") forbid(principal, action in [Action::\"trigger\"], resource) when { context.calendar.hard_freeze };\n\
        @id(\"people\") forbid(principal, action in [Action::\"expose\"], resource) unless { context.approved.contains(\"two\") };";
    let team = vec![Voter::Team(id("team", TeamId::parse))];
    let rule = ApprovalRule { distinct_from: Vec::new(), ..ApprovalRule::new(id("two", RuleId::parse), 2, team, 60) };
    let sources = Sources {
        tenant: id("acme", TenantId::parse),
        calendar: Calendar::default(),
        rules: vec![rule],
        limits: Limit::parse("100000000 per day").into_iter().collect(),
        people: Vec::new(),
        break_glass: Vec::new(),
        remits,
        guardrails: vec![GuardrailFile { name: "guardrails/a.cedar".into(), text: guardrails.into() }],
        tiers: Tiers::default(),
        #[expect(clippy::expect_used, reason = "the names are numbered")]
        registry: Registry::new((0..tools).map(tool)).expect("registry"),
        digest: Digest::of(b"bench"),
    };
    #[expect(clippy::expect_used, reason = "the authority stands in this file")]
    compile(sources).expect("authority").0
}

fn wanted(snapshot: &Snapshot) -> Call {
    let caller =
        Caller::agent(snapshot.tenant().clone(), id("agent-0", AgentId::parse)).for_user(id("alice", UserId::parse));
    #[expect(clippy::expect_used, reason = "agent-0 is granted t0")]
    let tool = snapshot.registry().tool(&id("up0/t0", ToolName::parse)).expect("tool").clone();
    let arguments = json!({"amount": 20.5, "payment": "P-1", "note": "as agreed on the phone"});
    #[expect(clippy::expect_used, reason = "the arguments fit the schema")]
    Call::resolve(caller, None, tool, arguments, id("run-1", RunId::parse)).expect("call")
}

fn prepared(snapshot: &Snapshot) -> (Call, CaseFile) {
    let call = wanted(snapshot);
    let now = "2026-11-20T12:00:00Z".parse().unwrap_or_default();
    let budgets = snapshot.budgets(&call, now).into_iter();
    let budgets =
        budgets.map(|(budget, span, _)| BudgetState { budget, span, settled: 5, reserved: 1, object_known: false });
    let case = CaseFile {
        run: RunFacts::fresh(),
        budgets: budgets.collect(),
        approved: Vec::new(),
        refused: None,
        narrowed: None,
        halts: Vec::new(),
        origins: Vec::new(),
        grants: Vec::new(),
    };
    (call, case)
}

fn once(snapshot: &Snapshot) -> remit_core::Decision {
    let (call, case) = prepared(snapshot);
    let decision = decide(snapshot, &call, &case, "2026-11-20T12:00:00Z".parse().unwrap_or_default());
    assert_eq!(decision.verdict.as_str(), "allow", "{decision:?}");
    decision
}

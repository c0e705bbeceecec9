//! The decision as a library: no server, no store, no clock of its own.
//!
//! `cargo run -p remit-core --example decide`

use remit_core::authority::guardrail::GuardrailFile;
use remit_core::authority::remit::{Grant, Holder, Limit, Locus, Mode, Pattern, Remit, Stage};
use remit_core::authority::{Sources, Tiers, compile};
use remit_core::budget::BudgetState;
use remit_core::calendar::Calendar;
use remit_core::ids::{AgentId, Digest, RunId, TenantId, ToolName};
use remit_core::labels::Labels;
use remit_core::registry::{Class, Cost, Definition, Registry, ResourceMap, Risk, Schema, Shape, Tool};
use remit_core::{Call, Caller, CaseFile, RunFacts, Verdict, decide};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A tool, as its upstream defines it and as the operator classifies it.
    let definition = Definition::new(json!({
        "name": "refund",
        "inputSchema": {"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]},
    }));
    let refund = Tool {
        name: ToolName::parse("payments/refund")?,
        public: "payments__refund".into(),
        owner: None,
        class: Class::Trigger,
        risk: Risk::High,
        reversible: false,
        undo: None,
        preview: None,
        labels: Labels::default(),
        resource: ResourceMap::default(),
        cost: Cost::Argument(vec!["amount".into()]),
        input: Schema::compile(&definition.input_schema())?,
        output: None,
        shape: Shape::of_object(&definition.input_schema()),
        definition,
        timeout_ms: 10_000,
        credential: None,
    };
    // What one agent may do with it.
    let grant = Grant {
        id: "trigger.0".into(),
        class: Class::Trigger,
        tools: Pattern::parse("payments/refund").into_iter().collect(),
        labels_up_to: None,
        bounds: Vec::new(),
        when: Some("args.amount <= 50".into()),
        approval: None,
        limits: Limit::parse("100 USD per day").into_iter().collect(),
        locus: Locus::default(),
        when_locus: Locus::default(),
    };
    let agent = AgentId::parse("support-bot")?;
    let remit = Remit {
        holder: Holder::Agent(agent.clone()),
        owner: None,
        stage: Stage::Supervised,
        expires: None,
        mode: Mode::Enforce,
        grants: vec![grant],
        limits: Vec::new(),
        may_request: Vec::new(),
        locus: Locus::default(),
    };
    let guardrail = r#"@id("freeze") forbid(principal, action in [Action::"trigger"], resource)
                       when { context.calendar.hard_freeze };"#;
    let sources = Sources {
        tenant: TenantId::parse("acme")?,
        calendar: Calendar::default(),
        rules: Vec::new(),
        limits: Vec::new(),
        people: Vec::new(),
        break_glass: Vec::new(),
        remits: vec![remit],
        guardrails: vec![GuardrailFile { name: "guardrails/freeze.cedar".into(), text: guardrail.into() }],
        tiers: Tiers::default(),
        registry: Registry::new([refund])?,
        digest: Digest::of(b"example"),
    };
    let (snapshot, _warnings) = compile(sources).map_err(|faults| format!("{faults:?}"))?;
    // Three calls, each with the facts that a store would have read for it.
    let now = "2026-11-21T10:00:00Z".parse()?;
    for (amount, spent) in [(20, 0), (20, 90), (200, 0)] {
        let caller = Caller::agent(snapshot.tenant().clone(), agent.clone());
        let tool = snapshot.registry().public("payments__refund").ok_or("the tool is registered")?.clone();
        let call = Call::resolve(caller, None, tool, json!({"amount": amount}), RunId::parse("run-1")?)?;
        let budgets = snapshot.budgets(&call, now).into_iter().map(|(budget, span, _)| BudgetState {
            budget,
            span,
            settled: spent * 1_000_000,
            reserved: 0,
            object_known: false,
        });
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
        match decide(&snapshot, &call, &case, now).verdict {
            Verdict::Allow { .. } => println!("{amount} dollars after {spent}: allowed"),
            Verdict::Ask { rules, .. } => println!("{amount} dollars after {spent}: needs {rules:?}"),
            Verdict::Deny(refusal) => println!("{amount} dollars after {spent}: {} - {}", refusal.code, refusal.remedy),
        }
    }
    Ok(())
}

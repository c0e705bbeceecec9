//! A small organisation to decide in: three tools, an agent, guardrails.
use jiff::Timestamp;
use remit_core::approval::{ApprovalRule, Voter};
use remit_core::authority::guardrail::GuardrailFile;
use remit_core::authority::remit::{Grant, Holder, Limit, Locus, Mode, Pattern, Remit, Stage};
use remit_core::authority::{Sources, Tiers, compile};
use remit_core::budget::BudgetState;
use remit_core::calendar::{Calendar, Freeze};
use remit_core::halt::{Halt, HaltTarget};
use remit_core::ids::{AgentId, Digest, RuleId, RunId, TeamId, TenantId, ToolName, UserId, WorkflowId};
use remit_core::labels::Labels;
use remit_core::registry::{Class, Cost, Definition, Registry, ResourceMap, Risk, Schema, Shape, Tool};
use remit_core::{Call, Caller, CaseFile, Decision, RunFacts, Snapshot, decide};
use serde_json::{Value, json};

pub struct House {
    pub snapshot: Snapshot,
    pub case: CaseFile,
    pub now: Timestamp,
    spent: Vec<(String, u64)>,
}

/// A call to make: tool, arguments, chain.
#[derive(Clone, Debug)]
pub struct Wanted {
    tool: String,
    arguments: Value,
    via: Vec<AgentId>,
    workflow: Option<WorkflowId>,
}

pub fn call(tool: &str, arguments: &str) -> Wanted {
    let arguments = remit_core::json::parse(arguments.as_bytes()).expect("JSON");
    Wanted { tool: tool.into(), arguments, via: Vec::new(), workflow: None }
}

pub fn labels(words: &[&str]) -> Labels {
    Labels::from_words(words.iter().copied())
}

impl Wanted {
    pub fn via(mut self, agent: &str) -> Self {
        self.via.push(AgentId::parse(agent).expect("id"));
        self
    }
    pub fn within(self, workflow: &str) -> Self {
        Self { workflow: Some(WorkflowId::parse(workflow).expect("id")), ..self }
    }
}

pub const GUARDRAILS: &str = r#"
@id("pii-stays-inside")
@reason("personal data never leaves")
forbid(principal, action in [Action::"expose"], resource) when { context.run.labels.contains("pii") };

@id("untrusted-needs-people")
forbid(principal, action in [Action::"expose"], resource)
when { context.run.labels.contains("untrusted") }
unless { context.approved.contains("two-person") };

@id("freeze")
forbid(principal, action in [Action::"trigger"], resource) when { context.calendar.hard_freeze };
"#;

pub fn tool(name: &str, class: Class, schema: Value, cost: Cost) -> Tool {
    let definition = Definition::new(json!({"name": name, "inputSchema": schema}));
    Tool {
        name: ToolName::parse(name).expect("name"),
        public: name.replace('/', "__"),
        owner: None,
        class,
        risk: Risk::Medium,
        reversible: false,
        undo: None,
        preview: None,
        labels: Labels::default(),
        resource: ResourceMap::default(),
        cost,
        input: Schema::compile(&definition.input_schema()).expect("schema"),
        output: None,
        shape: Shape::of_object(&definition.input_schema()),
        definition,
        timeout_ms: 1000,
        credential: None,
    }
}

pub fn object(properties: Value) -> Value {
    let required: Vec<_> = properties.as_object().expect("object").keys().cloned().collect();
    json!({"type": "object", "properties": properties, "required": required})
}

pub fn grant(
    class: Class,
    at: usize,
    tools: &str,
    when: Option<&str>,
    approval: Option<&str>,
    limits: &[&str],
) -> Grant {
    Grant {
        id: format!("{}.{at}", class.as_str()),
        class,
        tools: vec![Pattern::parse(tools).expect("pattern")],
        labels_up_to: None,
        bounds: Vec::new(),
        when: when.map(str::to_owned),
        approval: approval.map(|rule| RuleId::parse(rule).expect("rule")),
        limits: limits.iter().map(|limit| Limit::parse(limit).expect("limit")).collect(),
        locus: Locus::default(),
        when_locus: Locus::default(),
    }
}

pub fn remit(holder: Holder, mode: Mode, grants: Vec<Grant>) -> Remit {
    let expires = Some("2027-03-31T00:00:00Z".parse().expect("time"));
    let (owner, limits) = (Some(TeamId::parse("support").expect("id")), Vec::new());
    let (may_request, locus) = (Vec::new(), Locus::default());
    Remit { holder, owner, stage: Stage::Supervised, expires, mode, grants, limits, may_request, locus }
}

pub fn sources(mode: Mode, guardrails: &str) -> Sources {
    let refund = object(json!({"amount": {"type": "number"}, "payment": {"type": "string"}}));
    let mail = object(json!({"to": {"type": "string"}, "text": {"type": "string"}}));
    let tools = [
        tool("crm/get_customer", Class::Read, object(json!({"id": {"type": "string"}})), Cost::Free),
        tool("mail/send", Class::Expose, mail, Cost::Fixed(1000)),
        tool("payments/refund", Class::Trigger, refund, Cost::Argument(vec!["amount".into()])),
    ];
    let agent = remit(
        Holder::Agent(AgentId::parse("support-bot").expect("id")),
        mode,
        vec![
            grant(Class::Read, 0, "crm/*", None, None, &["100 per hour"]),
            grant(
                Class::Trigger,
                0,
                "payments/refund",
                Some("args.amount <= 50"),
                None,
                &["20 per day", "500 USD per day"],
            ),
            grant(Class::Trigger, 1, "payments/refund", Some("args.amount <= 500"), Some("finance-sign-off"), &[]),
            grant(Class::Expose, 0, "mail/send", Some("args.to like '*@customer.example'"), None, &[]),
        ],
    );
    let everybody = Class::ALL.into_iter().map(|class| grant(class, 0, "*", None, None, &[])).collect();
    let finance = || vec![Voter::Team(TeamId::parse("finance").expect("id"))];
    let rule = |id: &str, quorum| ApprovalRule {
        distinct_from: Vec::new(),
        ..ApprovalRule::new(RuleId::parse(id).expect("id"), quorum, finance(), 1800)
    };
    let at = |text: &str| text.parse::<Timestamp>().expect("time");
    let freeze = Freeze { from: at("2026-12-20T00:00:00Z"), until: at("2027-01-02T00:00:00Z"), hard: true };
    Sources {
        tenant: TenantId::parse("acme").expect("id"),
        calendar: Calendar { freezes: vec![freeze], ..Calendar::default() },
        rules: vec![rule("finance-sign-off", 1), rule("two-person", 2)],
        limits: vec![Limit::parse("10000 per day").expect("limit")],
        people: Vec::new(),
        break_glass: Vec::new(),
        remits: vec![agent, remit(Holder::AnyUser, Mode::Enforce, everybody)],
        guardrails: vec![GuardrailFile { name: "guardrails/a.cedar".into(), text: guardrails.into() }],
        tiers: Tiers::default(),
        registry: Registry::new(tools).expect("registry"),
        digest: Digest::of(guardrails.as_bytes()),
    }
}

impl Default for House {
    fn default() -> Self {
        Self::with(sources(Mode::Enforce, GUARDRAILS))
    }
}

impl House {
    pub fn observing() -> Self {
        Self::with(sources(Mode::Observe, GUARDRAILS))
    }

    pub fn with(sources: Sources) -> Self {
        let (snapshot, _) = compile(sources).unwrap_or_else(|faults| panic!("{faults:?}"));
        let run = RunFacts::fresh();
        let (budgets, approved, halts, origins, grants) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let case = CaseFile { run, budgets, approved, refused: None, narrowed: None, halts, origins, grants };
        Self { snapshot, case, now: "2026-11-20T12:00:00Z".parse().expect("time"), spent: Vec::new() }
    }

    pub fn spend(&mut self, key: &str, amount: u64) {
        self.spent.retain(|(known, _)| known != key);
        self.spent.push((key.into(), amount));
    }

    pub fn halt(&mut self, target: &str) {
        let target = HaltTarget::parse(target).expect("target");
        self.case.halts.push(Halt { target, by: "ops".into(), reason: "test".into(), since: self.now });
    }

    pub fn call(&self, wanted: &Wanted) -> Call {
        let caller = self.caller().delegated_by(wanted.via.clone()).expect("chain");
        let caller = wanted.workflow.clone().map_or(caller.clone(), |workflow| caller.within(workflow));
        let tool = self.snapshot.registry().tool(&ToolName::parse(&wanted.tool).expect("name")).expect("tool").clone();
        let run = RunId::parse("run-1").expect("id");
        Call::resolve(caller, None, tool, wanted.arguments.clone(), run).expect("valid arguments")
    }

    pub fn caller(&self) -> Caller {
        let agent = AgentId::parse("support-bot").expect("id");
        Caller::agent(self.snapshot.tenant().clone(), agent).for_user(UserId::parse("alice@acme.example").expect("id"))
    }

    pub fn decide(&self, wanted: &Wanted) -> Decision {
        let call = self.call(wanted);
        let mut case = self.case.clone();
        let states =
            self.snapshot.budgets_with(&call, &self.case.grants, self.now).into_iter().map(|(budget, span, _)| {
                let spent = self.spent.iter().find(|(key, _)| *key == budget.key.0).map_or(0, |(_, amount)| *amount);
                BudgetState { budget, span, settled: spent, reserved: 0, object_known: false }
            });
        case.budgets = states.collect();
        decide(&self.snapshot, &call, &case, self.now)
    }

    pub fn visible(&self) -> Vec<String> {
        let caller = self.caller();
        let tools = self.snapshot.registry().tools().iter();
        let shown = tools
            .filter(|t| remit_core::visible(&self.snapshot, &caller, t, &self.case.run, &self.case.grants, self.now));
        shown.map(|tool| tool.name.to_string()).collect()
    }
}

//! A store on trial, and the things that are put before it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use remit_app::action::Salt;
use remit_app::change::{Change, ChangeVote, Weakens};
use remit_app::intent::{Basis, Carrier, Case, CommitError, Committed, Effect, IdempotencyKey, Intent, Settlement};
use remit_app::outcome::{Answer, Outcome};
use remit_app::ports::listing::Waiting;
use remit_app::ports::{CaseQuery, Store};
use remit_app::question::{Question, QuestionRule, Vote};
use remit_app::run::Run;
use remit_core::approval::{CallParties, Factor};
use remit_core::budget::{Budget, BudgetKey, BudgetState, Reservation, Span, Unit, Window};
use remit_core::ids::{
    AgentId, ChangeId, Digest, OperatorId, QuestionId, RecordId, RuleId, RunId, TeamId, UserId, WorkflowId,
};
use remit_core::labels::Labels;
use remit_core::origin::Origin;
use remit_core::verdict::Code;
use remit_evidence::dsse::{Envelope, Signature};
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use serde_json::json;

/// A store, with records numbered as one writer would.
pub struct Trial {
    /// The store.
    pub store: Arc<dyn Store>,
    next: AtomicU64,
}

/// An admission before it is committed. The fields are what cases vary.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The call.
    pub call: Digest,
    /// The run.
    pub run: RunId,
    /// Who calls.
    pub agent: AgentId,
    /// For whom.
    pub user: Option<UserId>,
    /// When it was decided.
    pub at: Timestamp,
    /// What it was decided on.
    pub basis: Basis,
    /// The key under which it may be repeated.
    pub key: Option<&'static str>,
    /// To reserve.
    pub reservations: Vec<Reservation>,
    /// To use up.
    pub approvals: Vec<RuleId>,
    /// Whether it may become durable later.
    pub batched: bool,
    /// By whom it is carried out.
    pub carrier: Carrier,
    /// Whether a person has to look at it afterwards.
    pub review: bool,
    /// Of which question it is the preview.
    pub preview_of: Option<QuestionId>,
}

impl Trial {
    /// A trial of this store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, next: AtomicU64::new(0) }
    }

    /// A record that nobody has signed: stores do not read signatures.
    pub fn record(&self, kind: Kind, run: Option<&RunId>) -> SignedRecord {
        let seq = self.next.fetch_add(1, Ordering::Relaxed);
        let payload = json!({"predicate": {"seq": seq, "text": "Grüße \u{0}"}}).to_string().into_bytes();
        let mut bytes = [7; 64];
        bytes[..8].copy_from_slice(&seq.to_be_bytes());
        let writer = Digest::of(b"writer").to_string();
        let envelope = Envelope { payload, signature: Signature { keyid: writer.clone(), bytes } };
        SignedRecord {
            id: record_id(&format!("rec-{seq}")),
            kind,
            run: run.cloned(),
            time: "2026-11-21T10:00:00.000Z".into(),
            digest: envelope.digest(),
            envelope,
            writer,
            seq,
            disclosures: vec![format!("disclosure-{seq}"), "second".into()],
        }
    }

    /// Opens a run of `bot` for `alice@example.com` at [`moment`] zero.
    pub async fn run(&self, id: &str) -> RunId {
        let run = run(id);
        let record = self.record(Kind::Run, Some(&run.id));
        self.store.open_run(&run, record).await.expect("a new run opens");
        run.id
    }

    /// The case of a call without budgets and rules, at moment zero.
    pub async fn load(&self, run: &RunId, call: Digest) -> Case {
        self.load_with(run, call, Vec::new(), &[], moment(0)).await
    }

    /// The case of a call.
    pub async fn load_with(
        &self,
        run: &RunId,
        call: Digest,
        budgets: Vec<(Budget, Span, Option<String>)>,
        rules: &[(RuleId, Digest, u32)],
        now: Timestamp,
    ) -> Case {
        self.store.load_case(&CaseQuery { run, call, budgets, rules, now }).await.expect("a case loads")
    }

    /// One budget as a case shows it.
    pub async fn budget(&self, run: &RunId, budget: &Budget, span: &Span, object: Option<&str>) -> BudgetState {
        let budgets = vec![(budget.clone(), span.clone(), object.map(ToOwned::to_owned))];
        let case = self.load_with(run, digest("any"), budgets, &[], moment(0)).await;
        case.file.budgets.into_iter().next().expect("one budget")
    }

    /// An admission on fresh facts.
    pub async fn admission(&self, run: &RunId, call: &str) -> Admission {
        let mut basis = self.load(run, digest(call)).await.basis;
        // The gate reads these by themselves.
        basis.grants = self.store.live_grants().await.expect("grants are read").0;
        Admission {
            call: digest(call),
            run: run.clone(),
            agent: agent("bot"),
            user: Some(user("alice@example.com")),
            at: moment(0),
            basis,
            key: None,
            reservations: Vec::new(),
            approvals: Vec::new(),
            batched: false,
            carrier: Carrier::Gate,
            review: false,
            preview_of: None,
        }
    }

    /// An admission as an intent.
    pub fn intent(&self, admission: &Admission) -> Intent {
        let effect = Effect::Admit {
            reservations: admission.reservations.clone(),
            approvals: admission.approvals.clone(),
            batched: admission.batched,
            carrier: admission.carrier.clone(),
        };
        self.intent_with(admission, effect)
    }

    /// Any decision on the same facts.
    pub fn intent_with(&self, admission: &Admission, effect: Effect) -> Intent {
        Intent {
            record: self.record(Kind::Decision, Some(&admission.run)),
            run: admission.run.clone(),
            agent: admission.agent.clone(),
            user: admission.user.clone(),
            call: admission.call,
            tool: "payments/refund".into(),
            at: admission.at,
            basis: admission.basis.clone(),
            idempotency: admission.key.map(|key| IdempotencyKey(key.to_owned())),
            preview_of: admission.preview_of.clone(),
            review: admission.review,
            questions_max: 1000,
            effect,
        }
    }

    /// The questions that wait for people at this moment, those that lapse first before others.
    pub async fn open(&self, secs: i64) -> Vec<Question> {
        let found = self.store.waiting(&Waiting::all(moment(secs))).await.expect("read");
        assert_eq!(self.store.count_waiting(moment(secs)).await.expect("read"), found.items.len() as u64);
        found.items
    }

    /// Commits an admission.
    pub async fn commit(&self, admission: &Admission) -> Result<Committed, CommitError> {
        self.store.commit_intent(self.intent(admission)).await
    }

    /// Commits an admission that must be admitted; its decision record.
    pub async fn admit(&self, admission: &Admission) -> RecordId {
        match self.commit(admission).await.expect("it is committed") {
            Committed::Admitted(receipt) => receipt.intent().clone(),
            other => panic!("it was admitted, and the store says {other:?}"),
        }
    }

    /// A settlement of an admitted call.
    pub fn settlement(&self, intent: &RecordId, outcome: Outcome) -> Settlement {
        Settlement {
            intent: intent.clone(),
            record: Some(self.record(Kind::Execution, None)),
            decision: digest("unread"),
            run: run_id("unread"),
            at: moment(1),
            reservations: Vec::new(),
            charged: !matches!(outcome, Outcome::NotStarted { .. }),
            labels: None,
            outcome,
            review: false,
        }
    }

    /// Settles an admitted call.
    pub async fn settle(&self, intent: &RecordId, outcome: Outcome) {
        self.store.settle(self.settlement(intent, outcome)).await.expect("it is settled");
    }

    /// Asks about a call; the id of the question it is held by.
    pub async fn hold(&self, run: &RunId, question: Question) -> QuestionId {
        let admission = Admission { call: question.call, at: question.asked_at, ..self.admission(run, "any").await };
        let intent = self.intent_with(&admission, Effect::Hold(Box::new(question)));
        match self.store.commit_intent(intent).await.expect("it is committed") {
            Committed::Held(id) => id,
            other => panic!("it was held, and the store says {other:?}"),
        }
    }

    /// Votes.
    pub async fn vote(&self, vote: Vote) -> Result<Question, CommitError> {
        self.store.answer_question(vote, self.record(Kind::Approval, None)).await
    }

    /// How many records there are.
    pub async fn count(&self) -> usize {
        let filter = remit_app::ports::RecordFilter { limit: 1_000_000, ..Default::default() };
        self.store.records(&filter).await.expect("records are read").len()
    }
}

/// A moment, so many seconds after the trial began.
#[must_use]
pub fn moment(secs: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + secs).expect("a time")
}

/// The digest of a call, or of anything else, by a name.
#[must_use]
pub fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

/// A run's id.
#[must_use]
pub fn run_id(id: &str) -> RunId {
    RunId::parse(id).expect("a run id")
}

/// A record's id.
#[must_use]
pub fn record_id(id: &str) -> RecordId {
    RecordId::parse(id).expect("a record id")
}

/// An agent's id.
#[must_use]
pub fn agent(id: &str) -> AgentId {
    AgentId::parse(id).expect("an agent id")
}

/// A user's id.
#[must_use]
pub fn user(id: &str) -> UserId {
    UserId::parse(id).expect("a user id")
}

/// A rule's id.
#[must_use]
pub fn rule(id: &str) -> RuleId {
    RuleId::parse(id).expect("a rule id")
}

/// A run that has done nothing yet.
#[must_use]
pub fn run(id: &str) -> Run {
    Run {
        id: run_id(id),
        agent: agent("bot"),
        user: Some(user("alice@example.com")),
        workflow: None,
        environment: Some("production".into()),
        release_phase: None,
        intent: Some("pay Erika back".into()),
        implicit: false,
        opened_at: moment(0),
        used_at: moment(0),
        closed_at: None,
        calls: 0,
        spend: 0,
        labels: Labels::none(),
    }
}

/// A budget with a limit, and a span of it.
#[must_use]
pub fn budget(key: &str, unit: Unit, limit: u64) -> (Budget, Span) {
    let budget = Budget { key: BudgetKey(key.into()), unit, window: Window::Day, limit, warn_at: None };
    (budget, Span { id: "day-1".into(), ends: Some(moment(86_400)) })
}

/// A reservation of a budget.
#[must_use]
pub fn reservation((budget, span): &(Budget, Span), amount: u64) -> Reservation {
    Reservation {
        key: budget.key.clone(),
        unit: budget.unit,
        span: span.clone(),
        limit: budget.limit,
        amount,
        object: None,
    }
}

/// A reservation of one object.
#[must_use]
pub fn object(budget: &(Budget, Span), object: &str) -> Reservation {
    Reservation { object: Some(object.into()), ..reservation(budget, 1) }
}

/// A question for one call under rules with a quorum each, open from moment 0 to 60.
#[must_use]
pub fn question(id: &str, call: &str, rules: &[(&str, u32)]) -> Question {
    Question {
        id: QuestionId::parse(id).expect("a question id"),
        call: digest(call),
        action: digest(&format!("the action of {call}")),
        salt: Salt::new([7; 16]),
        voters: Salt::new([8; 16]),
        intent: record_id("rec-asking"),
        decision: digest("asking"),
        run: run_id("run-1"),
        agent: agent("bot"),
        user: Some(user("alice@example.com")),
        via: vec![agent("planner")],
        workflow: Some(WorkflowId::parse("case-7").expect("a workflow")),
        parties: CallParties {
            user: Some(user("alice@example.com")),
            agent_owner: Some(TeamId::parse("support").expect("a team")),
            tool_owner: None,
        },
        tool: "payments/refund".into(),
        arguments: json!({"amount": 0.1, "z": 1, "a": [null, true, "Grüße"], "big": 9_007_199_254_740_993_u64}),
        resource: "production/billing".into(),
        cost: 12_500_000,
        reason: "more than 50 USD".into(),
        rules: rules.iter().map(|(id, quorum)| asked(id, *quorum)).collect(),
        asked_at: moment(0),
        expires_at: moment(60),
        votes: Vec::new(),
        remarks: Vec::new(),
        preview: None,
        origins: vec![("/amount".into(), Origin::User), ("/to".into(), Origin::Untrusted)],
        escalated: 0,
        step_at: None,
        uses: 0,
        used: false,
        narrowed: None,
    }
}

/// A rule as a question asks for it.
#[must_use]
pub fn asked(id: &str, quorum: u32) -> QuestionRule {
    QuestionRule { id: rule(id), definition: digest(id), quorum, deny: 1 }
}

/// A rule as a case asks for it, under the definition of [`asked`].
#[must_use]
pub fn needed(id: &str, quorum: u32) -> (RuleId, Digest, u32) {
    (rule(id), digest(id), quorum)
}

/// A vote.
#[must_use]
pub fn vote(question: &QuestionId, on: &str, by: &str, approve: bool) -> Vote {
    Vote {
        question: question.clone(),
        rule: rule(on),
        by: OperatorId::parse(by).expect("an operator"),
        user: None,
        behalf: None,
        factor: Factor::Key,
        approve,
        bounds: None,
        reason: format!("{by} has looked at it"),
        at: moment(1),
        record: Some(digest(&format!("the record of {by}'s vote on {on}"))),
    }
}

/// A change from one authority to another, both by a name, that two people must approve, open from moment 0 to 60.
#[must_use]
pub fn change(id: &str, base: &str, to: &str) -> Change {
    Change {
        id: ChangeId::parse(id).expect("a change id"),
        base: digest(base),
        digest: digest(to),
        weakens: vec![Weakens { code: "guardrail.removed".into(), what: "guardrail `a#b` would be gone".into() }],
        needed: 2,
        record: record_id("rec-proposal"),
        proposed: digest("the proposal"),
        by: Some(OperatorId::parse("bob").expect("an operator")),
        at: moment(0),
        expires_at: moment(60),
        ended: None,
        votes: Vec::new(),
    }
}

/// A vote on a change.
#[must_use]
pub fn ballot(change: &str, by: &str, approve: bool) -> ChangeVote {
    ChangeVote {
        change: ChangeId::parse(change).expect("a change id"),
        by: OperatorId::parse(by).expect("an operator"),
        factor: Factor::Key,
        approve,
        reason: format!("{by} has looked at it"),
        at: moment(1),
        record: digest(by),
    }
}

/// A call that was carried out.
#[must_use]
pub fn completed() -> Outcome {
    Outcome::Completed(Answer::Result(json!({"content": [{"type": "text", "text": "done"}]})))
}

/// A call that never started.
#[must_use]
pub fn not_started() -> Outcome {
    Outcome::NotStarted { code: Code::UpstreamUnavailable, reason: "nobody there".into() }
}

/// The conflict, or what was committed instead.
pub fn conflict<T: std::fmt::Debug>(result: Result<T, CommitError>) -> &'static str {
    match result {
        Err(CommitError::Conflict(what)) => what,
        other => panic!("it is a conflict, and the store says {other:?}"),
    }
}

//! What the records of each deed say. The bodies here are what an auditor reads: names are stable,
//! and what could identify a person or repeat an argument is a disclosure beside the record.

use jiff::Timestamp;
use remit_core::Call;
use remit_core::halt::HaltTarget;
use remit_core::ids::{Digest, QuestionId, RecordId, RunId};
use remit_core::verdict::{Code, Decision, Refusal, Verdict};
use remit_core::{CaseFile, Snapshot};
use remit_evidence::record::{Draft, Entropy, Kind};
use serde_json::{Map, Value, json};

use crate::authorize::Asked;
use crate::gate::Gate;
use crate::intent::Case;
use crate::outcome::{Answer, Outcome};
use crate::question::{Question, Vote};
use crate::run::Run;

impl Gate {
    pub(crate) fn randomness(&self) -> Entropy {
        let bytes = self.ports.entropy.bytes();
        let (mut nonce, mut salt) = ([0; 16], [0; 16]);
        nonce.copy_from_slice(&bytes[..16]);
        salt.copy_from_slice(&bytes[16..]);
        Entropy { nonce, salt }
    }

    pub(crate) fn record_id(&self) -> RecordId {
        // ULIDs are of the alphabet that identifiers allow.
        id("rec", self.now(), &self.ports.entropy.bytes(), RecordId::parse)
    }

    pub(crate) fn run_id(&self) -> RunId {
        id("run", self.now(), &self.ports.entropy.bytes(), RunId::parse)
    }

    /// The run that requests belong to which never became calls.
    pub(crate) fn unresolved_run(&self) -> RunId {
        id("none", Timestamp::UNIX_EPOCH, &[0; 32], RunId::parse)
    }

    pub(crate) fn decision_draft(
        &self,
        id: &RecordId,
        call: &Call,
        case: &Case,
        decision: &Decision,
        now: Timestamp,
    ) -> Draft {
        let mut body = call_body(call);
        body.insert("verdict".into(), json!(decision.verdict.as_str()));
        body.insert(
            "policy".into(),
            json!({
                "snapshot": decision.snapshot.to_string(),
                "engine": "cedar/4",
                "determining": decision.policies,
            }),
        );
        let refused = match &decision.verdict {
            Verdict::Allow { reservations, approvals } => {
                let reserved = reservations
                    .iter()
                    .map(|r| json!({"budget": r.key.0, "span": r.span.id, "amount": r.amount, "limit": r.limit}));
                body.insert("reserved".into(), reserved.collect());
                body.insert("approvals".into(), approvals.iter().map(|rule| json!(rule.as_str())).collect());
                None
            }
            Verdict::Ask { rules, refusal } => {
                body.insert("asks".into(), rules.iter().map(|rule| json!(rule.as_str())).collect());
                Some(refusal)
            }
            Verdict::Deny(refusal) => Some(refusal),
        };
        if let Some(refusal) = refused {
            body.insert("refusal".into(), refusal_body(refusal));
        }
        if !decision.observed.is_empty() {
            body.insert("observed".into(), decision.observed.iter().map(refusal_body).collect());
        }
        if !decision.warnings.is_empty() {
            body.insert("warnings".into(), decision.warnings.iter().map(|key| json!(key.0)).collect());
        }
        body.insert("facts".into(), facts(&case.file));
        self.draft(Kind::Decision, id.clone(), now, body, call)
    }

    pub(crate) fn refusal_draft(&self, id: &RecordId, call: &Call, refusal: &Refusal, now: Timestamp) -> Draft {
        let mut body = call_body(call);
        body.insert("verdict".into(), json!("deny"));
        body.insert("refusal".into(), refusal_body(refusal));
        self.draft(Kind::Decision, id.clone(), now, body, call)
    }

    pub(crate) fn unresolved_draft(&self, id: &RecordId, asked: &Asked, refusal: &Refusal, now: Timestamp) -> Draft {
        let mut body = Map::new();
        body.insert("agent".into(), json!({"id": asked.caller.calling_agent().as_str()}));
        body.insert("verdict".into(), json!("deny"));
        body.insert("refusal".into(), refusal_body(refusal));
        let mut disclosures = vec![("requested", json!({"tool": asked.tool, "arguments": asked.arguments}))];
        disclosures.extend(asked.caller.user().map(|user| ("user", json!(user.as_str()))));
        disclosures.push(("reason", json!(bounded(&refusal.reason))));
        let traceparent = asked.traceparent.clone();
        Draft { disclosures, traceparent, ..plain(Kind::Decision, id.clone(), now, body) }
    }

    pub(crate) fn execution_draft(
        &self,
        intent: &RecordId,
        decision: Digest,
        run: &RunId,
        traceparent: Option<String>,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Draft {
        let mut body = Map::new();
        body.insert("intent".into(), json!(intent.as_str()));
        body.insert("result".into(), outcome_body(outcome));
        Draft {
            run: Some(run.clone()),
            traceparent,
            links: vec![("decision", decision)],
            ..plain(Kind::Execution, self.record_id(), now, body)
        }
    }

    pub(crate) fn approval_draft(&self, question: &Question, vote: &Vote) -> Draft {
        let mut body = Map::new();
        body.insert("question".into(), json!(question.id.as_str()));
        body.insert("rule".into(), json!(vote.rule.as_str()));
        body.insert("call".into(), json!(question.call.to_string()));
        body.insert("choice".into(), json!(if vote.approve { "approve" } else { "deny" }));
        // Vouched for by the operator's login, not signed by the person: the two must never look alike.
        body.insert("assurance".into(), json!("operator_attested"));
        body.insert("expires".into(), json!(millis(question.expires_at)));
        let disclosures = vec![("approver", json!(vote.by.as_str())), ("reason", json!(vote.reason))];
        Draft {
            run: Some(question.run.clone()),
            links: vec![("decision", question.decision)],
            disclosures,
            ..plain(Kind::Approval, self.record_id(), vote.at, body)
        }
    }

    pub(crate) fn run_draft(&self, run: &Run, closed: Option<Timestamp>) -> Draft {
        let mut body = Map::new();
        body.insert("event".into(), json!(if closed.is_some() { "close" } else { "open" }));
        body.insert("agent".into(), json!({"id": run.agent.as_str()}));
        body.insert("implicit".into(), json!(run.implicit));
        body.insert("workflow".into(), json!(run.workflow.as_ref().map(ToString::to_string)));
        body.insert("environment".into(), json!(run.environment));
        body.insert("release_phase".into(), json!(run.release_phase));
        if closed.is_some() {
            body.insert("calls".into(), json!(run.calls));
        }
        let mut disclosures = Vec::new();
        disclosures.extend(run.user.as_ref().map(|user| ("user", json!(user.as_str()))));
        disclosures.extend(run.intent.as_ref().map(|intent| ("intent", json!(intent))));
        let at = closed.unwrap_or(run.opened_at);
        Draft { run: Some(run.id.clone()), disclosures, ..plain(Kind::Run, self.record_id(), at, body) }
    }

    pub(crate) fn halt_draft(&self, target: &HaltTarget, by: &str, reason: &str, on: bool, now: Timestamp) -> Draft {
        let mut body = Map::new();
        body.insert("event".into(), json!(if on { "halt" } else { "resume" }));
        body.insert("target".into(), json!(target.to_string()));
        let disclosures = vec![("operator", json!(by)), ("reason", json!(reason))];
        Draft { disclosures, ..plain(Kind::Halt, self.record_id(), now, body) }
    }

    pub(crate) fn policy_draft(&self, snapshot: &Snapshot, by: &str, now: Timestamp) -> Draft {
        let mut body = Map::new();
        body.insert("snapshot".into(), json!(snapshot.digest().to_string()));
        body.insert("by".into(), json!(by));
        body.insert("remits".into(), json!(snapshot.remits().count()));
        body.insert("tools".into(), json!(snapshot.registry().tools().len()));
        plain(Kind::Policy, self.record_id(), now, body)
    }

    pub(crate) fn key_draft(&self, now: Timestamp) -> Draft {
        let key = Digest::from_bytes(self.writer.public_key());
        let mut body = Map::new();
        body.insert("delegate".into(), json!(key.to_string()));
        body.insert("software".into(), json!(concat!("remit/", env!("CARGO_PKG_VERSION"))));
        plain(Kind::Key, self.record_id(), now, body)
    }

    fn draft(&self, kind: Kind, id: RecordId, now: Timestamp, body: Map<String, Value>, call: &Call) -> Draft {
        let mut disclosures = vec![("arguments", call.arguments.clone()), ("resource", json!(call.resource.name()))];
        disclosures.extend(call.caller.user().map(|user| ("user", json!(user.as_str()))));
        Draft { run: Some(call.run.clone()), disclosures, ..plain(kind, id, now, body) }
    }
}

fn plain(kind: Kind, id: RecordId, now: Timestamp, body: Map<String, Value>) -> Draft {
    let (run, traceparent) = (None, None);
    Draft { kind, id, time: millis(now), run, traceparent, links: Vec::new(), body, disclosures: Vec::new() }
}

fn call_body(call: &Call) -> Map<String, Value> {
    let mut body = Map::new();
    let via: Vec<_> = call.caller.via().iter().map(ToString::to_string).collect();
    body.insert(
        "agent".into(),
        json!({
            "id": call.caller.calling_agent().as_str(),
            "owner": call.agent_owner.as_ref().map(ToString::to_string),
            "via": via,
            "workflow": call.caller.workflow().map(ToString::to_string),
        }),
    );
    body.insert(
        "tool".into(),
        json!({
            "name": call.tool.name.as_str(),
            "class": call.tool.class.as_str(),
            "risk": call.tool.risk.as_str(),
            "reversible": call.tool.reversible,
            "pin": call.tool.definition.digest().to_string(),
        }),
    );
    body.insert("cost_micro_usd".into(), json!(call.cost));
    body
}

/// What a refusal says. The reason of invalid input repeats what was sent, so it is a disclosure.
fn refusal_body(refusal: &Refusal) -> Value {
    let reason = if refusal.code == Code::InputInvalid { refusal.code.meaning() } else { &refusal.reason };
    json!({
        "code": refusal.code.as_str(),
        "reason": bounded(reason),
        "remedy": bounded(&refusal.remedy),
        "factor": refusal.factor.as_ref().map(ToString::to_string),
    })
}

fn bounded(text: &str) -> String {
    text.chars().take(remit_core::limits::REASON_BYTES_MAX / 4).collect()
}

/// The facts the decision was made from, so that it can be made again.
fn facts(case: &CaseFile) -> Value {
    let budgets = case.budgets.iter().map(|state| {
        json!({
            "key": state.budget.key.0, "span": state.span.id, "limit": state.budget.limit,
            "settled": state.settled, "reserved": state.reserved, "object_known": state.object_known,
        })
    });
    json!({
        "run": {
            "labels": case.run.labels.words().collect::<Vec<_>>(), "calls": case.run.calls,
            "spend_micro_usd": case.run.spend, "environment": case.run.environment,
            "release_phase": case.run.release_phase, "closed": case.run.closed,
        },
        "budgets": budgets.collect::<Vec<_>>(),
        "approved": case.approved.iter().map(|rule| rule.as_str()).collect::<Vec<_>>(),
        "refused": case.refused,
        "halts": case.halts.iter().map(|halt| halt.target.to_string()).collect::<Vec<_>>(),
    })
}

fn outcome_body(outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Completed(Answer::Result(result)) => json!({
            "state": outcome.state(),
            "is_error": result.get("isError").and_then(Value::as_bool).unwrap_or(false),
            "digest": Digest::of(remit_core::json::canonical(result).as_bytes()).to_string(),
        }),
        Outcome::Completed(Answer::Error { code, .. }) => {
            json!({"state": outcome.state(), "is_error": true, "rpc_code": code})
        }
        Outcome::NotStarted { code, reason } | Outcome::Unknown { code, reason } => {
            json!({"state": outcome.state(), "code": code.as_str(), "reason": bounded(reason)})
        }
    }
}

pub(crate) fn question_id(now: Timestamp, entropy: &[u8; 32]) -> QuestionId {
    id("q", now, entropy, QuestionId::parse)
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn millis(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// `prefix_` and a ULID: sorts by time, and cannot be guessed.
fn id<T, E>(prefix: &str, now: Timestamp, entropy: &[u8; 32], parse: fn(&str) -> Result<T, E>) -> T
where
    E: std::fmt::Debug,
{
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let mut bits = (now.as_millisecond().unsigned_abs() as u128) << 80;
    let mut random = [0u8; 16];
    random[6..].copy_from_slice(&entropy[..10]);
    bits |= u128::from_be_bytes(random);
    let mut text = format!("{prefix}_");
    for place in (0..26).rev() {
        text.push(char::from(ALPHABET[(bits >> (place * 5)) as usize & 31]));
    }
    #[expect(clippy::expect_used, reason = "the alphabet is a part of what identifiers allow")]
    parse(&text).expect("a ULID is an identifier")
}

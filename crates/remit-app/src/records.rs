//! What the records of each deed say. The bodies here are what an auditor reads: names are stable,
//! and what could identify a person or repeat an argument is a disclosure beside the record.

pub(crate) mod people;

use jiff::Timestamp;
use remit_core::Call;
use remit_core::access::{AccessGrant, Ground, Terms};
use remit_core::halt::HaltTarget;
use remit_core::ids::{
    AgentId, ChangeId, Digest, GrantId, ProposalId, QuestionId, RecordId, RuleId, RunId, TeamId, UserId, WorkflowId,
};
use remit_core::json::{self, Object};
use remit_core::verdict::{Decision, Refusal, Verdict};
use remit_core::{CaseFile, Snapshot};
use remit_evidence::record::{Draft, Entropy, Kind};
use remit_evidence::words::Words;
use serde_json::Value;

use crate::action::Action;
use crate::authorize::Asked;
use crate::gate::Gate;
use crate::hold::HoldTarget;
use crate::intent::Case;
use crate::outcome::{Answer, Outcome};
use crate::run::Run;

impl Gate {
    pub(crate) fn randomness(&self) -> Entropy {
        randomness(&*self.ports.entropy)
    }

    pub(crate) fn record_id(&self) -> RecordId {
        record_id(self.now(), &self.ports.entropy.bytes())
    }

    pub(crate) fn run_id(&self) -> RunId {
        id("run", self.now(), &self.ports.entropy.bytes(), RunId::parse)
    }

    /// The run that requests belong to which never became calls.
    pub(crate) fn unresolved_run(&self) -> RunId {
        id("none", Timestamp::UNIX_EPOCH, &[0; 32], RunId::parse)
    }

    /// The run as records name it: what was asked for outside of any is of none.
    pub(crate) fn named(&self, run: &RunId) -> Option<RunId> {
        Some(run).filter(|run| **run != self.unresolved_run()).cloned()
    }

    pub(crate) fn decision_draft(
        &self,
        id: &RecordId,
        (call, action): (&Call, &Action),
        (case, snapshot): (&Case, &Snapshot),
        decision: &Decision,
        now: Timestamp,
    ) -> Draft {
        self.draft(id.clone(), now, decision_body(call, &case.file, snapshot, decision), (call, action))
    }

    pub(crate) fn refusal_draft(
        &self,
        id: &RecordId,
        (call, action): (&Call, &Action),
        refusal: &Refusal,
        now: Timestamp,
    ) -> Draft {
        let (mut body, mut words) = (call_body(call), Words::default());
        body.text("verdict", "deny").object("refusal", |body| refusal_body(refusal, "/refusal", body, &mut words));
        self.draft(id.clone(), now, (body, words), (call, action))
    }

    pub(crate) fn unresolved_draft(&self, id: &RecordId, asked: &Asked, refusal: &Refusal, now: Timestamp) -> Draft {
        let (mut body, mut words) = (Object::new(), Words::default());
        body.object("agent", |agent| {
            agent.text("id", asked.caller.calling_agent().as_str());
        });
        body.text("verdict", "deny").object("refusal", |body| refusal_body(refusal, "/refusal", body, &mut words));
        let mut requested = Object::new();
        requested.text("tool", &asked.tool).value("arguments", &asked.arguments);
        let mut disclosures = vec![("requested", requested.finish())];
        disclosures.extend(asked.caller.user().map(|user| ("user", json::quoted(user.as_str()))));
        disclosures.extend(words.disclosure());
        let traceparent = asked.traceparent.clone();
        Draft { disclosures, traceparent, ..plain(Kind::Decision, id.clone(), now, body) }
    }

    pub(crate) fn execution_draft(
        &self,
        intent: &RecordId,
        decision: Digest,
        (run, user): (&RunId, Option<&UserId>),
        outcome: &Outcome,
        now: Timestamp,
    ) -> Draft {
        let (mut body, mut words) = (Object::new(), Words::default());
        body.text("intent", intent.as_str()).object("result", |body| outcome_body(outcome, body, &mut words));
        // Whoever is erased is found by their name, and what was answered goes with it.
        let mut disclosures = Vec::new();
        disclosures.extend(user.map(|user| ("user", json::quoted(user.as_str()))));
        disclosures.extend(words.disclosure());
        Draft {
            run: Some(run.clone()),
            disclosures,
            links: vec![("decision", decision)],
            ..plain(Kind::Execution, self.record_id(), now, body)
        }
    }

    pub(crate) fn run_draft(&self, run: &Run, closed: Option<Timestamp>) -> Draft {
        let mut body = Object::new();
        body.text("event", if closed.is_some() { "close" } else { "open" }).flag("implicit", run.implicit);
        body.object("agent", |agent| {
            agent.text("id", run.agent.as_str());
        });
        body.text_or_null("workflow", run.workflow.as_ref().map(WorkflowId::as_str));
        let mut words = Words::default();
        words.put_some("/environment", run.environment.as_deref());
        words.put_some("/release_phase", run.release_phase.as_deref());
        if closed.is_some() {
            body.number("calls", run.calls);
        }
        let mut disclosures = Vec::new();
        disclosures.extend(run.user.as_ref().map(|user| ("user", json::quoted(user.as_str()))));
        disclosures.extend(run.intent.as_ref().map(|intent| ("intent", json::quoted(intent))));
        disclosures.extend(words.disclosure());
        let at = closed.unwrap_or(run.opened_at);
        Draft { run: Some(run.id.clone()), disclosures, ..plain(Kind::Run, self.record_id(), at, body) }
    }

    pub(crate) fn halt_draft(&self, target: &HaltTarget, by: &str, reason: &str, on: bool, now: Timestamp) -> Draft {
        let mut body = Object::new();
        body.text("event", if on { "halt" } else { "resume" }).text("target", &target.to_string());
        let disclosures = vec![("operator", json::quoted(by)), ("reason", json::quoted(reason))];
        Draft { disclosures, ..plain(Kind::Halt, self.record_id(), now, body) }
    }

    pub(crate) fn hold_draft(&self, target: &HoldTarget, by: &str, reason: &str, on: bool, now: Timestamp) -> Draft {
        let mut body = Object::new();
        body.text("event", if on { "hold" } else { "lift" });
        let mut disclosures = Vec::new();
        let (scope, run) = match target {
            HoldTarget::All => ("all", None),
            HoldTarget::Run(run) => ("run", Some(run.clone())),
            HoldTarget::User(user) => {
                disclosures.push(("user", json::quoted(user.as_str())));
                ("user", None)
            }
        };
        body.text("scope", scope);
        disclosures.extend([("operator", json::quoted(by)), ("reason", json::quoted(reason))]);
        Draft { run, disclosures, ..plain(Kind::Erasure, self.record_id(), now, body) }
    }

    /// How many records and between which positions; a list of them would say which belong together.
    /// The person comes first among the disclosures: that one is not stored.
    pub(crate) fn erasure_draft(
        &self,
        person: &UserId,
        by: &str,
        reason: &str,
        positions: &[u64],
        now: Timestamp,
    ) -> Draft {
        let mut body = Object::new();
        body.text("event", "erase").number("records", positions.len() as u64);
        if let (Some(first), Some(last)) = (positions.iter().min(), positions.iter().max()) {
            body.object("positions", |body| {
                body.number("first", *first).number("last", *last);
            });
        }
        let person = ("person", json::quoted(person.as_str()));
        let disclosures = vec![person, ("operator", json::quoted(by)), ("reason", json::quoted(reason))];
        Draft { disclosures, ..plain(Kind::Erasure, self.record_id(), now, body) }
    }

    pub(crate) fn policy_draft(&self, snapshot: &Snapshot, by: &str, sources: Option<&str>, now: Timestamp) -> Draft {
        let mut body = Object::new();
        body.text("event", "in_force").text("snapshot", &snapshot.digest().to_string()).text("by", by);
        body.number("remits", snapshot.remits().count() as u64);
        body.number("tools", snapshot.registry().tools().len() as u64);
        let disclosures = sources.map(|sources| ("sources", sources.to_owned())).into_iter().collect();
        Draft { disclosures, ..plain(Kind::Policy, self.record_id(), now, body) }
    }

    pub(crate) fn key_draft(&self, now: Timestamp) -> Draft {
        let key = Digest::from_bytes(self.writer.public_key());
        let mut body = Object::new();
        body.text("delegate", &key.to_string()).text("software", concat!("remit/", env!("CARGO_PKG_VERSION")));
        plain(Kind::Key, self.record_id(), now, body)
    }

    fn draft(
        &self,
        id: RecordId,
        now: Timestamp,
        (body, words): (Object, Words),
        (call, action): (&Call, &Action),
    ) -> Draft {
        let arguments = call.canonical_arguments().to_owned();
        let resource = json::quoted(&call.resource.name());
        let mut disclosures = vec![("action", action.text.clone()), ("arguments", arguments), ("resource", resource)];
        disclosures.extend(call.caller.user().map(|user| ("user", json::quoted(user.as_str()))));
        disclosures.extend(words.disclosure());
        let (run, action) = (Some(call.run.clone()), Some(action.digest));
        Draft { run, action, disclosures, ..plain(Kind::Decision, id, now, body) }
    }
}

/// What a decision record says about its decision: all of it follows from the call, the facts and the
/// authority, so that `replay` can write it again and compare.
pub(crate) fn decision_body(call: &Call, file: &CaseFile, snapshot: &Snapshot, decision: &Decision) -> (Object, Words) {
    let (mut body, mut words) = (call_body(call), Words::default());
    body.text("verdict", decision.verdict.as_str());
    body.object("policy", |policy| {
        policy.text("snapshot", &decision.snapshot.to_string()).text("engine", "cedar/4");
        policy.texts("determining", &decision.policies);
    });
    let refused = match &decision.verdict {
        Verdict::Allow { reservations, approvals } => {
            body.objects("reserved", reservations, |r, reserved| {
                reserved.text("budget", &r.key.0).text("span", &r.span.id).number("amount", r.amount);
                reserved.number("limit", r.limit);
            });
            body.texts("approvals", approvals.iter().map(RuleId::as_str));
            rules_body(snapshot, approvals, &mut body);
            None
        }
        Verdict::Ask { rules, refusal } => {
            body.texts("asks", rules.iter().map(RuleId::as_str));
            rules_body(snapshot, rules, &mut body);
            Some(refusal)
        }
        Verdict::Deny(refusal) => Some(refusal),
    };
    if let Some(refusal) = refused {
        body.object("refusal", |body| refusal_body(refusal, "/refusal", body, &mut words));
    }
    if !decision.observed.is_empty() {
        body.objects("observed", decision.observed.iter().enumerate(), |(at, refusal), body| {
            refusal_body(refusal, &format!("/observed/{at}"), body, &mut words);
        });
    }
    if !decision.warnings.is_empty() {
        body.texts("warnings", decision.warnings.iter().map(|key| &key.0));
    }
    body.object("facts", |body| facts(file, body, &mut words));
    (body, words)
}

/// How many people each of these rules takes, so that their votes can be counted by whoever has the records only.
pub(crate) fn rules_body(snapshot: &Snapshot, rules: &[RuleId], body: &mut Object) {
    let known = rules.iter().filter_map(|rule| snapshot.rule(rule));
    if !rules.is_empty() {
        body.objects("rules", known, |rule, body| {
            body.text("rule", rule.id.as_str()).text("definition", &rule.digest().to_string());
            body.number("quorum", u64::from(rule.quorum)).number("deny", u64::from(rule.deny));
        });
    }
}

pub(crate) fn plain(kind: Kind, id: RecordId, now: Timestamp, body: Object) -> Draft {
    let (run, traceparent, action) = (None, None, None);
    let (links, disclosures) = (Vec::new(), Vec::new());
    Draft { kind, id, time: millis(now), run, traceparent, action, links, body, disclosures }
}

fn call_body(call: &Call) -> Object {
    let mut body = Object::new();
    body.object("agent", |agent| {
        agent.text("id", call.caller.calling_agent().as_str());
        agent.text_or_null("owner", call.agent_owner.as_ref().map(TeamId::as_str));
        agent.texts("via", call.caller.via().iter().map(AgentId::as_str));
        agent.text_or_null("workflow", call.caller.workflow().map(WorkflowId::as_str));
    });
    body.object("tool", |tool| {
        tool.text("name", call.tool.name.as_str()).text("class", call.tool.class.as_str());
        tool.text("risk", call.tool.risk.as_str()).flag("reversible", call.tool.reversible);
        tool.text("pin", &call.tool.definition.digest().to_string());
        tool.text_or_null("credential", call.tool.credential.as_deref());
    });
    body.number("cost_micro_usd", call.cost);
    body
}

/// What a refusal says. Its reason may repeat what a person wrote or what was sent.
fn refusal_body(refusal: &Refusal, place: &str, body: &mut Object, words: &mut Words) {
    words.put(format!("{place}/reason"), bounded(&refusal.reason));
    words.put(format!("{place}/remedy"), bounded(&refusal.remedy));
    body.text("code", refusal.code.as_str());
    body.text_or_null("factor", refusal.factor.as_ref().map(ToString::to_string).as_deref());
    if !refusal.may_request.is_empty() {
        body.texts("may_request", refusal.may_request.iter().map(|offer| &offer.id));
    }
}

pub(crate) fn bounded(text: &str) -> &str {
    let most = remit_core::limits::REASON_BYTES_MAX / 4;
    text.char_indices().nth(most).map_or(text, |(end, _)| text.get(..end).unwrap_or(text))
}

/// The facts the decision was made from, so that it can be made again.
fn facts(case: &CaseFile, body: &mut Object, words: &mut Words) {
    body.object("run", |run| {
        run.texts("labels", case.run.labels.words()).number("calls", case.run.calls);
        run.number("spend_micro_usd", case.run.spend).flag("closed", case.run.closed);
    });
    words.put_some("/facts/run/environment", case.run.environment.as_deref());
    words.put_some("/facts/run/release_phase", case.run.release_phase.as_deref());
    body.objects("budgets", &case.budgets, |state, budget| {
        budget.text("key", &state.budget.key.0).text("span", &state.span.id).number("limit", state.budget.limit);
        budget.number("settled", state.settled).number("reserved", state.reserved);
        budget.flag("object_known", state.object_known);
    });
    body.texts("approved", case.approved.iter().map(RuleId::as_str));
    words.put_some("/facts/refused", case.refused.as_deref());
    words.put_some("/facts/narrowed", case.narrowed.as_deref());
    if !case.origins.is_empty() {
        body.objects("origins", case.origins.iter().enumerate(), |(at, (argument, origin)), body| {
            words.put(format!("/facts/origins/{at}/argument"), argument.as_str());
            body.text("origin", origin.as_str());
        });
    }
    body.objects("halts", case.halts.iter().enumerate(), |(at, halt), body| {
        words.put(format!("/facts/halts/{at}/reason"), halt.reason.as_str());
        body.text("target", &halt.target.to_string());
    });
    if !case.grants.is_empty() {
        body.objects("grants", case.grants.iter().enumerate(), |(at, grant), body| {
            grant_body(grant, &format!("/facts/grants/{at}"), body, words);
        });
    }
}

/// A grant as a decision rests on it. For whom it is does not stand here: it concerns the caller, or it
/// would not be a fact of the case.
fn grant_body(grant: &AccessGrant, place: &str, body: &mut Object, words: &mut Words) {
    body.text("id", grant.id.as_str()).text("expires", &millis(grant.expires));
    terms_body(&grant.terms, place, body, words);
    body.text_or_null("unused_until", grant.unused_until.map(millis).as_deref());
    let kind = match &grant.ground {
        Ground::Offer(_) => "rule",
        Ground::BreakGlass(_) => "break_glass",
    };
    body.text(kind, grant.ground.name().as_str());
}

/// Terms, but for the values of their bounds: whoever asks writes those.
pub(crate) fn terms_body(terms: &Terms, place: &str, body: &mut Object, words: &mut Words) {
    let mut json = terms.to_json();
    let bounds = json.as_object_mut().and_then(|json| json.remove("where"));
    words.put_some(&format!("{place}/terms/where"), bounds);
    body.value("terms", &json);
}

/// What came of a call. The digest of a short answer would tell it to whoever can guess, so it is none of this.
fn outcome_body(outcome: &Outcome, body: &mut Object, words: &mut Words) {
    body.text("state", outcome.state());
    match outcome {
        Outcome::Completed(Answer::Result(result)) => {
            body.flag("is_error", result.get("isError").and_then(Value::as_bool).unwrap_or(false));
            words.put("/result/digest", Digest::of(json::canonical(result).as_bytes()).to_string());
        }
        Outcome::Completed(Answer::Error { code, .. }) => {
            body.flag("is_error", true).raw("rpc_code", &code.to_string());
        }
        Outcome::NotStarted { code, reason } | Outcome::Unknown { code, reason } => {
            body.text("code", code.as_str());
            words.put("/result/reason", bounded(reason));
        }
    }
}

/// For one record.
pub(crate) fn randomness(entropy: &dyn crate::ports::Entropy) -> Entropy {
    let bytes = entropy.bytes();
    let (mut nonce, mut salt) = ([0; 16], [0; 16]);
    nonce.copy_from_slice(&bytes[..16]);
    salt.copy_from_slice(&bytes[16..]);
    Entropy { nonce, salt }
}

pub(crate) fn record_id(now: Timestamp, entropy: &[u8; 32]) -> RecordId {
    // ULIDs are of the alphabet that identifiers allow.
    id("rec", now, entropy, RecordId::parse)
}

pub(crate) fn grant_id(now: Timestamp, entropy: &[u8; 32]) -> GrantId {
    id("g", now, entropy, GrantId::parse)
}

pub(crate) fn question_id(now: Timestamp, entropy: &[u8; 32]) -> QuestionId {
    id("q", now, entropy, QuestionId::parse)
}

pub(crate) fn change_id(now: Timestamp, entropy: &[u8; 32]) -> ChangeId {
    id("chg", now, entropy, ChangeId::parse)
}

pub(crate) fn proposal_id(now: Timestamp, entropy: &[u8; 32]) -> ProposalId {
    id("prp", now, entropy, ProposalId::parse)
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

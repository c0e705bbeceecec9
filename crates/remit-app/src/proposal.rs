//! Proposals: "always" is no vote. It becomes a text that a person may put into the remit's file, with the
//! evidence beside it; the gateway edits no file, and the change goes the way of every change (see [`crate::widening`]).
//!
//! What is proposed is the narrowest grant that would let the very call through: its tool, and each of its
//! arguments as it was. Whoever takes it may widen it, and signs for that.

use jiff::Timestamp;
use remit_core::authority::remit::Remit;
use remit_core::ids::{AgentId, OperatorId, ProposalId, QuestionId, RecordId, RuleId, ToolName};
use remit_core::json;
use remit_core::registry::{Shape, Tool};
use remit_evidence::record::disclosed;
use serde_json::Value;

use crate::gate::Gate;
use crate::intent::Unavailable;
use crate::question::Question;
use crate::standing::Tally;

/// A proposed change of a remit. What it says is disclosed by its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// Whose remit.
    pub agent: AgentId,
    /// The question it came from.
    pub question: QuestionId,
    /// Who proposes it.
    pub by: OperatorId,
    /// When.
    pub at: Timestamp,
    /// The record that says what.
    pub record: RecordId,
}

/// What a proposal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// The file to change.
    pub file: String,
    /// The lines to add, under the heading of the tool's class.
    pub lines: String,
    /// What the lines leave open although the call did not use it.
    pub leaves_open: Vec<String>,
    /// How the agent has fared with tools of this class, as one JSON object.
    pub evidence: String,
}

/// Why there is nothing to propose.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotProposed {
    /// There is no such question.
    #[error("there is no such question of this agent")]
    Unknown,
    /// The approval is asked for by a guardrail, which no remit lifts.
    #[error("approval rule `{0}` is asked for by a guardrail, and no remit lifts one")]
    Guardrail(RuleId),
    /// A grant would not be bound to the call.
    #[error("the argument `{0}` cannot be bound in a remit, so the grant would be wider than the call")]
    Unbound(String),
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Gate {
    /// Proposes that a call like the one of this question needs nobody any more.
    ///
    /// # Errors
    /// See [`NotProposed`].
    pub async fn propose_always(
        &self,
        by: &OperatorId,
        agent: &AgentId,
        question: &QuestionId,
    ) -> Result<(Proposal, Suggestion), NotProposed> {
        let asked = self.ports.store.question(question).await?.filter(|asked| asked.agent == *agent);
        let asked = asked.ok_or(NotProposed::Unknown)?;
        let snapshot = self.snapshot();
        let name = ToolName::parse(&asked.tool).map_err(|_| NotProposed::Unknown)?;
        let tool = snapshot.registry().tool(&name).ok_or(NotProposed::Unknown)?;
        let remit = snapshot.remit(agent).ok_or(NotProposed::Unknown)?;
        liftable(remit, tool, &asked)?;
        let tally = self.standing(agent).await?;
        let evidence = tally.classes.get(&tool.class).copied().unwrap_or_default();
        let (lines, leaves_open) = grant(tool, &asked.arguments)?;
        let suggestion = Suggestion {
            file: remit.locus.file.clone(),
            lines: format!("{}:\n{lines}", tool.class.as_str()),
            leaves_open,
            evidence: shown(&evidence, &tally),
        };
        let (id, now) = (self.proposal_id(), self.now());
        let open: Vec<&str> = suggestion.leaves_open.iter().map(String::as_str).collect();
        let parts = vec![
            ("file", json::quoted(&suggestion.file)),
            ("lines", json::quoted(&suggestion.lines)),
            ("leaves_open", serde_json::json!(open).to_string()),
            ("evidence", suggestion.evidence.clone()),
        ];
        let user = asked.user.as_ref().map(remit_core::ids::UserId::as_str);
        let draft = self.proposal_draft((&id, agent, question), user, parts, by, now);
        let record = self.writer.sign(&self.writer.ticket(), draft, &self.randomness());
        let proposal = Proposal {
            id,
            agent: agent.clone(),
            question: question.clone(),
            by: by.clone(),
            at: now,
            record: record.id.clone(),
        };
        self.ports.store.put_proposal(&proposal, record).await?;
        Ok((proposal, suggestion))
    }

    /// What a proposal says; `None` when that was deleted.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn suggestion(&self, proposal: &Proposal) -> Result<Option<Suggestion>, Unavailable> {
        let Some(record) = self.ports.store.record(&proposal.record).await? else { return Ok(None) };
        let values = disclosed(&record.disclosures);
        let value = |name: &str| values.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let text = |name: &str| value(name).and_then(Value::as_str).map(str::to_owned);
        let read = || {
            let open = value("leaves_open")?.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned);
            Some(Suggestion {
                file: text("file")?,
                lines: text("lines")?,
                leaves_open: open.collect(),
                evidence: json::canonical(value("evidence")?),
            })
        };
        Ok(read())
    }
}

fn shown(evidence: &crate::standing::Counts, tally: &Tally) -> String {
    let mut out = json::Object::new();
    out.number("calls", evidence.allowed).number("refusals", evidence.denied).number("holds", evidence.asked);
    out.number("approvals", evidence.approvals).number("denials", evidence.denials);
    out.number("unknown", evidence.unknown).number("undos", evidence.undos).number("objections", evidence.objections);
    out.number("halts", tally.halts).number("incidents", tally.incidents);
    out.text_or_null("since", tally.since.as_deref()).flag("whole", tally.whole);
    out.finish()
}

/// Whether every rule of the question is asked for by a grant of this remit, which another grant can go beside.
fn liftable(remit: &Remit, tool: &Tool, asked: &Question) -> Result<(), NotProposed> {
    for rule in &asked.rules {
        let of_grant = remit.grants.iter().any(|grant| {
            grant.approval.as_ref() == Some(&rule.id) && grant.tools.iter().any(|pattern| pattern.covers(&tool.name))
        });
        if !of_grant {
            return Err(NotProposed::Guardrail(rule.id.clone()));
        }
    }
    Ok(())
}

/// The grant as a remit's file writes it, and what it leaves open.
fn grant(tool: &Tool, arguments: &Value) -> Result<(String, Vec<String>), NotProposed> {
    let Shape::Record(members) = &tool.shape else { return Err(NotProposed::Unbound("all".into())) };
    let unbound = |name: &str| NotProposed::Unbound(name.to_owned());
    let given = arguments.as_object().ok_or_else(|| unbound("all"))?;
    let mut conditions = Vec::new();
    for (name, value) in given {
        let word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let shape = members.get(name).filter(|_| word).map(|member| &member.shape).ok_or_else(|| unbound(name))?;
        let literal = match (shape, value) {
            (Shape::String, Value::String(text)) => literal(text),
            (Shape::Long | Shape::Decimal, Value::Number(number)) => Some(number.to_string()),
            (Shape::Bool, Value::Bool(flag)) => Some(flag.to_string()),
            _ => None,
        };
        let literal = literal.ok_or_else(|| unbound(name))?;
        conditions.push(format!("args.{name} == {literal}"));
    }
    let mut lines = format!("  - tools: [{}]\n", tool.name);
    if !conditions.is_empty() {
        // In single quotes YAML reads everything as it stands, but for the quote itself.
        lines.push_str(&format!("    when: '{}'\n", conditions.join(" and ").replace('\'', "''")));
    }
    let open = members.keys().filter(|name| !given.contains_key(*name)).map(|name| format!("args.{name}"));
    Ok((lines, open.collect()))
}

/// A text as a condition writes it. What would need an escape is not written at all.
fn literal(text: &str) -> Option<String> {
    let plain = !text.chars().any(|c| c.is_control() || matches!(c, '"' | '\\' | '\u{2028}' | '\u{2029}'));
    plain.then(|| format!("\"{text}\""))
}

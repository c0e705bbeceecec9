//! Questions and people's answers.

use jiff::Timestamp;
use remit_core::Snapshot;
use remit_core::approval::{ApprovalRule, Approver, CallParties, Hour};
use remit_core::call::Call;
use remit_core::ids::{QuestionId, RuleId};
use remit_core::verdict::Refusal;
use remit_evidence::writer::SignedRecord;

use crate::gate::Gate;
use crate::intent::{CommitError, Unavailable};
use crate::question::{Question, QuestionRule, QuestionState, Vote};

/// Why a vote was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// There is no such question.
    #[error("there is no such question")]
    Unknown,
    /// It is not open any more.
    #[error("the question is not open any more: it is {0}")]
    NotOpen(&'static str),
    /// This person's vote does not count.
    #[error("{0}")]
    NotEntitled(String),
    /// It asks for several rules, and the vote must say for which it is.
    #[error("the question needs {0}; say for which of them this vote is")]
    Ambiguous(String),
    /// The rule's definition has changed since the question was asked.
    #[error("approval rule `{0}` has changed since this was asked; the call must be made again")]
    RuleChanged(RuleId),
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Gate {
    /// Takes the vote of an authenticated person. Who they are comes from their session; that they
    /// are entitled is looked up now, not when the question was asked.
    ///
    /// # Errors
    /// Says why the vote was not taken; it then has no effect and leaves no trace but the log's.
    pub async fn vote(
        &self,
        approver: &Approver,
        id: &QuestionId,
        rule: Option<&RuleId>,
        approve: bool,
        reason: &str,
    ) -> Result<Question, NotTaken> {
        let now = self.now();
        let question = self.ports.store.question(id).await?.ok_or(NotTaken::Unknown)?;
        if question.state(now) != QuestionState::Open {
            return Err(NotTaken::NotOpen(question.state(now).as_str()));
        }
        let rule = self.rule_to_vote_on(&question, rule, approver, now)?;
        let reason: String = reason.chars().take(remit_core::limits::REASON_BYTES_MAX / 4).collect();
        let by = approver.id.clone();
        let vote = Vote { question: id.clone(), rule, by, approve, reason, at: now, record: None };
        let draft = self.approval_draft(&question, &vote);
        let ticket = self.writer.ticket();
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        let vote = Vote { record: Some(record.digest), ..vote };
        match self.ports.store.answer_question(vote, record).await {
            Ok(question) => {
                self.ports.notifier.question_changed(id);
                Ok(question)
            }
            Err(CommitError::Conflict(why)) => {
                self.writer.give_back(ticket);
                Err(NotTaken::NotOpen(why))
            }
            Err(CommitError::Unavailable(error)) => Err(error.into()),
        }
    }

    fn rule_to_vote_on(
        &self,
        question: &Question,
        named: Option<&RuleId>,
        approver: &Approver,
        now: Timestamp,
    ) -> Result<RuleId, NotTaken> {
        let snapshot = self.snapshot.load();
        let hour = |rule: &ApprovalRule| Hour { now, steps: rule.steps_due(question.asked_at, now) };
        let mut entitled = Vec::new();
        let mut refusal = NotTaken::NotEntitled("this question asks for none of the rules named".into());
        for asked in question.rules.iter().filter(|asked| named.is_none_or(|named| asked.id == *named)) {
            match snapshot.rule(&asked.id) {
                Some(rule) if rule.digest() == asked.definition => {
                    match rule.entitles(approver, &question.parties, hour(rule)) {
                        Ok(()) => entitled.push(asked.id.clone()),
                        Err(error) => refusal = NotTaken::NotEntitled(error.to_string()),
                    }
                }
                _ => refusal = NotTaken::RuleChanged(asked.id.clone()),
            }
        }
        match entitled.as_slice() {
            [] => Err(refusal),
            [one] => Ok(one.clone()),
            several => {
                let names: Vec<_> = several.iter().map(|rule| format!("`{rule}`")).collect();
                Err(NotTaken::Ambiguous(names.join(" and ")))
            }
        }
    }
}

/// The question for a call that needs these rules satisfied.
pub(crate) fn question(
    snapshot: &Snapshot,
    call: &Call,
    record: &SignedRecord,
    rules: &[RuleId],
    refusal: &Refusal,
    id: QuestionId,
    now: Timestamp,
) -> Question {
    let found: Vec<_> = rules.iter().filter_map(|rule| snapshot.rule(rule)).collect();
    // The shortest time counts: an approval must not outlive the rule that was quickest to lapse.
    let within = found.iter().map(|rule| rule.within_secs).min().unwrap_or(0);
    let expires_at = i64::try_from(within).ok().and_then(|s| now.checked_add(jiff::SignedDuration::from_secs(s)).ok());
    Question {
        id,
        call: call.digest(),
        intent: record.id.clone(),
        decision: record.digest,
        run: call.run.clone(),
        agent: call.caller.calling_agent().clone(),
        user: call.caller.user().cloned(),
        via: call.caller.via().to_vec(),
        parties: CallParties::of(call),
        tool: call.tool.name.to_string(),
        arguments: call.arguments.clone(),
        resource: call.resource.name(),
        cost: call.cost,
        reason: refusal.reason.clone(),
        rules: found
            .iter()
            .map(|rule| QuestionRule { id: rule.id.clone(), definition: rule.digest(), quorum: rule.quorum })
            .collect(),
        asked_at: now,
        expires_at: expires_at.unwrap_or(now),
        votes: Vec::new(),
        used: false,
    }
}

//! What people and agents say to each other about a held call: an approver asks back, the agent answers, and whoever
//! may vote calls in the next people at once. None of it is a vote, and none of it stops the clock.

use jiff::Timestamp;
use remit_core::Caller;
use remit_core::approval::Approver;
use remit_core::ids::QuestionId;
use remit_evidence::record::Draft;

use crate::approve::{NotTaken, REASON_CHARS_MAX};
use crate::gate::Gate;
use crate::intent::CommitError;
use crate::question::{Question, QuestionState, Remark};
use crate::sight;

impl Gate {
    /// Asks the agent something about its held call. The question stays open, with the time it has.
    ///
    /// # Errors
    /// Says why not; nothing is asked then.
    pub async fn ask_back(&self, approver: &Approver, id: &QuestionId, text: &str) -> Result<Question, NotTaken> {
        let now = self.now();
        let question = self.open_to(approver, id, now).await?;
        let remark = Remark { by: Some(approver.id.clone()), text: said(text)?, at: now };
        let draft = self.remark_draft(&question, &remark);
        self.remark(&question, remark, draft).await
    }

    /// The agent's answer to what was asked back. It is shown to approvers as the agent's words, and decides nothing.
    ///
    /// # Errors
    /// [`NotTaken::Unknown`] also for a question of somebody else; [`NotTaken::NotAsked`] when nobody waits for an answer.
    pub async fn answer_back(&self, caller: &Caller, id: &QuestionId, text: &str) -> Result<Question, NotTaken> {
        let now = self.now();
        let question = self.ports.store.question(id).await?;
        let own = |q: &Question| q.agent == *caller.calling_agent() && q.user.as_ref() == caller.user();
        let question = question.filter(own).ok_or(NotTaken::Unknown)?;
        if question.state(now) != QuestionState::Open {
            return Err(NotTaken::NotOpen(question.state(now).as_str()));
        }
        if question.asked_back().is_none() {
            return Err(NotTaken::NotAsked);
        }
        let remark = Remark { by: None, text: said(text)?, at: now };
        let draft = self.answer_draft(&question, &remark);
        self.remark(&question, remark, draft).await
    }

    /// Calls in the people of the next step of the escalation, now and not when they would be.
    ///
    /// # Errors
    /// [`NotTaken::NobodyElse`] when all steps are in force; else says why not.
    pub async fn escalate(&self, approver: &Approver, id: &QuestionId, reason: &str) -> Result<Question, NotTaken> {
        let now = self.now();
        let question = self.open_to(approver, id, now).await?;
        let snapshot = self.snapshot.load();
        let rules: Vec<_> = question.rules.iter().filter_map(|asked| snapshot.rule(&asked.id)).collect();
        let steps = rules.iter().map(|rule| sight::hour(rule, &question, now).steps).max().unwrap_or(0);
        if rules.iter().all(|rule| rule.escalate.len() <= steps) {
            return Err(NotTaken::NobodyElse);
        }
        let steps = u32::try_from(steps).unwrap_or(u32::MAX).saturating_add(1);
        let draft = self.escalation_draft(&question, &approver.id, steps, &said(reason)?, now);
        let ticket = self.writer.ticket();
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        match self.ports.store.escalate(id, steps, now, record).await {
            Ok(question) => {
                self.ports.notifier.question_changed(id);
                Ok(question)
            }
            Err(error) => {
                self.writer.give_back(ticket);
                Err(not_taken(error))
            }
        }
    }

    /// The question, when it is open and this person may vote on it.
    pub(crate) async fn open_to(
        &self,
        approver: &Approver,
        id: &QuestionId,
        now: Timestamp,
    ) -> Result<Question, NotTaken> {
        let question = self.ports.store.question(id).await?.ok_or(NotTaken::Unknown)?;
        if question.state(now) != QuestionState::Open {
            return Err(NotTaken::NotOpen(question.state(now).as_str()));
        }
        let snapshot = self.snapshot.load();
        let mut refusal = NotTaken::NotEntitled("this question asks for none of the rules in force".into());
        for rule in question.rules.iter().filter_map(|asked| snapshot.rule(&asked.id)) {
            match rule.entitles(approver, &question.parties, sight::hour(rule, &question, now)) {
                Ok(()) => return Ok(question),
                Err(error) => refusal = NotTaken::NotEntitled(error.to_string()),
            }
        }
        Err(refusal)
    }

    async fn remark(&self, question: &Question, remark: Remark, draft: Draft) -> Result<Question, NotTaken> {
        let ticket = self.writer.ticket();
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        match self.ports.store.remark(&question.id, remark, record).await {
            Ok(question) => {
                self.ports.notifier.question_changed(&question.id);
                Ok(question)
            }
            Err(error) => {
                self.writer.give_back(ticket);
                Err(not_taken(error))
            }
        }
    }
}

pub(crate) fn said(text: &str) -> Result<String, NotTaken> {
    if text.chars().count() > REASON_CHARS_MAX {
        return Err(NotTaken::TooLong);
    }
    if text.trim().is_empty() { Err(NotTaken::NoReason) } else { Ok(text.to_owned()) }
}

pub(crate) fn not_taken(error: CommitError) -> NotTaken {
    match error {
        CommitError::Conflict("remarks") => NotTaken::TooMany,
        CommitError::Conflict(why) => NotTaken::NotOpen(why),
        CommitError::Unavailable(error) => error.into(),
    }
}

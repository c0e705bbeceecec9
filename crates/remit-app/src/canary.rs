//! Canaries: questions that must be denied, by which it shows whether approvers look.
//!
//! One stands in the store like any other question, and what says that it is one is sealed: the record that asks
//! commits to it, and discloses it only in the record of how it ended.
//!
//! INVARIANT (a canary lets nothing through): its call is a digest of chance, which no call has.

use jiff::{SignedDuration, Timestamp};
use remit_core::approval::ApprovalRule;
use remit_core::ids::{Digest, QuestionId};
use remit_core::origin::Origin;
use remit_core::verdict::{Code, Decision, Refusal, Verdict as Decided};
use remit_core::{Call, CaseFile, RunFacts, Snapshot};
use serde_json::Value;

use crate::action::Action;
use crate::gate::Gate;
use crate::intent::{CommitError, Unavailable};
use crate::preview::Preview;
use crate::question::{Question, QuestionRule, QuestionState};
use crate::sight;

/// What an operator chose about canaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canaries {
    /// One after so many votes; at least one.
    pub every_votes: u32,
    /// What they are aimed at.
    pub targets: Vec<String>,
}

/// What marks a question as one that must be denied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// The question.
    pub question: QuestionId,
    /// How many votes there had been when it was planted.
    pub at_votes: u64,
    /// The disclosure that its record commits to.
    pub seal: String,
}

/// How many votes there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In all.
    pub votes: u64,
    /// When the last canary was planted; zero before the first one.
    pub planted_at: u64,
}

/// How a canary ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Somebody approved it.
    Approved,
    /// It was denied.
    Denied,
    /// Nobody decided.
    Expired,
}

impl Verdict {
    /// The word in records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
        }
    }
}

impl Gate {
    /// Plants a canary when so many votes have passed, and records how earlier ones ended. Returns whether it planted one.
    ///
    /// # Errors
    /// When the store is unavailable; it is tried again the next time.
    pub async fn tend_canaries(&self) -> Result<bool, Unavailable> {
        let now = self.now();
        for (canary, question) in self.ports.store.canaries().await? {
            let verdict = match question.state(now) {
                _ if question.votes.iter().any(|vote| vote.approve) => Verdict::Approved,
                // Whoever puts another call in its place has not let this one pass.
                QuestionState::Denied | QuestionState::Narrowed => Verdict::Denied,
                QuestionState::Expired => Verdict::Expired,
                QuestionState::Open | QuestionState::Approved | QuestionState::Used => continue,
            };
            self.end_canary(&canary, &question, verdict).await?;
        }
        let Some(canaries) = &self.habits.canaries else { return Ok(false) };
        let tally = self.ports.store.tally().await?;
        if tally.votes.saturating_sub(tally.planted_at) < u64::from(canaries.every_votes) {
            return Ok(false);
        }
        let Some(model) = self.ports.store.last_answered().await? else { return Ok(false) };
        self.plant(&canaries.targets, &model, tally, now).await
    }

    /// Looks whether this vote approved what must be denied, at once.
    pub(crate) async fn look_after(&self, question: &Question) -> Result<(), Unavailable> {
        if self.habits.canaries.is_none() || !question.votes.iter().any(|vote| vote.approve) {
            return Ok(());
        }
        let known = self.ports.store.canaries().await?.into_iter().find(|(_, planted)| planted.id == question.id);
        match known {
            Some((canary, _)) => self.end_canary(&canary, question, Verdict::Approved).await,
            None => Ok(()),
        }
    }

    async fn end_canary(&self, canary: &Canary, question: &Question, verdict: Verdict) -> Result<(), Unavailable> {
        let ticket = self.writer.ticket();
        let draft = self.canary_draft(canary, question, verdict, self.now());
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        match self.ports.store.end_canary(&canary.question, verdict, record).await {
            Ok(()) => {
                self.ports.meter.canary(verdict);
                Ok(())
            }
            Err(CommitError::Conflict(_)) => {
                self.writer.give_back(ticket);
                Ok(())
            }
            Err(CommitError::Unavailable(error)) => Err(error),
        }
    }

    /// A question like one that was answered before, aimed at what nobody may approve. Where no such call would
    /// be valid, none is planted: a request that the gate itself would have refused says nothing about people.
    async fn plant(
        &self,
        targets: &[String],
        model: &Question,
        tally: Tally,
        now: Timestamp,
    ) -> Result<bool, Unavailable> {
        let snapshot = self.snapshot.load_full();
        let chance = self.ports.entropy.bytes();
        let at = usize::from(chance[0]) % targets.len().max(1);
        let Some(target) = targets.get(at) else { return Ok(false) };
        let Some(call) = aimed(&snapshot, model, target) else { return Ok(false) };
        let rules: Option<Vec<_>> = model.rules.iter().map(|asked| snapshot.rule(&asked.id)).collect();
        let Some(rules) = rules.filter(|rules| !rules.is_empty()) else { return Ok(false) };
        let within = rules.iter().map(|rule| rule.within_secs).min().and_then(|secs| i64::try_from(secs).ok());
        let expires = within.and_then(|secs| now.checked_add(SignedDuration::from_secs(secs)).ok());
        let decision = asking(&rules, &model.reason, &snapshot);
        let ticket = self.writer.ticket();
        let (salt, voters) = self.salts();
        let action = Action::of(&call, salt);
        let (draft, sealed) = self.planted_draft((&call, &action), (&nothing_known(), &snapshot), &decision, now);
        let mut record = self.writer.sign(&ticket, draft, &self.randomness());
        // The seal is committed to, and kept apart until it is over.
        let Some(seal) = record.disclosures.get(sealed).cloned() else { return Ok(false) };
        record.disclosures.remove(sealed);
        let question = Question {
            id: self.question_id(),
            call: Digest::of(&self.ports.entropy.bytes()),
            action: action.digest,
            salt,
            voters,
            intent: record.id.clone(),
            decision: record.digest,
            arguments: call.arguments.clone(),
            resource: call.resource.name(),
            cost: call.cost,
            rules: rules.iter().map(|rule| QuestionRule::of(rule)).collect(),
            asked_at: now,
            expires_at: expires.unwrap_or(now),
            origins: origins(model, &call),
            // As for any other question: one without it would be known for what it is.
            preview: Preview::of(&call.tool),
            votes: Vec::new(),
            narrowed: None,
            remarks: Vec::new(),
            escalated: 0,
            step_at: rules.iter().filter_map(|rule| rule.next_step(now, 0)).min(),
            uses: 0,
            used: false,
            ..model.clone()
        };
        let id = question.id.clone();
        let canary = Canary { question: id.clone(), at_votes: tally.votes, seal };
        match self.ports.store.plant(canary, question, record).await {
            Ok(()) => {
                self.ports.notifier.question_changed(&id);
                Ok(true)
            }
            Err(CommitError::Conflict(_)) => {
                self.writer.give_back(ticket);
                Ok(false)
            }
            Err(CommitError::Unavailable(error)) => Err(error),
        }
    }
}

/// The decision that asks people under these rules.
fn asking(rules: &[&ApprovalRule], reason: &str, snapshot: &Snapshot) -> Decision {
    let refusal = Refusal::new(Code::ApprovalRequired, reason);
    Decision {
        verdict: Decided::Ask { rules: rules.iter().map(|rule| rule.id.clone()).collect(), refusal },
        policies: Vec::new(),
        observed: Vec::new(),
        warnings: Vec::new(),
        snapshot: snapshot.digest(),
    }
}

/// The case of a call that nobody has made.
fn nothing_known() -> CaseFile {
    CaseFile {
        run: RunFacts::fresh(),
        budgets: Vec::new(),
        approved: Vec::new(),
        refused: None,
        halts: Vec::new(),
        grants: Vec::new(),
        narrowed: None,
        origins: Default::default(),
    }
}

/// As of the model, but that nobody has named what was put in its place.
fn origins(model: &Question, call: &Call) -> Vec<(String, Origin)> {
    let same = |place: &str| model.arguments.pointer(place) == call.arguments.pointer(place);
    let origin =
        |(place, origin): &(String, Origin)| (place.clone(), if same(place) { *origin } else { Origin::Model });
    model.origins.iter().map(origin).collect()
}

/// The model's call with the target for its texts: for all of them, or else for the first for which it is a valid call.
fn aimed(snapshot: &Snapshot, model: &Question, target: &str) -> Option<Call> {
    let texts = texts(&model.arguments);
    if texts == 0 {
        return None;
    }
    let every = std::iter::once(None).chain((0..texts).map(Some));
    every.into_iter().find_map(|only| {
        let mut arguments = model.arguments.clone();
        aim(&mut arguments, target, only, &mut 0);
        sight::like(snapshot, &Question { arguments, ..model.clone() })
    })
}

fn texts(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(items) => items.iter().map(texts).sum(),
        Value::Object(members) => members.values().map(texts).sum(),
        _ => 0,
    }
}

fn aim(value: &mut Value, target: &str, only: Option<usize>, at: &mut usize) {
    match value {
        Value::String(text) => {
            if only.is_none_or(|only| only == *at) {
                target.clone_into(text);
            }
            *at += 1;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| aim(item, target, only, at)),
        Value::Object(members) => members.values_mut().for_each(|member| aim(member, target, only, at)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_aimed_at_one_text_or_all() {
        let mut value = serde_json::json!({"a": "x", "b": [1, {"c": "y"}], "d": null});
        assert_eq!(texts(&value), 2);
        aim(&mut value, "t", Some(1), &mut 0);
        assert_eq!(value, serde_json::json!({"a": "x", "b": [1, {"c": "t"}], "d": null}));
        aim(&mut value, "t", None, &mut 0);
        assert_eq!(value["a"], "t");
    }
}

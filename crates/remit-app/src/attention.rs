//! People's attention: how much is asked of each approver, how they answer, and whether they look.
//!
//! A canary is a question that must be denied. It stands in the store like any other, and what says that it is one is
//! sealed: the record that asks commits to it, and discloses it only in the record of how it ended.
//!
//! INVARIANT (a canary lets nothing through): its call is a digest of chance, which no call has.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use remit_core::approval::Approver;
use remit_core::ids::{Digest, OperatorId, QuestionId, RuleId};
use remit_core::origin::Origin;
use remit_core::verdict::{Code, Decision, Refusal, Verdict as Decided};
use remit_core::{Call, CaseFile, RunFacts, Snapshot};
use serde_json::Value;

use crate::action::Action;
use crate::gate::Gate;
use crate::intent::{CommitError, Unavailable};
use crate::ports::listing::Waiting;
use crate::preview::Preview;
use crate::question::{Question, QuestionRule, QuestionState};
use crate::sight;

/// How far back votes are looked at, in days.
pub const DAYS: i64 = 30;
/// An approval given sooner after the question was seen was not given thought, in seconds.
pub const QUICK_SECS: i64 = 5;

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

/// A vote, as far as it says something about whoever gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// By whom.
    pub by: OperatorId,
    /// Yes or no.
    pub approve: bool,
    /// When.
    pub at: Timestamp,
    /// When the question was asked.
    pub asked_at: Timestamp,
    /// When they were first shown it, if that is known.
    pub saw_at: Option<Timestamp>,
    /// Whether it had to be denied.
    pub canary: bool,
}

/// One approver's figures over the last [`DAYS`] days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Open questions that they could answer and have not.
    pub open: u64,
    /// Votes.
    pub votes: u64,
    /// Votes within the last hour.
    pub votes_last_hour: u64,
    /// The median time from when they first saw a question, or else from when it was asked, to their vote, in milliseconds.
    pub median_ms: Option<u64>,
    /// Approvals.
    pub approvals: u64,
    /// Approvals within [`QUICK_SECS`] seconds.
    pub quick_approvals: u64,
    /// Canaries they denied.
    pub canaries_denied: u64,
    /// Canaries they approved.
    pub canaries_approved: u64,
}

/// The figures of everybody who voted. Canaries count as votes, for whoever gives them cannot tell.
#[must_use]
pub fn figures(given: &[Given], now: Timestamp) -> BTreeMap<OperatorId, Figures> {
    let mut times: BTreeMap<OperatorId, Vec<u64>> = BTreeMap::new();
    let mut out: BTreeMap<OperatorId, Figures> = BTreeMap::new();
    let hour_ago = now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(now);
    for vote in given {
        let took = vote.at.duration_since(vote.saw_at.unwrap_or(vote.asked_at)).max(SignedDuration::ZERO);
        times.entry(vote.by.clone()).or_default().push(u64::try_from(took.as_millis()).unwrap_or(0));
        let figures = out.entry(vote.by.clone()).or_default();
        figures.votes += 1;
        figures.votes_last_hour += u64::from(vote.at > hour_ago);
        figures.approvals += u64::from(vote.approve);
        figures.quick_approvals += u64::from(vote.approve && took < SignedDuration::from_secs(QUICK_SECS));
        figures.canaries_denied += u64::from(vote.canary && !vote.approve);
        figures.canaries_approved += u64::from(vote.canary && vote.approve);
    }
    for (by, mut times) in times {
        times.sort_unstable();
        let median = times.get((times.len() - 1) / 2).copied();
        out.entry(by).or_default().median_ms = median;
    }
    out
}

impl Gate {
    /// How the approvers are doing: everybody who voted lately, and everybody who could answer something that is open.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn approvers(&self) -> Result<BTreeMap<OperatorId, Figures>, Unavailable> {
        let now = self.now();
        let since = now.checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(Timestamp::MIN);
        let mut out = figures(&self.ports.store.given(since).await?, now);
        let (people, snapshot) = (self.everybody(), self.snapshot.load_full());
        let mut asked = Waiting::all(now);
        loop {
            let sheet = self.ports.store.waiting(&asked).await?;
            for person in &people {
                let load = sheet.items.iter().filter(|question| could_answer(&snapshot, question, person, now)).count();
                if load > 0 {
                    out.entry(person.id.clone()).or_default().open += load as u64;
                }
            }
            match sheet.older {
                None => return Ok(out),
                after => asked.after = after,
            }
        }
    }

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
        let ids: Vec<RuleId> = rules.iter().map(|rule| rule.id.clone()).collect();
        let within = rules.iter().map(|rule| rule.within_secs).min().and_then(|secs| i64::try_from(secs).ok());
        let expires = within.and_then(|secs| now.checked_add(SignedDuration::from_secs(secs)).ok());
        let refusal = Refusal::new(Code::ApprovalRequired, model.reason.clone());
        let decision = Decision {
            verdict: Decided::Ask { rules: ids, refusal },
            policies: Vec::new(),
            observed: Vec::new(),
            warnings: Vec::new(),
            snapshot: snapshot.digest(),
        };
        let file = CaseFile {
            run: RunFacts::fresh(),
            budgets: Vec::new(),
            approved: Vec::new(),
            refused: None,
            halts: Vec::new(),
            grants: Vec::new(),
            narrowed: None,
            origins: Default::default(),
        };
        let ticket = self.writer.ticket();
        let (salt, voters) = self.salts();
        let action = Action::of(&call, salt);
        let (draft, sealed) = self.planted_draft((&call, &action), (&file, &snapshot), &decision, now);
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

/// Whether this person's vote on some rule of this question would count now, and they have not given it.
fn could_answer(snapshot: &Snapshot, question: &Question, person: &Approver, now: Timestamp) -> bool {
    question.rules.iter().any(|asked| {
        let rule = snapshot.rule(&asked.id).filter(|rule| rule.digest() == asked.definition);
        let entitled =
            rule.is_some_and(|rule| rule.entitles(person, &question.parties, sight::hour(rule, question, now)).is_ok());
        entitled
            && !question.votes.iter().any(|vote| vote.rule == asked.id && vote.is_by(&person.id, person.user.as_ref()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_795_000_000_000 + ms).expect("time")
    }

    fn vote(by: &str, approve: bool, saw: Option<i64>, ms: i64) -> Given {
        let by = OperatorId::parse(by).expect("id");
        Given { by, approve, at: at(ms), asked_at: at(0), saw_at: saw.map(at), canary: false }
    }

    #[test]
    fn figures_are_each_persons_own() {
        let canary = |given: Given| Given { canary: true, ..given };
        let given = [
            vote("ann", true, Some(1_000), 5_999),
            vote("ann", true, Some(1_000), 6_000),
            vote("ann", false, None, 4_000),
            canary(vote("ann", true, Some(9_000), 10_000)),
            canary(vote("ben", false, Some(9_000), 8_000)),
        ];
        let figures = figures(&given, at(3_600_000 + 5_000));
        let of = |name: &str| figures[&OperatorId::parse(name).expect("id")].clone();
        let ann = Figures {
            votes: 4,
            votes_last_hour: 3,
            median_ms: Some(4_000),
            approvals: 3,
            quick_approvals: 2,
            canaries_approved: 1,
            ..Figures::default()
        };
        assert_eq!(of("ann"), ann);
        let ben =
            Figures { votes: 1, votes_last_hour: 1, median_ms: Some(0), canaries_denied: 1, ..Figures::default() };
        assert_eq!(of("ben"), ben, "a clock that went back makes nobody quicker than at once");
    }

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

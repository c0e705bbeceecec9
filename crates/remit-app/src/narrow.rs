//! Approving something narrower: a person changes the arguments of a held call.
//!
//! That is another call. It is decided anew, with the facts of this moment, and inherits no vote; whether it asks for
//! less is for the policies to say. The question of the held call closes in the same deed that opens the other one, so
//! a crash leaves both done or neither; the vote of whoever wrote the arguments follows, and can be cast again.

use std::sync::Arc;

use jiff::Timestamp;
use remit_core::approval::{Approver, Factor};
use remit_core::call::Call;
use remit_core::ids::{Digest, QuestionId, RuleId, ToolName};
use remit_core::verdict::{Code, Decision, Refusal, Verdict};
use remit_core::{Snapshot, decide};
use remit_evidence::writer::{SignedRecord, Ticket};
use serde_json::Value;

use crate::action::Action;
use crate::approve::{self, NotTaken};
use crate::ballot::{Ballot, Choice};
use crate::converse::{not_taken, said};
use crate::gate::{Gate, Reply};
use crate::intent::{Case, CommitError, Unavailable};
use crate::ports::Narrowing;
use crate::question::{Narrowed, Question, QuestionState};
use crate::sight;

/// Other arguments for a held call, as a person hands them in.
#[derive(Clone, Debug)]
pub struct Narrower {
    /// The question of the held call.
    pub question: QuestionId,
    /// All arguments of the call in its place.
    pub arguments: Value,
    /// Why; the agent is told.
    pub reason: String,
    /// The digest of what they were shown (see [`crate::sight`]).
    pub shown: Digest,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub struct NarrowedCall {
    /// The question of the held call, closed.
    pub closed: Question,
    /// The question of the call in its place; `None` when that may simply be made.
    pub next: Option<Question>,
}

/// A decision that asks, with all that its record takes.
struct Asking<'a> {
    snapshot: &'a Snapshot,
    call: &'a Call,
    action: &'a Action,
    case: &'a Case,
    decision: &'a Decision,
    now: Timestamp,
}

impl Gate {
    /// Puts a call with other arguments in the place of a held one. The same agent makes it, for the same user, in the same
    /// run. Where its rule takes a vote of this person that nobody signs, it counts at once.
    ///
    /// # Errors
    /// Says why not; the question then stays as it was. [`NotTaken::WouldBeRefused`] with what stands in the way of the
    /// other call.
    pub async fn narrow(&self, approver: &Approver, narrower: Narrower) -> Result<NarrowedCall, NotTaken> {
        let now = self.now();
        let question = self.open_to(approver, &narrower.question, now).await?;
        let snapshot = self.snapshot.load_full();
        self.proves_enough(&snapshot, approver, &question, now)?;
        let reason = said(&narrower.reason)?;
        let held = sight::like(&snapshot, &question).filter(|call| call.digest() == question.call);
        if sight::digest(&sight::still(&snapshot, &question)) != narrower.shown {
            return Err(NotTaken::Changed);
        }
        let call = self.other_call(&snapshot, &question, held, narrower.arguments).await?;
        let case = self.load(&snapshot, &call, now).await.map_err(refused)?;
        let decision = decide(&snapshot, &call, &case.file, now);
        let action = Action::of(&call, case.salt.unwrap_or_else(|| self.salts().0));
        let mut narrowed = Narrowed { arguments: call.arguments.clone(), next: None, reason, at: now };
        let asks = match &decision.verdict {
            Verdict::Deny(refusal) => return Err(NotTaken::WouldBeRefused(Box::new(refusal.clone()))),
            Verdict::Allow { .. } => None,
            Verdict::Ask { .. } => {
                let asking =
                    Asking { snapshot: &snapshot, call: &call, action: &action, case: &case, decision: &decision, now };
                let (open, asks) = self.asking(&asking).await?;
                narrowed.next = Some(open);
                asks
            }
        };
        let closed = self.put_in_place(approver, &question, (&call, action.digest), narrowed, asks).await?;
        let Some(next) = closed.narrowed.as_ref().and_then(|narrowed| narrowed.next.clone()) else {
            return Ok(NarrowedCall { closed, next: None });
        };
        let voted = self.own_vote(approver, &next, &narrower.reason).await?;
        let next = match voted {
            Some(question) => Some(question),
            None => self.ports.store.question(&next).await?,
        };
        Ok(NarrowedCall { closed, next })
    }

    /// Some rule that counts this person's votes takes how they proved who they are. A passkey's signature is not asked
    /// for here: nothing is approved by this.
    fn proves_enough(
        &self,
        snapshot: &Snapshot,
        approver: &Approver,
        question: &Question,
        now: Timestamp,
    ) -> Result<(), NotTaken> {
        let mut refusal = None;
        for rule in question.rules.iter().filter_map(|asked| snapshot.rule(&asked.id)) {
            if rule.entitles(approver, &question.parties, sight::hour(rule, question, now)).is_err() {
                continue;
            }
            match rule.accepts(approver.factor, rule.factor == Some(Factor::Passkey)) {
                Ok(()) => return Ok(()),
                Err(error) => refusal = Some(NotTaken::NotEntitled(error.to_string())),
            }
        }
        Err(refusal.unwrap_or_else(|| NotTaken::NotEntitled("no rule of this question counts this vote".into())))
    }

    /// The call in the place of the held one, if it could be made at all.
    async fn other_call(
        &self,
        snapshot: &Arc<Snapshot>,
        question: &Question,
        held: Option<Call>,
        arguments: Value,
    ) -> Result<Call, NotTaken> {
        let unknown = || would_be(Refusal::new(Code::ToolUnknown, format!("unknown tool: {}", question.tool)));
        let tool = ToolName::parse(&question.tool).map_err(|_| unknown())?;
        let tool = snapshot.registry().tool(&tool).cloned().ok_or_else(unknown)?;
        // The tool or its pin is another one by now, so the held call could not be made any more either.
        let held = held.ok_or(NotTaken::Changed)?;
        let (_, live) = self.ports.store.live_grants().await?;
        let grants = crate::authorize::grants_of(&live, &held.caller, &tool.name, self.now());
        if !snapshot.concedes(&held.caller, &tool, &grants) || self.ports.upstreams.drifted(&tool) {
            return Err(unknown());
        }
        let owner = snapshot.remit(held.caller.calling_agent()).and_then(|remit| remit.owner.clone());
        let before = held.digest();
        let call = Call::resolve(held.caller, owner, tool, arguments, held.run);
        let call = call.map_err(|error| would_be(Refusal::new(Code::InputInvalid, error.to_string())))?;
        if call.digest() == before { Err(NotTaken::SameCall) } else { Ok(call) }
    }

    /// The question that the other call waits for: one that is open for it already, or a new one with its record.
    async fn asking(
        &self,
        asking: &Asking<'_>,
    ) -> Result<(QuestionId, Option<(Question, SignedRecord, Ticket)>), NotTaken> {
        let Asking { snapshot, call, action, case, decision, now } = asking;
        let Verdict::Ask { rules, refusal } = &decision.verdict else { return Err(NotTaken::Changed) };
        let known = match &case.open_question {
            Some(id) => self.ports.store.question(id).await?,
            None => None,
        };
        let ticket = self.writer.ticket();
        let draft = self.decision_draft(&self.record_id(), (call, action), (case, snapshot), decision, *now);
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        let new = (self.question_id(), self.salts().1);
        let question = approve::question(snapshot, (call, action), &record, rules, refusal, new, *now);
        let same = |open: &Question| {
            open.state(*now) == QuestionState::Open && question.rules.iter().all(|rule| open.rules.contains(rule))
        };
        match known.filter(same) {
            Some(open) => {
                // Nothing of ours was stored.
                self.writer.give_back(ticket);
                Ok((open.id, None))
            }
            None => Ok((question.id.clone(), Some((question, record, ticket)))),
        }
    }

    async fn put_in_place(
        &self,
        approver: &Approver,
        question: &Question,
        call: (&Call, Digest),
        narrowed: Narrowed,
        asks: Option<(Question, SignedRecord, Ticket)>,
    ) -> Result<Question, NotTaken> {
        let next = match (&asks, &narrowed.next) {
            (Some((_, record, _)), _) => Some(record.digest),
            (None, Some(id)) => self.ports.store.question(id).await?.map(|open| open.decision),
            (None, None) => None,
        };
        let draft = self.narrowing_draft(question, &approver.id, &narrowed, call, next);
        let ticket = self.writer.ticket();
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        let (asks, asking) = asks.map(|(next, record, ticket)| ((next, record), ticket)).unzip();
        let opened = narrowed.next.clone();
        match self.ports.store.narrow(&question.id, Narrowing { narrowed, asks, record }).await {
            Ok(closed) => {
                self.ports.notifier.question_changed(&question.id);
                opened.iter().for_each(|next| self.ports.notifier.question_changed(next));
                Ok(closed)
            }
            Err(error) => {
                if matches!(error, CommitError::Conflict(_)) {
                    self.writer.give_back(ticket);
                    asking.into_iter().for_each(|ticket| self.writer.give_back(ticket));
                }
                Err(match error {
                    // Somebody has asked for that very call at this moment: handed in again, it is found.
                    CommitError::Conflict("narrower") => NotTaken::Changed,
                    error => not_taken(error),
                })
            }
        }
    }

    /// The yes of whoever wrote these very arguments, where exactly one rule counts it unsigned. Everywhere else they
    /// look at the question and vote as everybody does; that their vote was not taken undoes nothing.
    async fn own_vote(
        &self,
        approver: &Approver,
        id: &QuestionId,
        reason: &str,
    ) -> Result<Option<Question>, Unavailable> {
        let Some(seen) = self.sight(id).await? else { return Ok(None) };
        let snapshot = self.snapshot.load_full();
        let unsigned = |rule: &RuleId| snapshot.rule(rule).is_some_and(|rule| rule.factor != Some(Factor::Passkey));
        let mut rules = self.entitled(approver, &seen.question).into_iter().filter(unsigned);
        let (Some(rule), None) = (rules.next(), rules.next()) else { return Ok(None) };
        let ballot = Ballot {
            question: id.clone(),
            rule: Some(rule),
            choice: Choice::Approve,
            reason: reason.to_owned(),
            shown: seen.shown,
            proof: None,
        };
        match self.vote(approver, ballot).await {
            Ok(question) => Ok(Some(question)),
            Err(NotTaken::Unavailable(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }
}

fn would_be(refusal: Refusal) -> NotTaken {
    NotTaken::WouldBeRefused(Box::new(refusal))
}

/// Why the facts of the other call could not be read.
fn refused(reply: Reply) -> NotTaken {
    match reply {
        Reply::Refused { refusal, .. } | Reply::Held { refusal, .. } => would_be(refusal),
        Reply::Done { .. } => NotTaken::Changed,
    }
}

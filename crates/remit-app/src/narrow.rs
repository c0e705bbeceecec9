//! Approving something narrower: a person changes the arguments of a held call.
//!
//! That is another call. It is decided anew, with the facts of this moment, and inherits no vote; whether it asks for
//! less is for the policies to say. The question of the held call closes in the same deed that opens the other one, so
//! a crash leaves both done or neither; the vote of whoever wrote the arguments follows, and can be cast again.
//!
//! INVARIANT (no way round quorum or factor): closing the held call's question takes all that a denial which closes it
//! takes, the passkey's signature with it; and for the other call it counts as one approval, where an approval by the
//! same proof would.

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
use crate::approve::{self, Covers, NotTaken};
use crate::ballot::{Ballot, Cast, Choice, Nonce, Proof};
use crate::converse::not_taken;
use crate::gate::{Gate, Reply};
use crate::intent::{Case, CommitError, Unavailable};
use crate::ports::Narrowing;
use crate::question::{Narrowed, Question, QuestionState, Vote};
use crate::sight;

/// Other arguments for a held call, as a person hands them in.
#[derive(Clone, Debug)]
pub struct Narrower {
    /// The question of the held call.
    pub question: QuestionId,
    /// Under which of its rules; needed when the person may vote on several.
    pub rule: Option<RuleId>,
    /// All arguments of the call in its place.
    pub arguments: Value,
    /// Why; the agent is told.
    pub reason: String,
    /// The digest of what they were shown (see [`crate::sight`]).
    pub shown: Digest,
    /// Their passkey's signature over it.
    pub proof: Option<Proof>,
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
    /// Whether what it stands in place of had to be denied. Then nothing may come of it either.
    canary: bool,
    now: Timestamp,
}

/// A narrowing that somebody may make.
struct Meant {
    snapshot: Arc<Snapshot>,
    /// The question of the held call.
    question: Question,
    /// The denial that it amounts to.
    ballot: Ballot,
    covers: Covers,
    /// The call in the place of the held one.
    call: Call,
    canary: bool,
}

/// Who narrows, and by what proof.
pub(crate) struct NarrowedBy<'a> {
    pub approver: &'a Approver,
    pub principal: Option<&'a Approver>,
    pub rule: &'a RuleId,
    pub factor: Factor,
    pub cast: &'a Cast,
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
        let reason = narrower.reason.clone();
        let meant = self.meant(approver, &narrower, now).await?;
        let nonce = narrower.proof.as_ref().map_or_else(|| self.ballot_nonce(), |proof| proof.nonce);
        let statement = self.narrowing_statement(approver, &meant, &nonce);
        let signed = match narrower.proof {
            Some(proof) => Some(self.proven(approver, proof, &statement, now).await?),
            None => None,
        };
        let Meant { snapshot, question, call, canary, covers, .. } = meant;
        let accepted = covers.rule.accepts(approver.factor, signed.is_some());
        accepted.map_err(|error| NotTaken::NotEntitled(error.to_string()))?;
        let factor = if signed.is_some() { Factor::Passkey } else { approver.factor };
        let login = self.vouched_by(approver, signed.is_some()).await?;
        let cast = Cast { statement, nonce, signed, sight: covers.sight, login };
        let case = self.load(&snapshot, &call, now).await.map_err(refused)?;
        let decision = decide(&snapshot, &call, &case.file, now);
        let action = Action::of(&call, case.salt.unwrap_or_else(|| self.salts().0));
        let mut narrowed = Narrowed { arguments: call.arguments.clone(), next: None, reason: reason.clone(), at: now };
        let asks = match &decision.verdict {
            Verdict::Deny(refusal) => return Err(NotTaken::WouldBeRefused(Box::new(refusal.clone()))),
            Verdict::Allow { .. } => None,
            Verdict::Ask { .. } => {
                let (snapshot, call, action, case, decision) = (&*snapshot, &call, &action, &case, &decision);
                let asking = Asking { snapshot, call, action, case, decision, canary, now };
                let (open, asks) = self.asking(&asking).await?;
                narrowed.next = Some(open);
                asks
            }
        };
        let by =
            NarrowedBy { approver, principal: covers.principal.as_ref(), rule: &covers.asked.id, factor, cast: &cast };
        let closed = self.put_in_place(&by, &question, (&call, action.digest), narrowed, asks).await?;
        let Some(next) = closed.narrowed.as_ref().and_then(|narrowed| narrowed.next.clone()) else {
            return Ok(NarrowedCall { closed, next: None });
        };
        let voted = self.own_vote(approver, &next, &reason).await?;
        let next = match voted {
            Some(question) => Some(question),
            None => self.ports.store.question(&next).await?,
        };
        Ok(NarrowedCall { closed, next })
    }

    /// The statement that this person's passkey has to sign to narrow a call, and the nonce to hand in with it.
    ///
    /// # Errors
    /// As for [`Gate::narrow`], as far as it can be known before the signature.
    pub async fn statement_to_narrow(
        &self,
        approver: &Approver,
        narrower: &Narrower,
    ) -> Result<(String, Nonce), NotTaken> {
        let meant = self.meant(approver, narrower, self.now()).await?;
        let nonce = self.ballot_nonce();
        Ok((self.narrowing_statement(approver, &meant, &nonce), nonce))
    }

    fn narrowing_statement(&self, approver: &Approver, meant: &Meant, nonce: &Nonce) -> String {
        let Meant { question, ballot, covers, call, .. } = meant;
        let principal = covers.principal.as_ref().map(|principal| &principal.id);
        let arguments = Some(call.canonical_arguments());
        self.stated((approver, principal), question, &covers.asked, ballot, nonce, arguments)
    }

    /// What is to be put in place of what, when this person may close the question of the held call alone.
    async fn meant(&self, approver: &Approver, narrower: &Narrower, now: Timestamp) -> Result<Meant, NotTaken> {
        let question = self.ports.store.question(&narrower.question).await?.ok_or(NotTaken::Unknown)?;
        let delegations = self.ports.store.delegations(now).await?;
        let ballot = Ballot {
            question: question.id.clone(),
            rule: narrower.rule.clone(),
            choice: Choice::Deny,
            reason: narrower.reason.clone(),
            shown: narrower.shown,
            proof: None,
        };
        let covers = self.covered(&question, approver, &delegations, &ballot, now)?;
        let behalf = covers.principal.as_ref().unwrap_or(approver);
        let voted = |vote: &Vote| vote.rule == covers.asked.id && vote.is_by(&behalf.id, behalf.user.as_ref());
        if question.votes.iter().any(|vote| !vote.approve && voted(vote)) {
            return Err(NotTaken::Voted);
        }
        if question.no(&covers.asked.id) + 1 < covers.asked.deny as usize {
            return Err(NotTaken::NotAlone(covers.asked.deny));
        }
        let snapshot = self.snapshot.load_full();
        let held = sight::like(&snapshot, &question);
        // A canary's call is a digest of chance. Of it everything has to look as it does of any other.
        let stands = held.as_ref().is_some_and(|call| call.digest() == question.call);
        let canary =
            !stands && self.ports.store.canaries().await?.iter().any(|(known, _)| known.question == question.id);
        let held = held.filter(|_| stands || canary);
        let call = self.other_call(&snapshot, &question, held, narrower.arguments.clone()).await?;
        Ok(Meant { snapshot, question, ballot, covers, call, canary })
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
        let Asking { snapshot, call, action, case, decision, canary, now } = asking;
        let Verdict::Ask { rules, refusal } = &decision.verdict else { return Err(NotTaken::Changed) };
        let known = match &case.open_question {
            Some(id) => self.ports.store.question(id).await?,
            None => None,
        };
        let ticket = self.writer.ticket();
        let draft = self.decision_draft(&self.record_id(), (call, action), (case, snapshot), decision, *now);
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        let new = (self.question_id(), self.salts().1);
        let mut question = approve::question(snapshot, (call, action), &record, rules, refusal, new, *now);
        if *canary {
            question.call = Digest::from_bytes(self.ports.entropy.bytes());
        }
        let same = |open: &Question| {
            open.state(*now) == QuestionState::Open && question.rules.iter().all(|rule| open.rules.contains(rule))
        };
        match known.filter(|open| !canary && same(open)) {
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
        by: &NarrowedBy<'_>,
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
        let draft = self.narrowing_draft(question, by, &narrowed, call, next);
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

//! Questions and people's answers.

use jiff::Timestamp;
use remit_core::Snapshot;
use remit_core::approval::{ApprovalRule, Approver, CallParties, Distinct, Factor, NotEntitled};
use remit_core::call::Call;
use remit_core::ids::{OperatorId, QuestionId, RuleId};
use remit_core::verdict::Refusal;
use remit_evidence::webauthn::PublicKey;
use remit_evidence::writer::SignedRecord;

use crate::action::{Action, Salt};
use crate::ballot::{Ballot, Cast, Covered, Nonce, Proof};
use crate::delegation::Delegation;
use crate::gate::Gate;
use crate::intent::{CommitError, Unavailable};
use crate::people::Login;
use crate::preview::Preview;
use crate::question::{Question, QuestionRule, QuestionState, RUN_CALLS_MAX, Vote};
use crate::sight;

/// Longest reason, in characters.
pub const REASON_CHARS_MAX: usize = remit_core::limits::REASON_BYTES_MAX / 4;

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
    /// What stands still of what they saw is not so any more.
    #[error("what was shown is not what is asked any more; look at it again")]
    Changed,
    /// They have voted on this rule, under this name or another.
    #[error("this person has voted on this rule already")]
    Voted,
    /// No reason is given, and one is needed.
    #[error("say why")]
    NoReason,
    /// The reason is longer than is kept.
    #[error("the reason is longer than {REASON_CHARS_MAX} characters")]
    TooLong,
    /// The passkey's signature over the vote does not count.
    #[error("the vote is not signed as it must be: {0}")]
    NotProven(&'static str),
    /// What it is approved for is no call, too many, or longer than the question is open.
    #[error(
        "an approval for a run is for 1 to {RUN_CALLS_MAX} calls, pays for one at least, and ends with the question at the latest"
    )]
    Bounds,
    /// Nobody waits for an answer.
    #[error("nobody has asked anything back that is not answered")]
    NotAsked,
    /// As much was said as is kept.
    #[error("as much was said about this question as is kept")]
    TooMany,
    /// All steps of the escalation are in force.
    #[error("there is nobody else to call in")]
    NobodyElse,
    /// The call in place of the held one would be refused, whatever people say.
    #[error("the changed call would be refused: {}", .0.reason)]
    WouldBeRefused(Box<Refusal>),
    /// One denial does not close the question, so nobody closes it alone.
    #[error("{0} denials close this question, so nobody puts another call in its place alone")]
    NotAlone(u32),
    /// What is put in place of the held call is the held call.
    #[error("these are the arguments that the call has already")]
    SameCall,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Why a passkey's signature does not count.
pub(crate) enum Unproven {
    /// What is wrong with it.
    Wrong(&'static str),
    /// Nobody can say.
    Unavailable(Unavailable),
}

impl From<Unavailable> for Unproven {
    fn from(error: Unavailable) -> Self {
        Self::Unavailable(error)
    }
}

impl From<Unproven> for NotTaken {
    fn from(error: Unproven) -> Self {
        match error {
            Unproven::Wrong(why) => Self::NotProven(why),
            Unproven::Unavailable(error) => error.into(),
        }
    }
}

impl Gate {
    /// Takes the vote of an authenticated person. Who they are comes from their session; that they
    /// are entitled is looked up now, not when the question was asked; and what they saw must still be so.
    ///
    /// # Errors
    /// Says why the vote was not taken; it then has no effect and leaves no trace but the log's.
    pub async fn vote(&self, approver: &Approver, ballot: Ballot) -> Result<Question, NotTaken> {
        let now = self.now();
        let question = self.ports.store.question(&ballot.question).await?.ok_or(NotTaken::Unknown)?;
        let delegations = self.ports.store.delegations(now).await?;
        let Covers { rule, asked, sight, principal } = self.covered(&question, approver, &delegations, &ballot, now)?;
        let nonce = ballot.proof.as_ref().map_or_else(|| self.ballot_nonce(), |proof| proof.nonce);
        let principal_id = principal.as_ref().map(|principal| &principal.id);
        let statement = self.stated((approver, principal_id), &question, &asked, &ballot, &nonce, None);
        let signed = match ballot.proof {
            Some(proof) => Some(self.proven(approver, proof, &statement, now).await?),
            None => None,
        };
        rule.accepts(approver.factor, signed.is_some()).map_err(|error| NotTaken::NotEntitled(error.to_string()))?;
        let factor = if signed.is_some() { Factor::Passkey } else { approver.factor };
        let login = self.vouched_by(approver, signed.is_some()).await?;
        let cast = Cast { statement, nonce, signed, sight, login };
        let vote = Vote {
            question: question.id.clone(),
            rule: asked.id.clone(),
            by: approver.id.clone(),
            user: approver.user.clone(),
            behalf: principal.map(|principal| (principal.id, principal.user)),
            factor,
            approve: ballot.choice.approves(),
            bounds: ballot.choice.bounds(),
            reason: ballot.reason,
            at: now,
            record: None,
        };
        let draft = self.approval_draft(&question, &vote, &cast);
        let ticket = self.writer.ticket();
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        let vote = Vote { record: Some(record.digest), ..vote };
        match self.ports.store.answer_question(vote, record).await {
            Ok(answered) => {
                // The vote stands whatever comes of these: what could not be completed or noticed now, the next
                // rounds of `tend_grants` and `tend_canaries` complete and notice.
                let _later = self.complete_request(&answered).await;
                let _missed = self.look_after(&answered).await;
                self.ports.notifier.question_changed(&question.id);
                Ok(answered)
            }
            Err(CommitError::Conflict(why)) => {
                self.writer.give_back(ticket);
                Err(if why == "voted" { NotTaken::Voted } else { NotTaken::NotOpen(why) })
            }
            Err(CommitError::Unavailable(error)) => Err(error.into()),
        }
    }

    /// The statement that this person's passkey has to sign for this vote, and the nonce to hand in with it.
    /// Nothing is stored, and nothing is promised: everything is checked again when they vote.
    ///
    /// # Errors
    /// As for [`Gate::vote`].
    pub async fn statement(&self, approver: &Approver, ballot: &Ballot) -> Result<(String, Nonce), NotTaken> {
        let question = self.ports.store.question(&ballot.question).await?.ok_or(NotTaken::Unknown)?;
        let delegations = self.ports.store.delegations(self.now()).await?;
        let covers = self.covered(&question, approver, &delegations, ballot, self.now())?;
        let nonce = self.ballot_nonce();
        let principal = covers.principal.as_ref().map(|principal| &principal.id);
        Ok((self.stated((approver, principal), &question, &covers.asked, ballot, &nonce, None), nonce))
    }

    /// The statement of this ballot, cast by somebody and perhaps in another's place: one text for whoever signs it and
    /// for whoever checks that.
    pub(crate) fn stated(
        &self,
        (approver, principal): (&Approver, Option<&OperatorId>),
        question: &Question,
        rule: &QuestionRule,
        ballot: &Ballot,
        nonce: &Nonce,
        narrower: Option<&str>,
    ) -> String {
        let snapshot = self.snapshot.load();
        let covered = Covered {
            tenant: snapshot.tenant(),
            question,
            rule,
            by: &approver.id,
            choice: &ballot.choice,
            reason: &ballot.reason,
            shown: ballot.shown,
            principal,
            narrower,
        };
        covered.statement(nonce)
    }

    /// What a ballot is about, when it may be cast by this person at all: the rule as it is defined now, as it was
    /// asked, and what is shown.
    pub(crate) fn covered(
        &self,
        question: &Question,
        approver: &Approver,
        delegations: &[Delegation],
        ballot: &Ballot,
        now: Timestamp,
    ) -> Result<Covers, NotTaken> {
        if question.state(now) != QuestionState::Open {
            return Err(NotTaken::NotOpen(question.state(now).as_str()));
        }
        let snapshot = self.snapshot.load();
        let (rule, principal) =
            self.rule_to_vote_on(&snapshot, question, ballot.rule.as_ref(), approver, delegations, now)?;
        if ballot.reason.chars().count() > REASON_CHARS_MAX {
            return Err(NotTaken::TooLong);
        }
        if ballot.reason.trim().is_empty() && (rule.reason_required || !ballot.choice.approves()) {
            return Err(NotTaken::NoReason);
        }
        if let Some(bounds) = ballot.choice.bounds() {
            let reach = (1..=RUN_CALLS_MAX).contains(&bounds.calls_max) && bounds.cost_max >= question.cost;
            if !reach || bounds.until <= now || bounds.until > question.expires_at {
                return Err(NotTaken::Bounds);
            }
        }
        let still = sight::still(&snapshot, question);
        if sight::digest(&still) != ballot.shown {
            return Err(NotTaken::Changed);
        }
        let asked = question.rules.iter().find(|asked| asked.id == rule.id);
        let asked = asked.ok_or(NotTaken::RuleChanged(rule.id.clone()))?.clone();
        Ok(Covers { rule, asked, sight: remit_core::json::canonical(&still), principal })
    }

    /// The passkey is this person's, it signed this statement, and it has not been copied.
    pub(crate) async fn proven(
        &self,
        approver: &Approver,
        proof: Proof,
        statement: &str,
        now: Timestamp,
    ) -> Result<(Proof, PublicKey), Unproven> {
        let known = self.ports.store.passkey(&proof.credential).await?;
        let known = known.filter(|(owner, _)| *owner == approver.id);
        let (_, passkey) = known.ok_or(Unproven::Wrong("this is no passkey of the person who votes"))?;
        let seen = proof.check(&passkey.key, statement).map_err(|error| Unproven::Wrong(error.0))?;
        match self.ports.store.use_passkey(&passkey.id, seen.sign_count, now).await {
            Ok(()) => Ok((proof, passkey.key)),
            Err(CommitError::Conflict(_)) => Err(Unproven::Wrong("the passkey has not counted on: it was copied")),
            Err(CommitError::Unavailable(error)) => Err(Unproven::Unavailable(error)),
        }
    }

    /// The login by which another party vouches for somebody who signed nothing.
    pub(crate) async fn vouched_by(&self, approver: &Approver, signed: bool) -> Result<Option<Login>, Unavailable> {
        if signed || !matches!(approver.factor, Factor::Oidc | Factor::OidcEarlier) {
            return Ok(None);
        }
        Ok(self.ports.store.account(&approver.id).await?.and_then(|account| account.login))
    }

    pub(crate) fn ballot_nonce(&self) -> Nonce {
        Nonce::new(self.randomness().nonce)
    }

    fn rule_to_vote_on(
        &self,
        snapshot: &Snapshot,
        question: &Question,
        named: Option<&RuleId>,
        approver: &Approver,
        delegations: &[Delegation],
        now: Timestamp,
    ) -> Result<(ApprovalRule, Option<Approver>), NotTaken> {
        let mut entitled = Vec::new();
        let mut refusal = NotTaken::NotEntitled("this question asks for none of the rules named".into());
        for asked in question.rules.iter().filter(|asked| named.is_none_or(|named| asked.id == *named)) {
            match snapshot.rule(&asked.id) {
                Some(rule) if rule.digest() == asked.definition => {
                    match self.votes_as(rule, question, approver, delegations, now) {
                        Ok(principal) => entitled.push((rule.clone(), principal)),
                        Err(error) => refusal = NotTaken::NotEntitled(error.to_string()),
                    }
                }
                _ => refusal = NotTaken::RuleChanged(asked.id.clone()),
            }
        }
        if entitled.len() > 1 {
            let names: Vec<_> = entitled.iter().map(|(rule, _)| format!("`{}`", rule.id)).collect();
            return Err(NotTaken::Ambiguous(names.join(" and ")));
        }
        entitled.pop().ok_or(refusal)
    }

    /// Whether this person's vote counts: their own, or else one in the place of somebody who has not voted yet.
    pub(crate) fn votes_as(
        &self,
        rule: &ApprovalRule,
        question: &Question,
        approver: &Approver,
        delegations: &[Delegation],
        now: Timestamp,
    ) -> Result<Option<Approver>, NotEntitled> {
        let (hour, parties) = (sight::hour(rule, question, now), &question.parties);
        let cast = || question.votes.iter().filter(|vote| vote.rule == rule.id);
        if rule.distinct_from.contains(&Distinct::ApproverDelegates) {
            let lent = |from: &OperatorId, to: &OperatorId| {
                delegations.iter().any(|delegation| delegation.from == *from && delegation.lets(to, &rule.id))
            };
            if cast().any(|vote| lent(&vote.by, &approver.id) || lent(&approver.id, &vote.by)) {
                let why = "they stand in for somebody who has voted, or the other way round";
                return Err(NotEntitled::NotDistinct(rule.id.clone(), why));
            }
        }
        let refusal = match rule.entitles(approver, parties, hour) {
            Ok(()) => return Ok(None),
            Err(refusal) => refusal,
        };
        let mut principals = self.principals(delegations, approver, &rule.id).into_iter();
        let found = principals.find(|principal| {
            rule.entitles_in_place(approver, principal, parties, hour).is_ok()
                && !cast().any(|vote| vote.is_by(&principal.id, principal.user.as_ref()))
        });
        found.map(Some).ok_or(refusal)
    }
}

/// What a ballot is about.
pub(crate) struct Covers {
    pub rule: ApprovalRule,
    pub asked: QuestionRule,
    /// What is shown, as canonical JSON.
    pub sight: String,
    /// In whose place it is cast.
    pub principal: Option<Approver>,
}

/// The question for a call that needs these rules satisfied.
pub(crate) fn question(
    snapshot: &Snapshot,
    (call, action): (&Call, &Action),
    record: &SignedRecord,
    rules: &[RuleId],
    refusal: &Refusal,
    (id, voters): (QuestionId, Salt),
    now: Timestamp,
) -> Question {
    let found: Vec<_> = rules.iter().filter_map(|rule| snapshot.rule(rule)).collect();
    // The shortest time counts: an approval must not outlive the rule that was quickest to lapse.
    let within = found.iter().map(|rule| rule.within_secs).min().unwrap_or(0);
    let expires_at = i64::try_from(within).ok().and_then(|s| now.checked_add(jiff::SignedDuration::from_secs(s)).ok());
    let step_at = found.iter().filter_map(|rule| rule.next_step(now, 0)).min();
    Question {
        id,
        call: call.digest(),
        action: action.digest,
        salt: action.salt,
        voters,
        intent: record.id.clone(),
        decision: record.digest,
        run: call.run.clone(),
        agent: call.caller.calling_agent().clone(),
        user: call.caller.user().cloned(),
        via: call.caller.via().to_vec(),
        workflow: call.caller.workflow().cloned(),
        parties: CallParties::of(call),
        tool: call.tool.name.to_string(),
        arguments: call.arguments.clone(),
        resource: call.resource.name(),
        cost: call.cost,
        reason: refusal.reason.clone(),
        rules: found.iter().copied().map(QuestionRule::of).collect(),
        asked_at: now,
        expires_at: expires_at.unwrap_or(now),
        origins: Vec::new(),
        preview: Preview::of(&call.tool),
        votes: Vec::new(),
        remarks: Vec::new(),
        escalated: 0,
        step_at,
        uses: 0,
        used: false,
        narrowed: None,
    }
}

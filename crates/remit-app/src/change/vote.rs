//! Votes on changes of the authority: whose counts, what each covers, and the one that puts the texts into force.

use std::collections::BTreeSet;

use jiff::Timestamp;
use remit_core::approval::{Approver, Factor};
use remit_core::authority::weakening::Steering;
use remit_core::ids::{ChangeId, OperatorId};
use remit_core::json::Object;
use remit_evidence::webauthn::PublicKey;

use super::{Candidate, Change, ChangeState, ChangeVote, Ended, NotChanged, must_approve};
use crate::approve::Unproven;
use crate::ballot::{Nonce, Proof};
use crate::gate::Gate;
use crate::intent::CommitError;
use crate::people::Login;
use crate::records::{bounded, millis};

/// The type of the statement. A passkey that signs it signs nothing else by it.
pub const STATEMENT_TYPE: &str = "https://remit.dev/change-statement/v1";
/// How often a vote is tried again when others were cast meanwhile.
const ATTEMPTS: u32 = 3;

/// A vote on a change, on its way in.
#[derive(Clone, Debug)]
pub struct ChangeBallot {
    /// On which change.
    pub change: ChangeId,
    /// Yes or no.
    pub approve: bool,
    /// Why.
    pub reason: String,
    /// Their passkey's signature over the vote.
    pub proof: Option<Proof>,
}

/// A vote whose proof was checked, as it is recorded.
pub(super) struct Cast<'a> {
    pub by: &'a OperatorId,
    pub factor: Factor,
    pub approve: bool,
    pub reason: &'a str,
    pub statement: String,
    pub nonce: Nonce,
    /// The signature and the key that made it.
    pub signed: Option<(Proof, PublicKey)>,
    /// By which login somebody else vouches for whoever votes.
    pub login: Option<Login>,
}

impl ChangeBallot {
    /// The word in statements, records and answers.
    pub(super) const fn choice(approve: bool) -> &'static str {
        if approve { "approve" } else { "refuse" }
    }

    /// Why, as far as it is kept.
    fn because(&self) -> &str {
        bounded(&self.reason)
    }
}

impl Gate {
    /// Takes the vote of an authenticated person. `candidate` is what the change's own texts compile to; a
    /// yes needs it, a no does not. The change comes into force with the vote that makes enough.
    ///
    /// # Errors
    /// See [`NotChanged`]; the vote is then not counted.
    pub async fn vote_on_change(
        &self,
        by: &Approver,
        ballot: ChangeBallot,
        candidate: Option<&Candidate>,
    ) -> Result<Change, NotChanged> {
        let now = self.now();
        let change = self.ports.store.change(&ballot.change).await?.ok_or(NotChanged::Unknown)?;
        self.may_vote_on(&by.id, &change, now)?;
        let nonce = ballot.proof.as_ref().map_or_else(|| self.ballot_nonce(), |proof| proof.nonce);
        let statement = self.change_statement(&by.id, &change, &ballot, &nonce);
        let signed = match &ballot.proof {
            Some(proof) => Some(self.proven(by, proof.clone(), &statement, now).await.map_err(NotChanged::from)?),
            None => None,
        };
        accepts(&self.steering(), by.factor, signed.is_some())?;
        let factor = if signed.is_some() { Factor::Passkey } else { by.factor };
        let (approve, reason) = (ballot.approve, ballot.because());
        let login = self.vouched_by(by, signed.is_some()).await?;
        let cast = Cast { by: &by.id, factor, approve, reason, statement, nonce, signed, login };
        for _ in 0..ATTEMPTS {
            let change = self.ports.store.change(&ballot.change).await?.ok_or(NotChanged::Unknown)?;
            match self.try_vote(&change, &cast, candidate).await {
                Err(NotChanged::NotOpen("votes")) => {}
                result => return result,
            }
        }
        Err(NotChanged::NotOpen("being voted on by others"))
    }

    /// The statement that this person's passkey has to sign for this vote, and the nonce to hand in with it.
    /// Nothing is stored, and everything is checked again when they vote.
    ///
    /// # Errors
    /// As for [`Gate::vote_on_change`].
    pub async fn statement_on_change(
        &self,
        by: &OperatorId,
        ballot: &ChangeBallot,
    ) -> Result<(String, Nonce), NotChanged> {
        let change = self.ports.store.change(&ballot.change).await?.ok_or(NotChanged::Unknown)?;
        self.may_vote_on(by, &change, self.now())?;
        let nonce = self.ballot_nonce();
        Ok((self.change_statement(by, &change, ballot, &nonce), nonce))
    }

    /// Whether this person's vote on the change would count now.
    ///
    /// # Errors
    /// Says why not.
    pub fn may_vote_on(&self, by: &OperatorId, change: &Change, now: Timestamp) -> Result<(), NotChanged> {
        self.voter(&self.steering(), by, change, now).map(drop)
    }

    /// What a vote covers, as canonical JSON: exactly these texts in the place of exactly those, and the choice. The
    /// proposal's record says what it weakens. Who votes and why stand there as commitments.
    fn change_statement(&self, by: &OperatorId, change: &Change, ballot: &ChangeBallot, nonce: &Nonce) -> String {
        let mut of = Object::new();
        of.text("_type", STATEMENT_TYPE).text("tenant", self.snapshot().tenant().as_str());
        of.text("change", change.id.as_str()).text("proposal", &change.proposed.to_string());
        of.text("base", &change.base.to_string()).text("proposes", &change.digest.to_string());
        of.text("choice", ChangeBallot::choice(ballot.approve)).text("expires", &millis(change.expires_at));
        of.text("approver", &nonce.commit("approver", by.as_str()).to_string());
        of.text("reason", &nonce.commit("reason", ballot.because()).to_string());
        of.finish()
    }

    fn voter<'s>(
        &self,
        steering: &'s Steering,
        by: &OperatorId,
        change: &Change,
        now: Timestamp,
    ) -> Result<&'s str, NotChanged> {
        if change.state(now) != ChangeState::Open {
            return Err(NotChanged::NotOpen(change.state(now).as_str()));
        }
        if change.base != self.snapshot().digest() {
            return Err(NotChanged::NotOpen(Ended::Superseded.as_str()));
        }
        let person = steering.person(by).ok_or_else(|| {
            let why = "only people with the role security vote on changes, and keys.yaml must say which `user` each is";
            NotChanged::NotEntitled(why.into())
        })?;
        let voted = |vote: &ChangeVote| vote.by == *by || steering.person(&vote.by) == Some(person);
        if change.votes.iter().any(voted) {
            return Err(NotChanged::NotEntitled("this person has voted on the change already".into()));
        }
        Ok(person)
    }

    async fn try_vote(
        &self,
        change: &Change,
        cast: &Cast<'_>,
        candidate: Option<&Candidate>,
    ) -> Result<Change, NotChanged> {
        let now = self.now();
        let steering = self.steering();
        let person = self.voter(&steering, cast.by, change, now)?;
        // Whoever lost the role since does not count any more.
        let mut agreed: BTreeSet<&str> =
            change.votes.iter().filter(|v| v.approve).filter_map(|vote| steering.person(&vote.by)).collect();
        agreed.insert(person);
        let mut enough = None;
        if cast.approve {
            let candidate = candidate.filter(|candidate| candidate.snapshot.digest() == change.digest);
            let candidate = candidate.ok_or(NotChanged::TextsGone)?;
            let needed = must_approve(&steering, &self.weakened_by(candidate), candidate)?.max(1);
            enough = (agreed.len() >= needed as usize).then_some(candidate);
        }
        let ticket = self.writer.ticket();
        let record = self.writer.sign(&ticket, self.change_vote_draft(change, cast, now), &self.randomness());
        let vote = ChangeVote {
            change: change.id.clone(),
            by: cast.by.clone(),
            factor: cast.factor,
            approve: cast.approve,
            reason: cast.reason.to_owned(),
            at: now,
            record: record.digest,
        };
        let mut tickets = vec![ticket];
        let in_force = enough.map(|candidate| {
            let ticket = self.writer.ticket();
            let draft = self.in_force_draft(candidate, change, &vote, now);
            let record = self.writer.sign(&ticket, draft, &self.randomness());
            tickets.push(ticket);
            record
        });
        match self.ports.store.vote_on_change(vote, change.votes.len(), record, in_force).await {
            Ok(change) => {
                if let Some(candidate) = enough {
                    self.snapshot.store(candidate.snapshot.clone());
                    self.steered_by(&candidate.steering).await?;
                }
                self.ports.notifier.authority_changed();
                Ok(change)
            }
            Err(CommitError::Conflict(why)) => {
                tickets.into_iter().for_each(|ticket| self.writer.give_back(ticket));
                Err(NotChanged::NotOpen(why))
            }
            Err(CommitError::Unavailable(error)) => Err(error.into()),
        }
    }
}

/// Whether a vote counts that is given by this proof.
fn accepts(steering: &Steering, factor: Factor, signed: bool) -> Result<(), NotChanged> {
    match steering.needed.factor {
        None => Ok(()),
        Some(_) if signed => Ok(()),
        Some(Factor::Passkey) => Err(NotChanged::NotEntitled(
            "a vote on a change counts only if it is signed by the voter's own passkey".into(),
        )),
        Some(least) if factor >= least => Ok(()),
        Some(least) => Err(NotChanged::NotEntitled(format!(
            "a vote on a change counts only from {} on, and they came by {}",
            least.as_str(),
            factor.as_str()
        ))),
    }
}

impl From<Unproven> for NotChanged {
    fn from(error: Unproven) -> Self {
        match error {
            Unproven::Wrong(why) => Self::NotProven(why),
            Unproven::Unavailable(error) => error.into(),
        }
    }
}

//! Changes of the authority. What only narrows comes into force at once. What protects less waits: it is kept
//! with the exact texts, and comes into force when enough different people have said yes to them.
//!
//! INVARIANT (old or new, never half): the last vote, the record that puts the texts into force and the end of
//! the change are one deed of the store. A crash leaves all of it or none.
//!
//! INVARIANT (what was approved is what comes into force): the texts are read from the proposal's own record,
//! compiled anew, and must have the digest that was voted on. The folder on the disk is not looked at.

mod records;
mod vote;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use remit_core::Snapshot;
use remit_core::approval::Factor;
use remit_core::authority::weakening::{Stand, Steering, Weakening, grows_at_once, weakenings};
use remit_core::ids::{ChangeId, Digest, OperatorId, RecordId};
use remit_core::json;
use remit_evidence::record::disclosed;
use remit_evidence::writer::SignedRecord;

use crate::gate::Gate;
use crate::intent::{CommitError, Unavailable};
use crate::ports::Store;

pub use vote::ChangeBallot;

/// How long a change waits for people before it lapses, in seconds: a week.
pub const OPEN_SECS: i64 = 7 * 24 * 60 * 60;

/// An authority that could come into force: compiled, with who steers under it and the texts of all of it.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The compiled authority.
    pub snapshot: Arc<Snapshot>,
    /// Who steers and calls under it.
    pub steering: Steering,
    /// The texts, as canonical JSON.
    pub sources: String,
}

/// A change that waits, or waited, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its id.
    pub id: ChangeId,
    /// The authority it would replace.
    pub base: Digest,
    /// The authority it would put into force.
    pub digest: Digest,
    /// What it weakens.
    pub weakens: Vec<Weakens>,
    /// How many people it needed when it was proposed.
    pub needed: u32,
    /// The record that proposes it and discloses its texts.
    pub record: RecordId,
    /// The digest of that record.
    pub proposed: Digest,
    /// Who proposed it; nobody where a file was changed.
    pub by: Option<OperatorId>,
    /// When.
    pub at: Timestamp,
    /// From when on nobody can vote.
    pub expires_at: Timestamp,
    /// How it ended.
    pub ended: Option<Ended>,
    /// Votes so far.
    pub votes: Vec<ChangeVote>,
}

/// One thing that a change weakens, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weakens {
    /// The stable word.
    pub code: String,
    /// In words.
    pub what: String,
}

/// A person's vote on a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeVote {
    /// The change.
    pub change: ChangeId,
    /// Who, from their credential.
    pub by: OperatorId,
    /// How they proved who they are.
    pub factor: Factor,
    /// Yes or no.
    pub approve: bool,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// The digest of the vote's record.
    pub record: Digest,
}

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Its texts came into force.
    InForce,
    /// Somebody said no.
    Refused,
    /// Another change came, or another authority into force.
    Superseded,
}

/// Where a change stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeState {
    /// Waits for votes.
    Open,
    /// See [`Ended`].
    Ended(Ended),
    /// Not enough people voted in time.
    Lapsed,
}

/// Why an authority is put forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The gateway starts.
    Start,
    /// The folder was changed.
    Reload,
    /// Somebody wants back what was in force once.
    Rollback,
    /// Somebody wants a remit to grow. That waits for one person at least, whatever the folder says about widening:
    /// whoever may propose it may not be whoever may change the folder.
    Widening,
}

impl Occasion {
    /// The word in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Reload => "reload",
            Self::Rollback => "rollback",
            Self::Widening => "widening",
        }
    }
}

/// What became of an authority that was put forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is in force: it was already, or it weakens nothing that needs people.
    InForce(Digest),
    /// It waits for people; the last one stays in force.
    Pending(Box<Change>),
}

/// Why a change, or a vote on one, was not taken. Nothing has happened then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    /// There is no such change.
    #[error("there is no such change")]
    Unknown,
    /// It is not open any more.
    #[error("the change is not open any more: it is {0}")]
    NotOpen(&'static str),
    /// This person has no say.
    #[error("{0}")]
    NotEntitled(String),
    /// The passkey's signature over the vote does not count.
    #[error("the vote is not signed as it must be: {0}")]
    NotProven(&'static str),
    /// There are not enough people to approve it.
    #[error("it protects less, which {needed} people with the role security must approve, and {there} have it: {what}")]
    TooFew {
        /// How many are needed.
        needed: u32,
        /// How many there are.
        there: usize,
        /// What it weakens, in words.
        what: String,
    },
    /// More than one category of a remit grows.
    #[error("the remit of {0} would grow in more than one category at once")]
    SeveralAtOnce(String),
    /// What was to widen something widens nothing.
    #[error("it would widen nothing: the agent may do so already")]
    Nothing,
    /// The texts that were voted on cannot be compiled to what was voted on any more.
    #[error("the texts of the change are not there any more, or say something else")]
    TextsGone,
    /// The texts are no authority.
    #[error("{}", .0.join("; "))]
    Faulty(Vec<String>),
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl NotChanged {
    /// What helps.
    #[must_use]
    pub const fn remedy(&self) -> &'static str {
        match self {
            Self::Unknown => "`remit changes` lists them.",
            Self::NotOpen(_) => "Reload the folder to propose it anew.",
            Self::NotEntitled(_) => "Somebody else with the role security has to vote.",
            Self::NotProven(_) => "Nothing was counted; sign this vote by your passkey.",
            Self::TooFew { .. } => {
                "Name further people with `roles: [security]` and a `user` in keys.yaml, in a change of its own; or, before anything is in force, say `changes: { people: 1 }` in remit.yaml."
            }
            Self::SeveralAtOnce(_) => "Put one category into force at a time, and look at what it does first.",
            Self::Nothing => "Nothing was proposed.",
            Self::TextsGone => "Reload the folder to propose it anew.",
            Self::Faulty(_) => "Mend the files; the last good configuration stays in force.",
            Self::Unavailable(_) => "Try again later.",
        }
    }
}

impl Ended {
    /// The word used in records and stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InForce => "in_force",
            Self::Refused => "refused",
            Self::Superseded => "superseded",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::InForce, Self::Refused, Self::Superseded].into_iter().find(|ended| ended.as_str() == word)
    }
}

impl ChangeState {
    /// The word used in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ended(ended) => ended.as_str(),
            Self::Lapsed => "lapsed",
        }
    }
}

impl Change {
    /// Where it stands at this moment.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> ChangeState {
        match self.ended {
            Some(ended) => ChangeState::Ended(ended),
            None if now < self.expires_at => ChangeState::Open,
            None => ChangeState::Lapsed,
        }
    }
}

/// The authority that came into force last, as its record tells it: its digest, and its texts where they are kept.
///
/// # Errors
/// When the store is unavailable.
pub async fn last_in_force(store: &dyn Store) -> Result<Option<(Digest, Option<String>)>, Unavailable> {
    let Some((digest, record)) = store.authority().await? else { return Ok(None) };
    let record = store.record(&record).await?;
    Ok(Some((digest, record.as_ref().and_then(texts))))
}

/// The texts that a record of an authority discloses, as canonical JSON.
#[must_use]
pub fn texts(record: &SignedRecord) -> Option<String> {
    let values = disclosed(&record.disclosures);
    values.iter().find(|(name, _)| name == "sources").map(|(_, sources)| json::canonical(sources))
}

impl Gate {
    /// Who steers under the authority in force.
    #[must_use]
    pub fn steering(&self) -> Arc<Steering> {
        self.steering.load_full()
    }

    /// Says who steers under the authority in force, at the start. Nothing is recorded.
    pub fn stand_on(&self, steering: Steering) {
        self.steering.store(Arc::new(steering));
    }

    /// What this authority would weaken.
    #[must_use]
    pub fn weakened_by(&self, candidate: &Candidate) -> Vec<Weakening> {
        let (snapshot, steering) = (self.snapshot(), self.steering());
        weakenings(
            Stand { snapshot: &snapshot, steering: &steering },
            Stand { snapshot: &candidate.snapshot, steering: &candidate.steering },
        )
    }

    /// Puts an authority into force if nobody has to approve it, and else proposes it.
    ///
    /// # Errors
    /// See [`NotChanged`]; the last authority then stays in force.
    pub async fn put_forward(
        &self,
        candidate: &Candidate,
        by: Option<&OperatorId>,
        occasion: Occasion,
    ) -> Result<Taken, NotChanged> {
        let base = self.snapshot().digest();
        if base == candidate.snapshot.digest() {
            return Ok(Taken::InForce(base));
        }
        let weakened = self.weakened_by(candidate);
        let steering = self.steering();
        if let Some(holder) = grows_at_once(&weakened).filter(|_| steering.needed.widening > 0) {
            return Err(NotChanged::SeveralAtOnce(holder.to_string()));
        }
        let mut needed = must_approve(&steering, &weakened, candidate)?;
        if occasion == Occasion::Widening {
            if weakened.is_empty() {
                return Err(NotChanged::Nothing);
            }
            needed = needed.max(1);
        }
        if needed == 0 {
            self.put_into_force(candidate, occasion.as_str()).await?;
            return Ok(Taken::InForce(candidate.snapshot.digest()));
        }
        let now = self.now();
        let open = self.ports.store.changes(1).await?.into_iter().next();
        let same = |change: &Change| {
            let state = change.state(now);
            // What people refused is asked again by people only, and not by each start over the same folder.
            let waits = state == ChangeState::Open || (by.is_none() && state == ChangeState::Ended(Ended::Refused));
            change.base == base && change.digest == candidate.snapshot.digest() && waits
        };
        if let Some(known) = open.filter(same) {
            return Ok(Taken::Pending(Box::new(known)));
        }
        self.propose(candidate, base, &weakened, needed, by).await
    }

    async fn propose(
        &self,
        candidate: &Candidate,
        base: Digest,
        weakened: &[Weakening],
        needed: u32,
        by: Option<&OperatorId>,
    ) -> Result<Taken, NotChanged> {
        let now = self.now();
        let id = self.change_id();
        let expires_at = now.checked_add(SignedDuration::from_secs(OPEN_SECS)).unwrap_or(now);
        let weakens: Vec<_> = weakened.iter().map(|w| Weakens { code: w.code.into(), what: w.what.clone() }).collect();
        let digest = candidate.snapshot.digest();
        let unsigned = (&id, base, digest, needed, expires_at);
        let draft = self.proposed_draft(unsigned, &weakens, &candidate.sources, by, now);
        let ticket = self.writer.ticket();
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        let (record_id, proposed) = (record.id.clone(), record.digest);
        let change = Change {
            id,
            base,
            digest,
            weakens,
            needed,
            record: record_id,
            proposed,
            by: by.cloned(),
            at: now,
            expires_at,
            ended: None,
            votes: Vec::new(),
        };
        match self.ports.store.open_change(&change, record).await {
            Ok(()) => {
                self.ports.notifier.authority_changed();
                Ok(Taken::Pending(Box::new(change)))
            }
            Err(CommitError::Conflict(why)) => {
                self.writer.give_back(ticket);
                Err(NotChanged::NotOpen(why))
            }
            Err(CommitError::Unavailable(error)) => Err(error.into()),
        }
    }

    /// Puts an authority into force that nobody has to approve: recorded first, then for every call that
    /// begins afterwards. Changes that wait are superseded.
    ///
    /// # Errors
    /// When it cannot be recorded; the last one then stays in force.
    pub async fn put_into_force(&self, candidate: &Candidate, why: &str) -> Result<(), Unavailable> {
        self.activate(candidate.snapshot.clone(), why, Some(&candidate.sources)).await?;
        self.steered_by(&candidate.steering).await
    }

    /// The texts that a change would put into force.
    ///
    /// # Errors
    /// When there is no such change, or they are deleted.
    pub async fn texts_of(&self, id: &ChangeId) -> Result<String, NotChanged> {
        let change = self.ports.store.change(id).await?.ok_or(NotChanged::Unknown)?;
        let record = self.ports.store.record(&change.record).await?;
        record.as_ref().and_then(texts).ok_or(NotChanged::TextsGone)
    }
}

fn must_approve(steering: &Steering, weakened: &[Weakening], candidate: &Candidate) -> Result<u32, NotChanged> {
    steering.must_approve(weakened, &candidate.steering).map_err(|(needed, there)| {
        let what: Vec<_> = weakened.iter().map(|weakening| weakening.what.as_str()).collect();
        NotChanged::TooFew { needed, there, what: what.join("; ") }
    })
}

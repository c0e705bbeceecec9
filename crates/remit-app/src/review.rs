//! Reviews: calls that went through before anybody looked, and calls whose effect nobody knows, until a person has
//! looked.

use jiff::Timestamp;
use remit_core::approval::{Approver, same_person};
use remit_core::ids::{AgentId, Digest, OperatorId, RecordId, RunId, UserId};

use crate::gate::Gate;
use crate::intent::{CommitError, Unavailable};

/// Longest note, in characters.
pub const NOTE_CHARS_MAX: usize = remit_core::limits::REASON_BYTES_MAX / 4;

/// A call that waits for a person to look at it, or was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Its decision record.
    pub call: RecordId,
    /// The digest of that record.
    pub decision: Digest,
    /// The run.
    pub run: Option<RunId>,
    /// Who called.
    pub agent: AgentId,
    /// For whom.
    pub user: Option<UserId>,
    /// The tool.
    pub tool: String,
    /// When it went through.
    pub at: Timestamp,
    /// Whether it is unknown what it did.
    pub unknown: bool,
    /// How it was closed; `None` while it waits.
    pub closed: Option<Closed>,
}

/// How a review was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// By whom.
    pub by: OperatorId,
    /// Whether they object: it should not have gone through.
    pub objects: bool,
    /// What they found.
    pub note: String,
    /// When.
    pub at: Timestamp,
}

/// Which reviews are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReviewFilter {
    /// Those that were closed, too.
    pub closed: bool,
    /// At most this many; zero means 100.
    pub limit: u32,
}

/// How much waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many calls.
    pub waiting: u64,
    /// Since when the oldest of them waits.
    pub oldest: Option<Timestamp>,
}

/// Why a review was not closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReviewed {
    /// No call of this record waits for a review.
    #[error("no call of this record waits for a review")]
    Unknown,
    /// It is the user for whom the call was made.
    #[error(
        "the call was made for this person, or keys.yaml does not say which user they are; somebody else has to look at it"
    )]
    OwnMatter,
    /// It does not say what was found.
    #[error("say what you found")]
    NoNote,
    /// The note is longer than is kept.
    #[error("the note is longer than {NOTE_CHARS_MAX} characters")]
    TooLong,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Gate {
    /// Closes the review of a call, on the record, by an authenticated person who is not the one it was made for. An
    /// objection undoes nothing: it stands among the evidence about the agent.
    ///
    /// # Errors
    /// Says why not; it waits still.
    pub async fn review(
        &self,
        by: &Approver,
        call: &RecordId,
        objects: bool,
        note: &str,
    ) -> Result<Review, NotReviewed> {
        let found = self.ports.store.review(call).await?.ok_or(NotReviewed::Unknown)?;
        if found.closed.is_some() {
            return Err(NotReviewed::Unknown);
        }
        // A reviewer whose own user nobody has named cannot be told apart from the caller's.
        let own = |user: &UserId| {
            by.user.is_none()
                || OperatorId::parse(user.as_str())
                    .is_ok_and(|name| same_person((&by.id, by.user.as_ref()), (&name, Some(user))))
        };
        if found.user.as_ref().is_some_and(own) {
            return Err(NotReviewed::OwnMatter);
        }
        if note.trim().is_empty() {
            return Err(NotReviewed::NoNote);
        }
        if note.chars().count() > NOTE_CHARS_MAX {
            return Err(NotReviewed::TooLong);
        }
        let closed = Closed { by: by.id.clone(), objects, note: note.to_owned(), at: self.now() };
        let ticket = self.writer.ticket();
        let record = self.writer.sign(&ticket, self.review_draft(&found, &closed), &self.randomness());
        match self.ports.store.close_review(call, closed.clone(), record).await {
            Ok(()) => Ok(Review { closed: Some(closed), ..found }),
            Err(CommitError::Conflict(_)) => {
                self.writer.give_back(ticket);
                Err(NotReviewed::Unknown)
            }
            Err(CommitError::Unavailable(error)) => Err(error.into()),
        }
    }
}

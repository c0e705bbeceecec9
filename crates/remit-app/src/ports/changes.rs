//! Changes of the authority, and which one is in force.

use async_trait::async_trait;
use remit_core::ids::{ChangeId, Digest, ProposalId, RecordId};
use remit_evidence::writer::SignedRecord;

use crate::change::{Change, ChangeVote};
use crate::intent::{CommitError, Unavailable};
use crate::proposal::Proposal;

/// Changes of the authority, and which one is in force. Part of [`super::Store`]; the same promises hold.
#[async_trait]
pub trait Changes: Send + Sync {
    /// The authority that came into force last, and the record that says so; `None` before the first.
    async fn authority(&self) -> Result<Option<(Digest, RecordId)>, Unavailable>;
    /// Puts an authority into force. Changes that are open and rest on another one are superseded; all of it
    /// or none.
    async fn put_authority(&self, digest: Digest, record: SignedRecord) -> Result<(), Unavailable>;

    /// Opens a change. Every other open one is superseded. It is a conflict (`superseded`) when its base is
    /// not the authority in force.
    async fn open_change(&self, change: &Change, record: SignedRecord) -> Result<(), CommitError>;
    /// One change with its votes.
    async fn change(&self, id: &ChangeId) -> Result<Option<Change>, Unavailable>;
    /// Changes, the newest first, at most so many.
    async fn changes(&self, limit: u32) -> Result<Vec<Change>, Unavailable>;
    /// Adds a vote. A no ends the change. With `in_force` the change ends by coming into force, in the same
    /// deed. It is a conflict when the change has ended or lapsed at the vote's time, when this operator
    /// has voted on it (`voted`), when its base is not in force any more, and when there are not exactly `seen`
    /// votes yet (`votes`).
    async fn vote_on_change(
        &self,
        vote: ChangeVote,
        seen: usize,
        record: SignedRecord,
        in_force: Option<SignedRecord>,
    ) -> Result<Change, CommitError>;

    /// Keeps a proposal.
    async fn put_proposal(&self, proposal: &Proposal, record: SignedRecord) -> Result<(), Unavailable>;
    /// One proposal.
    async fn proposal(&self, id: &ProposalId) -> Result<Option<Proposal>, Unavailable>;
    /// Proposals, the newest first, at most so many.
    async fn proposals(&self, limit: u32) -> Result<Vec<Proposal>, Unavailable>;
}

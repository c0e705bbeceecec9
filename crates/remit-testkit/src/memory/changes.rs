//! Changes of the authority, which one is in force, and proposals.

use async_trait::async_trait;
use remit_app::change::{Change, ChangeVote, Ended};
use remit_app::delivery::{Delivery, Event, Subject};
use remit_app::intent::{CommitError, Unavailable};
use remit_app::ports::Changes;
use remit_app::proposal::Proposal;
use remit_core::ids::{ChangeId, Digest, OperatorId, ProposalId, RecordId};
use remit_evidence::writer::SignedRecord;

use super::MemoryStore;

/// What is kept of changes. The newest stand last.
#[derive(Default)]
pub(crate) struct ChangeState {
    authority: Option<(Digest, RecordId)>,
    changes: Vec<Change>,
    proposals: Vec<Proposal>,
}

impl ChangeState {
    fn put(&mut self, digest: Digest, record: RecordId) {
        self.authority = Some((digest, record));
        let over = self.changes.iter_mut().filter(|change| change.ended.is_none() && change.base != digest);
        over.for_each(|change| change.ended = Some(Ended::Superseded));
    }

    fn in_force(&self, digest: Digest) -> bool {
        self.authority.as_ref().is_some_and(|(known, _)| *known == digest)
    }

    /// Whether this person has voted on a change that is still open.
    pub(super) fn voted_on_open(&self, person: &str, now: jiff::Timestamp) -> bool {
        let open = self.changes.iter().filter(|change| change.ended.is_none() && change.expires_at > now);
        open.flat_map(|change| &change.votes).any(|vote| vote.by.as_str() == person)
    }

    /// Forgets who proposed and who voted.
    pub(super) fn forget(&mut self, person: &str) {
        let mut place = 0;
        let erased = |place: usize| OperatorId::parse(&format!("erased-{place}")).ok();
        for change in &mut self.changes {
            change.by = change.by.take().filter(|by| by.as_str() != person);
            change.weakens.iter_mut().for_each(|weakens| weakens.what = weakens.what.replace(person, "erased"));
            for vote in &mut change.votes {
                place += 1;
                if vote.by.as_str() == person
                    && let Some(by) = erased(place)
                {
                    (vote.by, vote.reason) = (by, String::new());
                }
            }
        }
        for proposal in self.proposals.iter_mut().filter(|proposal| proposal.by.as_str() == person) {
            proposal.by = OperatorId::parse("erased").unwrap_or_else(|_| proposal.by.clone());
        }
    }
}

fn newest<T: Clone>(list: &[T], limit: u32) -> Vec<T> {
    list.iter().rev().take(limit as usize).cloned().collect()
}

#[async_trait]
impl Changes for MemoryStore {
    async fn authority(&self) -> Result<Option<(Digest, RecordId)>, Unavailable> {
        Ok(self.open()?.changes.authority.clone())
    }

    async fn put_authority(&self, digest: Digest, record: SignedRecord) -> Result<(), Unavailable> {
        let mut state = self.open()?;
        let id = record.id.clone();
        state.append(record)?;
        state.changes.put(digest, id);
        Ok(())
    }

    async fn open_change(&self, change: &Change, record: SignedRecord) -> Result<(), CommitError> {
        let mut state = self.open()?;
        if !state.changes.in_force(change.base) {
            return Err(CommitError::Conflict(Ended::Superseded.as_str()));
        }
        state.append(record)?;
        let open = state.changes.changes.iter_mut().filter(|change| change.ended.is_none());
        open.for_each(|change| change.ended = Some(Ended::Superseded));
        state.changes.changes.push(change.clone());
        state.owe([Delivery::new(Subject::Change(change.id.clone()), Event::Proposed, None, change.at)]);
        Ok(())
    }

    async fn change(&self, id: &ChangeId) -> Result<Option<Change>, Unavailable> {
        Ok(self.open()?.changes.changes.iter().find(|change| change.id == *id).cloned())
    }

    async fn changes(&self, limit: u32) -> Result<Vec<Change>, Unavailable> {
        Ok(newest(&self.open()?.changes.changes, limit))
    }

    async fn vote_on_change(
        &self,
        vote: ChangeVote,
        seen: usize,
        record: SignedRecord,
        in_force: Option<SignedRecord>,
    ) -> Result<Change, CommitError> {
        let mut state = self.open()?;
        let found = state.changes.changes.iter().position(|change| change.id == vote.change);
        let at = found.ok_or(CommitError::Conflict("change"))?;
        let mut change = state.changes.changes.get(at).cloned().ok_or(CommitError::Conflict("change"))?;
        let conflict = match change.ended {
            Some(ended) => Some(ended.as_str()),
            None if vote.at >= change.expires_at => Some("lapsed"),
            None if !state.changes.in_force(change.base) => Some(Ended::Superseded.as_str()),
            None if change.votes.iter().any(|cast| cast.by == vote.by) => Some("voted"),
            None => (change.votes.len() != seen).then_some("votes"),
        };
        if let Some(why) = conflict {
            return Err(CommitError::Conflict(why));
        }
        // Both records are known to be new before the first is kept.
        state.check_new(&record)?;
        in_force.as_ref().map_or(Ok(()), |record| state.check_new(record))?;
        state.append(record)?;
        if !vote.approve {
            change.ended = Some(Ended::Refused);
        } else if in_force.is_some() {
            change.ended = Some(Ended::InForce);
        }
        change.votes.push(vote);
        state.changes.changes.splice(at..=at, [change.clone()]);
        if let Some(record) = in_force.filter(|_| change.ended == Some(Ended::InForce)) {
            let id = record.id.clone();
            state.append(record)?;
            state.changes.put(change.digest, id);
        }
        Ok(change)
    }

    async fn put_proposal(&self, proposal: &Proposal, record: SignedRecord) -> Result<(), Unavailable> {
        let mut state = self.open()?;
        state.append(record)?;
        state.changes.proposals.push(proposal.clone());
        Ok(())
    }

    async fn proposal(&self, id: &ProposalId) -> Result<Option<Proposal>, Unavailable> {
        Ok(self.open()?.changes.proposals.iter().find(|proposal| proposal.id == *id).cloned())
    }

    async fn proposals(&self, limit: u32) -> Result<Vec<Proposal>, Unavailable> {
        Ok(newest(&self.open()?.changes.proposals, limit))
    }
}

//! Erasure: what is held of a person beside the signed payloads is deleted, and a record says so.
//!
//! Whole sets of disclosures go, arguments too, because those may speak of the person. What was signed
//! stays, and so do its leaf and its proof: they hold salted digests. The salts are deleted with the values.
//!
//! INVARIANT (no deletion without a record): each batch goes in one deed with the record that counts it. A
//! crash in between leaves a part deleted and recorded, and ordering the erasure again finishes it.

use remit_core::ids::{OperatorId, RecordId, UserId};
use remit_evidence::record::disclosed;
use remit_evidence::writer::SignedRecord;

use crate::gate::Gate;
use crate::hold::HoldTarget;
use crate::intent::{CommitError, Unavailable};
use crate::ports::{Erasure, RecordFilter};
use crate::run::RunFilter;

/// Most records whose disclosures go in one deed. It bounds how long the writer is busy with it.
const BATCH: usize = 500;
/// The names under which a record discloses a person.
const PERSONS: [&str; 7] = ["user", "approver", "approver_user", "operator", "by", "principal", "stand_in"];

/// What an erasure has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// How many records lost their disclosures.
    pub records: u64,
    /// The erasure records, one for each batch.
    pub recorded: Vec<RecordId>,
    /// What opens the commitments in those records. Nobody keeps it but who asked for the erasure.
    pub openings: Vec<String>,
}

/// Why nothing, or no more, was erased.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotErased {
    /// Four eyes: nobody deletes the traces of their own deeds.
    #[error("nobody erases themselves")]
    Oneself,
    /// The reason is kept.
    #[error("the reason names the person, and it is kept")]
    Named,
    /// A hold keeps it.
    #[error("a hold keeps this: {0}")]
    Held(String),
    /// Something of theirs is not over.
    #[error("something of theirs is not over yet: {0}")]
    Open(&'static str),
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Gate {
    /// Deletes what is held of a person. What is open of theirs is closed first if `also_open` says so.
    ///
    /// # Errors
    /// When a hold keeps something of it, or something of theirs is not over. What was erased so far is recorded.
    pub async fn erase(
        &self,
        person: &UserId,
        by: &OperatorId,
        reason: &str,
        also_open: bool,
    ) -> Result<Erased, NotErased> {
        if person.as_str() == by.as_str() {
            return Err(NotErased::Oneself);
        }
        if reason.contains(person.as_str()) {
            return Err(NotErased::Named);
        }
        self.check_unheld(person).await?;
        let open = RunFilter { user: Some(person.clone()), open: true, limit: u32::MAX, agent: None };
        for run in self.ports.store.runs(&open).await? {
            if !also_open {
                return Err(NotErased::Open("an open run"));
            }
            self.close_for_erasure(&run).await?;
        }
        let mut erased = Erased::default();
        let mut found = Vec::new();
        let mut filter = RecordFilter { limit: 500, ..RecordFilter::default() };
        loop {
            let page = self.ports.store.records(&filter).await?;
            if page.is_empty() {
                break;
            }
            for record in &page {
                filter.after += 1;
                if discloses(record, person) {
                    found.push(filter.after);
                }
            }
            if found.len() >= BATCH {
                self.erase_batch(person, by, reason, also_open, std::mem::take(&mut found), &mut erased).await?;
            }
        }
        while self.erase_batch(person, by, reason, also_open, std::mem::take(&mut found), &mut erased).await? {}
        Ok(erased)
    }

    /// Whether a hold keeps anything of a person. The store asks again, batch by batch.
    async fn check_unheld(&self, person: &UserId) -> Result<(), NotErased> {
        for hold in self.ports.store.holds().await? {
            let keeps = match &hold.target {
                HoldTarget::All => true,
                HoldTarget::User(user) => user == person,
                HoldTarget::Run(run) => {
                    let run = self.ports.store.run(run).await?;
                    run.is_some_and(|run| run.user.as_ref() == Some(person))
                }
            };
            if keeps {
                let what = if matches!(hold.target, HoldTarget::User(_)) { "on this user" } else { "on all or a run" };
                return Err(NotErased::Held(format!("{what}, because: {}", hold.reason)));
            }
        }
        Ok(())
    }

    async fn close_for_erasure(&self, run: &crate::run::Run) -> Result<(), NotErased> {
        let at = self.now();
        let ticket = self.writer.ticket();
        let record = self.writer.sign(&ticket, self.run_draft(run, Some(at)), &self.randomness());
        match self.ports.store.close_run(&run.id, at, record).await {
            Ok(()) => {
                self.closed(run).await;
                Ok(())
            }
            // Somebody else has closed it.
            Err(CommitError::Conflict(_)) => {
                self.writer.give_back(ticket);
                Ok(())
            }
            Err(CommitError::Unavailable(error)) => Err(error.into()),
        }
    }

    /// One deed: the disclosures at these positions and some of what else there is, with their record.
    /// Whether more is left.
    async fn erase_batch(
        &self,
        person: &UserId,
        by: &OperatorId,
        reason: &str,
        also_open: bool,
        positions: Vec<u64>,
        erased: &mut Erased,
    ) -> Result<bool, NotErased> {
        let (now, count) = (self.now(), positions.len() as u64);
        let ticket = self.writer.ticket();
        let draft = self.erasure_draft(person, by.as_str(), reason, &positions, now);
        let mut record = self.writer.sign(&ticket, draft, &self.randomness());
        // What stays in the record is a commitment. Its opening is given away and not kept.
        let opening = record.disclosures.remove(0);
        let id = record.id.clone();
        match self.ports.store.erase(Erasure { person: person.clone(), positions, also_open, now }, record).await {
            Ok(more) => {
                erased.records += count;
                erased.recorded.push(id);
                erased.openings.push(opening);
                Ok(more)
            }
            Err(CommitError::Conflict(what)) => {
                self.writer.give_back(ticket);
                Err(if what == "held" {
                    NotErased::Held("on a run that they took part in".into())
                } else {
                    NotErased::Open(what)
                })
            }
            Err(CommitError::Unavailable(error)) => Err(error.into()),
        }
    }
}

/// Whether a record discloses this person.
pub(crate) fn discloses(record: &SignedRecord, person: &UserId) -> bool {
    let values = disclosed(&record.disclosures);
    values.iter().any(|(name, value)| PERSONS.contains(&name.as_str()) && value.as_str() == Some(person.as_str()))
}

//! Retention: disclosed values, stored answers and ended budget spans go when they are as old as the
//! organisation keeps them. Signed payloads never go.

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use remit_core::ids::RunId;
use remit_core::registry::Class;
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;

use crate::erase::discloses;
use crate::gate::Gate;
use crate::hold::HoldTarget;
use crate::intent::{CommitError, Unavailable};
use crate::ports::{RecordFilter, Retired, Retirement};
use crate::run::RunFilter;

/// Records looked at in one step, and at most as many positions in one deed.
const PAGE: u32 = 500;

/// How long what is kept, in seconds. What is not named is kept for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// What decisions disclose, by the class of the tool.
    pub classes: BTreeMap<Class, u64>,
    /// What all other records disclose: runs, approvals, halts, requests that never became calls.
    pub other: Option<u64>,
    /// The stored answers of calls.
    pub outcomes: Option<u64>,
    /// Budget spans after their end.
    pub budget_spans: Option<u64>,
}

/// How far the walk over the records has come: nothing before these positions is left to be deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    disclosures: u64,
    outcomes: u64,
}

impl Retention {
    /// Since when what this record discloses is kept no longer; `None` when it is kept for ever.
    ///
    /// The texts that an authority was compiled from are no person's, and without them nothing can be
    /// decided again. What an erasure or a hold says about itself is its evidence.
    fn disclosures_end(&self, record: &SignedRecord) -> Option<Timestamp> {
        let secs = match record.kind {
            Kind::Policy if is_word_of_a_person(record) => self.other,
            Kind::Policy | Kind::Key | Kind::Erasure => None,
            Kind::Decision => class(record).map_or(self.other, |class| self.classes.get(&class).copied()),
            _ => self.other,
        };
        end(record, secs?)
    }
}

fn end(record: &SignedRecord, secs: u64) -> Option<Timestamp> {
    let time: Timestamp = record.time.parse().ok()?;
    time.checked_add(SignedDuration::from_secs(i64::try_from(secs).ok()?)).ok()
}

/// Whether a record about the authority holds no texts of one, but what a person said about it.
fn is_word_of_a_person(record: &SignedRecord) -> bool {
    let statement = remit_core::json::parse(&record.envelope.payload).unwrap_or_default();
    matches!(statement.pointer("/predicate/event").and_then(|event| event.as_str()), Some("voted" | "suggested"))
}

/// The class of the tool that a decision was about.
fn class(record: &SignedRecord) -> Option<Class> {
    let statement = remit_core::json::parse(&record.envelope.payload).ok()?;
    Class::parse(statement.get("predicate")?.get("tool")?.get("class")?.as_str()?)
}

/// What the holds keep.
struct Kept {
    holds: Vec<HoldTarget>,
    runs: HashSet<RunId>,
}

impl Kept {
    fn keeps(&self, record: &SignedRecord) -> bool {
        record.run.as_ref().is_some_and(|run| self.runs.contains(run))
            || self.holds.iter().any(|hold| match hold {
                HoldTarget::All => true,
                HoldTarget::Run(_) => false,
                HoldTarget::User(user) => discloses(record, user),
            })
    }
}

impl Gate {
    /// Deletes what is older than it is kept at this moment, in batches, and skips what is held.
    ///
    /// # Errors
    /// When the store is unavailable; what is deleted so far stays deleted.
    pub async fn retire(&self, retention: &Retention, walk: &mut Walk, now: Timestamp) -> Result<Retired, Unavailable> {
        let mut retired = Retired::default();
        let kept = self.kept().await?;
        if kept.holds.contains(&HoldTarget::All) {
            return Ok(retired);
        }
        let mut next = *walk;
        let (mut disclosures_done, mut outcomes_done) = (true, true);
        let mut filter =
            RecordFilter { after: walk.disclosures.min(walk.outcomes), limit: PAGE, ..RecordFilter::default() };
        loop {
            let page = self.ports.store.records(&filter).await?;
            if page.is_empty() {
                break;
            }
            let mut step = Retirement { held: kept.holds.clone(), ..Retirement::default() };
            for record in &page {
                filter.after += 1;
                let held = kept.keeps(record);
                if !record.disclosures.is_empty()
                    && let Some(end) = retention.disclosures_end(record)
                {
                    if end <= now && !held {
                        step.disclosures.push(filter.after);
                    } else {
                        disclosures_done = false;
                    }
                }
                if record.kind == Kind::Decision
                    && let Some(end) = retention.outcomes.and_then(|secs| self::end(record, secs))
                    && filter.after > walk.outcomes
                {
                    if end <= now && !held {
                        step.outcomes.push(filter.after);
                    } else {
                        outcomes_done = false;
                    }
                }
                if disclosures_done {
                    next.disclosures = next.disclosures.max(filter.after);
                }
                if outcomes_done {
                    next.outcomes = next.outcomes.max(filter.after);
                }
            }
            if !step.disclosures.is_empty() || !step.outcomes.is_empty() {
                let Some(done) = self.retire_step(step).await? else { return Ok(retired) };
                retired += done;
                *walk = next;
            }
        }
        *walk = next;
        if let Some(secs) = retention.budget_spans.and_then(|secs| i64::try_from(secs).ok())
            && let Ok(before) = now.checked_sub(SignedDuration::from_secs(secs))
        {
            retired += self.retire_spans(&kept, before).await?;
        }
        Ok(retired)
    }

    /// Deletes spans of budgets that ended before this moment.
    async fn retire_spans(&self, kept: &Kept, before: Timestamp) -> Result<Retired, Unavailable> {
        let mut retired = Retired::default();
        loop {
            let step =
                Retirement { held: kept.holds.clone(), spans_ended_before: Some(before), ..Retirement::default() };
            let Some(done) = self.retire_step(step).await? else { return Ok(retired) };
            retired += done;
            if done.spans == 0 {
                return Ok(retired);
            }
        }
    }

    /// One deed; nothing when the holds have changed since they were read: the next round knows them.
    async fn retire_step(&self, step: Retirement) -> Result<Option<Retired>, Unavailable> {
        match self.ports.store.retire(step).await {
            Ok(retired) => Ok(Some(retired)),
            Err(CommitError::Conflict(_)) => Ok(None),
            Err(CommitError::Unavailable(error)) => Err(error),
        }
    }

    async fn kept(&self) -> Result<Kept, Unavailable> {
        let holds: Vec<_> = self.ports.store.holds().await?.into_iter().map(|hold| hold.target).collect();
        let mut runs = HashSet::new();
        for hold in &holds {
            match hold {
                HoldTarget::All => {}
                HoldTarget::Run(run) => {
                    runs.insert(run.clone());
                }
                HoldTarget::User(user) => {
                    let filter = RunFilter { user: Some(user.clone()), limit: u32::MAX, ..RunFilter::default() };
                    runs.extend(self.ports.store.runs(&filter).await?.into_iter().map(|run| run.id));
                }
            }
        }
        Ok(Kept { holds, runs })
    }
}

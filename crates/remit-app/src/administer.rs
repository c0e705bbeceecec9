//! What operators do: put authority into force, halt, resume, report.

use std::sync::Arc;

use remit_core::Snapshot;
use remit_core::halt::{Halt, HaltTarget};
use remit_core::ids::{OperatorId, RecordId};
use remit_evidence::record::Draft;
use remit_evidence::writer::Writer;

use crate::gate::Gate;
use crate::intent::{Settlement, Unavailable};
use crate::outcome::{Outcome, StoredOutcome};

/// Why a reported outcome was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReported {
    /// There is no such admitted call of this caller.
    #[error("there is no such admitted call")]
    Unknown,
    /// It was settled already.
    #[error("the call was settled already")]
    Settled,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Gate {
    /// Announces this process's writer key, signed by the gateway's own long-lived key.
    ///
    /// # Errors
    /// When the store is unavailable; nothing may be recorded before this succeeded.
    pub async fn announce(&self, root: &Writer) -> Result<(), Unavailable> {
        let draft = self.key_draft(self.now());
        let record = root.sign(&root.ticket(), draft, &self.randomness());
        self.ports.store.append(record).await
    }

    /// Puts an authority into force: recorded first, then for every call that begins afterwards. The
    /// texts it was compiled from (canonical JSON) stand beside the record, so that what is decided
    /// under it can be decided again.
    ///
    /// # Errors
    /// When it cannot be recorded; the last one then stays in force.
    pub async fn activate(&self, snapshot: Arc<Snapshot>, by: &str, sources: Option<&str>) -> Result<(), Unavailable> {
        let draft = self.policy_draft(&snapshot, by, sources, self.now());
        let record = self.writer.sign(&self.writer.ticket(), draft, &self.randomness());
        self.ports.store.put_authority(snapshot.digest(), record).await?;
        self.snapshot.store(snapshot);
        self.ports.notifier.authority_changed();
        Ok(())
    }

    /// Stops something, for calls that are decided from now on.
    ///
    /// # Errors
    /// When the store is unavailable; nothing is halted then by this order.
    pub async fn halt(&self, target: HaltTarget, by: &OperatorId, reason: &str) -> Result<(), Unavailable> {
        let since = self.now();
        let halt = Halt { target, by: by.to_string(), reason: reason.chars().take(200).collect(), since };
        let draft = self.halt_draft(&halt.target, by.as_str(), &halt.reason, true, since);
        let record = self.writer.sign(&self.writer.ticket(), draft, &self.randomness());
        self.ports.store.put_halt(halt, record).await?;
        self.ports.notifier.authority_changed();
        Ok(())
    }

    /// Lifts a halt; false when there was none.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn resume(&self, target: &HaltTarget, by: &OperatorId, reason: &str) -> Result<bool, Unavailable> {
        if !self.ports.store.halts().await?.iter().any(|halt| halt.target == *target) {
            return Ok(false);
        }
        let draft = self.halt_draft(target, by.as_str(), reason, false, self.now());
        let record = self.writer.sign(&self.writer.ticket(), draft, &self.randomness());
        let lifted = self.ports.store.lift_halt(target, record).await?;
        self.ports.notifier.authority_changed();
        Ok(lifted)
    }

    /// Takes the outcome of a call that a service carried out itself.
    ///
    /// # Errors
    /// When there is no such unsettled call of this caller. What the gate carries out itself is none: its outcome is
    /// what the gate saw.
    pub async fn report(
        &self,
        caller: &remit_core::Caller,
        intent: &RecordId,
        outcome: Outcome,
    ) -> Result<(), NotReported> {
        if let Some(StoredOutcome::Settled(_)) = self.ports.store.outcome(intent).await? {
            return Err(NotReported::Settled);
        }
        let at = self.now();
        let settlement = self.ports.store.unreported(intent).await?.ok_or(NotReported::Unknown)?;
        let run = self.ports.store.run(&settlement.run).await?;
        let own = |run: &crate::run::Run| run.agent == *caller.calling_agent() && run.user.as_ref() == caller.user();
        if !run.as_ref().is_some_and(own) {
            return Err(NotReported::Unknown);
        }
        let of = (&settlement.run, caller.user());
        let draft = self.execution_draft(intent, settlement.decision, of, &outcome, at);
        let decided = self.decided(intent).await?;
        let (action, review) = (decided.action, decided.to_review(&outcome));
        let draft = Draft { action, ..draft };
        let record = self.writer.sign(&self.writer.ticket(), draft, &self.randomness());
        let charged = !matches!(outcome, Outcome::NotStarted { .. });
        self.ports
            .store
            .settle(Settlement { record: Some(record), at, charged, outcome, review, ..settlement })
            .await?;
        Ok(())
    }
}

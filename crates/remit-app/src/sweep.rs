//! After a crash: calls that were admitted and never settled.

use jiff::Timestamp;
use remit_core::ids::{Digest, RecordId};
use remit_evidence::record::{Draft, action_of};

use crate::gate::Gate;
use crate::intent::{Settlement, Unavailable};

impl Gate {
    /// Records every intent admitted before `before` that has no receipt as `unknown`. It stays
    /// charged, is shown to people, and is never executed again.
    ///
    /// # Errors
    /// When the store is unavailable; what was swept so far stays swept.
    pub async fn sweep(&self, before: Timestamp) -> Result<usize, Unavailable> {
        let unsettled = self.ports.store.unsettled(before).await?;
        let count = unsettled.len();
        for settlement in unsettled {
            let at = self.now();
            let Settlement { intent, decision, run, outcome, .. } = &settlement;
            let user = self.ports.store.run(run).await?.and_then(|run| run.user);
            let draft = self.execution_draft(intent, *decision, (run, user.as_ref()), outcome, at);
            let draft = Draft { action: self.action_of(intent).await?, ..draft };
            let record = self.writer.sign(&self.writer.ticket(), draft, &self.randomness());
            self.ports.store.settle(Settlement { record: Some(record), at, ..settlement }).await?;
        }
        Ok(count)
    }

    /// What the records of a call that was decided name it by.
    pub(crate) async fn action_of(&self, intent: &RecordId) -> Result<Option<Digest>, Unavailable> {
        let record = self.ports.store.record(intent).await?;
        Ok(record.and_then(|record| action_of(&record.envelope)))
    }
}

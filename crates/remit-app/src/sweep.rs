//! After a crash: calls that were admitted and never settled.

use jiff::Timestamp;
use remit_core::ids::{Digest, RecordId, RunId};
use remit_core::json;
use remit_core::registry::Class;
use remit_evidence::record::{Draft, action_of};

use crate::gate::Gate;
use crate::intent::{Settlement, Unavailable};
use crate::outcome::Outcome;

/// A call that was under way when the gateway last ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swept {
    /// Its decision record.
    pub record: RecordId,
    /// Its run.
    pub run: RunId,
    /// Its tool, as far as its record tells.
    pub tool: Option<String>,
}

impl Gate {
    /// Records every intent admitted before `before` that has no receipt as `unknown`. It stays
    /// charged, is shown to people, and is never executed again.
    ///
    /// # Errors
    /// When the store is unavailable; what was swept so far stays swept.
    pub async fn sweep(&self, before: Timestamp) -> Result<Vec<Swept>, Unavailable> {
        let mut swept = Vec::new();
        for settlement in self.ports.store.unsettled(before).await? {
            let at = self.now();
            let Settlement { intent, decision, run, outcome, .. } = &settlement;
            let user = self.ports.store.run(run).await?.and_then(|run| run.user);
            let decided = self.decided(intent).await?;
            swept.push(Swept { record: intent.clone(), run: run.clone(), tool: decided.tool.clone() });
            self.ports.meter.outcome(outcome.state());
            let draft = self.execution_draft(intent, *decision, (run, user.as_ref()), outcome, at);
            let draft = Draft { action: decided.action, ..draft };
            let record = self.writer.sign(&self.writer.ticket(), draft, &self.randomness());
            let review = decided.to_review(outcome);
            self.ports.store.settle(Settlement { record: Some(record), at, review, ..settlement }).await?;
        }
        Ok(swept)
    }

    /// What the record of a decision says of its call.
    pub(crate) async fn decided(&self, intent: &RecordId) -> Result<Decided, Unavailable> {
        let Some(record) = self.ports.store.record(intent).await? else { return Ok(Decided::default()) };
        let statement = json::parse(&record.envelope.payload).unwrap_or_default();
        let tool = |name: &str| statement.pointer("/predicate/tool")?.get(name)?.as_str();
        Ok(Decided {
            action: action_of(&record.envelope),
            tool: tool("name").map(str::to_owned),
            class: tool("class").and_then(Class::parse),
        })
    }
}

/// A call, as the record of its decision has it.
#[derive(Default)]
pub(crate) struct Decided {
    /// By what its records name it.
    pub action: Option<Digest>,
    tool: Option<String>,
    class: Option<Class>,
}

impl Decided {
    /// Whether a person is to look at a call that ended so.
    pub(crate) fn to_review(&self, outcome: &Outcome) -> bool {
        outcome.is_unknown() && self.class != Some(Class::Read)
    }
}

//! Requests that end before a decision is written: refused, and on the record all the same.

use remit_core::Caller;
use remit_core::ids::{Digest, RunId};
use remit_core::verdict::Refusal;
use remit_evidence::writer::SignedRecord;

use super::{Asked, Passenger};
use crate::action::Action;
use crate::gate::{Gate, Reply};
use crate::intent::{Basis, Effect, Intent};

impl Gate {
    /// Refuses a request that never became a call, on the record.
    pub(super) async fn turn_away(&self, asked: &Asked, refusal: Refusal) -> Reply {
        let (id, ticket) = (self.record_id(), self.writer.ticket());
        let run = self.unresolved_run();
        let draft = self.unresolved_draft(&id, asked, &refusal, self.now());
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        let call = Digest::of(asked.tool.as_bytes());
        self.record_refusal(record, &asked.caller, call, &asked.tool, run, refusal).await
    }

    /// Refuses a call on which no decision was written, on the record.
    pub(super) async fn refuse(&self, passenger: &Passenger, refusal: Refusal) -> Reply {
        let Passenger { call, record, ticket, .. } = passenger;
        let action = Action::of(call, passenger.salt);
        let draft = self.refusal_draft(record, (call, &action), &refusal, self.now());
        let record = self.writer.sign(ticket, draft, &self.randomness());
        let tool = call.tool.name.to_string();
        self.record_refusal(record, &call.caller, call.digest(), &tool, call.run.clone(), refusal).await
    }

    async fn record_refusal(
        &self,
        record: SignedRecord,
        caller: &Caller,
        call: Digest,
        tool: &str,
        run: RunId,
        refusal: Refusal,
    ) -> Reply {
        self.ports.meter.verdict("deny", Some(refusal.code));
        let id = record.id.clone();
        let intent = Intent {
            record,
            run,
            agent: caller.calling_agent().clone(),
            user: caller.user().cloned(),
            call,
            tool: shown(tool),
            at: self.now(),
            basis: Basis::default(),
            idempotency: None,
            preview_of: None,
            review: false,
            questions_max: self.habits.questions_max,
            effect: Effect::Refuse,
        };
        match self.ports.store.commit_intent(intent).await {
            Ok(_) => Reply::Refused { record: Some(id), refusal },
            // Refused either way; that it could not be recorded is no reason to say why less plainly.
            Err(_) => Reply::Refused { record: None, refusal },
        }
    }
}

/// A name as it is safe to show and to store.
pub(super) fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(128).collect()
}

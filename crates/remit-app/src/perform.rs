//! From a permit to an answer: unlock, forward, settle.

use std::pin::Pin;

use futures_util::future::{Either, select};
use remit_core::registry::{Class, Tool};
use remit_core::verdict::Code;
use remit_evidence::record::Draft;
use serde_json::Value;

use crate::authorize::Admitted;
use crate::gate::{Gate, Reply};
use crate::intent::Settlement;
use crate::outcome::{Answer, Outcome};
use crate::ports::Step;

impl Gate {
    /// Carries out an admitted call. From here on a call always ends in a receipt: what cannot be
    /// told is recorded as unknown, and a crash leaves an intent that `sweep` will find.
    pub(crate) async fn perform(
        &self,
        admitted: Admitted,
        cancelled: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    ) -> Reply {
        let Admitted { permit, reservations, settle_first, told } = admitted;
        let (intent, decision, action) = (permit.intent().clone(), permit.decision(), permit.action());
        let (tool, run) = (permit.tool().clone(), permit.call().run.clone());
        let user = permit.call().caller.user().cloned();
        let traceparent = permit.passage().traceparent.clone();
        let meter = &self.ports.meter;
        let began = meter.tick();
        let unlocked = self.ports.vault.unlock(&permit).await;
        meter.step(Step::Unlock, began);
        let began = meter.tick();
        let outcome = match unlocked {
            Err(error) => Outcome::NotStarted { code: Code::CredentialUnavailable, reason: error.to_string() },
            Ok(secret) => {
                let forward = self.ports.upstreams.forward(permit, secret);
                match cancelled {
                    None => forward.await,
                    Some(cancelled) => match select(forward, cancelled).await {
                        Either::Left((outcome, _)) => outcome,
                        // Dropping the future tells the upstream; whether it listened is unknown.
                        Either::Right(((), _)) => Outcome::Unknown {
                            code: Code::EffectUnknown,
                            reason: "the caller went away while the call was under way".into(),
                        },
                    },
                }
            }
        };
        meter.step(Step::Forward, began);
        meter.outcome(outcome.state());
        let began = meter.tick();
        let outcome = validated(&tool, outcome);
        let at = self.now();
        let draft = self.execution_draft(&intent, decision, (&run, user.as_ref()), &outcome, at);
        let draft = Draft { action: Some(action), traceparent, ..draft };
        let settlement = Settlement {
            intent: intent.clone(),
            record: Some(self.writer.sign(&self.writer.ticket(), draft, &self.randomness())),
            decision,
            run: run.clone(),
            at,
            charged: !matches!(outcome, Outcome::NotStarted { .. }),
            reservations,
            labels: (told && matches!(outcome, Outcome::Completed(_))).then(|| tool.labels.clone()),
            outcome: outcome.clone(),
            review: told && outcome.is_unknown() && tool.class != Class::Read,
        };
        let store = &self.ports.store;
        // The deed is done: a receipt that cannot be written does not fail the reply. The intent
        // stays unsettled, stays charged, and is shown to people.
        let _recorded = if settle_first { store.settle(settlement).await } else { store.settle_soon(settlement) };
        meter.step(Step::Settle, began);
        Reply::Done { record: intent, outcome, run }
    }
}

/// Holds an answer to the schema the tool's pin declares. An answer that breaks it is none, and
/// what the call did is then unknown.
fn validated(tool: &Tool, outcome: Outcome) -> Outcome {
    let (Outcome::Completed(Answer::Result(result)), Some(schema)) = (&outcome, &tool.output) else { return outcome };
    let failed = result.get("isError").and_then(Value::as_bool) == Some(true);
    let unfinished = result.get("resultType").is_some_and(|kind| kind != "complete");
    if failed || unfinished {
        return outcome;
    }
    let checked = match result.get("structuredContent") {
        Some(content) => schema.check(content),
        None => Err("there is no structured content".to_owned()),
    };
    match checked {
        Ok(()) => outcome,
        Err(_) => Outcome::Unknown {
            code: Code::UpstreamFailed,
            reason: "the result violates the output schema that was approved for this tool".into(),
        },
    }
}

//! What a run has been told so far: the user's words and the answers of tools. It is gathered only when it
//! is asked for, by a policy or by people who are about to vote.

use remit_core::call::Call;
use remit_core::ids::ToolName;
use remit_core::origin::Sources;
use remit_core::registry::Registry;

use crate::intent::Unavailable;
use crate::outcome::{Answer, Outcome, RunOutcome, StoredOutcome};
use crate::ports::Store;

/// Answers looked at; a run with more of them is not known whole.
const ANSWERS_MAX: u32 = 256;

/// Everything that could have named the values of this call.
///
/// A run that was not opened by name shares its model's memory with runs before it, so it is never known
/// whole. What is answered while this call is decided cannot have shaped its arguments.
///
/// # Errors
/// When the store is unavailable.
pub(crate) async fn sources(store: &dyn Store, registry: &Registry, call: &Call) -> Result<Sources, Unavailable> {
    let mut sources = Sources::default();
    sources.schema(&call.tool.definition.input_schema());
    match store.run(&call.run).await? {
        Some(run) => {
            run.intent.iter().for_each(|words| sources.user(words));
            if run.implicit {
                sources.forget();
            }
        }
        None => sources.forget(),
    }
    let outcomes = store.outcomes(&call.run, ANSWERS_MAX).await?;
    if outcomes.len() >= ANSWERS_MAX as usize {
        sources.forget();
    }
    for RunOutcome { tool, reported, outcome } in outcomes {
        let answer = match outcome {
            StoredOutcome::Settled(Outcome::Completed(answer)) => answer,
            // Nobody was answered, or not before this call was made.
            StoredOutcome::Settled(Outcome::NotStarted { .. } | Outcome::Unknown { .. }) | StoredOutcome::Pending => {
                continue;
            }
        };
        // A tool that is not known any more may have let anybody speak.
        let tool = ToolName::parse(&tool).ok().and_then(|name| registry.tool(&name));
        // What a service reports, its agent may have written.
        let untrusted = reported || tool.is_none_or(|tool| tool.labels.untrusted);
        match answer {
            forgotten if forgotten == Answer::forgotten() => sources.forget(),
            Answer::Result(value) => sources.answer(untrusted, &value),
            Answer::Error { message, data, .. } => {
                sources.answer(untrusted, &message.into());
                data.iter().for_each(|data| sources.answer(untrusted, data));
            }
        }
    }
    Ok(sources)
}

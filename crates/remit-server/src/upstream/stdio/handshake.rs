//! Finding out which era a process speaks (MCP 2026-07-28, stdio, "Backward Compatibility").

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::time::{Instant, timeout};

use super::process::{Process, State};
use super::{START_TIME_MAX, waiting};
use crate::upstream::failure::Failure;
use crate::upstream::footing::{Era, Footing};
use crate::upstream::frame;

/// How long a process may be silent when asked for the modern era before it is taken for legacy.
const ASK_TIME_MAX: Duration = Duration::from_secs(if cfg!(test) { 3 } else { 8 });
/// How long the second of two questions may wait for its answer when the first has one.
const SECOND_ANSWER_TIME_MAX: Duration = Duration::from_secs(2);
const CHANGING: [&str; 3] = ["tools", "prompts", "resources"];

/// Finds the footing with a process that was just started.
pub(super) async fn shake(process: Weak<Process>, ask: bool) {
    let Some(process) = process.upgrade() else { return };
    let state = match find(&process, ask).await {
        Ok(footing) => State::Ready(Arc::new(footing)),
        Err(failed) => failed,
    };
    if let State::Ready(footing) = &state
        && footing.era == Era::Modern
    {
        let kinds: Vec<_> = CHANGING.into_iter().filter(|kind| footing.tells_changes(kind)).collect();
        // Nobody waits for this one: its answer is the end of the subscription.
        if !kinds.is_empty() {
            process.tell(frame::request(process.next_id(), "subscriptions/listen", &frame::listen(&kinds)));
        }
    }
    process.settle(state);
}

async fn find(process: &Process, ask: bool) -> Result<Footing, State> {
    let deadline = Instant::now() + START_TIME_MAX;
    if !ask {
        return initialize(process, deadline).await;
    }
    let id = process.next_id();
    let discover = frame::request(id, "server/discover", &frame::own(Era::Modern, None));
    let mut discovering = std::pin::pin!(process.exchange(id, discover, None, deadline));
    match timeout(ASK_TIME_MAX, &mut discovering).await {
        Ok(answered) => match modern(answered)? {
            Some(footing) => Ok(footing),
            None => initialize(process, deadline).await,
        },
        // Silence: a legacy server that ignores what it does not know, or one of either era that takes
        // its time to start. Whichever question is answered well says which.
        Err(_) => {
            let initializing = std::pin::pin!(initialize(process, deadline));
            match select(initializing, discovering).await {
                Either::Left((initialized, _)) => initialized,
                Either::Right((answered, initializing)) => match modern(answered)? {
                    // A server of both eras may stay in the one that the handshake selected.
                    Some(footing) => match timeout(SECOND_ANSWER_TIME_MAX, initializing).await {
                        Ok(Ok(legacy)) => Ok(legacy),
                        Ok(Err(_)) | Err(_) => Ok(footing),
                    },
                    None => initializing.await,
                },
            }
        }
    }
}

/// The modern footing, `None` when the answer says that it is legacy.
fn modern(answered: Result<waiting::Answered, Failure>) -> Result<Option<Footing>, State> {
    match answered {
        Ok(answered) => Footing::discovered(&answered.reply).map_err(failed),
        // The process ended, or said something that nobody can read. Another one is not asked.
        Err(failure) => Err(State::Failed { reason: failure.to_string(), asked_to_death: true }),
    }
}

async fn initialize(process: &Process, deadline: Instant) -> Result<Footing, State> {
    let id = process.next_id();
    let frame = frame::request(id, "initialize", &frame::handshake());
    let answered = process.exchange(id, frame, None, deadline).await.map_err(failed)?;
    let result = answered.reply.map_err(failed)?;
    let footing = Footing::agreed(&result, None).map_err(failed)?;
    process.tell(frame::notification("notifications/initialized", "{}"));
    Ok(footing)
}

fn failed(failure: Failure) -> State {
    let failure = failure.before("its handshake failed");
    let reason = match failure {
        Failure::NotStarted { reason } => reason,
        other => other.to_string(),
    };
    State::Failed { reason, asked_to_death: false }
}

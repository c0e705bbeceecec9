//! What a gate on the stage is surrounded by: a made-up upstream, a clock that is moved by hand, no secrets.

use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use remit_app::outcome::{Answer, Outcome};
use remit_app::permit::Permit;
use remit_app::ports::{Clock, CredentialUnavailable, Entropy, Meter, Notifier, Step as Verb, Upstreams, Vault};
use remit_app::secret::Secret;
use remit_config::Effect;
use remit_core::ids::{Digest, QuestionId};
use remit_core::registry::Tool;
use remit_core::verdict::Code;
use serde_json::json;

/// What the gate is surrounded by.
pub(super) struct Props {
    pub now: AtomicI64,
    pub next: Mutex<Effect>,
    pub received: AtomicUsize,
    pub drawn: AtomicI64,
}

#[async_trait]
impl Upstreams for Props {
    async fn forward(&self, _permit: Permit, _secret: Option<Secret>) -> Outcome {
        self.received.fetch_add(1, Ordering::SeqCst);
        let next = self.next.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match next {
            Effect::Empty => Outcome::Completed(Answer::Result(json!({"content": []}))),
            Effect::Result(result) => Outcome::Completed(Answer::Result(result)),
            Effect::Error(text) => {
                let content = json!([{"type": "text", "text": text}]);
                Outcome::Completed(Answer::Result(json!({"content": content, "isError": true})))
            }
            Effect::Lost => Outcome::Unknown { code: Code::EffectUnknown, reason: "the answer was lost".into() },
        }
    }

    fn drifted(&self, _tool: &Tool) -> bool {
        false
    }
}

#[async_trait]
impl Vault for Props {
    async fn unlock(&self, _permit: &Permit) -> Result<Option<Secret>, CredentialUnavailable> {
        Ok(None)
    }
}

impl Clock for Props {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.now.load(Ordering::SeqCst)).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl Entropy for Props {
    /// Different each time and the same in each rehearsal.
    fn bytes(&self) -> [u8; 32] {
        let drawn = self.drawn.fetch_add(1, Ordering::SeqCst);
        *Digest::of(&drawn.to_be_bytes()).as_bytes()
    }
}

impl Notifier for Props {
    fn question_changed(&self, _question: &QuestionId) {}
    fn authority_changed(&self) {}
}

impl Meter for Props {
    fn tick(&self) -> u64 {
        0
    }
    fn step(&self, _step: Verb, _since: u64) {}
    fn verdict(&self, _verdict: &'static str, _code: Option<Code>) {}
    fn outcome(&self, _state: &'static str) {}
}

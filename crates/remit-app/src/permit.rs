//! The permit: in-process proof that one call may be forwarded.

use std::sync::Arc;

use remit_core::Call;
use remit_core::ids::{Digest, RecordId};
use remit_core::registry::Tool;
use serde_json::Value;

use crate::intent::Receipt;

/// Proof that one call was decided, recorded, and may be carried out once.
///
/// INVARIANT (no effect without a record): a permit is made only from a store's [`Receipt`], inside
/// this crate; it is neither `Clone` nor `Deserialize`, and `forward` takes it by value. So there is
/// no way to an upstream that does not lead through a committed decision record, and none to go
/// there twice.
///
/// ```compile_fail
/// fn twice(permit: remit_app::permit::Permit) -> (remit_app::permit::Permit, remit_app::permit::Permit) {
///     (permit.clone(), permit)
/// }
/// ```
///
/// ```compile_fail
/// fn forged(call: remit_core::Call) -> remit_app::permit::Permit {
///     remit_app::permit::Permit { call }
/// }
/// ```
#[derive(Debug)]
pub struct Permit {
    receipt: Receipt,
    call: Call,
    decision: Digest,
    action: Digest,
    passage: Passage,
}

/// What travels with a call beside its arguments. None of it is read by a policy.
#[derive(Clone, Debug, Default)]
pub struct Passage {
    /// The W3C trace context that the upstream is given.
    pub traceparent: Option<String>,
    /// Answers to an upstream's own questions, for protocols that repeat a call with them.
    pub continuation: Option<Continuation>,
    /// Where progress of the upstream is passed to, while somebody listens.
    pub progress: Option<Progress>,
}

/// An upstream's state and the client's answers, carried back to it unread.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// The upstream's opaque state.
    pub state: Option<String>,
    /// The client's answers.
    pub responses: Option<Value>,
    /// What the client can do for the upstream, as its request declared.
    pub capabilities: Option<Value>,
}

/// A place that takes progress notices; dropping one loses nothing that matters.
#[derive(Clone)]
pub struct Progress(pub Arc<dyn Fn(Value) + Send + Sync>);

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Progress")
    }
}

impl Permit {
    /// The one place where a permit comes into being.
    pub(crate) const fn new(
        receipt: Receipt,
        call: Call,
        (decision, action): (Digest, Digest),
        passage: Passage,
    ) -> Self {
        Self { receipt, call, decision, action, passage }
    }

    /// The tool to call.
    #[must_use]
    pub const fn tool(&self) -> &Arc<Tool> {
        &self.call.tool
    }

    /// The arguments to forward: the canonical text that was decided on.
    #[must_use]
    pub fn arguments(&self) -> &str {
        self.call.canonical_arguments()
    }

    /// What travels along.
    #[must_use]
    pub const fn passage(&self) -> &Passage {
        &self.passage
    }

    /// The decision record.
    #[must_use]
    pub const fn intent(&self) -> &RecordId {
        self.receipt.intent()
    }

    /// The digest of the decision record.
    #[must_use]
    pub const fn decision(&self) -> Digest {
        self.decision
    }

    /// What the records of the call name it by.
    #[must_use]
    pub const fn action(&self) -> Digest {
        self.action
    }

    /// The call itself.
    #[must_use]
    pub const fn call(&self) -> &Call {
        &self.call
    }
}

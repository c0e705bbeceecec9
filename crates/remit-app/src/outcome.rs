//! What came of a call.

use remit_core::verdict::Code;
use serde_json::Value;

/// What came of an admitted call. Whether it took effect is one of three things, and unknown stays unknown.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The upstream answered. A tool's own error is an answer too.
    Completed(Answer),
    /// Provably nothing was sent.
    NotStarted {
        /// Why.
        code: Code,
        /// For operators and agents; never an upstream's own text.
        reason: String,
    },
    /// It was started, and nobody knows whether it took effect.
    Unknown {
        /// Why.
        code: Code,
        /// For operators and agents.
        reason: String,
    },
}

/// An upstream's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A result, as the upstream gave it, within the limits.
    Result(Value),
    /// A protocol error: the upstream refused the request as such.
    Error {
        /// The JSON-RPC code.
        code: i64,
        /// Its message.
        message: String,
        /// Its data.
        data: Option<Value>,
    },
}

/// An outcome as the store knows it.
#[derive(Clone, Debug, PartialEq)]
pub enum StoredOutcome {
    /// Admitted, not settled yet.
    Pending,
    /// Settled.
    Settled(Outcome),
}

/// What came of one call of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunOutcome {
    /// The tool's name.
    pub tool: String,
    /// Whether a service carried it out, so that the outcome is what it says.
    pub reported: bool,
    /// The outcome, where there is one.
    pub outcome: StoredOutcome,
}

impl Answer {
    /// What stands in place of an answer that is kept no longer: the call was carried out once, and whoever
    /// repeats it is told that much.
    #[must_use]
    pub fn forgotten() -> Self {
        let message = "the call was carried out; its answer is kept no longer".to_owned();
        Self::Error { code: -32_000, message, data: None }
    }
}

impl Outcome {
    /// The word used in records and metrics.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self::Completed(_) => "completed",
            Self::NotStarted { .. } => "not_started",
            Self::Unknown { .. } => "unknown",
        }
    }

    /// Whether nobody knows what the call did.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }
}

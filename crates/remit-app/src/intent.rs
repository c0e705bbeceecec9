//! What passes between a decision and the store.

use jiff::Timestamp;
use remit_core::CaseFile;
use remit_core::budget::Reservation;
use remit_core::ids::{AgentId, Digest, QuestionId, RecordId, RuleId, RunId, UserId};
use remit_core::labels::Labels;
use remit_core::verdict::Code;
use remit_evidence::writer::SignedRecord;

use crate::action::Salt;
use crate::outcome::Outcome;
use crate::question::{Narrowed, Question};

/// The store cannot promise what was asked of it. The text is for operators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is unavailable: {0}")]
pub struct Unavailable(pub String);

/// Why a commit did not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// The facts have changed since they were read: decide again.
    #[error("the facts have changed: {0}")]
    Conflict(&'static str),
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The facts of one case, and the versions they were read at.
#[derive(Clone, Debug)]
pub struct Case {
    /// The facts.
    pub file: CaseFile,
    /// What must still hold at commit.
    pub basis: Basis,
    /// A question that is already open for exactly this call.
    pub open_question: Option<QuestionId>,
    /// The salt under which exactly this call was asked about last, if it was and may still be made.
    pub salt: Option<Salt>,
    /// What a person has put in the place of exactly this call, when one has.
    pub narrowed: Option<Narrowed>,
}

/// Versions of what was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// Counts halts ordered and lifted.
    pub halts: u64,
    /// Counts changes of the run's labels and its closing.
    pub run: u64,
    /// Counts grants given and ended. Of the gate's own reading: it asks for the grants first, because
    /// they say on which budgets the call may draw.
    pub grants: u64,
    /// For each satisfied rule, the question whose approval satisfies it.
    pub approvals: Vec<(RuleId, QuestionId)>,
}

/// A decision on its way into the store.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The decision record.
    pub record: SignedRecord,
    /// The run.
    pub run: RunId,
    /// Who calls.
    pub agent: AgentId,
    /// For whom.
    pub user: Option<UserId>,
    /// The exact call.
    pub call: Digest,
    /// The tool's name.
    pub tool: String,
    /// When it was decided.
    pub at: Timestamp,
    /// What the decision was read from.
    pub basis: Basis,
    /// A key under which the caller may ask for the same outcome again.
    pub idempotency: Option<IdempotencyKey>,
    /// Whether a person has to look at the call afterwards, if it is admitted.
    pub review: bool,
    /// How many questions this agent may have open, or approved and not yet used, once this one is asked.
    pub questions_max: u32,
    /// The question whose preview the call is; none for a call that is made for what comes of it.
    pub preview_of: Option<QuestionId>,
    /// What the decision does.
    pub effect: Effect,
}

/// What a decision uses up or asks.
#[derive(Clone, Debug)]
pub enum Effect {
    /// The call goes ahead.
    Admit {
        /// To reserve.
        reservations: Vec<Reservation>,
        /// To use up; each must be in the basis.
        approvals: Vec<RuleId>,
        /// Whether the record may become durable a bounded time later.
        batched: bool,
        /// By whom it is carried out.
        carrier: Carrier,
    },
    /// The call waits for people.
    Hold(Box<Question>),
    /// The call does not go ahead.
    Refuse,
}

/// Who carries out an admitted call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The gate. It alone says what came of it, and the run collects labels with the answer.
    Gate,
    /// A service, which reports what came of it if it likes, and in its own words. What the tool answers is seen by it
    /// and by nobody here, so the run collects these labels at once.
    Service {
        /// Those of the tool.
        labels: Labels,
    },
}

/// A key a client chose, within one agent and user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub String);

/// What a commit did.
#[derive(Debug)]
pub enum Committed {
    /// Admitted: here is the proof.
    Admitted(Receipt),
    /// Held by this question, which may be older than this intent.
    Held(QuestionId),
    /// Refused, and recorded.
    Refused,
    /// The idempotency key was used by this earlier intent, or this earlier one was the preview of the same question.
    Repeated {
        /// The earlier decision record.
        intent: RecordId,
        /// The call it was for.
        call: Digest,
    },
}

/// A store's proof that an intent is durable (or, for batched ones, ordered).
///
/// INVARIANT (one permit per receipt): it is neither `Clone` nor constructible from data; stores
/// make one per admitted intent, and a permit takes it by value.
#[derive(Debug)]
pub struct Receipt {
    intent: RecordId,
}

impl Receipt {
    /// Asserts that the intent of this record has been committed. Only store adapters may say so,
    /// after their commit; reviewers find every place by this name.
    #[must_use]
    pub const fn assert_committed(intent: RecordId) -> Self {
        Self { intent }
    }

    /// The decision record.
    #[must_use]
    pub const fn intent(&self) -> &RecordId {
        &self.intent
    }
}

/// The end of an admitted call.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The decision record.
    pub intent: RecordId,
    /// The receipt record; `None` when the store itself lists an intent that has none yet.
    pub record: Option<SignedRecord>,
    /// The digest of the decision record, which the receipt refers to.
    pub decision: Digest,
    /// The run.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
    /// What was reserved.
    pub reservations: Vec<Reservation>,
    /// Whether what was reserved is booked. It is released only when the effect never started.
    pub charged: bool,
    /// Labels to add to the run.
    pub labels: Option<Labels>,
    /// What came of it, for whoever asks again.
    pub outcome: Outcome,
    /// Whether a person is to look at it: something may have changed, and nobody knows whether it did.
    pub review: bool,
}

impl Settlement {
    /// The end of a call of which nobody said what came of it. Whether it took effect is unknown, so it is charged.
    #[must_use]
    pub fn abandoned(
        intent: RecordId,
        decision: Digest,
        run: RunId,
        at: Timestamp,
        reservations: Vec<Reservation>,
    ) -> Self {
        let reason = "the gateway stopped before it learned what came of the call".into();
        let outcome = Outcome::Unknown { code: Code::EffectUnknown, reason };
        let (record, labels, charged, review) = (None, None, true, false);
        Self { intent, record, decision, run, at, reservations, charged, labels, outcome, review }
    }
}

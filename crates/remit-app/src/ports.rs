//! What the use cases need from the outside, on one page. Each deed of the [`Store`] states its
//! atomicity and durability; the conformance suite in `remit-testkit` holds every adapter to it.

mod attention;
mod changes;
mod delegations;
mod epochs;
mod grants;
pub mod listing;
mod outbox;
mod people;
mod questions;
mod reviews;
mod stamps;
mod standings;

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use remit_core::budget::{Budget, Span};
use remit_core::halt::{Halt, HaltTarget};
use remit_core::ids::{AgentId, Digest, QuestionId, RecordId, RuleId, RunId, UserId};
use remit_evidence::log::leaf::Leaf;
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;

use crate::hold::{Hold, HoldTarget};
use crate::intent::{Case, CommitError, Committed, Intent, Settlement, Unavailable};
use crate::ledger::Head;
use crate::outcome::{Outcome, RunOutcome, StoredOutcome};
use crate::permit::Permit;
use crate::question::{Question, Vote};
use crate::run::{Run, RunFilter};
use crate::secret::Secret;

pub use attention::Attention;
pub use changes::Changes;
pub use delegations::Delegations;
pub use epochs::Epochs;
pub use grants::Grants;
pub use listing::Listing;
pub use outbox::Outbox;
pub use people::People;
pub use questions::{Narrowing, Questions};
pub use reviews::Reviews;
pub use stamps::Stamps;
pub use standings::Standings;

/// Where everything durable lives. Identifiers compare byte for byte.
///
/// A deed that returned `Ok` has happened and survives a crash, unless its contract says otherwise.
/// A deed that returned an error has not happened, or the store has declared itself dead: once an
/// fsync has failed nothing is known about the file any more, so every later deed fails too.
#[async_trait]
pub trait Store:
    People
    + Questions
    + Grants
    + Outbox
    + Listing
    + Changes
    + Delegations
    + Reviews
    + Attention
    + Stamps
    + Standings
    + Epochs
    + Send
    + Sync
{
    /// Reads everything one decision needs, as of one moment.
    async fn load_case(&self, query: &CaseQuery<'_>) -> Result<Case, Unavailable>;

    /// Writes a decision record together with what the decision uses up or asks, or none of it.
    ///
    /// * Admit: reserves every budget, uses up every approval and counts the call in its run. It is
    ///   a [`CommitError::Conflict`] when the basis has changed (halts, run, approvals), or when a
    ///   budget has no room any more.
    ///   If it asks for a review, that waits from then on.
    /// * Hold: stores the question; when one is open for the same call already and asks the same rules
    ///   under the same definitions, that one is kept. It is a [`CommitError::Conflict`] with `questions` when the
    ///   agent has as many open, or approved and not yet used, as the intent allows; canaries do not count.
    /// * Refuse: only the record.
    ///
    /// Of the previews of one question only the first is admitted, and of the calls under one idempotency key; what
    /// comes after is told which it was ([`Committed::Repeated`]), and nothing is stored.
    ///
    /// Durable on return, except that an intent marked `batched` is only ordered before every
    /// later deed and becomes durable within the bound the store was opened with. Until then a crash may lose it: of the
    /// machine, or of this process. What is asked of this store shows it at once.
    async fn commit_intent(&self, intent: Intent) -> Result<Committed, CommitError>;

    /// Writes a receipt, books or releases what the call had reserved, and adds labels to its run;
    /// all of it or none. Durable on return. Settling an intent twice changes nothing.
    async fn settle(&self, settlement: Settlement) -> Result<(), Unavailable>;

    /// As [`Store::settle`], but only handed over: ordered before every later deed, durable within
    /// the store's bound.
    fn settle_soon(&self, settlement: Settlement) -> Result<(), Unavailable>;

    /// The outcome of an admitted call, by its decision record; `None` when there is no such intent.
    async fn outcome(&self, intent: &RecordId) -> Result<Option<StoredOutcome>, Unavailable>;

    /// What came of the calls of a run, the newest first, at most `limit`: the tool, and the outcome where
    /// there is one. Sees every settlement that was handed over before. Not those of previews: the agent was never
    /// told.
    async fn outcomes(&self, run: &RunId, limit: u32) -> Result<Vec<RunOutcome>, Unavailable>;

    /// What an admitted call that a [service](crate::intent::Carrier::Service) carries out would be settled with if it
    /// said nothing; `None` when there is no such call, or it is settled.
    async fn unreported(&self, intent: &RecordId) -> Result<Option<Settlement>, Unavailable>;

    /// Intents admitted before `before` that nobody has settled.
    async fn unsettled(&self, before: Timestamp) -> Result<Vec<Settlement>, Unavailable>;

    /// Opens a run. A run of the same id is a conflict.
    async fn open_run(&self, run: &Run, record: SignedRecord) -> Result<(), CommitError>;
    /// Closes an open run.
    async fn close_run(&self, run: &RunId, at: Timestamp, record: SignedRecord) -> Result<(), CommitError>;
    /// One run.
    async fn run(&self, id: &RunId) -> Result<Option<Run>, Unavailable>;
    /// The newest implicit run of this agent and user that is open and was used since `since`.
    async fn idle_run(
        &self,
        agent: &AgentId,
        user: Option<&UserId>,
        since: Timestamp,
    ) -> Result<Option<RunId>, Unavailable>;
    /// Runs, newest first.
    async fn runs(&self, filter: &RunFilter) -> Result<Vec<Run>, Unavailable>;

    /// One question with its votes.
    async fn question(&self, id: &QuestionId) -> Result<Option<Question>, Unavailable>;
    /// Adds a vote. It is a conflict when the question is no longer open at the vote's time, or the
    /// same person has voted on the same rule. A denial closes the question.
    async fn answer_question(&self, vote: Vote, record: SignedRecord) -> Result<Question, CommitError>;

    /// The halts in force.
    async fn halts(&self) -> Result<Vec<Halt>, Unavailable>;
    /// Orders a halt; the reason of an existing one on the same target is replaced.
    async fn put_halt(&self, halt: Halt, record: SignedRecord) -> Result<(), Unavailable>;
    /// Lifts a halt; false when there was none.
    async fn lift_halt(&self, target: &HaltTarget, record: SignedRecord) -> Result<bool, Unavailable>;

    /// The holds in place.
    async fn holds(&self) -> Result<Vec<Hold>, Unavailable>;
    /// Places a hold; the reason of an existing one on the same target is replaced.
    async fn put_hold(&self, hold: Hold, record: SignedRecord) -> Result<(), Unavailable>;
    /// Lifts a hold; false when there was none.
    async fn lift_hold(&self, target: &HoldTarget, record: SignedRecord) -> Result<bool, Unavailable>;

    /// Deletes what is held of a person beside the signed payloads, and appends the record that says so; all
    /// of it or none. The disclosures of the records at the given positions go whole, with what the calls
    /// there have left; of the person's votes, questions, calls and runs a bounded number. True when
    /// there are more of those. Afterwards the values are in no file of the store.
    ///
    /// It is a conflict (`held`) when a hold keeps any of it, and when something of theirs is not over: an
    /// open run, a call under way, an open question of theirs (which lapses instead if `also_open`
    /// says so), or an open question that they voted on. Erasing twice changes nothing.
    async fn erase(&self, erasure: Erasure, record: SignedRecord) -> Result<bool, CommitError>;
    /// Deletes disclosures and answers of the records at the given positions, and a bounded number of budget
    /// spans in which nothing is reserved. It is a conflict when the holds are others than the choice was
    /// made under.
    async fn retire(&self, retirement: Retirement) -> Result<Retired, CommitError>;

    /// Appends a record that stands alone.
    async fn append(&self, record: SignedRecord) -> Result<(), Unavailable>;
    /// One record.
    async fn record(&self, id: &RecordId) -> Result<Option<SignedRecord>, Unavailable>;
    /// How many records stand before each of these, in the order of [`Store::records`]: the places of
    /// their leaves in the log. `None` for one that is not there.
    async fn places(&self, ids: &[RecordId]) -> Result<Vec<Option<u64>>, Unavailable>;
    /// Records in the order in which they became durable, after `after` of them, at most `limit`.
    async fn records(&self, filter: &RecordFilter) -> Result<Vec<SignedRecord>, Unavailable>;

    /// How many records there are, batched ones too.
    async fn count(&self) -> Result<u64, Unavailable>;
    /// The leaves of the records after the first `after`, at most `limit`, in the order of
    /// [`Store::records`]. Only of records that survive a crash of the machine: what is batched is made
    /// durable first, or left out.
    async fn leaves(&self, after: u64, limit: u32) -> Result<Vec<Leaf>, Unavailable>;
    /// The head of the log that is signed now, which is the last one ([`Epochs`]); `None` before its first.
    async fn head(&self) -> Result<Option<Head>, Unavailable>;
    /// Replaces the head, if it still is `from` (its tree, whatever its note) and `to` is of the same log
    /// and either larger or the same tree; else it is a [`CommitError::Conflict`] and nothing has
    /// changed. Durable on return.
    async fn advance_head(&self, from: Option<&Head>, to: &Head) -> Result<(), CommitError>;

    /// How much of some budgets is settled and reserved, for show.
    async fn usage(&self, budgets: &[(Budget, Span)]) -> Result<Vec<(u64, u64)>, Unavailable>;

    /// Whether the store can still promise anything.
    fn health(&self) -> Result<(), Unavailable>;

    /// Makes everything handed over durable and stops accepting more.
    async fn close(&self);
}

/// Which case is asked for.
#[derive(Clone, Debug)]
pub struct CaseQuery<'a> {
    /// The run.
    pub run: &'a RunId,
    /// The exact call.
    pub call: Digest,
    /// The budgets it may draw on, with their present spans; the third part is the object counted.
    pub budgets: Vec<(Budget, Span, Option<String>)>,
    /// Approval rules with their present definitions and quorums: votes given under another definition do not count.
    pub rules: &'a [(RuleId, Digest, u32)],
    /// This moment: approvals and refusals that have lapsed do not count.
    pub now: Timestamp,
}

/// Which records are asked for.
#[derive(Clone, Debug, Default)]
pub struct RecordFilter {
    /// Only those of this run.
    pub run: Option<RunId>,
    /// Only those of this kind. Meant for kinds of which there are few: keys and policies.
    pub kind: Option<Kind>,
    /// Skip this many.
    pub after: u64,
    /// At most this many; zero means 1,000.
    pub limit: u32,
}

/// Of whom what is to be deleted.
#[derive(Clone, Debug)]
pub struct Erasure {
    /// The person, as user and as operator.
    pub person: UserId,
    /// Records that disclose them, each by how many there were up to it.
    pub positions: Vec<u64>,
    /// Whether their open questions lapse.
    pub also_open: bool,
    /// This moment.
    pub now: Timestamp,
}

/// What is kept no longer.
#[derive(Clone, Debug, Default)]
pub struct Retirement {
    /// Records whose disclosures go, each by how many there were up to it.
    pub disclosures: Vec<u64>,
    /// Decision records whose calls' answers go.
    pub outcomes: Vec<u64>,
    /// Budget spans that ended before this moment go.
    pub spans_ended_before: Option<Timestamp>,
    /// The holds under which this was chosen.
    pub held: Vec<HoldTarget>,
}

/// How much was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// Records that lost their disclosures.
    pub disclosures: u64,
    /// Calls that lost their answer.
    pub outcomes: u64,
    /// Budget spans.
    pub spans: u64,
}

impl std::ops::AddAssign for Retired {
    fn add_assign(&mut self, more: Self) {
        self.disclosures += more.disclosures;
        self.outcomes += more.outcomes;
        self.spans += more.spans;
    }
}

/// Keeps credentials. Nothing but the edge's own connections ever sees one.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The credential for one admitted call; `None` when its upstream needs none.
    ///
    /// # Errors
    /// When it cannot be read; the text names the reference, never the credential.
    async fn unlock(&self, permit: &Permit) -> Result<Option<Secret>, CredentialUnavailable>;
}

/// A credential that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CredentialUnavailable(pub String);

/// The systems behind the gate.
#[async_trait]
pub trait Upstreams: Send + Sync {
    /// Carries out one admitted call. Takes the permit by value: there is no second time.
    async fn forward(&self, permit: Permit, secret: Option<Secret>) -> Outcome;

    /// Whether the tool's served definition is known to differ from its approved pin.
    fn drifted(&self, tool: &remit_core::registry::Tool) -> bool;
}

/// Time, as the machine tells it.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// Unguessable numbers.
pub trait Entropy: Send + Sync {
    /// Fresh random bytes from the operating system.
    fn bytes(&self) -> [u8; 32];
}

/// Tells people and waiting calls that something happened. Losing a notice loses no fact.
pub trait Notifier: Send + Sync {
    /// A question was asked or answered.
    fn question_changed(&self, question: &QuestionId);
    /// The authority, a halt or a tool changed: lists that agents hold may be stale.
    fn authority_changed(&self);
    /// A question has reached this step of its escalation under this rule, counted from one: others are asked besides.
    fn escalated(&self, question: &QuestionId, rule: &RuleId, step: usize) {
        let _ = (rule, step);
        self.question_changed(question);
    }
}

/// The people who steer the gateway, as its configuration has them now.
pub trait Roster: Send + Sync {
    /// One of them, whose key is in force.
    fn person(&self, id: &remit_core::ids::OperatorId) -> Option<remit_core::approval::Approver>;
    /// All of them whose keys are in force, each once.
    fn people(&self) -> Vec<remit_core::approval::Approver>;
}

/// A verb of a call's way, as metrics and traces name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// Bytes to a request.
    Accept,
    /// Credential to caller.
    Identify,
    /// Request to call.
    Resolve,
    /// Call to case.
    Load,
    /// Case to verdict.
    Decide,
    /// Verdict to permit.
    Commit,
    /// Permit to secret.
    Unlock,
    /// Permit and secret to outcome.
    Forward,
    /// Outcome to receipt.
    Settle,
    /// Answer to bytes.
    Reply,
}

impl Step {
    /// All of them, in the order of a call; the place of each is its discriminant.
    pub const ALL: [Self; 10] = [
        Self::Accept,
        Self::Identify,
        Self::Resolve,
        Self::Load,
        Self::Decide,
        Self::Commit,
        Self::Unlock,
        Self::Forward,
        Self::Settle,
        Self::Reply,
    ];

    /// The verb.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Identify => "identify",
            Self::Resolve => "resolve",
            Self::Load => "load",
            Self::Decide => "decide",
            Self::Commit => "commit",
            Self::Unlock => "unlock",
            Self::Forward => "forward",
            Self::Settle => "settle",
            Self::Reply => "reply",
        }
    }
}

/// Counts and times. Nothing is decided on what it says.
pub trait Meter: Send + Sync {
    /// A moment on a monotonic clock, in nanoseconds.
    fn tick(&self) -> u64;
    /// A step that began at `since` has ended.
    fn step(&self, step: Step, since: u64);
    /// A decision was recorded.
    fn verdict(&self, verdict: &'static str, code: Option<remit_core::verdict::Code>);
    /// An admitted call has ended.
    fn outcome(&self, state: &'static str);
    /// A request that had to be denied has ended.
    fn canary(&self, verdict: crate::canary::Verdict) {
        let _ = verdict;
    }
}

/// The ports together.
#[derive(Clone)]
pub struct Ports {
    /// See [`Store`].
    pub store: Arc<dyn Store>,
    /// See [`Vault`].
    pub vault: Arc<dyn Vault>,
    /// See [`Upstreams`].
    pub upstreams: Arc<dyn Upstreams>,
    /// See [`Clock`].
    pub clock: Arc<dyn Clock>,
    /// See [`Entropy`].
    pub entropy: Arc<dyn Entropy>,
    /// See [`Notifier`].
    pub notifier: Arc<dyn Notifier>,
    /// See [`Meter`].
    pub meter: Arc<dyn Meter>,
}

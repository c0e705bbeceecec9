//! Lists for people who look. Each page is found from where the last one ended, and costs a bounded
//! number of rows, however many there are: what a filter cannot find by an index is looked at row by
//! row, up to [`LOOKED_AT_MAX`], and `older` says where to go on. So a page may be short, or empty,
//! and there may still be more behind it.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use remit_core::budget::{BudgetKey, Span};
use remit_core::ids::{AgentId, RuleId, RunId, UserId};
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;

use crate::intent::Unavailable;
use crate::question::Question;
use crate::run::Run;

/// Most rows that one page costs.
pub const LOOKED_AT_MAX: usize = 10_000;
/// Most rows on one page.
pub const SHEET_MAX: usize = 200;

/// Lists for people who look. Part of [`super::Store`]; the same promises hold.
#[async_trait]
pub trait Listing: Send + Sync {
    /// Questions that wait for people at `now`, those that lapse first before others.
    async fn waiting(&self, asked: &Waiting) -> Result<Sheet<Question, Lapse>, Unavailable>;
    /// How many questions wait for people at this moment. Reads none of them.
    async fn count_waiting(&self, now: Timestamp) -> Result<u64, Unavailable>;
    /// Questions whatever became of them, the newest first.
    async fn asked(&self, asked: &Asked) -> Result<Sheet<Question, u64>, Unavailable>;
    /// Records, the newest first.
    async fn latest(&self, asked: &Latest) -> Result<Sheet<SignedRecord, u64>, Unavailable>;
    /// Runs, the newest first.
    async fn run_sheet(&self, asked: &RunsAsked) -> Result<Sheet<Run, u64>, Unavailable>;
    /// The spans of a budget in which anything was counted, the newest first, at most `limit` and never more than
    /// [`SHEET_MAX`]. Meant for budgets whose spans follow the clock; those of budgets that count per run come in no
    /// order that means anything.
    async fn spans(&self, budget: &BudgetKey, limit: usize) -> Result<Vec<SpanUse>, Unavailable>;
}

/// What was counted in one span of a budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanUse {
    /// The span.
    pub span: Span,
    /// Booked.
    pub settled: u64,
    /// Held for calls that have not settled.
    pub reserved: u64,
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet<T, C> {
    /// What was found, in order.
    pub items: Vec<T>,
    /// Where the next page begins; `None` when there is nothing behind this one.
    pub older: Option<C>,
}

/// Where a list of waiting questions goes on: behind the one that lapses then and stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lapse {
    /// When it lapses.
    pub at: Timestamp,
    /// Where it stands among all questions.
    pub place: u64,
}

/// Which waiting questions are asked for.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// This moment.
    pub now: Timestamp,
    /// Only those of this agent.
    pub agent: Option<AgentId>,
    /// Only those about this tool.
    pub tool: Option<String>,
    /// Only those that ask for one of these rules; `None` for any.
    pub rules: Option<Vec<RuleId>>,
    /// Only those behind this.
    pub after: Option<Lapse>,
    /// At most this many; more than [`SHEET_MAX`] are never given.
    pub limit: usize,
}

/// Which questions are asked for.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Only those of this run.
    pub run: Option<RunId>,
    /// Only those of this agent.
    pub agent: Option<AgentId>,
    /// Only those about this tool.
    pub tool: Option<String>,
    /// Only those before this place.
    pub before: Option<u64>,
    /// At most this many; more than [`SHEET_MAX`] are never given.
    pub limit: usize,
}

/// Which records are asked for. Agent, tool and verdict are what decision records say; other kinds say none.
#[derive(Clone, Debug, Default)]
pub struct Latest {
    /// Only those of this kind.
    pub kind: Option<Kind>,
    /// Only those about this agent.
    pub agent: Option<String>,
    /// Only those about this tool, by its full name.
    pub tool: Option<String>,
    /// Only those with this verdict: `allow`, `ask` or `deny`.
    pub verdict: Option<String>,
    /// Only those from this moment on.
    pub since: Option<Timestamp>,
    /// Only those before this place.
    pub before: Option<u64>,
    /// At most this many; more than [`SHEET_MAX`] are never given.
    pub limit: usize,
}

/// Which runs are asked for.
#[derive(Clone, Debug, Default)]
pub struct RunsAsked {
    /// Only those of this agent.
    pub agent: Option<AgentId>,
    /// Only those for this user.
    pub user: Option<UserId>,
    /// Only those that are open.
    pub open: bool,
    /// Only those before this place.
    pub before: Option<u64>,
    /// At most this many; more than [`SHEET_MAX`] are never given.
    pub limit: usize,
}

impl Latest {
    /// Whether this record is one of those. Stores may look for it in faster ways and ask this last.
    #[must_use]
    pub fn takes(&self, record: &SignedRecord) -> bool {
        let of_kind = self.kind.is_none_or(|kind| record.kind == kind);
        let new_enough = self.since.is_none_or(|since| record.time >= crate::records::millis(since));
        if !of_kind || !new_enough {
            return false;
        }
        if self.agent.is_none() && self.tool.is_none() && self.verdict.is_none() {
            return true;
        }
        let Ok(statement) = remit_core::json::parse(&record.envelope.payload) else { return false };
        let says = |pointer: &str, asked: &Option<String>| {
            let said = statement.pointer(pointer).and_then(serde_json::Value::as_str);
            asked.as_ref().is_none_or(|asked| said == Some(asked.as_str()))
        };
        says("/predicate/agent/id", &self.agent)
            && says("/predicate/tool/name", &self.tool)
            && says("/predicate/verdict", &self.verdict)
    }
}

impl Waiting {
    /// The first page of all of them.
    #[must_use]
    pub const fn all(now: Timestamp) -> Self {
        Self { now, agent: None, tool: None, rules: None, after: None, limit: SHEET_MAX }
    }

    /// Whether this question is one of those, wherever it stands.
    #[must_use]
    pub fn takes(&self, question: &Question) -> bool {
        self.agent.as_ref().is_none_or(|agent| question.agent == *agent)
            && self.tool.as_ref().is_none_or(|tool| question.tool == *tool)
            && self.rules.as_ref().is_none_or(|rules| question.rules.iter().any(|rule| rules.contains(&rule.id)))
    }
}

impl Asked {
    /// Whether this question is one of those, wherever it stands.
    #[must_use]
    pub fn takes(&self, question: &Question) -> bool {
        self.run.as_ref().is_none_or(|run| question.run == *run)
            && self.agent.as_ref().is_none_or(|agent| question.agent == *agent)
            && self.tool.as_ref().is_none_or(|tool| question.tool == *tool)
    }
}

impl RunsAsked {
    /// Whether this run is one of those, wherever it stands.
    #[must_use]
    pub fn takes(&self, run: &Run) -> bool {
        self.agent.as_ref().is_none_or(|agent| run.agent == *agent)
            && self.user.as_ref().is_none_or(|user| run.user.as_ref() == Some(user))
            && !(self.open && run.closed_at.is_some())
    }
}

impl Lapse {
    /// Reads what [`fmt::Display`] writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (at, place) = text.split_once('-')?;
        Some(Self { at: Timestamp::from_microsecond(at.parse().ok()?).ok()?, place: place.parse().ok()? })
    }
}

impl fmt::Display for Lapse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.at.as_microsecond(), self.place)
    }
}

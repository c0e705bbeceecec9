//! Runs: one task of one agent for one user.

use jiff::Timestamp;
use remit_core::ids::{AgentId, RunId, UserId, WorkflowId};
use remit_core::labels::Labels;

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The agent.
    pub agent: AgentId,
    /// For whom.
    pub user: Option<UserId>,
    /// The business process that authorised it.
    pub workflow: Option<WorkflowId>,
    /// The environment it declared.
    pub environment: Option<String>,
    /// The release phase it declared.
    pub release_phase: Option<String>,
    /// What the user wants, in the user's words as the host application passed them on.
    pub intent: Option<String>,
    /// Whether it was opened by name, or kept because calls came without one.
    pub implicit: bool,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it was last used.
    pub used_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// Calls admitted.
    pub calls: u64,
    /// Money booked, in micro-USD.
    pub spend: u64,
    /// Labels of everything its calls returned.
    pub labels: Labels,
}

/// Which runs are asked for.
#[derive(Clone, Debug, Default)]
pub struct RunFilter {
    /// Only those of this agent.
    pub agent: Option<AgentId>,
    /// Only those for this user.
    pub user: Option<UserId>,
    /// Only those that are open.
    pub open: bool,
    /// At most this many; zero means 100.
    pub limit: u32,
}

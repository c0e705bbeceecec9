//! Who is calling, proven. A [`Caller`] is made by the edge from credentials it has checked;
//! nothing in a request body can add to it.

use crate::ids::{AgentId, TenantId, UserId, WorkflowId};
use crate::limits::CHAIN_LINKS_MAX;

/// The proven caller: user, agent, the agents that delegated to it, and the workflow.
///
/// Each of them is a *link*. Authority is the intersection over the links, so a hand-off can only
/// narrow what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    tenant: TenantId,
    agent: AgentId,
    user: Option<UserId>,
    via: Vec<AgentId>,
    workflow: Option<WorkflowId>,
}

/// One member of the chain, on whose authority the call rests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Link {
    /// The human for whom the agent works.
    User(UserId),
    /// The calling agent, or one that delegated to it.
    Agent(AgentId),
    /// The business process that authorised the run.
    Workflow(WorkflowId),
}

/// For whom a key of an agent may open runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MayDeclare {
    /// Nobody: its runs have the key's own user, or none.
    #[default]
    Nobody,
    /// Anybody: a host application that has authenticated its users.
    Anybody,
    /// These users.
    These(Vec<UserId>),
}

impl MayDeclare {
    /// Whether a run may be opened for this user.
    #[must_use]
    pub fn covers(&self, user: &UserId) -> bool {
        match self {
            Self::Nobody => false,
            Self::Anybody => true,
            Self::These(users) => users.contains(user),
        }
    }
}

/// A chain with more links than anybody could review.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the chain of callers has more than {CHAIN_LINKS_MAX} links")]
pub struct ChainTooLong;

impl Caller {
    /// An agent calling on its own behalf.
    #[must_use]
    pub const fn agent(tenant: TenantId, agent: AgentId) -> Self {
        Self { tenant, agent, user: None, via: Vec::new(), workflow: None }
    }

    /// The same caller, working for this user.
    #[must_use]
    pub fn for_user(self, user: UserId) -> Self {
        Self { user: Some(user), ..self }
    }

    /// The same caller, inside this workflow.
    #[must_use]
    pub fn within(self, workflow: WorkflowId) -> Self {
        Self { workflow: Some(workflow), ..self }
    }

    /// The same caller, delegated to by these agents, the first delegator first.
    ///
    /// # Errors
    /// When the chain would be longer than [`CHAIN_LINKS_MAX`].
    pub fn delegated_by(self, via: Vec<AgentId>) -> Result<Self, ChainTooLong> {
        if via.len() + 3 > CHAIN_LINKS_MAX {
            return Err(ChainTooLong);
        }
        Ok(Self { via, ..self })
    }

    /// The tenant in which all of this happens.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The agent that calls.
    #[must_use]
    pub const fn calling_agent(&self) -> &AgentId {
        &self.agent
    }

    /// The user on whose behalf the agent works, when there is one.
    #[must_use]
    pub const fn user(&self) -> Option<&UserId> {
        self.user.as_ref()
    }

    /// The agents that delegated, the first delegator first.
    #[must_use]
    pub fn via(&self) -> &[AgentId] {
        &self.via
    }

    /// The workflow, when there is one.
    #[must_use]
    pub const fn workflow(&self) -> Option<&WorkflowId> {
        self.workflow.as_ref()
    }

    /// Every link: the user first, then the agents from the first delegator to the caller, then
    /// the workflow. The order is the order in which a missing factor is reported.
    pub fn links(&self) -> impl Iterator<Item = Link> + '_ {
        let agents = self.via.iter().chain(std::iter::once(&self.agent)).cloned().map(Link::Agent);
        let workflow = self.workflow.iter().cloned().map(Link::Workflow);
        self.user.iter().cloned().map(Link::User).chain(agents).chain(workflow)
    }
}

impl Link {
    /// The Cedar entity type of this link.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "User",
            Self::Agent(_) => "Agent",
            Self::Workflow(_) => "Workflow",
        }
    }

    /// The identifier without its kind.
    #[must_use]
    pub fn id(&self) -> &str {
        match self {
            Self::User(id) => id.as_str(),
            Self::Agent(id) => id.as_str(),
            Self::Workflow(id) => id.as_str(),
        }
    }
}

impl std::fmt::Display for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.kind().to_ascii_lowercase(), self.id())
    }
}

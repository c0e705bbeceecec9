//! The kill switch.

use jiff::Timestamp;

use crate::call::Call;
use crate::identity::Caller;
use crate::ids::{AgentId, RunId, ToolName, UpstreamId};
use crate::registry::{Class, Tool};

/// What a halt stops.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HaltTarget {
    /// Everything.
    Tenant,
    /// One agent, also as a delegator.
    Agent(AgentId),
    /// One tool.
    Tool(ToolName),
    /// One upstream.
    Upstream(UpstreamId),
    /// Every tool of a class.
    Class(Class),
    /// One run.
    Run(RunId),
}

/// A halt in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// What it stops.
    pub target: HaltTarget,
    /// Who ordered it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
}

impl HaltTarget {
    /// Whether this call is stopped.
    #[must_use]
    pub fn stops(&self, call: &Call) -> bool {
        match self {
            Self::Run(run) => call.run == *run,
            _ => self.stops_tool(&call.caller, &call.tool),
        }
    }

    /// Whether every call of this tool by this caller is stopped.
    #[must_use]
    pub fn stops_tool(&self, caller: &Caller, tool: &Tool) -> bool {
        match self {
            Self::Tenant => true,
            Self::Agent(agent) => caller.calling_agent() == agent || caller.via().contains(agent),
            Self::Tool(name) => tool.name == *name,
            Self::Upstream(upstream) => tool.name.upstream() == upstream.as_str(),
            Self::Class(class) => tool.class == *class,
            Self::Run(_) => false,
        }
    }

    /// Reads `tenant`, `agent:a`, `tool:u/t`, `upstream:u`, `class:write` or `run:r`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "tenant" {
            return Some(Self::Tenant);
        }
        let (kind, id) = text.split_once(':')?;
        match kind {
            "agent" => AgentId::parse(id).ok().map(Self::Agent),
            "tool" => ToolName::parse(id).ok().map(Self::Tool),
            "upstream" => UpstreamId::parse(id).ok().map(Self::Upstream),
            "class" => Class::parse(id).map(Self::Class),
            "run" => RunId::parse(id).ok().map(Self::Run),
            _ => None,
        }
    }
}

impl std::fmt::Display for HaltTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tenant => f.write_str("tenant"),
            Self::Agent(id) => write!(f, "agent:{id}"),
            Self::Tool(id) => write!(f, "tool:{id}"),
            Self::Upstream(id) => write!(f, "upstream:{id}"),
            Self::Class(class) => write!(f, "class:{}", class.as_str()),
            Self::Run(id) => write!(f, "run:{id}"),
        }
    }
}

//! One operation of an upstream, and what the operator says about it.

use crate::ids::{TeamId, ToolName};
use crate::labels::Labels;
use crate::registry::{Cost, Definition, Preview, ResourceMap, Schema, Shape};

/// What an action does to the world; each class is budgeted and granted apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Looks, changes nothing.
    Read,
    /// Changes state that can be looked at afterwards.
    Write,
    /// Sets a process in motion: a payment, a deployment, a job.
    Trigger,
    /// Consents on somebody's behalf.
    Approve,
    /// Shows data to somebody outside.
    Expose,
}

/// How bad a mistake would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Risk {
    /// Nobody would notice.
    Low,
    /// Somebody would have to tidy up.
    Medium,
    /// Customers or colleagues would be hurt.
    High,
    /// The organisation would be.
    Critical,
}

/// A tool as agents may call it: the operator's classification beside the approved definition.
#[derive(Debug)]
pub struct Tool {
    /// `upstream/tool`.
    pub name: ToolName,
    /// The name by which agents see it.
    pub public: String,
    /// The team that answers for it.
    pub owner: Option<TeamId>,
    /// What it does to the world. The upstream's own annotations are never read for this.
    pub class: Class,
    /// How bad a mistake would be.
    pub risk: Risk,
    /// Whether its effect can be undone.
    pub reversible: bool,
    /// How its effect is undone, in the operator's words, for approvers.
    pub undo: Option<String>,
    /// What shows people what a call would do, before they decide on it.
    pub preview: Option<Preview>,
    /// The labels its output carries.
    pub labels: Labels,
    /// What it touches, as a function of its arguments.
    pub resource: ResourceMap,
    /// What it costs, as a function of its arguments.
    pub cost: Cost,
    /// The approved definition, the only text of the upstream that agents ever see.
    pub definition: Definition,
    /// The compiled input schema.
    pub input: Schema,
    /// The compiled output schema, when the definition has one.
    pub output: Option<Schema>,
    /// The input schema as policies see it.
    pub shape: Shape,
    /// Longest time the upstream may take, in milliseconds.
    pub timeout_ms: u64,
    /// How the credential is called that the upstream is shown, never the credential itself: `env:NAME`.
    pub credential: Option<String>,
}

impl Class {
    /// All classes, the harmless first.
    pub const ALL: [Self; 5] = [Self::Read, Self::Write, Self::Trigger, Self::Approve, Self::Expose];

    /// The word used in files and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Trigger => "trigger",
            Self::Approve => "approve",
            Self::Expose => "expose",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }
}

impl Risk {
    /// All levels, lowest first.
    pub const ALL: [Self; 4] = [Self::Low, Self::Medium, Self::High, Self::Critical];

    /// The word used in files and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|risk| risk.as_str() == word)
    }
}

//! A remit: the permission budget of one holder, as its file says it, before it is compiled.

use jiff::Timestamp;

use crate::access::Offer;
use crate::budget::{Unit, Window};
use crate::ids::{AgentId, RuleId, TeamId, ToolName, UserId, WorkflowId};
use crate::labels::Sensitivity;
use crate::registry::{Class, Dimension};

/// A place in a configuration file, for messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locus {
    /// The file's name within its folder.
    pub file: String,
    /// One-based line; zero when the whole file is meant.
    pub line: usize,
    /// One-based column.
    pub column: usize,
}

/// To whom a remit grants.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Holder {
    /// One agent.
    Agent(AgentId),
    /// One user.
    User(UserId),
    /// Every user in a team.
    Team(TeamId),
    /// Every user.
    AnyUser,
    /// One workflow.
    Workflow(WorkflowId),
}

/// Whether a rule binds or is only recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Binds.
    #[default]
    Enforce,
    /// What it would have refused is recorded, and goes ahead.
    Observe,
}

/// How far an agent is trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Plays with test data.
    #[default]
    Sandbox,
    /// Works under people's eyes.
    Supervised,
    /// Works alone.
    Autonomous,
}

/// The permission budget of one holder.
#[derive(Clone, Debug)]
pub struct Remit {
    /// To whom it grants.
    pub holder: Holder,
    /// The team that answers for it.
    pub owner: Option<TeamId>,
    /// How far the holder is trusted.
    pub stage: Stage,
    /// From this moment on it grants nothing.
    pub expires: Option<Timestamp>,
    /// Whether it binds.
    pub mode: Mode,
    /// What it grants; where two match, the earlier one counts.
    pub grants: Vec<Grant>,
    /// Limits over everything it grants.
    pub limits: Vec<Limit>,
    /// What its agent may ask people for.
    pub may_request: Vec<Offer>,
    /// Where it stands.
    pub locus: Locus,
}

/// One line of a remit.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Its name within the remit: `trigger.0` unless the file names it.
    pub id: String,
    /// The class it stands under; it covers no tool of another class.
    pub class: Class,
    /// Which tools.
    pub tools: Vec<Pattern>,
    /// Covers only tools whose output is no more sensitive than this.
    pub labels_up_to: Option<Sensitivity>,
    /// Bounds on the resource: for each dimension, the values allowed.
    pub bounds: Vec<(Dimension, Vec<String>)>,
    /// A condition on the call.
    pub when: Option<String>,
    /// The approval rule that must be satisfied.
    pub approval: Option<RuleId>,
    /// Limits over the calls that rest on this grant.
    pub limits: Vec<Limit>,
    /// Where it stands.
    pub locus: Locus,
    /// Where its condition stands.
    pub when_locus: Locus,
}

/// Which tools are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// One tool.
    Tool(ToolName),
    /// All tools whose name begins with this text: `tickets/*`, `tickets/get_*`.
    Prefix(String),
    /// All tools.
    All,
}

/// A limit, as a file says it: `200 per day`, `500 USD per day`, `50 objects per hour`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What is counted.
    pub unit: Unit,
    /// How much of it.
    pub amount: u64,
    /// Over which span.
    pub window: Window,
    /// From how much used a warning is recorded.
    pub warn_at: Option<u64>,
}

impl Pattern {
    /// Reads `*`, `upstream/*`, `upstream/prefix*` or `upstream/tool`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('*') {
            Some("") => Some(Self::All),
            Some(prefix) if prefix.contains('/') && !prefix.contains('*') => Some(Self::Prefix(prefix.to_owned())),
            Some(_) => None,
            None => ToolName::parse(text).ok().map(Self::Tool),
        }
    }

    /// Whether this tool is meant.
    #[must_use]
    pub fn covers(&self, tool: &ToolName) -> bool {
        match self {
            Self::Tool(name) => name == tool,
            Self::Prefix(prefix) => tool.as_str().starts_with(prefix.as_str()),
            Self::All => true,
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tool(name) => write!(f, "{name}"),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
            Self::All => f.write_str("*"),
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Agent(id) => write!(f, "agent:{id}"),
            Self::User(id) => write!(f, "user:{id}"),
            Self::Team(id) => write!(f, "team:{id}"),
            Self::AnyUser => f.write_str("user:*"),
            Self::Workflow(id) => write!(f, "workflow:{id}"),
        }
    }
}

impl std::fmt::Display for Locus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}:{}", self.file, self.column),
        }
    }
}

impl Stage {
    /// The word used in files and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Supervised => "supervised",
            Self::Autonomous => "autonomous",
        }
    }
}

impl Limit {
    /// Reads the words of a file. `USD` is money, `objects` are distinct resources, no unit is calls.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (amount, unit, window) = match words.as_slice() {
            [amount, "per", window] => (*amount, "calls", *window),
            [amount, unit, "per", window] => (*amount, *unit, *window),
            [amount, unit, "total"] => (*amount, *unit, "total"),
            [amount, "total"] => (*amount, "calls", "total"),
            _ => return None,
        };
        let (unit, amount) = match unit {
            "call" | "calls" => (Unit::Calls, amount.parse().ok()?),
            "object" | "objects" => (Unit::Objects, amount.parse().ok()?),
            "USD" => (Unit::MicroUsd, crate::registry::micro_usd(amount)?),
            _ => return None,
        };
        let windows =
            [Window::Minute, Window::Hour, Window::Day, Window::Week, Window::Month, Window::Run, Window::Total];
        let window = windows.into_iter().find(|w| w.as_str() == window)?;
        // Stores hold amounts as signed 64-bit integers.
        (amount <= i64::MAX as u64).then_some(Self { unit, amount, window, warn_at: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_read_like_words() {
        let limit = |text: &str| Limit::parse(text).map(|l| (l.amount, l.unit, l.window));
        assert_eq!(limit("200 per day"), Some((200, Unit::Calls, Window::Day)));
        assert_eq!(limit("12.50 USD per hour"), Some((12_500_000, Unit::MicroUsd, Window::Hour)));
        assert_eq!(limit("50 objects per run"), Some((50, Unit::Objects, Window::Run)));
        for bad in ["", "200", "-1 per day", "200 per fortnight", "1 EUR per day", "99999999999999999999 per day"] {
            assert_eq!(limit(bad), None, "{bad}");
        }
    }

    #[test]
    fn patterns_cover_by_prefix_only() {
        let covers = |p: &str, t: &str| Pattern::parse(p).map(|p| p.covers(&ToolName::parse(t).expect("tool")));
        assert_eq!(covers("tickets/*", "tickets/get"), Some(true));
        assert_eq!(covers("tickets/*", "tickets2/get"), Some(false));
        assert_eq!(covers("*", "a/b"), Some(true));
        for bad in ["tick*", "*/get", "tickets/*/x", "Tickets/get"] {
            assert_eq!(Pattern::parse(bad), None, "{bad}");
        }
    }
}

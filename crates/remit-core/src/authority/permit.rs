//! A compiled grant: a Cedar permit for some tools. It is kept as its parts, because Cedar walks a
//! list of actions on every request; each slice gets the permit for its own tool alone.

use cedar_policy::{Policy, PolicyId};

use crate::authority::remit::Holder;
use crate::ids::ToolName;
use crate::registry::quoted;

/// One permit of a grant.
#[derive(Debug)]
pub(crate) struct Permit {
    /// Its name in records: `agent:support-bot/trigger.0`.
    pub id: String,
    /// A Cedar expression; empty when there is none.
    pub condition: String,
    /// The tools it is for.
    pub tools: Vec<ToolName>,
}

impl Permit {
    /// The policy for one tool. `None` cannot happen for a permit that was validated; a slice without
    /// it denies.
    pub fn policy(&self, holder: &Holder, tool: &ToolName) -> Option<Policy> {
        let text = self.text(holder, &format!("action == Action::{}", quoted(tool.as_str())));
        Policy::parse(Some(PolicyId::new(&self.id)), text).ok()
    }

    /// The policy for all its tools, for review.
    pub fn whole(&self, holder: &Holder) -> String {
        let actions: Vec<_> = self.tools.iter().map(|tool| format!("Action::{}", quoted(tool.as_str()))).collect();
        format!("@id({})\n{}", quoted(&self.id), self.text(holder, &format!("action in [{}]", actions.join(", "))))
    }

    fn text(&self, holder: &Holder, action: &str) -> String {
        let principal = match holder {
            Holder::Agent(id) => format!("principal == Agent::{}", quoted(id.as_str())),
            Holder::User(id) => format!("principal == User::{}", quoted(id.as_str())),
            Holder::Team(id) => format!("principal in Team::{}", quoted(id.as_str())),
            Holder::AnyUser => "principal is User".to_owned(),
            Holder::Workflow(id) => format!("principal == Workflow::{}", quoted(id.as_str())),
        };
        let when = if self.condition.is_empty() { String::new() } else { format!(" when {{ {} }}", self.condition) };
        format!("permit({principal}, {action}, resource){when};")
    }
}

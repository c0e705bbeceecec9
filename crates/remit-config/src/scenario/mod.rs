//! `tests/*.yaml`: scenarios. Who does what, and what must come of it. The same file is run by
//! `remit test`, by the core alone, and against a whole gateway; here it is only read.

mod check;
pub(crate) mod file;

use jiff::Timestamp;
use remit_core::authority::Fault;
use remit_core::authority::remit::Locus;
use remit_core::halt::HaltTarget;
use remit_core::ids::{AgentId, OperatorId, RuleId, RunId, ToolName, UserId, WorkflowId};
use remit_core::verdict::Code;
use serde_json::Value;

use crate::folder::Folder;
use crate::report::Report;

/// A scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What it is about.
    pub name: String,
    /// Texts that replace or add files of the folder it runs in, by their names.
    pub files: Vec<(String, String)>,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// Where it stands.
    pub locus: Locus,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Moves the clock to this moment first.
    pub at: Option<Timestamp>,
    /// What is done.
    pub deed: Deed,
    /// What must come of it.
    pub expect: Expect,
    /// Where it stands.
    pub locus: Locus,
}

/// What is done in a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// An agent calls a tool.
    Call(Box<CallStep>),
    /// A person answers the question that was asked last, of a held call or of a request, with yes.
    Approve {
        /// For this rule.
        rule: RuleId,
        /// The person.
        by: OperatorId,
    },
    /// A person answers it with no.
    Deny {
        /// The person.
        by: OperatorId,
        /// Why.
        reason: String,
    },
    /// A person stops something.
    Halt {
        /// What.
        target: HaltTarget,
        /// The person; the runner's own operator when nobody is named.
        by: Option<OperatorId>,
    },
    /// A person lets it go on.
    Resume {
        /// What.
        target: HaltTarget,
        /// The person; the runner's own operator when nobody is named.
        by: Option<OperatorId>,
    },
    /// An agent asks people for access for a while.
    Request(AccessStep),
    /// A person gives an agent access without its asking.
    Grant {
        /// To whom, and what.
        access: AccessStep,
        /// The person.
        by: OperatorId,
    },
    /// A person takes back what an agent was given last.
    Revoke {
        /// The agent.
        agent: AgentId,
        /// The person.
        by: OperatorId,
    },
    /// A person uses what is declared for emergencies.
    BreakGlass {
        /// The declaration.
        name: RuleId,
        /// The person.
        by: OperatorId,
    },
    /// A person lets another one vote in their place for a day.
    Delegate {
        /// Who votes.
        to: OperatorId,
        /// Only under this rule.
        rule: Option<RuleId>,
        /// In whose place.
        by: OperatorId,
    },
}

/// Access for a while, that an agent asks for or is given.
#[derive(Clone, Debug, PartialEq)]
pub struct AccessStep {
    /// The agent, and for whom it works.
    pub actor: Actor,
    /// What, as [`Terms::read`](remit_core::access::Terms::read) reads it.
    pub asked: Value,
}

/// An agent calls a tool.
#[derive(Clone, Debug, PartialEq)]
pub struct CallStep {
    /// Which.
    pub tool: ToolName,
    /// Who calls.
    pub actor: Actor,
    /// In which run; calls without a run share one.
    pub run: Option<RunId>,
    /// With which arguments; always an object.
    pub arguments: Value,
    /// What the upstream does, should the call reach it.
    pub effect: Effect,
}

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The agent.
    pub agent: AgentId,
    /// The user it works for.
    pub user: Option<UserId>,
    /// The agents that delegated to it, the first delegator first.
    pub via: Vec<AgentId>,
    /// The workflow it works within.
    pub workflow: Option<WorkflowId>,
}

/// What a made-up upstream does with a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Effect {
    /// Answers with an empty result.
    #[default]
    Empty,
    /// Answers with this result.
    Result(Value),
    /// Answers with this error.
    Error(String),
    /// Takes the call and never answers: whether it took effect is unknown.
    Lost,
}

/// What must come of a step. What is `None` may be anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// The verdict.
    pub verdict: Option<Verdict>,
    /// The code of a refusal.
    pub code: Option<Code>,
    /// Exactly these approval rules are asked for, in any order.
    pub ask: Option<Vec<RuleId>>,
    /// At least these policies determined the verdict.
    pub policies: Option<Vec<String>>,
    /// The reason contains this text.
    pub reason: Option<String>,
    /// Whether the upstream received the call.
    pub executed: Option<bool>,
}

/// The name of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The call goes ahead.
    Allow,
    /// The call waits for people.
    Ask,
    /// The call is refused.
    Deny,
}

impl Scenario {
    /// Reads one scenario.
    ///
    /// # Errors
    /// Every fault; only the first when the form of the file is wrong.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let typed = crate::yaml::read(file, text).map_err(|fault| vec![*fault])?;
        let mut faults = Vec::new();
        let scenario = check::check(typed, &mut Report::new(file, &mut faults));
        if faults.is_empty() { Ok(scenario) } else { Err(faults) }
    }
}

/// Reads the scenarios in `tests/`, in the order of their names.
///
/// # Errors
/// The faults of all of them.
pub fn scenarios(folder: &Folder) -> Result<Vec<Scenario>, Vec<Fault>> {
    let mut scenarios = Vec::new();
    let mut faults = Vec::new();
    for (file, text) in folder.inside("tests") {
        match Scenario::parse(file, text) {
            Ok(scenario) => scenarios.push(scenario),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(scenarios) } else { Err(faults) }
}

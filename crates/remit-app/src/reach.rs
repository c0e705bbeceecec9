//! What a halt would stop, said before anybody orders it.

use std::sync::Arc;

use remit_core::authority::remit::Holder;
use remit_core::halt::HaltTarget;
use remit_core::ids::AgentId;
use remit_core::registry::Tool;
use remit_core::{Caller, Snapshot};

use crate::gate::Gate;
use crate::intent::Unavailable;
use crate::ports::listing::{RunsAsked, SHEET_MAX};
use crate::run::Run;

/// Most open runs that are looked at.
const RUNS_LOOKED_AT_MAX: usize = 2_000;

/// What a halt would stop. Authority and runs are as of this moment; the halt stops what comes later, too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Agents of which some call would be stopped.
    pub agents: Vec<AgentId>,
    /// Tools that could not be called any more, by those agents or at all.
    pub tools: Vec<String>,
    /// Open runs in which some call would be stopped.
    pub runs: usize,
    /// Whether there are more open runs than were looked at.
    pub more_runs: bool,
}

impl Gate {
    /// What a halt on this target would stop.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn reach(&self, target: &HaltTarget) -> Result<Reach, Unavailable> {
        let snapshot = self.snapshot();
        let run = match target {
            HaltTarget::Run(id) => self.ports.store.run(id).await?,
            _ => None,
        };
        let (agents, tools) = touched(&snapshot, target, run.as_ref());
        let mut reach = Reach { agents, tools, ..Reach::default() };
        if matches!(target, HaltTarget::Run(_)) {
            reach.runs = usize::from(run.is_some_and(|run| run.closed_at.is_none()));
            return Ok(reach);
        }
        let agent = match target {
            HaltTarget::Agent(id) => Some(id.clone()),
            _ => None,
        };
        let (mut before, mut looked_at) = (None, 0);
        loop {
            let asked =
                RunsAsked { agent: agent.clone(), open: true, before, limit: SHEET_MAX, ..RunsAsked::default() };
            let sheet = self.ports.store.run_sheet(&asked).await?;
            looked_at += SHEET_MAX;
            let all = matches!(target, HaltTarget::Tenant);
            reach.runs += sheet.items.iter().filter(|run| all || reach.agents.contains(&run.agent)).count();
            match sheet.older {
                None => return Ok(reach),
                Some(_) if looked_at >= RUNS_LOOKED_AT_MAX => return Ok(Reach { more_runs: true, ..reach }),
                older => before = older,
            }
        }
    }
}

/// Agents and tools that a halt touches.
fn touched(snapshot: &Snapshot, target: &HaltTarget, run: Option<&Run>) -> (Vec<AgentId>, Vec<String>) {
    let caller = |id: &AgentId| Caller::agent(snapshot.tenant().clone(), id.clone());
    let all = snapshot.registry().tools();
    let named = |tools: Vec<&Arc<Tool>>| tools.iter().map(|tool| tool.name.to_string()).collect();
    let only = match target {
        HaltTarget::Tenant => return (agents(snapshot).cloned().collect(), named(all.iter().collect())),
        HaltTarget::Agent(id) => Some(id.clone()),
        HaltTarget::Run(_) => match run {
            None => return (Vec::new(), Vec::new()),
            Some(run) => Some(run.agent.clone()),
        },
        HaltTarget::Tool(_) | HaltTarget::Upstream(_) | HaltTarget::Class(_) => None,
    };
    if let Some(agent) = only {
        let caller = caller(&agent);
        return (vec![agent], named(all.iter().filter(|tool| snapshot.holds(&caller, tool)).collect()));
    }
    let stopped = |caller: &Caller, tool: &Arc<Tool>| target.stops_tool(caller, tool) && snapshot.holds(caller, tool);
    let holders = agents(snapshot).filter(|id| {
        let caller = caller(id);
        all.iter().any(|tool| stopped(&caller, tool))
    });
    let tools = all.iter().filter(|tool| match target {
        HaltTarget::Tool(name) => tool.name == *name,
        HaltTarget::Upstream(id) => tool.name.upstream() == id.as_str(),
        HaltTarget::Class(class) => tool.class == *class,
        HaltTarget::Tenant | HaltTarget::Agent(_) | HaltTarget::Run(_) => false,
    });
    (holders.cloned().collect(), named(tools.collect()))
}

/// Every agent that has a remit.
fn agents(snapshot: &Snapshot) -> impl Iterator<Item = &AgentId> {
    snapshot.remits().filter_map(|remit| match &remit.holder {
        Holder::Agent(id) => Some(id),
        _ => None,
    })
}

//! The facts of one call as Cedar holds them: entities and context, gathered once.

use cedar_policy::{EntityUid, PolicySet};
use jiff::Timestamp;

use crate::authority::Snapshot;
use crate::cedar::{self, Context, Entities, Value, context, entity, long, record, reference, set, text, uid};
use crate::decide::RunFacts;
use crate::identity::{Caller, Link};
use crate::ids::{AgentId, RuleId};
use crate::origin::Origin;
use crate::registry::{Dimension, Resource, Tool};

/// Cedar's view of one call. A value that Cedar cannot build is a bug or an attack; the error text
/// then denies the call.
pub(crate) struct Facts {
    entities: Entities,
    context: Vec<(&'static str, Value)>,
    action: EntityUid,
    resource: EntityUid,
}

/// What one set of policies says.
pub(crate) struct Finding {
    /// The permits that hold, when no forbid does.
    pub permits: Vec<String>,
    /// The forbids that hold, in order.
    pub forbids: Vec<String>,
}

impl Facts {
    /// Gathers the facts. Without arguments and resource the facts are those that hold for every
    /// call of the tool.
    pub fn gather(
        snapshot: &Snapshot,
        caller: &Caller,
        tool: &Tool,
        given: Option<(&serde_json::Value, &Resource)>,
        (run, origins): (&RunFacts, &[(String, Origin)]),
        now: Timestamp,
    ) -> Result<Self, String> {
        let nowhere = Resource::default();
        let (arguments, resource) = given.map_or((None, &nowhere), |(a, r)| (Some(a), r));
        let action = uid("Action", tool.name.as_str())?;
        let tenant = uid("Tenant", snapshot.tenant().as_str())?;
        // Tool and calling agent are the same for many calls, so their slice brings them along.
        let (base, known) = match snapshot.base(caller, tool) {
            Some(base) => (base.clone(), Some(Link::Agent(caller.calling_agent().clone()))),
            None => (base(snapshot, None, tool)?, None),
        };
        let mut entities = Vec::with_capacity(4);
        for link in caller.links().filter(|link| known.as_ref() != Some(link)) {
            entities.push(principal(snapshot, &link, &tenant)?);
        }
        let resource_uid = uid("Resource", &resource.name())?;
        entities.push(touched(resource, &resource_uid, tenant)?);
        let entities = cedar::joined(base, entities)?;
        let mut context = Vec::with_capacity(16);
        context.extend(moment(snapshot, now));
        context.push(("run", run_facts(run)));
        context.extend(facets(resource, run));
        let arguments = arguments.and_then(|a| tool.shape.express(a)).unwrap_or_else(|| record([]));
        context.push(("args", arguments));
        context.push(("origin", record(origins.iter().map(|(name, origin)| (name.as_str(), text(origin.as_str()))))));
        context.push(("risk", text(tool.risk.as_str())));
        context.push(("reversible", Value::from(tool.reversible)));
        context.push(("agent", reference(&uid("Agent", caller.calling_agent().as_str())?)));
        if let Some(user) = caller.user() {
            context.push(("user", reference(&uid("User", user.as_str())?)));
        }
        if let Some(workflow) = caller.workflow() {
            context.push(("workflow", text(workflow.as_str())));
        }
        Ok(Self { entities, context, action, resource: resource_uid })
    }

    /// The context with these approval rules satisfied. It is the same for every link.
    pub fn context(&self, approved: &[RuleId]) -> Context {
        let approved = set(approved.iter().map(|rule| text(rule.as_str())));
        context(self.context.iter().cloned().chain([("approved", approved)]))
    }

    /// Evaluates one set of policies for one link. Cedar by itself skips a policy that errs, so that an
    /// erring forbid would not forbid; here any error is the answer.
    pub fn evaluate(&self, link: &Link, policies: &PolicySet, context: &Context) -> Result<Finding, String> {
        let principal = uid(link.kind(), link.id())?;
        let asked = [&principal, &self.action, &self.resource];
        let response = cedar::ask(policies, &self.entities, asked, context.clone());
        if let Some(error) = response.diagnostics.errors.first() {
            return Err(format!("a policy could not be evaluated: {error}"));
        }
        // Cedar reports in no order; records need one.
        let mut reasons: Vec<String> = response.diagnostics.reason.iter().map(ToString::to_string).collect();
        reasons.sort();
        Ok(match response.decision {
            cedar_policy::Decision::Allow => Finding { permits: reasons, forbids: Vec::new() },
            cedar_policy::Decision::Deny => Finding { permits: Vec::new(), forbids: reasons },
        })
    }
}

/// A tool's action with its groups, and an agent, when there is one.
pub(crate) fn base(snapshot: &Snapshot, agent: Option<&AgentId>, tool: &Tool) -> Result<Entities, String> {
    let groups = [uid("Action", tool.class.as_str())?, uid("Action", &format!("{}/*", tool.name.upstream()))?];
    let mut entities = vec![entity(&uid("Action", tool.name.as_str())?, [], groups)];
    if let Some(agent) = agent {
        let tenant = uid("Tenant", snapshot.tenant().as_str())?;
        entities.push(principal(snapshot, &Link::Agent(agent.clone()), &tenant)?);
    }
    cedar::joined(Entities::new(), entities)
}

fn principal(snapshot: &Snapshot, link: &Link, tenant: &EntityUid) -> Result<cedar::Member, String> {
    let mut parents = vec![tenant.clone()];
    let mut attributes = None;
    match link {
        Link::User(user) => {
            for team in snapshot.teams_of(user) {
                parents.push(uid("Team", team.as_str())?);
            }
        }
        Link::Agent(agent) => {
            if let Some(owner) = snapshot.remit(agent).and_then(|remit| remit.owner.as_ref()) {
                parents.push(uid("Team", owner.as_str())?);
            }
            attributes = Some(("stage", text(snapshot.stage(agent).as_str())));
        }
        Link::Workflow(_) => {}
    }
    Ok(entity(&uid(link.kind(), link.id())?, attributes, parents))
}

fn touched(resource: &Resource, own: &EntityUid, tenant: EntityUid) -> Result<cedar::Member, String> {
    let mut parents = vec![tenant];
    let mut attributes = vec![("kind", text(&resource.kind)), ("id", text(&resource.id))];
    for (dimension, value) in &resource.dimensions {
        parents.push(uid(dimension.entity(), value)?);
        attributes.push((dimension.as_str(), text(value)));
    }
    Ok(entity(own, attributes, parents))
}

fn moment(snapshot: &Snapshot, now: Timestamp) -> [(&'static str, Value); 2] {
    let moment = snapshot.calendar().moment(now);
    let now = record([
        ("epoch", Value::from(moment.epoch)),
        ("hour", Value::from(moment.hour)),
        ("weekday", text(moment.weekday)),
        ("date", text(&moment.date)),
    ]);
    let calendar = record([
        ("business_hours", Value::from(moment.business_hours)),
        ("soft_freeze", Value::from(moment.soft_freeze)),
        ("hard_freeze", Value::from(moment.hard_freeze)),
    ]);
    [("now", now), ("calendar", calendar)]
}

fn run_facts(run: &RunFacts) -> Value {
    let labels = set(run.labels.words().map(text));
    record([("labels", labels), ("calls", long(run.calls)), ("spend_micro_usd", long(run.spend))])
}

/// Where a call happens: what its resource says, and what the run declares where that is silent.
fn facets(resource: &Resource, run: &RunFacts) -> Vec<(&'static str, Value)> {
    let facet = |dimension: Dimension| {
        let value = crate::access::facet(resource, run, dimension)?;
        Some((dimension.as_str(), text(value)))
    };
    let phase = run.release_phase.as_ref().map(|phase| ("release_phase", text(phase)));
    Dimension::ALL.into_iter().filter_map(facet).chain(phase).collect()
}

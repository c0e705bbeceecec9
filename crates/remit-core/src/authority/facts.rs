//! The facts of one call as Cedar holds them: entities and context, built as values, once.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::LazyLock;

use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression};
use jiff::Timestamp;

use crate::authority::Snapshot;
use crate::decide::RunFacts;
use crate::identity::{Caller, Link};
use crate::ids::{AgentId, RuleId};
use crate::registry::{Dimension, Resource, Tool};

/// Cedar's view of one call. A value that Cedar cannot build is a bug or an attack; the error text
/// then denies the call.
pub(crate) struct Facts {
    entities: Entities,
    context: Vec<(String, RestrictedExpression)>,
    action: EntityUid,
    resource: EntityUid,
}

impl Facts {
    /// Gathers the facts. Without arguments and resource the facts are those that hold for every
    /// call of the tool.
    pub fn gather(
        snapshot: &Snapshot,
        caller: &Caller,
        tool: &Tool,
        given: Option<(&serde_json::Value, &Resource)>,
        run: &RunFacts,
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
        let (resource_uid, entity) = touched(resource, &tenant)?;
        entities.push(entity);
        let entities = base.add_entities(entities, None).map_err(|e| e.to_string())?;
        let mut context = moment(snapshot, now);
        context.extend(run_facts(run));
        context.extend(facets(resource, run));
        let arguments = arguments.and_then(|a| tool.shape.express(a)).or_else(|| record([]));
        context.push(("args".into(), arguments.ok_or("the arguments form no record")?));
        context.push(("risk".into(), text(tool.risk.as_str())));
        context.push(("reversible".into(), RestrictedExpression::new_bool(tool.reversible)));
        context.push(("agent".into(), entity_ref(uid("Agent", caller.calling_agent().as_str())?)));
        if let Some(user) = caller.user() {
            context.push(("user".into(), entity_ref(uid("User", user.as_str())?)));
        }
        if let Some(workflow) = caller.workflow() {
            context.push(("workflow".into(), text(workflow.as_str())));
        }
        Ok(Self { entities, context, action, resource: resource_uid })
    }

    /// The entities.
    pub const fn entities(&self) -> &Entities {
        &self.entities
    }

    /// The context with these approval rules satisfied. It is the same for every link.
    pub fn context(&self, approved: &[RuleId]) -> Result<Context, String> {
        let approved = RestrictedExpression::new_set(approved.iter().map(|rule| text(rule.as_str())));
        let pairs = self.context.iter().cloned().chain([("approved".to_owned(), approved)]);
        Context::from_pairs(pairs).map_err(|e| e.to_string())
    }

    /// The request of one link.
    pub fn request(&self, link: &Link, context: &Context) -> Result<Request, String> {
        let principal = uid(link.kind(), link.id())?;
        let (action, resource) = (self.action.clone(), self.resource.clone());
        Request::new(principal, action, resource, context.clone(), None).map_err(|e| e.to_string())
    }
}

/// A tool's action with its groups, and an agent, when there is one.
pub(crate) fn base(snapshot: &Snapshot, agent: Option<&AgentId>, tool: &Tool) -> Result<Entities, String> {
    let groups = [uid("Action", tool.class.as_str())?, uid("Action", &format!("{}/*", tool.name.upstream()))?];
    let mut entities = vec![Entity::new_no_attrs(uid("Action", tool.name.as_str())?, HashSet::from(groups))];
    if let Some(agent) = agent {
        let tenant = uid("Tenant", snapshot.tenant().as_str())?;
        entities.push(principal(snapshot, &Link::Agent(agent.clone()), &tenant)?);
    }
    Entities::from_entities(entities, None).map_err(|e| e.to_string())
}

/// The entity types, read once: Cedar would parse each name each time.
static KINDS: LazyLock<HashMap<&'static str, EntityTypeName>> = LazyLock::new(|| {
    let kinds = ["Action", "Tenant", "Team", "User", "Agent", "Workflow", "Resource"];
    let kinds = kinds.into_iter().chain(Dimension::ALL.into_iter().map(Dimension::entity));
    kinds.filter_map(|kind| Some((kind, EntityTypeName::from_str(kind).ok()?))).collect()
});

fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind = KINDS.get(kind).ok_or_else(|| format!("`{kind}` is no entity type"))?;
    Ok(EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id)))
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn entity_ref(uid: EntityUid) -> RestrictedExpression {
    RestrictedExpression::new_entity_uid(uid)
}

fn record<const N: usize>(fields: [(&str, RestrictedExpression); N]) -> Option<RestrictedExpression> {
    RestrictedExpression::new_record(fields.map(|(name, value)| (name.to_owned(), value))).ok()
}

fn long(value: u64) -> RestrictedExpression {
    RestrictedExpression::new_long(i64::try_from(value).unwrap_or(i64::MAX))
}

fn principal(snapshot: &Snapshot, link: &Link, tenant: &EntityUid) -> Result<Entity, String> {
    let mut parents = HashSet::from([tenant.clone()]);
    let mut attributes = HashMap::new();
    match link {
        Link::User(user) => {
            for team in snapshot.teams_of(user) {
                parents.insert(uid("Team", team.as_str())?);
            }
        }
        Link::Agent(agent) => {
            if let Some(owner) = snapshot.remit(agent).and_then(|remit| remit.owner.as_ref()) {
                parents.insert(uid("Team", owner.as_str())?);
            }
            attributes.insert("stage".to_owned(), text(snapshot.stage(agent).as_str()));
        }
        Link::Workflow(_) => {}
    }
    Entity::new(uid(link.kind(), link.id())?, attributes, parents).map_err(|e| e.to_string())
}

fn touched(resource: &Resource, tenant: &EntityUid) -> Result<(EntityUid, Entity), String> {
    let mut parents = HashSet::from([tenant.clone()]);
    let mut attributes =
        HashMap::from([("kind".to_owned(), text(&resource.kind)), ("id".to_owned(), text(&resource.id))]);
    for (dimension, value) in &resource.dimensions {
        parents.insert(uid(dimension.entity(), value)?);
        attributes.insert(dimension.as_str().to_owned(), text(value));
    }
    let uid = uid("Resource", &resource.name())?;
    let entity = Entity::new(uid.clone(), attributes, parents).map_err(|e| e.to_string())?;
    Ok((uid, entity))
}

fn moment(snapshot: &Snapshot, now: Timestamp) -> Vec<(String, RestrictedExpression)> {
    let moment = snapshot.calendar().moment(now);
    let now = record([
        ("epoch", RestrictedExpression::new_long(moment.epoch)),
        ("hour", RestrictedExpression::new_long(moment.hour)),
        ("weekday", text(moment.weekday)),
        ("date", text(&moment.date)),
    ]);
    let calendar = record([
        ("business_hours", RestrictedExpression::new_bool(moment.business_hours)),
        ("soft_freeze", RestrictedExpression::new_bool(moment.soft_freeze)),
        ("hard_freeze", RestrictedExpression::new_bool(moment.hard_freeze)),
    ]);
    [("now", now), ("calendar", calendar)].into_iter().filter_map(|(name, r)| Some((name.to_owned(), r?))).collect()
}

fn run_facts(run: &RunFacts) -> Option<(String, RestrictedExpression)> {
    let labels = RestrictedExpression::new_set(run.labels.words().map(text));
    let run = record([("labels", labels), ("calls", long(run.calls)), ("spend_micro_usd", long(run.spend))]);
    run.map(|run| ("run".to_owned(), run))
}

/// Where a call happens: what its resource says, and what the run declares where that is silent.
fn facets(resource: &Resource, run: &RunFacts) -> Vec<(String, RestrictedExpression)> {
    let facet = |dimension: Dimension| {
        let declared = if dimension == Dimension::Environment { run.environment.as_ref() } else { None };
        let value = resource.dimensions.get(&dimension).or(declared)?;
        Some((dimension.as_str().to_owned(), text(value)))
    };
    let phase = run.release_phase.as_ref().map(|phase| ("release_phase".to_owned(), text(phase)));
    Dimension::ALL.into_iter().filter_map(facet).chain(phase).collect()
}

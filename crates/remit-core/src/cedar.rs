//! Cedar's values, entities and requests, built as what they are: nothing is parsed and no expression
//! is evaluated on the way of a call.
//!
//! Cedar's public interface takes expressions and evaluates them into values, which costs more than the
//! decision itself. So this room, and no other, uses the library below it, at exactly its version
//! (docs/decisions/0007-cedar-values.md).

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use cedar_policy::{EntityId, EntityTypeName, EntityUid, PolicySet};
use cedar_policy_core::ast::{self, PartialValue};
use cedar_policy_core::authorizer::{Authorizer, Response};
use cedar_policy_core::entities::{NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;

pub(crate) use cedar_policy_core::ast::{Context, Value};
pub(crate) use cedar_policy_core::entities::Entities;

/// One entity.
pub(crate) type Member = Arc<ast::Entity>;

use crate::registry::Dimension;

/// The entity types, read once: Cedar would parse each name each time.
static KINDS: LazyLock<HashMap<&'static str, EntityTypeName>> = LazyLock::new(|| {
    let kinds = ["Action", "Tenant", "Team", "User", "Agent", "Workflow", "Resource"];
    let kinds = kinds.into_iter().chain(Dimension::ALL.into_iter().map(Dimension::entity));
    kinds.filter_map(|kind| Some((kind, EntityTypeName::from_str(kind).ok()?))).collect()
});

/// The function that makes decimals, looked up once.
static DECIMAL: LazyLock<Option<&'static ast::ExtensionFunction>> = LazyLock::new(|| {
    let name = ast::Name::parse_unqualified_name("decimal").ok()?;
    Extensions::all_available().func(&name).ok()
});

pub(crate) fn uid(kind: &str, id: &str) -> Result<EntityUid, String> {
    let kind = KINDS.get(kind).ok_or_else(|| format!("`{kind}` is no entity type"))?;
    Ok(EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id)))
}

pub(crate) fn text(value: &str) -> Value {
    Value::from(value)
}

pub(crate) fn long(value: u64) -> Value {
    Value::from(i64::try_from(value).unwrap_or(i64::MAX))
}

/// A decimal with one to four digits after its point; `None` when Cedar cannot hold it.
pub(crate) fn decimal(digits: &str) -> Option<Value> {
    match (*DECIMAL)?.call(&[Value::from(digits)]).ok()? {
        PartialValue::Value(value) => Some(value),
        PartialValue::Residual(_) => None,
    }
}

pub(crate) fn set(values: impl IntoIterator<Item = Value>) -> Value {
    Value::set(values, None)
}

pub(crate) fn record<'n>(fields: impl IntoIterator<Item = (&'n str, Value)>) -> Value {
    Value::record(fields, None)
}

pub(crate) fn reference(uid: &EntityUid) -> Value {
    Value::from(uid.as_ref().clone())
}

/// The context of a request.
pub(crate) fn context<'n>(fields: impl IntoIterator<Item = (&'n str, Value)>) -> Context {
    Context::Value(Arc::new(fields.into_iter().map(|(name, value)| (name.into(), value)).collect()))
}

/// An entity whose parents have no parents of their own, so that its ancestors are all known.
pub(crate) fn entity<'n>(
    uid: &EntityUid,
    attributes: impl IntoIterator<Item = (&'n str, Value)>,
    parents: impl IntoIterator<Item = EntityUid>,
) -> Member {
    let attributes = attributes.into_iter().map(|(name, value)| (name.into(), PartialValue::Value(value)));
    let parents = parents.into_iter().map(|parent| parent.as_ref().clone()).collect();
    let (none, no_tags) = (HashSet::new(), std::iter::empty());
    Arc::new(ast::Entity::new_with_attr_partial_value(uid.as_ref().clone(), attributes, none, parents, no_tags))
}

/// These entities and those. The hierarchy is flat (see [`entity`]), so there is no closure to compute.
pub(crate) fn joined(base: Entities, more: Vec<Member>) -> Result<Entities, String> {
    let none = None::<&NoEntitiesSchema>;
    let joined = base.add_entities(more, none, TCComputation::AssumeAlreadyComputed, Extensions::all_available());
    joined.map_err(|error| error.to_string())
}

/// What one set of policies says to one request.
pub(crate) fn ask(
    policies: &PolicySet,
    entities: &Entities,
    [principal, action, resource]: [&EntityUid; 3],
    context: Context,
) -> Response {
    let known = |uid: &EntityUid| ast::EntityUIDEntry::known(uid.as_ref().clone(), None);
    let request = ast::Request::new_unchecked(known(principal), known(action), known(resource), Some(context));
    Authorizer::new().is_authorized(request, policies.as_ref(), entities)
}

//! What a call touches, as a function of its arguments.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::registry::Class;

/// A dimension along which resources are told apart and authority is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// `production`, `staging`, …
    Environment,
    /// A product of the organisation.
    Product,
    /// A running service.
    Service,
    /// A code repository.
    Repository,
    /// A branch of a repository.
    Branch,
}

/// Where a part of a resource comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Facet {
    /// The same for every call.
    Fixed(String),
    /// An argument, by its path.
    Argument(Vec<String>),
}

/// How a tool's resource follows from its arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceMap {
    /// What kind of thing: `ticket`, `customer`, `file`.
    pub kind: Option<String>,
    /// Which one.
    pub id: Option<Facet>,
    /// Where it belongs.
    pub dimensions: BTreeMap<Dimension, Facet>,
}

/// What one call touches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resource {
    /// What kind of thing.
    pub kind: String,
    /// Which one; empty when the tool touches no one thing.
    pub id: String,
    /// Where it belongs.
    pub dimensions: BTreeMap<Dimension, String>,
}

/// A name of a resource that leads around: `drafts/../secret`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`args.{0}` must name its resource directly, without `.` or `..` between slashes")]
pub struct NotCanonical(String);

impl Dimension {
    /// All dimensions.
    pub const ALL: [Self; 5] = [Self::Environment, Self::Product, Self::Service, Self::Repository, Self::Branch];

    /// The word used in files and policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Environment => "environment",
            Self::Product => "product",
            Self::Service => "service",
            Self::Repository => "repository",
            Self::Branch => "branch",
        }
    }

    /// The Cedar entity type.
    #[must_use]
    pub const fn entity(self) -> &'static str {
        match self {
            Self::Environment => "Environment",
            Self::Product => "Product",
            Self::Service => "Service",
            Self::Repository => "Repository",
            Self::Branch => "Branch",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.as_str() == word)
    }
}

impl Facet {
    fn read(&self, arguments: &Value) -> Result<Option<String>, NotCanonical> {
        let path = match self {
            Self::Fixed(text) => return Ok(Some(text.clone())),
            Self::Argument(path) => path,
        };
        match path.iter().try_fold(arguments, |value, step| value.get(step)) {
            Some(Value::String(text)) if canonical(text) => Ok(Some(text.clone())),
            Some(Value::String(_)) => Err(NotCanonical(path.join("."))),
            Some(found @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(found.to_string())),
            _ => Ok(None),
        }
    }
}

/// Policies compare what a call touches as text, so one thing must have one name: no `.` or `..`
/// between slashes or backslashes, and no control characters.
fn canonical(text: &str) -> bool {
    !text.split(['/', '\\']).any(|segment| matches!(segment, "." | "..")) && !text.chars().any(char::is_control)
}

impl ResourceMap {
    /// The resource of a call with these arguments. A dimension whose argument is missing stays
    /// unknown: a grant that is bounded along it then does not match.
    ///
    /// # Errors
    /// When a part of it is written in a way that names the same thing twice (see [`NotCanonical`]).
    pub fn resolve(&self, class: Class, arguments: &Value) -> Result<Resource, NotCanonical> {
        let mut dimensions = BTreeMap::new();
        for (dimension, facet) in &self.dimensions {
            dimensions.extend(facet.read(arguments)?.map(|value| (*dimension, value)));
        }
        let id = self.id.as_ref().map_or(Ok(None), |facet| facet.read(arguments))?;
        let kind = self.kind.clone().unwrap_or_else(|| class.as_str().to_owned());
        Ok(Resource { kind, id: id.unwrap_or_default(), dimensions })
    }
}

impl Resource {
    /// Its name within the tenant: `ticket:T-1`.
    #[must_use]
    pub fn name(&self) -> String {
        if self.id.is_empty() { self.kind.clone() } else { format!("{}:{}", self.kind, self.id) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_resource_has_one_name() {
        let map = ResourceMap { id: Some(Facet::Argument(vec!["path".into()])), ..ResourceMap::default() };
        let name = |path: &str| map.resolve(Class::Write, &json!({"path": path})).map(|resource| resource.id);
        assert_eq!(name("drafts/a..b.md"), Ok("drafts/a..b.md".into()));
        assert_eq!(name("https://example.com/a"), Ok("https://example.com/a".into()));
        for bad in ["drafts/../hello.md", "..", "./a", "a/.", "a\\..\\b", "a\nb"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}

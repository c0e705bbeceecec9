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
    fn read(&self, arguments: &Value) -> Option<String> {
        match self {
            Self::Fixed(text) => Some(text.clone()),
            Self::Argument(path) => {
                let found = path.iter().try_fold(arguments, |value, step| value.get(step))?;
                match found {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(_) | Value::Bool(_) => Some(found.to_string()),
                    _ => None,
                }
            }
        }
    }
}

impl ResourceMap {
    /// The resource of a call with these arguments. A dimension whose argument is missing stays
    /// unknown: a grant that is bounded along it then does not match.
    #[must_use]
    pub fn resolve(&self, class: Class, arguments: &Value) -> Resource {
        let dimensions =
            self.dimensions.iter().filter_map(|(dimension, facet)| Some((*dimension, facet.read(arguments)?)));
        Resource {
            kind: self.kind.clone().unwrap_or_else(|| class.as_str().to_owned()),
            id: self.id.as_ref().and_then(|facet| facet.read(arguments)).unwrap_or_default(),
            dimensions: dimensions.collect(),
        }
    }

    /// Whether the resource is the same for every call.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        self.id.iter().chain(self.dimensions.values()).all(|facet| matches!(facet, Facet::Fixed(_)))
    }
}

impl Resource {
    /// Its name within the tenant: `ticket:T-1`.
    #[must_use]
    pub fn name(&self) -> String {
        if self.id.is_empty() { self.kind.clone() } else { format!("{}:{}", self.kind, self.id) }
    }
}

//! The registry: every tool that may be called at all, as the operator classified it and as its
//! definition was approved. A tool that is missing here does not exist for any caller.

mod cost;
mod pin;
mod preview;
mod resource;
mod schema;
mod shape;
mod tool;

use std::collections::HashMap;
use std::sync::Arc;

pub use cost::{Cost, CostError, micro_usd};
pub use pin::{Definition, PinDiff, diff};
pub use preview::Preview;
pub use resource::{Dimension, Facet, NotCanonical, Resource, ResourceMap};
pub use schema::{Schema, SchemaError};
pub use shape::{Member, Shape};
pub(crate) use shape::{decimal_text, quoted};
pub use tool::{Class, Risk, Tool};

use crate::ids::ToolName;

/// All callable tools, by name and by the name agents see.
#[derive(Debug, Default)]
pub struct Registry {
    tools: Vec<Arc<Tool>>,
    by_name: HashMap<ToolName, usize>,
    by_public: HashMap<String, usize>,
}

/// Two tools that agents could not tell apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tools `{0}` and `{1}` would both be shown to agents as `{2}`")]
pub struct NameCollision(pub ToolName, pub ToolName, pub String);

impl Registry {
    /// Builds the routing table; tools keep the order of their names.
    ///
    /// # Errors
    /// When two public names are equal or differ only in case.
    pub fn new(tools: impl IntoIterator<Item = Tool>) -> Result<Self, NameCollision> {
        let mut tools: Vec<_> = tools.into_iter().map(Arc::new).collect();
        tools.sort_by(|a, b| a.name.cmp(&b.name));
        let mut registry = Self::default();
        let mut folded: HashMap<String, ToolName> = HashMap::with_capacity(tools.len());
        for (at, tool) in tools.iter().enumerate() {
            if let Some(other) = folded.insert(tool.public.to_ascii_lowercase(), tool.name.clone()) {
                return Err(NameCollision(other, tool.name.clone(), tool.public.clone()));
            }
            registry.by_name.insert(tool.name.clone(), at);
            registry.by_public.insert(tool.public.clone(), at);
        }
        registry.tools = tools;
        Ok(registry)
    }

    /// The tool of this name.
    #[must_use]
    pub fn tool(&self, name: &ToolName) -> Option<&Arc<Tool>> {
        self.by_name.get(name).and_then(|at| self.tools.get(*at))
    }

    /// The tool that agents know by this name.
    #[must_use]
    pub fn public(&self, name: &str) -> Option<&Arc<Tool>> {
        self.by_public.get(name).and_then(|at| self.tools.get(*at))
    }

    /// Every tool, sorted by name.
    #[must_use]
    pub fn tools(&self) -> &[Arc<Tool>] {
        &self.tools
    }
}

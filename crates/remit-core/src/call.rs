//! A requested tool call, resolved: whose, which tool under which pin, with which arguments, and
//! what it touches. Made only by [`Call::resolve`], so every `Call` has been checked against the
//! tool's schema, and its digest is over exactly what would be forwarded.

use std::sync::Arc;

use serde_json::Value;

use crate::identity::Caller;
use crate::ids::{Digest, RunId, TeamId};
use crate::json::canonical;
use crate::registry::{Resource, Tool};

/// A call that is well formed. Whether it is allowed is another matter.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who calls.
    pub caller: Caller,
    /// The team that owns the calling agent, when a remit names one.
    pub agent_owner: Option<TeamId>,
    /// What is called.
    pub tool: Arc<Tool>,
    /// The arguments, as they were read.
    pub arguments: Value,
    /// The run it belongs to.
    pub run: RunId,
    /// What it touches.
    pub resource: Resource,
    /// What it costs, in micro-USD.
    pub cost: u64,
    canonical: String,
    digest: Digest,
}

/// Arguments that the tool does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid arguments: {0}")]
pub struct InvalidInput(pub String);

impl Call {
    /// Resolves a request.
    ///
    /// # Errors
    /// When the arguments are no object, violate the tool's schema, or leave its cost open.
    pub fn resolve(
        caller: Caller,
        agent_owner: Option<TeamId>,
        tool: Arc<Tool>,
        arguments: Value,
        run: RunId,
    ) -> Result<Self, InvalidInput> {
        if !arguments.is_object() {
            return Err(InvalidInput("expected an object".into()));
        }
        tool.input.check(&arguments).map_err(InvalidInput)?;
        let cost = tool.cost.of(&arguments).map_err(|error| InvalidInput(error.to_string()))?;
        let resource = tool.resource.resolve(tool.class, &arguments);
        let resource = resource.map_err(|error| InvalidInput(error.to_string()))?;
        let canonical = canonical(&arguments);
        let digest = digest(&caller, &tool, &canonical);
        Ok(Self { caller, agent_owner, tool, arguments, run, resource, cost, canonical, digest })
    }

    /// The canonical text of the arguments: what is digested, and what is forwarded.
    #[must_use]
    pub fn canonical_arguments(&self) -> &str {
        &self.canonical
    }

    /// Names exactly this call: tenant, chain of callers, tool and its pin, arguments. The run is
    /// not part of it, so that a held call can be repeated after its run went idle.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }
}

/// Every part is preceded by its length: no two different calls share a text.
fn digest(caller: &Caller, tool: &Tool, canonical: &str) -> Digest {
    let mut text = Vec::with_capacity(canonical.len() + 256);
    let mut part = |bytes: &[u8]| {
        text.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        text.extend_from_slice(bytes);
    };
    part(b"remit/call/v1");
    part(caller.tenant().as_str().as_bytes());
    for link in caller.links() {
        part(link.kind().as_bytes());
        part(link.id().as_bytes());
    }
    part(tool.name.as_str().as_bytes());
    part(tool.definition.digest().as_bytes());
    part(canonical.as_bytes());
    Digest::of(&text)
}

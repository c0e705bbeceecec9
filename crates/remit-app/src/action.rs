//! The action: what the records of one call name it by.
//!
//! Its digest is salted. Whoever knows the salt and the call can compute it, and nobody else can guess the call from it;
//! an erasure deletes the salt with the rest. The store finds calls by [`Call::digest`], which is not salted and stands in
//! no signed text.

use remit_core::Call;
use remit_core::ids::Digest;
use remit_core::json::{self, Object};

use crate::gate::Gate;

/// Bytes of chance that make a digest unguessable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Salt([u8; 16]);

/// A call under one salt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its digest: the subject of each record of this call.
    pub digest: Digest,
    /// The salt.
    pub salt: Salt,
    /// What the digest is of, as canonical JSON. Decisions disclose it under the name `action`.
    pub(crate) text: String,
}

impl Salt {
    /// What stands in place of a salt that was erased.
    pub const NONE: Self = Self([0; 16]);

    /// From random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A commitment to a value of this name under this salt.
    #[must_use]
    pub fn commit(&self, name: &str, value: &str) -> Digest {
        Digest::of(&[&self.0, name.as_bytes(), b"\0", value.as_bytes()].concat())
    }
}

impl std::fmt::Display for Salt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Action {
    /// The action of this call under this salt.
    #[must_use]
    pub fn of(call: &Call, salt: Salt) -> Self {
        let links = call.caller.links().flat_map(|link| [json::quoted(link.kind()), json::quoted(link.id())]);
        let links = links.collect::<Vec<_>>().join(",");
        let caller = format!("[{},{links}]", json::quoted(call.caller.tenant().as_str()));
        let mut of = Object::new();
        of.number("v", 1).text("salt", &salt.to_string()).text("tool", call.tool.name.as_str());
        of.text("pin", &call.tool.definition.digest().to_string());
        of.text("arguments", &Digest::of(call.canonical_arguments().as_bytes()).to_string());
        of.text("caller", &Digest::of(caller.as_bytes()).to_string());
        let text = of.finish();
        Self { digest: Digest::of(text.as_bytes()), salt, text }
    }
}

impl Gate {
    /// Two salts that nobody has seen: for the action, and for those who vote on it.
    pub(crate) fn salts(&self) -> (Salt, Salt) {
        let bytes = self.ports.entropy.bytes();
        let (mut action, mut voters) = ([0; 16], [0; 16]);
        action.copy_from_slice(&bytes[..16]);
        voters.copy_from_slice(&bytes[16..]);
        (Salt(action), Salt(voters))
    }
}

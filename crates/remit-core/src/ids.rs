//! Identifiers. Each is a distinct type over one canonical spelling, so that an agent cannot be
//! passed where a user is meant, and two stores can never disagree on whether two names are equal:
//! identifiers compare byte for byte, and only one spelling of each is accepted.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

/// Longest identifier that is accepted, in bytes.
pub const ID_BYTES_MAX: usize = 128;

/// A text that is not an identifier of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}: {expected}")]
pub struct InvalidId {
    kind: &'static str,
    text: String,
    expected: &'static str,
}

fn accept(kind: &'static str, text: &str, expected: &'static str, each: fn(u8) -> bool) -> Result<Arc<str>, InvalidId> {
    let shaped = text.bytes().all(each) && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    if shaped && text.len() <= ID_BYTES_MAX {
        return Ok(text.into());
    }
    let text = text.chars().filter(|c| !c.is_control()).take(ID_BYTES_MAX).collect();
    Err(InvalidId { kind, text, expected })
}

fn slug(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'_' | b'-')
}

fn subject(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'@' | b':' | b'+' | b'/' | b'|')
}

fn tool(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/')
}

const SLUG: &str = "expected 1 to 128 of a-z 0-9 . _ - beginning with a letter or digit";
const SUBJECT: &str = "expected 1 to 128 of A-Z a-z 0-9 . _ - @ : + / | beginning with a letter or digit";
const TOOL: &str = "expected `upstream/tool`, 1 to 128 of A-Z a-z 0-9 . _ - /";

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $each:ident, $expected:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Accepts the canonical spelling and nothing else.
            pub fn parse(text: &str) -> Result<Self, InvalidId> {
                accept($kind, text, $expected, $each).map(Self)
            }

            /// The canonical spelling.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id!(/** The organisation everything else belongs to. */ TenantId, "a tenant", slug, SLUG);
id!(/** A registered software actor. */ AgentId, "an agent", slug, SLUG);
id!(/** The human on whose behalf an agent works, as the issuer of its token spells it. */ UserId, "a user", subject, SUBJECT);
id!(/** A group of people, the owner of agents and tools. */ TeamId, "a team", slug, SLUG);
id!(/** A business process that authorises runs: a ticket queue, a pipeline, a case type. */ WorkflowId, "a workflow", subject, SUBJECT);
id!(/** A system behind the gate. */ UpstreamId, "an upstream", slug, SLUG);
id!(/** A named requirement that people can satisfy for one call. */ RuleId, "an approval rule", slug, SLUG);
id!(/** A person who steers the gateway, as its configuration names them. */ OperatorId, "an operator", subject, SUBJECT);
id!(/** One task of one agent for one user. */ RunId, "a run", subject, SUBJECT);
id!(/** One record; also the id by which a call is asked about. */ RecordId, "a record", subject, SUBJECT);
id!(/** A time-bound extra permission. */ GrantId, "a grant", subject, SUBJECT);
id!(/** What a held call waits for. */ QuestionId, "a question", subject, SUBJECT);
id!(/** A change of the authority that waits for people. */ ChangeId, "a change", subject, SUBJECT);
id!(/** A proposed change of a remit. */ ProposalId, "a proposal", subject, SUBJECT);
id!(/** A way on which people are told something: mail, a webhook, a chat. */ ChannelId, "a channel", slug, SLUG);

/// The name of a tool: `upstream/tool`, unique in a registry.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolName(Arc<str>);

impl ToolName {
    /// Accepts `upstream/tool`; the tool part may hold further slashes.
    pub fn parse(text: &str) -> Result<Self, InvalidId> {
        let name = accept("a tool", text, TOOL, tool)?;
        let invalid = |_| InvalidId { kind: "a tool", text: text.into(), expected: TOOL };
        let (upstream, rest) = name.split_once('/').ok_or(()).map_err(invalid)?;
        UpstreamId::parse(upstream).map_err(|_| ()).map_err(invalid)?;
        if rest.is_empty() || rest.ends_with('/') {
            return Err(invalid(()));
        }
        Ok(Self(name))
    }

    /// Joins an upstream and the name the upstream itself uses.
    pub fn join(upstream: &UpstreamId, own: &str) -> Result<Self, InvalidId> {
        Self::parse(&format!("{upstream}/{own}"))
    }

    /// The whole name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The upstream's part, before the first slash.
    #[must_use]
    pub fn upstream(&self) -> &str {
        self.0.split_once('/').map_or("", |(upstream, _)| upstream)
    }

    /// The name by which the upstream itself knows the tool.
    #[must_use]
    pub fn own(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, own)| own)
    }
}

impl fmt::Display for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ToolName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToolName({})", self.0)
    }
}

/// A SHA-256 digest; printed as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digest of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest that was computed elsewhere.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads 64 lower-case hex digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let text = text.as_bytes();
        let mut bytes = [0u8; 32];
        if text.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let digit = |c: u8| match c {
                b'0'..=b'9' => Some(c - b'0'),
                b'a'..=b'f' => Some(c - b'a' + 10),
                _ => None,
            };
            *byte = digit(*pair.first()?)? << 4 | digit(*pair.last()?)?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let mut text = [0u8; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_each() {
        assert!(AgentId::parse("support-bot").is_ok());
        for bad in ["", "Support", "a b", "-x", "a/b", "ａ", &"x".repeat(129)] {
            assert!(AgentId::parse(bad).is_err(), "{bad}");
        }
        assert!(UserId::parse("alice@example.com").is_ok());
        assert!(UserId::parse("alice smith").is_err());
    }

    #[test]
    fn tools_have_two_parts() {
        let name = ToolName::parse("files/resources/read").expect("three segments");
        assert_eq!((name.upstream(), name.own()), ("files", "resources/read"));
        for bad in ["files", "files/", "/read", "Files/read", "f/a/"] {
            assert!(ToolName::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_round_trip() {
        let digest = Digest::of(b"abc");
        assert_eq!(digest.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Digest::from_hex(&digest.to_string()), Some(digest));
        assert_eq!(Digest::from_hex("BA"), None);
    }
}

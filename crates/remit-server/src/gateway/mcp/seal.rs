//! Seals: what a client carries for us. Session ids, request states, task ids and cursors are texts
//! under a message authentication code, so any gateway with the same key can read them, before and
//! after a restart, and nobody else can make one.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use remit_core::Caller;

/// What a sealed text is for. One made for one purpose is worth nothing for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A legacy session id.
    Session,
    /// The `requestState` of a request that needs more than one leg.
    State,
    /// A task id.
    Task,
    /// A cursor of a list.
    Cursor,
}

/// Seals and opens.
pub(super) struct Seals(Key);

impl Purpose {
    const fn label(self) -> &'static str {
        match self {
            Self::Session => "remit/mcp/session/v1",
            Self::State => "remit/mcp/state/v1",
            Self::Task => "remit/mcp/task/v1",
            Self::Cursor => "remit/mcp/cursor/v1",
        }
    }
}

impl Seals {
    /// Seals under this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(Key::new(HMAC_SHA256, key))
    }

    /// Seals some bytes for one principal. The text is visible ASCII.
    pub fn seal(&self, purpose: Purpose, principal: &[u8], payload: &[u8]) -> String {
        let tag = sign(&self.0, &text(purpose, principal, payload));
        let mut sealed = payload.to_vec();
        sealed.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens what was sealed for this purpose and principal; `None` for everything else.
    pub fn open(&self, purpose: Purpose, principal: &[u8], sealed: &str) -> Option<Vec<u8>> {
        let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let tag = bytes.split_off(bytes.len().checked_sub(32)?);
        verify(&self.0, &text(purpose, principal, &bytes), &tag).ok()?;
        Some(bytes)
    }
}

/// Every part is preceded by its length: no two different seals share a text.
fn text(purpose: Purpose, principal: &[u8], payload: &[u8]) -> Vec<u8> {
    parts(&[purpose.label().as_bytes(), principal, payload])
}

/// Some parts as one text that no other parts have.
pub(super) fn parts(parts: &[&[u8]]) -> Vec<u8> {
    let mut text = Vec::with_capacity(parts.iter().map(|part| part.len() + 8).sum());
    for part in parts {
        text.extend_from_slice(&(part.len() as u64).to_be_bytes());
        text.extend_from_slice(part);
    }
    text
}

/// A caller as seals are bound to it: tenant and every link of the chain.
pub(super) fn principal(caller: &Caller) -> Vec<u8> {
    let links: Vec<_> = caller.links().collect();
    let mut all: Vec<&[u8]> = vec![caller.tenant().as_str().as_bytes()];
    for link in &links {
        all.extend([link.kind().as_bytes(), link.id().as_bytes()]);
    }
    parts(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_holds_for_one_purpose_one_principal_one_key() {
        let seals = Seals::new(&[7; 32]);
        let sealed = seals.seal(Purpose::State, b"alice", b"payload");
        assert!(sealed.bytes().all(|byte| byte.is_ascii_graphic()));
        assert_eq!(seals.open(Purpose::State, b"alice", &sealed), Some(b"payload".to_vec()));
        assert_eq!(seals.open(Purpose::State, b"bob", &sealed), None);
        assert_eq!(seals.open(Purpose::Session, b"alice", &sealed), None);
        assert_eq!(Seals::new(&[8; 32]).open(Purpose::State, b"alice", &sealed), None);
        for at in 0..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let tampered = String::from_utf8(bytes).expect("ascii");
            assert_eq!(seals.open(Purpose::State, b"alice", &tampered), None, "{at}");
        }
        for broken in ["", "a", "AAAA", &format!("{sealed}A"), &format!("{sealed}-TAMPERED"), &sealed[1..]] {
            assert_eq!(seals.open(Purpose::State, b"alice", broken), None, "{broken}");
        }
    }
}

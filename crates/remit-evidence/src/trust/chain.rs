//! Succession: a newer trust document takes the place of one that is held, if a key of the one held
//! has signed it. Owns the two rules against forgery and rollback; never fetches anything.

use remit_core::json;

use super::{Trust, TrustError};
use crate::dsse::{Envelope, MalformedEnvelope, keyid, pae_of};
use crate::log::vkey::ed25519;

/// The payload type of signed trust documents. A signature over a record is none over a document.
pub const TRUST_TYPE: &str = "application/vnd.remit.trust+json";

/// Why a document does not take the place of the one that is held.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No envelope.
    #[error(transparent)]
    Envelope(#[from] MalformedEnvelope),
    /// Signed by nobody the document that is held knows.
    #[error("not signed by a key of the document that is held")]
    Unsigned,
    /// What was signed is no trust document.
    #[error(transparent)]
    Document(#[from] TrustError),
    /// An older document, or another one of the same version.
    #[error("version {0} does not follow version {1}")]
    Rollback(u64, u64),
    /// About somebody else.
    #[error("it is about another tenant")]
    Tenant,
}

impl Trust {
    /// The document inside this envelope, if it may take the place of this one.
    ///
    /// # Errors
    /// Says why it may not.
    pub fn succeed(&self, envelope: &[u8]) -> Result<Self, Refused> {
        let value = json::parse(envelope).map_err(|error| MalformedEnvelope(error.to_string()))?;
        let envelope = Envelope::read(&value, TRUST_TYPE)?;
        let signature = ed25519_dalek::Signature::from_bytes(&envelope.signature.bytes);
        let signer = self.signers.iter().find(|key| keyid(key) == envelope.signature.keyid);
        let key = signer.and_then(|key| ed25519(key)).ok_or(Refused::Unsigned)?;
        let signed = key.verify_strict(&signed(&envelope.payload), &signature);
        signed.map_err(|_| Refused::Unsigned)?;
        let next = Self::parse(&envelope.payload)?;
        if next.tenant != self.tenant {
            return Err(Refused::Tenant);
        }
        // INVARIANT (no rollback): an older list of keys could bring back one that was taken away.
        if next.version <= self.version {
            return Err(Refused::Rollback(next.version, self.version));
        }
        Ok(next)
    }
}

/// What a key of the document that is held signs to let this one follow.
#[must_use]
pub fn signed(document: &[u8]) -> Vec<u8> {
    pae_of(TRUST_TYPE, document)
}

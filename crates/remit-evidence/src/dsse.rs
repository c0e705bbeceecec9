//! DSSE, the Dead Simple Signing Envelope (v1.0.2): a signature over a payload and its type.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remit_core::ids::Digest;
use remit_core::json;
use serde_json::{Value, json};

/// The payload type of in-toto statements.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Largest payload that is read, in bytes.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024;

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// A hint at the key: the hex SHA-256 of its 32 bytes. Never trusted.
    pub keyid: String,
    /// The Ed25519 signature over the pre-authentication encoding.
    pub bytes: [u8; 64],
}

/// An envelope with exactly one signature, the writer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The statement's bytes.
    pub payload: Vec<u8>,
    /// The writer's signature.
    pub signature: Signature,
}

/// A text that is no envelope of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an evidence envelope: {0}")]
pub struct MalformedEnvelope(pub String);

/// The pre-authentication encoding: what is signed.
#[must_use]
pub fn pae(payload: &[u8]) -> Vec<u8> {
    pae_of(PAYLOAD_TYPE, payload)
}

/// The pre-authentication encoding of a payload of another type. A signature over one type is none
/// over another.
#[must_use]
pub fn pae_of(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    out.extend_from_slice(payload);
    out
}

/// The hint by which a key is named.
#[must_use]
pub fn keyid(public_key: &[u8; 32]) -> String {
    Digest::of(public_key).to_string()
}

impl Envelope {
    /// The digest by which records refer to each other: SHA-256 of the pre-authentication encoding.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&pae(&self.payload))
    }

    /// The envelope as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "payload": STANDARD.encode(&self.payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": self.signature.keyid, "sig": STANDARD.encode(self.signature.bytes)}],
        })
    }

    /// Reads an envelope, strictly: its members and no others, one signature, no oversize.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, MalformedEnvelope> {
        Self::read(&json::parse(text).map_err(|error| MalformedEnvelope(error.to_string()))?, PAYLOAD_TYPE)
    }

    /// Reads an envelope around a payload of this type that stands inside another document.
    ///
    /// # Errors
    /// As [`Envelope::parse`].
    pub fn read(value: &Value, payload_type: &str) -> Result<Self, MalformedEnvelope> {
        let bad = |what: &str| MalformedEnvelope(what.to_owned());
        let members = value.as_object().ok_or_else(|| bad("no object"))?;
        if members.keys().any(|key| !matches!(key.as_str(), "payload" | "payloadType" | "signatures")) {
            return Err(bad("unknown member"));
        }
        if members.get("payloadType").and_then(Value::as_str) != Some(payload_type) {
            return Err(bad("wrong payload type"));
        }
        let decode = |value: Option<&Value>| value.and_then(Value::as_str).and_then(|text| STANDARD.decode(text).ok());
        let payload = decode(members.get("payload")).ok_or_else(|| bad("no payload"))?;
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(bad("payload too large"));
        }
        let signatures = members.get("signatures").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let [signature] = signatures else { return Err(bad("expected exactly one signature")) };
        let own = signature.as_object().is_some_and(|members| members.len() == 2);
        let keyid = signature.get("keyid").and_then(Value::as_str).filter(|_| own);
        let keyid = keyid.ok_or_else(|| bad("a signature has `keyid` and `sig` and nothing else"))?.to_owned();
        let bytes = decode(signature.get("sig")).and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.ok_or_else(|| bad("no signature of 64 bytes"))?;
        Ok(Self { payload, signature: Signature { keyid, bytes } })
    }
}

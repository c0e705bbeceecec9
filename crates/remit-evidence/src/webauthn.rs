//! What a passkey's answer proves (W3C WebAuthn Level 3, sections 7.1 and 7.2): that whoever holds the private
//! key of a credential was there, was verified, and answered this challenge on this site.
//! Owns no challenge and no credential: both are handed in, as are the site's names. Pure, so that an approval
//! that a passkey signed can be checked offline, years later.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::VerifyingKey as Ed25519Key;
use p256::ecdsa::VerifyingKey as P256Key;
use p256::ecdsa::signature::Verifier as _;
use remit_core::ids::Digest;
use remit_core::json;
use serde_json::Value;

use crate::log::vkey::ed25519;

/// Largest client data that is read, in bytes.
pub const CLIENT_DATA_BYTES_MAX: usize = 4 * 1024;
/// Largest authenticator data that is read, in bytes.
pub const AUTHENTICATOR_DATA_BYTES_MAX: usize = 4 * 1024;
/// What every authenticator data begins with: the digest of the site, the flags, the count of signatures.
const HEAD_BYTES: usize = 32 + 1 + 4;

/// The user was there.
const PRESENT: u8 = 1;
/// The user was verified: by a finger, a face, a PIN.
const VERIFIED: u8 = 1 << 2;
/// The credential may be copied to other devices.
const BACKUP_ELIGIBLE: u8 = 1 << 3;
/// The credential has been.
const BACKED_UP: u8 = 1 << 4;
/// A new credential follows.
const ATTESTED: u8 = 1 << 6;
/// Outputs of extensions follow.
const EXTENDED: u8 = 1 << 7;
/// Bits that have no meaning.
const RESERVED: u8 = 1 << 1 | 1 << 5;

/// Why an answer proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotProven(pub &'static str);

type Proof<T> = Result<T, NotProven>;

/// The public key of a credential. Its text is `es256:` or `ed25519:` and base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(Key);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Key {
    Es256(Box<P256Key>),
    Ed25519(Box<Ed25519Key>),
}

impl PublicKey {
    /// A key of COSE algorithm ES256 (-7): a point of P-256, uncompressed as SEC 1 writes it, 65 bytes.
    ///
    /// # Errors
    /// When that is no point of the curve, or one written in another form: one key has one text.
    pub fn es256(point: &[u8]) -> Proof<Self> {
        if point.len() != 65 || point.first() != Some(&4) {
            return Err(NotProven("the key is no uncompressed point"));
        }
        let key = P256Key::from_sec1_bytes(point).map_err(|_| NotProven("the key is no point of P-256"))?;
        Ok(Self(Key::Es256(Box::new(key))))
    }

    /// A key of COSE algorithm EdDSA (-8) on Ed25519, 32 bytes.
    ///
    /// # Errors
    /// When that is no point that may sign.
    pub fn ed25519(point: &[u8]) -> Proof<Self> {
        let key = ed25519(point).ok_or(NotProven("the key is no sound Ed25519 key"))?;
        Ok(Self(Key::Ed25519(Box::new(key))))
    }

    /// Reads a key's text.
    ///
    /// # Errors
    /// When it is not the one text of a sound key.
    pub fn parse(text: &str) -> Proof<Self> {
        let (algorithm, point) = text.split_once(':').ok_or(NotProven("the key names no algorithm"))?;
        let point = URL_SAFE_NO_PAD.decode(point).map_err(|_| NotProven("the key is no base64url"))?;
        match algorithm {
            "es256" => Self::es256(&point),
            "ed25519" => Self::ed25519(&point),
            _ => Err(NotProven("the key is of an unknown algorithm")),
        }
    }

    fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.0 {
            Key::Es256(key) => p256::ecdsa::Signature::from_der(signature)
                .is_ok_and(|signature| key.verify(message, &signature).is_ok()),
            Key::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok()),
        }
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Key::Es256(key) => write!(f, "es256:{}", URL_SAFE_NO_PAD.encode(key.to_sec1_point(false).as_bytes())),
            Key::Ed25519(key) => write!(f, "ed25519:{}", URL_SAFE_NO_PAD.encode(key.as_bytes())),
        }
    }
}

/// What was asked, and where.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'e> {
    /// The site: a domain, without scheme and port.
    pub rp_id: &'e str,
    /// Where the site's pages may stand: scheme, host and port, as browsers write an origin.
    pub origins: &'e [String],
    /// The challenge's bytes.
    pub challenge: &'e [u8],
    /// Whether the authenticator must have verified its user, and not only seen somebody.
    pub user_verified: bool,
}

/// An answer of an authenticator, through a browser.
#[derive(Clone, Copy, Debug)]
pub struct Assertion<'a> {
    /// The bytes of `clientDataJSON`.
    pub client_data: &'a [u8],
    /// The bytes of `authenticatorData`.
    pub authenticator_data: &'a [u8],
    /// The signature over the two: in DER for ES256, 64 bytes for Ed25519.
    pub signature: &'a [u8],
}

/// What the head of authenticator data says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// How often this credential has signed; zero always, where an authenticator does not count.
    pub sign_count: u32,
    /// Whether the user was verified.
    pub user_verified: bool,
    /// Whether the credential may be copied to other devices.
    pub backup_eligible: bool,
    /// Whether it has been.
    pub backed_up: bool,
}

/// Checks an answer to `navigator.credentials.get`, in the order of section 7.2.
///
/// # Errors
/// What the answer does not prove. Nothing of it may be used then.
pub fn verify(key: &PublicKey, expected: &Expected<'_>, assertion: &Assertion<'_>) -> Proof<Seen> {
    client_data(assertion.client_data, "webauthn.get", expected)?;
    let (seen, rest) = authenticator_data(assertion.authenticator_data, false, expected)?;
    extensions(assertion.authenticator_data, rest)?;
    let mut message = assertion.authenticator_data.to_vec();
    message.extend_from_slice(Digest::of(assertion.client_data).as_bytes());
    if key.signed(&message, assertion.signature) { Ok(seen) } else { Err(NotProven("the signature does not verify")) }
}

/// Checks what a browser says of a new credential (`navigator.credentials.create`, section 7.1), except for
/// the credential itself: that is in the rest of the authenticator data, which is returned.
///
/// # Errors
/// What the answer does not prove.
pub fn created<'a>(
    client_data_json: &[u8],
    authenticator: &'a [u8],
    expected: &Expected<'_>,
) -> Proof<(Seen, &'a [u8])> {
    client_data(client_data_json, "webauthn.create", expected)?;
    authenticator_data(authenticator, true, expected)
}

/// Reads what the browser signed over. Other members are no fault: the specification announces more.
fn client_data(bytes: &[u8], kind: &str, expected: &Expected<'_>) -> Proof<()> {
    if bytes.len() > CLIENT_DATA_BYTES_MAX {
        return Err(NotProven("the client data is too large"));
    }
    // Strictly: two readers that disagree about a duplicate would disagree about what was signed.
    let read = json::parse(bytes).map_err(|_| NotProven("the client data is no strict JSON"))?;
    let members = read.as_object().ok_or(NotProven("the client data is no object"))?;
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    if text("type") != Some(kind) {
        return Err(NotProven("the client data is of another ceremony"));
    }
    if text("challenge") != Some(URL_SAFE_NO_PAD.encode(expected.challenge).as_str()) {
        return Err(NotProven("another challenge was answered"));
    }
    if !text("origin").is_some_and(|origin| expected.origins.iter().any(|known| known == origin)) {
        return Err(NotProven("the answer was given on another site"));
    }
    // A frame inside somebody else's page: what the person saw around it was not ours.
    if !matches!(members.get("crossOrigin"), None | Some(Value::Bool(false))) || members.contains_key("topOrigin") {
        return Err(NotProven("the answer was given inside another site"));
    }
    Ok(())
}

fn authenticator_data<'a>(bytes: &'a [u8], creates: bool, expected: &Expected<'_>) -> Proof<(Seen, &'a [u8])> {
    if bytes.len() > AUTHENTICATOR_DATA_BYTES_MAX {
        return Err(NotProven("the authenticator data is too large"));
    }
    let (head, rest) =
        bytes.split_first_chunk::<HEAD_BYTES>().ok_or(NotProven("the authenticator data is cut short"))?;
    let (site, [flags, count @ ..]) = head.split_at(32) else {
        return Err(NotProven("the authenticator data is cut short"));
    };
    if site != Digest::of(expected.rp_id.as_bytes()).as_bytes() {
        return Err(NotProven("the credential is of another site"));
    }
    let has = |flag: u8| flags & flag != 0;
    if !has(PRESENT) {
        return Err(NotProven("nobody was there"));
    }
    if expected.user_verified && !has(VERIFIED) {
        return Err(NotProven("the user was not verified"));
    }
    if has(BACKED_UP) && !has(BACKUP_ELIGIBLE) {
        return Err(NotProven("a credential that may not be copied says it was"));
    }
    if has(RESERVED) {
        return Err(NotProven("the authenticator data has flags without meaning"));
    }
    if has(ATTESTED) != creates {
        return Err(NotProven("a new credential stands where none belongs, or none where one belongs"));
    }
    let sign_count = count.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte));
    let (user_verified, backup_eligible, backed_up) = (has(VERIFIED), has(BACKUP_ELIGIBLE), has(BACKED_UP));
    Ok((Seen { sign_count, user_verified, backup_eligible, backed_up }, rest))
}

/// Behind the head of an assertion stand outputs of extensions, a map in CBOR, when the flag says so, and
/// nothing otherwise. They are signed and never read: none was asked for.
fn extensions(bytes: &[u8], rest: &[u8]) -> Proof<()> {
    let extended = bytes.get(32).is_some_and(|flags| flags & EXTENDED != 0);
    let map = rest.first().is_some_and(|first| first >> 5 == 5);
    match (extended, rest.is_empty(), map) {
        (false, true, _) | (true, false, true) => Ok(()),
        _ => Err(NotProven("bytes without meaning follow the authenticator data")),
    }
}

#[cfg(test)]
mod tests;

//! The provider's keys (RFC 7517), and what each of them signs.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Failure;

/// Most keys that are looked at.
const KEYS_MAX: usize = 64;

/// The algorithms that are taken (RFC 7518, RFC 8037). Nothing else is: not `none`, and none whose key we share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Rs256,
    Ps256,
    Es256,
    EdDsa,
}

impl Algorithm {
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            "ES256" => Some(Self::Es256),
            // RFC 9864 gives the same its own name.
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    kid: Option<String>,
    /// The one algorithm it is for, where it says.
    algorithm: Option<Algorithm>,
    public: Public,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Public {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point of P-256, not compressed.
    P256(Vec<u8>),
    Ed25519(Vec<u8>),
}

/// All of them that can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Keys(Vec<Key>);

impl Keys {
    /// Reads a set. Keys of other kinds and for other uses are passed over.
    pub(super) fn read(said: &Value) -> Result<Self, Failure> {
        let keys = said.get("keys").and_then(Value::as_array);
        let keys = keys.ok_or_else(|| Failure::Provider("its keys are no set of keys".into()))?;
        Ok(Self(keys.iter().take(KEYS_MAX).filter_map(key).collect()))
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The one key that can have signed this. Where a name fits two, or none is given and there are several, nobody
    /// guesses.
    pub(super) fn of(&self, algorithm: Algorithm, kid: Option<&str>) -> Result<Key, Failure> {
        let mut fit = self.0.iter().filter(|key| key.signs(algorithm) && (kid.is_none() || key.kid.as_deref() == kid));
        match (fit.next(), fit.next()) {
            (Some(key), None) => Ok(key.clone()),
            (None, _) => Err(Failure::Answer("the token is signed by a key that the provider does not show")),
            (Some(_), Some(_)) => Err(Failure::Answer("the token does not say which key signed it")),
        }
    }
}

impl Key {
    fn signs(&self, algorithm: Algorithm) -> bool {
        let kind = match self.public {
            Public::Rsa { .. } => matches!(algorithm, Algorithm::Rs256 | Algorithm::Ps256),
            Public::P256(_) => algorithm == Algorithm::Es256,
            Public::Ed25519(_) => algorithm == Algorithm::EdDsa,
        };
        kind && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Whether it made this signature by this algorithm.
    pub(super) fn signed(&self, algorithm: Algorithm, text: &[u8], signature: &[u8]) -> bool {
        let checked = match (&self.public, algorithm) {
            (Public::Rsa { n, e }, Algorithm::Rs256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, text, signature)
            }
            (Public::Rsa { n, e }, Algorithm::Ps256) => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PSS_2048_8192_SHA256, text, signature)
            }
            (Public::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(text, signature)
            }
            (Public::Ed25519(key), Algorithm::EdDsa) => UnparsedPublicKey::new(&ED25519, key).verify(text, signature),
            _ => return false,
        };
        checked.is_ok()
    }
}

fn key(said: &Value) -> Option<Key> {
    let text = |name: &str| said.get(name).and_then(Value::as_str);
    let bytes = |name: &str| text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    if text("use").is_some_and(|of| of != "sig") {
        return None;
    }
    let ops = said.get("key_ops").and_then(Value::as_array);
    if ops.is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
        return None;
    }
    // One that is for an algorithm that is not taken is no key of ours.
    let algorithm = match text("alg") {
        Some(word) => Some(Algorithm::parse(word)?),
        None => None,
    };
    let public = match (text("kty")?, text("crv")) {
        ("RSA", _) => Public::Rsa { n: bytes("n")?, e: bytes("e")? },
        ("EC", Some("P-256")) => {
            let (x, y) = (bytes("x")?, bytes("y")?);
            if x.len() != 32 || y.len() != 32 {
                return None;
            }
            Public::P256([&[4], &x[..], &y[..]].concat())
        }
        ("OKP", Some("Ed25519")) => Public::Ed25519(bytes("x").filter(|x| x.len() == 32)?),
        _ => return None,
    };
    Some(Key { kid: text("kid").map(str::to_owned), algorithm, public })
}

//! The signatures that timestampers make: RSA (PKCS #1 v1.5 and PSS), ECDSA on P-256 and P-384, Ed25519, over SHA-256,
//! SHA-384 or SHA-512. Owns verification with public keys; there is nothing secret here.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::der::{self, INTEGER, NULL, OID, Reader, SEQUENCE};
use crate::log::vkey::ed25519;

/// RSA keys that are verified with, in bytes of their modulus: 2048 to 8192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// The hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its object identifier (RFC 5754, 2).
    const fn oid(self) -> [u8; 9] {
        let last = match self {
            Self::Sha256 => 1,
            Self::Sha384 => 2,
            Self::Sha512 => 3,
        };
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last]
    }

    /// Reads the inside of an algorithm identifier.
    pub(super) fn read(identifier: &[u8]) -> Option<Self> {
        let oid = Reader::all(identifier, |reader| {
            let oid = reader.take(OID)?;
            reader.maybe(NULL)?;
            Ok(oid.value)
        });
        oid.ok().and_then(|oid| Self::ALL.into_iter().find(|hash| hash.oid() == oid))
    }

    pub(super) fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Scheme {
    Pkcs1(Hash),
    Pss(Hash),
    P256(Hash),
    P384(Hash),
    Ed25519,
}

/// A way to sign.
#[derive(Clone, Copy, Debug)]
pub(super) struct Method {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    scheme: Scheme,
}

const fn method(key: AlgorithmIdentifier, signature: AlgorithmIdentifier, scheme: Scheme) -> Method {
    Method { key, signature, scheme }
}

/// All that are known.
pub(super) static METHODS: [Method; 13] = {
    use Hash::{Sha256, Sha384, Sha512};
    use alg_id::{
        ECDSA_P256, ECDSA_P384, ECDSA_SHA256, ECDSA_SHA384, ECDSA_SHA512, ED25519, RSA_ENCRYPTION, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    };
    [
        method(RSA_ENCRYPTION, RSA_PKCS1_SHA256, Scheme::Pkcs1(Sha256)),
        method(RSA_ENCRYPTION, RSA_PKCS1_SHA384, Scheme::Pkcs1(Sha384)),
        method(RSA_ENCRYPTION, RSA_PKCS1_SHA512, Scheme::Pkcs1(Sha512)),
        method(RSA_ENCRYPTION, RSA_PSS_SHA256, Scheme::Pss(Sha256)),
        method(RSA_ENCRYPTION, RSA_PSS_SHA384, Scheme::Pss(Sha384)),
        method(RSA_ENCRYPTION, RSA_PSS_SHA512, Scheme::Pss(Sha512)),
        method(ECDSA_P256, ECDSA_SHA256, Scheme::P256(Sha256)),
        method(ECDSA_P256, ECDSA_SHA384, Scheme::P256(Sha384)),
        method(ECDSA_P256, ECDSA_SHA512, Scheme::P256(Sha512)),
        method(ECDSA_P384, ECDSA_SHA256, Scheme::P384(Sha256)),
        method(ECDSA_P384, ECDSA_SHA384, Scheme::P384(Sha384)),
        method(ECDSA_P384, ECDSA_SHA512, Scheme::P384(Sha512)),
        method(ED25519, ED25519, Scheme::Ed25519),
    ]
};

/// The ways that this algorithm identifier of a signer may mean; which of them follows from the key. CMS also names
/// the key's algorithm alone and means PKCS #1 v1.5 with the hash it states beside it (RFC 3370, 3.2).
pub(super) fn named(identifier: &[u8], hash: Hash) -> impl Iterator<Item = &'static Method> {
    let bare = identifier == alg_id::RSA_ENCRYPTION.as_ref();
    METHODS.iter().filter(move |method| match method.scheme {
        Scheme::Pkcs1(own) if bare => own == hash,
        _ => method.signature.as_ref() == identifier,
    })
}

impl SignatureVerificationAlgorithm for Method {
    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let holds = match self.scheme {
            Scheme::Pkcs1(hash) => pkcs1(key, &hash.of(message), signature, hash),
            Scheme::Pss(hash) => pss(key, &hash.of(message), signature, hash),
            Scheme::P256(hash) => p256(key, &hash.of(message), signature),
            Scheme::P384(hash) => p384(key, &hash.of(message), signature),
            Scheme::Ed25519 => edwards(key, message, signature),
        };
        holds.filter(|holds| *holds).map(|_| ()).ok_or(InvalidSignature)
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }
}

fn p256(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<bool> {
    let key = p256::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = p256::ecdsa::Signature::from_der(signature).ok()?;
    Some(key.verify_prehash(digest, &signature).is_ok())
}

fn p384(key: &[u8], digest: &[u8], signature: &[u8]) -> Option<bool> {
    let key = p384::ecdsa::VerifyingKey::from_sec1_bytes(key).ok()?;
    let signature = p384::ecdsa::Signature::from_der(signature).ok()?;
    Some(key.verify_prehash(digest, &signature).is_ok())
}

fn edwards(key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let key = ed25519(key)?;
    let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
    Some(key.verify_strict(message, &signature).is_ok())
}

/// RSASSA-PKCS1-v1_5 (RFC 8017, 8.2.2): what it must have been is made and compared, never taken apart.
fn pkcs1(key: &[u8], digest: &[u8], signature: &[u8], hash: Hash) -> Option<bool> {
    let (message, _) = opened(key, signature)?;
    let identifier = der::write(SEQUENCE, &[&der::write(OID, &[&hash.oid()]), &[NULL, 0]]);
    let info = der::write(SEQUENCE, &[&identifier, &der::write(der::BYTES, &[digest])]);
    let filling = message.len().checked_sub(info.len() + 3).filter(|filling| *filling >= 8)?;
    Some(message == [&[0, 1][..], &vec![0xff; filling], &[0], &info].concat())
}

/// RSASSA-PSS (RFC 8017, 9.1.2), with MGF1 over the same hash and a salt as long as it.
fn pss(key: &[u8], digest: &[u8], signature: &[u8], hash: Hash) -> Option<bool> {
    let (message, bits) = opened(key, signature)?;
    // The encoded message has one bit less than the modulus, and one byte less when that is a whole number of bytes.
    let spare = (8 - (bits - 1) % 8) % 8;
    let encoded = message.get(usize::from(spare == 0)..)?;
    if spare == 0 && message.first() != Some(&0) {
        return Some(false);
    }
    let length = digest.len();
    let (front, masked) = (encoded.len().checked_sub(length + 1)?, encoded.strip_suffix(&[0xbc])?);
    let (masked, seal) = masked.split_at_checked(front)?;
    let mask = mgf1(seal, masked.len(), hash);
    let mut block: Vec<u8> = masked.iter().zip(&mask).map(|(byte, mask)| byte ^ mask).collect();
    if masked.first()?.leading_zeros() < spare {
        return Some(false);
    }
    let first = block.first_mut()?;
    *first &= 0xff >> spare;
    let (filling, salt) = block.split_at_checked(block.len().checked_sub(length)?)?;
    let (one, zeros) = filling.split_last()?;
    let filled = *one == 1 && zeros.iter().all(|byte| *byte == 0);
    Some(filled && hash.of(&[&[0; 8], digest, salt].concat()) == seal)
}

fn mgf1(seed: &[u8], length: usize, hash: Hash) -> Vec<u8> {
    let mut mask = Vec::new();
    for counter in 0_u32.. {
        if mask.len() >= length {
            break;
        }
        mask.extend(hash.of(&[seed, &counter.to_be_bytes()].concat()));
    }
    mask.truncate(length);
    mask
}

/// The signature raised to the public exponent, as long as the modulus, and the modulus's length in bits.
fn opened(key: &[u8], signature: &[u8]) -> Option<(Vec<u8>, u32)> {
    let numbers = Reader::all(key, |reader| {
        let pair = reader.take(SEQUENCE)?;
        Reader::all(pair.value, |pair| Ok((pair.take(INTEGER)?.value, pair.take(INTEGER)?.value)))
    });
    let (modulus, exponent) = numbers.ok()?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let exponent = der::number(exponent).filter(|exponent| (3..1 << 33).contains(exponent) && exponent % 2 == 1)?;
    let sized = MODULUS_BYTES.contains(&modulus.len()) && signature.len() == modulus.len();
    if !sized || modulus.first().is_none_or(|first| *first == 0) {
        return None;
    }
    let width = u32::try_from(modulus.len() * 8).ok()?;
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, width).ok();
    let (n, s) = (number(modulus)?, number(signature)?);
    if s >= n {
        return None;
    }
    let bits = n.bits();
    let n = Option::<Odd<BoxedUint>>::from(Odd::new(n))?;
    let base = BoxedMontyForm::new(s, &BoxedMontyParams::new_vartime(n));
    let opened = base.pow_bounded_exp(&BoxedUint::from(exponent), 34).retrieve().to_be_bytes();
    // It was computed in whole words.
    Some((opened.get(opened.len().checked_sub(modulus.len())?..)?.to_vec(), bits))
}

//! A timestamper in a few lines, with keys from seeds that guard nothing, and everything it could do wrong.
//! Its certificates were made by OpenSSL: see `tests/stamps/make.sh`.

use ed25519_dalek::Signer as _;
use remit_evidence::stamp::Timestamper;
use sha2::{Digest as _, Sha256, Sha512};

pub const ISSUER: &[u8] = include_bytes!("../stamps/issuer.der");
pub const OTHER: &[u8] = include_bytes!("../stamps/other.der");
pub const TSA: &[u8] = include_bytes!("../stamps/tsa.der");
pub const EDWARDS: &[u8] = include_bytes!("../stamps/edwards.der");
/// Its usage can be passed over.
pub const LAX: &[u8] = include_bytes!("../stamps/lax.der");
/// It is for signing code as well.
pub const WIDE: &[u8] = include_bytes!("../stamps/wide.der");
/// Valid in 2020.
pub const PAST: &[u8] = include_bytes!("../stamps/past.der");
/// Of the other issuer.
pub const STRAY: &[u8] = include_bytes!("../stamps/stray.der");

const SHA256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03];
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
pub const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// An element of DER.
pub fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let value = parts.concat();
    let length = match value.len() {
        short @ 0..=0x7f => vec![short as u8],
        middle @ 0x80..=0xff => vec![0x81, middle as u8],
        long => vec![0x82, (long >> 8) as u8, long as u8],
    };
    [&[tag][..], &length, &value].concat()
}

/// Somebody everybody here trusts to state times.
pub fn named(certificate: &[u8]) -> Timestamper {
    Timestamper { name: "stamps.example".into(), certificate: certificate.to_vec() }
}

/// A token that is about to be made.
pub struct Stamping<'s> {
    /// Whose it is.
    pub certificate: &'s [u8],
    /// The certificate that the signed attributes name.
    pub says: &'s [u8],
    /// What is in the token.
    pub enclosed: Vec<&'s [u8]>,
    /// The time, as a token writes it.
    pub at: &'s str,
    /// The digest of what is stamped.
    pub imprint: [u8; 32],
    /// What the attributes say the content is.
    pub content_type: &'s [u8],
    /// Whether the attributes are about this content.
    pub about_it: bool,
    /// Whether the attributes name a certificate at all.
    pub names_certificate: bool,
    pub nonce: Vec<u8>,
    /// More of the statement, behind the nonce.
    pub more: Vec<u8>,
    pub seed: u8,
}

impl<'s> Stamping<'s> {
    pub fn of(bytes: &[u8], at: &'s str) -> Self {
        Self {
            certificate: TSA,
            says: TSA,
            enclosed: vec![TSA],
            at,
            imprint: Sha256::digest(bytes).into(),
            content_type: TST_INFO,
            about_it: true,
            names_certificate: true,
            nonce: vec![0x40, 1, 2, 3, 4, 5, 6, 7],
            more: Vec::new(),
            seed: 0x43,
        }
    }

    /// With this certificate of the same key.
    pub fn by(self, certificate: &'s [u8]) -> Self {
        Self { certificate, says: certificate, enclosed: vec![certificate], ..self }
    }

    pub fn token(&self) -> Vec<u8> {
        let edwards = self.certificate == EDWARDS;
        let hash = |oid| der(0x30, &[&der(0x06, &[oid]), &[5, 0]]);
        let digest = |bytes: &[u8]| {
            if edwards { Sha512::digest(bytes).to_vec() } else { Sha256::digest(bytes).to_vec() }
        };
        let own_hash = hash(if edwards { SHA512 } else { SHA256 });
        let statement = der(
            0x30,
            &[
                &der(0x02, &[&[1]]),
                &der(0x06, &[&[0x2a, 3, 4, 1]]),
                &der(0x30, &[&hash(SHA256), &der(0x04, &[&self.imprint])]),
                &der(0x02, &[&[7]]),
                &der(0x18, &[self.at.as_bytes()]),
                &der(0x30, &[&der(0x02, &[&[1]]), &der(0x80, &[&[1, 0xf4]])]),
                &der(0x02, &[&self.nonce]),
                &self.more,
            ],
        );
        let attribute = |oid: &[u8], value: &[u8]| der(0x30, &[&der(0x06, &[oid]), &der(0x31, &[value])]);
        let over = if self.about_it { digest(&statement) } else { digest(b"another statement") };
        let named = der(0x30, &[&der(0x30, &[&der(0x30, &[&der(0x04, &[&Sha256::digest(self.says)])])])]);
        let mut attributes = attribute(CONTENT_TYPE, &der(0x06, &[self.content_type]));
        attributes.extend(attribute(MESSAGE_DIGEST, &der(0x04, &[&over])));
        if self.names_certificate {
            attributes.extend(attribute(SIGNING_CERTIFICATE_V2, &named));
        }
        let signed = der(0x31, &[&attributes]);
        let (method, signature) = if edwards {
            let key = ed25519_dalek::SigningKey::from_bytes(&[0x2c; 32]);
            (ED25519, key.sign(&signed).to_bytes().to_vec())
        } else {
            let key = p256::ecdsa::SigningKey::from_slice(&[self.seed; 32]).expect("key");
            let signature: p256::ecdsa::Signature = p256::ecdsa::signature::Signer::sign(&key, &signed);
            (ECDSA_SHA256, signature.to_der().as_bytes().to_vec())
        };
        let signer = der(
            0x30,
            &[
                &der(0x02, &[&[1]]),
                // The key's identifier: whatever is written here, the attributes count.
                &der(0x80, &[&[9; 20]]),
                &own_hash,
                &der(0xa0, &[&attributes]),
                &der(0x30, &[&der(0x06, &[method])]),
                &der(0x04, &[&signature]),
            ],
        );
        let content = der(0x30, &[&der(0x06, &[TST_INFO]), &der(0xa0, &[&der(0x04, &[&statement])])]);
        let data = der(
            0x30,
            &[
                &der(0x02, &[&[3]]),
                &der(0x31, &[&own_hash]),
                &content,
                &der(0xa0, &[&self.enclosed.concat()]),
                &der(0x31, &[&signer]),
            ],
        );
        der(0x30, &[&der(0x06, &[SIGNED_DATA]), &der(0xa0, &[&data])])
    }
}

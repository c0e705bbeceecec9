//! Stamps of time: tokens in which a third party states that it saw a checkpoint at a time (RFC 3161). Owns the query,
//! the answer and the verification of a token against timestampers that were named beforehand; never asks anybody.
//!
//! What is stamped is the signed checkpoint, byte for byte as it was published: its root stands for every leaf below,
//! and the log's signature existed as well. Revocation is not looked up: an auditor takes a name off the list.

mod certificate;
mod der;
mod signature;
mod token;

use remit_core::ids::Digest;

use der::{BOOLEAN, BYTES, INTEGER, NULL, OID, Reader, SEQUENCE, number, write};

/// What the query is sent as (RFC 3161, 3.4).
pub const QUERY_TYPE: &str = "application/timestamp-query";
/// What the answer comes as.
pub const ANSWER_TYPE: &str = "application/timestamp-reply";
/// Largest token that is read, in bytes. Those of public timestampers have 2 to 8 KiB.
pub const TOKEN_BYTES_MAX: usize = 48 * 1024;
/// Largest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = TOKEN_BYTES_MAX + 8 * 1024;

/// SHA-256 (RFC 5754, 2.2).
const SHA256: [u8; 9] = [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];

/// Somebody who states times: a name for people, and a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamper {
    /// What it is called in reports.
    pub name: String,
    /// Its certificate, or that of an issuer whose timestampers all count, in DER.
    pub certificate: Vec<u8>,
}

/// What a token says, and who says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The timestamper, by the name it was given.
    pub by: String,
    /// When it saw the bytes at the latest, in milliseconds since 1970: its time, and as much as it may be wrong.
    pub at: i64,
    /// The number the query asked it to repeat, as the bytes of a whole number.
    pub nonce: Option<Vec<u8>>,
}

/// Why bytes do not count as stamped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotStamped {
    /// Not in the format.
    #[error("it is no token of time: {0}")]
    Malformed(&'static str),
    /// The timestamper says that it did not stamp.
    #[error("the timestamper refused, with status {0}")]
    Refused(u64),
    /// It is about something else.
    #[error("the token is over other bytes")]
    Foreign,
    /// The signature, or what it must cover, is not right.
    #[error("the token is not signed as it must be: {0}")]
    Unsigned(&'static str),
    /// Signed by somebody who may not state times.
    #[error("the signer's certificate is not for stamping times, and for nothing else")]
    Purpose,
    /// Signed well, but by nobody who was named.
    #[error("signed by no timestamper that is named, or outside the time its certificate is valid")]
    Unknown,
}

/// A certificate that can be named as a timestamper's, or its issuer's.
///
/// # Errors
/// When it is no certificate.
pub fn nameable(certificate: &[u8]) -> Result<(), NotStamped> {
    certificate::nameable(certificate)
}

/// Asks for a token over these bytes, with the certificates that verify it.
#[must_use]
pub fn query(bytes: &[u8], nonce: [u8; 8]) -> Vec<u8> {
    let hash = write(SEQUENCE, &[&write(OID, &[&SHA256]), &[NULL, 0]]);
    let imprint = write(SEQUENCE, &[&hash, &write(BYTES, &[Digest::of(bytes).as_bytes()])]);
    write(SEQUENCE, &[&write(INTEGER, &[&[1]]), &imprint, &write(INTEGER, &[&whole(nonce)]), &[BOOLEAN, 1, 0xff]])
}

/// The nonce as the whole number that is sent: positive, and of eight bytes in any case.
#[must_use]
pub const fn whole(nonce: [u8; 8]) -> [u8; 8] {
    let [first, rest @ ..] = nonce;
    let [b, c, d, e, f, g, h] = rest;
    [first & 0x3f | 0x40, b, c, d, e, f, g, h]
}

/// The token in an answer. That it is right is for [`verify`].
///
/// # Errors
/// When the answer is none, or says no.
pub fn answered(answer: &[u8]) -> Result<&[u8], NotStamped> {
    if answer.len() > ANSWER_BYTES_MAX {
        return Err(NotStamped::Malformed("too large"));
    }
    Reader::all(answer, |outer| {
        let response = outer.take(SEQUENCE)?;
        Reader::all(response.value, |reader| {
            let status = Reader(reader.take(SEQUENCE)?.value).take(INTEGER)?.value;
            let status = number(status).ok_or(NotStamped::Malformed("its status is no number"))?;
            // 0 granted, 1 granted with modifications.
            if status > 1 {
                return Err(NotStamped::Refused(status));
            }
            Ok(reader.take(SEQUENCE)?.whole)
        })
    })
}

/// What a token says of these bytes, if one of these timestampers says it.
///
/// # Errors
/// See [`NotStamped`].
pub fn verify(token: &[u8], bytes: &[u8], timestampers: &[Timestamper]) -> Result<Stamp, NotStamped> {
    if token.len() > TOKEN_BYTES_MAX {
        return Err(NotStamped::Malformed("too large"));
    }
    let token = token::Token::read(token)?;
    if token.info.imprint != *Digest::of(bytes).as_bytes() {
        return Err(NotStamped::Foreign);
    }
    let by = certificate::signer(&token, timestampers)?;
    Ok(Stamp { by: by.name.clone(), at: token.info.at, nonce: token.info.nonce.map(<[u8]>::to_vec) })
}

//! Whose token it is: the signer's certificate, what it is for, and the way from it to one that was named. Owns no list:
//! certificates in a token are never believed for being in it.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::der::{INTEGER, OID, Reader, SEQUENCE, field};
use super::signature::{METHODS, named};
use super::token::{Token, either_time, extensions};
use super::{NotStamped, Timestamper};

/// `id-kp-timeStamping` (RFC 3161, 2.3).
const TIME_STAMPING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];

type Read<T> = Result<T, NotStamped>;

/// The named timestamper that signed this token.
pub(super) fn signer<'t>(token: &Token<'_>, timestampers: &'t [Timestamper]) -> Read<&'t Timestamper> {
    let pinned = timestampers.iter().map(|timestamper| &timestamper.certificate[..]);
    // INVARIANT (the signature says whose it is): the digest of the certificate stands among what is signed.
    let (hash, digest) = token.signer;
    let certificate =
        token.certificates.iter().copied().chain(pinned).find(|certificate| hash.of(certificate) == digest);
    let certificate = certificate.ok_or(NotStamped::Unknown)?;
    let der = CertificateDer::from(certificate);
    let read = EndEntityCert::try_from(&der).map_err(|_| NotStamped::Malformed("its certificate is none"))?;
    let signed = named(token.method.0, token.method.1)
        .any(|method| read.verify_signature(method, &token.signed, token.signature).is_ok());
    if !signed {
        return Err(NotStamped::Unsigned("the signature does not hold, or is of a kind that does not count"));
    }
    if !is_for_stamping(certificate)? {
        return Err(NotStamped::Purpose);
    }
    let others: Vec<CertificateDer<'_>> = token.certificates.iter().map(|other| CertificateDer::from(*other)).collect();
    let vouches = |timestamper: &&Timestamper| {
        if timestamper.certificate == certificate {
            return validity(certificate).is_ok_and(|(from, until)| (from..=until).contains(&token.info.at));
        }
        leads_to(&read, &others, token.info.at, timestamper)
    };
    timestampers.iter().find(vouches).ok_or(NotStamped::Unknown)
}

/// Whether certificates lead from the signer's to the named one, all valid at the time that is stated.
fn leads_to(signer: &EndEntityCert<'_>, others: &[CertificateDer<'_>], at: i64, timestamper: &Timestamper) -> bool {
    let anchor = CertificateDer::from(&timestamper.certificate[..]);
    let Ok(anchor) = anchor_from_trusted_cert(&anchor) else { return false };
    let methods: Vec<&dyn SignatureVerificationAlgorithm> = METHODS.iter().map(|method| method as _).collect();
    let seconds = u64::try_from(at / 1000).unwrap_or(0);
    let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    // Of the signer, `is_for_stamping` asks more; issuers between need not say what they issue for.
    let usage = KeyUsage::required_if_present(TIME_STAMPING);
    signer.verify_for_usage(&methods, &[anchor], others, time, usage, None, None).is_ok()
}

/// What a certificate states beside its keys, from the serial number on.
fn body(certificate: &[u8]) -> Read<Reader<'_>> {
    let whole = Reader::all(certificate, |outer| outer.take(SEQUENCE))?;
    let mut body = Reader(Reader(whole.value).take(SEQUENCE)?.value);
    body.maybe(field(0))?;
    body.take(INTEGER)?;
    body.take(SEQUENCE)?;
    body.take(SEQUENCE)?;
    Ok(body)
}

fn validity(certificate: &[u8]) -> Read<(i64, i64)> {
    let validity = body(certificate)?.take(SEQUENCE)?;
    Reader::all(validity.value, |pair| Ok((either_time(pair)?, either_time(pair)?)))
}

/// Whether the certificate is for stamping, for nothing else, and says so in a way that cannot be passed over.
fn is_for_stamping(certificate: &[u8]) -> Read<bool> {
    let mut body = body(certificate)?;
    let last = body.rest()?.into_iter().find(|element| element.tag == field(3));
    let Some(last) = last else { return Ok(false) };
    let list = Reader::all(last.value, |explicit| explicit.take(SEQUENCE))?;
    let mut usages = extensions(list.value)?.into_iter().filter(|extension| extension.name == EXTENDED_KEY_USAGE);
    let (Some(usage), None) = (usages.next(), usages.next()) else { return Ok(false) };
    let purposes = Reader::all(usage.value, |outer| outer.take(SEQUENCE))?;
    let only = Reader::all(purposes.value, |purposes| purposes.take(OID)).is_ok_and(|only| only.value == TIME_STAMPING);
    Ok(usage.critical && only)
}

/// See [`super::nameable`].
pub(super) fn nameable(certificate: &[u8]) -> Read<()> {
    let not = |_| NotStamped::Malformed("it is no certificate");
    validity(certificate).map_err(not)?;
    anchor_from_trusted_cert(&CertificateDer::from(certificate))
        .map(|_| ())
        .map_err(|_| NotStamped::Malformed("it is no certificate"))
}

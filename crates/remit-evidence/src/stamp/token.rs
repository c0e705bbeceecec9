//! The token itself: CMS SignedData over a TSTInfo (RFC 3161, 2.4.2; RFC 5652; RFC 5816). Owns its structure and what the
//! signature covers; whose signature it is, is for `certificate.rs`.

use super::der::{BOOLEAN, BYTES, Element, INTEGER, OID, Reader, SEQUENCE, SET, TIME, UTC_TIME, field, number, plain};
use super::signature::Hash;
use super::{NotStamped, SHA256};
use crate::instant;

const SIGNED_DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const TST_INFO: [u8; 11] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
const CONTENT_TYPE: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
const SIGNING_CERTIFICATE_V2: [u8; 11] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];
/// Most certificates in a token.
const CERTIFICATES_MAX: usize = 16;

type Read<T> = Result<T, NotStamped>;

/// A token that has been read. Its signature has not been verified.
pub(super) struct Token<'d> {
    pub info: Info<'d>,
    /// The certificates in it, in DER.
    pub certificates: Vec<&'d [u8]>,
    /// The digest of the signer's certificate, as the signature covers it.
    pub signer: (Hash, &'d [u8]),
    /// What is signed: the attributes, as a set.
    pub signed: Vec<u8>,
    /// How: the inside of an algorithm identifier, and the hash that is named beside it.
    pub method: (&'d [u8], Hash),
    pub signature: &'d [u8],
}

/// What is stated.
pub(super) struct Info<'d> {
    pub imprint: &'d [u8],
    /// The latest time it allows, in milliseconds since 1970.
    pub at: i64,
    pub nonce: Option<&'d [u8]>,
}

const fn bad<T>(what: &'static str) -> Read<T> {
    Err(NotStamped::Malformed(what))
}

/// The inside of an element of this kind which fills its place.
fn inside<'d, T>(element: Element<'d>, read: impl FnOnce(&mut Reader<'d>) -> Read<T>) -> Read<T> {
    Reader::all(element.value, read)
}

impl<'d> Token<'d> {
    pub(super) fn read(bytes: &'d [u8]) -> Read<Self> {
        let data = Reader::all(bytes, |outer| {
            inside(outer.take(SEQUENCE)?, |content| {
                if content.take(OID)?.value != SIGNED_DATA {
                    return bad("it is not signed data");
                }
                inside(content.take(field(0))?, |explicit| explicit.take(SEQUENCE))
            })
        })?;
        inside(data, |data| {
            data.take(INTEGER)?;
            data.take(SET)?;
            let content = inside(data.take(SEQUENCE)?, |content| {
                if content.take(OID)?.value != TST_INFO {
                    return bad("what is signed is no statement of a time");
                }
                inside(content.take(field(0))?, |explicit| Ok(explicit.take(BYTES)?.value))
            })?;
            let certificates = data.maybe(field(0))?.map_or(Ok(Vec::new()), |set| Reader(set.value).rest())?;
            data.maybe(field(1))?;
            // INVARIANT (one signer): with two, it would be open whose word the time is.
            let signer = inside(data.take(SET)?, |set| set.take(SEQUENCE))?;
            if certificates.len() > CERTIFICATES_MAX {
                return bad("too many certificates");
            }
            let certificates = certificates.into_iter().filter(|element| element.tag == SEQUENCE);
            Self::signed(signer, content, certificates.map(|element| element.whole).collect())
        })
    }

    fn signed(signer: Element<'d>, content: &'d [u8], certificates: Vec<&'d [u8]>) -> Read<Self> {
        inside(signer, |signer| {
            signer.take(INTEGER)?;
            // By which name the signer is called. The attributes name the certificate itself, and are signed.
            signer.next()?;
            let hash = Hash::read(signer.take(SEQUENCE)?.value);
            let hash = hash.ok_or(NotStamped::Unsigned("by a hash that does not count"))?;
            let attributes = signer.take(field(0))?;
            let method = signer.take(SEQUENCE)?.value;
            let signature = signer.take(BYTES)?.value;
            signer.maybe(field(1))?;
            let certificate = covered(attributes.value, &hash.of(content))?;
            // They are signed as the set they are, not as the field they stand in (RFC 5652, 5.4).
            let behind = attributes.whole.get(1..).unwrap_or_default();
            let signed = [&[SET], behind].concat();
            let info = Info::read(content)?;
            Ok(Self { info, certificates, signer: certificate, signed, method: (method, hash), signature })
        })
    }
}

/// The attributes that are signed: they must be about this content, and name the certificate of the signer.
fn covered<'d>(attributes: &'d [u8], digest: &[u8]) -> Read<(Hash, &'d [u8])> {
    let attributes = Reader(attributes).rest()?;
    let attributes: Vec<(&[u8], Element<'_>)> = attributes
        .into_iter()
        .map(|attribute| {
            inside(attribute, |attribute| {
                let name = attribute.take(OID)?.value;
                Ok((name, attribute.take(SET)?))
            })
        })
        .collect::<Read<_>>()?;
    let only = |oid: &[u8], tag: u8| {
        let mut named = attributes.iter().filter(|(name, _)| *name == oid);
        match (named.next(), named.next()) {
            (Some((_, values)), None) => inside(*values, |values| values.take(tag)),
            _ => Err(NotStamped::Unsigned("an attribute is missing, or there twice")),
        }
    };
    if only(&CONTENT_TYPE, OID)?.value != TST_INFO {
        return Err(NotStamped::Unsigned("as something else than a statement of a time"));
    }
    if only(&MESSAGE_DIGEST, BYTES)?.value != digest {
        return Err(NotStamped::Unsigned("over another statement"));
    }
    // The first certificate is the signer's (RFC 5035, 3).
    let list = Reader(only(&SIGNING_CERTIFICATE_V2, SEQUENCE)?.value).take(SEQUENCE)?;
    let first = Reader(list.value).take(SEQUENCE)?;
    let mut first = Reader(first.value);
    let hash = match first.maybe(SEQUENCE)? {
        Some(named) => Hash::read(named.value).ok_or(NotStamped::Unsigned("by a hash that does not count"))?,
        None => Hash::Sha256,
    };
    Ok((hash, first.take(BYTES)?.value))
}

impl<'d> Info<'d> {
    fn read(content: &'d [u8]) -> Read<Self> {
        let info = Reader::all(content, |outer| outer.take(SEQUENCE))?;
        inside(info, |info| {
            if info.take(INTEGER)?.value != [1] {
                return bad("a version that is not known");
            }
            info.take(OID)?;
            let imprint = inside(info.take(SEQUENCE)?, |imprint| {
                let algorithm = imprint.take(SEQUENCE)?;
                let algorithm = Reader(algorithm.value).take(OID)?.value;
                Ok((algorithm, imprint.take(BYTES)?.value))
            })?;
            if imprint.0 != SHA256 {
                return Err(NotStamped::Foreign);
            }
            info.take(INTEGER)?;
            let at = time(info.take(TIME)?)?;
            let about = info.maybe(SEQUENCE)?.map_or(Ok(0), |accuracy| inside(accuracy, accuracy_ms))?;
            info.maybe(BOOLEAN)?;
            let nonce = info.maybe(INTEGER)?.map(|nonce| nonce.value);
            info.maybe(field(0))?;
            if let Some(list) = info.maybe(field(1))?
                && extensions(list.value)?.iter().any(|extension| extension.critical)
            {
                return bad("it depends on something that is not known");
            }
            Ok(Self { imprint: imprint.1, at: at.saturating_add(about), nonce })
        })
    }
}

/// How much the time may be wrong, in whole milliseconds, rounded up.
fn accuracy_ms(accuracy: &mut Reader<'_>) -> Read<i64> {
    let seconds = accuracy.maybe(INTEGER)?;
    let (millis, micros) = (accuracy.maybe(plain(0))?, accuracy.maybe(plain(1))?);
    let read = |part: Option<Element<'_>>, most: u64| match part {
        None => Ok(0),
        Some(part) => number(part.value).filter(|part| *part <= most).ok_or(NotStamped::Malformed("its accuracy")),
    };
    let ms = read(seconds, u64::from(u32::MAX))? * 1000 + read(millis, 999)? + u64::from(read(micros, 999)? > 0);
    Ok(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// An extension, of a certificate or a token.
pub(super) struct Extension<'d> {
    pub name: &'d [u8],
    pub critical: bool,
    pub value: &'d [u8],
}

pub(super) fn extensions(list: &[u8]) -> Read<Vec<Extension<'_>>> {
    Reader(list).rest()?.into_iter().map(extension).collect()
}

fn extension(extension: Element<'_>) -> Read<Extension<'_>> {
    inside(extension, |extension| {
        let name = extension.take(OID)?.value;
        let critical = extension.maybe(BOOLEAN)?.is_some_and(|critical| critical.value != [0]);
        Ok(Extension { name, critical, value: extension.take(BYTES)?.value })
    })
}

/// A time with seconds and `Z`, in milliseconds since 1970; parts of a millisecond are rounded up.
pub(super) fn time(element: Element<'_>) -> Read<i64> {
    let wrong = NotStamped::Malformed("it has a time that is none");
    let text = std::str::from_utf8(element.value).ok().and_then(|text| text.strip_suffix('Z'));
    let mut text = text.ok_or(wrong.clone())?.to_owned();
    if element.tag == UTC_TIME {
        // RFC 5280, 4.1.2.5.1.
        let century = if text.as_str() < "50" { "20" } else { "19" };
        text.insert_str(0, century);
    }
    let (whole, parts) = text.split_once('.').map_or((text.as_str(), None), |(whole, parts)| (whole, Some(parts)));
    let parts = parts.unwrap_or("0");
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(parts) || parts.len() > 9 || !digits(whole) || whole.len() != 14 {
        return Err(wrong);
    }
    let (ms, below) = parts.split_at(parts.len().min(3));
    let at = |from: usize, to: usize| whole.get(from..to).unwrap_or_default();
    let (date, clock) = (format!("{}-{}-{}", at(0, 4), at(4, 6), at(6, 8)), (at(8, 10), at(10, 12), at(12, 14)));
    let text = format!("{date}T{}:{}:{}.{ms:0<3}Z", clock.0, clock.1, clock.2);
    let up = i64::from(below.bytes().any(|digit| digit != b'0'));
    instant::parse(&text).map(|ms| ms + up).ok_or(wrong)
}

/// Reads a time of either form.
pub(super) fn either_time(reader: &mut Reader<'_>) -> Read<i64> {
    let element = reader.next()?;
    if matches!(element.tag, TIME | UTC_TIME) { time(element) } else { bad("a time was expected") }
}

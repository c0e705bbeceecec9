//! A new passkey, as an authenticator hands it over: an attestation object in CBOR (W3C WebAuthn Level 3, sections
//! 6.1, 6.5 and 7.1). Attestation is not asked for and never believed: who made the device decides nothing here.

use minicbor::Decoder;
use minicbor::data::Type;
use remit_evidence::webauthn::{Expected, NotProven, PublicKey, Seen, created};

/// Largest attestation object, in bytes.
const BYTES_MAX: usize = 16 * 1024;
/// Longest credential id, in bytes.
const ID_BYTES_MAX: usize = 1023;
/// The flag that says that outputs of extensions follow.
const EXTENDED: u8 = 1 << 7;

type Proof<T> = Result<T, NotProven>;

/// A credential that was just made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    pub id: Vec<u8>,
    pub key: PublicKey,
    pub seen: Seen,
}

/// Reads and checks a new credential.
pub(crate) fn read(client_data: &[u8], attestation: &[u8], expected: &Expected<'_>) -> Proof<Credential> {
    if attestation.len() > BYTES_MAX {
        return Err(NotProven("the attestation is too large"));
    }
    let data = authenticator_data(attestation).map_err(|_| NotProven("the attestation is malformed"))?;
    let data = data.ok_or(NotProven("the attestation is malformed"))?;
    let (seen, rest) = created(client_data, data, expected)?;
    let malformed = || NotProven("the new credential is malformed");
    let (_aaguid, rest) = rest.split_first_chunk::<16>().ok_or_else(malformed)?;
    let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(malformed)?;
    let length = usize::from(u16::from_be_bytes(*length));
    let (id, rest) = rest.split_at_checked(length).ok_or_else(malformed)?;
    if id.is_empty() || length > ID_BYTES_MAX {
        return Err(malformed());
    }
    let mut decoder = Decoder::new(rest);
    let key = public_key(&mut decoder)?;
    let after = rest.len() - decoder.position();
    let extended = data.get(32).is_some_and(|flags| flags & EXTENDED != 0);
    if extended {
        // Outputs of extensions that nobody asked for: one map, and nothing behind it.
        let one = decoder.datatype().is_ok_and(|kind| kind == Type::Map) && decoder.skip().is_ok();
        if !one || decoder.position() != rest.len() {
            return Err(malformed());
        }
    } else if after != 0 {
        return Err(malformed());
    }
    Ok(Credential { id: id.to_vec(), key, seen })
}

/// The one `authData` of the object; its statement is passed over.
fn authenticator_data(attestation: &[u8]) -> Result<Option<&[u8]>, minicbor::decode::Error> {
    let mut decoder = Decoder::new(attestation);
    let Some(members) = decoder.map()?.filter(|members| *members <= 8) else { return Ok(None) };
    let mut found = None;
    for _ in 0..members {
        match decoder.str()? {
            "authData" if found.is_none() => found = Some(decoder.bytes()?),
            "authData" => return Ok(None),
            _ => decoder.skip()?,
        }
    }
    Ok(found.filter(|_| decoder.position() == attestation.len()))
}

/// A COSE key (RFC 9053): ES256 on P-256, or EdDSA on Ed25519, and each member once.
fn public_key(decoder: &mut Decoder<'_>) -> Proof<PublicKey> {
    let malformed = |_| NotProven("the new key is malformed");
    let members = decoder.map().map_err(malformed)?.filter(|members| *members <= 8);
    let members = members.ok_or(NotProven("the new key is malformed"))?;
    let (mut numbers, mut x, mut y) = ([None; 3], None, None);
    for _ in 0..members {
        let label = decoder.i64().map_err(malformed)?;
        let twice = match label {
            1 => numbers[0].replace(decoder.i64().map_err(malformed)?).is_some(),
            3 => numbers[1].replace(decoder.i64().map_err(malformed)?).is_some(),
            -1 => numbers[2].replace(decoder.i64().map_err(malformed)?).is_some(),
            -2 => x.replace(decoder.bytes().map_err(malformed)?).is_some(),
            -3 => y.replace(decoder.bytes().map_err(malformed)?).is_some(),
            _ => return Err(NotProven("the new key has a member without meaning")),
        };
        if twice {
            return Err(NotProven("the new key has a member twice"));
        }
    }
    match (numbers, x, y) {
        ([Some(2), Some(-7), Some(1)], Some(x), Some(y)) if x.len() == 32 && y.len() == 32 => {
            PublicKey::es256(&[&[4], x, y].concat())
        }
        ([Some(1), Some(-8), Some(6)], Some(x), None) => PublicKey::ed25519(x),
        _ => Err(NotProven("the new key is of an algorithm that was not asked for")),
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use minicbor::Encoder;
    use remit_core::ids::Digest;

    use super::*;

    const CHALLENGE: [u8; 4] = [1, 2, 3, 4];

    fn point() -> Vec<u8> {
        // The base point of P-256 (FIPS 186-4, D.1.2.3), which is a public key as good as any.
        let hex = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                   4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
        (0..64).map(|at| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).expect("hex")).collect()
    }

    fn key(alg: i64) -> Vec<u8> {
        let point = point();
        let mut out = Encoder::new(Vec::new());
        out.map(5).and_then(|e| e.i64(1)?.i64(2)?.i64(3)?.i64(alg)?.i64(-1)?.i64(1)).expect("cbor");
        out.i64(-2).and_then(|e| e.bytes(&point[..32])?.i64(-3)?.bytes(&point[32..])).expect("cbor");
        out.into_writer()
    }

    fn data(flags: u8, id: &[u8], key: &[u8], after: &[u8]) -> Vec<u8> {
        let mut data = Digest::of(b"acme.example").as_bytes().to_vec();
        data.extend([flags, 0, 0, 0, 0]);
        data.extend([0; 16]);
        data.extend(u16::try_from(id.len()).expect("short").to_be_bytes());
        [&data, id, key, after].concat()
    }

    fn object(data: &[u8]) -> Vec<u8> {
        let mut out = Encoder::new(Vec::new());
        out.map(3).and_then(|e| e.str("fmt")?.str("none")?.str("attStmt")?.map(0)).expect("cbor");
        out.str("authData").and_then(|e| e.bytes(data)).expect("cbor");
        out.into_writer()
    }

    fn check(object: &[u8]) -> Proof<Credential> {
        let origins = ["https://acme.example".to_owned()];
        let expected =
            Expected { rp_id: "acme.example", origins: &origins, challenge: &CHALLENGE, user_verified: true };
        let client = format!(
            r#"{{"type":"webauthn.create","challenge":"{}","origin":"https://acme.example"}}"#,
            URL_SAFE_NO_PAD.encode(CHALLENGE)
        );
        read(client.as_bytes(), object, &expected)
    }

    #[test]
    fn a_credential_is_read_whole() {
        let credential = check(&object(&data(0x45, b"id", &key(-7), b""))).expect("a credential");
        assert_eq!((credential.id.as_slice(), credential.seen.sign_count), (&b"id"[..], 0));
        assert!(credential.key.to_string().starts_with("es256:BGsX0fLh"));
        assert!(check(&object(&data(0xc5, b"id", &key(-7), &[0xa0]))).is_ok());
    }

    #[test]
    fn what_is_not_one_credential_is_refused() {
        let refused = |object: &[u8]| check(object).expect_err("refused").0;
        let bad = "the new credential is malformed";
        assert_eq!(refused(&object(&data(0x45, b"id", &key(-7), &[0]))), bad);
        assert_eq!(refused(&object(&data(0xc5, b"id", &key(-7), &[]))), bad);
        assert_eq!(refused(&object(&data(0xc5, b"id", &key(-7), &[0xa0, 0xa0]))), bad);
        assert_eq!(refused(&object(&data(0x45, b"", &key(-7), &[]))), bad);
        assert_eq!(refused(&object(&data(0x41, b"id", &key(-7), &[]))), "the user was not verified");
        assert!(refused(&object(&data(0x05, b"id", &key(-7), &[]))).starts_with("a new credential"));
        let alg = "the new key is of an algorithm that was not asked for";
        assert_eq!(refused(&object(&data(0x45, b"id", &key(-257), &[]))), alg);
        let mut off_curve = key(-7);
        *off_curve.last_mut().expect("a byte") ^= 1;
        assert_eq!(refused(&object(&data(0x45, b"id", &off_curve, &[]))), "the key is no point of P-256");
        let whole = object(&data(0x45, b"id", &key(-7), b""));
        for cut in 0..whole.len() {
            assert!(check(&whole[..cut]).is_err(), "{cut}");
        }
        assert_eq!(refused(&[&whole[..], &[0]].concat()), "the attestation is malformed");
    }
}

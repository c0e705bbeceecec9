//! ID tokens (OpenID Connect Core 1.0, sections 2 and 3.1.3.7; RFC 7515): one form, one signature, and every claim that
//! decides who somebody is. Pure: no clock, no network.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use remit_core::json;
use serde_json::Value;

use super::keys::{Algorithm, Key};
use super::{Failure, SKEW};

/// Longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 16 * 1024;
/// Longest name of a person at a provider (Core 1.0, section 2), in bytes.
const SUBJECT_BYTES_MAX: usize = 255;
/// A token is used as soon as it is made.
const AGE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// What a token has to say.
pub(super) struct Expected<'e> {
    pub issuer: &'e str,
    pub client_id: &'e str,
    pub nonce: &'e str,
    /// They must have proved themselves after this moment.
    pub since: Option<Timestamp>,
    pub now: Timestamp,
}

/// What a token proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// What the provider calls the person.
    pub subject: String,
    /// When they proved themselves there, if it says.
    pub proved_at: Option<Timestamp>,
}

/// A token that nobody has checked.
#[derive(Debug)]
pub(super) struct Unsure {
    pub algorithm: Algorithm,
    pub kid: Option<String>,
    signed: String,
    signature: Vec<u8>,
    claims: Value,
}

const fn no<T>(why: &'static str) -> Result<T, Failure> {
    Err(Failure::Answer(why))
}

/// Takes a token apart.
pub(super) fn parts(token: &str) -> Result<Unsure, Failure> {
    if token.len() > TOKEN_BYTES_MAX {
        return no("the token is too large");
    }
    let mut three = token.split('.');
    let (Some(head), Some(claims), Some(signature), None) = (three.next(), three.next(), three.next(), three.next())
    else {
        return no("the token has not three parts");
    };
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| Failure::Answer("the token is malformed"));
    let object = |text: &str| {
        let value = json::parse(&bytes(text)?).ok().filter(Value::is_object);
        value.ok_or(Failure::Answer("the token is malformed"))
    };
    let (header, body) = (object(head)?, object(claims)?);
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    if header.get("crit").is_some() {
        return no("the token demands what nobody here knows");
    }
    if text("typ").is_some_and(|kind| !kind.eq_ignore_ascii_case("JWT")) {
        return no("the token is of another kind");
    }
    let algorithm = text("alg").and_then(Algorithm::parse);
    let algorithm = algorithm.ok_or(Failure::Answer("the token is signed by an algorithm that is not taken"))?;
    let (kid, signed) = (text("kid").map(str::to_owned), format!("{head}.{claims}"));
    Ok(Unsure { algorithm, kid, signed, signature: bytes(signature)?, claims: body })
}

/// What a token proves, if this key signed it and it says what is expected.
pub(super) fn judge(token: &Unsure, key: &Key, expected: &Expected<'_>) -> Result<Proven, Failure> {
    if !key.signed(token.algorithm, token.signed.as_bytes(), &token.signature) {
        return no("the token's signature is wrong");
    }
    let text = |name: &str| token.claims.get(name).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        return no("the token is another provider's");
    }
    for_us(&token.claims, expected.client_id)?;
    let nonce = text("nonce").unwrap_or_default();
    if verify_slices_are_equal(nonce.as_bytes(), expected.nonce.as_bytes()).is_err() {
        return no("the token answers another request");
    }
    let at = |name: &str| moment(&token.claims, name);
    let apart = |from: Timestamp, to: Timestamp| from.duration_until(to);
    let (now, expires) = (expected.now, at("exp")?.ok_or(Failure::Answer("the token does not say when it ends"))?);
    if apart(expires, now) >= SKEW {
        return no("the token has expired");
    }
    let issued = at("iat")?.ok_or(Failure::Answer("the token does not say when it was made"))?;
    if apart(now, issued) > SKEW || apart(issued, now) > AGE_MAX {
        return no("the token was not made just now");
    }
    if at("nbf")?.is_some_and(|from| apart(now, from) > SKEW) {
        return no("the token does not count yet");
    }
    let proved_at = at("auth_time")?;
    if proved_at.is_some_and(|proved| apart(now, proved) > SKEW) {
        return no("the token says that they will prove themselves later");
    }
    if let Some(since) = expected.since
        && proved_at.is_none_or(|proved| apart(proved, since) > SKEW)
    {
        return no("the provider does not say that they have just proved themselves again");
    }
    let subject = text("sub").filter(|sub| !sub.is_empty() && sub.len() <= SUBJECT_BYTES_MAX && sub.is_ascii());
    let subject = subject.ok_or(Failure::Answer("the token names nobody"))?.to_owned();
    Ok(Proven { subject, proved_at: proved_at.map(|proved| proved.min(now)) })
}

/// It is for this gateway and nobody besides.
fn for_us(claims: &Value, client_id: &str) -> Result<(), Failure> {
    let ours = match claims.get("aud") {
        Some(Value::String(aud)) => aud == client_id,
        Some(Value::Array(all)) => matches!(all.as_slice(), [Value::String(aud)] if aud == client_id),
        _ => false,
    };
    if !ours {
        return no("the token is for somebody else");
    }
    match claims.get("azp") {
        None => Ok(()),
        Some(Value::String(azp)) if azp == client_id => Ok(()),
        Some(_) => no("the token was handed to somebody else"),
    }
}

/// A time in seconds; some write fractions of one.
fn moment(claims: &Value, name: &str) -> Result<Option<Timestamp>, Failure> {
    let Some(said) = claims.get(name) else { return Ok(None) };
    let whole = || said.is_number().then(|| said.to_string())?.split_once('.')?.0.parse().ok();
    let at = said.as_i64().or_else(whole).and_then(|secs| Timestamp::from_second(secs).ok());
    at.map(Some).ok_or(Failure::Answer("the token has a time that is none"))
}

//! Passwords (Argon2id, RFC 9106) and the one-time codes beside them (RFC 6238). Owns no account.

use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use jiff::Timestamp;
use remit_core::verdict::{Code, Refusal};
use tokio::sync::Semaphore;

/// Fewest characters of a password.
pub(crate) const CHARS_MIN: usize = 12;
/// Most bytes of one.
pub(crate) const BYTES_MAX: usize = 256;
/// Bytes of a secret of codes (RFC 4226, section 4, R6).
pub(crate) const SECRET_BYTES: usize = 20;
/// Seconds in a step of codes.
const STEP_SECS: i64 = 30;
/// How many steps a clock may be off.
const DRIFT_STEPS: i64 = 1;

/// Memory in KiB, passes, lanes: the second choice of RFC 9106 scaled to a small machine, as OWASP has it.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// The head of every text we write.
const HEAD: &str = "$argon2id$v=19$m=19456,t=2,p=1$";
/// The digest of no password, for people whom we do not know: looking takes as long.
const NOBODYS: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5IQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Each digest takes 19 MiB and a core for a while.
static PLACES: Semaphore = Semaphore::const_new(2);
/// How long one waits for a place.
const PATIENCE: Duration = Duration::from_secs(10);

fn digest(password: &[u8], salt: &[u8]) -> Option<[u8; 32]> {
    let params = Params::new(COST.0, COST.1, COST.2, Some(32)).ok()?;
    let mut out = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(password, salt, &mut out).ok()?;
    Some(out)
}

async fn apart<T: Send + 'static>(work: impl FnOnce() -> Option<T> + Send + 'static) -> Result<T, Refusal> {
    let busy = || Refusal::new(Code::StoreUnavailable, "too many people are signing in at once");
    let place = tokio::time::timeout(PATIENCE, PLACES.acquire()).await;
    let _place = place.map_err(|_| busy())?.map_err(|_| busy())?;
    let done = tokio::task::spawn_blocking(work).await.ok().flatten();
    done.ok_or_else(|| Refusal::new(Code::Internal, "the password could not be looked at"))
}

/// A password as it is kept.
pub(crate) async fn kept(password: String, salt: [u8; 16]) -> Result<String, Refusal> {
    let made = move || {
        let digest = digest(password.as_bytes(), &salt)?;
        Some(format!("{HEAD}{}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(digest)))
    };
    apart(made).await
}

/// Whether this is the password that is kept. Without one nothing is right, and finding that out takes as long.
pub(crate) async fn is(password: String, kept: Option<String>) -> Result<bool, Refusal> {
    let looked = move || {
        let known = kept.is_some();
        let (salt, expected) = parts(kept.as_deref().unwrap_or(NOBODYS))?;
        let right = verify_slices_are_equal(&digest(password.as_bytes(), &salt)?, &expected).is_ok();
        Some(right && known)
    };
    apart(looked).await
}

/// Salt and digest of a text that we wrote.
fn parts(text: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (salt, digest) = text.strip_prefix(HEAD)?.split_once('$')?;
    Some((STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(digest).ok()?))
}

/// What is wrong with a password that somebody chose.
pub(crate) fn unfit(password: &str, name: &str) -> Option<&'static str> {
    if password.chars().count() < CHARS_MIN {
        Some("The password needs at least 12 characters. Four words that have nothing to do with each other are good.")
    } else if password.len() > BYTES_MAX {
        Some("The password is too long.")
    } else if password.to_lowercase().contains(&name.to_lowercase()) {
        Some("The password contains your name.")
    } else if password.chars().next().is_some_and(|first| password.chars().all(|c| c == first)) {
        Some("The password is one character over and over.")
    } else {
        None
    }
}

/// The code of one step.
fn code(secret: &[u8], step: u64) -> String {
    let tag = sign(&Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret), &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = tag.last().map_or(0, |last| usize::from(last & 15));
    let four = tag.get(at..at + 4).unwrap_or_default();
    let number = four.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte)) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

/// The step whose code this is. People's clocks may be one off.
pub(crate) fn step(secret: &[u8], given: &str, now: Timestamp) -> Option<u64> {
    let given: String = given.chars().filter(|c| !c.is_whitespace()).collect();
    let current = now.as_second() / STEP_SECS;
    let near = (current - DRIFT_STEPS..=current + DRIFT_STEPS).filter_map(|step| u64::try_from(step).ok());
    // All are looked at: how long it takes does not say which was right.
    near.fold(None, |found, step| {
        let right = verify_slices_are_equal(code(secret, step).as_bytes(), given.as_bytes()).is_ok();
        if right { Some(step) } else { found }
    })
}

/// A secret as people type it into an authenticator app (RFC 4648, base 32).
pub(crate) fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::new();
    for five in bytes.chunks(5) {
        let bits = five.iter().fold(0u64, |sum, byte| sum << 8 | u64::from(*byte)) << (8 * (5 - five.len()));
        for place in (0..(five.len() * 8).div_ceil(5)).map(|at| 35 - 5 * at) {
            let letter = usize::try_from(bits >> place & 31).ok().and_then(|at| ALPHABET.get(at));
            out.extend(letter.map(|letter| char::from(*letter)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_specification() {
        // RFC 6238, appendix B, the last six of eight digits.
        let secret = b"12345678901234567890";
        for (secs, expected) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            let now = Timestamp::from_second(secs).expect("time");
            assert_eq!(step(secret, expected, now), u64::try_from(secs / 30).ok());
            assert_eq!(
                step(secret, &format!(" {} {} ", &expected[..3], &expected[3..]), now),
                u64::try_from(secs / 30).ok()
            );
        }
        let at = |secs| Timestamp::from_second(secs).expect("time");
        assert!(step(secret, "287082", at(89)).is_some() && step(secret, "287082", at(29)).is_some());
        assert_eq!(
            (step(secret, "287082", at(90)), step(secret, "", at(59)), step(secret, "87082", at(59))),
            (None, None, None)
        );
        assert_eq!(base32(secret), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!((base32(b"f"), base32(b"foob")), ("MY".into(), "MZXW6YQ".into()));
    }

    #[tokio::test]
    async fn a_password_is_right_or_wrong() {
        let kept = kept("correct horse battery".into(), [9; 16]).await.expect("kept");
        assert!(kept.starts_with(HEAD));
        assert_eq!(is("correct horse battery".into(), Some(kept.clone())).await, Ok(true));
        assert_eq!(is("correct horse batterz".into(), Some(kept)).await, Ok(false));
        assert_eq!(is("correct horse battery".into(), None).await, Ok(false));
        assert!(parts(NOBODYS).is_some());
    }

    #[test]
    fn what_is_easily_guessed_is_refused() {
        for bad in ["short", "aaaaaaaaaaaaaaaaaa", "I am Bob and that's it", &"x1".repeat(200)] {
            assert!(unfit(bad, "bob").is_some(), "{bad}");
        }
        assert_eq!(unfit("four words at random", "bob"), None);
    }
}

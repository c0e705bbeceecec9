//! What follows from the gateway's session key: keys for sealing, and challenges that need no place to be kept.

use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign, verify};
use jiff::{SignedDuration, Timestamp};
use remit_app::people::Spent;
use remit_core::ids::Digest;

use crate::edge::Edge;

/// How long a challenge may be answered.
const CHALLENGE_LASTS: SignedDuration = SignedDuration::from_mins(2);
const NONCE_BYTES: usize = 12;
const CHALLENGE_BYTES: usize = 32 + 8 + 32;

/// Seals, opens and vouches under keys of one gateway.
pub(crate) struct Secrets([u8; 32]);

impl Secrets {
    pub(crate) const fn of(edge: &Edge) -> Self {
        Self(edge.settings.session_key)
    }

    /// A key of its own for each purpose.
    fn key(&self, purpose: &str) -> [u8; 32] {
        let tag = sign(&Key::new(HMAC_SHA256, &self.0), format!("remit/console/{purpose}/v1").as_bytes());
        tag.as_ref().try_into().unwrap_or([0; 32])
    }

    /// Seals a secret that belongs to `owner` (AES-256-GCM, the nonce first).
    pub(crate) fn seal(&self, owner: &[u8], secret: &[u8]) -> Option<Vec<u8>> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.key("seal")).ok()?;
        let mut text = secret.to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(owner), &mut text).ok()?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.extend_from_slice(&text);
        Some(sealed)
    }

    /// Opens what was sealed for this owner.
    pub(crate) fn open(&self, owner: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &self.key("seal")).ok()?;
        let (nonce, text) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let mut text = text.to_vec();
        let opened = key.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(owner), &mut text).ok()?;
        Some(opened.to_vec())
    }

    /// What an authenticator knows a person by: it says nothing about them.
    pub(crate) fn handle(&self, person: &str) -> [u8; 32] {
        let tag = sign(&Key::new(HMAC_SHA256, &self.key("handle")), person.as_bytes());
        tag.as_ref().try_into().unwrap_or([0; 32])
    }

    /// A challenge for one purpose: chance, an end, and our word for both. Nothing is kept until it was answered.
    pub(crate) fn challenge(&self, purpose: &[u8], now: Timestamp, chance: &[u8; 32]) -> Vec<u8> {
        let until = now.checked_add(CHALLENGE_LASTS).unwrap_or(now).as_second();
        let mut challenge = chance.to_vec();
        challenge.extend_from_slice(&until.to_be_bytes());
        let tag = sign(&Key::new(HMAC_SHA256, &self.key("challenge")), &[&challenge, purpose].concat());
        challenge.extend_from_slice(tag.as_ref());
        challenge
    }

    /// Whether this is a challenge of ours for this purpose that may still be answered, and as what it is spent.
    pub(crate) fn answered(&self, purpose: &[u8], challenge: &[u8], now: Timestamp) -> Option<Spent> {
        if challenge.len() != CHALLENGE_BYTES {
            return None;
        }
        let (said, tag) = challenge.split_at(CHALLENGE_BYTES - 32);
        verify(&Key::new(HMAC_SHA256, &self.key("challenge")), &[said, purpose].concat(), tag).ok()?;
        let until = i64::from_be_bytes(said.get(32..)?.try_into().ok()?);
        let until = Timestamp::from_second(until).ok()?;
        (now < until).then(|| Spent { challenge: Digest::of(challenge), until })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_for_one_opens_for_nobody_else() {
        let secrets = Secrets([7; 32]);
        let sealed = secrets.seal(b"bob", b"secret").expect("sealed");
        assert_eq!(secrets.open(b"bob", &sealed).as_deref(), Some(&b"secret"[..]));
        assert_eq!(secrets.open(b"eve", &sealed), None);
        assert_eq!(Secrets([8; 32]).open(b"bob", &sealed), None);
        assert_eq!(secrets.open(b"bob", &sealed[1..]), None);
        assert_ne!(secrets.seal(b"bob", b"secret"), Some(sealed));
        assert_eq!(secrets.open(b"bob", &[]), None);
    }

    #[test]
    fn a_challenge_is_for_one_purpose_and_two_minutes() {
        let (secrets, now) = (Secrets([7; 32]), Timestamp::UNIX_EPOCH);
        let later = |secs| now.checked_add(SignedDuration::from_secs(secs)).expect("time");
        let challenge = secrets.challenge(b"sign-in", now, &[1; 32]);
        let spent = secrets.answered(b"sign-in", &challenge, later(119)).expect("in time");
        assert_eq!((spent.challenge, spent.until), (Digest::of(&challenge), later(120)));
        assert_eq!(secrets.answered(b"sign-in", &challenge, later(120)), None);
        assert_eq!(secrets.answered(b"add bob", &challenge, now), None);
        assert_eq!(Secrets([8; 32]).answered(b"sign-in", &challenge, now), None);
        for at in 0..challenge.len() {
            let mut other = challenge.clone();
            other[at] ^= 1;
            assert_eq!(secrets.answered(b"sign-in", &other, now), None, "{at}");
        }
    }
}

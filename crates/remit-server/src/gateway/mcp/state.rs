//! `requestState`: what a request of several legs carries through its client. It comes back as
//! an attacker's input, so it is sealed for one caller, one request and a short time. It proves where
//! a request stands, never that it may go on: every leg is decided anew.

use jiff::Timestamp;
use remit_core::ids::{Digest, QuestionId};
use serde_json::{Value, json};

use super::fault::Fault;
use super::seal::{Purpose, Seals};

/// How long a client may take between two legs.
const SECS_MAX: i64 = 600;
/// Longest state of an upstream that is carried.
pub(super) const UPSTREAM_BYTES_MAX: usize = 64 * 1024;

/// Where a request of several legs stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Leg {
    /// It waits for people.
    Held {
        /// For this question.
        question: QuestionId,
        /// How many answers said so already.
        answered: u32,
    },
    /// Its upstream waits for the client's input.
    Relayed {
        /// The upstream's own state, unread.
        state: Option<String>,
    },
}

impl Leg {
    /// Seals it for this caller and this request.
    pub fn seal(&self, seals: &Seals, principal: &[u8], request: Digest, now: Timestamp) -> String {
        let until = now.as_second().saturating_add(SECS_MAX);
        let (request, at) = (request.to_string(), now.as_millisecond());
        let text = match self {
            Self::Held { question, answered } => {
                json!({"q": question.as_str(), "n": answered, "b": request, "x": until, "t": at})
            }
            Self::Relayed { state } => json!({"s": state, "b": request, "x": until, "t": at}),
        };
        seals.seal(Purpose::State, principal, text.to_string().as_bytes())
    }

    /// Opens a state.
    ///
    /// # Errors
    /// -32602, the same for every way in which it can be wrong.
    pub fn open(seals: &Seals, principal: &[u8], request: Digest, state: &str, now: Timestamp) -> Result<Self, Fault> {
        let opened = seals.open(Purpose::State, principal, state).and_then(|bytes| Self::read(&bytes, request, now));
        opened.ok_or_else(|| Fault::params("`requestState` is not valid for this request any more, or never was"))
    }

    fn read(bytes: &[u8], request: Digest, now: Timestamp) -> Option<Self> {
        let value = remit_core::json::parse(bytes).ok()?;
        let for_this = value.get("b").and_then(Value::as_str) == Some(request.to_string().as_str());
        if !for_this || value.get("x")?.as_i64()? < now.as_second() {
            return None;
        }
        if let Some(question) = value.get("q") {
            let question = QuestionId::parse(question.as_str()?).ok()?;
            let answered = u32::try_from(value.get("n")?.as_u64()?).ok()?;
            return Some(Self::Held { question, answered });
        }
        Some(Self::Relayed { state: value.get("s")?.as_str().map(str::to_owned) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_for_one_caller_one_request_and_ten_minutes() {
        let seals = Seals::new(&[3; 32]);
        let now: Timestamp = "2026-11-21T00:00:00Z".parse().expect("time");
        let (this, other) = (Digest::of(b"this"), Digest::of(b"other"));
        let question = QuestionId::parse("q-1").expect("id");
        for leg in [
            Leg::Held { question, answered: 3 },
            Leg::Relayed { state: Some("upstream \"state\"".into()) },
            Leg::Relayed { state: None },
        ] {
            let sealed = leg.seal(&seals, b"alice", this, now);
            let open = |principal: &[u8], request, text: &str, at| Leg::open(&seals, principal, request, text, at);
            assert_eq!(open(b"alice", this, &sealed, now), Ok(leg));
            let later = |secs| now + jiff::SignedDuration::from_secs(secs);
            assert!(open(b"alice", this, &sealed, later(SECS_MAX)).is_ok());
            for wrong in [
                open(b"alice", this, &sealed, later(SECS_MAX + 1)),
                open(b"bob", this, &sealed, now),
                open(b"alice", other, &sealed, now),
                open(b"alice", this, &format!("{sealed}-TAMPERED"), now),
                open(b"alice", this, "", now),
            ] {
                assert_eq!(wrong.expect_err("refused").code, super::super::fault::INVALID_PARAMS);
            }
        }
    }
}

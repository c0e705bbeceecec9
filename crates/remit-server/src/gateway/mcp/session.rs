//! Sessions of the legacy era. The id itself is the session: sealed, bound to the key that
//! began it, and readable by every gateway with the same secret, so that a restart costs no client
//! its session (clients take a 404 badly: anthropics/claude-code#94273).

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use remit_core::ids::Digest;

use super::era::Legacy;
use super::seal::{Purpose, Seals, parts, principal};
use crate::identify::Identified;

/// A session begun longer ago than this is unknown.
const AGE_SECS_MAX: i64 = 30 * 24 * 3600;
/// How many ended sessions are remembered. Beyond it the oldest would open again, to their own
/// principal and until they age; nothing but a clean answer hangs on it.
const ENDED_MAX: usize = 16_384;
/// Layout: revision, capabilities, seconds since 1970, random bytes.
const BYTES: usize = 1 + 1 + 8 + 16;

/// What a client declared at its handshake, as bits.
const ELICITATION: u8 = 1;
const SAMPLING: u8 = 2;
const ROOTS: u8 = 4;

/// A legacy session.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Session {
    /// The negotiated revision.
    pub version: Legacy,
    /// What the client declared: bits. Nothing is sent to legacy clients that would need them yet.
    pub capabilities: u8,
    /// Tells sessions apart in memory; a digest, since the id itself is a credential of a kind.
    pub key: Digest,
}

/// Begins, opens and ends sessions.
pub(super) struct Sessions {
    ended: Mutex<Ended>,
}

#[derive(Default)]
struct Ended {
    known: HashSet<Digest>,
    order: VecDeque<Digest>,
}

impl Session {
    #[cfg(test)]
    pub fn example(version: Legacy) -> Self {
        Self { version, capabilities: 0, key: Digest::of(b"example") }
    }
}

/// The capabilities of an `initialize` request as bits.
pub(super) fn capability_bits(declared: &serde_json::Value) -> u8 {
    let bit = |name: &str, bit: u8| if declared.get(name).is_some_and(serde_json::Value::is_object) { bit } else { 0 };
    bit("elicitation", ELICITATION) | bit("sampling", SAMPLING) | bit("roots", ROOTS)
}

/// A key's holder: another key of the same agent is another principal.
fn holder(identified: &Identified) -> Vec<u8> {
    parts(&[&principal(&identified.caller), identified.key_id.as_bytes()])
}

impl Sessions {
    pub fn new() -> Self {
        Self { ended: Mutex::default() }
    }

    /// Begins a session; the answer is its id.
    pub fn begin(
        seals: &Seals,
        identified: &Identified,
        version: Legacy,
        capabilities: u8,
        now: Timestamp,
        random: &[u8; 32],
    ) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend([version as u8, capabilities]);
        bytes.extend(now.as_second().to_be_bytes());
        bytes.extend(random.iter().take(16));
        seals.seal(Purpose::Session, &holder(identified), &bytes)
    }

    /// Opens an id. Unknown, ended, aged and somebody else's are all the same: `None`.
    pub fn open(&self, seals: &Seals, identified: &Identified, id: &str, now: Timestamp) -> Option<Session> {
        let bytes = seals.open(Purpose::Session, &holder(identified), id)?;
        let bytes: [u8; BYTES] = bytes.try_into().ok()?;
        let [version, capabilities, rest @ ..] = bytes;
        let version = *Legacy::ALL.get(usize::from(version))?;
        let begun = i64::from_be_bytes(rest.get(..8)?.try_into().ok()?);
        let key = Digest::of(id.as_bytes());
        let young = now.as_second().saturating_sub(begun) <= AGE_SECS_MAX;
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).known.contains(&key);
        (young && !ended).then_some(Session { version, capabilities, key })
    }

    /// Ends a session.
    pub fn end(&self, session: &Session) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.known.insert(session.key) {
            ended.order.push_back(session.key);
        }
        while ended.order.len() > ENDED_MAX {
            if let Some(oldest) = ended.order.pop_front() {
                ended.known.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use remit_core::Caller;
    use remit_core::identity::MayDeclare;
    use remit_core::ids::{AgentId, TenantId};

    use super::*;

    fn who(key: &str, agent: &str) -> Identified {
        let (tenant, agent) = (TenantId::parse("acme").expect("id"), AgentId::parse(agent).expect("id"));
        let caller = Caller::agent(tenant, agent);
        Identified { key_id: key.into(), caller, may_declare: MayDeclare::Nobody }
    }

    #[test]
    fn an_id_is_a_session_of_one_principal_until_it_ends_or_ages() {
        let (seals, sessions) = (Seals::new(&[1; 32]), Sessions::new());
        let now: Timestamp = "2026-11-21T00:00:00Z".parse().expect("time");
        let alice = who("k1", "bot");
        let bits = capability_bits(&serde_json::json!({"sampling": {}, "roots": 1, "other": {}}));
        let id = Sessions::begin(&seals, &alice, Legacy::June, bits, now, &[9; 32]);
        assert!(id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)));

        let open = |sessions: &Sessions, who: &Identified, id: &str, at| sessions.open(&seals, who, id, at);
        let session = open(&sessions, &alice, &id, now).expect("own session");
        assert_eq!((session.version, session.capabilities), (Legacy::June, SAMPLING));
        // A restarted gateway knows it too.
        assert_eq!(open(&Sessions::new(), &alice, &id, now).as_ref(), Some(&session));
        assert_eq!(open(&sessions, &who("k2", "bot"), &id, now), None);
        assert_eq!(open(&sessions, &who("k1", "other"), &id, now), None);
        assert_eq!(open(&sessions, &alice, "x", now), None);
        let later = now + jiff::SignedDuration::from_hours(24 * 31);
        assert_eq!(open(&sessions, &alice, &id, later), None);
        sessions.end(&session);
        assert_eq!(open(&sessions, &alice, &id, now), None);
    }

    #[test]
    fn what_is_remembered_as_ended_is_bounded() {
        let sessions = Sessions::new();
        for i in 0..ENDED_MAX + 10 {
            let key = Digest::of(&i.to_be_bytes());
            sessions.end(&Session { version: Legacy::March, capabilities: 0, key });
        }
        let ended = sessions.ended.lock().expect("lock");
        assert_eq!((ended.known.len(), ended.order.len()), (ENDED_MAX, ENDED_MAX));
    }
}

//! What records say. Each kind has its own predicate type; all share one header.

use remit_core::ids::{Digest, RecordId, RunId, TenantId};
use remit_core::json::{self, Object};
use serde_json::Value;

use crate::bundle::Head;
use crate::dsse::Envelope;

/// The kinds of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// What was decided about one call. Written for every verdict, refusals included.
    Decision,
    /// A person's vote.
    Approval,
    /// What became of an admitted call: the receipt.
    Execution,
    /// A run was opened or closed.
    Run,
    /// A halt was ordered or lifted.
    Halt,
    /// A snapshot of the authority came into force.
    Policy,
    /// A writer key was delegated.
    Key,
    /// Authority was given or taken back for a while.
    Grant,
    /// Disclosed values were deleted.
    Erasure,
    /// The head of another operator's log was seen.
    Peer,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 10] = [
        Self::Decision,
        Self::Approval,
        Self::Execution,
        Self::Run,
        Self::Halt,
        Self::Policy,
        Self::Key,
        Self::Grant,
        Self::Erasure,
        Self::Peer,
    ];

    /// The word used in headers and listings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Decision => "decision",
            Self::Approval => "approval",
            Self::Execution => "execution",
            Self::Run => "run",
            Self::Halt => "halt",
            Self::Policy => "policy",
            Self::Key => "key",
            Self::Grant => "grant",
            Self::Erasure => "erasure",
            Self::Peer => "peer",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// The in-toto predicate type.
    #[must_use]
    pub fn predicate_type(self) -> String {
        format!("https://remit.dev/evidence/{}/v1", self.as_str())
    }
}

/// What the subject of a record is called: the action of the call it is about …
pub const ACTION: &str = "action";
/// … or the record itself.
pub const OWN: &str = "record";

/// The action that a record is about, as its subject says; `None` when it is about no call.
#[must_use]
pub fn action_of(envelope: &Envelope) -> Option<Digest> {
    let statement = json::parse(&envelope.payload).ok()?;
    let subject = statement.get("subject")?.get(0)?;
    let is_action = subject.get("name")? == ACTION;
    Digest::from_hex(subject.pointer("/digest/sha256")?.as_str()?).filter(|_| is_action)
}
/// Events of key records that the gateway's root signs, besides delegations: a log ended, the next one began, a
/// log's key was taken back.
pub const EVENTS_OF_ROOT: [&str; 3] = ["log_ended", "log_begun", "log_key_revoked"];

/// A record before it is signed.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: RecordId,
    /// When, by the writer's clock, RFC 3339 in milliseconds.
    pub time: String,
    /// The run it belongs to, if any.
    pub run: Option<RunId>,
    /// The trace it belongs to, if any.
    pub traceparent: Option<String>,
    /// The call it is about, by its salted digest, if it is about one.
    pub action: Option<Digest>,
    /// Records it refers to: relation and digest.
    pub links: Vec<(&'static str, Digest)>,
    /// What the kind itself says.
    pub body: Object,
    /// Values that may later be disclosed or erased: name, and the value as canonical JSON. The record
    /// holds only their digests.
    pub disclosures: Vec<(&'static str, String)>,
}

/// Randomness for one record, brought by the caller.
#[derive(Clone, Debug)]
pub struct Entropy {
    /// Makes the record's digest unguessable.
    pub nonce: [u8; 16],
    /// Seeds the salts of its disclosures.
    pub salt: [u8; 16],
}

/// A statement's bytes with the disclosures that go with it.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub payload: Vec<u8>,
    pub disclosures: Vec<String>,
}

/// Where a record stands in a writer's work: whose it is, by which key, at which place, after which checkpoint.
pub(crate) struct Pen<'a> {
    pub tenant: &'a TenantId,
    pub key: &'a str,
    pub seq: u64,
    pub seen: Option<&'a Head>,
}

/// Writes the statement (in-toto v1) in canonical form. The subject of what is about a call is the call's action, the
/// same for all records of it; of anything else, a digest over the record's own commitments.
pub(crate) fn statement(draft: Draft, pen: &Pen<'_>, entropy: &Entropy) -> Statement {
    let mut disclosures = Vec::with_capacity(draft.disclosures.len());
    let mut digests = Vec::with_capacity(draft.disclosures.len());
    for (at, (name, value)) in (0u64..).zip(draft.disclosures) {
        let salt = Digest::of(&[&entropy.salt[..], &at.to_be_bytes()].concat());
        let disclosure = encode(&format!("[\"{}\",{},{value}]", hex(&salt.as_bytes()[..16]), json::quoted(name)));
        digests.push(Digest::of(disclosure.as_bytes()).to_string());
        disclosures.push(disclosure);
    }
    digests.sort();
    let nonce = hex(&entropy.nonce);
    let (subject, name) = match draft.action {
        Some(action) => (action, ACTION),
        None => (Digest::of(format!("{nonce}{}", digests.concat()).as_bytes()), OWN),
    };
    let mut predicate = draft.body;
    predicate.number("v", 1).text("kind", draft.kind.as_str()).text("record_id", draft.id.as_str());
    predicate.text("nonce", &nonce).text("tenant", pen.tenant.as_str()).text("time", &draft.time);
    predicate.object("writer", |writer| {
        writer.text("key", pen.key).number("seq", pen.seq);
    });
    if let Some(head) = pen.seen {
        predicate.object("log_seen", |seen| {
            seen.text("origin", &head.origin).number("size", head.size).text("root", &head.root.to_string());
        });
    }
    if let Some(run) = &draft.run {
        predicate.object("run", |of| {
            of.text("id", run.as_str());
        });
    }
    if let Some(traceparent) = &draft.traceparent {
        predicate.object("trace", |trace| {
            trace.text("traceparent", traceparent);
        });
    }
    predicate.objects("links", &draft.links, |(rel, digest), link| {
        link.text("digest", &digest.to_string()).text("rel", rel);
    });
    predicate.texts("_sd", &digests);
    // The members stand in canonical order.
    let payload = format!(
        "{{\"_type\":\"https://in-toto.io/Statement/v1\",\"predicate\":{},\"predicateType\":\"{}\",\
         \"subject\":[{{\"digest\":{{\"sha256\":\"{subject}\"}},\"name\":\"{name}\"}}]}}",
        predicate.finish(),
        draft.kind.predicate_type(),
    );
    Statement { payload: payload.into_bytes(), disclosures }
}

/// Every name that a disclosed value may have (docs/evidence-format.md, section 2).
pub const DISCLOSED: [&str; 28] = [
    "action",
    "approver",
    "approver_user",
    "arguments",
    "by",
    "canary",
    "evidence",
    "file",
    "intent",
    "issuer",
    "leaves_open",
    "lines",
    "note",
    "operator",
    "person",
    "principal",
    "reason",
    "requested",
    "resource",
    "shown",
    "sources",
    "stand_in",
    "statement_nonce",
    "subject",
    "user",
    "weakenings",
    "why",
    "words",
];

/// The values that stand beside a record: name and value of each that can be read. Whether they are
/// the ones that were signed is for [`verify`](crate::verify) to say.
#[must_use]
pub fn disclosed(texts: &[String]) -> Vec<(String, Value)> {
    use base64::Engine as _;
    let read = |text: &String| {
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()?;
        let value = remit_core::json::parse(&bytes).ok()?;
        Some((value.get(1)?.as_str()?.to_owned(), value.get(2)?.clone()))
    };
    texts.iter().filter_map(read).collect()
}

/// Base64url without padding, as disclosures are written (RFC 9901, 4.2.1).
fn encode(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever reads records may rely on their bytes: a change here needs a new version.
    #[test]
    fn a_statement_is_canonical_and_its_bytes_are_frozen() {
        let mut body = Object::new();
        body.text("verdict", "deny");
        let draft = Draft {
            kind: Kind::Decision,
            id: RecordId::parse("rec_1").expect("id"),
            time: "2026-11-21T10:00:00.000Z".into(),
            run: Some(RunId::parse("run_1").expect("id")),
            traceparent: Some("00-a-b-01".into()),
            action: Some(Digest::of(b"action")),
            links: vec![("decision", Digest::of(b"x"))],
            body,
            disclosures: vec![("arguments", "{\"amount\":5}".into()), ("user", json::quoted("ada"))],
        };
        let tenant = TenantId::parse("acme").expect("id");
        let seen = Head { origin: "log.example/remit".into(), size: 4, root: Digest::of(b"root") };
        let pen = Pen { tenant: &tenant, key: "key", seq: 7, seen: Some(&seen) };
        let made = statement(draft, &pen, &Entropy { nonce: [7; 16], salt: [9; 16] });
        let value = json::parse(&made.payload).expect("JSON");
        assert_eq!(json::canonical(&value).as_bytes(), made.payload, "canonical");
        let frozen = include_str!("../tests/vectors/statement.json").trim_end();
        assert_eq!(String::from_utf8_lossy(&made.payload), frozen);
        let disclosed = disclosed(&made.disclosures);
        assert_eq!(disclosed[0], ("arguments".to_owned(), serde_json::json!({"amount": 5})));
    }
}

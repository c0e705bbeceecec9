//! What records say. Each kind has its own predicate type; all share one header.

use remit_core::ids::{Digest, RecordId, RunId, TenantId};
use serde_json::{Map, Value, json};

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
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Decision, Self::Approval, Self::Execution, Self::Run, Self::Halt, Self::Policy, Self::Key];

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
    /// Records it refers to: relation and digest.
    pub links: Vec<(&'static str, Digest)>,
    /// What the kind itself says.
    pub body: Map<String, Value>,
    /// Values that may later be disclosed or erased: name and value. The record holds only their digests.
    pub disclosures: Vec<(&'static str, Value)>,
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

/// Writes the statement (in-toto v1) in canonical form. The subject names the action by a digest
/// over the record's own commitments, so that nobody can guess arguments from it.
pub(crate) fn statement(draft: Draft, tenant: &TenantId, writer_key: &str, seq: u64, entropy: &Entropy) -> Statement {
    let mut disclosures = Vec::with_capacity(draft.disclosures.len());
    let mut digests = Vec::with_capacity(draft.disclosures.len());
    for (at, (name, value)) in draft.disclosures.into_iter().enumerate() {
        let salt = Digest::of(&[&entropy.salt[..], &(at as u64).to_be_bytes()].concat());
        let salt = salt.to_string();
        let disclosure = encode(&remit_core::json::canonical(&json!([salt.get(..32), name, value])));
        digests.push(Digest::of(disclosure.as_bytes()).to_string());
        disclosures.push(disclosure);
    }
    digests.sort();
    let mut predicate = draft.body;
    let mut set = |name: &str, value: Value| drop(predicate.insert(name.to_owned(), value));
    set("v", json!(1));
    set("kind", json!(draft.kind.as_str()));
    set("record_id", json!(draft.id.as_str()));
    set("nonce", json!(hex(&entropy.nonce)));
    set("tenant", json!(tenant.as_str()));
    set("writer", json!({"key": writer_key, "seq": seq}));
    set("time", json!(draft.time));
    if let Some(run) = &draft.run {
        set("run", json!({"id": run.as_str()}));
    }
    if let Some(traceparent) = &draft.traceparent {
        set("trace", json!({"traceparent": traceparent}));
    }
    let links = draft.links.iter().map(|(rel, digest)| json!({"rel": rel, "digest": digest.to_string()}));
    set("links", links.collect());
    let action = Digest::of(format!("{}{}", hex(&entropy.nonce), digests.concat()).as_bytes());
    set("_sd", json!(digests));
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "action", "digest": {"sha256": action.to_string()}}],
        "predicateType": draft.kind.predicate_type(),
        "predicate": predicate,
    });
    Statement { payload: remit_core::json::canonical(&statement).into_bytes(), disclosures }
}

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
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

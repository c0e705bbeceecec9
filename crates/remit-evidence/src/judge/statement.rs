//! The signed text of a record, read strictly: the header every kind has, and the members the story
//! needs. Owns no key and no order in time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use remit_core::ids::Digest;
use remit_core::json;
use serde_json::Value;

use super::Outcome;
use crate::bundle::Head;
use crate::dsse::Envelope;
use crate::instant;
use crate::members::{Malformed, Members, digest};
use crate::record::{ACTION, EVENTS_OF_ROOT, Kind, OWN};
use crate::trust::Trust;

const DEPTH_MAX: usize = 16;
const LINKS_MAX: usize = 64;

/// What a record says of itself.
pub(super) struct Statement {
    pub kind: Kind,
    pub id: String,
    pub time: i64,
    pub run: Option<String>,
    pub writer: String,
    pub seq: u64,
    pub links: Vec<(String, Digest)>,
    /// The call it is about, if it is about one.
    pub action: Option<Digest>,
    /// The last checkpoint its writer had seen.
    pub seen: Option<Head>,
    /// The digests of the values that may be disclosed.
    pub committed: Vec<Digest>,
    predicate: Value,
}

type Refusal = (Outcome, String);

impl Statement {
    /// Reads the record inside an envelope. A type that is not accepted is no failure: nothing is known of it.
    pub fn read(envelope: &Envelope, trust: &Trust) -> Result<Self, Refusal> {
        let fails = |error: Malformed| (Outcome::Fails, error.0);
        let statement = json::parse(&envelope.payload).map_err(|error| (Outcome::Fails, error.to_string()))?;
        let named = statement.get("predicateType").and_then(Value::as_str);
        let Some(kind) = trust.accept.iter().copied().find(|kind| Some(kind.predicate_type().as_str()) == named) else {
            return Err((Outcome::Missing, "the trust document accepts no records of this type".into()));
        };
        let read = header(&statement, kind).map_err(fails)?;
        let tenant = read.predicate.get("tenant").and_then(Value::as_str);
        if tenant != Some(&trust.tenant) {
            return Err((Outcome::Fails, "a record of another tenant".into()));
        }
        Ok(read)
    }

    /// Whether these values are some of those that were committed to, each once.
    pub fn check(&self, disclosures: &[String]) -> Result<(), &'static str> {
        let mut shown = Vec::with_capacity(disclosures.len());
        for text in disclosures {
            let digest = Digest::of(text.as_bytes());
            if !self.committed.contains(&digest) || shown.contains(&digest) {
                return Err("a value that is shown is not one that was signed");
            }
            let value = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| json::parse(&bytes).ok());
            let parts = value.as_ref().and_then(Value::as_array).map(Vec::as_slice);
            if !matches!(parts, Some([Value::String(_), Value::String(_), _])) {
                return Err("a value that is shown is no salt, name and value");
            }
            shown.push(digest);
        }
        Ok(())
    }

    /// A text of the record, by its path.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.predicate.pointer(path).and_then(Value::as_str)
    }

    /// A list of texts of the record.
    pub fn texts(&self, path: &str) -> Vec<&str> {
        let list = self.predicate.pointer(path).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The records it refers to in this relation.
    pub fn linked<'s>(&'s self, rel: &'s str) -> impl Iterator<Item = &'s Digest> {
        self.links.iter().filter(move |(known, _)| known == rel).map(|(_, digest)| digest)
    }

    /// How many people a rule takes that it asks for, or by which it was admitted.
    pub fn rule(&self, id: &str) -> Option<Rule<'_>> {
        let rules = self.predicate.get("rules").and_then(Value::as_array)?;
        let rule = rules.iter().find(|rule| rule.get("rule").and_then(Value::as_str) == Some(id))?;
        let count = |name: &str| rule.get(name).and_then(Value::as_u64).filter(|count| *count > 0);
        let definition = rule.get("definition").filter(|definition| digest(definition).is_some())?;
        Some(Rule { definition: definition.as_str()?, quorum: count("quorum")?, deny: count("deny")? })
    }

    /// The public key that a key record delegates.
    pub fn delegate(&self) -> Option<[u8; 32]> {
        self.predicate.get("delegate").and_then(digest).map(|key| *key.as_bytes())
    }

    /// Whether this is a key record that delegates, and does not say how other keys changed.
    pub fn is_delegation(&self) -> bool {
        let of_others = self.predicate.get("event").is_some() && self.predicate.get("delegate").is_none();
        self.kind == Kind::Key && !of_others
    }

    /// Whether this is for a root to sign.
    pub fn is_of_root(&self) -> bool {
        let told = |event| EVENTS_OF_ROOT.contains(&event);
        self.is_delegation() || self.kind == Kind::Key && self.text("/event").is_some_and(told)
    }

    /// Whether a login vouches for an approval, not the person's own key.
    pub fn is_attested(&self) -> bool {
        self.kind == Kind::Approval && self.text("/assurance") != Some("passkey")
    }

    /// A value of the record, by its path.
    pub fn value(&self, path: &str) -> Option<&Value> {
        self.predicate.pointer(path)
    }
}

/// A rule as a decision states it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule<'s> {
    pub definition: &'s str,
    pub quorum: u64,
    pub deny: u64,
}

fn header(statement: &Value, kind: Kind) -> Result<Statement, Malformed> {
    if !is_plain(statement, 0) {
        return Err(Malformed("a number is not whole or too large, or the record is nested too deeply".into()));
    }
    let top = Members::of("the statement", statement, &["_type", "predicate", "predicateType", "subject"])?;
    if top.text("_type")? != "https://in-toto.io/Statement/v1" {
        return Err(top.wrong("_type"));
    }
    let predicate = top.member("predicate", Some)?;
    let header = Members::any("the record", predicate)?;
    if header.number("v")? != 1 || header.text("kind")? != kind.as_str() {
        return Err(Malformed("kind, version and predicate type disagree".into()));
    }
    let time = header.member("time", |value| value.as_str().and_then(instant::parse))?;
    let writer = Members::of("the writer", header.member("writer", Some)?, &["key", "seq"])?;
    let run = header.value("run").map(|run| Members::any("the run", run)?.text("id").map(str::to_owned)).transpose()?;
    let links = header.list("links")?.iter().map(|link| {
        let link = Members::of("a link", link, &["rel", "digest"])?;
        Ok::<_, Malformed>((link.text("rel")?.to_owned(), link.digest("digest")?))
    });
    let links = links.collect::<Result<Vec<_>, _>>()?;
    let committed = header.list("_sd")?.iter().map(digest).collect::<Option<Vec<_>>>();
    let committed = committed.filter(|committed| committed.is_sorted_by(|a, b| a < b));
    let committed = committed.ok_or_else(|| header.wrong("_sd"))?;
    if links.len() > LINKS_MAX {
        return Err(header.wrong("links"));
    }
    let action = subject(&top, kind, header.text("nonce")?, &committed)?;
    let seen = header.value("log_seen").map(seen).transpose()?;
    Ok(Statement {
        kind,
        id: header.text("record_id")?.to_owned(),
        time,
        run,
        writer: writer.text("key")?.to_owned(),
        seq: writer.number("seq")?,
        links,
        action,
        seen,
        committed,
        predicate: predicate.clone(),
    })
}

/// The subject is the call that the record is about; of what is about no call, one digest over nonce and commitments, so
/// that it is of this record and no other.
fn subject(top: &Members<'_>, kind: Kind, nonce: &str, committed: &[Digest]) -> Result<Option<Digest>, Malformed> {
    let wrong = || top.wrong("subject");
    let hex = nonce.len() == 32 && nonce.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let [subject] = top.list("subject")? else { return Err(wrong()) };
    let subject = Members::of("the subject", subject, &["digest", "name"])?;
    let named = Members::of("the subject's digest", subject.member("digest", Some)?, &["sha256"])?.digest("sha256")?;
    let of_calls = matches!(kind, Kind::Decision | Kind::Approval | Kind::Execution | Kind::Grant);
    let committed: String = committed.iter().map(ToString::to_string).collect();
    match subject.text("name")? {
        ACTION if hex && of_calls => Ok(Some(named)),
        OWN if hex && named == Digest::of(format!("{nonce}{committed}").as_bytes()) => Ok(None),
        _ => Err(wrong()),
    }
}

fn seen(value: &Value) -> Result<Head, Malformed> {
    let head = Members::of("the checkpoint that was seen", value, &["origin", "size", "root"])?;
    Ok(Head { origin: head.text("origin")?.to_owned(), size: head.number("size")?, root: head.digest("root")? })
}

/// No fractions, nothing beyond 64 bits with a sign (budgets may be that large), no deep nesting.
fn is_plain(value: &Value, depth: usize) -> bool {
    depth <= DEPTH_MAX
        && match value {
            Value::Number(number) => number.is_i64(),
            Value::Array(items) => items.iter().all(|item| is_plain(item, depth + 1)),
            Value::Object(members) => members.values().all(|member| is_plain(member, depth + 1)),
            _ => true,
        }
}

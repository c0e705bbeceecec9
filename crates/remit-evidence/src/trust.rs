//! The trust document an auditor holds: which log, which witnesses, which root keys, valid where. It
//! comes from outside, once by hand and then by succession; never from what is being verified.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remit_core::ids::Digest;
use remit_core::json;
use serde_json::Value;

use crate::bundle::Head;
use crate::log::policy::{Policy, PolicyError};
use crate::log::vkey::{Algorithm, VerifierKey, ed25519};
use crate::members::{Malformed, Members, digest, whole};
use crate::record::Kind;
use crate::stamp::{Timestamper, nameable};

mod chain;
pub use chain::{Refused, TRUST_TYPE, signed};

/// Largest trust document that is read, in bytes.
pub const TRUST_BYTES_MAX: usize = 1024 * 1024;
/// The least tree in which a place means anything: with one leaf, a proof is the operator's word.
pub const TREE_SIZE_MIN: u64 = 2;
/// How far clocks may be apart unless the document says otherwise, in seconds.
pub const SKEW_S: u64 = 300;
const SKEW_S_MAX: u64 = 86_400;
const MEMBERS: [&str; 13] = [
    "v",
    "version",
    "tenant",
    "policy",
    "signers",
    "roots",
    "revoked",
    "ended",
    "revoked_logs",
    "accept",
    "require",
    "approvers",
    "timestampers",
];

/// Why a text is no trust document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Not in the format.
    #[error("not a trust document: {0}")]
    Malformed(#[from] Malformed),
    /// Its policy is none.
    #[error("the policy of the trust document: {0}")]
    Policy(#[from] PolicyError),
}

/// A root key and where it may delegate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The Ed25519 public key.
    pub key: [u8; 32],
    /// The origin of the log whose positions are meant.
    pub log: String,
    /// The first leaf at which it counts.
    pub from: u64,
    /// The first leaf at which it does not count any more.
    pub until: Option<u64>,
}

impl Root {
    /// Whether it counts at this leaf of this log.
    #[must_use]
    pub fn covers(&self, log: &str, index: u64) -> bool {
        self.log == log && index >= self.from && self.until.is_none_or(|until| index < until)
    }
}

/// A writer key that does not count any more, from this leaf on. What it wrote before stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revoked {
    /// The Ed25519 public key.
    pub key: [u8; 32],
    /// The origin of the log whose position is meant.
    pub log: String,
    /// The first leaf at which it does not count.
    pub from: u64,
}

/// A log's key that fell into other hands: what it signed over more leaves than these is nobody's word, and over
/// fewer only what a witness has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevokedLog {
    /// The key, under the origin of its log.
    pub key: VerifierKey,
    /// The first leaf for which it does not count.
    pub from: u64,
}

/// What a proof must show beyond the policy's quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Require {
    /// The log must have signed with each of these.
    pub log_algorithms: BTreeSet<Algorithm>,
    /// At least so many witnesses with different keys must have seen the checkpoint.
    pub witnesses: u64,
    /// The tree must have at least so many leaves.
    pub tree_size: u64,
    /// How far clocks may be apart, in seconds.
    pub skew_s: u64,
    /// A timestamper must have stamped the tree with the record.
    pub anchored: bool,
}

/// The passkey of a person who approves: what it signed is theirs, whatever the operator says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// By which name.
    pub id: String,
    /// The public key, as its own format writes it.
    pub key: String,
}

/// A trust document that has been read and makes sense.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Which of a row of documents it is.
    pub version: u64,
    /// Whose records are meant.
    pub tenant: String,
    /// The log, its witnesses and their quorum.
    pub policy: Policy,
    /// The keys that may sign the next document.
    pub signers: Vec<[u8; 32]>,
    /// The keys that may delegate writer keys.
    pub roots: Vec<Root>,
    /// Writer keys that were taken back.
    pub revoked: Vec<Revoked>,
    /// Logs that have ended, each with its final tree: another one that large, or a larger one, is a second history.
    pub ended: Vec<Head>,
    /// Keys of logs that were taken back.
    pub revoked_logs: Vec<RevokedLog>,
    /// The kinds of record that are accepted.
    pub accept: BTreeSet<Kind>,
    /// What a proof must show.
    pub require: Require,
    /// The keys of approvers.
    pub approvers: Vec<Approver>,
    /// Who states times.
    pub timestampers: Vec<Timestamper>,
    /// SHA-256 of the document's bytes: what stands on paper.
    pub fingerprint: Digest,
}

impl Trust {
    /// Reads a document, strictly. That it is the right one is for whoever compares the fingerprint.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustError> {
        if bytes.len() > TRUST_BYTES_MAX {
            return Err(Malformed("too large".into()).into());
        }
        let value = json::parse(bytes).map_err(|error| Malformed(error.to_string()))?;
        let members = Members::of("the document", &value, &MEMBERS)?;
        if members.number("v")? != 1 {
            return Err(Malformed("unknown format version".into()).into());
        }
        let version = members.member("version", |value| whole(value).filter(|version| *version > 0))?;
        let tenant = members.member("tenant", |value| value.as_str().filter(|tenant| !tenant.is_empty()))?.to_owned();
        let policy = Policy::parse(members.text("policy")?.as_bytes())?;
        let origins: BTreeSet<&str> = policy.logs().map(VerifierKey::name).collect();
        let signers = each(members.list("signers")?, |value| key(value, "a signer"))?;
        let roots = each(members.list("roots")?, |value| root(value, &origins))?;
        let revoked = each(members.list("revoked")?, |value| revocation(value, &origins))?;
        let ended = each(members.list("ended")?, |value| end(value, &origins))?;
        let revoked_logs = each(members.list("revoked_logs")?, |value| revoked_log(value, &policy))?;
        let accept = each(members.list("accept")?, |value| {
            Kind::ALL
                .into_iter()
                .find(|kind| value == kind.predicate_type().as_str())
                .ok_or_else(|| Malformed("a type in `accept` is not known to this verifier".into()))
        })?;
        let approvers = each(members.list("approvers")?, |value| {
            let members = Members::of("an approver", value, &["id", "key"])?;
            Ok(Approver { id: members.text("id")?.to_owned(), key: members.text("key")?.to_owned() })
        })?;
        let timestampers = each(members.list("timestampers")?, timestamper)?;
        let names: BTreeSet<&str> = timestampers.iter().map(|timestamper| timestamper.name.as_str()).collect();
        if names.len() != timestampers.len() {
            return Err(Malformed("a timestamper stands in it twice".into()).into());
        }
        // INVARIANT (one key, one range in each log): a second range would say what the first denies.
        let ranges: BTreeSet<(&str, [u8; 32])> = roots.iter().map(|root| (root.log.as_str(), root.key)).collect();
        if roots.is_empty() || accept.is_empty() || ranges.len() != roots.len() {
            return Err(Malformed("it needs roots, each once for a log, and types to accept".into()).into());
        }
        // INVARIANT (one end for each log): the second would say what the first denies.
        if ended.iter().map(|head| &head.origin).collect::<BTreeSet<_>>().len() != ended.len() {
            return Err(Malformed("a log ends twice".into()).into());
        }
        let require = require(members.value("require"))?;
        let (accept, fingerprint) = (accept.into_iter().collect(), Digest::of(bytes));
        Ok(Self {
            version,
            tenant,
            policy,
            signers,
            roots,
            revoked,
            ended,
            revoked_logs,
            accept,
            require,
            approvers,
            timestampers,
            fingerprint,
        })
    }

    /// Whether a writer key has been taken back before or at this leaf.
    #[must_use]
    pub fn is_revoked(&self, key: &[u8; 32], log: &str, index: u64) -> bool {
        self.revoked.iter().any(|revoked| revoked.key == *key && revoked.log == log && index >= revoked.from)
    }
}

fn each<T>(values: &[Value], read: impl FnMut(&Value) -> Result<T, Malformed>) -> Result<Vec<T>, Malformed> {
    values.iter().map(read).collect()
}

fn key(value: &Value, what: &str) -> Result<[u8; 32], Malformed> {
    let key = digest(value).map(|bytes| *bytes.as_bytes()).filter(|bytes| ed25519(bytes).is_some());
    key.ok_or_else(|| Malformed(format!("{what} is no Ed25519 key in hex")))
}

fn log(members: &Members<'_>, origins: &BTreeSet<&str>) -> Result<String, Malformed> {
    let log = members.text("log")?;
    if origins.contains(log) { Ok(log.to_owned()) } else { Err(Malformed("a `log` is not in the policy".into())) }
}

fn root(value: &Value, origins: &BTreeSet<&str>) -> Result<Root, Malformed> {
    let members = Members::of("a root", value, &["key", "log", "from", "until"])?;
    let key = key(members.member("key", Some)?, "a root")?;
    let (from, until) = (members.number("from")?, members.maybe("until", whole)?);
    Ok(Root { key, log: log(&members, origins)?, from, until })
}

fn revocation(value: &Value, origins: &BTreeSet<&str>) -> Result<Revoked, Malformed> {
    let members = Members::of("a revoked key", value, &["key", "log", "from"])?;
    let key = key(members.member("key", Some)?, "a revoked key")?;
    Ok(Revoked { key, log: log(&members, origins)?, from: members.number("from")? })
}

fn end(value: &Value, origins: &BTreeSet<&str>) -> Result<Head, Malformed> {
    let members = Members::of("a log that has ended", value, &["log", "size", "root"])?;
    let size = members.member("size", |value| whole(value).filter(|size| *size > 0))?;
    Ok(Head { origin: log(&members, origins)?, size, root: members.digest("root")? })
}

fn revoked_log(value: &Value, policy: &Policy) -> Result<RevokedLog, Malformed> {
    let members = Members::of("a revoked key of a log", value, &["key", "from"])?;
    let key = members.member("key", |value| VerifierKey::parse(value.as_str()?).ok())?;
    if policy.logs().all(|known| *known != key) {
        return Err(Malformed("a revoked key of a log is not in the policy".into()));
    }
    Ok(RevokedLog { key, from: members.number("from")? })
}

fn timestamper(value: &Value) -> Result<Timestamper, Malformed> {
    let members = Members::of("a timestamper", value, &["name", "certificate"])?;
    let name = members.member("name", |value| value.as_str().filter(|name| !name.is_empty()))?.to_owned();
    let certificate = members.member("certificate", |value| STANDARD.decode(value.as_str()?).ok())?;
    nameable(&certificate).map_err(|_| members.wrong("certificate"))?;
    Ok(Timestamper { name, certificate })
}

fn require(value: Option<&Value>) -> Result<Require, Malformed> {
    let empty = Value::Object(serde_json::Map::new());
    let names = ["log_algorithms", "witnesses", "tree_size", "skew_s", "anchored"];
    let members = Members::of("`require`", value.unwrap_or(&empty), &names)?;
    let log_algorithms = each(members.list("log_algorithms")?, |value| match value.as_str() {
        Some("ed25519") => Ok(Algorithm::Ed25519),
        Some("ml-dsa-44") => Ok(Algorithm::MlDsa44),
        _ => Err(Malformed("a log signs by `ed25519` or `ml-dsa-44`".into())),
    })?;
    let size = |value: &Value| whole(value).filter(|size| *size >= TREE_SIZE_MIN);
    let skew = |value: &Value| whole(value).filter(|skew| *skew <= SKEW_S_MAX);
    Ok(Require {
        log_algorithms: log_algorithms.into_iter().collect(),
        witnesses: members.maybe("witnesses", whole)?.unwrap_or(0),
        tree_size: members.maybe("tree_size", size)?.unwrap_or(TREE_SIZE_MIN),
        skew_s: members.maybe("skew_s", skew)?.unwrap_or(SKEW_S),
        anchored: members.maybe("anchored", Value::as_bool)?.unwrap_or(false),
    })
}

#[cfg(test)]
pub(crate) mod tests;

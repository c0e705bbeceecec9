//! Verification. Takes nothing on trust but the keys it is given.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ed25519_dalek::VerifyingKey;
use remit_core::ids::Digest;
use remit_core::json;
use serde_json::Value;

use crate::dsse::{Envelope, MalformedEnvelope, keyid, pae};
use crate::record::{EVENTS_OF_ROOT, Kind};

/// Why a record does not verify.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// No envelope.
    #[error(transparent)]
    Envelope(#[from] MalformedEnvelope),
    /// Signed by nobody known.
    #[error("signed by the unknown key {0}")]
    UnknownKey(String),
    /// The signature is over other bytes, or by another key.
    #[error("the signature does not verify")]
    Signature,
    /// No statement of ours, or one that contradicts itself.
    #[error("not a record: {0}")]
    Statement(String),
}

/// A record whose signature has been verified.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// The key that signed it, and the place in its sequence.
    pub writer: (String, u64),
    /// What it refers to.
    pub links: Vec<(String, Digest)>,
    /// The whole predicate.
    pub predicate: Value,
    /// The digest by which others refer to it.
    pub digest: Digest,
}

/// Keys that are trusted: roots that were given, and writer keys that a root delegated.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    keys: HashMap<String, (VerifyingKey, bool)>,
}

impl Trust {
    /// Trusts these gateway keys, and the writer keys they delegate.
    ///
    /// # Errors
    /// When one of them is no Ed25519 key.
    pub fn in_roots(roots: impl IntoIterator<Item = [u8; 32]>) -> Result<Self, Invalid> {
        let mut trust = Self::default();
        for root in roots {
            let key = VerifyingKey::from_bytes(&root).map_err(|_| Invalid::Statement("a root is no key".into()))?;
            trust.keys.insert(keyid(&root), (key, true));
        }
        Ok(trust)
    }

    /// Verifies one envelope. A key record that verifies under a root makes its writer key known.
    ///
    /// # Errors
    /// Says which check failed.
    pub fn verify(&mut self, envelope: &Envelope) -> Result<Verified, Invalid> {
        let named = &envelope.signature.keyid;
        let (key, root) = self.keys.get(named).ok_or_else(|| Invalid::UnknownKey(named.clone()))?;
        let signature = ed25519_dalek::Signature::from_bytes(&envelope.signature.bytes);
        key.verify_strict(&pae(&envelope.payload), &signature).map_err(|_| Invalid::Signature)?;
        let root = *root;
        let verified = read(envelope)?;
        // A root signs delegations and what becomes of the log; a writer signs everything else.
        if root != verified.is_of_root() {
            return Err(Invalid::Statement("this key may not sign this kind of record".into()));
        }
        if !root && verified.writer.0 != *named {
            return Err(Invalid::Statement("the writer named is not the one who signed".into()));
        }
        if verified.is_delegation() {
            let delegated = verified.predicate.get("delegate").and_then(Value::as_str).and_then(Digest::from_hex);
            let delegated = delegated.ok_or_else(|| Invalid::Statement("no delegated key".into()))?;
            let key = VerifyingKey::from_bytes(delegated.as_bytes())
                .map_err(|_| Invalid::Statement("the delegated key is no key".into()))?;
            self.keys.insert(keyid(delegated.as_bytes()), (key, false));
        }
        Ok(verified)
    }
}

impl Verified {
    /// Whether this is a key record that delegates, and does not say how other keys changed.
    #[must_use]
    pub fn is_delegation(&self) -> bool {
        let of_others = self.predicate.get("event").is_some() && self.predicate.get("delegate").is_none();
        self.kind == Kind::Key && !of_others
    }

    /// Whether this is for a root to sign.
    #[must_use]
    pub fn is_of_root(&self) -> bool {
        let event = self.predicate.get("event").and_then(Value::as_str);
        self.is_delegation() || self.kind == Kind::Key && event.is_some_and(|event| EVENTS_OF_ROOT.contains(&event))
    }

    /// Whether these disclosed values are those the record committed to. Values may be withheld;
    /// none may be added or changed.
    ///
    /// # Errors
    /// When one of them is not committed to.
    pub fn check_disclosures<'d>(&self, disclosures: impl IntoIterator<Item = &'d str>) -> Result<(), Invalid> {
        let committed = self.predicate.get("_sd").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for disclosure in disclosures {
            let digest = Digest::of(disclosure.as_bytes()).to_string();
            if !committed.iter().any(|known| known == digest.as_str()) {
                return Err(Invalid::Statement("a disclosed value is not the one that was signed".into()));
            }
        }
        Ok(())
    }
}

fn read(envelope: &Envelope) -> Result<Verified, Invalid> {
    let bad = |what: &str| Invalid::Statement(what.to_owned());
    let statement = json::parse(&envelope.payload).map_err(|error| Invalid::Statement(error.to_string()))?;
    if statement.get("_type").and_then(Value::as_str) != Some("https://in-toto.io/Statement/v1") {
        return Err(bad("no in-toto statement"));
    }
    let predicate = statement.get("predicate").cloned().ok_or_else(|| bad("no predicate"))?;
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let kind = text(&predicate, "kind").and_then(|kind| Kind::parse(&kind)).ok_or_else(|| bad("unknown kind"))?;
    if text(&statement, "predicateType") != Some(kind.predicate_type()) {
        return Err(bad("kind and predicate type disagree"));
    }
    let id = text(&predicate, "record_id").ok_or_else(|| bad("no record id"))?;
    let writer = predicate.get("writer").ok_or_else(|| bad("no writer"))?;
    let key = text(writer, "key").ok_or_else(|| bad("no writer key"))?;
    let seq = writer.get("seq").and_then(Value::as_u64).ok_or_else(|| bad("no writer sequence"))?;
    let links = predicate.get("links").and_then(Value::as_array).into_iter().flatten();
    let links = links.map(|link| Some((text(link, "rel")?, Digest::from_hex(&text(link, "digest")?)?)));
    let links = links.collect::<Option<Vec<_>>>().ok_or_else(|| bad("a link is malformed"))?;
    Ok(Verified { kind, id, writer: (key, seq), links, predicate, digest: envelope.digest() })
}

/// What a set of verified records says about itself.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    /// Records by kind.
    pub counts: BTreeMap<Kind, usize>,
    /// Numbers missing between the first and the last of each writer: records that were lost.
    pub gaps: Vec<(String, u64)>,
    /// Two records at the same place of one writer's sequence.
    pub doubles: Vec<(String, u64)>,
    /// Records whose link points to nothing in the set: id and relation.
    pub dangling: Vec<(String, String)>,
    /// Admitted calls without a receipt: their effect is unknown to this set.
    pub open: Vec<String>,
}

/// Looks at verified records as a set.
#[must_use]
pub fn examine(records: &[Verified]) -> Findings {
    let mut findings = Findings::default();
    let mut places: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    let known: BTreeSet<Digest> = records.iter().map(|record| record.digest).collect();
    let mut settled: BTreeSet<Digest> = BTreeSet::new();
    for record in records {
        *findings.counts.entry(record.kind).or_default() += 1;
        // What the root signs stands outside the writer's sequence.
        if !record.is_of_root() && !places.entry(&record.writer.0).or_default().insert(record.writer.1) {
            findings.doubles.push(record.writer.clone());
        }
        for (rel, digest) in &record.links {
            if !known.contains(digest) {
                findings.dangling.push((record.id.clone(), rel.clone()));
            }
            if record.kind == Kind::Execution && rel == "decision" {
                settled.insert(*digest);
            }
        }
    }
    for (writer, seen) in places {
        let last = seen.last().copied().unwrap_or_default();
        findings.gaps.extend((0..last).filter(|seq| !seen.contains(seq)).map(|seq| (writer.to_owned(), seq)));
    }
    // What a person was let do to the gateway is no call: it has no receipt.
    let call = |r: &Verified| r.kind == Kind::Decision && r.predicate.get("deed").is_none();
    let allowed = |r: &&Verified| call(r) && r.predicate.get("verdict").is_some_and(|v| v == "allow");
    let open = records.iter().filter(allowed).filter(|r| !settled.contains(&r.digest));
    findings.open = open.map(|r| r.id.clone()).collect();
    findings
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer as _, SigningKey};
    use remit_core::ids::{RecordId, TenantId};
    use remit_core::json::Object;
    use serde_json::json;

    use super::*;
    use crate::record::{Draft, Entropy};
    use crate::writer::{Sign, SignedRecord, Writer};

    struct Dalek(SigningKey);

    impl Sign for Dalek {
        fn public_key(&self) -> [u8; 32] {
            self.0.verifying_key().to_bytes()
        }
        fn sign(&self, message: &[u8]) -> [u8; 64] {
            self.0.sign(message).to_bytes()
        }
    }

    fn writer(seed: u8) -> Writer {
        Writer::new(Box::new(Dalek(SigningKey::from_bytes(&[seed; 32]))), TenantId::parse("acme").expect("id"))
    }

    fn record(writer: &Writer, kind: Kind, body: Value) -> SignedRecord {
        let draft = Draft {
            kind,
            id: RecordId::parse(&format!("r{}", body.to_string().len())).expect("id"),
            time: "2026-11-21T10:00:00.000Z".into(),
            run: None,
            traceparent: None,
            action: None,
            links: Vec::new(),
            body: members(&body),
            disclosures: vec![("arguments", "{\"amount\":5}".into())],
        };
        writer.sign(&writer.ticket(), draft, &Entropy { nonce: [7; 16], salt: [9; 16] })
    }

    fn members(body: &Value) -> Object {
        let mut object = Object::new();
        for name in ["verdict", "delegate", "event", "x"] {
            body.get(name).map(|value| object.value(name, value));
        }
        object
    }

    fn trust(root: &Writer, writer: &Writer) -> Trust {
        let mut trust = Trust::in_roots([root.public_key()]).expect("root");
        let delegate = Digest::from_bytes(writer.public_key()).to_string();
        let key = record(root, Kind::Key, json!({"delegate": delegate}));
        trust.verify(&key.envelope).expect("delegation");
        trust
    }

    #[test]
    fn a_record_verifies_under_a_delegated_key_only() {
        let (root, writer, stranger) = (writer(1), writer(2), writer(3));
        let record_ = record(&writer, Kind::Decision, json!({"verdict": "deny"}));
        assert_eq!(trust(&root, &writer).verify(&record_.envelope).expect("valid").kind, Kind::Decision);
        let foreign = record(&stranger, Kind::Decision, json!({"verdict": "deny"}));
        assert!(matches!(trust(&root, &writer).verify(&foreign.envelope), Err(Invalid::UnknownKey(_))));
        let mut renamed = foreign.envelope;
        renamed.signature.keyid = record_.writer.clone();
        assert_eq!(trust(&root, &writer).verify(&renamed).expect_err("forged"), Invalid::Signature);
        // A writer cannot delegate, and a root cannot decide.
        let sub = record(&writer, Kind::Key, json!({"delegate": "00".repeat(32)}));
        assert!(trust(&root, &writer).verify(&sub.envelope).is_err());
        let posing = record(&writer, Kind::Key, json!({"event": "passkey_added", "delegate": "00".repeat(32)}));
        assert!(trust(&root, &writer).verify(&posing.envelope).is_err());
        // How a person's own keys changed is no delegation: a writer says so, and a root does not.
        let added = json!({"event": "passkey_added"});
        assert!(trust(&root, &writer).verify(&record(&writer, Kind::Key, added.clone()).envelope).is_ok());
        assert!(trust(&root, &writer).verify(&record(&root, Kind::Key, added).envelope).is_err());
        let by_root = record(&root, Kind::Decision, json!({"verdict": "allow"}));
        assert!(trust(&root, &writer).verify(&by_root.envelope).is_err());
    }

    #[test]
    fn every_flipped_byte_is_noticed() {
        let (root, writer) = (writer(1), writer(2));
        let record = record(&writer, Kind::Decision, json!({"verdict": "allow"}));
        let text = record.envelope.to_json().to_string().into_bytes();
        let hint = record.writer.as_bytes();
        let hint_at = text.windows(hint.len()).position(|w| w == hint).expect("keyid");
        for at in 0..text.len() {
            let mut bad = text.clone();
            bad[at] ^= 1;
            let verdict = Envelope::parse(&bad).map_err(Invalid::from).and_then(|e| trust(&root, &writer).verify(&e));
            assert!(verdict.is_err(), "byte {at}, hint at {hint_at}: {}", String::from_utf8_lossy(&bad));
        }
    }

    #[test]
    fn a_disclosed_value_is_the_one_that_was_signed() {
        let (root, writer) = (writer(1), writer(2));
        let record = record(&writer, Kind::Decision, json!({"verdict": "allow"}));
        let verified = trust(&root, &writer).verify(&record.envelope).expect("valid");
        let disclosures: Vec<&str> = record.disclosures.iter().map(String::as_str).collect();
        assert_eq!(verified.check_disclosures(disclosures.clone()), Ok(()));
        assert_eq!(verified.check_disclosures([]), Ok(()), "withholding is allowed");
        let other = format!("{}A", disclosures[0]);
        assert!(verified.check_disclosures([other.as_str()]).is_err());
    }

    #[test]
    fn gaps_doubles_and_open_calls_are_found() {
        let (root, writer) = (writer(1), writer(2));
        let mut trust = trust(&root, &writer);
        let first = record(&writer, Kind::Decision, json!({"verdict": "allow"}));
        let _lost = writer.ticket();
        let third = record(&writer, Kind::Decision, json!({"verdict": "deny", "x": 1}));
        let verified: Vec<_> =
            [&first, &third, &first].iter().map(|r| trust.verify(&r.envelope).expect("valid")).collect();
        let findings = examine(&verified);
        assert_eq!(findings.gaps, [(writer_id(&writer), 1)]);
        assert_eq!(findings.doubles, [(writer_id(&writer), 0)]);
        assert_eq!(findings.open.len(), 2);
    }

    fn writer_id(writer: &Writer) -> String {
        keyid(&writer.public_key())
    }
}

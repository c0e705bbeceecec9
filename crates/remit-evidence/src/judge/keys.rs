//! Who may have signed a record, and where that key counts. A root of the trust document signs
//! delegations and what becomes of the log; a writer key counts behind the leaf of its delegation. Owns that order.

use std::collections::HashMap;

use super::{Court, Outcome, Read, Step};
use crate::dsse::{Envelope, keyid, pae};
use crate::log::vkey::ed25519;
use crate::trust::{Root, Trust};

struct Delegation<'t> {
    key: [u8; 32],
    log: String,
    index: u64,
    root: &'t Root,
}

/// The writer keys that roots have delegated in this bundle, by their hint.
pub(super) struct Delegations<'t>(HashMap<String, Vec<Delegation<'t>>>);

impl<'t> Delegations<'t> {
    /// Those whose record verifies under a root that counts at its leaf.
    pub(super) fn find(read: &[Read<'_>], trust: &'t Trust) -> Self {
        let mut found: HashMap<String, Vec<Delegation<'t>>> = HashMap::new();
        for read in read {
            let (Some(statement), Some(place)) = (&read.statement, &read.place) else { continue };
            let envelope = &read.claim.envelope;
            let (log, index) = (&place.head.origin, place.index);
            let root = named(envelope, trust).find(|root| root.covers(log, index));
            let Some(root) = root.filter(|root| signed(envelope, &root.key)) else { continue };
            let own = statement.is_delegation() && statement.writer == envelope.signature.keyid;
            let Some(key) = statement.delegate().filter(|key| own && ed25519(key).is_some()) else { continue };
            found.entry(keyid(&key)).or_default().push(Delegation { key, log: log.clone(), index, root });
        }
        Self(found)
    }
}

fn named<'t>(envelope: &Envelope, trust: &'t Trust) -> impl Iterator<Item = &'t Root> {
    let named = envelope.signature.keyid.clone();
    trust.roots.iter().filter(move |root| keyid(&root.key) == named)
}

fn signed(envelope: &Envelope, key: &[u8; 32]) -> bool {
    let signature = ed25519_dalek::Signature::from_bytes(&envelope.signature.bytes);
    ed25519(key).is_some_and(|key| key.verify_strict(&pae(&envelope.payload), &signature).is_ok())
}

impl Court {
    /// Says whether the signature is a known key's, and whether that key counts here.
    pub(super) fn key(&mut self, read: &Read<'_>, delegations: &Delegations<'_>, trust: &Trust) -> bool {
        let envelope = &read.claim.envelope;
        let roots: Vec<&Root> = named(envelope, trust).collect();
        let delegated = delegations.0.get(&envelope.signature.keyid).map_or(&[][..], Vec::as_slice);
        let key = roots.first().map(|root| root.key).or_else(|| delegated.first().map(|delegation| delegation.key));
        let Some(key) = key else {
            let detail = "signed by a key that no root of the trust document has delegated in this bundle";
            self.say(Step::Signature, Some(read.at), Outcome::Missing, detail);
            return false;
        };
        if !signed(envelope, &key) {
            self.say(Step::Signature, Some(read.at), Outcome::Fails, "the signature does not verify");
            return false;
        }
        let Some(statement) = &read.statement else { return true };
        let wrong = if roots.is_empty() == statement.is_of_root() {
            Some("a root signs delegations and what becomes of the log, and nothing else; nobody else signs those")
        } else if statement.writer != envelope.signature.keyid {
            Some("the writer that is named is not the one that signed")
        } else if statement.is_delegation() && statement.delegate().is_none_or(|key| ed25519(&key).is_none()) {
            Some("what is delegated is no key")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            self.say(Step::Signature, Some(read.at), Outcome::Fails, wrong);
            return true;
        }
        self.say(Step::Signature, Some(read.at), Outcome::Holds, "of a key that may sign this");
        let (outcome, detail) = counts(read, &roots, delegated, &key, trust);
        self.say(Step::Delegation, Some(read.at), outcome, detail);
        true
    }
}

fn counts(
    read: &Read<'_>,
    roots: &[&Root],
    delegated: &[Delegation<'_>],
    key: &[u8; 32],
    trust: &Trust,
) -> (Outcome, &'static str) {
    let Some(place) = &read.place else {
        return (Outcome::Missing, "whether the key counted is a matter of the place, and no place is proven");
    };
    let (log, index) = (&place.head.origin, place.index);
    if !roots.is_empty() {
        return if roots.iter().any(|root| root.covers(log, index)) {
            (Outcome::Holds, "the root counts at this leaf")
        } else {
            (Outcome::Fails, "the root does not count at this leaf")
        };
    }
    if trust.is_revoked(key, log, index) {
        return (Outcome::Fails, "the key was revoked before this leaf");
    }
    let mut here = delegated.iter().filter(|delegation| delegation.log == *log).peekable();
    if here.peek().is_none() {
        return (Outcome::Missing, "the key is not delegated in this log");
    }
    // The root must count here too: who takes a root away takes away what it delegated.
    if here.any(|delegation| delegation.index < index && delegation.root.covers(log, index)) {
        (Outcome::Holds, "the key was delegated before this leaf and counts at it")
    } else {
        (Outcome::Fails, "the key does not count at this leaf")
    }
}

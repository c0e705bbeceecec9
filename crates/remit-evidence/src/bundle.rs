//! Evidence bundles (`*.evidence.json`): records with the proofs of their places, for one recipient.
//! Owns the file and how it is read. Nothing in it is trusted; above all, it brings no keys.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remit_core::ids::Digest;
use remit_core::json;
use serde_json::{Value, json};

use crate::dsse::{Envelope, MalformedEnvelope, PAYLOAD_TYPE};
use crate::log::checkpoint::{Checkpoint, CheckpointError, SIZE_MAX, hash};
use crate::log::note::{Note, NoteError};
use crate::log::proof::{Proof, ProofError};
use crate::members::{Malformed, Members};

/// What the file is called in a header.
pub const MEDIA_TYPE: &str = "application/vnd.remit.evidence+json";
/// Largest bundle that is read, in bytes.
pub const BUNDLE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most claims, most tokens, and most proofs of consistency, that are read.
pub const CLAIMS_MAX: usize = 4096;
const STEPS_MAX: usize = 128;

/// Why a text is no bundle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not in the format.
    #[error("not a bundle: {0}")]
    Malformed(#[from] Malformed),
    /// One of its envelopes is none.
    #[error(transparent)]
    Envelope(#[from] MalformedEnvelope),
    /// One of its proofs is none.
    #[error("a proof in the bundle: {0}")]
    Proof(#[from] ProofError),
    /// What a token is over is no note.
    #[error("a checkpoint in the bundle: {0}")]
    Note(#[from] NoteError),
}

/// A record, some of its values, and the proof of its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The record.
    pub envelope: Envelope,
    /// The values that are shown to this recipient.
    pub disclosures: Vec<String>,
    /// The proof. A record without one is signed and nothing more.
    pub proof: Option<Proof>,
}

/// The head of a log: which, how large, and its root.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Head {
    /// The name of the log.
    pub origin: String,
    /// How many leaves it has.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
}

/// A proof that a log grew from one size to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The smaller head.
    pub old: Head,
    /// The larger head of the same log.
    pub new: Head,
    /// The hashes that lead from one to the other.
    pub path: Vec<Digest>,
}

/// A third party's token over a checkpoint, see [`crate::stamp`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// The signed checkpoint, byte for byte as it was stamped.
    pub checkpoint: Note,
    /// The token.
    pub rfc3161: Vec<u8>,
}

/// A bundle that has been read. It proves nothing before it is judged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The records.
    pub claims: Vec<Claim>,
    /// Files that records name by their digest.
    pub attachments: BTreeMap<Digest, Vec<u8>>,
    /// Tokens over checkpoints.
    pub timestamps: Vec<Timestamp>,
    /// How the heads in it, and those the recipient saw before, hang together.
    pub consistency: Vec<Growth>,
    /// Where the operator says its trust document is. A hint; never followed here.
    pub trust_url: Option<String>,
}

impl Claim {
    /// A record with the values of these names. All others are withheld.
    #[must_use]
    pub fn showing(envelope: Envelope, disclosures: &[String], names: &[&str], proof: Option<Proof>) -> Self {
        let named = |text: &&String| {
            let read = crate::record::disclosed(std::slice::from_ref(*text));
            read.iter().any(|(name, _)| names.contains(&name.as_str()))
        };
        let disclosures = disclosures.iter().filter(named).cloned().collect();
        // The record stands in the claim already.
        let proof = proof.map(|proof| Proof { extra: None, ..proof });
        Self { envelope, disclosures, proof }
    }
}

impl Head {
    /// The head a checkpoint states.
    #[must_use]
    pub fn of(checkpoint: &Checkpoint) -> Self {
        Self { origin: checkpoint.origin.clone(), size: checkpoint.size, root: checkpoint.root }
    }

    /// The head a note states, without believing it.
    ///
    /// # Errors
    /// When the note is about something else.
    pub fn stated(note: &Note) -> Result<Self, CheckpointError> {
        Checkpoint::parse(note.text()).map(|checkpoint| Self::of(&checkpoint))
    }
}

impl Bundle {
    /// A bundle of these claims. Proofs of one checkpoint need no proof of growth between them.
    #[must_use]
    pub fn of(claims: Vec<Claim>, consistency: Vec<Growth>) -> Self {
        Self { claims, consistency, ..Self::default() }
    }

    /// Reads a bundle, strictly: its members and no others, each record once, no oversize.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(Malformed("too large".into()).into());
        }
        let value = json::parse(bytes).map_err(|error| Malformed(error.to_string()))?;
        let names = ["v", "claims", "attachments", "timestamps", "consistency", "hints"];
        let members = Members::of("the bundle", &value, &names)?;
        if members.number("v")? != 1 {
            return Err(Malformed("unknown format version".into()).into());
        }
        let (claims, consistency) = (members.list("claims")?, members.list("consistency")?);
        if claims.is_empty() || claims.len() > CLAIMS_MAX || consistency.len() > CLAIMS_MAX {
            return Err(Malformed(format!("a bundle has 1 to {CLAIMS_MAX} claims")).into());
        }
        let claims = claims.iter().map(claim).collect::<Result<Vec<_>, _>>()?;
        let records: BTreeSet<Digest> = claims.iter().map(|claim| claim.envelope.digest()).collect();
        if records.len() != claims.len() {
            return Err(Malformed("a record stands in it twice".into()).into());
        }
        let consistency = consistency.iter().map(growth).collect::<Result<_, _>>()?;
        let timestamps = members.list("timestamps")?;
        if timestamps.len() > CLAIMS_MAX {
            return Err(Malformed(format!("a bundle has at most {CLAIMS_MAX} tokens")).into());
        }
        let timestamps = timestamps.iter().map(timestamp).collect::<Result<_, _>>()?;
        let trust_url =
            members.value("hints").map(|hints| Members::of("`hints`", hints, &["trust_url"])).transpose()?;
        let trust_url = trust_url.map(|hints| hints.maybe("trust_url", Value::as_str)).transpose()?.flatten();
        let trust_url = trust_url.map(str::to_owned);
        Ok(Self { claims, attachments: attachments(&members)?, timestamps, consistency, trust_url })
    }

    /// The bundle as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let encode = |bytes: &[u8]| STANDARD.encode(bytes);
        let claims = self.claims.iter().map(|claim| {
            let mut value = json!({"envelope": claim.envelope.to_json(), "disclosures": claim.disclosures});
            if let Some(proof) = &claim.proof {
                value["proof"] = proof.to_string().into();
            }
            value
        });
        let claims = claims.collect();
        let attachments = self.attachments.iter().map(|(digest, bytes)| (digest.to_string(), encode(bytes).into()));
        let timestamps = self
            .timestamps
            .iter()
            .map(|stamped| json!({"checkpoint": stamped.checkpoint.to_string(), "rfc3161": encode(&stamped.rfc3161)}));
        let head = |head: &Head| json!({"size": head.size, "root": encode(head.root.as_bytes())});
        let consistency = self.consistency.iter().map(|growth| {
            let path: Vec<String> = growth.path.iter().map(|step| encode(step.as_bytes())).collect();
            json!({"origin": growth.new.origin, "old": head(&growth.old), "new": head(&growth.new), "path": path})
        });
        let mut value = json!({
            "v": 1,
            "claims": Value::Array(claims),
            "attachments": Value::Object(attachments.collect()),
            "timestamps": timestamps.collect::<Vec<_>>(),
            "consistency": consistency.collect::<Vec<_>>(),
        });
        if let Some(url) = &self.trust_url {
            value["hints"] = json!({"trust_url": url});
        }
        value
    }
}

fn claim(value: &Value) -> Result<Claim, BundleError> {
    let members = Members::of("a claim", value, &["envelope", "disclosures", "proof"])?;
    let envelope = Envelope::read(members.member("envelope", Some)?, PAYLOAD_TYPE)?;
    let texts = members.list("disclosures")?.iter().map(|text| text.as_str().map(str::to_owned));
    let disclosures = texts.collect::<Option<_>>().ok_or_else(|| members.wrong("disclosures"))?;
    let proof = members.maybe("proof", Value::as_str)?.map(|text| Proof::parse(text.as_bytes())).transpose()?;
    // A proof may carry the record, but then it is this one.
    if let Some(extra) = proof.as_ref().and_then(|proof| proof.extra.as_deref())
        && Envelope::parse(extra)? != envelope
    {
        return Err(Malformed("a proof carries another record than its claim".into()).into());
    }
    Ok(Claim { envelope, disclosures, proof })
}

fn attachments(members: &Members<'_>) -> Result<BTreeMap<Digest, Vec<u8>>, Malformed> {
    let named = members.maybe("attachments", Value::as_object)?.into_iter().flatten();
    let attachment = |(name, value): (&String, &Value)| {
        let digest = Digest::from_hex(name).ok_or_else(|| Malformed("an attachment is named by its digest".into()))?;
        let bytes = base64(value).filter(|bytes| Digest::of(bytes) == digest);
        Ok((digest, bytes.ok_or_else(|| Malformed("an attachment is not what its name says".into()))?))
    };
    named.map(attachment).collect()
}

fn timestamp(value: &Value) -> Result<Timestamp, BundleError> {
    let members = Members::of("a timestamp", value, &["checkpoint", "rfc3161"])?;
    let checkpoint = Note::parse(members.text("checkpoint")?.as_bytes())?;
    Ok(Timestamp { checkpoint, rfc3161: members.member("rfc3161", base64)? })
}

fn growth(value: &Value) -> Result<Growth, Malformed> {
    let members = Members::of("a proof of growth", value, &["origin", "old", "new", "path"])?;
    let origin = members.text("origin")?;
    let head = |name: &'static str| {
        let members = Members::of(name, members.member(name, Some)?, &["size", "root"])?;
        let size = members.member("size", |value| value.as_u64().filter(|size| *size <= SIZE_MAX))?;
        let root = members.member("root", |value| value.as_str().and_then(hash))?;
        Ok::<_, Malformed>(Head { origin: origin.to_owned(), size, root })
    };
    let path = members.list("path")?.iter().map(|step| step.as_str().and_then(hash)).collect::<Option<Vec<_>>>();
    let path = path.filter(|path| path.len() <= STEPS_MAX).ok_or_else(|| members.wrong("path"))?;
    Ok(Growth { old: head("old")?, new: head("new")?, path })
}

fn base64(value: &Value) -> Option<Vec<u8>> {
    value.as_str().and_then(|text| STANDARD.decode(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundle() -> Value {
        let signature = json!({"keyid": "00", "sig": STANDARD.encode([9; 64])});
        let envelope = json!({"payload": "e30=", "payloadType": PAYLOAD_TYPE, "signatures": [signature]});
        let head = |size: u64| json!({"size": size, "root": STANDARD.encode([7; 32])});
        json!({
            "v": 1,
            "claims": [{"envelope": envelope, "disclosures": ["x"]}],
            "attachments": {Digest::of(b"text").to_string(): STANDARD.encode(b"text")},
            "timestamps": [{"checkpoint": "log\n\n\u{2014} log AAAAAAA=\n", "rfc3161": "AA=="}],
            "consistency": [{"origin": "log", "old": head(1), "new": head(2), "path": [STANDARD.encode([1; 32])]}],
            "hints": {"trust_url": "https://example.com/trust.json"},
        })
    }

    #[test]
    fn a_bundle_comes_back() {
        let read = Bundle::parse(bundle().to_string().as_bytes()).expect("bundle");
        assert_eq!(read.to_json(), bundle());
    }

    #[test]
    fn malformed_bundles_are_refused() {
        let good = bundle();
        for (place, value) in [
            ("/v", json!(2)),
            ("/v", json!("1")),
            ("/claims", json!([])),
            ("/claims", json!([good["claims"][0], good["claims"][0]])),
            ("/claims/0", json!({})),
            ("/claims/0/disclosures/0", json!(1)),
            ("/claims/0/envelope/payloadType", json!("text/plain")),
            ("/claims/0/envelope/signatures", json!([])),
            ("/attachments", json!({Digest::of(b"other").to_string(): STANDARD.encode(b"text")})),
            ("/attachments", json!({"x": "AA=="})),
            ("/timestamps/0/checkpoint", json!("log\n")),
            ("/timestamps/0/rfc3161", json!("A")),
            ("/consistency/0/path/0", json!("AA==")),
            ("/consistency/0/old/size", json!(-1)),
            ("/consistency/0/old/size", json!(1u64 << 63)),
            ("/hints", json!({"key": "00"})),
            ("/hints/trust_url", json!(1)),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(place).expect("place") = value;
            assert!(Bundle::parse(bad.to_string().as_bytes()).is_err(), "{bad}");
        }
        let mut bad = good.clone();
        bad["keys"] = json!([]);
        assert!(Bundle::parse(bad.to_string().as_bytes()).is_err());
        let mut bad = good;
        bad["claims"][0]["proof"] = json!("c2sp.org/tlog-proof@v1\n");
        assert!(Bundle::parse(bad.to_string().as_bytes()).is_err());
    }

    #[test]
    fn only_chosen_values_are_shown() {
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let text = |name: &str| URL_SAFE_NO_PAD.encode(format!("[\"salt\",\"{name}\",1]"));
        let texts = [text("user"), text("arguments")];
        let envelope = Bundle::parse(bundle().to_string().as_bytes()).expect("bundle").claims.remove(0).envelope;
        assert_eq!(Claim::showing(envelope, &texts, &["arguments"], None).disclosures, [text("arguments")]);
    }
}

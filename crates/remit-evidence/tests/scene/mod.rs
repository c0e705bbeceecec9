//! A gateway, its log and its witnesses in a few lines, from fixed seeds that guard nothing: what the
//! regression tests and the comparison of verifiers are about.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use ml_dsa::{Keypair as _, MlDsa44};
use remit_core::ids::{Digest, RecordId, RunId, TenantId};
use remit_core::json::Object;
use remit_evidence::bundle::{Bundle, Claim, Growth, Head};
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::cosignature::cosign;
use remit_evidence::log::leaf::Leaf;
use remit_evidence::log::merkle::{HashReader, consistency, inclusion, root_of};
use remit_evidence::log::note::{Note, NoteSigner};
use remit_evidence::log::proof::Proof;
use remit_evidence::log::vkey::{Algorithm, VerifierKey};
use remit_evidence::record::{Draft, Entropy, Kind};
use remit_evidence::writer::{Sign, SignedRecord, Writer};
use serde_json::{Value, json};

pub mod cases;
pub mod passkeys;
pub mod quorums;
pub mod records;
pub mod timestamper;
pub mod vectors;

pub const ORIGIN: &str = "log.example/remit";
/// 2026-11-21T10:00:00Z.
pub const START: u64 = 1_795_255_200;

/// A key of the log or of a witness.
pub struct Key(pub VerifierKey, Private);

enum Private {
    Ed25519(Box<SigningKey>),
    MlDsa44(Box<ml_dsa::SigningKey<MlDsa44>>),
}

impl Key {
    pub fn ed25519(name: &str, algorithm: Algorithm, seed: u8) -> Self {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let public = VerifierKey::new(name, algorithm, key.verifying_key().as_bytes()).expect("key");
        Self(public, Private::Ed25519(Box::new(key)))
    }

    pub fn ml_dsa_44(name: &str, seed: u8) -> Self {
        let key = ml_dsa::SigningKey::<MlDsa44>::from_seed(&[seed; 32].into());
        let public = VerifierKey::new(name, Algorithm::MlDsa44, &key.verifying_key().encode()).expect("key");
        Self(public, Private::MlDsa44(Box::new(key)))
    }
}

impl NoteSigner for Key {
    fn key(&self) -> &VerifierKey {
        &self.0
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        Ok(match &self.1 {
            Private::Ed25519(key) => key.sign(message).to_bytes().to_vec(),
            Private::MlDsa44(key) => {
                let signature: ml_dsa::Signature<MlDsa44> = key.try_sign(message).map_err(|error| error.to_string())?;
                signature.encode().to_vec()
            }
        })
    }
}

/// A key of the gateway.
pub struct Pen(pub SigningKey);

impl Sign for Pen {
    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

pub fn writer(seed: u8, tenant: &str) -> Writer {
    Writer::new(Box::new(Pen(SigningKey::from_bytes(&[seed; 32]))), TenantId::parse(tenant).expect("tenant"))
}

pub fn hex(key: [u8; 32]) -> String {
    Digest::from_bytes(key).to_string()
}

/// The log of these records, and who signs its checkpoints.
pub struct Log {
    pub records: Vec<SignedRecord>,
    pub keys: Vec<Key>,
    pub witnesses: Vec<Key>,
}

struct Leaves(Vec<Digest>);

impl HashReader for Leaves {
    type Error = String;

    fn hash(&self, height: u32, index: u64) -> Result<Digest, String> {
        let from = usize::try_from(index << height).map_err(|error| error.to_string())?;
        self.0.get(from..from + (1 << height)).map(root_of).ok_or_else(|| "outside".into())
    }
}

impl Log {
    /// Signed by both keys of the log and by two of three witnesses.
    pub fn of(records: Vec<SignedRecord>) -> Self {
        let keys = vec![Key::ed25519(ORIGIN, Algorithm::Ed25519, 3), Key::ml_dsa_44(ORIGIN, 4)];
        let witnesses = vec![witness(1), witness(2)];
        Self { records, keys, witnesses }
    }

    fn leaves(&self) -> Leaves {
        let leaf = |record: &SignedRecord| Leaf::of(&record.envelope, record.seq).expect("leaf").hash();
        Leaves(self.records.iter().map(leaf).collect())
    }

    pub fn size(&self) -> usize {
        self.records.len()
    }

    pub fn head(&self, size: usize) -> Checkpoint {
        Checkpoint::new(ORIGIN, size as u64, root_of(&self.leaves().0[..size]))
    }

    /// The checkpoint at this size. The witnesses see it one second after another.
    pub fn note(&self, size: usize) -> Note {
        let head = self.head(size);
        let signers: Vec<&dyn NoteSigner> = self.keys.iter().map(|key| key as &dyn NoteSigner).collect();
        let mut note = head.sign(&signers, START + 100).expect("signed");
        for (witness, time) in self.witnesses.iter().zip(START + 101..) {
            note.push(cosign(witness, &head.to_string(), time).expect("cosigned"));
        }
        note
    }

    pub fn proof(&self, index: usize, note: &Note, size: usize) -> Proof {
        let path = inclusion(index as u64, size as u64, &self.leaves()).expect("path");
        Proof { extra: None, index: index as u64, path, checkpoint: note.clone() }
    }

    pub fn growth(&self, old: usize, new: usize) -> Growth {
        let path = consistency(old as u64, new as u64, &self.leaves()).expect("path");
        Growth { old: Head::of(&self.head(old)), new: Head::of(&self.head(new)), path }
    }

    /// A bundle of these records, with all of their values, at the last checkpoint.
    pub fn bundle(&self, which: &[usize]) -> Bundle {
        self.bundle_at(which, self.size())
    }

    pub fn bundle_at(&self, which: &[usize], size: usize) -> Bundle {
        let note = self.note(size);
        let claim = |at: &usize| {
            let record = &self.records[*at];
            let names = ["arguments", "resource", "user", "approver", "statement_nonce", "shown"];
            Claim::showing(record.envelope.clone(), &record.disclosures, &names, Some(self.proof(*at, &note, size)))
        };
        Bundle::of(which.iter().map(claim).collect(), Vec::new())
    }
}

pub fn witness(number: u8) -> Key {
    Key::ed25519(&format!("witness.example/w{number}"), Algorithm::Ed25519Cosignature, 10 + number)
}

/// The trust document of the auditor.
pub fn trust() -> Value {
    let log = Log::of(Vec::new());
    let mut policy: String = log.keys.iter().map(|key| format!("log {}\n", key.0)).collect();
    for number in 1..=3 {
        policy += &format!("witness w{number} {}\n", witness(number).0);
    }
    policy += "group others 2 w1 w2 w3\nquorum others\n";
    json!({
        "v": 1,
        "version": 1,
        "tenant": "acme",
        "policy": policy,
        "signers": [hex(writer(9, "acme").public_key())],
        "roots": [{"key": hex(writer(1, "acme").public_key()), "log": ORIGIN, "from": 0}],
        "revoked": [],
        "accept": Kind::ALL.map(Kind::predicate_type),
        "require": {"log_algorithms": ["ed25519", "ml-dsa-44"], "witnesses": 2, "tree_size": 4, "skew_s": 60},
        "approvers": [],
    })
}

/// The trust document of this version, signed to follow the first one.
pub fn succession(version: u64) -> Vec<u8> {
    let mut document = trust();
    document["version"] = version.into();
    let (payload, pen) = (document.to_string(), Pen(SigningKey::from_bytes(&[9; 32])));
    let signature = pen.sign(&remit_evidence::trust::signed(payload.as_bytes()));
    let signature = json!({"keyid": remit_evidence::dsse::keyid(&pen.public_key()), "sig": encode(&signature)});
    let payload = encode(payload.as_bytes());
    let kind = remit_evidence::trust::TRUST_TYPE;
    json!({"payload": payload, "payloadType": kind, "signatures": [signature]}).to_string().into_bytes()
}

/// A record, the `at`th of its log, written `at` seconds after the start.
pub fn record(
    writer: &Writer,
    at: u8,
    kind: Kind,
    links: Vec<(&'static str, Digest)>,
    fill: impl FnOnce(&mut Object),
) -> SignedRecord {
    about(writer, at, kind, (None, Vec::new()), links, fill)
}

/// A record about a call, with more values to disclose.
pub fn about(
    writer: &Writer,
    at: u8,
    kind: Kind,
    (action, more): (Option<Digest>, Vec<(&'static str, String)>),
    links: Vec<(&'static str, Digest)>,
    fill: impl FnOnce(&mut Object),
) -> SignedRecord {
    let mut body = Object::new();
    fill(&mut body);
    let disclosures = [records::disclosures(kind, at), more].concat();
    let in_run = !matches!(kind, Kind::Key | Kind::Policy | Kind::Halt | Kind::Peer | Kind::Erasure);
    let draft = Draft {
        kind,
        id: RecordId::parse(&format!("rec_{at:02}_{}", writer.tenant())).expect("id"),
        time: format!("2026-11-21T10:00:{at:02}.000Z"),
        run: in_run.then(|| RunId::parse("run_1").expect("id")),
        traceparent: None,
        action,
        links,
        body,
        disclosures,
    };
    writer.sign(&writer.ticket(), draft, &Entropy { nonce: [at; 16], salt: [at ^ 0x80; 16] })
}

pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

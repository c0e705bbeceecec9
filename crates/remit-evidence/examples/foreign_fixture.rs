//! Writes a whole log into a folder, for verifiers that others wrote: 600 records, tiles, bundles,
//! checkpoints, proofs, a receipt, keys and a policy. The keys come from fixed seeds and guard nothing.
//!
//!     cargo run -p remit-evidence --example foreign_fixture -- FOLDER

use std::error::Error;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::Signer as _;
use ml_dsa::{Keypair as _, MlDsa44};
use remit_core::ids::{RecordId, TenantId};
use remit_core::json::Object;
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::leaf::Leaf;
use remit_evidence::log::merkle::{Frontier, consistency, inclusion};
use remit_evidence::log::note::{Note, NoteSigner};
use remit_evidence::log::policy::Policy;
use remit_evidence::log::proof::Proof;
use remit_evidence::log::tile::{Tile, TileReader, TiledHashes};
use remit_evidence::log::vkey::{Algorithm, VerifierKey};
use remit_evidence::log::{audit, cose, cosignature, growth};
use remit_evidence::record::{Draft, Entropy, Kind};
use remit_evidence::writer::{Sign, SignedRecord, Writer};

type Fallible<T> = Result<T, Box<dyn Error>>;

const ORIGIN: &str = "log.example/remit";
const WITNESS: &str = "witness.example/w1";
const TIME: u64 = 1_795_000_000;
const SIZES: [usize; 2] = [300, 600];
const PROVED: usize = 300;

struct Ed25519(VerifierKey, ed25519_dalek::SigningKey);
struct Quantum(VerifierKey, ml_dsa::SigningKey<MlDsa44>);
struct WriterKey(ed25519_dalek::SigningKey);
struct Folder(PathBuf);

impl NoteSigner for Ed25519 {
    fn key(&self) -> &VerifierKey {
        &self.0
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        Ok(self.1.sign(message).to_bytes().to_vec())
    }
}

impl NoteSigner for Quantum {
    fn key(&self) -> &VerifierKey {
        &self.0
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let signature: ml_dsa::Signature<MlDsa44> = self.1.try_sign(message).map_err(|error| error.to_string())?;
        Ok(signature.encode().to_vec())
    }
}

impl Sign for WriterKey {
    fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
    fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl TileReader for Folder {
    type Error = io::Error;

    fn tile(&self, tile: Tile) -> io::Result<Vec<u8>> {
        fs::read(self.0.join(tile.to_string()))
    }
}

fn main() -> Fallible<()> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: foreign_fixture FOLDER")?);
    let (writer, log, quantum, witness) = keys()?;
    let records = (0..600).map(|at| record(&writer, at)).collect::<Fallible<Vec<_>>>()?;
    let leaves = records.iter().map(|record| Leaf::of(&record.envelope, record.seq)).collect::<Result<Vec<_>, _>>()?;
    let store = Folder(folder.join("log"));

    let (mut old, mut edge) = (0, Frontier::default());
    for size in SIZES {
        let new = leaves.get(old..size).ok_or("fewer leaves")?;
        let entries: Vec<[u8; 138]> = new.iter().map(Leaf::to_bytes).collect();
        let entries: Vec<&[u8]> = entries.iter().map(<[u8; 138]>::as_slice).collect();
        let growth = growth::grow(&edge, &entries, &store)?;
        for (tile, bytes) in growth.bundles.into_iter().chain(growth.tiles) {
            write(&store.0.join(tile.to_string()), &bytes)?;
        }
        edge = growth.edge;
        let head = Checkpoint::new(ORIGIN, size as u64, edge.root());
        let mut note = head.sign(&[&log, &quantum], TIME)?;
        note.push(cosignature::cosign(&witness, &head.to_string(), TIME + 1)?);
        write(&store.0.join(format!("checkpoint.{size}")), note.to_string().as_bytes())?;
        write(&store.0.join("checkpoint"), note.to_string().as_bytes())?;
        old = size;
    }

    let note = Note::parse(&fs::read(store.0.join("checkpoint"))?)?;
    let head = Checkpoint::parse(note.text())?;
    let faults = audit::audit(head.size, &head.root, &store);
    if let Some(fault) = faults.first() {
        return Err(fault.to_string().into());
    }
    let hashes = TiledHashes { reader: &store, size: head.size };
    let policy = format!("log {}\nlog {}\nwitness w1 {}\nquorum w1\n", log.key(), quantum.key(), witness.key());
    let leaf = leaves.get(PROVED).ok_or("fewer leaves")?;
    let path = inclusion(PROVED as u64, head.size, &hashes)?;
    let envelope = &records.get(PROVED).ok_or("fewer records")?.envelope;
    let proof = Proof::of(envelope, PROVED as u64, path.clone(), note);
    Proof::parse(proof.to_string().as_bytes())?.verify_record(&Policy::parse(policy.as_bytes())?)?;
    let receipt = cose::receipt(&head, PROVED as u64, &leaf.hash(), &path, &log)?;
    let grown: Vec<String> =
        consistency(SIZES[0] as u64, head.size, &hashes)?.iter().map(|step| STANDARD.encode(step.as_bytes())).collect();
    let envelopes: Vec<String> = records.iter().map(|record| record.envelope.to_json().to_string()).collect();

    let file = |name: &str, content: &[u8]| write(&folder.join(name), content);
    file("records.jsonl", (envelopes.join("\n") + "\n").as_bytes())?;
    file("writer.pub", &writer.public_key())?;
    file("log.vkey", log.key().to_string().as_bytes())?;
    file("log-ml-dsa.vkey", quantum.key().to_string().as_bytes())?;
    file("witness.vkey", witness.key().to_string().as_bytes())?;
    file("policy", policy.as_bytes())?;
    file("leaf", &leaf.to_bytes())?;
    file("record.tlog-proof", proof.to_string().as_bytes())?;
    file("consistency", (grown.join("\n") + "\n").as_bytes())?;
    file("receipt.cose", &receipt)?;
    Ok(())
}

fn keys() -> Fallible<(Writer, Ed25519, Quantum, Ed25519)> {
    let key = |seed: u8| ed25519_dalek::SigningKey::from_bytes(&[seed; 32]);
    let signer = |name: &str, algorithm: Algorithm, seed: u8| {
        VerifierKey::new(name, algorithm, key(seed).verifying_key().as_bytes()).map(|public| Ed25519(public, key(seed)))
    };
    let quantum = ml_dsa::SigningKey::<MlDsa44>::from_seed(&[3; 32].into());
    let public = VerifierKey::new(ORIGIN, Algorithm::MlDsa44, &quantum.verifying_key().encode())?;
    let writer = Writer::new(Box::new(WriterKey(key(1))), TenantId::parse("acme")?);
    let log = signer(ORIGIN, Algorithm::Ed25519, 2)?;
    Ok((writer, log, Quantum(public, quantum), signer(WITNESS, Algorithm::Ed25519Cosignature, 4)?))
}

fn record(writer: &Writer, at: u16) -> Fallible<SignedRecord> {
    let mut body = Object::new();
    body.text("verdict", if at.is_multiple_of(7) { "deny" } else { "allow" });
    let draft = Draft {
        kind: Kind::Decision,
        id: RecordId::parse(&format!("record-{at}"))?,
        time: "2026-11-21T10:00:00.000Z".into(),
        run: None,
        traceparent: None,
        action: None,
        links: Vec::new(),
        body,
        disclosures: vec![("arguments", format!("{{\"amount\":{at}}}"))],
    };
    // Chance is brought by the caller; a fixture brings the same every time.
    let mut nonce = [0; 16];
    nonce[..2].copy_from_slice(&at.to_be_bytes());
    Ok(writer.sign(&writer.ticket(), draft, &Entropy { nonce, salt: nonce }))
}

fn write(path: &Path, content: &[u8]) -> Fallible<()> {
    fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    Ok(fs::write(path, content)?)
}

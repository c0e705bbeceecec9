//! A log that others made, judged by ours: tree, tiles and Ed25519 by aics-tlog, ML-DSA by OpenSSL.
//! `tests/evidence/make_foreign.py` wrote it. Agreement with oneself is no evidence of a format.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::io;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remit_core::ids::Digest;
use remit_evidence::log::audit::{Fault, audit};
use remit_evidence::log::bundle;
use remit_evidence::log::merkle::{consistency, inclusion, leaf_hash, verify_consistency};
use remit_evidence::log::note::Note;
use remit_evidence::log::policy::{Accepted, Policy};
use remit_evidence::log::proof::Proof;
use remit_evidence::log::tile::{self, Tile, TileReader, TiledHashes};

struct Foreign;

impl TileReader for Foreign {
    type Error = io::Error;

    fn tile(&self, tile: Tile) -> io::Result<Vec<u8>> {
        fs::read(path(&tile.to_string()))
    }
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign")).join(name)
}

fn read(name: &str) -> Vec<u8> {
    fs::read(path(name)).expect("it is in the repository")
}

fn policy() -> Policy {
    Policy::parse(&read("policy")).expect("policy")
}

fn open<'p>(policy: &'p Policy, name: &str) -> Accepted<'p> {
    policy.open(&Note::parse(&read(name)).expect("note")).expect("accepted")
}

#[test]
fn a_foreign_checkpoint_is_accepted_with_all_its_signatures() {
    let policy = policy();
    let accepted = open(&policy, "checkpoint");
    let times: Vec<_> = accepted.witnesses.iter().map(|(name, seal)| (name.as_str(), seal.time)).collect();
    assert_eq!((accepted.checkpoint.size, accepted.log.len()), (300, 2));
    assert_eq!(times, [("e", Some(1_795_000_000)), ("q", Some(1_795_000_001))]);
}

#[test]
fn a_foreign_log_has_no_faults_and_no_other_root() {
    let policy = policy();
    let head = open(&policy, "checkpoint").checkpoint;
    assert_eq!(audit(head.size, &head.root, &Foreign), []);
    let old = open(&policy, "checkpoint.200").checkpoint;
    assert_eq!(audit(head.size, &old.root, &Foreign), [Fault::Root]);
}

#[test]
fn we_would_have_written_the_same_files() {
    let entries: Vec<Vec<u8>> = (0..300).map(|at| format!("entry {at}").into_bytes()).collect();
    let entries: Vec<&[u8]> = entries.iter().map(Vec::as_slice).collect();
    let leaves: Vec<Digest> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let ours = [bundle::grow(0, &entries, &Foreign).expect("grown"), tile::grow(0, &leaves, &Foreign).expect("grown")];
    for (tile, bytes) in ours.concat() {
        assert_eq!(bytes, read(&tile.to_string()), "{tile}");
    }
}

#[test]
fn a_foreign_proof_proves_its_entry_and_no_other() {
    let policy = policy();
    let proof = Proof::parse(&read("entry.tlog-proof")).expect("proof");
    assert_eq!(proof.to_string().into_bytes(), read("entry.tlog-proof"));
    let entry = proof.extra.as_deref().expect("entry");
    assert_eq!(entry, b"entry 270");
    assert_eq!(proof.verify(&leaf_hash(entry), &policy).expect("proven").index, 270);
    assert!(proof.verify(&leaf_hash(b"entry 271"), &policy).is_err());
    assert!(proof.verify_record(&policy).is_err(), "it is no record of ours");
    let stored = TiledHashes { reader: Foreign, size: 300 };
    assert_eq!(inclusion(270, 300, &stored).expect("made"), proof.path);
}

#[test]
fn a_foreign_log_grew_from_what_it_was() {
    let policy = policy();
    let (old, new) = (open(&policy, "checkpoint.200").checkpoint, open(&policy, "checkpoint").checkpoint);
    let text = String::from_utf8(read("consistency")).expect("text");
    let hash = |line: &str| Digest::from_bytes(STANDARD.decode(line).expect("base64").try_into().expect("hash"));
    let path: Vec<Digest> = text.lines().map(hash).collect();
    assert_eq!(verify_consistency(old.size, &old.root, new.size, &new.root, &path), Ok(()));
    assert!(verify_consistency(old.size, &new.root, new.size, &new.root, &path).is_err());
    assert_eq!(consistency(200, 300, &TiledHashes { reader: Foreign, size: 300 }).expect("made"), path);
}

#[test]
fn every_changed_byte_of_a_foreign_checkpoint_is_noticed() {
    let (policy, good) = (policy(), read("checkpoint"));
    let head = open(&policy, "checkpoint").checkpoint;
    for at in (0..good.len()).step_by(23) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let Ok(note) = Note::parse(&bad) else { continue };
        // Another name or id makes a key of the log unknown; its other key still vouches, and is seen to be alone.
        let alone = policy.open(&note).map(|accepted| (accepted.checkpoint, accepted.log.len()));
        assert!(alone.is_err() || alone == Ok((head.clone(), 1)), "byte {at}");
    }
}

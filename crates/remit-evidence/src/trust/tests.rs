//! Trust documents, and every way in which one must not follow another.

use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;

use super::*;
use crate::dsse::keyid;
use crate::log::note::NoteSigner as _;
use crate::log::note::tests::ed25519 as log_key;

fn hex(seed: u8) -> String {
    Digest::from_bytes(SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes()).to_string()
}

fn document(version: u64) -> Value {
    json!({
        "v": 1, "version": version, "tenant": "acme",
        "policy": format!("log {}\nquorum none\n", log_key("log", Algorithm::Ed25519, 1).key()),
        "signers": [hex(7)],
        "roots": [{"key": hex(8), "log": "log", "from": 5, "until": 9}],
        "revoked": [{"key": hex(9), "log": "log", "from": 7}],
        "accept": [Kind::Decision.predicate_type()],
        "require": {"log_algorithms": ["ed25519"], "witnesses": 0, "tree_size": 2, "skew_s": 1},
        "approvers": [{"id": "ada", "key": "ssh-ed25519 AAAA"}],
    })
}

fn envelope(document: &Value, seed: u8) -> Vec<u8> {
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let (key, payload) = (SigningKey::from_bytes(&[seed; 32]), document.to_string());
    let signature = key.sign(&signed(payload.as_bytes())).to_bytes();
    let signature = json!({"keyid": keyid(key.verifying_key().as_bytes()), "sig": encode(&signature)});
    let envelope = json!({"payload": encode(payload.as_bytes()), "payloadType": TRUST_TYPE, "signatures": [signature]});
    envelope.to_string().into_bytes()
}

fn parse(document: &Value) -> Result<Trust, TrustError> {
    Trust::parse(document.to_string().as_bytes())
}

#[test]
fn a_document_is_read_whole_or_not_at_all() {
    let good = document(1);
    let trust = parse(&good).expect("trust");
    assert!(!trust.roots[0].covers("log", 4) && trust.roots[0].covers("log", 5) && trust.roots[0].covers("log", 8));
    assert!(!trust.roots[0].covers("log", 9) && !trust.roots[0].covers("other", 5));
    let revoked = SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes();
    assert!(!trust.is_revoked(&revoked, "log", 6) && trust.is_revoked(&revoked, "log", 7));
    for (member, value) in [
        ("v", json!(2)),
        ("version", json!(0)),
        ("version", json!(-1)),
        ("version", json!(1.5)),
        ("tenant", json!("")),
        ("policy", json!("log x\n")),
        ("policy", json!("")),
        ("signers", json!(["00"])),
        ("signers", json!(["00".repeat(32)])),
        ("roots", json!([])),
        ("roots", json!([good["roots"][0], good["roots"][0]])),
        ("roots", json!([{"key": hex(8), "log": "other", "from": 0}])),
        ("roots", json!([{"key": hex(8), "log": "log"}])),
        ("roots", json!([{"key": hex(8), "log": "log", "from": 0, "till": 9}])),
        ("accept", json!(["https://remit.dev/evidence/wish/v1"])),
        ("require", json!({"tree_size": 1})),
        ("require", json!({"log_algorithms": ["rsa"]})),
        ("require", json!({"skew_s": 86_401})),
        ("ended", json!([{"log": "other", "size": 5, "root": "00".repeat(32)}])),
        ("ended", json!([{"log": "log", "size": 0, "root": "00".repeat(32)}])),
        ("ended", json!([{"log": "log", "size": 5, "root": "00"}])),
        (
            "ended",
            json!([{"log": "log", "size": 5, "root": "00".repeat(32)}, {"log": "log", "size": 6, "root": "00".repeat(32)}]),
        ),
        ("revoked_logs", json!([{"key": hex(9), "from": 7}])),
        ("revoked_logs", json!([{"key": log_key("log", Algorithm::Ed25519, 2).key().to_string(), "from": 7}])),
        ("trusted", json!(true)),
    ] {
        let mut bad = good.clone();
        bad[member] = value;
        assert!(parse(&bad).is_err(), "{bad}");
    }
}

#[test]
fn a_document_follows_one_that_knows_its_signer() {
    let held = parse(&document(1)).expect("trust");
    let next = held.succeed(&envelope(&document(3), 7)).expect("follows");
    assert_eq!((next.version, next.fingerprint), (3, Digest::of(document(3).to_string().as_bytes())));
    // Not by a root, not by a stranger, and not under a name that is not the signer's.
    assert_eq!(held.succeed(&envelope(&document(3), 8)).err(), Some(Refused::Unsigned));
    let text = String::from_utf8(envelope(&document(3), 9)).expect("text");
    let id = |seed: u8| keyid(SigningKey::from_bytes(&[seed; 32]).verifying_key().as_bytes());
    assert_eq!(held.succeed(text.replace(&id(9), &id(7)).as_bytes()).err(), Some(Refused::Unsigned));
    let mut other = document(3);
    other["tenant"] = json!("umbrella");
    assert_eq!(held.succeed(&envelope(&other, 7)).err(), Some(Refused::Tenant));
}

#[test]
fn an_older_document_is_a_rollback() {
    let held = parse(&document(3)).expect("trust");
    for version in [1, 2, 3] {
        let refused = held.succeed(&envelope(&document(version), 7)).err();
        assert_eq!(refused, Some(Refused::Rollback(version, 3)));
    }
}

#[test]
fn no_flipped_byte_of_a_signed_document_is_accepted() {
    let held = parse(&document(1)).expect("trust");
    let good = envelope(&document(2), 7);
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[at] ^= 1 << bit;
            assert!(held.succeed(&bad).is_err(), "byte {at}");
        }
    }
}

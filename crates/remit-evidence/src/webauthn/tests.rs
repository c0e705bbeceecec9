//! Answers of passkeys: vectors of another implementation, and each way in which one proves nothing.

use super::*;

// Made by another implementation: OpenSSL 3 through the Python package `cryptography`.
const CLIENT_DATA: &str = r#"{"type":"webauthn.get","challenge":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","origin":"https://remit.acme.example","crossOrigin":false,"other_keys_can_be_added_here":"do not compare clientDataJSON against a template. See https://goo.gl/yabPex"}"#;
const AUTHENTICATOR_DATA: &str = "635a04830cb85498b24d5d81138e5321422d3afa3ac8f7cc19090ef0e4a161210500000007";
const ES256: &str = "es256:BPnr5GQUfMEC2SMk0JnZJ8GlDkLVegihFv_sCimBnYxlcLr30SiIkCpqDB1nrdEDEjyFmrab-OlDHJOEkw1Lfu4";
const ES256_SIGNATURE: &str = "304502200692ee34c3f1073b495a09e194cc0708e619b1578236bb727afafaeed481165e022100cb4c6a2f5b2d77426540052a33ae1c76cdc1a543dc3568f1bb96b63c3c3c29ec";
const ED25519: &str = "ed25519:6kpsY-KcUgq-9VB7Ey7F-ZVHdq6-vnuSQh7qaRRG0iw";
const ED25519_SIGNATURE: &str = "47b6520011f2d6becf375b9c17ff994e6f296674e70693f6c2336ae07aa20b461940a26846c66537e8557d5a299bdec5cee2a0fb2f604d86e9bdd85ba5dc040a";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn origins() -> Vec<String> {
    vec!["https://remit.acme.example".into()]
}

fn challenge() -> Vec<u8> {
    (0..32).collect()
}

/// Judges these bytes under the golden key and expectation.
fn judged(client_data: &str, authenticator_data: &[u8], signature: &[u8]) -> Proof<Seen> {
    let (origins, challenge) = (origins(), challenge());
    let expected =
        Expected { rp_id: "remit.acme.example", origins: &origins, challenge: &challenge, user_verified: true };
    let key = PublicKey::parse(ED25519).expect("key");
    verify(&key, &expected, &Assertion { client_data: client_data.as_bytes(), authenticator_data, signature })
}

/// The golden answer, changed and signed again by the same key: only what is said is wrong.
fn resigned(client_data: &str, authenticator_data: &[u8]) -> Proof<Seen> {
    use ed25519_dalek::Signer as _;
    let mut message = authenticator_data.to_vec();
    message.extend_from_slice(Digest::of(client_data.as_bytes()).as_bytes());
    let signature = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).sign(&message);
    judged(client_data, authenticator_data, &signature.to_bytes())
}

fn refused(client_data: &str, authenticator_data: &[u8]) -> &'static str {
    resigned(client_data, authenticator_data).expect_err("refused").0
}

#[test]
fn answers_made_by_another_implementation_verify() {
    let (origins, challenge) = (origins(), challenge());
    let expected =
        Expected { rp_id: "remit.acme.example", origins: &origins, challenge: &challenge, user_verified: true };
    for (key, signature) in [(ES256, ES256_SIGNATURE), (ED25519, ED25519_SIGNATURE)] {
        let authenticator_data = bytes(AUTHENTICATOR_DATA);
        let signature = bytes(signature);
        let assertion = Assertion {
            client_data: CLIENT_DATA.as_bytes(),
            authenticator_data: &authenticator_data,
            signature: &signature,
        };
        let parsed = PublicKey::parse(key).expect("key");
        assert_eq!(parsed.to_string(), key);
        let seen = verify(&parsed, &expected, &assertion).expect("proven");
        let none = Seen { sign_count: 7, user_verified: true, backup_eligible: false, backed_up: false };
        assert_eq!(seen, none);
        for at in 0..signature.len() {
            let mut other = signature.clone();
            other[at] ^= 1;
            assert!(verify(&parsed, &expected, &Assertion { signature: &other, ..assertion }).is_err(), "byte {at}");
        }
        let longer = [&signature[..], &[0]].concat();
        assert!(verify(&parsed, &expected, &Assertion { signature: &longer, ..assertion }).is_err());
    }
}

#[test]
fn an_answer_counts_for_its_own_challenge_site_and_ceremony_only() {
    let golden = bytes(AUTHENTICATOR_DATA);
    assert!(resigned(CLIENT_DATA, &golden).is_ok());
    let says = |from: &str, to: &str| refused(&CLIENT_DATA.replace(from, to), &golden);
    assert_eq!(says("webauthn.get", "webauthn.create"), "the client data is of another ceremony");
    assert_eq!(says("AAECAw", "AAECBA"), "another challenge was answered");
    // The same bytes, written in another way, are not what a browser writes.
    assert_eq!(says("Hh8\"", "Hh8=\""), "another challenge was answered");
    let site = "the answer was given on another site";
    assert_eq!(says("https://remit", "http://remit"), site);
    assert_eq!(says("acme.example", "acme.example.evil.example"), site);
    assert_eq!(says("acme.example", "acme.example:8443"), site);
    let inside = "the answer was given inside another site";
    assert_eq!(says("\"crossOrigin\":false", "\"crossOrigin\":true"), inside);
    assert_eq!(says("\"crossOrigin\":false", "\"crossOrigin\":\"false\""), inside);
    assert_eq!(says("\"crossOrigin\":false", "\"topOrigin\":\"https://evil.example\""), inside);
    assert_eq!(says("{\"type\"", "{\"type\":\"x\",\"type\""), "the client data is no strict JSON");
    assert!(resigned(&CLIENT_DATA.replace("\"crossOrigin\":false,", ""), &golden).is_ok());
}

#[test]
fn an_authenticator_that_did_not_verify_its_user_proves_nobody() {
    let flags = |flags: u8| {
        let mut data = bytes(AUTHENTICATOR_DATA);
        data[32] = flags;
        data
    };
    assert_eq!(refused(CLIENT_DATA, &flags(0x04)), "nobody was there");
    assert_eq!(refused(CLIENT_DATA, &flags(0x01)), "the user was not verified");
    assert_eq!(refused(CLIENT_DATA, &flags(0x15)), "a credential that may not be copied says it was");
    assert_eq!(refused(CLIENT_DATA, &flags(0x07)), "the authenticator data has flags without meaning");
    assert!(refused(CLIENT_DATA, &flags(0x45)).starts_with("a new credential"));
    assert!(resigned(CLIENT_DATA, &flags(0x1d)).expect("proven").backed_up);
    let mut elsewhere = flags(0x05);
    elsewhere[0] ^= 1;
    assert_eq!(refused(CLIENT_DATA, &elsewhere), "the credential is of another site");
}

#[test]
fn bytes_behind_the_authenticator_data_are_extensions_or_a_fault() {
    let golden = bytes(AUTHENTICATOR_DATA);
    let garbage = "bytes without meaning follow the authenticator data";
    assert_eq!(refused(CLIENT_DATA, &[&golden[..], &[0xa0]].concat()), garbage);
    assert_eq!(refused(CLIENT_DATA, &golden[..36]), "the authenticator data is cut short");
    let mut extended = golden;
    extended[32] |= 0x80;
    assert_eq!(refused(CLIENT_DATA, &extended), garbage);
    assert_eq!(refused(CLIENT_DATA, &[&extended[..], &[0x01]].concat()), garbage);
    assert!(resigned(CLIENT_DATA, &[&extended[..], &[0xa0]].concat()).is_ok());
    assert!(refused(CLIENT_DATA, &[&extended[..], &[0xa0; 8192]].concat()).contains("too large"));
}

#[test]
fn a_key_has_one_text() {
    for text in ["es256:AAAA", "ed25519:AAAA", "rs256:AAAA", "AAAA", ""] {
        assert!(PublicKey::parse(text).is_err(), "{text}");
    }
    // The identity point signs everything.
    let weak = format!("ed25519:{}", URL_SAFE_NO_PAD.encode([1u8].iter().chain(&[0; 31]).copied().collect::<Vec<_>>()));
    assert!(PublicKey::parse(&weak).is_err());
    let point = URL_SAFE_NO_PAD.decode(ES256.split_once(':').expect("text").1).expect("base64");
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    assert!(PublicKey::es256(&compressed).is_err());
}

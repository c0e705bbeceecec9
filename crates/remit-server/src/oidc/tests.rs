//! What a provider may say, without one: each algorithm that is taken, and which addresses are ever asked.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::keys::{Algorithm, Keys};
use super::metadata::{PostedSecret, place, read, usable};
use super::token::{Expected, judge, parts};
use super::{Failure, basic, challenge};

const ISSUER: &str = "https://id.acme.example/realms/acme";
const NOW: i64 = 1_800_000_000;

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

type Signing = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A key of each kind, as the provider shows it, and how it signs by each algorithm.
fn all() -> Vec<(&'static str, Value, Signing)> {
    let random = SystemRandom::new();
    let ed25519 = Ed25519KeyPair::generate().expect("a key");
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
    let point = p256.public_key().as_ref().to_vec();
    let rsa = |size| RsaKeyPair::generate(size).expect("a key");
    let shown = |key: &RsaKeyPair| {
        // RFC 8017, A.1.1: of such a key the modulus begins after nine bytes, and the exponent is the last three.
        let public = key.public_key().as_ref();
        json!({"kty": "RSA", "n": encoded(&public[9..265]), "e": encoded(&public[267..]), "use": "sig"})
    };
    let (one, two) = (rsa(KeySize::Rsa2048), rsa(KeySize::Rsa2048));
    let (first, second) = (shown(&one), shown(&two));
    let by_rsa = move |key: RsaKeyPair, pss: bool| -> Signing {
        Box::new(move |text| {
            let mut signature = vec![0; key.public_modulus_len()];
            let way: &'static dyn aws_lc_rs::signature::RsaEncoding =
                if pss { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
            key.sign(way, &SystemRandom::new(), text, &mut signature).expect("signed");
            signature
        })
    };
    vec![
        ("RS256", first, by_rsa(one, false)),
        ("PS256", second, by_rsa(two, true)),
        (
            "ES256",
            json!({"kty": "EC", "crv": "P-256", "x": encoded(&point[1..33]), "y": encoded(&point[33..])}),
            Box::new(move |text| p256.sign(&random, text).expect("signed").as_ref().to_vec()),
        ),
        (
            "EdDSA",
            json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(ed25519.public_key().as_ref())}),
            Box::new(move |text| ed25519.sign(text).as_ref().to_vec()),
        ),
    ]
}

fn claims() -> Value {
    json!({"iss": ISSUER, "sub": "s", "aud": ["remit"], "azp": "remit", "exp": NOW + 60, "iat": NOW, "nonce": "n"})
}

fn judged(token: &str, keys: &Keys) -> Result<String, Failure> {
    let expected = Expected {
        issuer: ISSUER,
        client_id: "remit",
        nonce: "n",
        since: None,
        now: Timestamp::from_second(NOW).expect("time"),
    };
    let unsure = parts(token)?;
    let key = keys.of(unsure.algorithm, unsure.kid.as_deref())?;
    judge(&unsure, &key, &expected).map(|proven| proven.subject)
}

#[test]
fn each_algorithm_that_is_taken_counts_with_its_own_key_alone() {
    let all = all();
    let token = |alg: &str, sign: &Signing| {
        let signed = format!(
            "{}.{}",
            encoded(json!({"alg": alg}).to_string().as_bytes()),
            encoded(claims().to_string().as_bytes())
        );
        format!("{signed}.{}", encoded(&sign(signed.as_bytes())))
    };
    for (at, (alg, shown, sign)) in all.iter().enumerate() {
        let own = Keys::read(&json!({"keys": [shown]})).expect("keys");
        let good = token(alg, sign);
        assert_eq!(judged(&good, &own), Ok("s".to_owned()), "{alg}");
        for (_, other, _) in all.iter().skip(at + 1).chain(all.iter().take(at)) {
            assert!(judged(&good, &Keys::read(&json!({"keys": [other]})).expect("keys")).is_err(), "{alg}");
        }
        // Said to be of another algorithm: where one key does both, only what was signed counts.
        for (other, ..) in all.iter().filter(|(other, ..)| other != alg) {
            assert!(judged(&token(other, sign), &own).is_err(), "{alg} as {other}");
        }
        let (head, tail) = good.split_at(good.len() - 6);
        assert!(judged(&format!("{head}AAAAAA"), &own).is_err(), "{tail}");
        // A key for something else is no key.
        for (name, value) in [("use", json!("enc")), ("alg", json!("HS256")), ("key_ops", json!(["encrypt"]))] {
            let mut shown = shown.clone();
            shown[name] = value;
            assert_eq!(Keys::read(&json!({"keys": [shown]})).expect("keys").len(), 0, "{alg} {name}");
        }
    }
}

#[test]
fn nobody_guesses_which_key_it_was() {
    let shown = |kid: &str| json!({"kty": "OKP", "crv": "Ed25519", "x": encoded(&[7; 32]), "kid": kid});
    let keys =
        Keys::read(&json!({"keys": [shown("a"), shown("b"), shown("b"), {"kty": "oct", "k": "AA"}]})).expect("keys");
    assert!(keys.of(Algorithm::EdDsa, Some("a")).is_ok());
    for kid in [None, Some("b"), Some("c"), Some("")] {
        assert!(keys.of(Algorithm::EdDsa, kid).is_err(), "{kid:?}");
    }
    assert!(keys.of(Algorithm::Es256, Some("a")).is_err());
    assert!(Keys::read(&json!([])).is_err());
}

#[test]
fn only_addresses_of_the_provider_s_kind_are_asked() {
    for good in ["https://id.acme.example/token", "https://other.example:8443/keys?x=1"] {
        assert!(usable(good, ISSUER).is_ok(), "{good}");
    }
    for bad in [
        "http://id.acme.example/token",
        "https://127.0.0.1/token",
        "https://localhost/token",
        "https://[::1]/token",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.7/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://10.0.0.7./",
        "https://user@id.acme.example/",
        "https://id.acme.example/\" onclick=",
        "https://id.acme.example/#x",
        "javascript:alert(1)",
        "//id.acme.example/",
        "/token",
        "file:///etc/passwd",
        "",
    ] {
        assert!(usable(bad, ISSUER).is_err(), "{bad}");
    }
    // An issuer on this machine stays on it; one at an address may name that address.
    let local = "http://127.0.0.1:9000";
    assert!(usable("http://localhost:9000/token", local).is_ok() && usable("http://10.0.0.7/", local).is_err());
    assert!(usable("http://127.0.0.1:9000/", ISSUER).is_err());
    assert!(usable("https://10.0.0.7/token", "https://10.0.0.7").is_ok());
}

#[test]
fn metadata_are_those_of_the_issuer_letter_for_letter() {
    let said = |issuer: &str| {
        json!({
            "issuer": issuer, "authorization_endpoint": "https://id.acme.example/a",
            "token_endpoint": "https://id.acme.example/t", "jwks_uri": "https://id.acme.example/k",
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"],
        })
    };
    let metadata = read(&said(ISSUER), ISSUER).expect("metadata");
    assert_eq!((metadata.secret, metadata.says_who), (PostedSecret::Form, false));
    for other in [format!("{ISSUER}/"), ISSUER.to_uppercase(), ISSUER.replace("https", "http")] {
        assert!(read(&said(&other), ISSUER).is_err(), "{other}");
    }
    let mut none = said(ISSUER);
    none["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt"]);
    assert!(read(&none, ISSUER).is_err());
    assert_eq!(place(ISSUER), format!("{ISSUER}/.well-known/openid-configuration"));
    assert_eq!(place("https://id.acme.example/"), "https://id.acme.example/.well-known/openid-configuration");
}

#[test]
fn a_code_is_tied_to_whoever_asked_as_the_specification_has_it() {
    // RFC 7636, appendix B.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert_eq!(challenge(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let value = basic("a client", "a:b").expect("a header");
    assert_eq!(value.to_str().ok(), Some("Basic YSUyMGNsaWVudDphJTNBYg=="));
    assert!(value.is_sensitive());
}

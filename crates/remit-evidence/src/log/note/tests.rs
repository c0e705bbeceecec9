//! Notes of the specification, and every way to spoil one.

use ed25519_dalek::{Signer as _, SigningKey};
use ml_dsa::{Keypair as _, MlDsa44};
use proptest::prelude::*;

use super::*;

/// The checkpoint of the specification's example.
pub(crate) const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

enum Private {
    Ed25519(Box<SigningKey>),
    MlDsa44(Box<ml_dsa::SigningKey<MlDsa44>>),
}

pub(crate) struct TestSigner(VerifierKey, Private);

pub(crate) fn ed25519(name: &str, algorithm: Algorithm, seed: u8) -> TestSigner {
    let key = SigningKey::from_bytes(&[seed; 32]);
    let public = VerifierKey::new(name, algorithm, key.verifying_key().as_bytes()).expect("key");
    TestSigner(public, Private::Ed25519(Box::new(key)))
}

pub(crate) fn ml_dsa_44(name: &str, seed: u8) -> TestSigner {
    let key = ml_dsa::SigningKey::<MlDsa44>::from_seed(&[seed; 32].into());
    let public = VerifierKey::new(name, Algorithm::MlDsa44, &key.verifying_key().encode()).expect("key");
    TestSigner(public, Private::MlDsa44(Box::new(key)))
}

impl NoteSigner for TestSigner {
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

const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const EXAMPLE: &str = "This is an example message.\n\n\u{2014} example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

fn open<'k>(note: &str, keys: &[&'k VerifierKey]) -> Result<Vec<Seal<'k>>, NoteError> {
    Note::parse(note.as_bytes())?.seals(keys.iter().copied())
}

#[test]
fn the_note_of_the_specification_verifies_and_no_changed_byte_does() {
    let key = VerifierKey::parse(EXAMPLE_KEY).expect("key");
    assert_eq!(open(EXAMPLE, &[&key]).expect("valid").len(), 1);
    assert_eq!(Note::parse(EXAMPLE.as_bytes()).expect("note").to_string(), EXAMPLE);
    for at in 0..EXAMPLE.len() {
        for bit in 0..8 {
            let mut bad = EXAMPLE.as_bytes().to_vec();
            bad[at] ^= 1 << bit;
            assert!(Note::parse(&bad).and_then(|note| note.seals([&key]).map(|_| ())).is_err(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn the_text_ends_at_the_last_empty_line() {
    let log = ed25519("log", Algorithm::Ed25519, 1);
    let inner = Note::sign("inner\n", &[&ed25519("other", Algorithm::Ed25519, 2)], 0).expect("signed").to_string();
    let text = format!("{inner}\nand more\n\n\nend\n");
    let note = Note::sign(&text, &[&log], 0).expect("signed").to_string();
    let read = Note::parse(note.as_bytes()).expect("note");
    assert_eq!(read.text(), text);
    assert_eq!(open(&note, &[log.key()]).expect("valid").len(), 1);
    assert_eq!(open(&note, &[ed25519("other", Algorithm::Ed25519, 2).key()]), Err(NoteError::Unsigned));
}

#[test]
fn one_false_line_of_a_known_key_spoils_the_note() {
    let (log, witness) = (ed25519("log", Algorithm::Ed25519, 1), ed25519("w", Algorithm::Ed25519Cosignature, 2));
    let mut note = Note::sign(TEXT, &[&log, &witness], 9).expect("signed");
    let good = note.to_string();
    assert_eq!(open(&good, &[log.key(), witness.key()]).expect("valid").len(), 2);
    let mut line = note.signatures[1].clone();
    line.bytes[20] ^= 1;
    note.push(line);
    let bad = note.to_string();
    assert_eq!(open(&bad, &[log.key(), witness.key()]), Err(NoteError::Signature("w".into())));
    // Whoever does not know the witness is not disturbed by it.
    assert_eq!(open(&bad, &[log.key()]).expect("valid").len(), 1);
}

#[test]
fn names_and_ids_must_both_match_exactly() {
    let log = ed25519("log", Algorithm::Ed25519, 1);
    let note = Note::sign(TEXT, &[&log], 0).expect("signed").to_string();
    for name in ["log2", "lo", "LOG", "log/"] {
        assert_eq!(open(&note, &[ed25519(name, Algorithm::Ed25519, 1).key()]), Err(NoteError::Unsigned), "{name}");
        assert!(open(&note.replace("\u{2014} log ", &format!("\u{2014} {name} ")), &[log.key()]).is_err());
    }
    // The same key as a witness has another id, and its signature means something else.
    assert_eq!(open(&note, &[ed25519("log", Algorithm::Ed25519Cosignature, 1).key()]), Err(NoteError::Unsigned));
}

#[test]
fn malformed_notes_are_refused() {
    let good = Note::sign("text\n", &[&ed25519("log", Algorithm::Ed25519, 1)], 0).expect("signed").to_string();
    let line = good.lines().last().expect("line").to_owned();
    for bad in [
        String::new(),
        "text\n".into(),
        "text\n\n".into(),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{good}x\n"),
        good.replace("\u{2014} ", "- "),
        good.replace("text", "te\rxt"),
        good.replace("text", "te\txt"),
        good.replace("text", "te\0xt"),
        good.replace(" log ", " log  "),
        good.replace(" log ", "  "),
        good.replace(" log ", " l+g "),
        format!("{good}\u{2014} x AAAA\n"),
        format!("{good}\u{2014} x AAAAAA\n"),
        format!("text\n\n{}", format!("{line}\n").repeat(SIGNATURES_MAX + 1)),
        format!("{}\n\n{line}\n", "x".repeat(NOTE_BYTES_MAX)),
    ] {
        assert!(matches!(Note::parse(bad.as_bytes()), Err(NoteError::Malformed(_))), "{bad:?}");
    }
    assert!(Note::parse(b"te\xffxt\n\n").is_err());
    assert!(Note::sign("no newline", &[], 0).is_err());
    assert!(Note::sign("control\x07\n", &[], 0).is_err());
}

#[test]
fn a_signer_that_errs_signs_nothing() {
    struct Broken(TestSigner);
    impl NoteSigner for Broken {
        fn key(&self) -> &VerifierKey {
            self.0.key()
        }
        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
            let mut bytes = self.0.sign(message)?;
            bytes[5] ^= 1;
            Ok(bytes)
        }
    }
    for signer in [ed25519("log", Algorithm::Ed25519, 1), ml_dsa_44("log", 1)] {
        assert_eq!(Note::sign(TEXT, &[&Broken(signer)], 0), Err(SignError::Faulty("log".into())));
    }
}

proptest! {
    #[test]
    fn any_text_is_one_note_or_none(text in "[ab \n\u{2014}]{0,20}\n\n(\u{2014} [ab+]{0,2} [AQ=]{0,12}\n){0,3}") {
        if let Ok(note) = Note::parse(text.as_bytes()) {
            prop_assert_eq!(note.to_string(), text);
        }
    }
}

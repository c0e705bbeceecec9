//! Policies that hold, and every mistake with the line it is in.

use proptest::prelude::*;

use super::*;
use crate::log::merkle::leaf_hash;
use crate::log::note::NoteSigner;
use crate::log::note::tests::{TestSigner, ed25519, ml_dsa_44};

const ORIGIN: &str = "example.com/log";

fn log() -> TestSigner {
    ed25519(ORIGIN, Algorithm::Ed25519, 1)
}

fn witness(seed: u8) -> TestSigner {
    ed25519(&format!("w.example/{seed}"), Algorithm::Ed25519Cosignature, seed)
}

/// Replaces `<LOG>` and `<W2>` up to `<W9>` by keys.
fn written(text: &str) -> String {
    let text = text.replace("<LOG>", &log().key().to_string());
    (2..10).fold(text, |text, seed| text.replace(&format!("<W{seed}>"), &witness(seed).key().to_string()))
}

fn policy(text: &str) -> Result<Policy, PolicyError> {
    Policy::parse(written(text).as_bytes())
}

fn met(policy: &Policy, seeds: &[u8]) -> bool {
    let signers: Vec<TestSigner> = seeds.iter().map(|seed| witness(*seed)).collect();
    policy.is_met(signers.iter().map(NoteSigner::key))
}

const TWO_LEVELS: &str = "log <LOG> https://log.example\n\n# the X\nwitness X1 <W2>\nwitness X2 <W3> https://w\n\twitness  X3\t<W4> \n\
    group X 2 X1 X2 X3\nwitness Y1 <W5>\nwitness Y2 <W6>\n  # the Y\ngroup Y any Y1 Y2\ngroup both all X Y\nquorum both\n";

#[test]
fn two_levels_of_groups_are_counted() {
    let policy = policy(TWO_LEVELS).expect("policy");
    for (seeds, expected) in [
        (&[2, 3, 5][..], true),
        (&[2, 4, 6], true),
        (&[2, 3, 4, 5, 6], true),
        (&[2, 3, 4], false),
        (&[5, 6], false),
        (&[2, 5], false),
        (&[2, 2, 2, 5, 5], false),
        (&[7, 8, 9], false),
        (&[], false),
    ] {
        assert_eq!(met(&policy, seeds), expected, "{seeds:?}");
    }
}

#[test]
fn a_quorum_may_be_one_witness_or_none() {
    assert!(met(&policy("log <LOG>\nquorum none\n").expect("policy"), &[]));
    let one = policy("witness a <W2>\nwitness b <W3>\nquorum a\n").expect("policy");
    assert!(met(&one, &[2]) && !met(&one, &[3]) && !met(&one, &[]));
}

#[test]
fn every_mistake_has_its_line() {
    use LineError as E;
    let name = |name: &str| name.to_owned();
    for (text, line, error) in [
        ("quorum none", 1, E::Unended),
        ("log <LOG>\nquorum none\r\n", 2, E::Control),
        ("\x7f\n", 1, E::Control),
        ("Log <LOG>\n", 1, E::Unknown("Log".into())),
        ("log\n", 1, E::Shape("log <vkey> [<url>]")),
        ("log <LOG> a b\n", 1, E::Shape("log <vkey> [<url>]")),
        ("witness a\n", 1, E::Shape("witness <name> <vkey> [<url>]")),
        ("quorum\n", 1, E::Shape("quorum <name>|none")),
        ("quorum none none\n", 1, E::Shape("quorum <name>|none")),
        ("log nokey\n", 1, E::Key(NoKey::Shape)),
        ("log \u{fc}+\u{fc}\n", 1, E::Key(NoKey::Shape)),
        ("log <W2>\n", 1, E::Kind),
        ("witness a <LOG>\n", 1, E::Kind),
        ("log <LOG>\n\nlog <LOG>\n", 3, E::DuplicateKey),
        ("witness a <W2>\nwitness b <W2>\n", 2, E::DuplicateKey),
        ("witness a <W2>\nwitness a <W3>\n", 2, E::Taken(name("a"))),
        ("witness none <W2>\n", 1, E::Taken(name("none"))),
        ("witness a <W2>\ngroup a any a\n", 2, E::Taken(name("a"))),
        ("witness a <W2>\ngroup g any none\n", 2, E::Undefined(name("none"))),
        ("group g any g\n", 1, E::Undefined(name("g"))),
        ("quorum a\nwitness a <W2>\n", 1, E::Undefined(name("a"))),
        ("witness a <W2>\ngroup g 1 a a\n", 2, E::Again(name("a"))),
        ("witness a <W2>\ngroup g any a\ngroup h any a\n", 3, E::Again(name("a"))),
        ("group g any\n", 1, E::Threshold),
        ("group g all\n", 1, E::Threshold),
        ("witness a <W2>\ngroup g 0 a\n", 2, E::Threshold),
        ("witness a <W2>\ngroup g 2 a\n", 2, E::Threshold),
        ("witness a <W2>\ngroup g 01 a\n", 2, E::Threshold),
        ("witness a <W2>\ngroup g +1 a\n", 2, E::Threshold),
        ("witness a <W2>\ngroup g ANY a\n", 2, E::Threshold),
        ("quorum none\nquorum none\n", 2, E::SecondQuorum),
    ] {
        assert_eq!(policy(text).expect_err(text), PolicyError::Line(line, error), "{text:?}");
    }
    assert_eq!(policy("log <LOG>\n").expect_err("no quorum"), PolicyError::NoQuorum);
    assert_eq!(policy("").expect_err("empty"), PolicyError::NoQuorum);
}

#[test]
fn one_key_under_two_names_is_one_witness() {
    // Neither another key name nor a log's role makes a second vote of one key.
    let again = ed25519("w.example/again", Algorithm::Ed25519Cosignature, 2);
    let text = format!("witness a <W2>\nwitness b {}\ngroup g all a b\nquorum g\n", again.key());
    assert_eq!(policy(&text).expect_err("twice"), PolicyError::Line(2, LineError::DuplicateKey));
    let own = ed25519("w.example/own", Algorithm::Ed25519Cosignature, 1);
    let text = format!("log <LOG>\nwitness a {}\nquorum a\n", own.key());
    assert_eq!(policy(&text).expect_err("its own witness"), PolicyError::Line(2, LineError::DuplicateKey));
    let quantum = ml_dsa_44(ORIGIN, 1);
    let text = format!("log {0}\nwitness a {0}\nquorum a\n", quantum.key());
    assert_eq!(policy(&text).expect_err("its own witness"), PolicyError::Line(2, LineError::DuplicateKey));
}

#[test]
fn a_checkpoint_needs_its_log_and_its_quorum() {
    let quantum = ml_dsa_44(ORIGIN, 1);
    let text = format!(
        "log <LOG>\nlog {}\nwitness a <W2>\nwitness b <W3>\nwitness c <W4>\ngroup g 2 a b c\nquorum g\n",
        quantum.key()
    );
    let policy = policy(&text).expect("policy");
    let text = Checkpoint::new(ORIGIN, 3, leaf_hash(b"")).to_string();
    let sign = |signers: &[&dyn NoteSigner]| {
        let note = Note::sign(&text, signers, 70).expect("signed").to_string();
        Note::parse(note.as_bytes()).expect("note")
    };
    let (log, two, three, stranger) = (log(), witness(2), witness(3), witness(8));
    let note = sign(&[&log, &quantum, &two, &stranger, &three]);
    let accepted = policy.open(&note).expect("accepted");
    let names: Vec<&str> = accepted.witnesses.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((accepted.checkpoint.size, accepted.log.len(), names), (3, 2, vec!["a", "b"]));
    let rejected = |signers: &[&dyn NoteSigner]| policy.open(&sign(signers)).expect_err("rejected");
    assert_eq!(rejected(&[&log, &two, &two, &two, &stranger]), Rejected::Quorum(vec!["a".into(); 3]));
    assert_eq!(rejected(&[&two, &three]), Rejected::Checkpoint(CheckpointError::Foreign(ORIGIN.into())));
    // A witness signs cosignatures: its plain signature over the text is nobody's.
    let plain = ed25519("w.example/3", Algorithm::Ed25519, 3);
    assert_eq!(rejected(&[&log, &two, &plain]), Rejected::Quorum(vec!["a".into()]));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Policy::parse(&bytes);
    }

    #[test]
    fn a_group_is_met_by_its_number_of_members(k in 1_usize..6, seeds in prop::collection::vec(2_u8..10, 0..12)) {
        let text = format!("witness a <W2>\nwitness b <W3>\nwitness c <W4>\nwitness d <W5>\nwitness e <W6>\ngroup g {k} a b c d e\nquorum g\n");
        let distinct = (2..=6).filter(|seed| seeds.contains(seed)).count();
        prop_assert_eq!(met(&policy(&text).expect("policy"), &seeds), distinct >= k);
    }
}

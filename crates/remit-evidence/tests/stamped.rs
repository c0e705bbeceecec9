//! What counts as a stamp of time, and what somebody would try instead. The tokens in `stamps/` were made by OpenSSL.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use proptest::prelude::*;
use remit_evidence::stamp::{NotStamped, Stamp, answered, nameable, query, verify, whole};
use timestamper::{DATA, EDWARDS, ISSUER, LAX, OTHER, PAST, STRAY, Stamping, TSA, WIDE, der, named};

#[path = "scene/timestamper.rs"]
mod timestamper;

const STAMPED: &[u8] = include_bytes!("stamps/stamped.txt");
const ROOT: &[u8] = include_bytes!("stamps/root1.der");
const TOKENS: [(&str, &[u8]); 5] = [
    ("RSA with 2048 bits, PKCS #1 v1.5, SHA-256", include_bytes!("stamps/rsa1.token")),
    ("RSA with 4096 bits, PKCS #1 v1.5, SHA-512", include_bytes!("stamps/big1.token")),
    ("RSA with 3072 bits, PSS, SHA-256", include_bytes!("stamps/pss1.token")),
    ("P-256", include_bytes!("stamps/p256.token")),
    ("P-384", include_bytes!("stamps/p384.token")),
];
const BYTES: &[u8] = b"a checkpoint";
const AT: &str = "20261121100300Z";

/// What a timestamper answers with this token.
fn answer(status: u8, token: &[u8]) -> Vec<u8> {
    der(0x30, &[&der(0x30, &[&der(0x02, &[&[status]])]), token])
}

fn judged(stamping: &Stamping<'_>) -> Result<Stamp, NotStamped> {
    verify(&stamping.token(), BYTES, &[named(ISSUER)])
}

#[test]
fn tokens_that_openssl_made_are_verified_through_the_certificates_between() {
    for (name, token) in TOKENS {
        let stamp = verify(token, STAMPED, &[named(OTHER), named(ROOT)]).expect(name);
        assert_eq!((&stamp.by[..], stamp.at > 1_795_000_000_000), ("stamps.example", true), "{name}");
        assert_eq!(verify(token, STAMPED, &[named(OTHER)]), Err(NotStamped::Unknown), "{name}");
        assert_eq!(verify(token, STAMPED, &[]), Err(NotStamped::Unknown), "{name}");
        assert_eq!(verify(token, b"other bytes", &[named(ROOT)]), Err(NotStamped::Foreign), "{name}");
    }
}

#[test]
fn an_answer_that_openssl_made_holds_its_token() {
    assert_eq!(answered(include_bytes!("stamps/rsa1.reply")), Ok(TOKENS[0].1));
}

#[test]
fn a_stamp_says_the_latest_time_it_allows_and_repeats_the_nonce() {
    let stamp = judged(&Stamping::of(BYTES, AT)).expect("stamp");
    let nonce = Some(vec![0x40, 1, 2, 3, 4, 5, 6, 7]);
    // 1.5 s is how much this timestamper says it may be wrong.
    assert_eq!(stamp, Stamp { by: "stamps.example".into(), at: 1_795_255_381_500, nonce });
    for (text, more) in [("20261121100300.25Z", 250), ("20261121100300.2500001Z", 251)] {
        assert_eq!(judged(&Stamping::of(BYTES, text)).expect("stamp").at, stamp.at + more);
    }
    for text in [
        "20260229100300Z",
        "20261121100300",
        "20261121100300+0100",
        "20261121100360Z",
        "261121100300Z",
        "20261121100300.Z",
        "",
    ] {
        assert!(judged(&Stamping::of(BYTES, text)).is_err(), "{text}");
    }
}

#[test]
fn a_timestamper_may_be_named_by_its_own_certificate_or_by_its_issuer() {
    let stamping = Stamping::of(BYTES, AT);
    assert!(verify(&stamping.token(), BYTES, &[named(TSA)]).is_ok());
    assert!(judged(&stamping).is_ok());
    // A certificate that is named need not be enclosed.
    let bare = Stamping { enclosed: Vec::new(), ..stamping };
    assert!(verify(&bare.token(), BYTES, &[named(TSA)]).is_ok());
    assert_eq!(judged(&bare), Err(NotStamped::Unknown));
    assert!(judged(&Stamping::of(BYTES, AT).by(EDWARDS)).is_ok());
}

#[test]
fn nobody_is_believed_for_standing_in_the_token() {
    let forged = Stamping { enclosed: vec![STRAY, OTHER, ISSUER], ..Stamping::of(BYTES, AT).by(STRAY) };
    assert_eq!(judged(&forged), Err(NotStamped::Unknown));
    assert!(verify(&forged.token(), BYTES, &[named(OTHER)]).is_ok());
}

#[test]
fn a_certificate_must_be_for_stamping_and_for_nothing_else_and_say_so_critically() {
    for certificate in [LAX, WIDE] {
        assert_eq!(judged(&Stamping::of(BYTES, AT).by(certificate)), Err(NotStamped::Purpose));
        let pinned = verify(&Stamping::of(BYTES, AT).by(certificate).token(), BYTES, &[named(certificate)]);
        assert_eq!(pinned, Err(NotStamped::Purpose));
    }
}

#[test]
fn a_certificate_counts_at_the_times_it_is_valid() {
    for (at, expected) in
        [("20200601000000Z", true), ("20191231235950Z", false), ("20210101000001Z", false), (AT, false)]
    {
        let stamping = Stamping::of(BYTES, at).by(PAST);
        assert_eq!(judged(&stamping).is_ok(), expected, "{at}");
        assert_eq!(verify(&stamping.token(), BYTES, &[named(PAST)]).is_ok(), expected, "{at}");
    }
}

#[test]
fn a_signature_that_covers_something_else_is_none() {
    let good = || Stamping::of(BYTES, AT);
    for (what, bad) in [
        ("another statement", Stamping { about_it: false, ..good() }),
        ("another type", Stamping { content_type: DATA, ..good() }),
        ("no certificate", Stamping { names_certificate: false, ..good() }),
        ("another key", Stamping { seed: 0x41, ..good() }),
    ] {
        assert!(matches!(judged(&bad), Err(NotStamped::Unsigned(_))), "{what}");
    }
    let swapped = Stamping { says: LAX, enclosed: vec![TSA], ..good() };
    assert_eq!(judged(&swapped), Err(NotStamped::Unknown), "the certificate that is signed for is not there");
    let swapped = Stamping { says: STRAY, enclosed: vec![STRAY, OTHER], ..good() };
    assert_eq!(judged(&swapped), Err(NotStamped::Unknown), "the same key under another issuer");
}

#[test]
fn a_token_that_depends_on_what_is_not_known_is_refused() {
    let extension = |critical: &[u8]| {
        let one = der(0x30, &[&der(0x06, &[&[0x2a, 3]]), critical, &der(0x04, &[b"x"])]);
        Stamping { more: der(0xa1, &[&one]), ..Stamping::of(BYTES, AT) }
    };
    assert!(judged(&extension(&[])).is_ok());
    assert!(judged(&extension(&[1, 1, 0xff])).is_err());
}

#[test]
fn the_query_asks_for_these_bytes_with_certificates_and_a_nonce() {
    let sent = query(BYTES, [0xff; 8]);
    let imprint = Stamping::of(BYTES, AT).imprint;
    assert!(sent.windows(32).any(|part| part == imprint));
    assert_eq!((whole([0xff; 8])[0], whole([0; 8])[0]), (0x7f, 0x40));
    assert!(sent.ends_with(&[2, 8, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 0xff]));
}

#[test]
fn an_answer_that_says_no_is_no_token() {
    let token = Stamping::of(BYTES, AT).token();
    assert_eq!(answered(&answer(0, &token)), Ok(&token[..]));
    assert_eq!(answered(&answer(1, &token)), Ok(&token[..]));
    assert_eq!(answered(&answer(2, &[])), Err(NotStamped::Refused(2)));
    assert_eq!(answered(&answer(2, &token)), Err(NotStamped::Refused(2)));
    for garbage in [&b""[..], b"<html>", &answer(0, &[]), &answer(0, &[&token[..], &token].concat()), &[0x30; 60_000]] {
        assert!(answered(garbage).is_err());
    }
}

/// A token has bytes that no signature covers: certificates nobody needs, numbers of versions. Changed, they make it
/// worthless or change nothing; never another time, and never another name.
#[test]
fn every_byte_of_a_token_flipped_says_the_same_or_nothing() {
    let own = Stamping::of(BYTES, AT).token();
    let tokens = [(&own[..], BYTES, ISSUER), (TOKENS[0].1, STAMPED, ROOT)];
    for (token, bytes, issuer) in tokens {
        let timestampers = [named(issuer)];
        let good = verify(token, bytes, &timestampers).expect("good");
        let mut unnoticed = 0;
        for at in 0..token.len() {
            let mut bad = token.to_vec();
            bad[at] ^= 1 << (at % 8);
            if let Ok(stamp) = verify(&bad, bytes, &timestampers) {
                assert_eq!(stamp, good, "byte {at}");
                unnoticed += 1;
            }
        }
        assert!(unnoticed < 80, "{unnoticed} of {} bytes", token.len());
        for end in 0..token.len() {
            assert!(verify(&token[..end], bytes, &timestampers).is_err(), "cut at {end}");
        }
    }
}

#[test]
fn what_is_named_is_a_certificate() {
    assert!([ISSUER, OTHER, TSA, ROOT].iter().all(|certificate| nameable(certificate).is_ok()));
    assert!(
        [&b""[..], b"-----BEGIN CERTIFICATE-----", &ISSUER[1..], TOKENS[0].1].iter().all(|bad| nameable(bad).is_err())
    );
}

proptest! {
    #[test]
    fn any_bytes_are_judged_without_panic(at in 0_usize..2000, cut in 0_usize..40, with in proptest::collection::vec(any::<u8>(), 0..12)) {
        let token = Stamping::of(BYTES, AT).token();
        let at = at % token.len();
        let behind = token.get(at + cut..).unwrap_or_default();
        let bad = [&token[..at], &with, behind].concat();
        if let Ok(stamp) = verify(&bad, BYTES, &[named(ISSUER)]) {
            prop_assert_eq!(stamp.at, 1_795_255_381_500);
        }
        let _ = answered(&bad);
        let _ = nameable(&bad);
    }
}

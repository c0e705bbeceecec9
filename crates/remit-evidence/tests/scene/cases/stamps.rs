//! Bundles with stamps of time, and what somebody would try instead.

use remit_evidence::bundle::Timestamp;

use super::super::timestamper::{DATA, EDWARDS, ISSUER, LAX, OTHER, PAST, STRAY, Stamping, TSA, WIDE, named};
use super::*;

/// Three minutes after the witnesses.
const AT: &str = "20261121100400Z";

fn stamped(checkpoint: &Note, rfc3161: Vec<u8>) -> Timestamp {
    Timestamp { checkpoint: checkpoint.clone(), rfc3161 }
}

fn token(checkpoint: &Note, at: &str) -> Vec<u8> {
    Stamping::of(checkpoint.to_string().as_bytes(), at).token()
}

/// Whom the auditor trusts to state times, and whether they insist.
fn naming(certificates: &[&[u8]], anchored: bool) -> impl FnOnce(&mut Value) {
    let timestampers = certificates.iter().enumerate().map(|(at, certificate)| {
        let name = if at == 0 { named(certificate).name } else { format!("{at}.example") };
        json!({"name": name, "certificate": encode(certificate)})
    });
    let timestampers = timestampers.collect::<Vec<_>>();
    move |trust| {
        trust["timestampers"] = timestampers.into();
        trust["require"]["anchored"] = anchored.into();
    }
}

/// A short bundle with one token over its own checkpoint.
fn with(log: &Log, make: impl FnOnce(Stamping<'_>) -> Vec<u8>) -> Value {
    let note = log.note(log.size());
    let bytes = note.to_string();
    let token = make(Stamping::of(bytes.as_bytes(), AT));
    Bundle { timestamps: vec![stamped(&note, token)], ..log.bundle(&SHORT) }.to_json()
}

pub fn all() -> Vec<Case> {
    use Verdict::{Diverged, Indeterminate, Invalid, Valid};
    let log = Log::of(history());
    let (size, short) = (log.size(), log.bundle(&SHORT));
    let note = log.note(size);
    let good = with(&log, |stamping| stamping.token());
    // The tree was stamped when it was smaller, and only the first records stood in it.
    let early = |growth: &[usize]| {
        let note = log.note(READ + 1);
        let consistency = growth.iter().map(|old| log.growth(*old, size)).collect();
        let timestamps = vec![stamped(&note, token(&note, AT))];
        Bundle { timestamps, consistency, ..short.clone() }.to_json()
    };
    let other = forged(1, |_| {
        record(&pen(), 1, Kind::Policy, Vec::new(), |body| {
            body.text("snapshot", &snapshot()).text("by", "mallory").number("remits", 2).number("tools", 3);
        })
    });
    let elsewhere = |checkpoint: Note, over: &Note| {
        let timestamps = vec![stamped(&checkpoint, token(over, AT))];
        Bundle { timestamps, ..short.clone() }.to_json()
    };
    let mut unsigned = Log::of(history());
    unsigned.keys = vec![Key::ed25519(ORIGIN, Algorithm::Ed25519, 66)];
    let unsigned = unsigned.note(size);
    let by_issuer = || naming(&[ISSUER], true);
    let by = |certificate: &'static [u8]| with(&log, |stamping| stamping.by(certificate).token());
    let at = |at: &'static str| with(&log, |stamping| Stamping { at, ..stamping }.token());
    vec![
        case("stamped", &good, Valid, None).under(by_issuer()),
        case("stamped_by_the_one_named", &good, Valid, None).under(naming(&[OTHER, TSA], true)),
        case("stamped_with_ed25519", &by(EDWARDS), Valid, None).under(by_issuer()),
        case("stamped_when_it_was_smaller", &early(&[READ + 1]), Valid, None).under(naming(&[ISSUER], false)),
        case("stamped_too_early_for_one", &early(&[READ + 1]), Indeterminate, Step::Anchor).under(by_issuer()),
        case("stamped_without_growth", &early(&[]), Indeterminate, Step::Consistency).under(naming(&[ISSUER], false)),
        case("stamp_of_nobody_named", &good, Valid, None),
        case("stamp_of_nobody_named_required", &good, Indeterminate, Step::Anchor).under(naming(&[OTHER], true)),
        case("stamp_missing", &short.to_json(), Indeterminate, Step::Anchor).under(by_issuer()),
        case("stamp_of_the_forger", &by(STRAY), Indeterminate, Step::Anchor).under(by_issuer()),
        case("stamp_by_an_expired_certificate", &by(PAST), Indeterminate, Step::Anchor).under(by_issuer()),
        case("stamp_by_a_lax_certificate", &by(LAX), Invalid, Step::Anchor).under(by_issuer()),
        case("stamp_by_a_wide_certificate", &by(WIDE), Invalid, Step::Anchor).under(by_issuer()),
        case("stamp_over_other_bytes", &elsewhere(note.clone(), &log.note(8)), Invalid, Step::Anchor)
            .under(by_issuer()),
        case(
            "stamp_over_the_text_alone",
            &with(&log, |stamping| {
                let text = log.head(size).to_string();
                Stamping { imprint: *Digest::of(text.as_bytes()).as_bytes(), ..stamping }.token()
            }),
            Invalid,
            Step::Anchor,
        )
        .under(by_issuer()),
        case(
            "stamp_that_covers_something_else",
            &with(&log, |stamping| Stamping { content_type: DATA, ..stamping }.token()),
            Invalid,
            Step::Anchor,
        )
        .under(by_issuer()),
        case(
            "stamp_with_a_changed_signature",
            &with(&log, |stamping| {
                let mut token = stamping.token();
                let last = token.len() - 1;
                token[last] ^= 1;
                token
            }),
            Invalid,
            Step::Anchor,
        )
        .under(by_issuer()),
        case("stamp_that_is_none", &with(&log, |_| b"garbage".to_vec()), Invalid, Step::Anchor).under(by_issuer()),
        case("stamp_of_another_tree", &elsewhere(other.note(size), &other.note(size)), Diverged, Step::Consistency)
            .under(by_issuer()),
        case("stamp_of_a_log_nobody_knows", &elsewhere(unsigned.clone(), &unsigned), Indeterminate, Step::Anchor)
            .under(by_issuer()),
        // The records were written after the time that is stamped.
        case("stamped_before_it_was_written", &at("20261121095800Z"), Invalid, Step::Time).under(by_issuer()),
    ]
}

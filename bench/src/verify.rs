//! What a verdict costs: the frozen bundle of the tests, whole and claim by claim.

use std::hint::black_box;
use std::time::{Duration, Instant};

use remit_evidence::bundle::Bundle;
use remit_evidence::judge::judge;
use remit_evidence::trust::Trust;

const BUNDLE: &[u8] = include_bytes!("../../crates/remit-evidence/tests/vectors/chain.evidence.json");
const TRUST: &[u8] = include_bytes!("../../crates/remit-evidence/tests/vectors/trust.json");
/// How long each figure is taken.
const TURN: Duration = Duration::from_secs(2);

/// Prints the figures.
pub fn run() {
    let Ok(trust) = Trust::parse(TRUST) else { return eprintln!("the trust document of the tests is gone") };
    let Ok(bundle) = Bundle::parse(BUNDLE) else { return eprintln!("the bundle of the tests is gone") };
    let (began, mut count) = (Instant::now(), 0u32);
    let mut verdict = None;
    while began.elapsed() < TURN {
        verdict = Some(black_box(judge(black_box(BUNDLE), &trust, &[])).verdict);
        count += 1;
    }
    let each = began.elapsed().as_secs_f64() * 1e3 / f64::from(count);
    println!(
        "{} claims, {:?}: {each:.2} ms a bundle, {:.2} ms a claim",
        bundle.claims.len(),
        verdict,
        each / bundle.claims.len() as f64
    );
}

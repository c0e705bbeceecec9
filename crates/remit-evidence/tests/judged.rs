//! What a bundle must be refused for. Each test is one sentence; each was a mistake of somebody's.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use remit_evidence::bundle::{Bundle, Head};
use remit_evidence::judge::{Level, Outcome, Report, Step, Verdict, judge};
use remit_evidence::trust::Trust;
use scene::cases::{Case, all};

mod scene;

fn judged(case: &Case) -> Report {
    judge(&case.bundle, &Trust::parse(&case.trust).expect("trust"), &case.memory)
}

/// The case of this name gets its verdict, and by the check that is meant.
fn check(name: &str) {
    let cases = all();
    let case = cases.iter().find(|case| case.name == name).expect("case");
    let report = judged(case);
    assert_eq!(report.verdict, case.expect, "{name}: {:#?}", report.checks);
    let by = |step| report.checks.iter().any(|check| check.step == step && check.outcome != Outcome::Holds);
    assert!(case.by.is_none_or(by), "{name}: {:#?}", report.checks);
}

#[test]
fn every_case_gets_its_verdict() {
    for case in all() {
        let report = judged(&case);
        assert_eq!(report.verdict, case.expect, "{}: {:#?}", case.name, report.checks);
        let by = |step| report.checks.iter().any(|check| check.step == step && check.outcome != Outcome::Holds);
        assert!(case.by.is_none_or(by), "{}: {:#?}", case.name, report.checks);
    }
}

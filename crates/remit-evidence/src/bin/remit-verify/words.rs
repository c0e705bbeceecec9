//! A report in plain words. What a bundle brings may hold anything, so nothing of it reaches a
//! terminal as a control character.

use std::fmt::Write as _;

use remit_evidence::judge::{Outcome, Report};
use remit_evidence::trust::Trust;

pub(crate) fn of(report: &Report, trust: &Trust) -> String {
    let mut out = String::new();
    for check in &report.checks {
        let claim = check.claim.map_or_else(|| "bundle".to_owned(), |claim| format!("claim {claim}"));
        let (step, outcome) = (check.step.as_str(), mark(check.outcome));
        let _ = writeln!(out, "{outcome:<8} {step:<11} {claim:<9} {}", shown(&check.detail));
    }
    let _ = writeln!(out);
    for (at, claim) in report.claims.iter().enumerate() {
        let (id, kind) = claim.record.as_ref().map_or(("?", "unread"), |(id, kind)| (id, *kind));
        let place = claim.place.as_ref().map(|(log, index)| format!(", leaf {index} of {log}")).unwrap_or_default();
        let seen = claim.existed_by_text().map(|time| format!(", cosigned at {time}")).unwrap_or_default();
        let anchor = claim.anchor.as_ref();
        let stamped = anchor.map(|anchor| format!(", stamped by {} at {}", anchor.by, anchor.at_text()));
        let line =
            format!("claim {at}: {kind} {id}: {}{place}{seen}{}", claim.level_words(), stamped.unwrap_or_default());
        let _ = writeln!(out, "{}", shown(&line));
    }
    let _ = writeln!(out, "\nnot proven:");
    report.limits.iter().for_each(|limit| {
        let _ = writeln!(out, "- {limit}");
    });
    let _ = write!(out, "\ntrust document {} of {}, fingerprint {}", trust.version, trust.tenant, trust.fingerprint);
    let _ = write!(out, "\n{}", report.verdict.as_str());
    out
}

const fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Holds => "ok",
        Outcome::Missing => "MISSING",
        Outcome::Diverges => "DIVERGES",
        Outcome::Fails => "FAILS",
    }
}

fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

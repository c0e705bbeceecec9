//! `remit ledger gaps`: what is missing from the records themselves. The log shows that nothing was changed
//! or taken out afterwards; the writers' sequences show what never came in.

use std::collections::BTreeSet;
use std::process::ExitCode;

use remit_evidence::record::Kind;
use remit_evidence::verify::{Trust, Verified, examine};
use remit_evidence::writer::Sign as _;

use super::each_page;
use crate::place::Place;
use crate::terminal::{Failure, Outcome, say, visible};
use crate::trust;

pub(super) async fn run(place: &Place<'_>) -> Outcome {
    let root = trust::root(place)?.public_key();
    let mut trust = Trust::in_roots([root]).map_err(|error| Failure::said(error.to_string()))?;
    let (mut verified, mut bad) = (Vec::new(), Vec::new());
    each_page(&place.store()?, |_, page| {
        for record in page {
            match trust.verify(&record.envelope) {
                Ok(record) => verified.push(record),
                Err(error) => bad.push(format!("{} does not verify: {error}", record.id)),
            }
        }
    })
    .await?;
    let findings = examine(&verified);
    let short = |writer: &str| writer.chars().take(16).collect::<String>();
    let mut missing = bad;
    missing.extend(
        findings.gaps.iter().map(|(writer, seq)| format!("number {seq} of writer {} is missing", short(writer))),
    );
    missing.extend(
        findings.doubles.iter().map(|(writer, seq)| format!("number {seq} of writer {} is there twice", short(writer))),
    );
    missing
        .extend(findings.dangling.iter().map(|(id, relation)| format!("{id} refers to a {relation} that is not here")));
    missing.extend(findings.open.iter().map(|id| format!("{id} was admitted and has no outcome")));
    for what in &missing {
        say(visible(what))?;
    }
    let open = unclosed(&verified);
    for run in &open {
        say(format!("run {} is not closed", visible(run)))?;
    }
    say(format!(
        "{} records verify, {} things are missing, {} runs are not closed",
        verified.len(),
        missing.len(),
        open.len()
    ))?;
    // A run that is under way is no fault.
    Ok(if missing.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs that were opened and never closed.
fn unclosed(records: &[Verified]) -> BTreeSet<String> {
    let mut open = BTreeSet::new();
    for record in records.iter().filter(|record| record.kind == Kind::Run) {
        let Some(id) = record.predicate.pointer("/run/id").and_then(|id| id.as_str()) else { continue };
        match record.predicate.get("event").and_then(|event| event.as_str()) {
            Some("close") => open.remove(id),
            _ => open.insert(id.to_owned()),
        };
    }
    open
}

//! The judgement of a bundle under a trust document. Owns the order of the checks, what each of them
//! may answer, and the verdict; trusts nothing that the bundle brings.

use crate::bundle::{Bundle, Head};
use crate::trust::Trust;

mod anchor;
mod heads;
mod keys;
mod place;
mod quorum;
mod report;
mod statement;
mod story;
mod succession;
mod vote;

pub use report::{Anchor, Check, Finding, Level, Outcome, Report, Step, Verdict};

use keys::Delegations;
use place::Place;
use statement::Statement;

/// Judges the bytes of a bundle. `memory` holds the heads that were kept from earlier verdicts.
#[must_use]
pub fn judge(bytes: &[u8], trust: &Trust, memory: &[Head]) -> Report {
    let bundle = match Bundle::parse(bytes) {
        Ok(bundle) => bundle,
        Err(error) => {
            let form = Check { step: Step::Form, claim: None, outcome: Outcome::Fails, detail: error.to_string() };
            let (claims, limits, heads) = (Vec::new(), Vec::new(), Vec::new());
            return Report { verdict: Verdict::Invalid, checks: vec![form], claims, limits, heads };
        }
    };
    let mut court = Court { checks: Vec::new() };
    court.say(Step::Form, None, Outcome::Holds, "a bundle, read strictly; attachments are what their names say");
    let read: Vec<Read<'_>> =
        bundle.claims.iter().enumerate().map(|(at, claim)| court.read(at, claim, trust)).collect();
    let delegations = Delegations::find(&read, trust);
    let signed: Vec<bool> = read.iter().map(|read| court.key(read, &delegations, trust)).collect();
    read.iter().for_each(|read| court.disclosures(read));
    court.story(&read, trust);
    court.succession(&read, trust, memory);
    let (stamped, unnamed) = court.stamps(&bundle, trust);
    let steps = court.growth(&bundle, memory);
    let heads = court.heads(&steps, &read, &stamped, memory);
    let anchors: Vec<Option<Anchor>> = read.iter().map(|read| court.anchor(read, &stamped, &steps, trust)).collect();
    read.iter().zip(&anchors).for_each(|(read, anchor)| court.time(read, anchor.as_ref(), trust));
    // Stable: within a step, the order of the claims.
    court.checks.sort_by_key(|check| check.step);
    let found = read.iter().zip(signed).zip(anchors);
    let claims: Vec<Finding> = found.map(|((read, signed), anchor)| finding(read, signed, anchor)).collect();
    let limits = limits(&read, &claims, memory.is_empty(), unnamed);
    Report { verdict: verdict(&court.checks), checks: court.checks, claims, limits, heads }
}

/// The worst answer decides. What fails is worse than a second history: it need not be the log's.
fn verdict(checks: &[Check]) -> Verdict {
    match checks.iter().map(|check| check.outcome).max() {
        Some(Outcome::Holds) => Verdict::Valid,
        Some(Outcome::Missing) => Verdict::Indeterminate,
        Some(Outcome::Diverges) => Verdict::Diverged,
        Some(Outcome::Fails) | None => Verdict::Invalid,
    }
}

/// A claim with what could be read of it.
struct Read<'b> {
    at: usize,
    claim: &'b crate::bundle::Claim,
    statement: Option<Statement>,
    place: Option<Place>,
}

struct Court {
    checks: Vec<Check>,
}

impl Court {
    fn say(&mut self, step: Step, claim: Option<usize>, outcome: Outcome, detail: impl Into<String>) {
        self.checks.push(Check { step, claim, outcome, detail: detail.into() });
    }

    fn read<'b>(&mut self, at: usize, claim: &'b crate::bundle::Claim, trust: &Trust) -> Read<'b> {
        let statement = match Statement::read(&claim.envelope, trust) {
            Ok(statement) => {
                let detail = format!("{} {}", statement.kind.as_str(), statement.id);
                self.say(Step::Statement, Some(at), Outcome::Holds, detail);
                Some(statement)
            }
            Err((outcome, detail)) => {
                self.say(Step::Statement, Some(at), outcome, detail);
                None
            }
        };
        let place = self.place(at, claim, statement.as_ref(), trust);
        Read { at, claim, statement, place }
    }

    fn disclosures(&mut self, read: &Read<'_>) {
        let Some(statement) = &read.statement else { return };
        let shown = &read.claim.disclosures;
        let (outcome, detail) = match statement.check(shown) {
            Ok(()) => (Outcome::Holds, format!("{} of {} values are shown", shown.len(), statement.committed.len())),
            Err(detail) => (Outcome::Fails, detail.to_owned()),
        };
        self.say(Step::Disclosures, Some(read.at), outcome, detail);
    }

    /// What the gateway's clock said against what the earliest witness and the earliest timestamper said, and what its
    /// writer had seen against where the record stands: it was written behind all that it knew of.
    fn time(&mut self, read: &Read<'_>, anchor: Option<&Anchor>, trust: &Trust) {
        let (Some(statement), Some(place)) = (&read.statement, &read.place) else { return };
        if let Some(seen) = statement.seen.as_ref().filter(|seen| seen.origin == place.head.origin) {
            let (outcome, what) = if seen.size <= place.index {
                (Outcome::Holds, "behind them")
            } else {
                (Outcome::Fails, "not behind them")
            };
            let detail = format!("its writer had seen {} leaves, and it stands {what}", seen.size);
            self.say(Step::Time, Some(read.at), outcome, detail);
        }
        let skew = i64::try_from(trust.require.skew_s * 1000).unwrap_or(i64::MAX);
        let seen = place.existed_by.map(|at| (at, "a witness saw it"));
        let stamped = anchor.map(|anchor| (anchor.at, "a timestamper saw it"));
        for (at, what) in [seen, stamped].into_iter().flatten() {
            let (outcome, when) = if statement.time <= at.saturating_add(skew) {
                (Outcome::Holds, "not after")
            } else {
                (Outcome::Fails, "after")
            };
            self.say(Step::Time, Some(read.at), outcome, format!("written {when} {what}"));
        }
    }
}

fn finding(read: &Read<'_>, signed: bool, anchor: Option<Anchor>) -> Finding {
    let record = read.statement.as_ref().map(|statement| (statement.id.clone(), statement.kind.as_str()));
    let level = match &read.place {
        _ if !signed => Level::Nothing,
        None => Level::Signed,
        Some(place) if place.quorum && place.seen > 0 => Level::Witnessed { seen: place.seen, known: place.known },
        Some(_) => Level::Logged,
    };
    let place = read.place.as_ref().map(|place| (place.head.origin.clone(), place.index));
    let existed_by = read.place.as_ref().and_then(|place| place.existed_by);
    // What nobody signed is no record, whenever it was there.
    Finding { record, level, place, existed_by, anchor: anchor.filter(|_| signed) }
}

fn limits(read: &[Read<'_>], claims: &[Finding], forgetful: bool, unnamed: usize) -> Vec<String> {
    let mut limits: Vec<String> = [
        "that what the records say of the world is true, and that effects happened as upstreams answered",
        "that there are no other records: a bundle is a selection, and what was never logged is in no log",
        "that a decision was right or lawful",
    ]
    .map(str::to_owned)
    .into();
    if claims.iter().any(|claim| !matches!(claim.level, Level::Witnessed { .. })) {
        limits.push("that the operator did not write the whole log later: not every record is witnessed".into());
    }
    if forgetful {
        limits.push("that the log showed the same history before: no head was remembered".into());
    }
    if unnamed > 0 {
        limits
            .push(format!("what {unnamed} of the tokens of time say: the trust document does not name who made them"));
    }
    let attested = |read: &Read<'_>| read.statement.as_ref().is_some_and(Statement::is_attested);
    if read.iter().any(attested) {
        limits.push(
            "that the approver signed where a login vouches: only a passkey's signature is the person's own".into(),
        );
        limits.push(
            "that those who voted had the teams that their rule asks for: the texts of the authority say so".into(),
        );
        limits.push("that people are different whom the gateway names apart: only their own keys would show it".into());
    }
    let signed =
        |read: &Read<'_>| read.statement.as_ref().is_some_and(|statement| statement.value("/assertion").is_some());
    if read.iter().any(signed) {
        limits.push("that no passkey was taken away before its vote: only the records in the bundle say so".into());
    }
    limits
}

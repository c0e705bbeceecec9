//! Limits and people of `remit.yaml`.

use remit_core::authority::Person;
use remit_core::authority::remit::Limit;
use remit_core::ids::{TeamId, UserId};

use crate::at::{At, Entries};
use crate::report::Report;
use crate::settings::file::PersonFile;

/// Reads a list of limits. Two limits on the same counter would be one limit, written twice.
pub(crate) fn limits(texts: &[At<String>], warn_percent: Option<u64>, report: &mut Report<'_>) -> Vec<Limit> {
    let mut limits: Vec<Limit> = Vec::with_capacity(texts.len());
    for text in texts {
        let Some(limit) = limit(text, report) else { continue };
        if limits.iter().any(|known| (known.unit, known.window) == (limit.unit, limit.window)) {
            report.fault(text, "this counter has a limit already", "keep the lower of the two");
            continue;
        }
        limits.push(warned(limit, warn_percent));
    }
    limits
}

pub(crate) fn limit(text: &At<String>, report: &mut Report<'_>) -> Option<Limit> {
    let help = "write `200 per day`, `500 USD per day` or `50 objects per hour`; \
                the span is minute, hour, day, week, month, run or total";
    report.read(text, Limit::parse, "a limit", help)
}

/// The limit with a warning from this share of it on, rounded down.
pub(crate) fn warned(limit: Limit, percent: Option<u64>) -> Limit {
    let share = |percent| u128::from(limit.amount) * u128::from(percent) / 100;
    let warn_at = percent.map(|percent: u64| u64::try_from(share(percent)).unwrap_or(limit.amount));
    Limit { warn_at, ..limit }
}

pub(super) fn people(entries: &Entries<PersonFile>, report: &mut Report<'_>) -> Vec<Person> {
    let person = |(name, file): &(At<String>, PersonFile)| {
        let teams = file.teams.iter().filter_map(|team| report.id(team, TeamId::parse)).collect();
        Some(Person { id: report.id(name, UserId::parse)?, teams })
    };
    entries.iter().filter_map(person).collect()
}

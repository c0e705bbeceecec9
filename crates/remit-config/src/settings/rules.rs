//! Approval rules, limits and people of `remit.yaml`.

use remit_core::approval::{ApprovalRule, Distinct, Voter};
use remit_core::authority::Person;
use remit_core::authority::remit::Limit;
use remit_core::ids::{RuleId, TeamId, UserId};

use crate::at::{At, Entries};
use crate::report::Report;
use crate::settings::file::{ApprovalFile, DistinctWord, PersonFile};

pub(super) fn rule(name: &At<String>, file: &At<ApprovalFile>, report: &mut Report<'_>) -> Option<ApprovalRule> {
    let id = report.id(name, RuleId::parse);
    let within_secs = report.length_secs(&file.within);
    let from: Vec<_> = file.from.iter().filter_map(|voter| self::voter(voter, report)).collect();
    let quorum = file.quorum.as_ref().map_or(1, |quorum| **quorum);
    let only_people = from.iter().all(|voter| matches!(voter, Voter::Person(_)));
    if file.from.is_empty() {
        report.fault(&file.from, "nobody can satisfy this rule", "name whose votes count: `[team:finance]`");
    } else if let Some(at) = file.quorum.as_ref().filter(|_| quorum == 0) {
        report.fault(at, "a quorum of 0 asks for nothing", "write at least 1, or drop the rule");
    } else if let Some(at) = file.quorum.as_ref().filter(|_| only_people && from.len() < quorum as usize) {
        report.fault(
            at,
            format!("{quorum} votes are needed, and only {} can be given", from.len()),
            "name more people, or lower the quorum",
        );
    }
    let mut distinct_from = match &file.distinct_from {
        Some(words) => words.iter().map(|word| word.distinct()).collect(),
        None => vec![Distinct::User],
    };
    distinct_from.sort_unstable();
    distinct_from.dedup();
    Some(ApprovalRule { id: id?, quorum, from, within_secs: within_secs?, distinct_from })
}

pub(crate) fn voter(at: &At<String>, report: &mut Report<'_>) -> Option<Voter> {
    let part = |rest: &str| At::map(at.clone(), |_| rest.to_owned());
    match at.split_once(':') {
        Some(("team", team)) => report.id(&part(team), TeamId::parse).map(Voter::Team),
        Some(("user", user)) => report.id(&part(user), UserId::parse).map(Voter::Person),
        _ => report.read(at, |_| None, "somebody who can vote", "write `team:finance` or `user:bob@acme.example`"),
    }
}

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

impl DistinctWord {
    const fn distinct(self) -> Distinct {
        match self {
            Self::User => Distinct::User,
            Self::AgentOwner => Distinct::AgentOwner,
            Self::ToolOwner => Distinct::ToolOwner,
        }
    }
}

//! Approval rules of `remit.yaml`, and who is on call for them. A rule that nobody could satisfy is a fault.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use remit_core::approval::{ApprovalRule, Distinct, Escalation, Factor, OnCall, Rotation, Voter};
use remit_core::ids::{RuleId, TeamId, UserId};

use crate::at::{At, Entries};
use crate::report::Report;
use crate::settings::file::approvals::{
    ApprovalFile, DistinctWord, EscalationFile, FactorWord, OnCallFile, ReasonWord, RotationFile,
};

pub(super) fn rule(
    name: &At<String>,
    file: &At<ApprovalFile>,
    schedules: &[OnCall],
    report: &mut Report<'_>,
) -> Option<ApprovalRule> {
    let id = report.id(name, RuleId::parse);
    let within_secs = report.length_secs(&file.within);
    let from = voters(&file.from, schedules, report);
    let escalate = escalation(&file.escalate, within_secs, schedules, report);
    if file.from.is_empty() {
        report.fault(&file.from, "nobody can satisfy this rule", "name whose votes count: `[team:finance]`");
    }
    let everybody: Vec<_> = from.iter().chain(escalate.iter().flat_map(|step| &step.to)).collect();
    let people = file.from.is_empty().then_some(usize::MAX).or_else(|| at_most(&everybody)).unwrap_or(usize::MAX);
    let quorum = count(file.quorum.as_ref(), people, ("a quorum", "votes"), report);
    let deny = count(file.deny.as_ref(), people, ("a threshold", "denials"), report);
    let mut distinct_from = match &file.distinct_from {
        Some(words) => words.iter().map(|word| word.distinct()).collect(),
        None => vec![Distinct::User],
    };
    distinct_from.sort_unstable();
    distinct_from.dedup();
    Some(ApprovalRule {
        id: id?,
        quorum,
        from,
        within_secs: within_secs?,
        distinct_from,
        deny,
        reason_required: file.reason == Some(ReasonWord::Required),
        factor: file.factor.and_then(FactorWord::least),
        escalate,
    })
}

/// Reads how many people it takes, one if the file does not say, and whether so many can be found.
fn count(at: Option<&At<u32>>, people: usize, (what, of): (&str, &str), report: &mut Report<'_>) -> u32 {
    let Some(at) = at else { return 1 };
    let needed = **at;
    if needed == 0 {
        report.fault(at, format!("{what} of 0 asks for nothing"), "write at least 1, or leave it out");
    } else if people < needed as usize {
        let message = format!("{needed} {of} are needed, and only {people} can be given");
        report.fault(at, message, "name more people, or lower the number");
    }
    needed
}

/// How many different people there can be among these at one moment; `None` when a team is among them.
fn at_most(voters: &[&Voter]) -> Option<usize> {
    let mut different: Vec<String> = Vec::new();
    for voter in voters {
        match voter {
            Voter::Team(_) => return None,
            Voter::Person(_) | Voter::OnCall(_) => different.push(voter.text()),
        }
    }
    different.sort();
    different.dedup();
    Some(different.len())
}

fn escalation(
    files: &[At<EscalationFile>],
    within_secs: Option<u64>,
    schedules: &[OnCall],
    report: &mut Report<'_>,
) -> Vec<Escalation> {
    let mut steps: Vec<Escalation> = Vec::new();
    for file in files {
        let to = voters(&file.to, schedules, report);
        if file.to.is_empty() {
            report.fault(&file.to, "nobody is asked by this step", "name whose votes count: `[team:sre-leads]`");
        }
        let Some(after_secs) = report.length_secs(&file.after) else { continue };
        if within_secs.is_some_and(|within| after_secs >= within) {
            report.fault(&file.after, "by then the question has lapsed", "write less than `within`");
        } else if steps.last().is_some_and(|last| after_secs <= last.after_secs) {
            report.fault(&file.after, "this step is not after the one before", "write the steps in their order");
        }
        steps.push(Escalation { after_secs, to });
    }
    steps
}

fn voters(files: &[At<String>], schedules: &[OnCall], report: &mut Report<'_>) -> Vec<Voter> {
    files.iter().filter_map(|at| voter(at, schedules, report)).collect()
}

pub(crate) fn voter(at: &At<String>, schedules: &[OnCall], report: &mut Report<'_>) -> Option<Voter> {
    match at.split_once(':') {
        Some(("team", team)) => report.id(&part(at, team), TeamId::parse).map(Voter::Team),
        Some(("user", _)) => person(at, report).map(Voter::Person),
        Some(("on_call", name)) => {
            let found = schedules.iter().find(|schedule| schedule.name.as_str() == name);
            if found.is_none() {
                report.unknown(at, "on-call schedule", name, schedules.iter().map(|schedule| schedule.name.as_str()));
            }
            found.cloned().map(Voter::OnCall)
        }
        _ => report.read(at, |_| None, "somebody who can vote", "write `team:finance` or `user:bob@acme.example`"),
    }
}

fn person(at: &At<String>, report: &mut Report<'_>) -> Option<UserId> {
    match at.split_once(':') {
        Some(("user", user)) => report.id(&part(at, user), UserId::parse),
        _ => report.read(at, |_| None, "a person", "write `user:bob@acme.example`"),
    }
}

fn part(at: &At<String>, rest: &str) -> At<String> {
    At::map(at.clone(), |_| rest.to_owned())
}

/// The schedules. One that never begins to name anybody is a fault.
pub(super) fn schedules(files: &Entries<At<OnCallFile>>, zone: &TimeZone, report: &mut Report<'_>) -> Vec<OnCall> {
    files.iter().filter_map(|(name, file)| schedule(name, file, zone, report)).collect()
}

fn schedule(name: &At<String>, file: &OnCallFile, zone: &TimeZone, report: &mut Report<'_>) -> Option<OnCall> {
    let id = report.id(name, RuleId::parse);
    let zone = match &file.timezone {
        Some(name) => {
            let help = "write a name of the IANA time zone database: `Europe/Berlin`";
            report.read(name, |text| TimeZone::get(text).ok(), "a time zone", help)
        }
        None => Some(zone.clone()),
    };
    if file.rotation.is_empty() {
        report.fault(&file.rotation, "nobody is ever on call", "name who takes turns");
    }
    let mut rotation: Vec<Rotation> = Vec::new();
    for at in file.rotation.iter() {
        let Some(turns) = self::rotation(at, report) else { continue };
        if rotation.last().is_some_and(|last| turns.from <= last.from) {
            report.fault(&at.from, "this rotation does not begin after the one before", "write them in their order");
        }
        rotation.push(turns);
    }
    Some(OnCall { name: id?, zone: zone?, rotation })
}

fn rotation(file: &RotationFile, report: &mut Report<'_>) -> Option<Rotation> {
    let help = "write `2026-11-23T09:00`, without an offset: the schedule has a time zone";
    let from = report.read(&file.from, clock, "a date and time", help);
    let every_secs = report.length_secs(&file.every);
    let people: Vec<_> = file.people.iter().filter_map(|at| person(at, report)).collect();
    if file.people.is_empty() {
        report.fault(&file.people, "nobody takes turns", "name some people: `[user:ann@acme.example]`");
    }
    Some(Rotation { from: from?, every_secs: every_secs?, people })
}

/// A date, or a date and time without an offset, of which jiff would read less than is written.
fn clock(text: &str) -> Option<DateTime> {
    if let Some(date) = text.parse().ok().filter(|date: &Date| date.to_string() == text) {
        return Some(date.to_datetime(jiff::civil::Time::midnight()));
    }
    let plain =
        text.len() >= "2026-11-23T09:00".len() && text.bytes().all(|b| b.is_ascii_digit() || b"-:T".contains(&b));
    let offset = text.split_once('T').is_none_or(|(_, time)| time.contains('-'));
    if plain && !offset { text.parse().ok() } else { None }
}

impl DistinctWord {
    const fn distinct(self) -> Distinct {
        match self {
            Self::User => Distinct::User,
            Self::AgentOwner => Distinct::AgentOwner,
            Self::ToolOwner => Distinct::ToolOwner,
            Self::ApproverDelegates => Distinct::ApproverDelegates,
        }
    }
}

impl FactorWord {
    pub(super) const fn least(self) -> Option<Factor> {
        match self {
            Self::Any => None,
            Self::Password => Some(Factor::Password),
            Self::Oidc => Some(Factor::Oidc),
            Self::Passkey => Some(Factor::Passkey),
        }
    }
}

//! A remit's file, as the core compiles it. Names of tools and rules are met there, not here.

use std::collections::HashSet;

use jiff::tz::TimeZone;
use remit_core::authority::remit::{Grant, Holder, Limit, Locus, Mode, Pattern, Remit, Stage};
use remit_core::budget::Unit;
use remit_core::ids::{AgentId, RuleId, TeamId, UserId, WorkflowId};
use remit_core::labels::Sensitivity;
use remit_core::registry::{Class, Dimension};

use crate::at::{At, Entries, WordOr};
use crate::facet::Environments;
use crate::quantity::percent;
use crate::remit::file::{BoundsFile, GrantFile, GrantsFile, ModeWord, RemitFile, SensitivityWord, StageWord};
use crate::remit::place::first_character;
use crate::report::Report;
use crate::settings::{limit, limits};
use crate::upstream::team;

pub(crate) fn check(
    file: &At<RemitFile>,
    source: &str,
    zone: &TimeZone,
    environments: &Environments,
    report: &mut Report<'_>,
) -> Option<Remit> {
    let (holder, place) = holder(file, report)?;
    let mut limits = limits(&file.limits, None, report);
    if let Some(money) = cost(&file.cost, report) {
        if let Some(at) =
            file.cost.first().filter(|_| limits.iter().any(|l| (l.unit, l.window) == (money.unit, money.window)))
        {
            report.fault(&at.0, "this counter has a limit already, under `limits:`", "keep the lower of the two");
        }
        limits.push(money);
    }
    let mut grants = Vec::new();
    let mut names = HashSet::new();
    for class in Class::ALL {
        for (at, grant) in file.listed(class, report).iter().enumerate() {
            let grant = self::grant(class, at, grant, environments, &mut names, report).map(|mut grant| {
                grant.when_locus = first_character(grant.when_locus, source);
                grant
            });
            grants.extend(grant);
        }
    }
    let may_request = crate::access::offers(&file.may_request, environments, report);
    if let Some(at) = file.may_request.first().filter(|_| file.agent.is_none()) {
        report.fault(at, "only agents ask for more", "write it into the remit of an agent");
    }
    Some(Remit {
        holder: holder?,
        owner: file.owner.as_ref().and_then(|owner| team(owner, report)),
        stage: file.stage.map_or(Stage::default(), StageWord::stage),
        expires: file.expires.as_ref().and_then(|at| report.moment(at, zone)),
        mode: match file.mode {
            Some(ModeWord::Observe) => Mode::Observe,
            Some(ModeWord::Enforce) | None => Mode::Enforce,
        },
        grants,
        limits,
        may_request,
        locus: place,
    })
}

/// Whose remit it is. The outer `None`: nobody's.
fn holder(file: &At<RemitFile>, report: &mut Report<'_>) -> Option<(Option<Holder>, Locus)> {
    let named = [&file.agent, &file.user, &file.team, &file.workflow];
    let mut named = named.into_iter().flatten();
    let Some(first) = named.next() else {
        report.fault(file, "the remit grants to nobody", "add one of `agent:`, `user:`, `team:`, `workflow:`");
        return None;
    };
    if let Some(second) = named.next() {
        report.fault(second, "a remit grants to one holder", "write a file for each");
    }
    let everybody = |user: &&At<String>| user.as_str() == "*";
    let holder = if let Some(agent) = &file.agent {
        report.id(agent, AgentId::parse).map(Holder::Agent)
    } else if file.user.as_ref().filter(everybody).is_some() {
        Some(Holder::AnyUser)
    } else if let Some(user) = &file.user {
        report.id(user, UserId::parse).map(Holder::User)
    } else if let Some(team) = &file.team {
        report.id(team, TeamId::parse).map(Holder::Team)
    } else {
        file.workflow.as_ref().and_then(|workflow| report.id(workflow, WorkflowId::parse)).map(Holder::Workflow)
    };
    Some((holder, report.locus(first)))
}

impl RemitFile {
    /// The grants under a class.
    fn listed(&self, class: Class, report: &mut Report<'_>) -> &[At<GrantFile>] {
        let under = match class {
            Class::Read => &self.read,
            Class::Write => &self.write,
            Class::Trigger => &self.trigger,
            Class::Approve => &self.approve,
            Class::Expose => &self.expose,
        };
        match under.as_ref().map(|at| (at, &**at)) {
            None => &[],
            Some((_, GrantsFile(WordOr::List(grants)))) => grants,
            Some((at, GrantsFile(WordOr::Word(word)))) => {
                if word != "none" {
                    report.fault(at, format!("unknown word `{word}`"), "write `none`, or a list of grants");
                }
                &[]
            }
        }
    }
}

fn grant(
    class: Class,
    at: usize,
    file: &At<GrantFile>,
    environments: &Environments,
    names: &mut HashSet<String>,
    report: &mut Report<'_>,
) -> Option<Grant> {
    let id = match &file.id {
        // Names of grants have the shape of names of rules; they end up in policy ids and budget keys.
        Some(id) => report.id(id, RuleId::parse)?.as_str().to_owned(),
        None => format!("{}.{at}", class.as_str()),
    };
    if !names.insert(id.clone()) {
        let message = format!("another grant is called `{id}` already");
        let help = "give each grant a name of its own";
        match &file.id {
            Some(at) => report.fault(at, message, help),
            None => report.fault(file, message, help),
        }
        return None;
    }
    let pattern = |at: &At<String>, report: &mut Report<'_>| {
        let help = "write `payments/refund`, `tickets/*`, `tickets/get_*` or `\"*\"`";
        report.read(at, Pattern::parse, "a name of tools", help)
    };
    let tools: Vec<_> = file.tools.iter().filter_map(|at| pattern(at, report)).collect();
    if file.tools.is_empty() {
        report.fault(&file.tools, "the grant names no tools", "name some, or remove the grant");
    }
    let warn_percent = file.warn_at.as_ref().and_then(|at| share(at, report));
    if let Some(at) = file.warn_at.as_ref().filter(|_| file.limits.is_empty()) {
        report.fault(at, "`warn_at` means nothing without `limits`", "add a limit, or remove it");
    }
    if let Some(when) = file.when.as_ref().filter(|when| when.trim().is_empty()) {
        report.fault(when, "the condition is empty", "write one, or remove `when`");
    }
    Some(Grant {
        id,
        class,
        tools,
        labels_up_to: file.labels_up_to.map(SensitivityWord::sensitivity),
        bounds: file.bounds.as_ref().map(|bounds| self::bounds(bounds, environments, report)).unwrap_or_default(),
        when: file.when.as_ref().map(|when| (**when).clone()),
        approval: match &file.approval {
            Some(rule) => Some(report.id(rule, RuleId::parse)?),
            None => None,
        },
        limits: limits(&file.limits, warn_percent, report),
        locus: report.locus(file),
        when_locus: file.when.as_ref().map(|when| report.locus(when)).unwrap_or_default(),
    })
}

pub(crate) fn bounds(
    file: &BoundsFile,
    environments: &Environments,
    report: &mut Report<'_>,
) -> Vec<(Dimension, Vec<String>)> {
    let mut bounds = Vec::new();
    for dimension in Dimension::ALL {
        let Some(values) = file.dimension(dimension) else { continue };
        if values.is_empty() {
            report.fault(values, "nothing is within this bound", "name some values, or remove it");
        }
        if dimension == Dimension::Environment {
            values.iter().for_each(|at| environments.check(at, report));
        }
        bounds.push((dimension, values.iter().map(|value| (**value).clone()).collect()));
    }
    bounds
}

fn share(at: &At<String>, report: &mut Report<'_>) -> Option<u64> {
    report.read(at, percent, "a share", "write `80%`")
}

/// The limit on money over everything. Other meters are refused: a limit nobody counts protects nobody.
fn cost(entries: &Entries<At<String>>, report: &mut Report<'_>) -> Option<Limit> {
    let mut money = None;
    let mut warn_at = None;
    for (name, value) in entries.iter() {
        match name.as_str() {
            "tools" => {
                money = limit(value, report);
                if money.as_ref().is_some_and(|limit| limit.unit != Unit::MicroUsd) {
                    report.fault(value, "a cost is an amount of money", "write `100 USD per hour`");
                }
            }
            "warn_at" => warn_at = share(value, report).map(|percent| (value, percent)),
            "llm" => report.fault(name, "`llm` is not metered by this gateway yet", "remove it"),
            other => match remit_core::nearest(other, ["tools", "warn_at"]) {
                Some(near) => report.fault(name, format!("unknown key `{other}`"), format!("did you mean `{near}`?")),
                None => report.fault(name, format!("`{other}` is not metered by this gateway yet"), "remove it"),
            },
        }
    }
    if let (None, Some((at, _))) = (&money, &warn_at)
        && entries.len() == 1
    {
        report.fault(*at, "`warn_at` means nothing without `tools`", "add `tools: 100 USD per hour`, or remove it");
    }
    let percent = warn_at.map(|(_, percent)| percent);
    money.map(|limit| crate::settings::warned(limit, percent))
}

impl BoundsFile {
    const fn dimension(&self, dimension: Dimension) -> Option<&At<Vec<At<String>>>> {
        match dimension {
            Dimension::Environment => self.environment.as_ref(),
            Dimension::Product => self.product.as_ref(),
            Dimension::Service => self.service.as_ref(),
            Dimension::Repository => self.repository.as_ref(),
            Dimension::Branch => self.branch.as_ref(),
        }
    }
}

impl StageWord {
    const fn stage(self) -> Stage {
        match self {
            Self::Sandbox => Stage::Sandbox,
            Self::Supervised => Stage::Supervised,
            Self::Autonomous => Stage::Autonomous,
        }
    }
}

impl SensitivityWord {
    const fn sensitivity(self) -> Sensitivity {
        match self {
            Self::Public => Sensitivity::Public,
            Self::Internal => Sensitivity::Internal,
            Self::Confidential => Sensitivity::Confidential,
            Self::Restricted => Sensitivity::Restricted,
        }
    }
}

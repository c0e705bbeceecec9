//! What agents may ask people for, and what is declared for emergencies.

use remit_core::access::{BreakGlass, Offer, Terms};
use remit_core::approval::{OnCall, Voter};
use remit_core::authority::remit::Pattern;
use remit_core::ids::{AgentId, RuleId};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::at::{At, Entries};
use crate::facet::Environments;
use crate::remit::{BoundsFile, bounds};
use crate::report::Report;
use crate::settings::voter;

/// What the agent may ask people for, for a while. Nothing beyond it can be given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Offer")]
pub(crate) struct OfferFile {
    /// Which tools: `payments/refund`, `tickets/*`.
    pub tools: At<Vec<At<String>>>,
    /// Only resources within these bounds: `{environment: [staging]}`.
    #[serde(rename = "where")]
    pub bounds: Option<BoundsFile>,
    /// For how long at most: `8h`.
    pub up_to: At<String>,
    /// How many calls at most. Default: as many as other limits leave.
    pub calls: Option<At<u64>>,
    /// After which time a grant that no call has used ends. Default: a quarter of its time.
    pub unused: Option<At<String>>,
    /// The approval rule of remit.yaml by which people give it.
    pub approval: At<String>,
}

/// Authority for emergencies: narrow, for a short time, and reviewed afterwards by somebody else.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BreakGlass")]
pub(crate) struct BreakGlassFile {
    /// The agents it is for.
    pub agents: At<Vec<At<String>>>,
    /// Which tools: `deploy/rollback`.
    pub tools: At<Vec<At<String>>>,
    /// Only resources within these bounds: `{environment: [production]}`.
    #[serde(rename = "where")]
    pub bounds: Option<BoundsFile>,
    /// For how long: `30m`, and at most `24h`.
    pub up_to: At<String>,
    /// How many calls at most.
    pub calls: At<u64>,
    /// Who may use it: `team:sre`, `user:bob@acme.example`.
    pub people: At<Vec<At<String>>>,
    /// Who reviews it afterwards. Whoever used it cannot.
    pub reviewers: At<Vec<At<String>>>,
    /// The approval rules that it stands in for. It skips no other, and lifts no guardrail that names none of them.
    #[serde(default)]
    pub instead_of: Vec<At<String>>,
}

/// Longest time for which a broken glass gives anything, in seconds.
const EMERGENCY_SECS_MAX: u64 = 24 * 60 * 60;

pub(crate) fn offers(files: &[At<OfferFile>], environments: &Environments, report: &mut Report<'_>) -> Vec<Offer> {
    let mut offers = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let terms = terms(&file.tools, file.bounds.as_ref(), &file.up_to, file.calls.as_ref(), environments, report);
        let approval = report.id(&file.approval, RuleId::parse);
        let unused = file.unused.as_ref().and_then(|unused| report.length_secs(unused).map(|secs| (unused, secs)));
        let (Some(terms), Some(approval)) = (terms, approval) else { continue };
        if let Some((at, _)) = unused.as_ref().filter(|(_, secs)| *secs > terms.secs) {
            report.fault(*at, "it is longer than the grant itself", "write a part of `up_to`, or remove it");
        }
        let unused_secs = unused.map_or((terms.secs / 4).max(1), |(_, secs)| secs);
        let (id, locus) = (format!("may_request.{at}"), report.locus(file));
        offers.push(Offer { id, terms, unused_secs, approval, locus });
    }
    offers
}

pub(crate) fn emergencies(
    entries: &Entries<At<BreakGlassFile>>,
    environments: &Environments,
    schedules: &[OnCall],
    report: &mut Report<'_>,
) -> Vec<BreakGlass> {
    entries.iter().filter_map(|(name, file)| emergency(name, file, environments, schedules, report)).collect()
}

fn emergency(
    name: &At<String>,
    file: &At<BreakGlassFile>,
    environments: &Environments,
    schedules: &[OnCall],
    report: &mut Report<'_>,
) -> Option<BreakGlass> {
    let id = report.id(name, RuleId::parse);
    let agents: Vec<_> = file.agents.iter().filter_map(|agent| report.id(agent, AgentId::parse)).collect();
    let terms = terms(&file.tools, file.bounds.as_ref(), &file.up_to, Some(&file.calls), environments, report);
    if terms.as_ref().is_some_and(|terms| terms.secs > EMERGENCY_SECS_MAX) {
        report.fault(&file.up_to, "an emergency does not last that long", "write at most `24h`");
    }
    let mut people = |at: &At<Vec<At<String>>>, nobody: &str| {
        if at.is_empty() {
            report.fault(at, nobody, "name people: `[team:sre]`");
        }
        at.iter().filter_map(|who| voter(who, schedules, report)).collect::<Vec<Voter>>()
    };
    let (people, reviewers) =
        (people(&file.people, "nobody may use it"), people(&file.reviewers, "nobody could review it"));
    if let ([Voter::Person(one)], [Voter::Person(other)]) = (&people[..], &reviewers[..])
        && one == other
    {
        report.fault(&file.reviewers, "whoever used it cannot review it", "name somebody else");
    }
    if file.agents.is_empty() {
        report.fault(&file.agents, "it is for no agent", "name some: `[ops-bot]`");
    }
    let instead_of = file.instead_of.iter().filter_map(|rule| report.id(rule, RuleId::parse)).collect();
    Some(BreakGlass { name: id?, agents, terms: terms?, people, reviewers, instead_of, locus: report.locus(name) })
}

fn terms(
    tools: &At<Vec<At<String>>>,
    file: Option<&BoundsFile>,
    up_to: &At<String>,
    calls: Option<&At<u64>>,
    environments: &Environments,
    report: &mut Report<'_>,
) -> Option<Terms> {
    if tools.is_empty() {
        report.fault(tools, "no tools are named", "name some: `[payments/refund]`");
    }
    let help = "write `payments/refund`, `tickets/*`, `tickets/get_*` or `\"*\"`";
    let tools = tools.iter().filter_map(|at| report.read(at, Pattern::parse, "a name of tools", help)).collect();
    if let Some(at) = calls.filter(|calls| ***calls == 0 || i64::try_from(***calls).is_err()) {
        report.fault(at, format!("`{}` calls mean nothing", **at), "write a whole number above zero");
    }
    let bounds = file.map(|file| bounds(file, environments, report)).unwrap_or_default();
    Some(Terms { tools, bounds, secs: report.length_secs(up_to)?, calls: calls.map(|calls| **calls) })
}

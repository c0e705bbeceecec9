//! Remits: what they grant is compared grant by grant. A grant counts as narrower when one of before covers it
//! entirely, as their texts show; what texts do not show counts as wider.

use std::collections::BTreeMap;

use super::rules::raised;
use super::{Part, Weakening};
use crate::Snapshot;
use crate::authority::remit::{Grant, Holder, Mode, Pattern, Remit, Stage};
use crate::registry::Class;

pub(super) fn compare(old: &Snapshot, new: &Snapshot, out: &mut Vec<Weakening>) {
    for remit in new.remits() {
        match old.remits().find(|was| was.holder == remit.holder) {
            Some(was) => each(was, remit, out),
            None => added(remit, out),
        }
    }
    for (user, teams) in new.members() {
        for team in teams.iter().filter(|team| !old.teams_of(user).contains(team)) {
            let holder = Holder::User(user.clone());
            let what = format!("user `{user}` would hold what team `{team}` holds");
            out.push(Weakening::widening("user.team_added", &holder, Part::Whole, what));
        }
    }
}

fn added(remit: &Remit, out: &mut Vec<Weakening>) {
    let (holder, count) = (&remit.holder, remit.grants.len());
    if remit.mode == Mode::Observe {
        out.push(Weakening::new("remit.observed", format!("the new remit of {holder} would only be observed")));
    }
    let what = format!("{holder} would hold a new remit of {count} grants");
    out.push(Weakening::widening("remit.added", holder, Part::Whole, what));
}

fn each(old: &Remit, new: &Remit, out: &mut Vec<Weakening>) {
    let holder = &new.holder;
    if old.mode == Mode::Enforce && new.mode == Mode::Observe {
        out.push(Weakening::new("remit.observed", format!("the remit of {holder} would only be observed")));
    }
    if old.owner.is_some() && new.owner != old.owner {
        let what = format!("{holder} would have another owner, whom approval rules may exclude");
        out.push(Weakening::new("remit.owner_changed", what));
    }
    let mut widens = |code, part, what: String| out.push(Weakening::widening(code, holder, part, what));
    if new.stage > old.stage {
        let (from, to) = (Stage::as_str(old.stage), Stage::as_str(new.stage));
        widens("remit.stage_raised", Part::Stage, format!("{holder} would be {to} instead of {from}"));
    }
    if old.expires.is_some_and(|end| new.expires.is_none_or(|now| now > end)) {
        widens("remit.extended", Part::Whole, format!("the remit of {holder} would last longer"));
    }
    for what in raised(&old.limits, &new.limits) {
        widens("remit.limit_raised", Part::Whole, format!("the limit of {holder} {what}"));
    }
    for (class, grants) in wider(old, new) {
        for grant in grants {
            let what = format!("{holder} would have more of {}: {}", class.as_str(), shown(grant));
            widens("remit.widened", Part::Class(class), what);
        }
    }
}

/// The grants that no grant of before covers, by class.
fn wider<'r>(old: &'r Remit, new: &'r Remit) -> BTreeMap<Class, Vec<&'r Grant>> {
    let mut out: BTreeMap<Class, Vec<&Grant>> = BTreeMap::new();
    // A grant with limits that would stand for two would be counted twice.
    let mut stood_for = vec![0_usize; old.grants.len()];
    for grant in &new.grants {
        let covering = old.grants.iter().enumerate().find(|(at, was)| {
            let free = was.limits.is_empty() || stood_for.get(*at).is_some_and(|count| *count == 0);
            free && covers(was, grant)
        });
        match covering {
            Some((at, _)) => stood_for.iter_mut().skip(at).take(1).for_each(|count| *count += 1),
            None => out.entry(grant.class).or_default().push(grant),
        }
    }
    out
}

/// Whether everything that `new` allows is allowed by `old` already.
fn covers(old: &Grant, new: &Grant) -> bool {
    let tools = new.tools.iter().all(|pattern| old.tools.iter().any(|was| within(pattern, was)));
    let labels = match (old.labels_up_to, new.labels_up_to) {
        (None, _) => true,
        (Some(was), Some(now)) => now <= was,
        (Some(_), None) => false,
    };
    let bounds = old.bounds.iter().all(|(dimension, values)| {
        let now = new.bounds.iter().find(|(named, _)| named == dimension);
        now.is_some_and(|(_, now)| now.iter().all(|value| values.contains(value)))
    });
    let when = old.when.is_none() || old.when == new.when;
    let approval = old.approval.is_none() || old.approval == new.approval;
    old.class == new.class
        && tools
        && labels
        && bounds
        && when
        && approval
        && raised(&old.limits, &new.limits).is_empty()
}

/// Whether every tool that `inner` can mean is meant by `outer`.
fn within(inner: &Pattern, outer: &Pattern) -> bool {
    match (inner, outer) {
        (_, Pattern::All) => true,
        (Pattern::Tool(tool), _) => outer.covers(tool),
        (Pattern::Prefix(inner), Pattern::Prefix(outer)) => inner.starts_with(outer.as_str()),
        (Pattern::Prefix(_) | Pattern::All, Pattern::Tool(_)) | (Pattern::All, Pattern::Prefix(_)) => false,
    }
}

fn shown(grant: &Grant) -> String {
    let tools: Vec<_> = grant.tools.iter().map(ToString::to_string).collect();
    let mut text = tools.join(", ");
    if let Some(when) = &grant.when {
        text.push_str(&format!(" when {when}"));
    }
    for (dimension, values) in &grant.bounds {
        text.push_str(&format!(", {} in [{}]", dimension.as_str(), values.join(", ")));
    }
    match &grant.approval {
        Some(rule) => text.push_str(&format!(", with approval `{rule}`")),
        None => text.push_str(", without approval"),
    }
    text
}

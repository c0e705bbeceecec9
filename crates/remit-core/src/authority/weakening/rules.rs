//! Approval rules, the tenant's limits, and the calendar that guardrails read.

use super::Weakening;
use crate::Snapshot;
use crate::approval::ApprovalRule;
use crate::authority::remit::Limit;
use crate::calendar::Calendar;

pub(super) fn compare(old: &Snapshot, new: &Snapshot, out: &mut Vec<Weakening>) {
    for rule in old.all_rules() {
        match new.rule(&rule.id) {
            None => {
                out.push(Weakening::new("rule.removed", format!("approval rule `{}` would be gone", rule.id)));
            }
            Some(now) => out.extend(
                loosened(rule, now)
                    .map(|what| Weakening::new("rule.loosened", format!("approval rule `{}` would {what}", rule.id))),
            ),
        }
    }
    for what in raised(old.limits(), new.limits()) {
        out.push(Weakening::new("limit.raised", format!("the tenant's limit {what}")));
    }
    calendar(old.calendar(), new.calendar(), out);
}

/// In which ways a rule would be easier to satisfy.
fn loosened(old: &ApprovalRule, new: &ApprovalRule) -> impl Iterator<Item = String> {
    let mut out = Vec::new();
    if new.quorum < old.quorum {
        out.push(format!("ask {} instead of {} people", new.quorum, old.quorum));
    }
    for voter in new.from.iter().filter(|voter| !old.from.contains(voter)) {
        out.push(format!("count the vote of {}, too", voter.text()));
    }
    if new.within_secs > old.within_secs {
        out.push(format!("hold for {} instead of {} seconds", new.within_secs, old.within_secs));
    }
    for distinct in old.distinct_from.iter().filter(|distinct| !new.distinct_from.contains(distinct)) {
        out.push(format!("no longer exclude: {}", distinct.as_str()));
    }
    // What else a rule says is compared as a whole: whatever it is, two people look at it.
    let rest = ApprovalRule {
        quorum: old.quorum,
        from: old.from.clone(),
        within_secs: old.within_secs,
        distinct_from: old.distinct_from.clone(),
        ..new.clone()
    };
    if rest.digest() != old.digest() {
        out.push("say something else".to_owned());
    }
    out.into_iter()
}

/// Limits that would be gone or higher.
pub(super) fn raised(old: &[Limit], new: &[Limit]) -> Vec<String> {
    let same = |a: &Limit, b: &Limit| a.unit == b.unit && a.window == b.window;
    let each = old.iter().filter_map(|limit| {
        let (was, per) = (limit.unit.show(limit.amount), limit.window.as_str());
        match new.iter().filter(|now| same(limit, now)).map(|now| now.amount).min() {
            None => Some(format!("of {was} per {per} would be gone")),
            Some(amount) if amount > limit.amount => {
                Some(format!("of {was} per {per} would be {}", limit.unit.show(amount)))
            }
            Some(_) => None,
        }
    });
    each.collect()
}

fn calendar(old: &Calendar, new: &Calendar, out: &mut Vec<Weakening>) {
    for freeze in old.freezes.iter().filter(|freeze| !new.freezes.contains(freeze)) {
        let what = format!("the freeze from {} until {} would be gone", freeze.from, freeze.until);
        out.push(Weakening::new("calendar.freeze_removed", what));
    }
    if old.zone != new.zone || old.hours != new.hours || old.holidays != new.holidays {
        let what = "working hours, holidays or the time zone would be others".to_owned();
        out.push(Weakening::new("calendar.changed", what));
    }
}

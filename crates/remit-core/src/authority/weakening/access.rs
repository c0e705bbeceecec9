//! What people may give beyond remits: what agents may ask for, what is declared for emergencies, and what is
//! asked of a call by its risk.

use super::{Part, Weakening};
use crate::Snapshot;
use crate::access::{BreakGlass, Offer};

pub(super) fn compare(old: &Snapshot, new: &Snapshot, out: &mut Vec<Weakening>) {
    for remit in new.remits() {
        let was = old.remits().find(|was| was.holder == remit.holder);
        let before = was.map(|was| was.may_request.as_slice()).unwrap_or_default();
        for offer in remit.may_request.iter().filter(|offer| !before.iter().any(|was| offers(was, offer))) {
            let what = format!("{} could be given {} under `{}`", remit.holder, offer.terms, offer.approval);
            out.push(Weakening::widening("remit.may_request", &remit.holder, Part::Whole, what));
        }
    }
    for glass in new.break_glass() {
        match old.glass(&glass.name) {
            None => out.push(Weakening::new(
                "break_glass.added",
                format!("`{}` could be broken for {}", glass.name, glass.terms),
            )),
            Some(was) if !declares(was, glass) => {
                let what =
                    format!("the emergency `{}` would give more, to others, or with other reviewers", glass.name);
                out.push(Weakening::new("break_glass.widened", what));
            }
            Some(_) => {}
        }
    }
    // What tiers ask for before a call is compared as the guardrails that they become.
    if old.tiers().review_medium && !new.tiers().review_medium {
        let what = "nobody would look at calls of medium risk after they went through".to_owned();
        out.push(Weakening::new("risk.review_removed", what));
    }
}

/// Whether everything that the new line lets be given could be given by the old one.
fn offers(old: &Offer, new: &Offer) -> bool {
    new.terms.check_within(&old.terms).is_ok() && new.unused_secs <= old.unused_secs && new.approval == old.approval
}

fn declares(old: &BreakGlass, new: &BreakGlass) -> bool {
    new.terms.check_within(&old.terms).is_ok()
        && new.agents.iter().all(|agent| old.agents.contains(agent))
        && new.people.iter().all(|person| old.people.contains(person))
        && new.reviewers == old.reviewers
        && new.instead_of.iter().all(|rule| old.instead_of.contains(rule))
}

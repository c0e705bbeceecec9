//! Refusals that take some words: what is used up, whose authority is missing.

use crate::authority::{Slice, Snapshot};
use crate::budget::Exhausted;
use crate::call::Call;
use crate::identity::Link;
use crate::verdict::{Code, Refusal};

pub(super) fn exhausted(e: &Exhausted) -> Refusal {
    let resets = e.resets.map_or_else(|| "it does not reset".to_owned(), |at| format!("it resets at {at}"));
    let reason = format!(
        "budget `{}` has used {} of {}, and this call needs {}; {resets}",
        e.key,
        e.unit.show(e.used),
        e.unit.show(e.limit),
        e.unit.show(e.needs),
    );
    let remedy = match (e.resets, e.needs > e.limit) {
        (_, true) => "The limit is smaller than this call: make the call smaller, or ask the owner for a higher limit."
            .to_owned(),
        (Some(at), false) => format!("Repeat the call after {at}."),
        (None, false) => "Ask the owner for a higher limit.".to_owned(),
    };
    let retry_at = e.resets.filter(|_| e.needs <= e.limit);
    Refusal { retry_at, ..Refusal::new(Code::BudgetExhausted, reason).with_remedy(remedy) }
}

/// Says whose authority is missing, and what the grants that come near would ask for.
pub(super) fn no_permit(link: &Link, call: &Call, near: Option<(&Snapshot, &Slice)>) -> Refusal {
    let mut wants = Vec::new();
    if let Some((snapshot, slice)) = near {
        for (remit, grant) in slice.permits.iter().filter_map(|(_, r, g)| snapshot.grant(*r, *g)) {
            let bounds = grant.bounds.iter().map(|(d, values)| format!("{} in {values:?}", d.as_str()));
            let parts: Vec<_> = bounds.chain(grant.when.clone()).collect();
            let approval = grant.approval.as_ref().map(|rule| format!(", with approval `{rule}`")).unwrap_or_default();
            if remit.holder.to_string() == link.to_string() && !parts.is_empty() {
                wants.push(format!("{}{approval}", parts.join(" and ")));
            }
        }
    }
    let factor = Some(link.clone());
    if wants.is_empty() {
        let refusal = Refusal::new(Code::PolicyNoPermit, format!("no remit of {link} covers {}", call.tool.name));
        return Refusal { factor, ..refusal };
    }
    let reason = format!("the remit of {link} covers {}, but not this call", call.tool.name);
    let refusal =
        Refusal::new(Code::PolicyNoPermit, reason).with_remedy(format!("It would pass if {}.", wants.join("; or if ")));
    Refusal { factor, ..refusal }
}

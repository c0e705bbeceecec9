//! What a list of tools shows.

use jiff::Timestamp;

use super::{RunFacts, expired};
use crate::access::AccessGrant;
use crate::authority::{Facts, Slice, Snapshot};
use crate::identity::{Caller, Link};
use crate::registry::Tool;

/// Whether some arguments could be allowed to this caller now, approvals given, with the grants at hand.
/// This is what a list of tools shows; it never allows anything by itself.
#[must_use]
pub fn visible(
    snapshot: &Snapshot,
    caller: &Caller,
    tool: &Tool,
    run: &RunFacts,
    grants: &[AccessGrant],
    now: Timestamp,
) -> bool {
    let Ok(facts) = Facts::gather(snapshot, caller, tool, None, (run, &[]), now) else { return false };
    let satisfied = |slice: &Slice| facts.context(&slice.rules);
    let own = Link::Agent(caller.calling_agent().clone());
    let granted = grants.iter().any(|grant| grant.concerns(caller, &tool.name, now) && snapshot.backs(grant));
    snapshot.standing(caller).links.iter().all(|(link, profile)| {
        let granted = granted && *link == own;
        let bare = || granted.then(|| snapshot.bare(&tool.name)).flatten();
        let Some(slice) = snapshot.slice(profile, &tool.name).or_else(bare) else { return false };
        let current = |id: &String| {
            let held = slice.permits.iter().find(|(name, ..)| name == id);
            held.and_then(|(_, r, g)| snapshot.grant(*r, *g)).is_some_and(|(remit, _)| !expired(remit, now))
        };
        let Ok(finding) = facts.evaluate(link, &slice.fixed, &satisfied(slice)) else { return false };
        if !finding.forbids.is_empty() {
            return false;
        }
        granted
            || finding.permits.iter().any(current)
            || slice.variable.iter().any(current)
            || profile.observes(snapshot)
    })
}

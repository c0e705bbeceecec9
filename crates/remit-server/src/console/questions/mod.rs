//! Questions: what waits, one question with everything about it, and the ballot.

pub(super) mod ballot;
pub(super) mod one;
mod preview;
mod values;
mod view;
pub(super) mod waiting;

use remit_app::question::Question;
use remit_core::approval::Approver;
use remit_core::ids::RuleId;

use crate::edge::Edge;

/// Under which rules of a question this person could vote now, and has not.
fn open_to(edge: &Edge, approver: &Approver, question: &Question) -> Vec<RuleId> {
    let may = edge.gate.entitled(approver, question).into_iter();
    let voted = |rule: &RuleId| question.votes.iter().any(|vote| vote.by == approver.id && vote.rule == *rule);
    may.filter(|rule| !voted(rule)).collect()
}

//! People's attention: how much is asked of each approver, and how they answer.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use remit_core::Snapshot;
use remit_core::approval::Approver;
use remit_core::ids::OperatorId;

use crate::gate::Gate;
use crate::intent::Unavailable;
use crate::ports::listing::Waiting;
use crate::question::Question;
use crate::sight;

/// How far back votes are looked at, in days.
pub const DAYS: i64 = 30;
/// An approval given sooner after the question was seen was not given thought, in seconds.
pub const QUICK_SECS: i64 = 5;

/// A vote, as far as it says something about whoever gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// By whom.
    pub by: OperatorId,
    /// Yes or no.
    pub approve: bool,
    /// When.
    pub at: Timestamp,
    /// When the question was asked.
    pub asked_at: Timestamp,
    /// When they were first shown it, if that is known.
    pub saw_at: Option<Timestamp>,
    /// Whether it had to be denied.
    pub canary: bool,
}

/// One approver's figures over the last [`DAYS`] days.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Open questions that they could answer and have not.
    pub open: u64,
    /// Votes.
    pub votes: u64,
    /// Votes within the last hour.
    pub votes_last_hour: u64,
    /// The median time from when they first saw a question, or else from when it was asked, to their vote, in milliseconds.
    pub median_ms: Option<u64>,
    /// Approvals.
    pub approvals: u64,
    /// Approvals within [`QUICK_SECS`] seconds.
    pub quick_approvals: u64,
    /// Canaries they denied.
    pub canaries_denied: u64,
    /// Canaries they approved.
    pub canaries_approved: u64,
}

/// The figures of everybody who voted. Canaries count as votes, for whoever gives them cannot tell.
#[must_use]
pub fn figures(given: &[Given], now: Timestamp) -> BTreeMap<OperatorId, Figures> {
    let mut times: BTreeMap<OperatorId, Vec<u64>> = BTreeMap::new();
    let mut out: BTreeMap<OperatorId, Figures> = BTreeMap::new();
    let hour_ago = now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(now);
    for vote in given {
        let took = vote.at.duration_since(vote.saw_at.unwrap_or(vote.asked_at)).max(SignedDuration::ZERO);
        times.entry(vote.by.clone()).or_default().push(u64::try_from(took.as_millis()).unwrap_or(0));
        let figures = out.entry(vote.by.clone()).or_default();
        figures.votes += 1;
        figures.votes_last_hour += u64::from(vote.at > hour_ago);
        figures.approvals += u64::from(vote.approve);
        figures.quick_approvals += u64::from(vote.approve && took < SignedDuration::from_secs(QUICK_SECS));
        figures.canaries_denied += u64::from(vote.canary && !vote.approve);
        figures.canaries_approved += u64::from(vote.canary && vote.approve);
    }
    for (by, mut times) in times {
        times.sort_unstable();
        let median = times.get((times.len() - 1) / 2).copied();
        out.entry(by).or_default().median_ms = median;
    }
    out
}

impl Gate {
    /// How the approvers are doing: everybody who voted lately, and everybody who could answer something that is open.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn approvers(&self) -> Result<BTreeMap<OperatorId, Figures>, Unavailable> {
        let now = self.now();
        let since = now.checked_sub(SignedDuration::from_hours(24 * DAYS)).unwrap_or(Timestamp::MIN);
        let mut out = figures(&self.ports.store.given(since).await?, now);
        let (people, snapshot) = (self.everybody(), self.snapshot.load_full());
        let mut asked = Waiting::all(now);
        loop {
            let sheet = self.ports.store.waiting(&asked).await?;
            for person in &people {
                let load = sheet.items.iter().filter(|question| could_answer(&snapshot, question, person, now)).count();
                if load > 0 {
                    out.entry(person.id.clone()).or_default().open += load as u64;
                }
            }
            match sheet.older {
                None => return Ok(out),
                after => asked.after = after,
            }
        }
    }
}

/// Whether this person's vote on some rule of this question would count now, and they have not given it.
fn could_answer(snapshot: &Snapshot, question: &Question, person: &Approver, now: Timestamp) -> bool {
    question.rules.iter().any(|asked| {
        let rule = snapshot.rule(&asked.id).filter(|rule| rule.digest() == asked.definition);
        let entitled =
            rule.is_some_and(|rule| rule.entitles(person, &question.parties, sight::hour(rule, question, now)).is_ok());
        entitled
            && !question.votes.iter().any(|vote| vote.rule == asked.id && vote.is_by(&person.id, person.user.as_ref()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_795_000_000_000 + ms).expect("time")
    }

    fn vote(by: &str, approve: bool, saw: Option<i64>, ms: i64) -> Given {
        let by = OperatorId::parse(by).expect("id");
        Given { by, approve, at: at(ms), asked_at: at(0), saw_at: saw.map(at), canary: false }
    }

    #[test]
    fn figures_are_each_persons_own() {
        let canary = |given: Given| Given { canary: true, ..given };
        let given = [
            vote("ann", true, Some(1_000), 5_999),
            vote("ann", true, Some(1_000), 6_000),
            vote("ann", false, None, 4_000),
            canary(vote("ann", true, Some(9_000), 10_000)),
            canary(vote("ben", false, Some(9_000), 8_000)),
        ];
        let figures = figures(&given, at(3_600_000 + 5_000));
        let of = |name: &str| figures[&OperatorId::parse(name).expect("id")].clone();
        let ann = Figures {
            votes: 4,
            votes_last_hour: 3,
            median_ms: Some(4_000),
            approvals: 3,
            quick_approvals: 2,
            canaries_approved: 1,
            ..Figures::default()
        };
        assert_eq!(of("ann"), ann);
        let ben =
            Figures { votes: 1, votes_last_hour: 1, median_ms: Some(0), canaries_denied: 1, ..Figures::default() };
        assert_eq!(of("ben"), ben, "a clock that went back makes nobody quicker than at once");
    }
}

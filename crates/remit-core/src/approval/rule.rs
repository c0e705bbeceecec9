//! The rule itself: whose votes count, how many of them, given how.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Approver, CallParties, Factor, OnCall};
use crate::ids::{Digest, OperatorId, RuleId, TeamId, UserId};
use crate::json::canonical;

/// From whom a vote counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Voter {
    /// One person.
    Person(UserId),
    /// Anybody in a team, looked up when the vote is cast.
    Team(TeamId),
    /// Whoever is on call when the vote is cast.
    OnCall(OnCall),
}

/// Whom an approver must not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distinct {
    /// The user on whose behalf the call is made.
    User,
    /// Anybody in the team that owns the calling agent.
    AgentOwner,
    /// Anybody in the team that owns the tool.
    ToolOwner,
    /// Anybody who votes in the place of another approver of the same question.
    ApproverDelegates,
}

/// Who is asked besides, when nobody has decided for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Escalation {
    /// How long after the question was asked, in seconds; less than the rule's `within_secs`.
    pub after_secs: u64,
    /// Whose votes count from then on.
    pub to: Vec<Voter>,
}

/// A named requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApprovalRule {
    /// Its name, by which policies ask for it.
    pub id: RuleId,
    /// How many different people must approve; at least one.
    pub quorum: u32,
    /// Whose votes count.
    pub from: Vec<Voter>,
    /// How long the question stays open, and an approval stays usable, in seconds.
    pub within_secs: u64,
    /// Whom an approver must not be.
    pub distinct_from: Vec<Distinct>,
    /// How many different people's denials close the question; at least one.
    pub deny: u32,
    /// Whether an approval must say why. A denial always must.
    pub reason_required: bool,
    /// How well a voter must have proved who they are, at least; `None` leaves it to the sign-in. With
    /// [`Factor::Passkey`] the vote itself must be signed by the voter's own passkey.
    pub factor: Option<Factor>,
    /// Who is asked besides, later; in the order of their times.
    pub escalate: Vec<Escalation>,
}

/// When a vote is cast, and how far its question has escalated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// The moment of the vote.
    pub now: Timestamp,
    /// How many steps of the rule's escalation are in force.
    pub steps: usize,
}

/// Why a vote does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotEntitled {
    /// Not among those whose votes count.
    #[error("approval rule `{0}` does not count votes of this person")]
    NotListed(RuleId),
    /// Among those the rule excludes.
    #[error("approval rule `{0}` excludes this person: they are {1}")]
    NotDistinct(RuleId, &'static str),
    /// Whoever votes has not proved well enough who they are.
    #[error("approval rule `{0}` counts no vote by `{1}`; sign in by `{2}`")]
    Factor(RuleId, &'static str, &'static str),
    /// The vote itself is not signed.
    #[error("approval rule `{0}` counts a vote only if it is signed by the voter's own passkey")]
    Unsigned(RuleId),
}

impl ApprovalRule {
    /// A rule with the defaults of `remit.yaml`: one denial closes, no reason or factor is demanded, nobody
    /// is asked later, and nobody approves what is done in their own name.
    #[must_use]
    pub fn new(id: RuleId, quorum: u32, from: Vec<Voter>, within_secs: u64) -> Self {
        let distinct_from = vec![Distinct::User];
        let (deny, reason_required, factor, escalate) = (1, false, None, Vec::new());
        Self { id, quorum, from, within_secs, distinct_from, deny, reason_required, factor, escalate }
    }

    /// The digest of the rule's definition: votes given under one definition do not count under another.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let list = |voters: &[Voter]| voters.iter().map(Voter::definition).collect::<Vec<_>>();
        let distinct: Vec<_> = self.distinct_from.iter().map(|d| d.as_str()).collect();
        let escalate = self.escalate.iter().map(|step| json!({"after_secs": step.after_secs, "to": list(&step.to)}));
        let text = canonical(&json!({
            "id": self.id.as_str(), "quorum": self.quorum, "from": list(&self.from),
            "within_secs": self.within_secs, "distinct_from": distinct,
            "deny": self.deny, "reason_required": self.reason_required,
            "factor": self.factor.map(Factor::as_str), "escalate": escalate.collect::<Vec<_>>(),
        }));
        Digest::of(text.as_bytes())
    }

    /// How many steps of the escalation are due by the clock, for a question asked at that time.
    #[must_use]
    pub fn steps_due(&self, asked_at: Timestamp, now: Timestamp) -> usize {
        let passed = u64::try_from(now.duration_since(asked_at).as_secs()).unwrap_or(0);
        self.escalate.iter().take_while(|step| step.after_secs <= passed).count()
    }

    /// When the step after so many is due for a question asked at that time; `None` when there is none.
    #[must_use]
    pub fn next_step(&self, asked_at: Timestamp, steps: usize) -> Option<Timestamp> {
        let after = i64::try_from(self.escalate.get(steps)?.after_secs).ok()?;
        asked_at.checked_add(jiff::SignedDuration::from_secs(after)).ok()
    }

    /// Whose votes count once so many steps of the escalation are in force.
    pub fn voters(&self, steps: usize) -> impl Iterator<Item = &Voter> {
        self.from.iter().chain(self.escalate.iter().take(steps).flat_map(|step| &step.to))
    }

    /// Whether this person's vote counts for that call, at that time.
    ///
    /// # Errors
    /// Says why it does not.
    pub fn entitles(&self, approver: &Approver, call: &CallParties, hour: Hour) -> Result<(), NotEntitled> {
        if !self.voters(hour.steps).any(|voter| voter.is(approver, hour.now)) {
            return Err(NotEntitled::NotListed(self.id.clone()));
        }
        self.admits(approver, call)
    }

    /// Whether nothing of the call excludes this person.
    ///
    /// # Errors
    /// Says what does.
    pub fn admits(&self, approver: &Approver, call: &CallParties) -> Result<(), NotEntitled> {
        for distinct in &self.distinct_from {
            let same = match distinct {
                // An approver whose own user nobody has named cannot be told apart from the caller's.
                Distinct::User => call.user.as_ref().is_some_and(|user| {
                    approver.user.as_ref().is_none_or(|own| own == user) || approver.id.as_str() == user.as_str()
                }),
                Distinct::AgentOwner => call.agent_owner.as_ref().is_some_and(|t| approver.teams.contains(t)),
                Distinct::ToolOwner => call.tool_owner.as_ref().is_some_and(|t| approver.teams.contains(t)),
                // Who else has voted is no matter of the call: whoever counts the votes sees to it.
                Distinct::ApproverDelegates => false,
            };
            if same {
                return Err(NotEntitled::NotDistinct(self.id.clone(), distinct.describe()));
            }
        }
        Ok(())
    }

    /// Whether a vote counts that is given by this proof; `signed` says whether the voter's own passkey
    /// has signed the vote itself.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn accepts(&self, factor: Factor, signed: bool) -> Result<(), NotEntitled> {
        match self.factor {
            None => Ok(()),
            Some(Factor::Passkey) if signed => Ok(()),
            Some(Factor::Passkey) => Err(NotEntitled::Unsigned(self.id.clone())),
            // A passkey's signature over the vote says more than any sign-in.
            Some(least) if signed || factor >= least => Ok(()),
            Some(least) => Err(NotEntitled::Factor(self.id.clone(), factor.as_str(), least.as_str())),
        }
    }
}

impl Voter {
    /// Whether this person is meant, at this moment.
    #[must_use]
    pub fn is(&self, approver: &Approver, now: Timestamp) -> bool {
        let person = |id: &UserId| approver.user.as_ref() == Some(id) || approver.id.as_str() == id.as_str();
        match self {
            Self::Person(id) => person(id),
            Self::Team(team) => approver.teams.contains(team),
            Self::OnCall(schedule) => schedule.at(now).is_some_and(person),
        }
    }

    /// As it is written in files.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Person(id) => format!("user:{id}"),
            Self::Team(id) => format!("team:{id}"),
            Self::OnCall(schedule) => format!("on_call:{}", schedule.name),
        }
    }

    /// What of it makes a rule another rule: of somebody on call the whole schedule.
    fn definition(&self) -> Value {
        match self {
            Self::Person(_) | Self::Team(_) => self.text().into(),
            Self::OnCall(schedule) => schedule.definition(),
        }
    }
}

impl Distinct {
    /// The word used in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::AgentOwner => "agent_owner",
            Self::ToolOwner => "tool_owner",
            Self::ApproverDelegates => "approver_delegates",
        }
    }

    const fn describe(self) -> &'static str {
        match self {
            Self::User => "the user on whose behalf the call is made, or keys.yaml does not say which user they are",
            Self::AgentOwner => "in the team that owns the agent",
            Self::ToolOwner => "in the team that owns the tool",
            Self::ApproverDelegates => "voting in the place of another approver",
        }
    }
}

/// Whether two votes are one person's: the same person counts once, whatever they call themselves when they
/// sign in. Each is known by their operator's name and the user they are.
#[must_use]
pub fn same_person(a: (&OperatorId, Option<&UserId>), b: (&OperatorId, Option<&UserId>)) -> bool {
    let is = |user: Option<&UserId>, operator: &OperatorId| user.is_some_and(|user| user.as_str() == operator.as_str());
    a.0 == b.0 || (a.1.is_some() && a.1 == b.1) || is(a.1, b.0) || is(b.1, a.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("time")
    }

    fn user(id: &str) -> UserId {
        UserId::parse(id).expect("id")
    }

    fn approver(id: &str, own: Option<&str>, teams: &[&str]) -> Approver {
        let teams = teams.iter().map(|team| TeamId::parse(team).expect("id")).collect();
        Approver { id: OperatorId::parse(id).expect("id"), user: own.map(user), teams, factor: Factor::Key }
    }

    fn rule() -> ApprovalRule {
        let finance = vec![Voter::Team(TeamId::parse("finance").expect("id"))];
        ApprovalRule::new(RuleId::parse("sign-off").expect("id"), 1, finance, 1800)
    }

    #[test]
    fn later_steps_count_more_people_and_no_one_less() {
        let later = Escalation { after_secs: 600, to: vec![Voter::Person(user("carol"))] };
        let rule = ApprovalRule { escalate: vec![later], ..rule() };
        let (asked, now) = (at("2026-11-21T10:00:00Z"), at("2026-11-21T10:10:00Z"));
        assert_eq!(rule.steps_due(asked, at("2026-11-21T10:09:59Z")), 0);
        assert_eq!(rule.steps_due(asked, now), 1);
        assert_eq!(rule.steps_due(now, asked), 0, "a clock that went back escalates nothing");
        let (carol, fred) = (approver("carol", None, &[]), approver("fred", None, &["finance"]));
        let may = |person, steps| rule.entitles(person, &CallParties::default(), Hour { now, steps });
        assert_eq!(may(&carol, 0), Err(NotEntitled::NotListed(rule.id.clone())));
        assert_eq!((may(&carol, 1), may(&fred, 0), may(&fred, 1)), (Ok(()), Ok(()), Ok(())));
    }

    #[test]
    fn a_rule_demands_a_least_proof() {
        let by = |factor| ApprovalRule { factor, ..rule() };
        let id = rule().id;
        assert_eq!(by(None).accepts(Factor::Key, false), Ok(()));
        let weak = Err(NotEntitled::Factor(id.clone(), "key", "password+totp"));
        assert_eq!(by(Some(Factor::Password)).accepts(Factor::Key, false), weak);
        assert_eq!(by(Some(Factor::Password)).accepts(Factor::Passkey, false), Ok(()));
        // Another party's word grows old: then it says as much as a session by password.
        let old = Err(NotEntitled::Factor(id.clone(), "oidc-earlier", "oidc"));
        assert_eq!(by(Some(Factor::Oidc)).accepts(Factor::OidcEarlier, false), old);
        assert_eq!(by(Some(Factor::Password)).accepts(Factor::OidcEarlier, false), Ok(()));
        assert_eq!(by(Some(Factor::Oidc)).accepts(Factor::Oidc, false), Ok(()));
        // A chat's word is the weakest: it satisfies no rule that demands anything.
        assert_eq!(by(None).accepts(Factor::Channel, false), Ok(()));
        for least in [Factor::Key, Factor::Password, Factor::Oidc, Factor::Passkey] {
            assert!(Factor::Channel < least);
            assert!(by(Some(least)).accepts(Factor::Channel, false).is_err(), "{}", least.as_str());
        }
        // Having signed in by a passkey is not having signed the vote.
        assert_eq!(by(Some(Factor::Passkey)).accepts(Factor::Passkey, false), Err(NotEntitled::Unsigned(id)));
        assert_eq!(by(Some(Factor::Passkey)).accepts(Factor::Key, true), Ok(()));
    }

    #[test]
    fn every_part_of_a_rule_makes_it_another_rule() {
        let on_call = |every_secs| {
            let from = "2026-11-23T09:00".parse().expect("time");
            let rotation = vec![super::super::Rotation { from, every_secs, people: vec![user("ann")] }];
            let name = RuleId::parse("sre").expect("id");
            Voter::OnCall(OnCall { name, zone: jiff::tz::TimeZone::UTC, rotation })
        };
        let step = |after_secs| Escalation { after_secs, to: vec![on_call(60)] };
        let rules = [
            rule(),
            ApprovalRule { quorum: 2, ..rule() },
            ApprovalRule { within_secs: 60, ..rule() },
            ApprovalRule { distinct_from: Vec::new(), ..rule() },
            ApprovalRule { deny: 2, ..rule() },
            ApprovalRule { reason_required: true, ..rule() },
            ApprovalRule { factor: Some(Factor::Oidc), ..rule() },
            ApprovalRule { escalate: vec![step(60)], ..rule() },
            ApprovalRule { escalate: vec![step(61)], ..rule() },
            ApprovalRule { from: vec![on_call(60)], ..rule() },
            ApprovalRule { from: vec![on_call(61)], ..rule() },
        ];
        let mut digests: Vec<_> = rules.iter().map(ApprovalRule::digest).collect();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), rules.len());
    }

    #[test]
    fn one_person_under_two_names_is_one_person() {
        let (bob, robert) = (OperatorId::parse("bob").expect("id"), OperatorId::parse("robert").expect("id"));
        let (own, other) = (user("bob"), user("rob@acme.example"));
        assert!(same_person((&bob, None), (&bob, Some(&other))), "one name");
        assert!(same_person((&bob, Some(&other)), (&robert, Some(&other))), "one user");
        assert!(same_person((&bob, None), (&robert, Some(&own))), "a name that is the other's user");
        assert!(!same_person((&bob, None), (&robert, None)));
        assert!(!same_person((&bob, Some(&own)), (&robert, Some(&other))));
    }
}

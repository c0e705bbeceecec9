//! Questions that held calls wait for, and people's answers.

use jiff::Timestamp;
use remit_core::approval::{ApprovalRule, CallParties, Factor, same_person};
use remit_core::ids::{AgentId, Digest, OperatorId, QuestionId, RecordId, RuleId, RunId, UserId, WorkflowId};
use remit_core::origin::Origin;
use remit_core::verdict;
use serde_json::Value;

use crate::action::Salt;
use crate::preview::Preview;

/// What a held call waits for: who, how many, by when, for exactly which call.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Its id.
    pub id: QuestionId,
    /// The exact call.
    pub call: Digest,
    /// What its records name it by.
    pub action: Digest,
    /// The salt of that: whoever makes the call again does so under the same one.
    pub salt: Salt,
    /// The salt under which records name those who vote. It stands in none.
    pub voters: Salt,
    /// The decision record that asked.
    pub intent: RecordId,
    /// The digest of that record.
    pub decision: Digest,
    /// The run.
    pub run: RunId,
    /// Who calls.
    pub agent: AgentId,
    /// For whom.
    pub user: Option<UserId>,
    /// Agents that delegated.
    pub via: Vec<AgentId>,
    /// The workflow that authorised the run.
    pub workflow: Option<WorkflowId>,
    /// The people around the call, for rules that exclude some of them.
    pub parties: CallParties,
    /// The tool.
    pub tool: String,
    /// The arguments, exactly as they would be forwarded.
    pub arguments: Value,
    /// What it touches.
    pub resource: String,
    /// What it costs, in micro-USD.
    pub cost: u64,
    /// Why it is asked.
    pub reason: String,
    /// The rules to satisfy, under their definitions at that time.
    pub rules: Vec<QuestionRule>,
    /// When it was asked.
    pub asked_at: Timestamp,
    /// From when on nobody can answer, and what was approved cannot be used.
    pub expires_at: Timestamp,
    /// Where each value of the arguments came from, by its place (RFC 6901), as it was known when it was asked.
    pub origins: Vec<(String, Origin)>,
    /// What the upstream says the call would do; none where its tool names no preview.
    pub preview: Option<Preview>,
    /// Votes so far.
    pub votes: Vec<Vote>,
    /// What people asked back, and what the agent answered.
    pub remarks: Vec<Remark>,
    /// How many steps of the escalation people have put into force, whatever the clock says.
    pub escalated: u32,
    /// When the next step of its escalation is to be noticed; none when there is none to come.
    pub step_at: Option<Timestamp>,
    /// How many admitted calls have used it.
    pub uses: u32,
    /// Whether admitted calls have used it up.
    pub used: bool,
    /// What a person has put in this call's place; that closed it.
    pub narrowed: Option<Narrowed>,
}

/// A call with other arguments in the place of the one that was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrowed {
    /// Its exact arguments.
    pub arguments: Value,
    /// The question that it waits for; `None` when nothing needed to be asked.
    pub next: Option<QuestionId>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

/// Most calls that one approval may be for.
pub const RUN_CALLS_MAX: u32 = 1000;

/// How far an approval reaches that is for the same call again, in the same run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunBounds {
    /// So many calls, the first one counted.
    pub calls_max: u32,
    /// So much money over all of them, in micro-USD.
    pub cost_max: u64,
    /// Up to, not including, this moment.
    pub until: Timestamp,
}

impl RunBounds {
    /// What both allow.
    #[must_use]
    fn and(self, other: Self) -> Self {
        Self {
            calls_max: self.calls_max.min(other.calls_max),
            cost_max: self.cost_max.min(other.cost_max),
            until: self.until.min(other.until),
        }
    }
}

/// What questions about access name as their tool. No upstream is called `remit`.
pub const REQUEST_TOOL: &str = "remit/request_access";
/// Most remarks on one question.
pub const REMARKS_MAX: usize = 16;

/// What somebody says about a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The approver who asks; `None` when it is the agent's answer.
    pub by: Option<OperatorId>,
    /// What they say.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// One rule of a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuestionRule {
    /// The rule.
    pub id: RuleId,
    /// Its definition's digest.
    pub definition: Digest,
    /// How many votes it needs.
    pub quorum: u32,
    /// How many denials close the question.
    pub deny: u32,
}

/// One person's vote on one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// On which question.
    pub question: QuestionId,
    /// On which rule.
    pub rule: RuleId,
    /// Who, from an authenticated session.
    pub by: OperatorId,
    /// The user they are, when that is known: one person under two names counts once.
    pub user: Option<UserId>,
    /// In whose place, when it is not their own vote: operator and user.
    pub behalf: Option<(OperatorId, Option<UserId>)>,
    /// How they proved who they are.
    pub factor: Factor,
    /// Yes or no.
    pub approve: bool,
    /// With a yes: it is for this run within these bounds, and not for one call.
    pub bounds: Option<RunBounds>,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// The digest of its approval record, once there is one.
    pub record: Option<Digest>,
}

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuestionState {
    /// Waits for people.
    Open,
    /// Every rule has its quorum; the call may be made once.
    Approved,
    /// Somebody said no.
    Denied,
    /// Nobody answered in time, or the approval was not used in time.
    Expired,
    /// The call was made.
    Used,
    /// A person has put a call with other arguments in its place.
    Narrowed,
}

impl QuestionRule {
    /// As the rule is defined now.
    #[must_use]
    pub fn of(rule: &ApprovalRule) -> Self {
        Self { id: rule.id.clone(), definition: rule.digest(), quorum: rule.quorum, deny: rule.deny }
    }
}

impl Question {
    /// Where it stands at this moment.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> QuestionState {
        if self.used {
            QuestionState::Used
        } else if self.narrowed.is_some() {
            QuestionState::Narrowed
        } else if self.rules.iter().any(|rule| self.no(&rule.id) >= rule.deny as usize) {
            QuestionState::Denied
        } else if self.expires_at <= now {
            QuestionState::Expired
        } else if self.rules.iter().all(|rule| self.yes(&rule.id) >= rule.quorum as usize) {
            match self.bounds() {
                Some(bounds) if bounds.until <= now => QuestionState::Expired,
                _ => QuestionState::Approved,
            }
        } else {
            QuestionState::Open
        }
    }

    /// Whether it is about access that an agent asks for, and not about a call.
    #[must_use]
    pub fn is_request(&self) -> bool {
        self.tool == REQUEST_TOOL
    }

    /// Within which bounds it is approved for its run: those of everybody who approved. `None` when it is for
    /// one call: one who approved only that is enough.
    #[must_use]
    pub fn bounds(&self) -> Option<RunBounds> {
        let mut yes = self.votes.iter().filter(|vote| vote.approve).map(|vote| vote.bounds);
        let first = yes.next()??;
        yes.try_fold(first, |sum, bounds| Some(sum.and(bounds?)))
    }

    /// How many calls may use it.
    #[must_use]
    pub fn uses_max(&self) -> u32 {
        let Some(bounds) = self.bounds() else { return 1 };
        let paid = bounds.cost_max.checked_div(self.cost).unwrap_or(u64::MAX);
        bounds.calls_max.min(u32::try_from(paid).unwrap_or(u32::MAX)).max(1)
    }

    /// Whether a call in this run at this moment may use what was approved: an approval for a run is for no other.
    #[must_use]
    pub fn usable(&self, run: &RunId, now: Timestamp) -> bool {
        let live = matches!(self.state(now), QuestionState::Approved | QuestionState::Open);
        live && self.bounds().is_none_or(|bounds| self.run == *run && now < bounds.until)
    }

    /// How many people have approved under this rule. Nobody counts twice.
    #[must_use]
    pub fn yes(&self, rule: &RuleId) -> usize {
        self.people(rule, true)
    }

    /// How many people have said no under this rule. Nobody counts twice.
    #[must_use]
    pub fn no(&self, rule: &RuleId) -> usize {
        self.people(rule, false)
    }

    fn people(&self, rule: &RuleId, approve: bool) -> usize {
        let mut people: Vec<&Vote> = Vec::new();
        for vote in self.votes.iter().filter(|vote| vote.approve == approve && vote.rule == *rule) {
            if !people.iter().any(|counted| counted.is_of(vote)) {
                people.push(vote);
            }
        }
        people.len()
    }

    /// Whether this vote may still be added: the question is open at its time and asks for its rule, and
    /// whoever casts it has not voted on that rule, under this name or another.
    ///
    /// # Errors
    /// The conflict, in a word.
    pub fn takes(&self, vote: &Vote) -> Result<(), &'static str> {
        let state = self.state(vote.at);
        if state != QuestionState::Open {
            return Err(state.as_str());
        }
        if !self.rules.iter().any(|asked| asked.id == vote.rule) {
            return Err("rule");
        }
        let voted = self.votes.iter().any(|cast| cast.rule == vote.rule && cast.is_of(vote));
        if voted { Err("voted") } else { Ok(()) }
    }

    /// What was asked back and not answered yet.
    #[must_use]
    pub fn asked_back(&self) -> Option<&Remark> {
        self.remarks.last().filter(|remark| remark.by.is_some())
    }

    /// Whether a remark may still be added at this time.
    ///
    /// # Errors
    /// The conflict, in a word.
    pub fn hears(&self, at: Timestamp) -> Result<(), &'static str> {
        match self.state(at) {
            QuestionState::Open if self.remarks.len() < REMARKS_MAX => Ok(()),
            QuestionState::Open => Err("remarks"),
            state => Err(state.as_str()),
        }
    }

    /// Whether so many steps of the escalation may be put into force at this time.
    ///
    /// # Errors
    /// The conflict, in a word.
    pub fn escalates(&self, steps: u32, at: Timestamp) -> Result<(), &'static str> {
        match self.state(at) {
            QuestionState::Open if steps > self.escalated => Ok(()),
            QuestionState::Open => Err("steps"),
            state => Err(state.as_str()),
        }
    }

    /// Whether it waits for its preview at this time.
    #[must_use]
    pub fn takes_preview(&self, at: Timestamp) -> bool {
        self.preview == Some(Preview::Awaited) && self.state(at) == QuestionState::Open
    }

    /// Whether another call may still be put in this one's place at this time.
    ///
    /// # Errors
    /// The conflict, in a word.
    pub fn narrows(&self, at: Timestamp) -> Result<(), &'static str> {
        match self.state(at) {
            QuestionState::Open => Ok(()),
            state => Err(state.as_str()),
        }
    }

    /// Why people refused, when they did: the last reason counts.
    #[must_use]
    pub fn denial(&self, now: Timestamp) -> Option<&str> {
        let denied = self.state(now) == QuestionState::Denied;
        self.votes.iter().rev().find(|vote| denied && !vote.approve).map(|vote| vote.reason.as_str())
    }
}

impl Narrowed {
    /// What the agent is told of it.
    #[must_use]
    pub fn told(&self) -> verdict::Narrowed {
        verdict::Narrowed { arguments: self.arguments.clone(), question: self.next.clone() }
    }
}

impl Vote {
    /// Whether the two cannot both count: one person casts both, or both are one person's, cast by themselves
    /// or in their place.
    #[must_use]
    pub fn is_of(&self, other: &Self) -> bool {
        other.people().any(|(operator, user)| self.is_by(operator, user))
    }

    /// Whether this person cast it, or it was cast in their place.
    #[must_use]
    pub fn is_by(&self, operator: &OperatorId, user: Option<&UserId>) -> bool {
        self.people().any(|person| same_person(person, (operator, user)))
    }

    /// Whoever casts it, and in whose place, as commitments under this salt: two votes that share one cannot both count.
    #[must_use]
    pub fn named(&self, salt: &Salt) -> Vec<String> {
        let people = self.people().flat_map(|(operator, user)| {
            let user = user.map(|user| salt.commit("user", user.as_str()));
            std::iter::once(salt.commit("operator", operator.as_str())).chain(user)
        });
        let mut named: Vec<String> = people.map(|digest| digest.to_string()).collect();
        named.sort();
        named.dedup();
        named
    }

    fn people(&self) -> impl Iterator<Item = (&OperatorId, Option<&UserId>)> {
        let behalf = self.behalf.as_ref().map(|(operator, user)| (operator, user.as_ref()));
        std::iter::once((&self.by, self.user.as_ref())).chain(behalf)
    }
}

impl QuestionState {
    /// The word used in answers and listings.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Used => "used",
            Self::Narrowed => "narrowed",
        }
    }
}

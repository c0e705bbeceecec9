//! Delegation: a person lets another vote in their place, for a while, and says so beforehand.
//!
//! INVARIANT (a stand-in adds no vote): the vote of a stand-in is their principal's. Whoever of the two has
//! voted on a rule, the other cannot; and nobody casts two votes on it, in whosever place.

use jiff::{SignedDuration, Timestamp};
use remit_core::approval::{Approver, same_person};
use remit_core::ids::{OperatorId, RecordId, RuleId};

use crate::gate::Gate;
use crate::intent::{CommitError, Unavailable};

/// Longest delegation, in days.
pub const DAYS_MAX: i64 = 30;

/// Somebody may vote in another's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// Its record, by which it is taken back.
    pub id: RecordId,
    /// In whose place.
    pub from: OperatorId,
    /// Who votes.
    pub to: OperatorId,
    /// Only under this rule.
    pub rule: Option<RuleId>,
    /// Since when.
    pub since: Timestamp,
    /// Until when, this moment not included.
    pub until: Timestamp,
}

impl Delegation {
    /// Whether it lets this person vote under this rule.
    #[must_use]
    pub fn lets(&self, to: &OperatorId, rule: &RuleId) -> bool {
        self.to == *to && self.rule.as_ref().is_none_or(|only| only == rule)
    }
}

/// Why nothing was delegated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDelegated {
    /// Nobody of that name steers this gateway.
    #[error("there is no `{0}` among those who steer the gateway")]
    Unknown(OperatorId),
    /// It is the same person.
    #[error("nobody can stand in for themselves")]
    Oneself,
    /// There is no such rule.
    #[error("unknown approval rule `{0}`")]
    Rule(RuleId),
    /// The end is past, or too far away.
    #[error("a delegation ends within {DAYS_MAX} days")]
    Until,
    /// The same was delegated already.
    #[error("the same is delegated already; take that back first")]
    Already,
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

impl Gate {
    /// Lets somebody vote in the place of an authenticated person, on the record.
    ///
    /// # Errors
    /// Says why not; nothing is delegated then.
    pub async fn delegate(
        &self,
        from: &Approver,
        to: &OperatorId,
        rule: Option<&RuleId>,
        until: Timestamp,
    ) -> Result<Delegation, NotDelegated> {
        let now = self.now();
        let stand_in = self.person(to).ok_or_else(|| NotDelegated::Unknown(to.clone()))?;
        if same_person((&from.id, from.user.as_ref()), (&stand_in.id, stand_in.user.as_ref())) {
            return Err(NotDelegated::Oneself);
        }
        if let Some(rule) = rule.filter(|rule| self.snapshot.load().rule(rule).is_none()) {
            return Err(NotDelegated::Rule(rule.clone()));
        }
        let latest = now.checked_add(SignedDuration::from_hours(24 * DAYS_MAX)).unwrap_or(now);
        if until <= now || until > latest {
            return Err(NotDelegated::Until);
        }
        let id = self.record_id();
        let (from, to, rule) = (from.id.clone(), to.clone(), rule.cloned());
        let delegation = Delegation { id, from, to, rule, since: now, until };
        let ticket = self.writer.ticket();
        let draft = self.delegation_draft(&delegation, &delegation.from, now);
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        match self.ports.store.put_delegation(delegation.clone(), record).await {
            Ok(()) => Ok(delegation),
            Err(CommitError::Conflict(_)) => {
                self.writer.give_back(ticket);
                Err(NotDelegated::Already)
            }
            Err(CommitError::Unavailable(error)) => Err(error.into()),
        }
    }

    /// Takes a delegation back; false when there is none of this id in force that this person may take back.
    /// Either of the two may, and `anybodys` says whether this person may take back other people's.
    ///
    /// # Errors
    /// When the store is unavailable; it is then in force still.
    pub async fn end_delegation(&self, by: &OperatorId, id: &RecordId, anybodys: bool) -> Result<bool, Unavailable> {
        let now = self.now();
        let found = self.ports.store.delegations(now).await?.into_iter().find(|delegation| delegation.id == *id);
        let Some(found) = found.filter(|found| anybodys || found.from == *by || found.to == *by) else {
            return Ok(false);
        };
        let ticket = self.writer.ticket();
        let draft = self.delegation_draft(&Delegation { until: now, ..found }, by, now);
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        let ended = self.ports.store.end_delegation(id, now, record).await?;
        if !ended {
            self.writer.give_back(ticket);
        }
        Ok(ended)
    }

    /// The people in whose place this person may vote under this rule, as they are known now.
    pub(crate) fn principals(&self, delegations: &[Delegation], to: &Approver, rule: &RuleId) -> Vec<Approver> {
        let lent = delegations.iter().filter(|delegation| delegation.lets(&to.id, rule));
        lent.filter_map(|delegation| self.person(&delegation.from)).collect()
    }

    /// A person who steers, as the configuration in force knows them.
    pub(crate) fn person(&self, id: &OperatorId) -> Option<Approver> {
        self.roster.load().as_ref().and_then(|roster| roster.0.person(id))
    }

    /// All people who steer.
    pub(crate) fn everybody(&self) -> Vec<Approver> {
        self.roster.load().as_ref().map(|roster| roster.0.people()).unwrap_or_default()
    }
}

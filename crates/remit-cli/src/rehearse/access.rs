//! Access for a while and stand-ins, on the stage.

use jiff::SignedDuration;
use remit_app::NotGiven;
use remit_app::access::{AccessRequest, RequestState};
use remit_config::{AccessStep, Verdict};
use remit_core::ids::{AgentId, OperatorId, RuleId};
use remit_core::verdict::Refusal;

use super::{Rehearsal, Seen};

const WHY: &str = "as the scenario says";

impl Rehearsal {
    pub(super) async fn request(&mut self, step: &AccessStep) -> Result<Seen, String> {
        let caller = self.caller(&step.actor)?;
        match self.gate.request_access(&caller, None, &step.asked, WHY).await {
            Ok(request) => Ok(self.asked(request)),
            Err(refusal) => Ok(refused(refusal)),
        }
    }

    pub(super) async fn give(&mut self, step: &AccessStep, by: &OperatorId) -> Result<Seen, String> {
        let (person, agent, user) = (self.person(by), &step.actor.agent, step.actor.user.as_ref());
        match self.gate.give_access(&person, agent, user, &step.asked, WHY).await {
            Ok(request) => Ok(self.asked(request)),
            Err(NotGiven::Refused(refusal)) => Ok(refused(refusal)),
            Err(NotGiven::NotTaken(error)) => Err(error.to_string()),
        }
    }

    fn asked(&mut self, request: AccessRequest) -> Seen {
        self.asked = Some(request.question);
        let granted = matches!(request.state, RequestState::Granted(_));
        Seen {
            verdict: Some(if granted { Verdict::Allow } else { Verdict::Ask }),
            ask: if granted { Vec::new() } else { vec![request.rule] },
            ..Seen::default()
        }
    }

    pub(super) async fn revoke(&self, agent: &AgentId, by: &OperatorId) -> Result<Seen, String> {
        let given = self.gate.ports().store.grants(true).await.map_err(|error| error.to_string())?;
        let newest = given.iter().filter(|given| given.grant.agent == *agent).max_by_key(|given| given.given_at);
        let newest = newest.ok_or_else(|| format!("{agent} was given nothing"))?;
        let revoked = self.gate.revoke_grant(&newest.grant.id, by, WHY).await;
        revoked.map(|_| Seen::default()).map_err(|refusal| refusal.reason)
    }

    pub(super) async fn break_glass(&self, name: &RuleId, by: &OperatorId) -> Result<Seen, String> {
        let broken = self.gate.break_glass(&self.person(by), name, None, None, "a rehearsal", WHY).await;
        broken.map(|_| Seen::default()).map_err(|refusal| refusal.reason)
    }

    pub(super) async fn delegate(
        &self,
        by: &OperatorId,
        to: &OperatorId,
        rule: Option<&RuleId>,
    ) -> Result<Seen, String> {
        let until = self.gate.ports().clock.now().checked_add(SignedDuration::from_hours(24));
        let until = until.map_err(|error| error.to_string())?;
        let lent = self.gate.delegate(&self.person(by), to, rule, until).await;
        lent.map(|_| Seen::default()).map_err(|error| error.to_string())
    }
}

fn refused(refusal: Refusal) -> Seen {
    Seen { verdict: Some(Verdict::Deny), code: Some(refusal.code), reason: refusal.reason, ..Seen::default() }
}

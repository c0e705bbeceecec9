//! Breaking the glass: authority that was declared for emergencies, taken by a person at once, and
//! reviewed by another one afterwards.

use jiff::{SignedDuration, Timestamp};
use remit_core::access::{AccessGrant, BreakGlass, Ground, Whom};
use remit_core::approval::{Approver, Voter};
use remit_core::ids::{AgentId, GrantId, RuleId, UserId};
use remit_core::json;
use remit_core::limits::REASON_BYTES_MAX;
use remit_core::verdict::{Code, Refusal};

use crate::access::{Emergency, Given, Review};
use crate::gate::{Gate, unavailable};
use crate::intent::CommitError;
use crate::records::millis;

/// Why the glass was not broken, or an emergency not reviewed.
pub type NotDone = Refusal;

impl Gate {
    /// Takes what was declared for emergencies, for one agent, at once.
    ///
    /// # Errors
    /// When nothing is declared under this name, not for this agent, or not for this person.
    pub async fn break_glass(
        &self,
        approver: &Approver,
        name: &RuleId,
        agent: Option<&AgentId>,
        user: Option<&UserId>,
        incident: &str,
        reason: &str,
    ) -> Result<Given, NotDone> {
        let snapshot = self.snapshot();
        let glass = snapshot.glass(name);
        let unknown = || Refusal::new(Code::AccessNotOffered, format!("no emergency is declared as `{name}`"));
        let glass = glass.ok_or_else(|| unknown().with_remedy("See `break_glass:` in remit.yaml."))?;
        if !among(&glass.people, approver, self.now()) {
            let reason = format!("`{name}` may not be used by {}", approver.id);
            return Err(Refusal::new(Code::PolicyNoPermit, reason).with_remedy("Somebody it names has to use it."));
        }
        let agent = agent_of(glass, agent)?;
        for (what, text) in [("incident", incident), ("reason", reason)] {
            if text.trim().is_empty() {
                return Err(Refusal::new(Code::Malformed, format!("`{what}` is missing: people will ask")));
            }
        }
        let at = self.now();
        // One at a time: whoever needs more than was declared takes the first one back, on the record.
        let open = self.ports.store.grants(true).await.map_err(|error| unavailable(&error))?;
        let ground = Ground::BreakGlass(name.clone());
        let same =
            |given: &&Given| given.grant.ground == ground && given.grant.agent == agent && at < given.grant.expires;
        if let Some(given) = open.iter().find(same) {
            let reason = format!("`{name}` is in force for agent:{agent} already, as {}", given.grant.id);
            return Err(Refusal::new(Code::Conflict, reason).with_remedy("Use that one, or revoke it first."));
        }
        let id = crate::records::grant_id(at, &self.ports.entropy.bytes());
        let grant = granted(glass, id, agent, user, at);
        let short = |text: &str| text.chars().take(REASON_BYTES_MAX / 4).collect::<String>();
        let (incident, reason) = (short(incident), short(reason));
        let (mut body, mut words) = self.access_body("break_glass", &grant.agent, &grant.terms);
        body.text("grant", grant.id.as_str()).text("break_glass", name.as_str());
        words.put("/incident", incident.as_str());
        body.text("expires", &millis(grant.expires));
        body.texts("instead_of", glass.instead_of.iter().map(RuleId::as_str)).flag("review_due", true);
        let mut said = vec![("operator", json::quoted(approver.id.as_str())), ("reason", json::quoted(&reason))];
        said.extend(user.map(|user| ("user", json::quoted(user.as_str()))));
        let (ticket, record) = self.access_record((body, words), Vec::new(), said, None, at);
        let emergency =
            Emergency { by: approver.id.clone(), user: approver.user.clone(), incident, reason, review: None };
        let (emergency, digest) = (Some(emergency), record.digest);
        let given = Given { grant, request: None, given_at: at, emergency, record: digest, end: None };
        match self.ports.store.put_grant(given.clone(), record).await {
            Ok(()) => {
                self.ports.notifier.authority_changed();
                Ok(given)
            }
            Err(CommitError::Conflict(_)) => {
                self.writer.give_back(ticket);
                Err(Refusal::new(Code::Internal, "two grants have the same id"))
            }
            Err(CommitError::Unavailable(error)) => Err(unavailable(&error)),
        }
    }

    /// Adds what a second person says of an emergency.
    ///
    /// # Errors
    /// When there was none, it was reviewed already, or this person broke the glass or is no reviewer of it.
    pub async fn review_emergency(
        &self,
        approver: &Approver,
        id: &GrantId,
        justified: bool,
        note: &str,
    ) -> Result<Given, NotDone> {
        let store = &self.ports.store;
        let found = store.grant(id).await.map_err(|error| unavailable(&error))?;
        let unknown = || Refusal::new(Code::GrantUnknown, "there is no such emergency");
        let given = found.ok_or_else(unknown)?;
        let Some(emergency) = &given.emergency else { return Err(unknown()) };
        let refused = |reason: String| {
            let refusal = Refusal::new(Code::PolicyNoPermit, reason);
            Err(refusal.with_remedy("A second person, whom the declaration names as a reviewer, has to look at it."))
        };
        // One person under two names is one person; and where nobody has said which user they are, they
        // cannot be told apart.
        let apart = emergency.user.is_some() && approver.user.is_some() && emergency.user != approver.user;
        if emergency.by == approver.id || !apart {
            return refused(
                "whoever broke the glass cannot review it, or keys.yaml does not say who is who".to_owned(),
            );
        }
        // Without its declaration, which may be gone by now, any second person with the role may review.
        let snapshot = self.snapshot();
        let reviewers = snapshot.glass(given.grant.ground.name()).map(|glass| &glass.reviewers);
        if reviewers.is_some_and(|reviewers| !among(reviewers, approver, self.now())) {
            return refused(format!("{} is no reviewer of `{}`", approver.id, given.grant.ground.name()));
        }
        if note.trim().is_empty() {
            return Err(Refusal::new(Code::Malformed, "`note` is missing: people will ask"));
        }
        let at: Timestamp = self.now();
        let note: String = note.chars().take(REASON_BYTES_MAX / 4).collect();
        let review = Review { by: approver.id.clone(), at, justified, note: note.clone() };
        let (mut body, mut words) = self.access_body("reviewed", &given.grant.agent, &given.grant.terms);
        body.text("grant", id.as_str()).flag("justified", justified);
        words.put("/incident", emergency.incident.as_str());
        let used = self.used(&given.grant).await.map_err(|error| unavailable(&error))?;
        body.number("used", used);
        let mut said = vec![("operator", json::quoted(approver.id.as_str())), ("reason", json::quoted(&note))];
        said.extend(crate::grant::beneficiary(&given.grant));
        let (ticket, record) = self.access_record((body, words), vec![("grant", given.record)], said, None, at);
        match store.review_grant(id, review, record).await {
            Ok(given) => Ok(given),
            Err(CommitError::Conflict(_)) => {
                self.writer.give_back(ticket);
                Err(Refusal::new(Code::Conflict, "it was reviewed already"))
            }
            Err(CommitError::Unavailable(error)) => Err(unavailable(&error)),
        }
    }
}

/// Which agent is meant: the one that is named, or the only one that it is for.
fn agent_of(glass: &BreakGlass, named: Option<&AgentId>) -> Result<AgentId, NotDone> {
    match (named, glass.agents.as_slice()) {
        (Some(agent), agents) if agents.contains(agent) => Ok(agent.clone()),
        (None, [only]) => Ok(only.clone()),
        (Some(agent), _) => {
            Err(Refusal::new(Code::AccessNotOffered, format!("`{}` is not for agent:{agent}", glass.name)))
        }
        (None, _) => Err(Refusal::new(Code::Malformed, format!("`{}` is for several agents: name one", glass.name))),
    }
}

/// What was declared, for this agent and from this moment on.
fn granted(glass: &BreakGlass, id: GrantId, agent: AgentId, user: Option<&UserId>, at: Timestamp) -> AccessGrant {
    let secs = SignedDuration::from_secs(i64::try_from(glass.terms.secs).unwrap_or(i64::MAX));
    AccessGrant {
        id,
        agent,
        whom: user.map_or(Whom::Anybody, |user| Whom::Exactly(Some(user.clone()))),
        terms: glass.terms.clone(),
        expires: at.checked_add(secs).unwrap_or(at),
        unused_until: None,
        ground: Ground::BreakGlass(glass.name.clone()),
    }
}

fn among(people: &[Voter], approver: &Approver, now: Timestamp) -> bool {
    people.iter().any(|voter| voter.is(approver, now))
}

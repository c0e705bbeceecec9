//! Asking for access for a while: a request is a question under the rule that the remit names, so people decide it as
//! they decide a held call. What comes of their yes is in `grant`.

mod draft;

use remit_core::access::{InvalidTerms, Offer, Terms};
use remit_core::approval::{ApprovalRule, Approver, Factor};
use remit_core::ids::{AgentId, OperatorId, QuestionId, RunId, UserId};
use remit_core::json;
use remit_core::verdict::{Code, Refusal};
use remit_core::{Caller, Snapshot};
use remit_evidence::record::Draft;
use remit_evidence::writer::{SignedRecord, Ticket};
use serde_json::Value;

use self::draft::{Drafted, Wanted, draft, entitled};
use crate::access::{AccessRequest, RequestState};
use crate::action::Action;
use crate::approve::{self, NotTaken};
use crate::ballot::{Ballot, Choice};
use crate::gate::{Gate, unavailable};
use crate::intent::CommitError;
use crate::question::{Question, QuestionState};
use crate::records::rules_body;

/// Most requests of one agent that may wait for people at once: more would bury what matters.
const OPEN_REQUESTS_MAX: usize = 10;

/// Why access was not given.
#[derive(Clone, Debug, PartialEq)]
pub enum NotGiven {
    /// It may not be asked for, or not like this.
    Refused(Refusal),
    /// This person's vote was not taken.
    NotTaken(NotTaken),
}

impl From<Refusal> for NotGiven {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<NotTaken> for NotGiven {
    fn from(error: NotTaken) -> Self {
        Self::NotTaken(error)
    }
}

impl Gate {
    /// What the agent of this caller may ask for.
    #[must_use]
    pub fn offers(&self, caller: &Caller) -> Vec<Offer> {
        self.snapshot().remit(caller.calling_agent()).map(|remit| remit.may_request.clone()).unwrap_or_default()
    }

    /// Opens a request of an agent. What it does not say is as the remit offers it.
    ///
    /// # Errors
    /// When the remit offers no such thing, too many wait already, or the store is unavailable.
    pub async fn request_access(
        &self,
        caller: &Caller,
        run: Option<&RunId>,
        asked: &Value,
        why: &str,
    ) -> Result<AccessRequest, Refusal> {
        let run = self.run_of(caller, run).await?;
        let drafted = draft(&self.snapshot(), caller, run, Wanted { asked, why, rule: None }, self.now())?;
        self.open_access(drafted, None).await
    }

    /// Gives what an agent may ask for without its asking: opens the request in its place, and votes for it.
    /// Where the rule needs more people, it waits for them.
    ///
    /// # Errors
    /// When the remit offers no such thing, or this person's vote does not count.
    pub async fn give_access(
        &self,
        approver: &Approver,
        agent: &AgentId,
        user: Option<&UserId>,
        asked: &Value,
        why: &str,
    ) -> Result<AccessRequest, NotGiven> {
        let snapshot = self.snapshot();
        let caller = Caller::agent(snapshot.tenant().clone(), agent.clone());
        let caller = user.map_or(caller.clone(), |user| caller.for_user(user.clone()));
        let drafted = draft(&snapshot, &caller, self.unresolved_run(), Wanted { asked, why, rule: None }, self.now())?;
        entitled(&snapshot, approver, &drafted, self.now())?;
        let request = self.open_access(drafted, Some(&approver.id)).await?;
        self.vote_for(approver, &request, why).await?;
        Ok(self.request_now(&request.id).await?)
    }

    /// Gives less than was asked for: the request goes on under the narrower terms, with this person's vote.
    ///
    /// # Errors
    /// When the request is not open, the terms are no part of what was asked, or the vote does not count.
    pub async fn narrow_access(
        &self,
        approver: &Approver,
        id: &QuestionId,
        asked: &Value,
        reason: &str,
    ) -> Result<AccessRequest, NotGiven> {
        let request = self.request_now(id).await?;
        let open = self.ports.store.question(&request.question).await.map_err(|error| unavailable(&error))?;
        let state = open.as_ref().map_or(QuestionState::Expired, |question| question.state(self.now()));
        let (Some(old), QuestionState::Open, RequestState::Open) = (open, state, &request.state) else {
            return Err(NotTaken::NotOpen(state.as_str()).into());
        };
        let terms = Terms::read(asked, Some(&request.terms)).map_err(malformed)?;
        let beyond = |text: String| {
            Refusal::new(Code::AccessNotOffered, format!("that is not narrower: {text}")).with_remedy(
                "Leave less than was asked for: fewer tools, tighter bounds, a shorter time or fewer calls.",
            )
        };
        terms.check_within(&request.terms).map_err(beyond)?;
        let snapshot = self.snapshot();
        let caller = Caller::agent(snapshot.tenant().clone(), request.agent.clone());
        let caller = request.user.clone().map_or(caller.clone(), |user| caller.for_user(user));
        let caller = caller.delegated_by(old.via.clone());
        let caller = caller.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
        // Under the same rule: another one that would do for less is not what was asked for.
        let wanted = Wanted { asked: &terms.to_json(), why: &request.why, rule: Some(&request.rule) };
        let drafted = draft(&snapshot, &caller, old.run.clone(), wanted, self.now())?;
        entitled(&snapshot, approver, &drafted, self.now())?;
        let (question, ticket, record) = self.ask_for(&snapshot, &drafted, "narrowed", Some(&approver.id), Some(&old));
        let asked = self.ports.store.narrow_request(id, &old.id, drafted.terms, question, record).await;
        let request = self.stored(asked, ticket)?;
        self.ports.notifier.question_changed(&old.id);
        self.vote_for(approver, &request, reason).await?;
        Ok(self.request_now(id).await?)
    }

    /// The yes of whoever wrote these very terms. Where the rule wants it signed, they still have to sign it: on
    /// the question, as everybody does.
    async fn vote_for(&self, approver: &Approver, request: &AccessRequest, reason: &str) -> Result<(), NotGiven> {
        let signed = |rule: &ApprovalRule| rule.factor == Some(Factor::Passkey);
        if self.snapshot().rule(&request.rule).is_some_and(signed) {
            return Ok(());
        }
        let sight = self.sight(&request.question).await.map_err(|error| unavailable(&error))?;
        let shown = sight.ok_or(NotTaken::Unknown)?.shown;
        let (question, reason) = (request.question.clone(), reason.to_owned());
        let ballot = Ballot { question, rule: None, choice: Choice::Approve, reason, shown, proof: None };
        self.vote(approver, ballot).await?;
        Ok(())
    }

    async fn open_access(&self, drafted: Drafted, by: Option<&OperatorId>) -> Result<AccessRequest, Refusal> {
        let snapshot = self.snapshot();
        let open = self.ports.store.requests(true).await.map_err(|error| unavailable(&error))?;
        let agent = drafted.call.caller.calling_agent();
        let same = |r: &&AccessRequest| r.agent == *agent && r.terms == drafted.terms && r.why == drafted.why;
        if open.iter().filter(|request| request.agent == *agent).count() >= OPEN_REQUESTS_MAX
            && !open.iter().any(|request| same(&request))
        {
            let reason = format!("{OPEN_REQUESTS_MAX} requests of {agent} wait for people already");
            let remedy = "Wait until they are decided, and ask for several tools at once.";
            return Err(Refusal::new(Code::BudgetExhausted, reason).with_remedy(remedy));
        }
        let (question, ticket, record) = self.ask_for(&snapshot, &drafted, "requested", by, None);
        let request = AccessRequest {
            id: question.id.clone(),
            question: question.id.clone(),
            agent: agent.clone(),
            user: drafted.call.caller.user().cloned(),
            terms: drafted.terms,
            unused_secs: drafted.offer.unused_secs,
            rule: drafted.offer.approval,
            why: drafted.why,
            by: by.cloned(),
            asked_at: question.asked_at,
            record: record.digest,
            state: RequestState::Open,
        };
        let stored = self.ports.store.open_request(request.clone(), question, record).await;
        let kept = stored.as_ref().is_ok_and(|stored| stored.id != request.id);
        if kept {
            self.writer.give_back(ticket);
            return stored.map_err(|error| conflict(&error));
        }
        let request = self.stored(stored, ticket)?;
        self.ports.notifier.question_changed(&request.question);
        Ok(request)
    }

    /// The question of a request, with the record that says it was asked.
    fn ask_for(
        &self,
        snapshot: &Snapshot,
        drafted: &Drafted,
        event: &'static str,
        by: Option<&OperatorId>,
        before: Option<&Question>,
    ) -> (Question, Ticket, SignedRecord) {
        let Drafted { call, offer, terms, why } = drafted;
        let now = self.now();
        let id = crate::records::question_id(now, &self.ports.entropy.bytes());
        let rules = [offer.approval.clone()];
        let (mut body, words) = self.access_body(event, call.caller.calling_agent(), terms);
        body.text("question", id.as_str()).text("rule", offer.approval.as_str());
        rules_body(snapshot, &rules, &mut body);
        let (salt, voters) = self.salts();
        let action = Action::of(call, salt);
        let mut said = vec![("action", action.text.clone()), ("why", json::quoted(why))];
        said.extend(call.caller.user().map(|user| ("user", json::quoted(user.as_str()))));
        said.extend(by.map(|by| ("operator", json::quoted(by.as_str()))));
        let links = before.map(|before| ("request", before.decision)).into_iter().collect();
        let draft = self.access_draft((body, words), links, said, Some(&call.run), now);
        let ticket = self.writer.ticket();
        let draft = Draft { action: Some(action.digest), ..draft };
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        let reason = format!("agent:{} asks for {terms}", call.caller.calling_agent());
        let refusal = Refusal::new(Code::ApprovalRequired, reason);
        let question = approve::question(snapshot, (call, &action), &record, &rules, &refusal, (id, voters), now);
        (question, ticket, record)
    }

    fn stored<T>(&self, stored: Result<T, CommitError>, ticket: Ticket) -> Result<T, Refusal> {
        if matches!(stored, Err(CommitError::Conflict(_))) {
            self.writer.give_back(ticket);
        }
        stored.map_err(|error| conflict(&error))
    }

    async fn request_now(&self, id: &QuestionId) -> Result<AccessRequest, Refusal> {
        let found = self.ports.store.request(id).await.map_err(|error| unavailable(&error))?;
        found.ok_or_else(|| Refusal::new(Code::QuestionUnknown, "there is no such request"))
    }
}

fn malformed(error: InvalidTerms) -> Refusal {
    Refusal::new(Code::Malformed, error.0)
}

fn conflict(error: &CommitError) -> Refusal {
    match error {
        CommitError::Conflict(_) => Refusal::new(Code::Conflict, "somebody else changed the request at the same time"),
        CommitError::Unavailable(error) => unavailable(error),
    }
}

//! Asking for access, giving it for a while, and taking it back.
//!
//! A request is a question under the rule that the remit names, so people decide it as they decide a held
//! call. The grant is made in one deed that also uses the question up: a crash before it leaves an approved
//! question, and the next round of `tend_grants` makes the grant; a crash after it leaves nothing to do.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use remit_core::access::{AccessGrant, Ground, InvalidTerms, Offer, Terms, Whom};
use remit_core::approval::{ApprovalRule, Approver, CallParties, Distinct, Factor, Hour};
use remit_core::call::Call;
use remit_core::ids::{AgentId, GrantId, OperatorId, QuestionId, RuleId, RunId, TeamId, ToolName, UserId};
use remit_core::json::{self, Object};
use remit_core::labels::Labels;
use remit_core::limits::REASON_BYTES_MAX;
use remit_core::registry::{Class, Cost, Definition, ResourceMap, Risk, Schema, Shape, Tool};
use remit_core::verdict::{Code, Refusal};
use remit_core::{Caller, Snapshot};
use remit_evidence::record::{Draft, Kind};
use remit_evidence::words::Words;
use remit_evidence::writer::{SignedRecord, Ticket};
use serde_json::{Value, json};

use crate::access::{AccessRequest, End, Ending, Given, RequestState};
use crate::action::Action;
use crate::approve::{self, NotTaken};
use crate::ballot::{Ballot, Choice};
use crate::gate::{Gate, unavailable};
use crate::intent::{CommitError, Unavailable};
use crate::question::{Question, QuestionState};
use crate::records::{bounded, millis, plain, rules_body, terms_body};

/// Most requests of one agent that may wait for people at once: more would bury what matters.
const OPEN_REQUESTS_MAX: usize = 10;

/// For how long a grant that is over stays listed as one that is not.
const SETTLING: SignedDuration = SignedDuration::from_secs(1);

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

/// A request before it is stored: as the call of a tool of our own, so that it is bound to its exact
/// arguments, its caller and its run like any other.
struct Drafted {
    call: Call,
    offer: Offer,
    terms: Terms,
    why: String,
}

/// What is asked for, and why; under which rule, when that is settled.
struct Wanted<'a> {
    asked: &'a Value,
    why: &'a str,
    rule: Option<&'a RuleId>,
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
        let beyond = |text: String| Refusal::new(Code::AccessNotOffered, format!("that is not narrower: {text}"));
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

    /// Takes a grant back, for every call that is decided from now on. False when it has ended already.
    ///
    /// # Errors
    /// When there is no such grant, or the store is unavailable.
    pub async fn revoke_grant(&self, id: &GrantId, by: &OperatorId, reason: &str) -> Result<bool, Refusal> {
        let store = &self.ports.store;
        let given = store.grant(id).await.map_err(|error| unavailable(&error))?;
        let given = given.ok_or_else(|| Refusal::new(Code::GrantUnknown, "there is no such grant"))?;
        let reason = reason.chars().take(REASON_BYTES_MAX / 4).collect();
        let end = End { how: Ending::Revoked, at: self.now(), by: Some(by.clone()), reason };
        self.end(&given, end).await.map_err(|error| unavailable(&error))
    }

    /// Completes what a vote decided and nobody has completed, and ends what is over. Runs at the start,
    /// before the first call, and every few seconds. How many it completed or ended.
    ///
    /// # Errors
    /// When the store is unavailable; what was done so far stays done.
    pub async fn tend_grants(&self) -> Result<usize, Unavailable> {
        let store = &self.ports.store;
        let mut done = 0;
        for request in store.requests(true).await? {
            if let Some(question) = store.question(&request.question).await? {
                done += usize::from(self.complete_request(&question).await?);
            }
        }
        for given in store.grants(true).await? {
            let used = self.used(&given.grant).await?;
            let at = self.now();
            // What was counted may be behind by the group that is being written, so nothing ends on the very
            // moment. No decision waits for this.
            let past = at.checked_sub(SETTLING).unwrap_or(at);
            if given.grant.over(used, past) {
                let how = if given.grant.expires <= at { Ending::Expired } else { Ending::Unused };
                let end = End { how, at, by: None, reason: String::new() };
                done += usize::from(self.end(&given, end).await?);
            }
        }
        Ok(done)
    }

    /// How many calls rest on a grant.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn used(&self, grant: &AccessGrant) -> Result<u64, Unavailable> {
        let usage = self.ports.store.usage(&[grant.budget()]).await?;
        Ok(usage.first().map_or(0, |(settled, reserved)| settled.saturating_add(*reserved)))
    }

    /// Makes a grant of a request whose question was approved, or ends it when it was refused or has lapsed.
    /// Nothing happens to other questions, and nothing twice.
    pub(crate) async fn complete_request(&self, question: &Question) -> Result<bool, Unavailable> {
        let at = self.now();
        let state = question.state(at);
        if state == QuestionState::Open {
            return Ok(false);
        }
        let found = self.ports.store.request_of(&question.id).await?;
        let Some(request) = found.filter(|r| r.state == RequestState::Open && r.question == question.id) else {
            return Ok(false);
        };
        match state {
            QuestionState::Approved => self.grant(&request, question, at).await,
            _ => {
                let event = if state == QuestionState::Denied { "refused" } else { "lapsed" };
                let (mut body, words) = self.access_body(event, &request.agent, &request.terms);
                body.text("request", request.id.as_str()).text("rule", request.rule.as_str());
                let links = approvals(question, false).chain([("request", request.record)]).collect();
                let (ticket, record) =
                    self.access_record((body, words), links, user(&request), Some(&question.run), at);
                let ended = self.ports.store.end_request(&request.id, at, record).await?;
                if !ended {
                    self.writer.give_back(ticket);
                }
                Ok(ended)
            }
        }
    }

    async fn grant(&self, request: &AccessRequest, question: &Question, at: Timestamp) -> Result<bool, Unavailable> {
        let later = |secs: u64| {
            let secs = SignedDuration::from_secs(i64::try_from(secs).unwrap_or(i64::MAX));
            at.checked_add(secs).unwrap_or(Timestamp::MAX)
        };
        let grant = AccessGrant {
            id: crate::records::grant_id(at, &self.ports.entropy.bytes()),
            agent: request.agent.clone(),
            whom: Whom::Exactly(request.user.clone()),
            terms: request.terms.clone(),
            expires: later(request.terms.secs),
            unused_until: Some(later(request.unused_secs)),
            ground: Ground::Offer(request.rule.clone()),
        };
        let (mut body, words) = self.access_body("granted", &grant.agent, &grant.terms);
        body.text("grant", grant.id.as_str()).text("request", request.id.as_str());
        body.text("rule", request.rule.as_str()).text("expires", &millis(grant.expires));
        body.text_or_null("unused_until", grant.unused_until.map(millis).as_deref());
        let links = approvals(question, true).chain([("request", request.record)]).collect();
        let (ticket, record) = self.access_record((body, words), links, user(request), Some(&question.run), at);
        let (request, digest) = (Some(request.id.clone()), record.digest);
        let given = Given { grant, request: request.clone(), given_at: at, emergency: None, record: digest, end: None };
        let Some(id) = request else { return Ok(false) };
        match self.ports.store.grant_request(&id, given, record).await {
            Ok(()) => {
                self.ports.notifier.authority_changed();
                Ok(true)
            }
            // Somebody else completed it, or it is not approved any more.
            Err(CommitError::Conflict(_)) => {
                self.writer.give_back(ticket);
                Ok(false)
            }
            Err(CommitError::Unavailable(error)) => Err(error),
        }
    }

    async fn end(&self, given: &Given, end: End) -> Result<bool, Unavailable> {
        let used = self.used(&given.grant).await?;
        let (mut body, words) = self.access_body(end.how.as_str(), &given.grant.agent, &given.grant.terms);
        body.text("grant", given.grant.id.as_str()).number("used", used);
        let mut said = beneficiary(&given.grant);
        said.extend(end.by.as_ref().map(|by| ("operator", json::quoted(by.as_str()))));
        said.extend(end.by.as_ref().map(|_| ("reason", json::quoted(&end.reason))));
        let (ticket, record) = self.access_record((body, words), vec![("grant", given.record)], said, None, end.at);
        let ended = self.ports.store.end_grant(&given.grant.id, end, record).await?;
        if ended {
            self.ports.notifier.authority_changed();
        } else {
            self.writer.give_back(ticket);
        }
        Ok(ended)
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

    pub(crate) fn access_body(&self, event: &'static str, agent: &AgentId, terms: &Terms) -> (Object, Words) {
        let (mut body, mut words) = (Object::new(), Words::default());
        terms_body(terms, "", body.text("event", event), &mut words);
        body.object("agent", |body| {
            body.text("id", agent.as_str());
        });
        (body, words)
    }

    fn access_draft(
        &self,
        (body, words): (Object, Words),
        links: Vec<(&'static str, remit_core::ids::Digest)>,
        mut disclosures: Vec<(&'static str, String)>,
        run: Option<&RunId>,
        at: Timestamp,
    ) -> Draft {
        let run = run.and_then(|run| self.named(run));
        disclosures.extend(words.disclosure());
        Draft { run, links, disclosures, ..plain(Kind::Grant, self.record_id(), at, body) }
    }

    pub(crate) fn access_record(
        &self,
        said: (Object, Words),
        links: Vec<(&'static str, remit_core::ids::Digest)>,
        disclosures: Vec<(&'static str, String)>,
        run: Option<&RunId>,
        at: Timestamp,
    ) -> (Ticket, SignedRecord) {
        let draft = self.access_draft(said, links, disclosures, run, at);
        let ticket = self.writer.ticket();
        let record = self.writer.sign(&ticket, draft, &self.randomness());
        (ticket, record)
    }
}

fn user(request: &AccessRequest) -> Vec<(&'static str, String)> {
    request.user.iter().map(|user| ("user", json::quoted(user.as_str()))).collect()
}

/// For whom alone a grant is, as its records disclose it: by that an erasure finds them.
pub(crate) fn beneficiary(grant: &AccessGrant) -> Vec<(&'static str, String)> {
    let Whom::Exactly(Some(user)) = &grant.whom else { return Vec::new() };
    vec![("user", json::quoted(user.as_str()))]
}

fn approvals(question: &Question, yes: bool) -> impl Iterator<Item = (&'static str, remit_core::ids::Digest)> + '_ {
    let votes = question.votes.iter().filter(move |vote| vote.approve == yes);
    votes.filter_map(|vote| vote.record).map(|digest| ("approval", digest))
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

/// Finds out before anything is written whether this person's vote would count.
fn entitled(snapshot: &Snapshot, approver: &Approver, drafted: &Drafted, now: Timestamp) -> Result<(), NotTaken> {
    let id = &drafted.offer.approval;
    let rule = snapshot.rule(id).ok_or_else(|| NotTaken::RuleChanged(id.clone()))?;
    let hour = Hour { now, steps: 0 };
    let entitled = rule.entitles(approver, &CallParties::of(&drafted.call), hour);
    entitled.map_err(|error| NotTaken::NotEntitled(error.to_string()))
}

/// Meets a request with what the agent's remit offers now.
fn draft(
    snapshot: &Snapshot,
    caller: &Caller,
    run: RunId,
    wanted: Wanted<'_>,
    now: Timestamp,
) -> Result<Drafted, Refusal> {
    let Wanted { asked, why, rule } = wanted;
    if why.trim().is_empty() {
        return Err(Refusal::new(Code::Malformed, "`reason` is missing: people will ask"));
    }
    if asked.get("tools").is_none() {
        return Err(Refusal::new(Code::Malformed, "`tools` is missing"));
    }
    let remit = snapshot.remit(caller.calling_agent());
    let remit = remit.filter(|remit| remit.expires.is_none_or(|at| now < at));
    let mut beyond = format!("the remit of agent:{} lets it ask for nothing", caller.calling_agent());
    let mut found = None;
    let offers = remit.into_iter().flat_map(|remit| &remit.may_request);
    for offer in offers.filter(|offer| rule.is_none_or(|rule| offer.approval == *rule)) {
        let terms = Terms::read(asked, Some(&offer.terms)).map_err(malformed)?;
        match terms.check_within(&offer.terms) {
            Ok(()) => {
                found = Some((offer.clone(), terms));
                break;
            }
            Err(why) => beyond = format!("beyond what may be asked for ({}): {why}", offer.id),
        }
    }
    let (offer, terms) = found.ok_or_else(|| Refusal::new(Code::AccessNotOffered, beyond))?;
    let owner = owner(snapshot, &offer, &terms)?;
    let why: String = bounded(why).to_owned();
    let arguments = json!({"access": terms.to_json(), "rule": offer.approval.as_str(), "why": why});
    let team = remit.and_then(|remit| remit.owner.clone());
    let call = Call::resolve(caller.clone(), team, Arc::new(tool(owner)?), arguments, run);
    let call = call.map_err(|error| Refusal::new(Code::Internal, error.to_string()))?;
    Ok(Drafted { call, offer, terms, why })
}

/// The team that owns the tools asked for, for rules that exclude its people.
fn owner(snapshot: &Snapshot, offer: &Offer, terms: &Terms) -> Result<Option<TeamId>, Refusal> {
    let tools = snapshot.registry().tools().iter().filter(|tool| terms.name(&tool.name));
    let mut owners: Vec<_> = tools.filter_map(|tool| tool.owner.clone()).collect();
    owners.sort();
    owners.dedup();
    let excludes = snapshot.rule(&offer.approval).is_some_and(|r| r.distinct_from.contains(&Distinct::ToolOwner));
    if excludes && owners.len() > 1 {
        let reason = format!("`{}` excludes owners of tools, and these tools have several", offer.approval);
        return Err(
            Refusal::new(Code::AccessNotOffered, reason).with_remedy("Ask for the tools of one owner at a time.")
        );
    }
    Ok(owners.into_iter().next().filter(|_| excludes))
}

/// The tool that a request is a call of. It stands in no registry, and nothing is ever forwarded to it.
fn tool(owner: Option<TeamId>) -> Result<Tool, Refusal> {
    let bug = |text: String| Refusal::new(Code::Internal, text);
    let definition = Definition::new(json!({"name": "request_access", "inputSchema": {"type": "object"}}));
    let schema = definition.input_schema();
    Ok(Tool {
        name: ToolName::parse("remit/request_access").map_err(|error| bug(error.to_string()))?,
        public: "remit__request_access".to_owned(),
        owner,
        class: Class::Approve,
        risk: Risk::High,
        reversible: true,
        undo: None,
        labels: Labels::none(),
        resource: ResourceMap { kind: Some("access".to_owned()), ..ResourceMap::default() },
        cost: Cost::Free,
        input: Schema::compile(&schema).map_err(|error| bug(format!("{error:?}")))?,
        output: None,
        shape: Shape::of_object(&schema),
        definition,
        timeout_ms: 0,
        credential: None,
    })
}

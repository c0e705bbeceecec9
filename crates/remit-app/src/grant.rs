//! Giving access for a while, and taking it back.
//!
//! The grant is made in one deed that also uses the question of its request up: a crash before it leaves an approved
//! question, and the next round of `tend_grants` makes the grant; a crash after it leaves nothing to do.

use jiff::{SignedDuration, Timestamp};
use remit_core::access::{AccessGrant, Ground, Terms, Whom};
use remit_core::ids::{AgentId, Digest, GrantId, OperatorId, RunId};
use remit_core::json::{self, Object};
use remit_core::limits::REASON_BYTES_MAX;
use remit_core::verdict::{Code, Refusal};
use remit_evidence::record::{Draft, Kind};
use remit_evidence::words::Words;
use remit_evidence::writer::{SignedRecord, Ticket};

use crate::access::{AccessRequest, End, Ending, Given, RequestState};
use crate::gate::{Gate, unavailable};
use crate::intent::{CommitError, Unavailable};
use crate::question::{Question, QuestionState};
use crate::records::{millis, plain, terms_body};

/// For how long a grant that is over stays listed as one that is not.
const SETTLING: SignedDuration = SignedDuration::from_secs(1);

impl Gate {
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
        let live = store.grants(true).await?;
        let used = self.used_each(live.iter().map(|given| &given.grant)).await?;
        for (given, used) in live.into_iter().zip(used) {
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
        Ok(self.used_each([grant]).await?.first().copied().unwrap_or(0))
    }

    /// How many calls rest on each of these grants, as of one moment.
    ///
    /// # Errors
    /// When the store is unavailable.
    pub async fn used_each<'g>(
        &self,
        grants: impl IntoIterator<Item = &'g AccessGrant> + Send,
    ) -> Result<Vec<u64>, Unavailable> {
        let budgets: Vec<_> = grants.into_iter().map(AccessGrant::budget).collect();
        let usage = self.ports.store.usage(&budgets).await?;
        Ok(usage.into_iter().map(|(settled, reserved)| settled.saturating_add(reserved)).collect())
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
            unused_until: request.ends_unused().map(later),
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

    pub(crate) fn access_body(&self, event: &'static str, agent: &AgentId, terms: &Terms) -> (Object, Words) {
        let (mut body, mut words) = (Object::new(), Words::default());
        terms_body(terms, "", body.text("event", event), &mut words);
        body.object("agent", |body| {
            body.text("id", agent.as_str());
        });
        (body, words)
    }

    pub(crate) fn access_draft(
        &self,
        (body, words): (Object, Words),
        links: Vec<(&'static str, Digest)>,
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
        links: Vec<(&'static str, Digest)>,
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

fn approvals(question: &Question, yes: bool) -> impl Iterator<Item = (&'static str, Digest)> + '_ {
    let votes = question.votes.iter().filter(move |vote| vote.approve == yes);
    votes.filter_map(|vote| vote.record).map(|digest| ("approval", digest))
}

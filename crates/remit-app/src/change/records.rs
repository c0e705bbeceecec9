//! What the records of changes and proposals say. All are of the kind `policy`: their `event` tells them apart.
//! Words may name people, so they are disclosures; the codes of what is weakened stand in clear.

use jiff::Timestamp;
use remit_core::ids::{AgentId, ChangeId, Digest, OperatorId, ProposalId, QuestionId};
use remit_core::json::{self, Object};
use remit_evidence::record::{Draft, Kind};
use serde_json::json;

use super::vote::Cast;
use super::{Candidate, Change, ChangeBallot, ChangeVote, Weakens};
use crate::gate::Gate;
use crate::people::Login;
use crate::records::people::stands_behind;
use crate::records::{change_id, millis, plain, proposal_id};

impl Gate {
    pub(crate) fn change_id(&self) -> ChangeId {
        change_id(self.now(), &self.ports.entropy.bytes())
    }

    pub(crate) fn proposal_id(&self) -> ProposalId {
        proposal_id(self.now(), &self.ports.entropy.bytes())
    }

    pub(super) fn proposed_draft(
        &self,
        (id, base, digest, needed, expires): (&ChangeId, Digest, Digest, u32, Timestamp),
        weakens: &[Weakens],
        sources: &str,
        by: Option<&OperatorId>,
        now: Timestamp,
    ) -> Draft {
        let mut body = Object::new();
        body.text("event", "proposed").text("change", id.as_str());
        body.text("base", &base.to_string()).text("proposes", &digest.to_string());
        body.number("needed", u64::from(needed)).text("expires", &millis(expires));
        body.texts("weakens", weakens.iter().map(|weakens| &weakens.code));
        let what: Vec<_> = weakens.iter().map(|weakens| weakens.what.as_str()).collect();
        let mut disclosures = vec![("sources", sources.to_owned()), ("weakenings", json!(what).to_string())];
        disclosures.extend(by.map(|by| ("operator", json::quoted(by.as_str()))));
        Draft { disclosures, ..plain(Kind::Policy, self.record_id(), now, body) }
    }

    pub(super) fn change_vote_draft(&self, change: &Change, cast: &Cast<'_>, now: Timestamp) -> Draft {
        let mut body = Object::new();
        body.text("event", "voted").text("change", change.id.as_str()).text("proposes", &change.digest.to_string());
        body.text("choice", ChangeBallot::choice(cast.approve)).text("factor", cast.factor.as_str());
        body.raw("statement", &cast.statement);
        stands_behind(cast.signed.as_ref(), &mut body);
        let mut disclosures = vec![
            ("approver", json::quoted(cast.by.as_str())),
            ("reason", json::quoted(cast.reason)),
            ("statement_nonce", json::quoted(&cast.nonce.to_string())),
        ];
        disclosures.extend(cast.login.iter().flat_map(Login::disclosed));
        let links = vec![("proposal", change.proposed)];
        Draft { links, disclosures, ..plain(Kind::Policy, self.record_id(), now, body) }
    }

    /// As for every authority that comes into force, with the change it rests on and the votes for it.
    pub(super) fn in_force_draft(
        &self,
        candidate: &Candidate,
        change: &Change,
        last: &ChangeVote,
        now: Timestamp,
    ) -> Draft {
        let draft = self.policy_draft(&candidate.snapshot, "change", Some(&candidate.sources), now);
        let mut body = draft.body;
        body.text("change", change.id.as_str());
        let votes = change.votes.iter().filter(|vote| vote.approve).map(|vote| ("vote", vote.record));
        let mut links: Vec<_> = [("proposal", change.proposed)].into_iter().chain(votes).collect();
        links.push(("vote", last.record));
        Draft { links, body, ..draft }
    }

    pub(crate) fn proposal_draft(
        &self,
        (id, agent, question): (&ProposalId, &AgentId, &QuestionId),
        user: Option<&str>,
        parts: Vec<(&'static str, String)>,
        by: &OperatorId,
        now: Timestamp,
    ) -> Draft {
        let mut body = Object::new();
        body.text("event", "suggested").text("proposal", id.as_str()).text("question", question.as_str());
        body.object("agent", |body| {
            body.text("id", agent.as_str());
        });
        let mut disclosures = vec![("operator", json::quoted(by.as_str()))];
        disclosures.extend(user.map(|user| ("user", json::quoted(user))));
        disclosures.extend(parts);
        Draft { disclosures, ..plain(Kind::Policy, self.record_id(), now, body) }
    }
}

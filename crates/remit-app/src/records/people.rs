//! What people do with questions and with their own keys, as records say it.

use jiff::Timestamp;
use remit_core::ids::{Digest, OperatorId, QuestionId, RuleId};
use remit_core::json::{self, Object};
use remit_core::verdict::Decision;
use remit_core::{Call, CaseFile, Snapshot};
use remit_evidence::record::{Draft, Kind};
use remit_evidence::webauthn::PublicKey;

use super::{decision_body, millis, plain};
use crate::action::Action;
use crate::ballot::{Cast, NARROW, Proof};
use crate::canary::{Canary, Verdict as Ended};
use crate::delegation::Delegation;
use crate::gate::Gate;
use crate::narrow::NarrowedBy;
use crate::people::Login;
use crate::question::{Narrowed, Question, Remark, Vote};
use crate::review::{Closed, Review};

impl Gate {
    pub(crate) fn approval_draft(&self, question: &Question, vote: &Vote, cast: &Cast) -> Draft {
        let mut body = Object::new();
        body.text("question", question.id.as_str()).text("rule", vote.rule.as_str());
        body.text("choice", if vote.approve { "approve" } else { "deny" });
        body.text("expires", &millis(question.expires_at)).text("factor", vote.factor.as_str());
        body.raw("statement", &cast.statement);
        if let Some(bounds) = &vote.bounds {
            body.text("bounds", &crate::ballot::written(bounds));
        }
        if vote.behalf.is_some() {
            body.flag("in_place", true);
        }
        body.texts("people", vote.named(&question.voters));
        stands_behind(cast.signed.as_ref(), &mut body);
        let behalf = vote.behalf.as_ref().map(|(principal, _)| ("principal", json::quoted(principal.as_str())));
        let mut disclosures = vec![
            ("approver", json::quoted(vote.by.as_str())),
            ("reason", json::quoted(&vote.reason)),
            ("statement_nonce", json::quoted(&cast.nonce.to_string())),
            ("shown", cast.sight.clone()),
        ];
        // Whoever is erased is found by these: what was shown names the user, too.
        disclosures.extend(vote.user.as_ref().map(|user| ("approver_user", json::quoted(user.as_str()))));
        disclosures.extend(question.user.as_ref().map(|user| ("user", json::quoted(user.as_str()))));
        disclosures.extend(behalf);
        disclosures.extend(cast.login.iter().flat_map(Login::disclosed));
        Draft {
            run: self.named(&question.run),
            action: Some(question.action),
            links: vec![("decision", question.decision)],
            disclosures,
            ..plain(Kind::Approval, self.record_id(), vote.at, body)
        }
    }

    /// What an approver asks back. It stands among the approvals, and is none.
    pub(crate) fn remark_draft(&self, question: &Question, remark: &Remark) -> Draft {
        self.said_draft(question, "ask_back", remark.by.as_ref(), &remark.text, remark.at, |body| {
            stands_behind(None, body)
        })
    }

    pub(crate) fn escalation_draft(
        &self,
        question: &Question,
        by: &OperatorId,
        steps: u32,
        reason: &str,
        now: Timestamp,
    ) -> Draft {
        self.said_draft(question, "escalate", Some(by), reason, now, |body| {
            stands_behind(None, body);
            body.number("steps", u64::from(steps));
        })
    }

    /// That a call with other arguments stands in this one's place. `next` is the decision that asks about it; without
    /// one it may simply be made.
    pub(crate) fn narrowing_draft(
        &self,
        question: &Question,
        by: &NarrowedBy<'_>,
        narrowed: &Narrowed,
        (call, action): (&Call, Digest),
        next: Option<Digest>,
    ) -> Draft {
        let NarrowedBy { approver, principal, rule, factor, cast } = by;
        let mut draft = self.said_draft(question, NARROW, None, &narrowed.reason, narrowed.at, |body| {
            stands_behind(cast.signed.as_ref(), body);
            body.text("rule", rule.as_str()).text("expires", &millis(question.expires_at));
            body.text("factor", factor.as_str()).raw("statement", &cast.statement);
            if principal.is_some() {
                body.flag("in_place", true);
            }
            body.text("narrower", &action.to_string());
            body.text_or_null("next", narrowed.next.as_ref().map(QuestionId::as_str));
        });
        draft.links.extend(next.map(|decision| ("narrowed", decision)));
        let told = [
            ("approver", json::quoted(approver.id.as_str())),
            ("arguments", call.canonical_arguments().to_owned()),
            ("statement_nonce", json::quoted(&cast.nonce.to_string())),
            ("shown", cast.sight.clone()),
        ];
        draft.disclosures.extend(told);
        draft.disclosures.extend(approver.user.as_ref().map(|user| ("approver_user", json::quoted(user.as_str()))));
        draft.disclosures.extend(cast.login.iter().flat_map(Login::disclosed));
        draft.disclosures.extend(principal.map(|principal| ("principal", json::quoted(principal.id.as_str()))));
        draft
    }

    fn said_draft(
        &self,
        question: &Question,
        choice: &str,
        by: Option<&OperatorId>,
        text: &str,
        now: Timestamp,
        more: impl FnOnce(&mut Object),
    ) -> Draft {
        let mut body = Object::new();
        body.text("question", question.id.as_str()).text("choice", choice);
        more(&mut body);
        let mut disclosures = Vec::new();
        disclosures.extend(by.map(|by| ("approver", json::quoted(by.as_str()))));
        disclosures.push(("reason", json::quoted(text)));
        disclosures.extend(question.user.as_ref().map(|user| ("user", json::quoted(user.as_str()))));
        Draft {
            run: self.named(&question.run),
            action: Some(question.action),
            links: vec![("decision", question.decision)],
            disclosures,
            ..plain(Kind::Approval, self.record_id(), now, body)
        }
    }

    /// What the agent answers to what was asked back.
    pub(crate) fn answer_draft(&self, question: &Question, remark: &Remark) -> Draft {
        let mut body = Object::new();
        body.text("event", "answer").text("question", question.id.as_str());
        body.object("agent", |agent| {
            agent.text("id", question.agent.as_str());
        });
        let mut disclosures = vec![("reason", json::quoted(&remark.text))];
        disclosures.extend(question.user.as_ref().map(|user| ("user", json::quoted(user.as_str()))));
        let links = vec![("decision", question.decision)];
        Draft {
            run: self.named(&question.run),
            links,
            disclosures,
            ..plain(Kind::Run, self.record_id(), remark.at, body)
        }
    }

    /// That somebody may vote in another's place, or may no longer.
    pub(crate) fn delegation_draft(&self, delegation: &Delegation, by: &OperatorId, now: Timestamp) -> Draft {
        let mut body = Object::new();
        let begins = delegation.until > now;
        body.text("event", if begins { "delegated" } else { "delegation_revoked" });
        body.text_or_null("rule", delegation.rule.as_ref().map(RuleId::as_str));
        body.text("delegation", delegation.id.as_str()).text("until", &millis(delegation.until));
        let disclosures = vec![
            ("principal", json::quoted(delegation.from.as_str())),
            ("stand_in", json::quoted(delegation.to.as_str())),
            ("operator", json::quoted(by.as_str())),
        ];
        let id = if begins { delegation.id.clone() } else { self.record_id() };
        Draft { disclosures, ..plain(Kind::Grant, id, now, body) }
    }

    /// That a person has looked at a call that went through before.
    pub(crate) fn review_draft(&self, review: &Review, closed: &Closed) -> Draft {
        let mut body = Object::new();
        body.text("event", "reviewed").text("intent", review.call.as_str());
        body.text("finding", if closed.objects { "objected" } else { "confirmed" });
        let disclosures = vec![("operator", json::quoted(closed.by.as_str())), ("note", json::quoted(&closed.note))];
        let links = vec![("decision", review.decision)];
        Draft { run: review.run.clone(), links, disclosures, ..plain(Kind::Grant, self.record_id(), closed.at, body) }
    }

    /// The record that asks for what must be denied. It reads like any other; the last disclosure, whose place the
    /// second part of the answer says, marks it, and is kept apart until it is over.
    pub(crate) fn planted_draft(
        &self,
        (call, action): (&Call, &Action),
        (file, snapshot): (&CaseFile, &Snapshot),
        decision: &Decision,
        now: Timestamp,
    ) -> (Draft, usize) {
        let said = decision_body(call, file, snapshot, decision);
        let mut draft = self.draft(self.record_id(), now, said, (call, action));
        draft.disclosures.push(("canary", "true".to_owned()));
        let at = draft.disclosures.len() - 1;
        (draft, at)
    }

    /// How a request ended that had to be denied, with the seal of the record that asked.
    pub(crate) fn canary_draft(&self, canary: &Canary, question: &Question, verdict: Ended, now: Timestamp) -> Draft {
        let mut body = Object::new();
        body.text("event", "canary").text("question", canary.question.as_str());
        body.text("ended", verdict.as_str()).text("seal", &canary.seal);
        let by = question.votes.iter().find(|vote| vote.approve).map(|vote| vote.by.as_str());
        let disclosures = by.map(|by| ("approver", json::quoted(by))).into_iter().collect();
        let links = vec![("decision", question.decision)];
        let run = Some(question.run.clone());
        Draft { run, links, disclosures, ..plain(Kind::Grant, self.record_id(), now, body) }
    }

    /// How a person's own keys changed. A credential's id is a pseudonym of its owner, so its digest stands
    /// there; the key must be in clear, for signatures are checked against it, and so must those that went with it.
    pub(crate) fn account_draft(
        &self,
        (operator, by): (&OperatorId, &OperatorId),
        event: &str,
        key: Option<(Digest, PublicKey)>,
        gone: &[PublicKey],
        now: Timestamp,
    ) -> Draft {
        let mut body = Object::new();
        body.text("event", event);
        if let Some((credential, key)) = key {
            body.text("credential", &credential.to_string()).text("key", &key.to_string());
        }
        if !gone.is_empty() {
            body.texts("keys", gone.iter().map(ToString::to_string));
        }
        let mut disclosures = vec![("operator", json::quoted(operator.as_str()))];
        if by != operator {
            disclosures.push(("by", json::quoted(by.as_str())));
        }
        Draft { disclosures, ..plain(Kind::Key, self.record_id(), now, body) }
    }
}

/// Whether a vote is vouched for by the operator's login, or signed by the person: the two must never look alike.
pub(crate) fn stands_behind(signed: Option<&(Proof, PublicKey)>, body: &mut Object) {
    body.text("assurance", if signed.is_some() { "passkey" } else { "operator_attested" });
    if let Some((proof, key)) = signed {
        body.object("assertion", |body| assertion(proof, key, body));
    }
}

/// A passkey's signature, with everything that is needed to check it again.
fn assertion(proof: &Proof, key: &PublicKey, body: &mut Object) {
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    body.text("key", &key.to_string()).text("rp_id", &proof.site.rp_id);
    body.texts("origins", &proof.site.origins);
    body.text("client_data", &encode(&proof.client_data));
    body.text("authenticator_data", &encode(&proof.authenticator_data));
    body.text("signature", &encode(&proof.signature));
}

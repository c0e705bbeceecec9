//! What a person hands in when they vote, and the statement that their passkey signs.
//!
//! The statement says everything a vote covers: which call, under which definition of which rule, what was
//! shown, and the choice. Who votes and why stand in it as commitments, so that the record can be
//! published and both can still be erased.

use remit_core::ids::{Digest, OperatorId, QuestionId, RuleId, TenantId};
use remit_core::json::Object;
use remit_evidence::webauthn::{Assertion, Expected, NotProven, PublicKey, Seen, verify};

use crate::people::Login;
use crate::question::{Question, QuestionRule, RunBounds};
use crate::records::millis;

/// The type of the statement. A passkey that signs it signs nothing else by it.
pub const STATEMENT_TYPE: &str = "https://remit.dev/approval-statement/v1";

/// What a person decides about a held call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// It may be made, once.
    Approve,
    /// It may be made, and again in the same run, within these bounds.
    ApproveRun(RunBounds),
    /// It may not.
    Deny,
}

/// A vote on its way in.
#[derive(Clone, Debug)]
pub struct Ballot {
    /// On which question.
    pub question: QuestionId,
    /// On which of its rules; needed when the person may vote on several.
    pub rule: Option<RuleId>,
    /// Yes or no.
    pub choice: Choice,
    /// Why. A denial always says so, and an approval when the rule demands it.
    pub reason: String,
    /// The digest of what they were shown (see [`crate::sight`]).
    pub shown: Digest,
    /// Their passkey's signature over the vote.
    pub proof: Option<Proof>,
}

/// A passkey's signature over a vote.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The nonce of the statement that was signed, as the gateway gave it out.
    pub nonce: Nonce,
    /// The credential's id.
    pub credential: Vec<u8>,
    /// The bytes of `clientDataJSON`.
    pub client_data: Vec<u8>,
    /// The bytes of `authenticatorData`.
    pub authenticator_data: Vec<u8>,
    /// The signature over the two.
    pub signature: Vec<u8>,
    /// Where it was asked for.
    pub site: Site,
}

/// Where people sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The domain that passkeys belong to.
    pub rp_id: String,
    /// Where its pages stand.
    pub origins: Vec<String>,
}

/// Makes the commitments of a statement unguessable. It is disclosed beside the record, and erased with the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// From random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads 32 lower-case hex digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        // A digest's reader is strict about its digits; it only wants more of them.
        let bytes = Digest::from_hex(&format!("{text}{text}"))?;
        bytes.as_bytes().first_chunk().copied().map(Self)
    }

    pub(crate) fn commit(&self, what: &str, value: &str) -> Digest {
        Digest::of(format!("{self}\0{what}\0{value}").as_bytes())
    }
}

impl std::fmt::Display for Nonce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Choice {
    /// The word in records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            // How far it reaches stands beside it.
            Self::Approve | Self::ApproveRun(_) => "approve",
            Self::Deny => "deny",
        }
    }

    /// Whether it lets the call go on.
    #[must_use]
    pub const fn approves(&self) -> bool {
        matches!(self, Self::Approve | Self::ApproveRun(_))
    }

    /// The bounds, when it is for a run.
    #[must_use]
    pub const fn bounds(&self) -> Option<RunBounds> {
        match self {
            Self::ApproveRun(bounds) => Some(*bounds),
            Self::Approve | Self::Deny => None,
        }
    }
}

/// What a vote covers.
#[derive(Clone, Copy, Debug)]
pub struct Covered<'a> {
    /// Whose gateway.
    pub tenant: &'a TenantId,
    /// What was asked.
    pub question: &'a Question,
    /// For which rule the vote is.
    pub rule: &'a QuestionRule,
    /// Who votes.
    pub by: &'a OperatorId,
    /// Yes or no.
    pub choice: &'a Choice,
    /// Why.
    pub reason: &'a str,
    /// What they were shown.
    pub shown: Digest,
    /// In whose place they vote, when it is not their own.
    pub principal: Option<&'a OperatorId>,
    /// The arguments that they put in the place of the call's own, as canonical JSON. The choice is then `narrow`.
    pub narrower: Option<&'a str>,
}

/// The word of a choice that puts another call in the place of the held one.
pub(crate) const NARROW: &str = "narrow";

impl Covered<'_> {
    /// The statement, as canonical JSON. Its SHA-256 is the challenge that a passkey signs.
    #[must_use]
    pub fn statement(&self, nonce: &Nonce) -> String {
        let mut of = Object::new();
        of.text("_type", STATEMENT_TYPE).text("tenant", self.tenant.as_str());
        of.text("question", self.question.id.as_str()).text("action", &self.question.action.to_string());
        of.text("rule", self.rule.id.as_str()).text("definition", &self.rule.definition.to_string());
        of.text("choice", self.narrower.map_or(self.choice.as_str(), |_| NARROW))
            .text("shown", &self.shown.to_string());
        of.text("expires", &millis(self.question.expires_at));
        if let Some(bounds) = self.choice.bounds() {
            of.text("bounds", &written(&bounds));
        }
        of.text("approver", &nonce.commit("approver", self.by.as_str()).to_string());
        of.text("reason", &nonce.commit("reason", self.reason).to_string());
        let mut also = |name: &'static str, value: Option<&str>| {
            if let Some(value) = value {
                of.text(name, &nonce.commit(name, value).to_string());
            }
        };
        also("principal", self.principal.map(OperatorId::as_str));
        also("arguments", self.narrower);
        of.finish()
    }
}

/// Bounds as statements and records write them.
pub(crate) fn written(bounds: &RunBounds) -> String {
    format!("{} calls, {} micro-USD, until {}", bounds.calls_max, bounds.cost_max, millis(bounds.until))
}

impl Proof {
    /// Checks that this key signed this statement, here, by somebody the authenticator knows.
    ///
    /// # Errors
    /// What is not proven.
    pub fn check(&self, key: &PublicKey, statement: &str) -> Result<Seen, NotProven> {
        let challenge = Digest::of(statement.as_bytes());
        let expected = Expected {
            rp_id: &self.site.rp_id,
            origins: &self.site.origins,
            challenge: challenge.as_bytes(),
            user_verified: true,
        };
        let assertion = Assertion {
            client_data: &self.client_data,
            authenticator_data: &self.authenticator_data,
            signature: &self.signature,
        };
        verify(key, &expected, &assertion)
    }
}

/// A vote whose proof was checked, as it is recorded.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub statement: String,
    pub nonce: Nonce,
    /// The signature and the key that made it.
    pub signed: Option<(Proof, PublicKey)>,
    /// What was shown, as canonical JSON.
    pub sight: String,
    /// By which login somebody else vouches for whoever votes, if that is all that stands behind it.
    pub login: Option<Login>,
}

//! Deeds of people on the gateway itself: what has no record of its own, and everything that was refused,
//! leaves a decision record, as a call does.

use remit_core::ids::OperatorId;
use remit_core::json::{self, Object};
use remit_core::steering::Deed;
use remit_core::verdict::Code;
use remit_evidence::record::{Draft, Kind};

use crate::gate::Gate;
use crate::intent::Unavailable;
use crate::records::plain;

/// Whether a deed leaves a record of its own where it is done, so that none is needed before.
#[must_use]
pub const fn has_own_record(deed: Deed) -> bool {
    match deed {
        Deed::Account
        | Deed::Vote
        | Deed::Delegate
        | Deed::Halt
        | Deed::Resume
        | Deed::Revoke
        | Deed::BreakGlass
        | Deed::Review
        | Deed::Propose
        | Deed::Erase
        | Deed::Change => true,
        Deed::Look | Deed::Evidence | Deed::Reload | Deed::Survey | Deed::CloseRun | Deed::People => false,
    }
}

impl Gate {
    /// Records that a person was let, or not let, do something to the gateway. Looking leaves no trace, and
    /// neither does what has a record of its own, unless it was refused.
    ///
    /// # Errors
    /// When it cannot be recorded: then it must not be done.
    pub async fn record_deed(&self, by: &OperatorId, deed: Deed, refused: Option<Code>) -> Result<(), Unavailable> {
        if deed == Deed::Look || (refused.is_none() && has_own_record(deed)) {
            return Ok(());
        }
        let mut body = Object::new();
        body.text("deed", deed.as_str()).text("verdict", if refused.is_some() { "deny" } else { "allow" });
        if let Some(code) = refused {
            body.object("refusal", |body| {
                body.text("code", code.as_str());
            });
        }
        let disclosures = vec![("operator", json::quoted(by.as_str()))];
        let draft = Draft { disclosures, ..plain(Kind::Decision, self.record_id(), self.now(), body) };
        let record = self.writer.sign(&self.writer.ticket(), draft, &self.randomness());
        self.ports.store.append(record).await
    }
}

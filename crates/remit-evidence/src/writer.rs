//! The writer: one key per process, one sequence. A number that is missing in the sequence is a
//! record that was lost, and everybody can see that it was.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use remit_core::ids::{Digest, RecordId, RunId, TenantId};

use crate::bundle::Head;
use crate::dsse::{Envelope, Signature, keyid, pae};
use crate::record::{Draft, Entropy, Kind, Pen, statement};

/// Signs with a key that never leaves it.
pub trait Sign: Send + Sync {
    /// The Ed25519 public key.
    fn public_key(&self) -> [u8; 32];
    /// An Ed25519 signature (RFC 8032).
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// A place in the writer's sequence. It is taken once per record and survives a retry of the same
/// record, so that a conflict leaves no gap.
#[derive(Debug)]
pub struct Ticket(u64);

/// A signed record, ready to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRecord {
    /// Its id.
    pub id: RecordId,
    /// Its kind.
    pub kind: Kind,
    /// The run it belongs to, if any.
    pub run: Option<RunId>,
    /// When, RFC 3339.
    pub time: String,
    /// The hint of the key that signed.
    pub writer: String,
    /// Its place in that key's sequence.
    pub seq: u64,
    /// The signed bytes and the signature.
    pub envelope: Envelope,
    /// Disclosed values, kept beside the record and erasable without it.
    pub disclosures: Vec<String>,
    /// The digest by which other records refer to it.
    pub digest: Digest,
}

/// Numbers and signs the records of one process.
pub struct Writer {
    signer: Box<dyn Sign>,
    keyid: String,
    tenant: TenantId,
    next: AtomicU64,
    /// Places whose record was not stored after all. They are taken again before new ones, so that a gap means a
    /// record that was lost, or one of which the store could not say what became of it.
    returned: Mutex<Vec<u64>>,
    /// The last checkpoint that was published as far as this writer knows.
    seen: ArcSwapOption<Head>,
}

impl Writer {
    /// A writer with a fresh key; its sequence begins with zero.
    #[must_use]
    pub fn new(signer: Box<dyn Sign>, tenant: TenantId) -> Self {
        let keyid = keyid(&signer.public_key());
        Self {
            signer,
            keyid,
            tenant,
            next: AtomicU64::new(0),
            returned: Mutex::default(),
            seen: ArcSwapOption::empty(),
        }
    }

    /// A writer whose key has been used before: its sequence goes on from here.
    #[must_use]
    pub fn resuming(signer: Box<dyn Sign>, tenant: TenantId, next: u64) -> Self {
        Self { next: AtomicU64::new(next), ..Self::new(signer, tenant) }
    }

    /// The writer's public key.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        self.signer.public_key()
    }

    /// The tenant whose records these are.
    #[must_use]
    pub const fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// Says which checkpoint was published last: records that are written from now on say that they came after it.
    pub fn saw(&self, head: Head) {
        self.seen.store(Some(Arc::new(head)));
    }

    /// Takes the next place in the sequence.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        let returned = self.returned.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Ticket(returned.unwrap_or_else(|| self.next.fetch_add(1, Ordering::Relaxed)))
    }

    /// Gives a place back whose record is known not to have been stored. Never call it when that is
    /// unknown: two records at one place look like a forgery.
    pub fn give_back(&self, ticket: Ticket) {
        self.returned.lock().unwrap_or_else(PoisonError::into_inner).push(ticket.0);
    }

    /// Writes and signs a record at this place.
    #[must_use]
    pub fn sign(&self, ticket: &Ticket, draft: Draft, entropy: &Entropy) -> SignedRecord {
        let (id, kind, run, time) = (draft.id.clone(), draft.kind, draft.run.clone(), draft.time.clone());
        let seen = self.seen.load();
        let pen = Pen { tenant: &self.tenant, key: &self.keyid, seq: ticket.0, seen: seen.as_deref() };
        let made = statement(draft, &pen, entropy);
        let encoding = pae(&made.payload);
        let signature = Signature { keyid: self.keyid.clone(), bytes: self.signer.sign(&encoding) };
        let digest = Digest::of(&encoding);
        let envelope = Envelope { payload: made.payload, signature };
        let writer = self.keyid.clone();
        SignedRecord { id, kind, run, time, writer, seq: ticket.0, envelope, disclosures: made.disclosures, digest }
    }
}

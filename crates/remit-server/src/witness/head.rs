//! The head of a log as this witness cosigned it last: how it is made, read back, and when it answers
//! a request already. The file of a head is the note itself, so that what is read back proves itself.

use std::sync::Arc;

use remit_core::ids::Digest;
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::cosignature::cosign;
use remit_evidence::log::note::{Note, SignatureLine};
use remit_evidence::log::vkey::VerifierKey;

use super::judge::{Refusal, note};
use super::request::Request;
use crate::signer::Signer;

/// The checkpoint that was cosigned last.
pub(super) struct Seen {
    pub head: Checkpoint,
    /// With the lines of the log and of this witness.
    pub note: Arc<String>,
    /// The lines of this witness, as they are answered.
    pub answer: String,
    /// The time they state.
    pub time: u64,
}

impl Seen {
    /// Cosigns with every key. Nothing of it may leave before it is durable.
    pub fn cosign(
        head: Checkpoint,
        request: &Request,
        lines: Vec<SignatureLine>,
        signers: &[Signer],
        time: u64,
    ) -> Result<Self, Refusal> {
        let text = request.note.text();
        let mut kept = note(text, lines)?;
        let mut answer = String::new();
        for signer in signers {
            let line = cosign(signer, text, time).map_err(|error| Refusal::Signer(error.to_string()))?;
            answer.push_str(&format!("{line}\n"));
            kept.push(line);
        }
        Ok(Self { head, note: Arc::new(kept.to_string()), answer, time })
    }

    /// Reads it back from the file of this name. It must bear a cosignature of our own.
    pub fn recall<'k>(
        name: &str,
        bytes: &[u8],
        keys: impl Iterator<Item = &'k VerifierKey> + Clone,
    ) -> Result<Self, String> {
        let note = Note::parse(bytes).map_err(|error| error.to_string())?;
        let seals = note.seals(keys.clone()).map_err(|error| error.to_string())?;
        let head = Checkpoint::parse(note.text()).map_err(|error| error.to_string())?;
        if Digest::of(head.origin.as_bytes()).to_string() != name {
            return Err("it is of another log".into());
        }
        let time = seals.iter().filter_map(|seal| seal.time).max().unwrap_or_default();
        let own = |line: &&SignatureLine| keys.clone().any(|key| key.name() == line.name() && key.id() == line.id());
        let answer = note.signatures().iter().filter(own).map(|line| format!("{line}\n")).collect();
        Ok(Self { head, note: Arc::new(note.to_string()), answer, time })
    }

    /// Whether it answers this request already: anybody can repeat what a log published, and shall not
    /// make us write more than once in a second.
    pub fn answers(&self, request: &Request, lines: &[SignatureLine], time: u64) -> bool {
        let Ok(asked) = note(request.note.text(), lines.iter().cloned()) else { return false };
        self.time == time && *self.note == format!("{asked}{}", self.answer)
    }
}

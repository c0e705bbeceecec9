//! What logs were caught with: the checkpoint that was cosigned and the one that contradicts it, both
//! signed by the log. Owns their files; a file that cannot be written stops nothing.

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remit_core::ids::Digest;
use serde_json::json;

use super::disk::Disk;
use super::judge::Catch;

/// Most files of each kind. Anybody can send a bad proof with a good checkpoint.
const FILES_MAX: usize = 500;

/// The folder of evidence.
pub(super) struct Forks {
    disk: Box<dyn Disk>,
    writing: Mutex<()>,
}

/// What is kept about one catch.
pub(super) struct Found<'a> {
    pub catch: Catch,
    pub origin: &'a str,
    /// The checkpoint that was cosigned.
    pub seen: &'a str,
    /// The one that was shown, with the log's signatures.
    pub shown: &'a str,
    pub old: u64,
    pub proof: &'a [Digest],
}

impl Forks {
    pub fn new(disk: Box<dyn Disk>) -> Self {
        Self { disk, writing: Mutex::new(()) }
    }

    /// Keeps it, once.
    pub fn keep(&self, found: &Found<'_>) {
        let kind = match found.catch {
            Catch::Fork => "fork",
            Catch::Unproven => "unproven",
        };
        let (origin, old) = (found.origin, found.old);
        tracing::error!(origin, kind, "a log showed a checkpoint that contradicts the one that was cosigned");
        let Ok(_guard) = self.writing.lock() else { return };
        // Only what the log signed counts, or a stranger's proofs would make new files for ever.
        let text = |note: &str| note.rsplit_once("\n\n").map_or(Vec::new(), |(text, _)| text.as_bytes().to_vec());
        let digest = Digest::of(&[text(found.seen), text(found.shown)].concat());
        let name = format!("{kind}-{digest}.json");
        let names = self.disk.names().unwrap_or_default();
        let full = names.iter().filter(|name| name.starts_with(kind)).count() >= FILES_MAX;
        if full || names.contains(&name) {
            return;
        }
        let proof: Vec<String> = found.proof.iter().map(|step| STANDARD.encode(step.as_bytes())).collect();
        let content = json!({
            "kind": kind, "origin": origin, "seen": found.seen, "shown": found.shown, "old": old, "proof": proof,
        });
        if let Err(error) = self.disk.replace(&name, format!("{content:#}\n").as_bytes()) {
            tracing::error!(%error, name, "the evidence could not be kept");
        }
    }
}

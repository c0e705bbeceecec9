//! A log and its rewritten twin, a disk that fails and forgets, and a witness between them.

mod disk;
mod exchange;
mod folder;
mod history;
mod machine;

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use remit_app::ports::Clock;
use remit_core::ids::Digest;
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::merkle::{HashReader, consistency, leaf_hash, root_of};
use remit_evidence::log::note::Note;
use remit_evidence::log::vkey::Algorithm;

use super::desk::{Unopened, Witness};
use super::disk::Disk;
use super::trust::Logs;
use crate::signer::Signer;

pub(super) const ORIGIN: &str = "log.example/a";
pub(super) const WITNESS: &str = "witness.example/w1";
/// The size from which the twin has other leaves.
pub(super) const FORK: u64 = 5;
pub(super) const SIZE_MAX: u64 = 24;

/// One history of the log: `Real`, or the one somebody would like to have had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Branch {
    Real,
    Twin,
}

impl Branch {
    fn leaves(self) -> &'static [Digest] {
        static REAL: LazyLock<Vec<Digest>> = LazyLock::new(|| leaves(|_| "real"));
        static TWIN: LazyLock<Vec<Digest>> = LazyLock::new(|| leaves(|at| if at < FORK { "real" } else { "twin" }));
        match self {
            Self::Real => &REAL,
            Self::Twin => &TWIN,
        }
    }

    pub fn head(self, size: u64) -> Checkpoint {
        Checkpoint::new(ORIGIN, size, root_of(&self.leaves()[..usize::try_from(size).expect("small")]))
    }

    pub fn note(self, size: u64) -> Note {
        self.head(size).sign(&[&log()], 7).expect("signed")
    }

    /// The proof from a smaller tree of this branch; none where none exists.
    pub fn proof(self, old: u64, size: u64) -> Vec<Digest> {
        consistency(old, size, &self).unwrap_or_default()
    }

    pub fn body(self, old: u64, size: u64) -> String {
        super::request::write(old, &self.proof(old, size), &self.note(size))
    }
}

impl HashReader for Branch {
    type Error = Infallible;

    fn hash(&self, height: u32, index: u64) -> Result<Digest, Infallible> {
        let at = |index: u64| usize::try_from(index << height).expect("small");
        Ok(root_of(&self.leaves()[at(index)..at(index + 1)]))
    }
}

fn leaves(text: impl Fn(u64) -> &'static str) -> Vec<Digest> {
    (0..SIZE_MAX).map(|at| leaf_hash(format!("{} {at}", text(at)).as_bytes())).collect()
}

pub(super) fn log() -> Signer {
    Signer::ed25519(ORIGIN, Algorithm::Ed25519, &[1; 32]).expect("key")
}

pub(super) fn cosigner() -> Signer {
    Signer::ed25519(WITNESS, Algorithm::Ed25519Cosignature, &[2; 32]).expect("key")
}

pub(super) fn logs() -> Logs {
    Logs::parse(&format!("{}\n", log().vkey()), &[]).expect("logs")
}

/// A clock that is set by hand, in seconds.
#[derive(Clone, Default)]
pub(super) struct Hand(pub Arc<AtomicI64>);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::SeqCst)).expect("time")
    }
}

pub(super) fn open(
    heads: impl Disk + 'static,
    forks: impl Disk + 'static,
    clock: &Hand,
) -> Result<Arc<Witness>, Unopened> {
    Witness::open(vec![cosigner()], &logs(), Box::new(heads), Box::new(forks), Box::new(clock.clone()))
}

/// The time a cosignature states.
pub(super) fn time_of(size: u64, branch: Branch, lines: &str) -> u64 {
    let mut note = Note::sign(branch.note(size).text(), &[], 0).expect("note");
    for line in lines.lines() {
        note.push(remit_evidence::log::note::SignatureLine::parse(line).expect("line"));
    }
    note.seals([cosigner().vkey()]).expect("cosigned")[0].time.expect("timed")
}

//! Asking witnesses. What they add makes a checkpoint worth more; what they withhold stops nothing,
//! unless they show a note of ours that is ahead of the head.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use remit_evidence::log::merkle;
use remit_evidence::log::note::{Note, SignatureLine};
use remit_evidence::log::tile::TiledHashes;
use remit_evidence::log::vkey::VerifierKey;

use super::outcome::Stop;
use super::stand::Known;
use super::{Lost, Reader, Sealer};
use crate::ledger::Head;
use crate::witness::{Declined, Witness};

/// Most rounds for which a witness that cannot be reached is left alone.
const REST_MAX: u32 = 64;

/// A witness, the key it cosigns with, and what is known of it.
pub struct Cosigner {
    witness: Arc<dyn Witness>,
    key: VerifierKey,
    /// How many leaves it has seen, as far as is known.
    seen: u64,
    failures: u32,
    rest: u32,
}

impl Cosigner {
    /// A witness that has this key.
    #[must_use]
    pub fn new(witness: Arc<dyn Witness>, key: VerifierKey) -> Self {
        Self { witness, key, seen: 0, failures: 0, rest: 0 }
    }

    /// The key it cosigns with.
    pub(super) const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Asks for a cosignature; a second time when it has seen another size than was thought.
    async fn ask(&self, head: &Head, note: &Note, reader: Reader<'_>) -> Result<Vec<SignatureLine>, Declined> {
        let size = head.edge.size();
        let hashes = TiledHashes { reader, size };
        let mut old = self.seen.min(size);
        let mut again = true;
        loop {
            let proof = match old {
                0 => Vec::new(),
                old if old == size => Vec::new(),
                old => merkle::consistency(old, size, &hashes).map_err(|error| Declined::Refused(error.to_string()))?,
            };
            match self.witness.add_checkpoint(old, &proof, note).await {
                Err(Declined::Seen(seen)) if again && seen <= size => (old, again) = (seen, false),
                answer => return answer,
            }
        }
    }

    /// Adds the lines that are this witness's own and hold; whether there is one.
    fn add(&self, note: &mut Note, lines: Vec<SignatureLine>) -> bool {
        let mut held = false;
        for line in lines.into_iter().filter(|line| line.name() == self.key.name() && line.id() == self.key.id()) {
            let mut with = note.clone();
            with.push(line);
            if !held && with.seals([&self.key]).is_ok() {
                *note = with;
                held = true;
            }
        }
        held
    }

    fn note_answer(&mut self, seen: u64, reached: bool) {
        self.seen = self.seen.max(seen);
        self.failures = if reached { 0 } else { self.failures.saturating_add(1) };
        self.rest = if reached { 0 } else { 1_u32.checked_shl(self.failures).unwrap_or(REST_MAX).min(REST_MAX) };
    }
}

impl Sealer {
    /// The trees that witnesses have cosigned. One who does not answer is asked when it next cosigns.
    pub(super) async fn witnessed(&mut self) -> Vec<Known> {
        let mut known = Vec::new();
        for at in 0..self.cosigners.len() {
            let Some(witness) = self.cosigners.get(at).map(|cosigner| Arc::clone(&cosigner.witness)) else { continue };
            let latest = match witness.latest(&self.origin).await {
                Ok(latest) => latest.map(|note| self.mark(&note)),
                Err(declined) => Some(Err(declined.to_string())),
            };
            // Who cannot be asked, or shows a note that is none of ours, stops nothing.
            let mark = latest.transpose().unwrap_or_else(|error| {
                self.remarks.push(format!("{}: {error}", witness.name()));
                None
            });
            if let (Some(mark), Some(cosigner)) = (mark, self.cosigners.get_mut(at)) {
                cosigner.seen = mark.size;
                known.push(Known { who: format!("the witness `{}`", witness.name()), mark });
            }
        }
        known
    }

    /// Asks all witnesses for this head, and publishes it with what they add: once there are enough,
    /// and once more when all have answered. Returns how many cosigned; what the others said is remarked.
    pub(super) async fn cosign(&mut self, head: &Head) -> Result<usize, Stop> {
        let Ok(mut note) = Note::parse(head.note.as_bytes()) else { return Ok(0) };
        let plain = note.clone();
        let (mut count, mut shown, mut trouble, mut answers) = (0, 0, Vec::new(), Vec::new());
        let mut asked: FuturesUnordered<_> = (self.cosigners.iter().enumerate())
            .filter(|(_, cosigner)| cosigner.rest == 0)
            .map(|(at, cosigner)| {
                let (plain, reader) = (&plain, self.reader());
                async move { (at, cosigner, cosigner.ask(head, plain, reader).await) }
            })
            .collect();
        while let Some((at, cosigner, answer)) = asked.next().await {
            match answer {
                Ok(lines) => {
                    let held = cosigner.add(&mut note, lines);
                    count += usize::from(held);
                    answers.push((at, if held { head.edge.size() } else { 0 }, true));
                    if !held {
                        trouble.push(format!("{}: what it answered is no cosignature of its", cosigner.witness.name()));
                    }
                }
                Err(declined) => {
                    trouble.push(format!("{}: {declined}", cosigner.witness.name()));
                    if let Declined::Seen(seen) = declined {
                        self.check_ahead(cosigner, seen, head).await?;
                    }
                    answers.push((at, 0, !matches!(declined, Declined::Unreachable(_))));
                }
            }
            if shown == 0 && count >= self.quorum.max(1) {
                shown = count;
                self.tools.tiles.publish(&note.to_string())?;
            }
        }
        drop(asked);
        if count > shown {
            self.tools.tiles.publish(&note.to_string())?;
        }
        self.cosigners.iter_mut().for_each(|cosigner| cosigner.rest = cosigner.rest.saturating_sub(1));
        for (at, seen, reached) in answers {
            if let Some(cosigner) = self.cosigners.get_mut(at) {
                cosigner.note_answer(seen, reached);
            }
        }
        self.remarks.append(&mut trouble);
        Ok(count)
    }

    /// A witness that says it has seen more has to show our own signature over it: a number alone
    /// would let any witness stop us.
    async fn check_ahead(&self, cosigner: &Cosigner, seen: u64, head: &Head) -> Result<(), Stop> {
        let ours = head.edge.size();
        if seen <= ours {
            return Ok(());
        }
        let latest = cosigner.witness.latest(&self.origin).await.ok().flatten();
        match latest.and_then(|note| self.mark(&note).ok()).filter(|mark| mark.size > ours) {
            None => Ok(()),
            Some(mark) => {
                let who = format!("the witness `{}`", cosigner.witness.name());
                Err(Lost::Behind { who, theirs: mark.size, ours }.into())
            }
        }
    }
}

//! The log before the one that is signed: its final head stands in the store, and everything that follows from
//! it (files, guard, checkpoint, cosignatures) may still be missing after a crash.

use remit_evidence::log::note::Note;
use remit_evidence::log::vkey::VerifierKey;

use super::outcome::Stop;
use super::{Cosigner, Sealer, Stand, Tools};
use crate::ledger::Head;

impl Sealer {
    /// One for a log that has ended with this head, behind so many records. It signs nothing and needs no signers.
    #[must_use]
    pub fn of_ended(
        first: u64,
        head: Head,
        keys: &[VerifierKey],
        tools: Tools,
        cosigners: Vec<Cosigner>,
        quorum: usize,
    ) -> Self {
        let origin = head.origin.clone();
        let (keys, ended) = (keys.to_vec(), Some(head));
        Self { keys, first, ended, ..Self::new(&origin, Tools { signers: Vec::new(), ..tools }, cosigners, quorum) }
    }

    /// Makes what is missing of an ended log, now: how many witnesses have cosigned how it ended, and what was
    /// noticed.
    ///
    /// # Errors
    /// Says why something is still missing. [`Sealer::behind`] finishes it then.
    pub async fn finish_now(mut self) -> Result<(usize, Vec<String>), String> {
        self.finish().await.map_err(Stop::told)?;
        let cosigned = self.cosigned().map_err(Stop::told)?;
        Ok((cosigned, std::mem::take(&mut self.remarks)))
    }

    /// Finishes the log before this one. Without its files and its guard nothing is signed here; witnesses that
    /// do not answer are asked again, a heartbeat later.
    pub(super) async fn finish_before(&mut self) -> Result<(), Stop> {
        let Some(before) = &mut self.before else { return Ok(()) };
        let done = before.finish().await;
        self.remarks.append(&mut before.remarks);
        if done? {
            self.before = None;
        }
        Ok(())
    }

    /// Makes what is missing of an ended log; whether nothing is left to do.
    async fn finish(&mut self) -> Result<bool, Stop> {
        let now = self.tools.clock.now();
        let stand = match self.stand.take() {
            Some(stand) => stand,
            None => self.take_up().await?,
        };
        let Some(head) = stand.head.clone() else { return Ok(true) };
        let mut done = self.cosigned()? >= self.quorum;
        if !done && stand.is_due(now) {
            done = self.cosign(&head).await? >= self.quorum;
            self.stand = Some(Stand { signed: Some(now), ..stand });
        } else {
            self.stand = Some(stand);
        }
        Ok(done)
    }

    /// How many witnesses have cosigned what is published.
    fn cosigned(&self) -> Result<usize, Stop> {
        let published = self.tools.tiles.published()?.and_then(|bytes| Note::parse(&bytes).ok());
        let keys = self.cosigners.iter().map(Cosigner::key);
        Ok(published.and_then(|note| note.seals(keys).ok().map(|seals| seals.len())).unwrap_or(0))
    }
}

//! Taking up what stands: at the start, and after every round that failed. The head in the store is
//! the truth; who knows of a larger tree, or of another one, stops the sealer; files that are missing
//! are made again from the store's leaves.

use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::merkle::Frontier;
use remit_evidence::log::note::Note;
use remit_evidence::log::tile::{TileError, TiledHashes};

use super::outcome::Stop;
use super::{Lost, Sealer, Stand, Unread};
use crate::ledger::{Head, Mark};

/// How many leaves are made into files at once: whole tiles, so that few files are written in vain.
const REBUILD_LEAVES: u64 = 4_096;

/// A tree, and who knows of it.
pub(super) struct Known {
    pub who: String,
    pub mark: Mark,
}

impl Sealer {
    pub(super) async fn take_up(&mut self) -> Result<Stand, Stop> {
        let head = match &self.ended {
            Some(head) => Some(head.clone()),
            None => self.tools.store.head().await?,
        };
        let published = self.published()?;
        let guarded = self.tools.guard.last()?;
        let unguarded = guarded.is_none();
        let guarded = guarded.filter(|mark| !self.is_passed(mark)).map(|mark| Known { who: "the guard".into(), mark });
        let mut known = self.witnessed().await;
        known.extend(published.clone().map(|mark| Known { who: "the published checkpoint".into(), mark }));
        known.extend(guarded);
        let ours = head.as_ref().map_or(0, |head| head.edge.size());
        for Known { who, mark } in &known {
            if mark.origin != self.origin {
                return Err(damaged(format!("{who} is of the log `{}`, not of `{}`", mark.origin, self.origin)));
            }
            if mark.size > ours {
                return Err(Lost::Behind { who: who.clone(), theirs: mark.size, ours }.into());
            }
        }
        if self.tools.store.count().await? < self.first + ours {
            return Err(damaged("the store has fewer records than were sealed".into()));
        }
        if let Some(head) = head.as_ref().filter(|_| unguarded) {
            self.remarks.push(format!("the guard was not there, and begins anew at {} leaves", head.edge.size()));
        }
        if let Some(head) = &head {
            self.check_own(head)?;
            self.rebuild(head, published.as_ref()).await?;
            self.check_prefixes(head, &known)?;
            if published.as_ref() != Some(&head.mark()) {
                self.publish(head)?;
            }
        }
        Ok(Stand { head, signed: None })
    }

    /// Whether the guard is with the log on the other side of a turn: still with the one before, or already with
    /// the one behind.
    fn is_passed(&self, guarded: &Mark) -> bool {
        self.succeeds.as_ref() == Some(guarded) || (self.ended.is_some() && guarded.origin != self.origin)
    }

    /// The tree of the published checkpoint, which one of our keys must have signed.
    fn published(&self) -> Result<Option<Mark>, Stop> {
        let bytes = self.tools.tiles.published()?;
        let mark =
            bytes.map(|bytes| Note::parse(&bytes).map_err(|error| error.to_string()).and_then(|n| self.mark(&n)));
        mark.transpose().map_err(|error| damaged(format!("the published checkpoint is none of ours: {error}")))
    }

    /// The tree that this note of ours is about.
    pub(super) fn mark(&self, note: &Note) -> Result<Mark, String> {
        let opened = Checkpoint::open(note, &self.keys, []).map_err(|error| error.to_string())?.checkpoint;
        Ok(Mark { origin: opened.origin, size: opened.size, root: opened.root })
    }

    /// The head must have been signed by all the keys that are to sign the next one: a log has one pair.
    fn check_own(&self, head: &Head) -> Result<(), Stop> {
        let note = Note::parse(head.note.as_bytes()).map_err(|error| error.to_string());
        let signed = |note: Note| match note.seals(&self.keys) {
            Ok(seals) if seals.len() < self.keys.len() => Err("it is not signed by all of its keys".to_owned()),
            Ok(_) => self.mark(&note),
            Err(error) => Err(error.to_string()),
        };
        let mark = note.and_then(signed).map_err(|error| {
            damaged(format!(
                "the head is none of ours ({error}): restore its keys, or begin a new store under another origin"
            ))
        })?;
        if mark == head.mark() && head.origin == self.origin {
            return Ok(());
        }
        Err(damaged("the head and its note are of different trees".to_owned()))
    }

    /// Makes the files of the head's tree that may be missing.
    async fn rebuild(&self, head: &Head, published: Option<&Mark>) -> Result<(), Stop> {
        let mut edge = self.base(published)?;
        while edge.size() < head.edge.size() {
            let aligned = (edge.size() / REBUILD_LEAVES + 1) * REBUILD_LEAVES;
            let wanted = aligned.min(head.edge.size()) - edge.size();
            let leaves =
                self.tools.store.leaves(self.first + edge.size(), u32::try_from(wanted).unwrap_or(u32::MAX)).await?;
            if leaves.is_empty() {
                return Err(damaged(format!(
                    "the store has {} records and its head has {}",
                    edge.size(),
                    head.edge.size()
                )));
            }
            let growth = self.grow(&edge, &leaves)?;
            self.lay_down(&growth)?;
            self.tidy(&growth);
            edge = growth.edge;
        }
        if edge == head.edge {
            Ok(())
        } else {
            Err(damaged("the store's records are not those that were signed".into()))
        }
    }

    /// The tree from which on files may be missing: the published one if its edge is there, else none.
    fn base(&self, published: Option<&Mark>) -> Result<Frontier, Stop> {
        let Some(mark) = published else { return Ok(Frontier::default()) };
        let hashes = TiledHashes { reader: self.reader(), size: mark.size };
        let edge = match Frontier::read(mark.size, &hashes) {
            Ok(edge) => edge,
            Err(TileError::Read(_, Unread::Missing)) => return Ok(Frontier::default()),
            Err(error) => return Err(error.into()),
        };
        if edge.root() != mark.root {
            return Err(damaged("the tiles at the edge are not those of the published checkpoint".into()));
        }
        // When a bundle is missing, everything is gone through; what is there stays.
        match self.grow(&edge, &[]) {
            Ok(_) => Ok(edge),
            Err(Stop::Later(_)) => Ok(Frontier::default()),
            Err(lost) => Err(lost),
        }
    }

    /// Whoever knows of a smaller tree must know of a part of this one.
    fn check_prefixes(&self, head: &Head, known: &[Known]) -> Result<(), Stop> {
        let hashes = TiledHashes { reader: self.reader(), size: head.edge.size() };
        for Known { who, mark } in known {
            if Frontier::read(mark.size, &hashes)?.root() != mark.root {
                return Err(Lost::Forked { who: who.clone(), size: mark.size }.into());
            }
        }
        Ok(())
    }
}

fn damaged(what: String) -> Stop {
    Stop::Lost(Lost::Damaged(what))
}

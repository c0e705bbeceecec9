//! Proving: records with the proofs of their places in the log, for one recipient. Reads what is published
//! and nothing else: a record that no checkpoint covers yet has no proof yet.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use remit_core::ids::{AgentId, Digest, RecordId, RunId};
use remit_evidence::bundle::{Bundle, CLAIMS_MAX, Claim, Growth, Head, Timestamp as Token};
use remit_evidence::log::merkle::{Frontier, consistency, inclusion};
use remit_evidence::log::note::Note;
use remit_evidence::log::proof::Proof;
use remit_evidence::log::tile::{Tile, TileReader, TiledHashes};
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use serde_json::Value;

use crate::intent::Unavailable;
use crate::ledger::{LedgerError, Tiles};
use crate::ports::{RecordFilter, Store};
use crate::seal::{Reader, Unread};
use crate::stamp::Stamped;

/// How many records are read at once.
const PAGE: u32 = 1_000;
/// Most stamps in a bundle. With more, some records are stamped by a later one than the first.
const STAMPS_MAX: usize = 256;

/// Which records are wanted. What they rest on comes with them: the delegations of the keys that signed
/// them, the authority they were decided under, and whose the passkeys are that signed votes.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// One record, with those of its run that it refers to or that refer to it.
    Record(RecordId),
    /// Everything of one run.
    Run(RunId),
    /// Everything of one agent, from a time to before another.
    Agent(AgentId, Timestamp, Timestamp),
}

/// Why there is no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoProof {
    /// There is no such record.
    #[error("there is no such record")]
    Unknown,
    /// No checkpoint covers it yet; the next one is at most seconds away.
    #[error("no checkpoint covers this yet")]
    NotSealed,
    /// More than a bundle holds.
    #[error("this would be {0} records, and a bundle holds {CLAIMS_MAX}")]
    TooMany(usize),
    /// The ledger's files cannot be read or contradict each other.
    #[error("the ledger cannot prove it: {0}")]
    Ledger(String),
    /// See [`Unavailable`].
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Makes bundles from the store and the published logs.
#[derive(Clone)]
pub struct Prover {
    store: Arc<dyn Store>,
    logs: Vec<LogFiles>,
}

/// One log, as it is published.
#[derive(Clone)]
pub struct LogFiles {
    /// Its name.
    pub origin: String,
    /// How many records stand before its first leaf.
    pub first: u64,
    /// Its files.
    pub tiles: Arc<dyn Tiles>,
}

/// What is wanted, by how many records stand before it, and the stamps over it: what [`Prover::prove`] makes a bundle of.
pub struct Gathered {
    records: BTreeMap<u64, SignedRecord>,
    stamps: Vec<Stamped>,
}

impl Prover {
    /// One over these logs, in their order.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, logs: Vec<LogFiles>) -> Self {
        Self { store, logs }
    }

    /// The checkpoint of the last log that everybody sees.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn published(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        self.logs.last().map_or(Ok(None), |log| log.tiles.published())
    }

    /// Which leaf of its log a record is that has so many records before it.
    #[must_use]
    pub fn leaf(&self, place: u64) -> u64 {
        let first = self.logs.iter().rev().map(|log| log.first).find(|first| *first <= place);
        place - first.unwrap_or(0)
    }

    /// Makes the bundle, disclosing the values of these names and no others. Of each log in it, it proves how it
    /// grew from the trees that had so many leaves: those its recipient has seen. Reads files, so it is not for a
    /// thread on which others are waited for.
    ///
    /// # Errors
    /// See [`NoProof`].
    pub fn prove(&self, gathered: Gathered, shown: &[&str], since: &[u64]) -> Result<Bundle, NoProof> {
        let (mut rest, mut claims) = (gathered.records, Vec::new());
        let (mut timestamps, mut growth) = (Vec::new(), Vec::new());
        // The last log first: what is left belongs to those before it.
        for log in self.logs.iter().rev() {
            let own = rest.split_off(&log.first);
            if !own.is_empty() {
                let read = Published::read(log)?;
                claims.push(read.claims(own, shown)?);
                for stamped in gathered.stamps.iter().filter(|stamped| stamped.origin == log.origin) {
                    timestamps.extend(read.token(stamped, &mut growth)?);
                }
                for size in since {
                    read.grown(*size, &mut growth)?;
                }
            }
        }
        Ok(Bundle { timestamps, ..Bundle::of(claims.into_iter().rev().flatten().collect(), growth) })
    }

    /// The leaves on both sides of each turn that lies between these places, or at them.
    async fn turns(&self, places: &BTreeSet<u64>) -> Result<Vec<(u64, SignedRecord)>, NoProof> {
        let (Some(least), Some(most)) = (places.first(), places.last()) else { return Ok(Vec::new()) };
        let between = |first: &u64| *first > 0 && *least <= *first && *first <= *most + 1;
        let mut found = Vec::new();
        for first in self.logs.iter().map(|log| log.first).filter(between) {
            let after = first.saturating_sub(1);
            let filter = RecordFilter { after, limit: 2, ..RecordFilter::default() };
            found.extend((after..).zip(self.store.records(&filter).await?));
        }
        Ok(found)
    }

    /// What is wanted and what it rests on. Where it stands in several logs, the turns between them come along.
    ///
    /// # Errors
    /// See [`NoProof`].
    pub async fn gather(&self, wanted: &Wanted) -> Result<Gathered, NoProof> {
        let mut all = match wanted {
            Wanted::Record(id) => self.around(id).await?,
            Wanted::Run(run) => self.of_run(run).await?,
            Wanted::Agent(agent, from, until) => self.of_agent(agent, *from, *until).await?,
        };
        if all.is_empty() {
            return Err(NoProof::Unknown);
        }
        let wanted: BTreeSet<RecordId> = all.iter().map(|record| record.id.clone()).collect();
        let authorities: BTreeSet<Digest> = all.iter().filter_map(authority).collect();
        let in_force = |policy: &SignedRecord| announced(policy).is_some_and(|digest| authorities.contains(&digest));
        all.extend(self.select(of_kind(Kind::Policy), in_force).await?);
        self.complete(&mut all).await?;
        // Whose a passkey is that signed a vote, and whether it counted, a verifier knows from what became of it.
        let signed: BTreeSet<String> = all.iter().filter_map(|record| passkey(record, "/assertion/key")).collect();
        if !signed.is_empty() {
            let told = |key: &SignedRecord| {
                let keys = predicate(key);
                let gone = keys.get("keys").and_then(Value::as_array).into_iter().flatten();
                let named = keys.get("key").into_iter().chain(gone).filter_map(Value::as_str);
                keys.get("event").is_some() && named.into_iter().any(|key| signed.contains(key))
            };
            all.extend(self.select(of_kind(Kind::Key), told).await?);
        }
        // Last, for all of these have writers, too.
        let writers: BTreeSet<String> = all.iter().map(|record| record.writer.clone()).collect();
        let delegated = |key: &SignedRecord| delegate(key).is_some_and(|writer| writers.contains(&writer));
        all.extend(self.select(of_kind(Kind::Key), delegated).await?);
        if all.len() > CLAIMS_MAX {
            return Err(NoProof::TooMany(all.len()));
        }
        let ids: Vec<RecordId> = all.iter().map(|record| record.id.clone()).collect();
        let places = self.store.places(&ids).await?;
        let placed = places.into_iter().zip(all).map(|(index, record)| Ok((index.ok_or(NoProof::Unknown)?, record)));
        let mut records = placed.collect::<Result<BTreeMap<_, _>, NoProof>>()?;
        // What was announced again in a later log, nothing here rests on.
        let last = records.iter().rev().find(|(_, record)| wanted.contains(&record.id)).map(|(at, _)| *at);
        let later = self.logs.iter().map(|log| log.first).find(|first| Some(*first) > last);
        records.retain(|at, _| later.is_none_or(|later| *at < later));
        records.extend(self.turns(&records.keys().copied().collect()).await?);
        if records.len() > CLAIMS_MAX {
            return Err(NoProof::TooMany(records.len()));
        }
        let stamps = self.stamps(records.keys().copied()).await?;
        Ok(Gathered { records, stamps })
    }

    /// The first stamp over each of these records; they come in order.
    async fn stamps(&self, places: impl Iterator<Item = u64>) -> Result<Vec<Stamped>, NoProof> {
        let mut found: Vec<Stamped> = Vec::new();
        for place in places {
            let Some(log) = self.logs.iter().rev().find(|log| log.first <= place) else { continue };
            let leaf = place - log.first;
            if found.last().is_some_and(|last| last.origin == log.origin && leaf < last.size) {
                continue;
            }
            found.extend(self.store.stamp_over(&log.origin, leaf).await?);
        }
        // The last one of a log is over all that the others are over, and so each later one is over what an
        // earlier one is.
        let room = STAMPS_MAX.saturating_sub(self.logs.len()).max(1);
        let step = found.len().div_ceil(room).max(1);
        let last_of =
            |at: usize| found.get(at + 1).is_none_or(|next| Some(&next.origin) != found.get(at).map(|of| &of.origin));
        let kept: Vec<bool> =
            (0..found.len()).map(|at| last_of(at) || (found.len() - 1 - at).is_multiple_of(step)).collect();
        let mut kept = kept.into_iter();
        found.retain(|_| kept.next().unwrap_or(true));
        Ok(found)
    }

    /// Adds the votes that admissions rest on, and what asked for them, where those stand in other runs: a held call may
    /// be made when its run is over.
    async fn complete(&self, all: &mut Vec<SignedRecord>) -> Result<(), NoProof> {
        loop {
            let known: BTreeSet<Digest> = all.iter().map(|record| record.digest).collect();
            let rests = |record: &&SignedRecord| matches!(record.kind, Kind::Decision | Kind::Approval);
            let named: BTreeSet<Digest> = all.iter().filter(rests).flat_map(links).collect();
            let absent: BTreeSet<Digest> = named.difference(&known).copied().collect();
            if absent.is_empty() {
                return Ok(());
            }
            let found = self.select(RecordFilter::default(), |record| absent.contains(&record.digest)).await?;
            if found.is_empty() {
                return Ok(());
            }
            all.extend(found);
        }
    }

    async fn of_run(&self, run: &RunId) -> Result<Vec<SignedRecord>, NoProof> {
        self.select(RecordFilter { run: Some(run.clone()), ..RecordFilter::default() }, |_| true).await
    }

    /// A record, with those of its run that it refers to or that refer to it, however far.
    async fn around(&self, id: &RecordId) -> Result<Vec<SignedRecord>, NoProof> {
        let centre = self.store.record(id).await?.ok_or(NoProof::Unknown)?;
        let Some(run) = centre.run.clone() else { return Ok(vec![centre]) };
        let rest = self.of_run(&run).await?.into_iter().filter(|record| record.id != centre.id);
        let mut rest: Vec<_> = rest.map(|record| (links(&record), record)).collect();
        let (mut known, mut named) = (BTreeSet::from([centre.digest]), BTreeSet::from_iter(links(&centre)));
        let mut near = vec![centre];
        loop {
            let touches = |(links, record): &(Vec<Digest>, SignedRecord)| {
                named.contains(&record.digest) || links.iter().any(|link| known.contains(link))
            };
            let (found, left): (Vec<_>, Vec<_>) = rest.into_iter().partition(touches);
            if found.is_empty() {
                return Ok(near);
            }
            for (links, record) in found {
                known.insert(record.digest);
                named.extend(links);
                near.push(record);
            }
            rest = left;
        }
    }

    async fn of_agent(&self, agent: &AgentId, from: Timestamp, until: Timestamp) -> Result<Vec<SignedRecord>, NoProof> {
        let mut runs = BTreeSet::new();
        let within = |record: &SignedRecord| record.time.parse::<Timestamp>().is_ok_and(|at| at >= from && at < until);
        // Receipts and approvals name the run, not the agent; the run's own record and its decisions do.
        let own = |record: &SignedRecord| {
            let predicate = predicate(record);
            predicate.pointer("/agent/id").and_then(Value::as_str) == Some(agent.as_str())
        };
        let theirs = |record: &SignedRecord| {
            if !within(record) {
                return false;
            }
            let own = own(record);
            if own {
                runs.extend(record.run.clone());
            }
            own || record.run.as_ref().is_some_and(|run| runs.contains(run))
        };
        self.select(RecordFilter::default(), theirs).await
    }

    /// The records of a filter that are wanted, in their order: all of them, or an error.
    async fn select(
        &self,
        filter: RecordFilter,
        mut is_wanted: impl FnMut(&SignedRecord) -> bool,
    ) -> Result<Vec<SignedRecord>, NoProof> {
        let (mut chosen, mut after) = (Vec::new(), 0);
        loop {
            let page = self.store.records(&RecordFilter { after, limit: PAGE, ..filter.clone() }).await?;
            let read = page.len();
            chosen.extend(page.into_iter().filter(&mut is_wanted));
            if chosen.len() > CLAIMS_MAX {
                return Err(NoProof::TooMany(chosen.len()));
            }
            after += read as u64;
            if read < PAGE as usize {
                return Ok(chosen);
            }
        }
    }
}

/// A log as it is published.
struct Published<'t> {
    first: u64,
    note: Note,
    head: Head,
    hashes: TiledHashes<Once<'t>>,
}

fn unread(error: &dyn std::fmt::Display) -> NoProof {
    NoProof::Ledger(error.to_string())
}

impl<'t> Published<'t> {
    fn read(log: &'t LogFiles) -> Result<Self, NoProof> {
        let published = log.tiles.published().map_err(|error| unread(&error))?.ok_or(NoProof::NotSealed)?;
        let note = Note::parse(&published).map_err(|error| unread(&error))?;
        let head = Head::stated(&note).map_err(|error| unread(&error))?;
        let hashes = TiledHashes { reader: Once::over(log.tiles.as_ref()), size: head.size };
        Ok(Self { first: log.first, note, head, hashes })
    }

    /// The claims of these records, which all stand in this log.
    fn claims(&self, records: BTreeMap<u64, SignedRecord>, shown: &[&str]) -> Result<Vec<Claim>, NoProof> {
        let size = self.head.size;
        if records.last_key_value().is_some_and(|(at, _)| at - self.first >= size) {
            return Err(NoProof::NotSealed);
        }
        let claims = records.into_iter().map(|(at, record)| {
            let index = at - self.first;
            let path = inclusion(index, size, &self.hashes).map_err(|error| unread(&error))?;
            let proof = Proof { extra: None, index, path, checkpoint: self.note.clone() };
            Ok(Claim::showing(record.envelope, &record.disclosures, shown, Some(proof)))
        });
        claims.collect()
    }

    /// The proof that this log grew from the tree that had so many leaves. Without one, where it never had as many or
    /// has no more: what was seen is compared with the head itself.
    fn grown(&self, size: u64, growth: &mut Vec<Growth>) -> Result<(), NoProof> {
        let known = growth.iter().any(|known| known.new == self.head && known.old.size == size);
        if size == 0 || size >= self.head.size || known {
            return Ok(());
        }
        let root = Frontier::read(size, &self.hashes).map_err(|error| unread(&error))?.root();
        let path = consistency(size, self.head.size, &self.hashes).map_err(|error| unread(&error))?;
        let old = Head { origin: self.head.origin.clone(), size, root };
        growth.push(Growth { old, new: self.head.clone(), path });
        Ok(())
    }

    /// A stamp over this log, with the proof that it grew from what was stamped.
    fn token(&self, stamped: &Stamped, growth: &mut Vec<Growth>) -> Result<Option<Token>, NoProof> {
        let wrong = |error: &dyn std::fmt::Display| unread(&format!("a checkpoint that was stamped: {error}"));
        let checkpoint = Note::parse(stamped.note.as_bytes()).map_err(|error| wrong(&error))?;
        let old = Head::stated(&checkpoint).map_err(|error| wrong(&error))?;
        // Proofs stand in the tree that is published; a stamp holds for them if that grew from the stamped one.
        if old.size > self.head.size {
            return Ok(None);
        }
        if old.size < self.head.size {
            let path = consistency(old.size, self.head.size, &self.hashes).map_err(|error| wrong(&error))?;
            growth.push(Growth { old, new: self.head.clone(), path });
        }
        Ok(Some(Token { checkpoint, rfc3161: stamped.token.clone() }))
    }
}

/// Reads each tile once: the proofs of one bundle go through the same few.
struct Once<'t> {
    reader: Reader<'t>,
    seen: RefCell<HashMap<Tile, Vec<u8>>>,
}

impl<'t> Once<'t> {
    fn over(tiles: &'t dyn Tiles) -> Self {
        Self { reader: Reader(tiles), seen: RefCell::default() }
    }
}

impl TileReader for Once<'_> {
    type Error = Unread;

    fn tile(&self, tile: Tile) -> Result<Vec<u8>, Unread> {
        if let Some(bytes) = self.seen.borrow().get(&tile) {
            return Ok(bytes.clone());
        }
        let bytes = self.reader.tile(tile)?;
        self.seen.borrow_mut().insert(tile, bytes.clone());
        Ok(bytes)
    }
}

fn of_kind(kind: Kind) -> RecordFilter {
    RecordFilter { kind: Some(kind), ..RecordFilter::default() }
}

fn predicate(record: &SignedRecord) -> Value {
    let statement = remit_core::json::parse(&record.envelope.payload).unwrap_or_default();
    statement.get("predicate").cloned().unwrap_or_default()
}

/// The digests of the records that this one refers to.
fn links(record: &SignedRecord) -> Vec<Digest> {
    let predicate = predicate(record);
    let links = predicate.get("links").and_then(Value::as_array).into_iter().flatten();
    links.filter_map(|link| Digest::from_hex(link.get("digest")?.as_str()?)).collect()
}

/// The hint of the key that a key record delegates.
fn delegate(record: &SignedRecord) -> Option<String> {
    let key = Digest::from_hex(predicate(record).get("delegate")?.as_str()?)?;
    Some(remit_evidence::dsse::keyid(key.as_bytes()))
}

/// The public key of a passkey, where a record names one.
fn passkey(record: &SignedRecord, pointer: &str) -> Option<String> {
    predicate(record).pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

/// The authority under which a decision was made.
fn authority(record: &SignedRecord) -> Option<Digest> {
    crate::replay::authority_of(&predicate(record))
}

/// The authority that a policy record put into force.
fn announced(record: &SignedRecord) -> Option<Digest> {
    Digest::from_hex(predicate(record).get("snapshot")?.as_str()?)
}

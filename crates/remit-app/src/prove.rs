//! Proving: records with the proofs of their places in the log, for one recipient. Reads what is published
//! and nothing else: a record that no checkpoint covers yet has no proof yet.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use jiff::Timestamp;
use remit_core::ids::{AgentId, Digest, RecordId, RunId};
use remit_evidence::bundle::{Bundle, CLAIMS_MAX, Claim, Growth, Head, Timestamp as Token};
use remit_evidence::log::merkle::{consistency, inclusion};
use remit_evidence::log::note::Note;
use remit_evidence::log::proof::Proof;
use remit_evidence::log::tile::{Tile, TileReader, TiledHashes};
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use serde_json::Value;

use crate::intent::Unavailable;
use crate::ledger::Tiles;
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

/// Makes bundles from the store and the published log.
#[derive(Clone)]
pub struct Prover {
    /// The records.
    pub store: Arc<dyn Store>,
    /// The published log.
    pub tiles: Arc<dyn Tiles>,
}

/// What is wanted, with its places and the stamps over them: what [`Prover::prove`] makes a bundle of.
pub struct Gathered {
    records: BTreeMap<u64, SignedRecord>,
    stamps: Vec<Stamped>,
}

impl Prover {
    /// Makes the bundle, disclosing the values of these names and no others. Reads files, so it is not for a
    /// thread on which others are waited for.
    ///
    /// # Errors
    /// See [`NoProof`].
    pub fn prove(&self, gathered: Gathered, shown: &[&str]) -> Result<Bundle, NoProof> {
        let note = self.note()?;
        let head = Head::stated(&note).map_err(|error| NoProof::Ledger(error.to_string()))?;
        let size = head.size;
        if gathered.records.last_key_value().is_some_and(|(index, _)| *index >= size) {
            return Err(NoProof::NotSealed);
        }
        let hashes = TiledHashes { reader: Once::over(self.tiles.as_ref()), size };
        let claims = gathered.records.into_iter().map(|(index, record)| {
            let path = inclusion(index, size, &hashes).map_err(|error| NoProof::Ledger(error.to_string()))?;
            let proof = Proof { extra: None, index, path, checkpoint: note.clone() };
            Ok(Claim::showing(record.envelope, &record.disclosures, shown, Some(proof)))
        });
        let claims = claims.collect::<Result<_, NoProof>>()?;
        let (mut timestamps, mut growth) = (Vec::new(), Vec::new());
        for stamped in gathered.stamps {
            let wrong =
                |error: &dyn std::fmt::Display| NoProof::Ledger(format!("a checkpoint that was stamped: {error}"));
            let checkpoint = Note::parse(stamped.note.as_bytes()).map_err(|error| wrong(&error))?;
            let old = Head::stated(&checkpoint).map_err(|error| wrong(&error))?;
            // Proofs stand in the tree that is published; a stamp holds for them if that grew from the stamped one.
            if old.size > size {
                continue;
            }
            if old.size < size {
                let path = consistency(old.size, size, &hashes).map_err(|error| wrong(&error))?;
                growth.push(Growth { old, new: head.clone(), path });
            }
            timestamps.push(Token { checkpoint, rfc3161: stamped.token });
        }
        Ok(Bundle { timestamps, ..Bundle::of(claims, growth) })
    }

    /// The checkpoint that everybody sees.
    fn note(&self) -> Result<Note, NoProof> {
        let published = self.tiles.published().map_err(|error| NoProof::Ledger(error.to_string()))?;
        Note::parse(&published.ok_or(NoProof::NotSealed)?).map_err(|error| NoProof::Ledger(error.to_string()))
    }

    /// What is wanted and what it rests on.
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
        let records: BTreeMap<u64, SignedRecord> = placed.collect::<Result<_, NoProof>>()?;
        let stamps = self.stamps(records.keys().copied()).await?;
        Ok(Gathered { records, stamps })
    }

    /// The first stamp over each of these leaves of the log that is sealed now; they come in order.
    async fn stamps(&self, leaves: impl Iterator<Item = u64>) -> Result<Vec<Stamped>, NoProof> {
        let Some(head) = self.store.head().await? else { return Ok(Vec::new()) };
        let mut found: Vec<Stamped> = Vec::new();
        for leaf in leaves {
            if found.last().is_some_and(|last| leaf < last.size) {
                continue;
            }
            let Some(stamped) = self.store.stamp_over(&head.origin, leaf).await? else { break };
            found.push(stamped);
        }
        // The last one is over all that the others are over, and so each later one is over what an earlier one is.
        let step = found.len().div_ceil(STAMPS_MAX).max(1);
        let mut kept: Vec<Stamped> = found.into_iter().rev().step_by(step).collect();
        kept.reverse();
        Ok(kept)
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

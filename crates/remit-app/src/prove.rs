//! Proving: records with the proofs of their places in the log, for one recipient. Reads what is published
//! and nothing else: a record that no checkpoint covers yet has no proof yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use remit_core::ids::{AgentId, Digest, RecordId, RunId};
use remit_evidence::bundle::{Bundle, CLAIMS_MAX, Claim};
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::merkle::inclusion;
use remit_evidence::log::note::Note;
use remit_evidence::log::proof::Proof;
use remit_evidence::log::tile::TiledHashes;
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use serde_json::Value;

use crate::intent::Unavailable;
use crate::ledger::Tiles;
use crate::ports::{RecordFilter, Store};
use crate::seal::Reader;

/// How many records are read at once.
const PAGE: u32 = 1_000;

/// Which records are wanted. What they rest on comes with them: the delegations of the keys that signed
/// them, and the authority they were decided under.
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

/// A record and its place.
struct Placed {
    index: u64,
    record: SignedRecord,
}

impl Prover {
    /// A bundle of what is wanted, disclosing the values of these names and no others.
    ///
    /// # Errors
    /// See [`NoProof`].
    pub async fn bundle(&self, wanted: &Wanted, shown: &[&str]) -> Result<Bundle, NoProof> {
        let note = self.note()?;
        let size = Checkpoint::parse(note.text()).map_err(|error| NoProof::Ledger(error.to_string()))?.size;
        let records = self.gather(wanted).await?;
        if records.len() > CLAIMS_MAX {
            return Err(NoProof::TooMany(records.len()));
        }
        if records.values().any(|placed| placed.index >= size) {
            return Err(NoProof::NotSealed);
        }
        let hashes = TiledHashes { reader: Reader(self.tiles.as_ref()), size };
        let claims = records.into_values().map(|Placed { index, record }| {
            let path = inclusion(index, size, &hashes).map_err(|error| NoProof::Ledger(error.to_string()))?;
            let proof = Proof { extra: None, index, path, checkpoint: note.clone() };
            Ok(Claim::showing(record.envelope, &record.disclosures, shown, Some(proof)))
        });
        Ok(Bundle::of(claims.collect::<Result<_, NoProof>>()?, Vec::new()))
    }

    /// The checkpoint that everybody sees.
    fn note(&self) -> Result<Note, NoProof> {
        let published = self.tiles.published().map_err(|error| NoProof::Ledger(error.to_string()))?;
        Note::parse(&published.ok_or(NoProof::NotSealed)?).map_err(|error| NoProof::Ledger(error.to_string()))
    }

    /// What is wanted and what it rests on, by place.
    async fn gather(&self, wanted: &Wanted) -> Result<BTreeMap<u64, Placed>, NoProof> {
        let chosen = match wanted {
            Wanted::Record(id) => self.around(id).await?,
            Wanted::Run(run) => self.read(RecordFilter { run: Some(run.clone()), ..RecordFilter::default() }).await?,
            Wanted::Agent(agent, from, until) => self.of_agent(agent, *from, *until).await?,
        };
        if chosen.is_empty() {
            return Err(NoProof::Unknown);
        }
        let mut all = chosen;
        let authorities: BTreeSet<Digest> = all.iter().filter_map(authority).collect();
        let policies = self.read(RecordFilter { kind: Some(Kind::Policy), ..RecordFilter::default() }).await?;
        all.extend(policies.into_iter().filter(|p| announced(p).is_some_and(|digest| authorities.contains(&digest))));
        // Last, for the policies have writers, too.
        let writers: BTreeSet<String> = all.iter().map(|record| record.writer.clone()).collect();
        let keys = self.read(RecordFilter { kind: Some(Kind::Key), ..RecordFilter::default() }).await?;
        all.extend(keys.into_iter().filter(|key| delegate(key).is_some_and(|writer| writers.contains(&writer))));
        let ids: Vec<RecordId> = all.iter().map(|record| record.id.clone()).collect();
        let places = self.store.places(&ids).await?;
        let placed = places.into_iter().zip(all).map(|(index, record)| {
            let index = index.ok_or(NoProof::Unknown)?;
            Ok((index, Placed { index, record }))
        });
        placed.collect()
    }

    /// A record, with those of its run that it refers to or that refer to it, however far.
    async fn around(&self, id: &RecordId) -> Result<Vec<SignedRecord>, NoProof> {
        let centre = self.store.record(id).await?.ok_or(NoProof::Unknown)?;
        let Some(run) = centre.run.clone() else { return Ok(vec![centre]) };
        let mut rest = self.read(RecordFilter { run: Some(run), ..RecordFilter::default() }).await?;
        rest.retain(|record| record.id != centre.id);
        let mut near = vec![centre];
        loop {
            let known: BTreeSet<Digest> = near.iter().map(|record| record.digest).collect();
            let named: BTreeSet<Digest> = near.iter().flat_map(links).collect();
            let touches = |record: &SignedRecord| {
                named.contains(&record.digest) || links(record).iter().any(|link| known.contains(link))
            };
            let (found, left): (Vec<_>, Vec<_>) = rest.into_iter().partition(touches);
            if found.is_empty() {
                return Ok(near);
            }
            near.extend(found);
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
        let mut chosen = Vec::new();
        let mut after = 0;
        loop {
            let filter = RecordFilter { after, limit: PAGE, ..RecordFilter::default() };
            let page = self.store.records(&filter).await?;
            let read = page.len();
            for record in page.into_iter().filter(within) {
                let run = record.run.clone();
                if own(&record) {
                    runs.extend(run);
                    chosen.push(record);
                } else if run.is_some_and(|run| runs.contains(&run)) {
                    chosen.push(record);
                }
                if chosen.len() > CLAIMS_MAX {
                    return Err(NoProof::TooMany(chosen.len()));
                }
            }
            after += read as u64;
            if read < PAGE as usize {
                return Ok(chosen);
            }
        }
    }

    /// Every record of a filter.
    async fn read(&self, filter: RecordFilter) -> Result<Vec<SignedRecord>, NoProof> {
        let mut all = Vec::new();
        loop {
            let page = RecordFilter { after: all.len() as u64, limit: PAGE, ..filter.clone() };
            let page = self.store.records(&page).await?;
            let last = page.len() < PAGE as usize;
            all.extend(page);
            if last || all.len() > CLAIMS_MAX {
                return Ok(all);
            }
        }
    }
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

/// The authority under which a decision was made.
fn authority(record: &SignedRecord) -> Option<Digest> {
    crate::replay::authority_of(&predicate(record))
}

/// The authority that a policy record put into force.
fn announced(record: &SignedRecord) -> Option<Digest> {
    Digest::from_hex(predicate(record).get("snapshot")?.as_str()?)
}

//! `remit ledger`: look at the logs over the records, offline: head, keys, every file, and what is missing from
//! what they cover; and end one.

mod fsck;
mod gaps;
mod rotate;

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use remit_app::ledger::{Mark, Tiles, sealed};
use remit_app::ports::{Clock as _, RecordFilter, Store};
use remit_app::seal::Lag;
use remit_core::ids::Digest;
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::note::Note;
use remit_evidence::writer::SignedRecord;
use remit_server::keys::Machine;

use crate::logs::Log;
use crate::place::Place;
use crate::terminal::{Failure, Outcome, block_on, say};
use crate::{folder, ledger, trust};

/// Look at the logs over the records, and end one, offline.
#[derive(Args)]
pub struct Ledger {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print the published checkpoint: origin, size, root, age, who signed it, and how many records wait for the next. Exit code 1: it has
    /// too few witnesses, or one waits too long.
    Head,
    /// Recompute all logs from their files, and compare them with the checkpoints and the store. Exit code 1: something is wrong.
    Fsck,
    /// Name what is missing from the records: numbers of a writer, ends of runs, outcomes of calls. Exit code 1: something is.
    Gaps,
    /// Print the logs' verifier keys as a policy file (C2SP tlog-policy), and where each is kept. Give it to your auditor
    /// once, by hand.
    Keys,
    /// Print a trust document: what an auditor holds to judge bundles with `remit-verify`. Its fingerprint goes to
    /// standard error; give both by different ways.
    Trust {
        /// Print it signed, for auditors who hold an older one: `remit-verify --next`.
        #[arg(long)]
        next: bool,
    },
    /// End the log and begin the next one under fresh keys. The gateway must be stopped. The old log stays where it is,
    /// for ever.
    Rotate {
        /// What stands behind the origin in the name of the next log: `2027h1`.
        name: String,
    },
    /// Take back a key of a log that has ended, because somebody else may have it. The gateway must be stopped. It counts
    /// through the next trust document: what the key signed over more leaves is rejected, and over fewer it needs a witness.
    Revoke {
        /// The verifier key, as `remit ledger keys` prints it.
        key: String,
        /// The first leaf for which it does not count.
        #[arg(long)]
        from: u64,
    },
}

impl Ledger {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let config = folder::load(folder)?;
        let place = Place { folder, settings: &config.settings };
        block_on(async {
            match self.verb {
                Verb::Head => head(&place).await,
                Verb::Fsck => fsck::run(&place).await,
                Verb::Gaps => gaps::run(&place).await,
                Verb::Keys => {
                    say(trust::policy(&place.logs().await?, &place, true)?.trim_end())?;
                    Ok(ExitCode::SUCCESS)
                }
                Verb::Trust { next } => {
                    let (document, root) = trust::of(&place.logs().await?, &place)?;
                    eprintln!("fingerprint {}", Digest::of(document.as_bytes()));
                    say(if next { trust::signed(&document, &root) } else { document.trim_end().to_owned() })?;
                    Ok(ExitCode::SUCCESS)
                }
                Verb::Rotate { name } => rotate::run(&config, folder, &name).await,
                Verb::Revoke { key, from } => rotate::revoke(&config, folder, &key, from).await,
            }
        })?
    }
}

/// The trust document of this folder, with a final line break.
pub async fn document(folder: &Path) -> Result<String, Failure> {
    let settings = folder::load(folder)?.settings;
    let place = Place { folder, settings: &settings };
    Ok(trust::of(&place.logs().await?, &place)?.0)
}

/// The published checkpoint, believed under the log's own keys.
fn published(files: &dyn Tiles, log: &Log) -> Result<(Note, Mark), Failure> {
    let bytes = files.published().map_err(|error| Failure::said(error.to_string()))?;
    let bytes = bytes.ok_or_else(|| Failure::said("no checkpoint was published yet"))?;
    let note = Note::parse(&bytes).map_err(|error| Failure::said(format!("the checkpoint: {error}")))?;
    let opened = Checkpoint::open(&note, &log.keys, []);
    let Checkpoint { origin, size, root, .. } =
        opened.map_err(|error| Failure::said(format!("the checkpoint: {error}")))?.checkpoint;
    Ok((note, Mark { origin, size, root }))
}

/// How many records are read at once.
const PAGE: u32 = 1_024;

/// All records of a store, in their order, a page at a time.
async fn each_page(store: &dyn Store, mut take: impl FnMut(u64, Vec<SignedRecord>)) -> Result<u64, Failure> {
    let mut after = 0;
    loop {
        let filter = RecordFilter { after, limit: PAGE, ..RecordFilter::default() };
        let page = store.records(&filter).await.map_err(|error| Failure::said(error.to_string()))?;
        if page.is_empty() {
            return Ok(after);
        }
        let first = after;
        after += page.len() as u64;
        take(first, page);
    }
}

async fn head(place: &Place<'_>) -> Outcome {
    let logs = place.logs().await?;
    let mut all = logs.all()?;
    let Some(log) = all.pop() else { return Ok(ExitCode::FAILURE) };
    for ended in all.iter().filter_map(|log| log.ended.as_ref()) {
        say(format!("ended   {} at {} leaves, root {}", ended.origin, ended.edge.size(), ended.edge.root()))?;
    }
    let (note, mark) = published(&*place.open(&logs, &log)?, &log)?;
    say(format!("origin  {}", mark.origin))?;
    say(format!("size    {}", mark.size))?;
    say(format!("root    {}", mark.root))?;
    let witnesses = ledger::witness_keys(place.settings)?;
    let seals = note.seals(log.keys.iter().chain(&witnesses)).map_err(|error| Failure::said(error.to_string()))?;
    let now = u64::try_from(Machine.now().as_second()).unwrap_or(0);
    if let Some(time) = seals.iter().filter(|seal| log.keys.contains(seal.key)).find_map(|seal| seal.time) {
        say(format!("age     {} s", now.saturating_sub(time)))?;
    }
    for seal in &seals {
        let role = if log.keys.contains(seal.key) { "log" } else { "witness" };
        say(format!("signed  {} ({role}, {})", seal.key.name(), trust::algorithm(seal.key)))?;
    }
    let cosigned = witnesses.iter().filter(|key| seals.iter().any(|seal| seal.key == *key)).count();
    let quorum = place.settings.ledger.quorum;
    say(format!("quorum  {cosigned} of {quorum}"))?;
    let overdue = waiting(place).await?;
    Ok(if cosigned >= quorum && !overdue { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says how many records wait to be sealed; whether one has waited longer than it may.
async fn waiting(place: &Place<'_>) -> Result<bool, Failure> {
    let unavailable = |error: remit_app::intent::Unavailable| Failure::said(error.to_string());
    let (store, now) = (place.store()?, Machine.now());
    let lag = Lag::of(&store, now).await.map_err(unavailable)?;
    lag.bind(place.settings.ledger.unsealed);
    let sealed = sealed(&store).await.map_err(unavailable)?;
    let waiting = store.count().await.map_err(unavailable)?.saturating_sub(sealed);
    say(format!("waiting {waiting} records, the oldest for {} s", lag.secs(now)))?;
    let overdue = lag.overdue(now);
    if let Some(why) = &overdue {
        say(format!("BEHIND  {why}"))?;
    }
    Ok(overdue.is_some())
}

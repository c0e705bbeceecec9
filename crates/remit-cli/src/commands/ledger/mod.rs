//! `remit ledger`: look at the log over the records, offline: its head, its keys, every file of it, and
//! what is missing from what it covers.

mod fsck;
mod gaps;
pub(crate) mod trust;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use remit_app::ledger::{Mark, Tiles};
use remit_app::ports::{Clock as _, RecordFilter, Store};
use remit_app::seal::Lag;
use remit_config::settings::{LedgerFiles, Settings};
use remit_core::ids::Digest;
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::note::{Note, NoteSigner as _};
use remit_evidence::log::policy::Policy;
use remit_evidence::log::vkey::{Algorithm, VerifierKey};
use remit_evidence::writer::SignedRecord;
use remit_server::keys::Machine;
use remit_server::ledger::keys;
use remit_store_sqlite::SqliteStore;

use crate::boot;
use crate::ledger;
use crate::terminal::{Failure, Outcome, block_on, say};

/// Look at the log over the records, offline.
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
    /// Recompute the whole log from its files, and compare it with the checkpoint and the store. Exit code 1: something is wrong.
    Fsck,
    /// Name what is missing from the records: numbers of a writer, ends of runs, outcomes of calls. Exit code 1: something is.
    Gaps,
    /// Print the log's verifier keys as a policy file (C2SP tlog-policy). Give it to your auditor once, by hand.
    Keys,
    /// Print a trust document: what an auditor holds to judge bundles with `remit-verify`. Its fingerprint goes to
    /// standard error; give both by different ways.
    Trust,
}

impl Ledger {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        let settings = boot::load(folder)?.settings;
        let place = Place { folder, settings: &settings };
        match self.verb {
            Verb::Head => head(&place),
            Verb::Fsck => block_on(fsck::run(&place))?,
            Verb::Gaps => block_on(gaps::run(&place))?,
            Verb::Keys => {
                say(place.policy()?.trim_end())?;
                Ok(ExitCode::SUCCESS)
            }
            Verb::Trust => {
                let document = trust::document(folder)?;
                eprintln!("fingerprint {}", Digest::of(document.as_bytes()));
                say(document.trim_end())?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

/// Where everything of this log is.
struct Place<'a> {
    folder: &'a Path,
    settings: &'a Settings,
}

impl Place<'_> {
    /// The folder in which the gateway keeps its keys.
    fn keys(&self) -> PathBuf {
        let store = boot::store_of(self.folder, self.settings);
        store.parent().unwrap_or(self.folder).to_owned()
    }

    /// The log's verifier keys. Looking never makes a key.
    fn log_keys(&self) -> Result<Vec<VerifierKey>, Failure> {
        let place = self.keys();
        if let Some(missing) = keys::FILES.iter().find(|name| !place.join(name).exists()) {
            let missing = place.join(missing);
            return Err(Failure::said(format!("`{}` is missing: the log has no keys yet", missing.display())));
        }
        let keys = keys::in_folder(&place, &self.settings.ledger.origin);
        let keys = keys.map_err(|error| Failure::said(error.to_string()))?;
        Ok(keys.iter().map(|key| key.key().clone()).collect())
    }

    /// The log's keys, its witnesses and what is enough of them, as a policy file (C2SP tlog-policy).
    fn policy(&self) -> Result<String, Failure> {
        let mut policy = format!("# The log `{}`, and what is enough to believe it.\n", self.settings.ledger.origin);
        for key in self.log_keys()? {
            policy.push_str(&format!("log {key}\n"));
        }
        let witnesses = ledger::witness_keys(self.settings)?;
        for (at, (key, witness)) in witnesses.iter().zip(&self.settings.ledger.witnesses).enumerate() {
            policy.push_str(&format!("witness w{} {key} {}\n", at + 1, witness.url));
        }
        if witnesses.is_empty() {
            policy.push_str("quorum none\n");
        } else {
            let names: Vec<String> = (1..=witnesses.len()).map(|at| format!("w{at}")).collect();
            policy.push_str(&format!("group witnesses {} {}\n", self.settings.ledger.quorum, names.join(" ")));
            policy.push_str("quorum witnesses\n");
        }
        // What an auditor cannot read is not printed.
        Policy::parse(policy.as_bytes()).map_err(|error| Failure::said(format!("the policy: {error}")))?;
        Ok(policy)
    }

    /// The files of the log. Looking never makes a folder.
    fn open(&self) -> Result<Arc<dyn Tiles>, Failure> {
        if let LedgerFiles::Folder(path) = &self.settings.ledger.files {
            let path = self.folder.join(path);
            if !path.is_dir() {
                return Err(Failure::said(format!("there is no ledger at `{}`", path.display())));
            }
        }
        ledger::tiles(self.settings, self.folder)
    }

    fn store(&self) -> Result<SqliteStore, Failure> {
        let path = boot::store_of(self.folder, self.settings);
        SqliteStore::inspect(&path).map_err(|error| Failure::said(error.to_string()))
    }

    /// The published checkpoint, believed under the log's own keys.
    fn published(&self, files: &dyn Tiles) -> Result<(Note, Mark), Failure> {
        let bytes = files.published().map_err(|error| Failure::said(error.to_string()))?;
        let bytes = bytes.ok_or_else(|| Failure::said("no checkpoint was published yet"))?;
        let note = Note::parse(&bytes).map_err(|error| Failure::said(format!("the checkpoint: {error}")))?;
        let keys = self.log_keys()?;
        let opened = Checkpoint::open(&note, &keys, []);
        let Checkpoint { origin, size, root, .. } =
            opened.map_err(|error| Failure::said(format!("the checkpoint: {error}")))?.checkpoint;
        Ok((note, Mark { origin, size, root }))
    }
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

fn head(place: &Place<'_>) -> Outcome {
    let (note, mark) = place.published(&*place.open()?)?;
    say(format!("origin  {}", mark.origin))?;
    say(format!("size    {}", mark.size))?;
    say(format!("root    {}", mark.root))?;
    let (log, witnesses) = (place.log_keys()?, ledger::witness_keys(place.settings)?);
    let seals = note.seals(log.iter().chain(&witnesses)).map_err(|error| Failure::said(error.to_string()))?;
    let now = u64::try_from(Machine.now().as_second()).unwrap_or(0);
    if let Some(time) = seals.iter().filter(|seal| log.contains(seal.key)).find_map(|seal| seal.time) {
        say(format!("age     {} s", now.saturating_sub(time)))?;
    }
    for seal in &seals {
        let role = if log.contains(seal.key) { "log" } else { "witness" };
        let algorithm = match seal.key.algorithm() {
            Algorithm::Ed25519 => "Ed25519",
            Algorithm::Ed25519Cosignature => "Ed25519 cosignature",
            Algorithm::MlDsa44 => "ML-DSA-44",
        };
        say(format!("signed  {} ({role}, {algorithm})", seal.key.name()))?;
    }
    let cosigned = witnesses.iter().filter(|key| seals.iter().any(|seal| seal.key == *key)).count();
    let quorum = place.settings.ledger.quorum;
    say(format!("quorum  {cosigned} of {quorum}"))?;
    let overdue = block_on(waiting(place))??;
    Ok(if cosigned >= quorum && !overdue { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Says how many records wait to be sealed; whether one has waited longer than it may.
async fn waiting(place: &Place<'_>) -> Result<bool, Failure> {
    let unavailable = |error: remit_app::intent::Unavailable| Failure::said(error.to_string());
    let (store, now) = (place.store()?, Machine.now());
    let lag = Lag::of(&store, now).await.map_err(unavailable)?;
    lag.bind(place.settings.ledger.unsealed);
    let sealed = store.head().await.map_err(unavailable)?.map_or(0, |head| head.edge.size());
    let waiting = store.count().await.map_err(unavailable)?.saturating_sub(sealed);
    say(format!("waiting {waiting} records, the oldest for {} s", lag.secs(now)))?;
    let overdue = lag.overdue(now);
    if let Some(why) = &overdue {
        say(format!("BEHIND  {why}"))?;
    }
    Ok(overdue.is_some())
}

//! `remit ledger rotate` ends the log and begins the next one under fresh keys, `revoke` takes a key of an ended log
//! back. Both with the gateway stopped: the store has one writer, and this is it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use remit_app::ledger::Epoch;
use remit_app::ports::{Clock as _, Store};
use remit_app::seal::{Next, revocation};
use remit_config::Config;
use remit_evidence::writer::Writer;
use remit_server::keys::Machine;
use remit_server::ledger::files::is_log;
use remit_store_sqlite::{Options, SqliteStore};

use crate::boot;
use crate::ledger::{self, Workshop};
use crate::log_keys::LogKeys;
use crate::logs::Logs;
use crate::place::{self, Place};
use crate::terminal::{Failure, Outcome, say, visible};
use crate::trust;

pub(super) async fn run(config: &Config, folder: &Path, name: &str) -> Outcome {
    if !is_log(name) {
        let help = "write small letters, digits and hyphens, at most 32, and neither `tile` nor `checkpoint`";
        return Err(Failure::said(format!("`{}` cannot name a log: {help}", visible(name))));
    }
    let store = alone(config, folder)?;
    let done = turn(config, folder, name, &store).await;
    store.close().await;
    done
}

/// `remit ledger revoke`.
pub(super) async fn revoke(config: &Config, folder: &Path, key: &str, from: u64) -> Outcome {
    let store = alone(config, folder)?;
    let done = take_back(config, folder, key, from, store.as_ref()).await;
    store.close().await;
    done
}

/// The store, which nobody else writes to meanwhile.
fn alone(config: &Config, folder: &Path) -> Result<Arc<dyn Store>, Failure> {
    let path = place::store_of(folder, &config.settings);
    if !path.exists() {
        return Err(Failure::said(format!(
            "there is no store at `{}`: this gateway was never started",
            path.display()
        )));
    }
    let store = SqliteStore::open(&path, Options::default()).map_err(|error| Failure::said(error.to_string()))?;
    Ok(Arc::new(store))
}

async fn take_back(config: &Config, folder: &Path, key: &str, from: u64, store: &dyn Store) -> Outcome {
    let logs = Logs::of(&config.settings, folder, store).await?;
    let all = logs.all()?;
    let found = all.iter().find_map(|log| Some((log, log.keys.iter().find(|known| known.to_string() == key)?)));
    let (log, key) =
        found.ok_or_else(|| Failure::said("no log of this gateway has this key; see `remit ledger keys`"))?;
    if log.ended.is_none() {
        let help = "run `remit ledger rotate` first: a gateway does not sign with a key that was taken back";
        return Err(Failure::said(format!("`{}` has not ended; {help}", log.origin)));
    }
    if logs.revoked().iter().any(|(known, earlier)| known == key && *earlier <= from) {
        return Err(Failure::said("this key was taken back already, from this leaf or an earlier one"));
    }
    let root = root(config, folder, store).await?;
    let record = revocation(key, from, &root, Machine.now(), &Machine);
    store.append(record).await.map_err(|error| Failure::said(error.to_string()))?;
    say(format!("revoked {key} from leaf {from} on"))?;
    say("it counts for your auditors once they have the next trust document: `remit ledger trust --next`")?;
    Ok(ExitCode::SUCCESS)
}

/// What signs for the gateway itself.
async fn root(config: &Config, folder: &Path, store: &dyn Store) -> Result<Writer, Failure> {
    let place = Place { folder, settings: &config.settings };
    let root = match trust::vouching(&place, store).await? {
        Some(root) => root,
        None => trust::root(&place)?,
    };
    // The sequence of a long-lived key must go on over restarts; milliseconds do.
    let numbered = u64::try_from(Machine.now().as_millisecond()).unwrap_or(0);
    Ok(Writer::resuming(Box::new(root), boot::tenant(config, store).await?, numbered))
}

async fn turn(config: &Config, folder: &Path, name: &str, store: &Arc<dyn Store>) -> Outcome {
    let settings = &config.settings;
    let origin = format!("{}/{name}", settings.ledger.origin);
    let logs = Logs::of(settings, folder, store.as_ref()).await?;
    // Before a key is made: a name that is taken would sign two logs.
    if logs.all()?.iter().any(|log| log.origin == origin) {
        return Err(Failure::said(format!("there is a log `{origin}` already")));
    }
    let keys = LogKeys::of_next(settings, folder, &origin)?;
    let keys = keys.open()?.iter().map(|key| key.key().clone()).collect();
    let root = root(config, folder, store.as_ref()).await?;
    let workshop = Workshop { settings, folder, store: Arc::clone(store), witnesses: ledger::witnesses(settings)? };
    let sealer = workshop.sealer(&logs)?;
    let turned = sealer.turn(&Next { origin: &origin, keys }, &root, &Machine).await;
    let epoch = turned.map_err(|error| Failure::said(error.to_string()))?;
    let first = logs.last().map_or(0, |epoch| epoch.first);
    told(&epoch)?;
    // From here on the next start would do the same.
    let logs = Logs::of(settings, folder, store.as_ref()).await?;
    match workshop.finisher(&logs, first, &epoch)?.finish_now().await {
        Ok((cosigned, remarks)) => {
            remarks.iter().try_for_each(|remark| say(format!("note    {remark}")))?;
            let quorum = settings.ledger.quorum;
            say(format!("quorum  {cosigned} of {quorum} have cosigned how it ended"))?;
        }
        Err(why) => say(format!("LATER   the next start of the gateway finishes the files of the old log: {why}"))?,
    }
    if settings.ledger.next_key.is_some() {
        say("now make `next_key:` the `key:` of `ledger:` in remit.yaml; the gateway does not start before")?;
    }
    say(
        "tell your witnesses the new keys before you start the gateway, and your auditors: `remit ledger trust --next`",
    )?;
    Ok(ExitCode::SUCCESS)
}

fn told(epoch: &Epoch) -> Result<(), Failure> {
    let ended = epoch.ended.mark();
    say(format!("ended   {} at {} leaves, root {}", ended.origin, ended.size, ended.root))?;
    say(format!("begun   {}", epoch.origin))?;
    epoch.keys.iter().try_for_each(|key| say(format!("log     {key}")))
}

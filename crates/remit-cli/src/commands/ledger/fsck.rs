//! `remit ledger fsck`: every file is read, the tree is computed anew, and what the store, the head, the
//! guard and the checkpoint say is compared. Names what is wrong and changes nothing.

use std::process::ExitCode;

use remit_app::ledger::{Guard as _, Mark};
use remit_app::ports::Store;
use remit_app::seal::Reader;
use remit_evidence::log::audit::audit;
use remit_evidence::log::bundle;
use remit_evidence::log::leaf::Leaf;
use remit_evidence::log::tile::{Content, Tile, TileReader as _, WIDTH_FULL};
use remit_evidence::log::vkey::VerifierKey;
use remit_evidence::writer::SignedRecord;
use remit_server::ledger::guard::GuardFile;
use serde_json::json;

use super::{each_page, published};
use crate::logs::{Log, Logs};
use crate::place::Place;
use crate::terminal::{Failure, Outcome, say};

pub(super) async fn run(place: &Place<'_>) -> Outcome {
    let logs = place.logs().await?;
    let all = logs.all()?;
    // The checkpoints before the store: a gateway that is running only ever makes the store newer.
    let files = all.iter().map(|log| place.open(&logs, log)).collect::<Result<Vec<_>, _>>()?;
    let marks = all.iter().zip(&files).map(|(log, files)| Ok(published(&**files, log)?.1));
    let marks = marks.collect::<Result<Vec<Mark>, Failure>>()?;
    let store = place.store()?;
    let (mut wrong, mut leaves): (Vec<String>, u64) = (Vec::new(), 0);
    let mut sealed: Vec<Sealed<'_>> = Vec::new();
    for ((log, files), mark) in all.iter().zip(&files).zip(&marks) {
        let reader = Reader(&**files);
        wrong.extend(audit(mark.size, &mark.root, &reader).iter().map(|fault| named(log, &all, fault)));
        if mark.origin != log.origin {
            wrong.push(format!("the checkpoint of `{}` is of `{}`", log.origin, mark.origin));
        }
        match &log.ended {
            Some(head) if head.mark() == *mark => {}
            Some(head) => wrong.push(format!(
                "`{}` ended at {} leaves, and its checkpoint has another tree",
                log.origin,
                head.edge.size()
            )),
            None => {
                against_head(&store, mark, &mut wrong).await?;
                against_guard(place, &logs, mark, &mut wrong);
            }
        }
        leaves += mark.size;
        sealed.push(Sealed { reader, first: log.first, size: mark.size, bundle: None });
    }
    let mut turns = Vec::new();
    let records = each_page(&store, |first, page| {
        for (at, record) in (first..).zip(&page) {
            let of = sealed.iter_mut().rev().find(|sealed| sealed.first <= at);
            wrong.extend(of.and_then(|sealed| sealed.differs(at, record)));
            if all.iter().any(|log| log.first > 0 && (log.first == at || log.first == at + 1)) {
                turns.push(record.clone());
            }
        }
    });
    let records = records.await?;
    if let (Some(log), Some(mark)) = (all.last(), marks.last())
        && records < log.first + mark.size
    {
        wrong.push(format!("the store has {records} records, and {} were sealed", log.first + mark.size));
    }
    for (pair, (old, new)) in turns.chunks(2).zip(all.iter().zip(all.iter().skip(1))) {
        wrong.extend(succession(pair, old, new));
    }
    for what in &wrong {
        say(format!("WRONG {what}"))?;
    }
    say(format!(
        "{leaves} leaves, {} records not yet sealed, {} things are wrong",
        records.saturating_sub(leaves),
        wrong.len()
    ))?;
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A fault, with its log where there are several.
fn named(log: &Log, all: &[Log], fault: &dyn std::fmt::Display) -> String {
    if all.len() > 1 { format!("`{}`: {fault}", log.origin) } else { fault.to_string() }
}

async fn against_head(store: &dyn Store, mark: &Mark, wrong: &mut Vec<String>) -> Result<(), Failure> {
    let head = store.head().await.map_err(|error| Failure::said(error.to_string()))?;
    match head.map(|head| head.mark()) {
        None => wrong.push("a checkpoint was published, and the store has no head".into()),
        Some(head) if head.origin != mark.origin => wrong.push(format!("the store's head is of `{}`", head.origin)),
        Some(head) if head.size < mark.size => {
            wrong.push(format!(
                "ledger.behind: the store's head has {} leaves, the checkpoint {}",
                head.size, mark.size
            ));
        }
        Some(head) if head.size == mark.size && head.root != mark.root => {
            wrong.push("ledger.forked: the store's head is of another tree than the checkpoint".into());
        }
        Some(head) if head.size > mark.size => {
            say(format!("note: the head has {} leaves more than the checkpoint", head.size - mark.size))?;
        }
        Some(_) => {}
    }
    Ok(())
}

fn against_guard(place: &Place<'_>, logs: &Logs<'_>, mark: &Mark, wrong: &mut Vec<String>) {
    let guard = place.folder.join(&place.settings.ledger.guard);
    match GuardFile::at(&guard).map_err(|error| error.to_string()).and_then(|g| g.last().map_err(|e| e.to_string())) {
        Err(error) => wrong.push(format!("the guard: {error}")),
        Ok(None) => wrong.push(format!("the guard `{}` is not there", guard.display())),
        // It is passed on with the first head.
        Ok(Some(last)) if logs.last().is_some_and(|epoch| epoch.ended.mark() == last) => {}
        Ok(Some(last)) if last.size < mark.size || (last.size == mark.size && last != *mark) => {
            wrong.push(format!("the guard has another tree, of {} leaves", last.size));
        }
        Ok(Some(_)) => {}
    }
}

/// What is wrong with the two records on both sides of a turn.
fn succession(pair: &[SignedRecord], old: &Log, new: &Log) -> Option<String> {
    let said = |record: &SignedRecord| remit_core::json::parse(&record.envelope.payload).unwrap_or_default();
    let texts = |keys: &[VerifierKey]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    let [last, first] = pair else { return Some(format!("`{}` has no first leaf", new.origin)) };
    let (last, first, ended) = (said(last), said(first), old.ended.as_ref()?.mark());
    let next = json!({"log": new.origin, "keys": texts(&new.keys)});
    let previous =
        json!({"log": old.origin, "size": ended.size, "root": ended.root.to_string(), "keys": texts(&old.keys)});
    let named = last["predicate"]["next"] == next && first["predicate"]["previous"] == previous;
    (!named).then(|| format!("`{}` and `{}` do not name each other", old.origin, new.origin))
}

/// The entries of the log, a bundle at a time.
struct Sealed<'f> {
    reader: Reader<'f>,
    first: u64,
    size: u64,
    bundle: Option<(Tile, Option<Vec<u8>>)>,
}

impl Sealed<'_> {
    /// What is to be said when the entry at this place is not the leaf of this record. A bundle that
    /// cannot be read was named by the audit.
    fn differs(&mut self, at: u64, record: &SignedRecord) -> Option<String> {
        let at = at - self.first;
        let tile = Tile::holding(Content::Entries, at, self.size)?;
        if self.bundle.as_ref().is_none_or(|(held, _)| *held != tile) {
            self.bundle = Some((tile, self.reader.tile(tile).ok()));
        }
        let bytes = self.bundle.as_ref()?.1.as_ref()?;
        let entries = bundle::decode(tile, bytes)?;
        let entry = entries.get(usize::try_from(at % u64::from(WIDTH_FULL)).ok()?)?;
        let leaf = Leaf::of(&record.envelope, record.seq).ok().map(|leaf| leaf.to_bytes());
        let same = leaf.is_some_and(|leaf| leaf[..] == **entry);
        (!same)
            .then(|| format!("`{}` in the store is not the record that was sealed as leaf {at} (`{tile}`)", record.id))
    }
}

//! `remit ledger fsck`: every file is read, the tree is computed anew, and what the store, the head, the
//! guard and the checkpoint say is compared. Names what is wrong and changes nothing.

use std::process::ExitCode;

use remit_app::ledger::Guard as _;
use remit_app::ports::Store as _;
use remit_app::seal::Reader;
use remit_evidence::log::audit::audit;
use remit_evidence::log::bundle;
use remit_evidence::log::leaf::Leaf;
use remit_evidence::log::tile::{Content, Tile, TileReader as _, WIDTH_FULL};
use remit_evidence::writer::SignedRecord;
use remit_server::ledger::guard::GuardFile;

use super::{Place, each_page};
use crate::terminal::{Failure, Outcome, say};

pub(super) async fn run(place: &Place<'_>) -> Outcome {
    let files = place.open()?;
    // The checkpoint before the store: a gateway that is running only ever makes the store newer.
    let (_, mark) = place.published(&*files)?;
    let store = place.store()?;
    let mut wrong: Vec<String> = Vec::new();
    let reader = Reader(&*files);
    wrong.extend(audit(mark.size, &mark.root, &reader).iter().map(ToString::to_string));

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
    let guard = place.folder.join(&place.settings.ledger.guard);
    match GuardFile::at(&guard).map_err(|error| error.to_string()).and_then(|g| g.last().map_err(|e| e.to_string())) {
        Err(error) => wrong.push(format!("the guard: {error}")),
        Ok(None) => wrong.push(format!("the guard `{}` is not there", guard.display())),
        Ok(Some(last)) if last.size < mark.size || (last.size == mark.size && last != mark) => {
            wrong.push(format!("the guard has another tree, of {} leaves", last.size));
        }
        Ok(Some(_)) => {}
    }

    let mut sealed = Sealed { reader, size: mark.size, bundle: None };
    let records = each_page(&store, |first, page| {
        for (at, record) in (first..mark.size).zip(&page) {
            wrong.extend(sealed.differs(at, record));
        }
    });
    let records = records.await?;
    if records < mark.size {
        wrong.push(format!("the store has {records} records, and {} were sealed", mark.size));
    }
    for what in &wrong {
        say(format!("WRONG {what}"))?;
    }
    say(format!(
        "{} leaves, {} records not yet sealed, {} things are wrong",
        mark.size,
        records.saturating_sub(mark.size),
        wrong.len()
    ))?;
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The entries of the log, a bundle at a time.
struct Sealed<'f> {
    reader: Reader<'f>,
    size: u64,
    bundle: Option<(Tile, Option<Vec<u8>>)>,
}

impl Sealed<'_> {
    /// What is to be said when the entry at this place is not the leaf of this record. A bundle that
    /// cannot be read was named by the audit.
    fn differs(&mut self, at: u64, record: &SignedRecord) -> Option<String> {
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

//! The power fails, the disk fills up, an fsync fails, a process dies: before each single operation on the disk.
//! Whatever is left, a checkpoint stands on files that are there, and whoever starts next repairs the rest.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use remit_app::ledger::{Guard as _, Tiles as _};
use remit_app::ports::Store;
use remit_app::seal::{Lost, Reader, Sealed, Sealer, Tools};
use remit_evidence::log::audit::audit;
use remit_evidence::log::note::Note;
use remit_evidence::record::Kind;
use remit_server::ledger::folder::LedgerFolder;
use remit_server::ledger::guard::GuardFile;
use remit_testkit::conformance::trial::Trial;
use remit_testkit::memory::MemoryStore;

use crate::disk::{Cut, Fake};
use crate::world::{Now, ORIGIN, log_key, opened, settle, truth};

const LEDGER: &str = "/ledger";
const GUARD: &str = "/guard/last_signed";
/// A partial tile, the full one in its place, and what stands above it and beside it.
const LIFE: [usize; 3] = [255, 1, 2];

/// A store that loses nothing, and a disk.
struct Plant {
    disk: Fake,
    store: Arc<dyn Store>,
    trial: Trial,
}

impl Plant {
    fn new() -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        Self { disk: Fake::with(&["/", "/guard"]), trial: Trial::new(Arc::clone(&store)), store }
    }

    fn folder(&self) -> std::io::Result<LedgerFolder> {
        LedgerFolder::on(Arc::new(self.disk.clone()), Path::new(LEDGER))
    }

    fn guard(&self) -> std::io::Result<GuardFile> {
        GuardFile::on(Arc::new(self.disk.clone()), Path::new(GUARD))
    }

    fn sealer(&self) -> std::io::Result<Sealer> {
        let tools = Tools {
            store: Arc::clone(&self.store),
            tiles: Arc::new(self.folder()?),
            guard: Arc::new(self.guard()?),
            clock: Arc::new(Now(Arc::new(AtomicI64::new(1_800_000_000)))),
            signers: vec![Box::new(log_key())],
        };
        Ok(Sealer::new(ORIGIN, tools, Vec::new(), 0))
    }

    async fn append(&self, count: usize) {
        for _ in 0..count {
            self.store.append(self.trial.record(Kind::Policy, None)).await.expect("appended");
        }
    }

    /// Grows the log; the first answer that is no checkpoint.
    async fn live(&self) -> Option<Sealed> {
        let Ok(mut sealer) = self.sealer() else { return Some(Sealed::Later("it does not open".into())) };
        for count in LIFE {
            self.append(count).await;
            match sealer.round().await {
                Sealed::Published(_) => {}
                other => return Some(other),
            }
        }
        None
    }

    /// Whoever looks at the disk now sees no checkpoint over files that are missing.
    fn is_backed(&self, case: &str) {
        let folder = self.folder().expect("it opens");
        let Some(bytes) = folder.published().expect("read") else { return };
        let seen = opened(&Note::parse(&bytes).unwrap_or_else(|error| panic!("{case}: {error}")));
        assert_eq!(audit(seen.size, &seen.root, &Reader(&folder)), [], "{case}: {} leaves", seen.size);
    }

    async fn recovers(&self, case: &str) {
        let mut sealer = self.sealer().expect("it opens");
        let said = settle(&mut sealer).await;
        assert!(matches!(said, Sealed::Idle | Sealed::Published(_)), "{case}: {said:?}");
        self.append(1).await;
        settle(&mut sealer).await;
        let (folder, guard) = (self.folder().expect("it opens"), self.guard().expect("it opens"));
        let checkpoint = Path::new(LEDGER).join("checkpoint");
        truth(&*self.store, &folder, guard.last().expect("read"), &self.disk.shown(&checkpoint), case).await;
        let count = self.store.count().await.expect("counted");
        let stale = self.disk.folders().into_iter().filter(|path| path.to_string_lossy().contains("000.p"));
        let stale: Vec<_> = stale.filter(|path| count >= 256 && !path.starts_with("/ledger/tile/1")).collect();
        assert!(stale.is_empty(), "{case}: nobody needs {stale:?}");
    }
}

#[tokio::test]
async fn the_power_may_fail_before_every_operation() {
    for cut in Cut::ALL {
        let mut at = 0;
        loop {
            let plant = Plant::new();
            plant.disk.dies_at(at);
            let ended = plant.live().await;
            if ended.is_none() && !plant.disk.died() {
                break;
            }
            let case = format!("operation {at}, {cut:?}");
            plant.disk.start();
            plant.disk.power(cut);
            plant.is_backed(&case);
            plant.recovers(&case).await;
            at += 1;
        }
        assert!(at > 80, "only {at} operations were tried");
    }
}

#[tokio::test]
async fn what_a_killed_process_left_is_made_durable_by_the_next_one() {
    let mut at = 0;
    loop {
        let plant = Plant::new();
        plant.disk.dies_at(at);
        if plant.live().await.is_none() && !plant.disk.died() {
            break;
        }
        // The machine goes on, and another process with it. Then the power fails.
        plant.disk.start();
        let case = format!("operation {at}");
        settle(&mut plant.sealer().expect("it opens")).await;
        plant.disk.power(Cut::Gone);
        plant.is_backed(&case);
        plant.recovers(&case).await;
        at += 1;
    }
    assert!(at > 80, "only {at} operations were tried");
}

#[tokio::test]
async fn an_fsync_that_fails_is_never_asked_again() {
    let mut at = 0;
    loop {
        let plant = Plant::new();
        plant.disk.sync_fails_at(at);
        let said = plant.live().await;
        if !plant.disk.sync_failed() {
            break;
        }
        let case = format!("fsync {at}");
        // The first is that of the folder itself: without it nothing is opened.
        assert!(at == 0 || matches!(&said, Some(Sealed::Lost(Lost::Damaged(_)))), "{case}: {said:?}");
        plant.disk.start();
        plant.disk.power(Cut::Gone);
        plant.is_backed(&case);
        plant.recovers(&case).await;
        at += 1;
    }
    assert!(at > 25, "only {at} were tried");
}

#[tokio::test]
async fn a_disk_may_be_full_at_every_byte_that_matters_and_have_room_again() {
    let whole = Plant::new();
    whole.live().await;
    for room in (0..110_000).step_by(1_777) {
        let plant = Plant::new();
        plant.disk.has_room(Some(room));
        let mut sealer = plant.sealer().expect("it opens");
        for count in LIFE {
            plant.append(count).await;
            let said = sealer.round().await;
            assert!(matches!(said, Sealed::Published(_) | Sealed::Later(_) | Sealed::Idle), "{room}: {said:?}");
            plant.is_backed(&format!("{room} bytes"));
        }
        plant.disk.has_room(None);
        settle(&mut sealer).await;
        plant.is_backed(&format!("{room} bytes, and more"));
        plant.disk.power(Cut::Gone);
        plant.is_backed(&format!("{room} bytes, and a power cut"));
        plant.recovers(&format!("{room} bytes")).await;
    }
}

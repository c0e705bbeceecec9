//! A log on a real folder with a real guard file, over a store in memory, and faults at every step that
//! leaves the process.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use remit_app::ledger::{Guard, LedgerError, Mark, Tiles};
use remit_app::ports::{Clock, Store};
use remit_app::seal::{Cosigner, Reader, Sealed, Sealer, Tools};
use remit_evidence::log::audit::audit;
use remit_evidence::log::checkpoint::Checkpoint;
use remit_evidence::log::leaf::Leaf;
use remit_evidence::log::merkle::{Frontier, leaf_hash};
use remit_evidence::log::note::{Note, NoteSigner};
use remit_evidence::log::tile::{Content, Tile};
use remit_evidence::log::vkey::Algorithm;
use remit_evidence::log::{bundle, tile};
use remit_evidence::record::Kind;
use remit_server::ledger::folder::LedgerFolder;
use remit_server::ledger::guard::GuardFile;
use remit_server::signer::Signer;
use remit_testkit::conformance::trial::Trial;
use remit_testkit::memory::MemoryStore;

pub const ORIGIN: &str = "log.example/acme";

/// A step that leaves the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Head,
    Bundle,
    Tile,
    Guard,
    Checkpoint,
}

/// How a step fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Whether it has its effect all the same.
    pub done: bool,
    /// Whether the disk is to be believed afterwards.
    pub broken: bool,
    /// Whether the process dies: nothing after it has any effect.
    pub deadly: bool,
}

/// Which step fails: number `at` of those that `matches`.
#[derive(Default)]
pub struct Fate {
    plan: Mutex<Option<(Option<Step>, usize, Fault)>>,
    dead: Mutex<bool>,
    /// What has struck.
    pub struck: Mutex<Option<Step>>,
    /// All steps that were tried, in order.
    pub steps: Mutex<Vec<Step>>,
    /// Whether the disk keeps something else than it was given.
    pub lying: AtomicBool,
}

impl Fate {
    pub fn order(&self, step: Option<Step>, at: usize, fault: Fault) {
        *self.plan.lock().expect("plan") = Some((step, at, fault));
    }

    /// The process is started anew.
    pub fn revive(&self) {
        *self.dead.lock().expect("dead") = false;
        *self.plan.lock().expect("plan") = None;
    }

    fn meet(&self, step: Step) -> Option<Fault> {
        self.steps.lock().expect("steps").push(step);
        if *self.dead.lock().expect("dead") {
            return Some(Fault { done: false, broken: false, deadly: true });
        }
        let mut plan = self.plan.lock().expect("plan");
        let (wanted, at, fault) = (*plan)?;
        if wanted.is_some_and(|wanted| wanted != step) {
            return None;
        }
        if at > 0 {
            *plan = Some((wanted, at - 1, fault));
            return None;
        }
        *plan = None;
        *self.struck.lock().expect("struck") = Some(step);
        *self.dead.lock().expect("dead") = fault.deadly;
        Some(fault)
    }

    fn pass<T>(&self, step: Step, act: impl FnOnce() -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let Some(fault) = self.meet(step) else { return act() };
        if fault.done {
            act()?;
        }
        let why = format!("fault on order at {step:?}");
        Err(if fault.broken { LedgerError::Broken(why) } else { LedgerError::Failed(why) })
    }
}

/// Everything outside of the sealer. It survives a crash.
pub struct World {
    pub place: tempfile::TempDir,
    pub store: Arc<dyn Store>,
    pub trial: Trial,
    pub fate: Arc<Fate>,
    pub now: Arc<AtomicI64>,
    /// Every note that anybody could have seen.
    pub seen: Arc<Mutex<Vec<String>>>,
}

struct Files {
    place: PathBuf,
    folder: LedgerFolder,
    fate: Arc<Fate>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Tiles for Files {
    fn get(&self, tile: Tile) -> Result<Option<Vec<u8>>, LedgerError> {
        self.folder.get(tile)
    }

    fn put(&self, tile: Tile, bytes: &[u8]) -> Result<(), LedgerError> {
        let step = if tile.content() == Content::Entries { Step::Bundle } else { Step::Tile };
        self.fate.pass(step, || Tiles::put(&self.folder, tile, bytes))?;
        if self.fate.lying.load(Ordering::Relaxed) {
            let mut kept = bytes.to_vec();
            kept[bytes.len() / 2] ^= 1;
            std::fs::write(self.place.join(tile.to_string()), kept).expect("written");
        }
        Ok(())
    }

    fn discard_partials(&self, full: Tile) -> bool {
        self.folder.discard_partials(full)
    }

    fn published(&self) -> Result<Option<Vec<u8>>, LedgerError> {
        self.folder.published()
    }

    fn publish(&self, note: &str) -> Result<(), LedgerError> {
        self.fate.pass(Step::Checkpoint, || {
            self.seen.lock().expect("seen").push(note.to_owned());
            self.folder.publish(note)
        })
    }
}

struct Guarded(GuardFile, Arc<Fate>);

impl Guard for Guarded {
    fn last(&self) -> Result<Option<Mark>, LedgerError> {
        self.0.last()
    }

    fn raise(&self, mark: &Mark) -> Result<(), LedgerError> {
        self.1.pass(Step::Guard, || self.0.raise(mark))
    }

    fn pass_on(&self, ended: &Mark, begun: &Mark) -> Result<(), LedgerError> {
        self.1.pass(Step::Guard, || self.0.pass_on(ended, begun))
    }
}

pub struct Now(pub Arc<AtomicI64>);

impl Clock for Now {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(self.0.load(Ordering::Relaxed)).expect("a time")
    }
}

impl World {
    pub fn new() -> Self {
        let (store, fate) = (MemoryStore::new(), Arc::new(Fate::default()));
        let asked = Arc::clone(&fate);
        store.on_advance(Box::new(move || asked.meet(Step::Head).map(|fault| fault.done)));
        Self::over(Arc::new(store), fate)
    }

    pub fn over(store: Arc<dyn Store>, fate: Arc<Fate>) -> Self {
        let place = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(place.path().join("guard")).expect("made");
        let trial = Trial::new(Arc::clone(&store));
        let now = Arc::new(AtomicI64::new(1_800_000_000));
        Self { place, store, trial, fate, now, seen: Arc::default() }
    }

    pub fn ledger(&self) -> PathBuf {
        self.place.path().join("ledger")
    }

    pub fn guard(&self) -> PathBuf {
        self.place.path().join("guard/last_signed")
    }

    /// A process that seals, with one key: the second changes nothing here and is slow.
    pub fn sealer(&self) -> Sealer {
        self.sealer_with(Vec::new(), 0)
    }

    pub fn sealer_with(&self, cosigners: Vec<Cosigner>, quorum: usize) -> Sealer {
        self.sealer_over(Arc::clone(&self.store), cosigners, quorum)
    }

    pub fn sealer_over(&self, store: Arc<dyn Store>, cosigners: Vec<Cosigner>, quorum: usize) -> Sealer {
        Sealer::new(ORIGIN, self.tools(store, Box::new(log_key())), cosigners, quorum)
    }

    pub fn tools(&self, store: Arc<dyn Store>, signer: Box<dyn NoteSigner + Send + Sync>) -> Tools {
        self.tools_in(self.ledger(), store, signer)
    }

    /// With its files in this folder.
    pub fn tools_in(&self, place: PathBuf, store: Arc<dyn Store>, signer: Box<dyn NoteSigner + Send + Sync>) -> Tools {
        let folder = LedgerFolder::open(&place).expect("it opens");
        Tools {
            store,
            tiles: Arc::new(Files { place, folder, fate: Arc::clone(&self.fate), seen: Arc::clone(&self.seen) }),
            guard: Arc::new(Guarded(GuardFile::at(&self.guard()).expect("it opens"), Arc::clone(&self.fate))),
            clock: Arc::new(Now(Arc::clone(&self.now))),
            signers: vec![signer],
        }
    }

    pub async fn append(&self, count: usize) {
        for _ in 0..count {
            self.store.append(self.trial.record(Kind::Policy, None)).await.expect("appended");
        }
    }

    pub fn later(&self, seconds: i64) {
        self.now.fetch_add(seconds, Ordering::Relaxed);
    }

    pub fn published(&self) -> Checkpoint {
        let bytes = std::fs::read(self.ledger().join("checkpoint")).expect("published");
        opened(&Note::parse(&bytes).expect("a note"))
    }

    /// The whole truth: every record is sealed, every file is right, and every note that was ever seen
    /// is of a part of the log.
    pub async fn check(&self, case: &str) {
        let folder = LedgerFolder::open(&self.ledger()).expect("it opens");
        let last = GuardFile::at(&self.guard()).expect("it opens").last().expect("read");
        let seen = self.seen.lock().expect("seen").clone();
        truth(&*self.store, &folder, last, &seen, case).await;
    }
}

/// See [`World::check`].
pub async fn truth(store: &dyn Store, files: &dyn Tiles, guard: Option<Mark>, seen: &[String], case: &str) {
    let published = files.published().expect("read").expect("a checkpoint");
    let published = opened(&Note::parse(&published).expect("a note"));
    let head = store.head().await.expect("read").expect("a head");
    let count = store.count().await.expect("counted");
    assert_eq!((published.size, published.root), (head.edge.size(), head.edge.root()), "{case}");
    assert_eq!(published.size, count, "{case}: not every record is sealed");
    assert_eq!(guard, Some(head.mark()), "{case}");
    let reader = Reader(files);
    assert_eq!(audit(published.size, &published.root, &reader), [], "{case}");
    let leaves = store.leaves(0, u32::MAX).await.expect("read");
    assert_eq!(entries(&reader, count), leaves, "{case}: the entries are not the store's leaves");
    let mut last = 0;
    for note in seen {
        let note = opened(&Note::parse(note.as_bytes()).expect("a note"));
        assert!(note.size >= last, "{case}: the log shrank");
        last = note.size;
        let mut edge = Frontier::default();
        leaves.iter().take(usize::try_from(note.size).expect("small")).for_each(|leaf| edge.push(leaf.hash()));
        assert_eq!((edge.size(), edge.root()), (note.size, note.root), "{case}: somebody saw another tree");
    }
}

pub fn log_key() -> Signer {
    Signer::ed25519(ORIGIN, Algorithm::Ed25519, &[7; 32]).expect("a key")
}

pub fn opened(note: &Note) -> Checkpoint {
    let key = log_key();
    Checkpoint::open(note, [key.key()], []).expect("ours").checkpoint
}

pub fn entries(reader: &impl tile::TileReader<Error = remit_app::seal::Unread>, size: u64) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    for at in (0..size).step_by(256) {
        let tile = Tile::holding(Content::Entries, at, size).expect("a tile");
        let bytes = reader.tile(tile).expect("read");
        for entry in bundle::decode(tile, &bytes).expect("a bundle") {
            let leaf = Leaf::parse(entry).expect("a leaf");
            assert_eq!(leaf.hash(), leaf_hash(entry));
            leaves.push(leaf);
        }
    }
    leaves
}

/// Seals until nothing is left; the last thing said.
pub async fn settle(sealer: &mut Sealer) -> Sealed {
    for _ in 0..20 {
        match sealer.round().await {
            Sealed::Published(report) if report.fresh > 0 => {}
            Sealed::Later(_) => {}
            other => return other,
        }
    }
    panic!("it never settles")
}

pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("read").map(|entry| entry.expect("read").path()) {
        let target = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() { copy(&entry, &target) } else { std::fs::copy(&entry, &target).map(drop).expect("copied") }
    }
}

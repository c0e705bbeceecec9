//! A disk in memory that tells what the kernel shows from what survives a power cut, and keeps no more promises than
//! POSIX makes: a file's bytes are durable after its fsync, a name after that of its folder, and everything else is
//! there afterwards or is not, in any order.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use remit_server::ledger::disk::{Disk, Handle};

/// What becomes of what was not made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// It is gone.
    Gone,
    /// It is there, bytes too.
    Kept,
    /// Names are there, and files hold half of their bytes.
    Torn,
    /// Only the newest change of a name is there.
    Newest,
    /// All but the newest change of a name are there.
    AllButNewest,
}

impl Cut {
    pub const ALL: [Self; 5] = [Self::Gone, Self::Kept, Self::Torn, Self::Newest, Self::AllButNewest];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Folder,
    File(usize),
}

#[derive(Clone, Default)]
struct File {
    seen: Vec<u8>,
    durable: Vec<u8>,
    /// Whether what is seen is what is durable, as far as the kernel cares.
    clean: bool,
}

/// A change of names in one folder.
#[derive(Clone, Debug)]
enum Change {
    Appears(PathBuf, Node),
    Moves(PathBuf, PathBuf, Node),
    Vanishes(PathBuf),
}

impl Change {
    fn folder(&self) -> &Path {
        let (Self::Appears(path, _) | Self::Moves(path, ..) | Self::Vanishes(path)) = self;
        path.parent().expect("a folder")
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, Node>) {
        match self {
            Self::Appears(path, node) => drop(names.insert(path.clone(), *node)),
            Self::Moves(from, to, node) => {
                names.remove(from);
                names.insert(to.clone(), *node);
            }
            Self::Vanishes(path) => names.retain(|name, _| !name.starts_with(path)),
        }
    }
}

#[derive(Clone, Default)]
struct Platter {
    files: Vec<File>,
    seen: BTreeMap<PathBuf, Node>,
    durable: BTreeMap<PathBuf, Node>,
    pending: Vec<Change>,
    /// How many operations there were.
    count: usize,
    /// The operation before which the process dies.
    dies_at: Option<usize>,
    dead: bool,
    syncs: usize,
    /// The fsync that fails.
    sync_fails_at: Option<usize>,
    /// How many bytes may yet be written.
    room: Option<usize>,
    /// Bytes of files that were renamed to the name that everybody looks at.
    shown: Vec<(PathBuf, Vec<u8>)>,
}

impl Platter {
    fn begin(&mut self) -> io::Result<()> {
        self.dead |= self.dies_at == Some(self.count);
        if self.dead {
            return Err(io::Error::other("the process is dead"));
        }
        self.count += 1;
        Ok(())
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.seen);
        self.pending.push(change);
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.seen.get(path) {
            Some(Node::File(at)) => Ok(*at),
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// The disk. Clones are the same one.
#[derive(Clone)]
pub struct Fake(Arc<Mutex<Platter>>);

impl Fake {
    /// An empty disk with these folders, durably.
    pub fn with(folders: &[&str]) -> Self {
        let names = folders.iter().map(|path| (PathBuf::from(path), Node::Folder));
        let seen: BTreeMap<_, _> = names.collect();
        Self(Arc::new(Mutex::new(Platter { durable: seen.clone(), seen, ..Platter::default() })))
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.0.lock().expect("the disk")
    }

    pub fn dies_at(&self, at: usize) {
        self.platter().dies_at = Some(at);
    }

    pub fn died(&self) -> bool {
        self.platter().dead
    }

    /// Counts from here.
    pub fn sync_fails_at(&self, at: usize) {
        let mut platter = self.platter();
        platter.sync_fails_at = Some(platter.syncs + at);
    }

    pub fn sync_failed(&self) -> bool {
        let platter = self.platter();
        platter.sync_fails_at.is_some_and(|at| at < platter.syncs)
    }

    pub fn has_room(&self, room: Option<usize>) {
        self.platter().room = room;
    }

    /// Another process finds what the kernel shows.
    pub fn start(&self) {
        let mut platter = self.platter();
        (platter.dead, platter.dies_at, platter.sync_fails_at) = (false, None, None);
    }

    /// The machine loses its power and gets it back.
    pub fn power(&self, cut: Cut) {
        let mut platter = self.platter();
        let pending = std::mem::take(&mut platter.pending);
        let newest = pending.len().saturating_sub(1);
        let kept = pending.iter().enumerate().filter(|(at, _)| match cut {
            Cut::Gone => false,
            Cut::Kept | Cut::Torn => true,
            Cut::Newest => *at == newest,
            Cut::AllButNewest => *at != newest,
        });
        let mut names = platter.durable.clone();
        kept.for_each(|(_, change)| change.apply(&mut names));
        // A name in a folder that is not there is not there either.
        let all = names.clone();
        names.retain(|name, _| name.ancestors().skip(1).all(|above| all.get(above) == Some(&Node::Folder)));
        platter.durable = names.clone();
        platter.seen = names;
        for file in &mut platter.files {
            if !file.clean {
                match cut {
                    Cut::Gone | Cut::Newest => {}
                    Cut::Torn => file.durable = file.seen[..file.seen.len() / 2].to_vec(),
                    Cut::Kept | Cut::AllButNewest => file.durable = file.seen.clone(),
                }
            }
            (file.seen, file.clean) = (file.durable.clone(), true);
        }
    }

    /// What was ever seen under this name.
    pub fn shown(&self, path: &Path) -> Vec<String> {
        let platter = self.platter();
        let shown = platter.shown.iter().filter(|(name, _)| name == path);
        shown.map(|(_, bytes)| String::from_utf8(bytes.clone()).expect("text")).collect()
    }

    /// The folders there are.
    pub fn folders(&self) -> BTreeSet<PathBuf> {
        let platter = self.platter();
        platter.seen.iter().filter(|(_, node)| **node == Node::Folder).map(|(path, _)| path.clone()).collect()
    }
}

impl Disk for Fake {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let platter = self.platter();
        if platter.dead {
            return Err(io::Error::other("the process is dead"));
        }
        let at = platter.file(path)?;
        Ok(platter.files[at].seen.clone())
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        let mut platter = self.platter();
        platter.begin()?;
        if platter.seen.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !platter.seen.contains_key(path.parent().expect("a folder")) {
            return Err(io::ErrorKind::NotFound.into());
        }
        platter.change(Change::Appears(path.to_owned(), Node::Folder));
        Ok(())
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<Box<dyn Handle>> {
        let mut platter = self.platter();
        platter.begin()?;
        if !platter.seen.contains_key(path.parent().expect("a folder")) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let at = platter.file(path).unwrap_or(platter.files.len());
        if at == platter.files.len() {
            platter.files.push(File::default());
            platter.change(Change::Appears(path.to_owned(), Node::File(at)));
        }
        (platter.files[at].seen, platter.files[at].clean) = (Vec::new(), false);
        platter.begin()?;
        let fits = platter.room.map_or(bytes.len(), |room| room.min(bytes.len()));
        platter.files[at].seen = bytes[..fits].to_vec();
        platter.room = platter.room.map(|room| room - fits);
        if fits < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(Box::new(Open(self.clone(), path.to_owned(), Node::File(at))))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Handle>> {
        let platter = self.platter();
        let node = platter.seen.get(path).filter(|_| !platter.dead).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(Open(self.clone(), path.to_owned(), *node)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut platter = self.platter();
        platter.begin()?;
        assert_eq!(from.parent(), to.parent(), "within one folder a rename is one change");
        let at = platter.file(from)?;
        platter.change(Change::Moves(from.to_owned(), to.to_owned(), Node::File(at)));
        let bytes = platter.files[at].seen.clone();
        platter.shown.push((to.to_owned(), bytes));
        Ok(())
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        let inside: Vec<PathBuf> = {
            let platter = self.platter();
            platter.seen.keys().filter(|name| name.starts_with(path)).cloned().rev().collect()
        };
        if inside.is_empty() {
            return Err(io::ErrorKind::NotFound.into());
        }
        for name in inside {
            let mut platter = self.platter();
            platter.begin()?;
            platter.change(Change::Vanishes(name));
        }
        Ok(())
    }
}

struct Open(Fake, PathBuf, Node);

impl Handle for Open {
    fn sync(&self) -> io::Result<()> {
        let mut platter = self.0.platter();
        platter.begin()?;
        platter.syncs += 1;
        let fails = platter.sync_fails_at == Some(platter.syncs - 1);
        match self.2 {
            Node::File(at) => {
                let file = &mut platter.files[at];
                if !fails && !file.clean {
                    file.durable = file.seen.clone();
                }
                // What could not be written is forgotten: the next fsync finds nothing to do.
                file.clean = true;
            }
            Node::Folder => {
                let here = |change: &Change| change.folder() == self.1;
                let (synced, others) = std::mem::take(&mut platter.pending).into_iter().partition(here);
                platter.pending = others;
                let synced: Vec<Change> = if fails { Vec::new() } else { synced };
                synced.iter().for_each(|change| change.apply(&mut platter.durable));
            }
        }
        if fails { Err(io::Error::other("the disk failed")) } else { Ok(()) }
    }
}

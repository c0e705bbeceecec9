//! A folder in the making. It stands aside until it is whole, so that what fails leaves nothing behind.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use crate::terminal::Failure;

/// Where it stands aside. It is removed when it is dropped.
pub(super) struct Staging {
    place: PathBuf,
    /// The folder itself, when it was made for this.
    made: Option<PathBuf>,
}

impl Staging {
    /// Beside what the folder holds.
    pub(super) fn within(folder: &Path) -> Result<Self, Failure> {
        let place = folder.join(".remit-init");
        let made = (!folder.exists()).then(|| folder.to_owned());
        let at = |error| Failure::Io(place.display().to_string(), error);
        std::fs::create_dir_all(folder).map_err(at)?;
        if place.exists() {
            let why = "an `init` was interrupted, or is under way: remove that folder, and try again";
            return Err(Failure::said(format!("`{}` is there already: {why}", place.display())));
        }
        std::fs::DirBuilder::new().mode(0o700).create(&place).map_err(at)?;
        Ok(Self { place, made })
    }

    /// Where to write.
    pub(super) fn place(&self) -> &Path {
        &self.place
    }

    /// Moves all of it to where it belongs. What is there already stays, and then nothing is moved.
    pub(super) fn settle(mut self, folder: &Path) -> Result<(), Failure> {
        let at = |error| Failure::Io(folder.display().to_string(), error);
        let mut moves = Vec::new();
        plan(&self.place, folder, &mut moves)?;
        // INVARIANT (whole or not at all): without remit.yaml no gateway starts on the folder.
        moves.sort_by_key(|(from, _)| from.file_name().is_some_and(|name| name == "remit.yaml"));
        for (done, (from, to)) in moves.iter().enumerate() {
            if let Err(error) = std::fs::rename(from, to) {
                for (from, to) in moves.iter().take(done) {
                    std::fs::rename(to, from).map_err(at)?;
                }
                return Err(Failure::Io(to.display().to_string(), error));
            }
        }
        self.made = None;
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be removed is named by the next attempt.
        let _ = std::fs::remove_dir_all(&self.place);
        if let Some(folder) = &self.made {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// What has to be moved for these to be one folder.
fn plan(from: &Path, to: &Path, moves: &mut Vec<(PathBuf, PathBuf)>) -> Result<(), Failure> {
    let at = |error| Failure::Io(from.display().to_string(), error);
    for entry in std::fs::read_dir(from).map_err(at)? {
        let entry = entry.map_err(at)?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match (from.is_dir(), to.symlink_metadata()) {
            (_, Err(_)) => moves.push((from, to)),
            (true, Ok(there)) if there.is_dir() => plan(&from, &to, moves)?,
            _ => return Err(Failure::said(format!("`{}` is there already; nothing was changed", to.display()))),
        }
    }
    Ok(())
}

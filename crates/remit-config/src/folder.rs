//! The configuration folder as named texts. It may come from a disk or from memory; nothing behind
//! this file can tell which.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::Path;

use remit_core::authority::Fault;
use remit_core::authority::remit::Locus;
use remit_core::ids::Digest;

/// Largest file, in bytes.
pub const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Most files.
pub const FILES_MAX: usize = 10_000;

/// The folders inside, and what the names of their files end with.
const FOLDERS: [(&str, &str); 5] =
    [("guardrails", ".cedar"), ("pins", ".json"), ("remits", ".yaml"), ("tests", ".yaml"), ("upstreams", ".yaml")];
/// The files at the top.
const FILES: [&str; 2] = ["keys.yaml", "remit.yaml"];

/// Named texts, sorted by name: `remit.yaml`, `remits/support-bot.yaml`, …
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    texts: BTreeMap<String, String>,
}

impl Folder {
    /// Reads a folder from a disk. Hidden files, further files at the top and further folders are
    /// left alone; a file of another kind inside one of our folders is a fault, because somebody
    /// believes that it counts.
    ///
    /// # Errors
    /// Every file that cannot be read, is no regular file, is too large, or is not UTF-8.
    pub fn read(root: &Path) -> Result<Self, Vec<Fault>> {
        if !root.is_dir() {
            return Err(vec![fault(&root.to_string_lossy(), "there is no such folder", None)]);
        }
        let mut folder = Self::default();
        let mut faults = Vec::new();
        for name in FILES {
            if root.join(name).symlink_metadata().is_ok() {
                folder.add(root, name, &mut faults);
            }
        }
        for (inner, suffix) in FOLDERS {
            for name in names(root, inner, suffix, &mut faults) {
                if folder.texts.len() == FILES_MAX {
                    faults.push(fault(inner, format!("the folder holds more than {FILES_MAX} files"), None));
                    return Err(faults);
                }
                folder.add(root, &name, &mut faults);
            }
        }
        if faults.is_empty() { Ok(folder) } else { Err(faults) }
    }

    /// A folder that exists in memory only, under the same bounds.
    ///
    /// # Errors
    /// Names that no folder has, and texts that are too large.
    pub fn from_texts<N: Into<String>, T: Into<String>>(
        texts: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self, Vec<Fault>> {
        let mut folder = Self::default();
        let mut faults = Vec::new();
        for (name, text) in texts {
            let (name, text) = (name.into(), text.into());
            if !known(&name) {
                let help = "use remit.yaml, keys.yaml, upstreams/*.yaml, remits/*.yaml, guardrails/*.cedar, pins/*.json or tests/*.yaml";
                faults.push(fault(&name, "no file of a configuration folder is called this", Some(help.into())));
            } else if text.len() as u64 > FILE_BYTES_MAX || folder.texts.len() == FILES_MAX {
                faults.push(too_large(&name));
            } else {
                folder.texts.insert(name, text);
            }
        }
        if faults.is_empty() { Ok(folder) } else { Err(faults) }
    }

    /// The same folder with further texts, which replace those of the same name.
    ///
    /// # Errors
    /// As for [`Folder::from_texts`].
    pub fn with<N: Into<String>, T: Into<String>>(
        &self,
        texts: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self, Vec<Fault>> {
        let own = self.texts.iter().map(|(name, text)| (name.clone(), text.clone()));
        Self::from_texts(own.chain(texts.into_iter().map(|(name, text)| (name.into(), text.into()))))
    }

    /// One text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// All texts, sorted by name.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(name, text)| (name.as_str(), text.as_str()))
    }

    /// The texts of one inner folder: `remits`.
    pub(crate) fn inside(&self, inner: &str) -> impl Iterator<Item = (&str, &str)> {
        self.texts().filter(move |(name, _)| name.split_once('/').is_some_and(|(folder, _)| folder == inner))
    }

    /// The texts of all that is authority, as one JSON object in canonical form: from it the folder can be
    /// made again with [`Folder::from_texts`].
    #[must_use]
    pub fn sources(&self) -> String {
        let texts = self.texts().filter(|(name, _)| !name.starts_with("tests/"));
        let texts = texts.map(|(name, text)| (name.to_owned(), serde_json::Value::from(text)));
        remit_core::json::canonical(&serde_json::Value::Object(texts.collect()))
    }

    /// Digest over the names and texts of all that is authority: everything but `tests/`. Each
    /// part is preceded by its length, so that no two folders share a digest.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut all = b"remit/folder/v1".to_vec();
        for (name, text) in self.texts().filter(|(name, _)| !name.starts_with("tests/")) {
            for part in [name, text] {
                all.extend_from_slice(&(part.len() as u64).to_be_bytes());
                all.extend_from_slice(part.as_bytes());
            }
        }
        Digest::of(&all)
    }

    fn add(&mut self, root: &Path, name: &str, faults: &mut Vec<Fault>) {
        match text(root, name) {
            Ok(text) => {
                self.texts.insert(name.to_owned(), text);
            }
            Err(fault) => faults.push(*fault),
        }
    }
}

fn known(name: &str) -> bool {
    if FILES.contains(&name) {
        return true;
    }
    let Some((inner, file)) = name.split_once('/') else { return false };
    let suffix = FOLDERS.iter().find(|(folder, _)| *folder == inner).map(|(_, suffix)| *suffix);
    let stem = suffix.and_then(|suffix| file.strip_suffix(suffix));
    stem.is_some_and(|stem| !stem.is_empty() && !stem.starts_with('.') && !stem.contains(['/', '\\', '#']))
}

fn names(root: &Path, inner: &str, suffix: &str, faults: &mut Vec<Fault>) -> Vec<String> {
    let mut names = Vec::new();
    let entries = match std::fs::read_dir(root.join(inner)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return names,
        Err(error) => {
            faults.push(fault(inner, format!("the folder cannot be read: {error}"), None));
            return names;
        }
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                faults.push(fault(inner, format!("the folder cannot be read: {error}"), None));
                continue;
            }
        };
        let file = entry.file_name().to_string_lossy().into_owned();
        // Editors and Kubernetes leave hidden files and links about.
        if file.starts_with('.') {
            continue;
        }
        let name = format!("{inner}/{file}");
        if known(&name) {
            names.push(name);
        } else {
            let help = format!("files here end in `{suffix}`; move or rename it");
            faults.push(fault(&name, "this file would not be read", Some(help)));
        }
        if names.len() > FILES_MAX {
            break;
        }
    }
    names.sort_unstable();
    names
}

fn text(root: &Path, name: &str) -> Result<String, Box<Fault>> {
    let path = root.join(name);
    let unreadable = |error: std::io::Error| Box::new(fault(name, format!("the file cannot be read: {error}"), None));
    // A link is followed, because mounted configurations are made of links; a pipe or device, whose
    // reading might never end, is not.
    if !std::fs::metadata(&path).map_err(unreadable)?.is_file() {
        return Err(Box::new(fault(name, "this is no regular file", None)));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(Box::new(too_large(name)));
    }
    String::from_utf8(bytes).map_err(|_| Box::new(fault(name, "the file is not UTF-8", None)))
}

fn too_large(name: &str) -> Fault {
    fault(name, format!("more than {FILE_BYTES_MAX} bytes, or more than {FILES_MAX} files"), Some("split it".into()))
}

fn fault(name: &str, message: impl Into<String>, help: Option<String>) -> Fault {
    Fault { locus: Locus { file: name.to_owned(), line: 0, column: 0 }, message: message.into(), help }
}

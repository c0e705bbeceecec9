//! What a verifier remembers between verdicts: the heads of logs and the newest trust document. A
//! rewritten log is noticed by this even if nobody else watches. One file each, replaced as a whole.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remit_core::ids::Digest;
use remit_evidence::bundle::Head;
use remit_evidence::trust::Trust;

use crate::Unjudged;

#[derive(Debug)]
pub(crate) struct Memory {
    folder: PathBuf,
    pub heads: Vec<Head>,
}

impl Memory {
    /// Reads what is remembered for this tenant, and refuses a trust document older than the newest seen.
    pub(crate) fn open(folder: &str, trust: &Trust) -> Result<Self, Unjudged> {
        let folder = PathBuf::from(folder);
        let bad = |what: &str| Unjudged::State(what.to_owned());
        let seen = text(folder.join("trust"))?;
        if let Some(line) = seen.lines().next() {
            let mut words = line.splitn(3, ' ');
            let (version, fingerprint) = (words.next().and_then(|word| word.parse::<u64>().ok()), words.next());
            let (Some(version), Some(fingerprint), Some(tenant)) = (version, fingerprint, words.next()) else {
                return Err(bad("`trust` is malformed"));
            };
            if tenant != trust.tenant {
                return Err(bad("it is about another tenant"));
            }
            // INVARIANT (no rollback): an older document could bring back a key that was taken away.
            let other = version == trust.version && fingerprint != trust.fingerprint.to_string();
            if trust.version < version || other {
                return Err(bad("a newer trust document, or another one of the same version, was used before"));
            }
        }
        let heads = text(folder.join("heads"))?;
        let heads = heads.lines().map(head).collect::<Option<_>>().ok_or_else(|| bad("`heads` is malformed"))?;
        Ok(Self { folder, heads })
    }

    /// Adds these heads, and the trust document they were judged by.
    pub(crate) fn keep(&mut self, heads: &[Head], trust: &Trust) -> Result<(), Unjudged> {
        self.heads.extend_from_slice(heads);
        self.heads.sort();
        self.heads.dedup();
        let line = |head: &Head| format!("{} {} {}\n", head.size, STANDARD.encode(head.root.as_bytes()), head.origin);
        let lines: String = self.heads.iter().map(line).collect();
        let line = format!("{} {} {}\n", trust.version, trust.fingerprint, trust.tenant);
        let kept = self.replace("heads", &lines).and_then(|()| self.replace("trust", &line));
        kept.map_err(|error| Unjudged::State(error.to_string()))
    }

    /// Durable before it takes the place of the old one: a crash leaves one of them, whole.
    fn replace(&self, name: &str, text: &str) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let new = self.folder.join(format!("{name}.new"));
        let mut file = fs::File::create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(new, self.folder.join(name))?;
        fs::File::open(&self.folder)?.sync_all()
    }
}

fn text(path: PathBuf) -> Result<String, Unjudged> {
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(|error| Unjudged::State(error.to_string())),
    }
}

fn head(line: &str) -> Option<Head> {
    let mut words = line.splitn(3, ' ');
    let size = words.next()?.parse().ok()?;
    let root = Digest::from_bytes(STANDARD.decode(words.next()?).ok()?.try_into().ok()?);
    Some(Head { origin: words.next()?.to_owned(), size, root })
}

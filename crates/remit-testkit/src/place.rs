//! A configuration folder on a disk, for one test, and the program `remit` at work on it.
#![expect(clippy::expect_used, reason = "a test that has no place to stand has failed")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use remit_config::Folder;
use remit_core::ids::Digest;
use tempfile::TempDir;

use crate::upstream::Upstream;

/// Where the upstream of the scenarios would listen.
const UPSTREAM: &str = "http://127.0.0.1:7431/mcp";

/// What an organisation has declared for emergencies, for the end of `remit.yaml`.
pub const EMERGENCY: &str = "
break_glass:
  leak:
    agents: [desk]
    tools: [business/send_mail]
    up_to: 10m
    calls: 1
    people: [team:operations]
    reviewers: [team:security]
    instead_of: [two-person]
";

/// What `desk` may ask people for, for the end of its remit.
pub const OFFERS: &str = "
may_request:
  - tools: [business/delete_customer]
    where: { environment: [production] }
    up_to: 8h
    calls: 2
    unused: 1h
    approval: finance-sign-off
  - tools: [business/send_mail]
    up_to: 1h
    unused: 2s
    approval: finance-sign-off
";

/// A folder that is gone with the test.
pub struct Place(TempDir);

/// The organisation that the scenarios play in.
///
/// # Panics
/// When it cannot be read.
#[must_use]
pub fn base() -> Folder {
    Folder::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/base")).expect("scenarios/base")
}

/// The upstream of the scenarios, each call of which takes this long.
///
/// # Panics
/// When it cannot listen.
pub async fn business(delay: Duration) -> Upstream {
    let pins = base();
    Upstream::serve(pins.text("pins/business.json").expect("pins"), delay).await.expect("an upstream")
}

impl Place {
    /// With the organisation that the scenarios play in.
    #[must_use]
    pub fn base() -> Self {
        Self::holding(&base())
    }

    /// The same, with this upstream behind the gateway.
    #[must_use]
    pub fn before(upstream: &Upstream) -> Self {
        let place = Self::base();
        place.reaches(upstream);
        place
    }

    /// Puts this upstream behind the gateway, in the place of the one that the scenarios name.
    ///
    /// # Panics
    /// When they name none.
    pub fn reaches(&self, upstream: &Upstream) {
        self.edit("upstreams/business.yaml", UPSTREAM, &upstream.url);
    }

    /// With these files.
    ///
    /// # Panics
    /// When they cannot be written.
    #[must_use]
    pub fn holding(folder: &Folder) -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in folder.texts() {
            place.write(name, text);
        }
        std::fs::create_dir_all(place.path().join(".remit")).expect("a folder");
        place
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// What a file says.
    ///
    /// # Panics
    /// When there is no such file.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).expect("a text")
    }

    /// Has a file say this and nothing else.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        let file = self.path().join(name);
        std::fs::create_dir_all(file.parent().expect("a parent")).expect("a folder");
        std::fs::write(file, text).expect("a file");
    }

    /// Puts a secret into a file that only its owner can read.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn hide(&self, name: &str, secret: &str) {
        self.write(name, secret);
        let own = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(self.path().join(name), own).expect("a mode");
    }

    /// Has a file say something else where it says this for the first time.
    ///
    /// # Panics
    /// When it does not say it.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.text(name);
        assert!(text.contains(from), "{name} does not say `{from}`");
        self.write(name, &text.replacen(from, to, 1));
    }

    /// Has a file say this besides, at its end.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn append(&self, name: &str, text: &str) {
        self.write(name, &format!("{}{text}", self.text(name)));
    }

    /// Lets `desk` come with this key, for this user.
    ///
    /// # Panics
    /// When the keys cannot be written.
    pub fn admit(&self, key: &str, user: &str) {
        self.key(key, &format!("id: {key}, agent: desk, user: {user}"));
    }

    /// Lets the host application of `desk` come with this key, and open runs for anybody.
    ///
    /// # Panics
    /// When the keys cannot be written.
    pub fn host(&self, key: &str) {
        self.key(key, "id: host, agent: desk, may_declare: any");
    }

    fn key(&self, key: &str, of: &str) {
        let (keys, sha256) = (self.text("keys.yaml"), Digest::of(key.as_bytes()));
        let line = format!("  - {{ {of}, expires: 2099-01-01, sha256: {sha256} }}\n");
        let others = keys.strip_prefix("agents:\n").unwrap_or(&keys);
        self.write("keys.yaml", &format!("agents:\n{line}{others}"));
    }

    /// Runs a verb of the program on this folder, as its owner would who has no terminal.
    ///
    /// # Panics
    /// When the program cannot be run.
    #[must_use]
    pub fn remit(&self, arguments: &[&str]) -> Told {
        remit(&[&["-C", &self.path().display().to_string()], arguments].concat())
    }
}

/// What the program said, and how it ended.
#[derive(Debug)]
pub struct Told {
    /// Whether it ended well.
    pub well: bool,
    /// On standard output.
    pub out: String,
    /// On standard error.
    pub err: String,
}

impl From<Output> for Told {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { well: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// The program. It stands beside the folder of the test executables; `./test` builds it first.
///
/// # Panics
/// When nobody has built it.
#[must_use]
pub fn program() -> PathBuf {
    let own = std::env::current_exe().expect("own path");
    let program = own.parent().and_then(Path::parent).expect("target folder").join("remit");
    assert!(program.is_file(), "{} is missing: run `cargo build -p remit-cli` first", program.display());
    program
}

/// Runs the program.
///
/// # Panics
/// When it cannot be run.
#[must_use]
pub fn remit(arguments: &[&str]) -> Told {
    Command::new(program()).args(arguments).stdin(Stdio::null()).output().expect("it runs").into()
}

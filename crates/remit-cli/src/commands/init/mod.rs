//! `remit init`: a working folder, or one that takes over an MCP client's configuration.

mod propose;
mod secrets;
mod staging;
mod takeover;

use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use remit_core::ids::{Digest, TenantId};

use crate::commands::agents;
use crate::commands::init::staging::Staging;
use crate::folder;
use crate::terminal::{Failure, Outcome, say};

/// Write a working configuration folder, or take over an MCP client's configuration.
#[derive(Args)]
pub struct Init {
    /// The organisation's name.
    #[arg(long, default_value = "my-team")]
    tenant: String,
    /// Take over this client's `mcpServers`: its servers become upstreams, and the client is pointed at Remit.
    #[arg(long, value_name = "FILE", conflicts_with = "undo")]
    from: Option<PathBuf>,
    /// With --from: put the proposed classes into force without reading them one by one.
    #[arg(long, requires = "from")]
    accept_proposals: bool,
    /// Give a client its configuration back as it was before --from.
    #[arg(long, value_name = "FILE")]
    undo: Option<PathBuf>,
}

/// What every new folder begins with.
const STARTER: [(&str, &str); 3] = [
    ("remit.yaml", include_str!("starter/remit.yaml")),
    ("remits/everyone.yaml", include_str!("starter/remits/everyone.yaml")),
    ("guardrails/starter.cedar", include_str!("starter/guardrails/starter.cedar")),
];

/// What a new folder has when it takes nothing over: a file tree to try it on.
const TRIAL: [(&str, &str); 4] = [
    ("upstreams/files.yaml", include_str!("starter/upstreams/files.yaml")),
    ("remits/assistant.yaml", include_str!("starter/remits/assistant.yaml")),
    ("tests/first.yaml", include_str!("starter/tests/first.yaml")),
    ("files/hello.md", "# Hello\n\nAn agent may read this file, and write below `drafts/`.\n"),
];

/// The keys of a new folder. Each is shown once.
pub(super) struct Keys {
    agent: String,
}

impl Init {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        if let Some(file) = &self.undo {
            return takeover::undo(file);
        }
        let tenant = TenantId::parse(&self.tenant).map_err(|error| Failure::said(error.to_string()))?;
        if folder.join("remit.yaml").exists() {
            return Err(Failure::said(format!("`{}` has a remit.yaml already; nothing was changed", folder.display())));
        }
        // Read before anything is written: a client that cannot be taken over leaves no half-made folder.
        let client = self.from.as_deref().map(takeover::read).transpose()?;
        let staging = Staging::within(folder)?;
        let place = staging.place();
        let starter = STARTER.map(|(name, text)| (name, text.replace("{tenant}", tenant.as_str())));
        write_all(place, starter.iter().map(|(name, text)| (*name, text.as_str())))?;
        ignore(folder, place)?;
        let keys = furnish(place)?;
        match &client {
            Some(client) => client.take_over(place, self.accept_proposals)?,
            None => {
                let remit = std::env::current_exe().map_err(|error| Failure::Io("this program".into(), error))?;
                let program = format!("{:?}", remit.display().to_string());
                let trial = TRIAL.map(|(name, text)| (name, text.replace("{remit}", &program)));
                write_all(place, trial.iter().map(|(name, text)| (*name, text.as_str())))?;
                let pins = crate::sample::pins("files").unwrap_or_default();
                write_all(place, [("pins/files.json", pins.as_str())])?;
                std::fs::create_dir_all(place.join("files/drafts"))
                    .map_err(|error| Failure::Io("files/drafts".into(), error))?;
            }
        }
        let config = folder::load(place)?;
        let pointed = client.map(|client| client.point_at_remit(&folder::url_of(place)?, &keys)).transpose()?;
        staging.settle(folder)?;
        if let Some(pointed) = pointed {
            pointed.take_effect()?;
        }
        let (tools, place) = (config.snapshot.registry().tools().len(), folder.display());
        say(format!(
            "`{place}` is a working folder: {tools} callable tools. Everything in it but .remit/ belongs into git.\n"
        ))?;
        say(format!(
            "  remit -C {place} check      what is in force\n  remit -C {place} test       its scenarios\n  remit -C {place} serve      the gateway, on http://{}/mcp\n",
            config.settings.listen
        ))?;
        say(format!(
            "The agent's key, shown this once:\n\n  {}\n\nYours as operator is in {place}/.remit/operator.key.",
            keys.agent
        ))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Keeps the folder's secrets out of git. A list that is there already is whoever wrote it's, and has to do so itself.
fn ignore(folder: &Path, place: &Path) -> Result<(), Failure> {
    let name = ".gitignore";
    match std::fs::read_to_string(folder.join(name)) {
        Ok(text) if text.lines().any(|line| matches!(line.trim().trim_start_matches('/'), ".remit" | ".remit/")) => {
            Ok(())
        }
        Ok(_) => Err(Failure::said(format!(
            "`{}` does not name `.remit/`, where secrets will lie: add that line; nothing was changed",
            folder.join(name).display()
        ))),
        Err(_) => write_all(place, [(name, ".remit/\n")]),
    }
}

/// Makes the folder's keys: one for the agent `assistant`, one for whoever runs this.
fn furnish(folder: &Path) -> Result<Keys, Failure> {
    let state = folder::state_of(folder);
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&state)
        .map_err(|error| Failure::Io(state.display().to_string(), error))?;
    let (agent, operator) = (agents::fresh_key("rk_agent")?, agents::fresh_key("rk_operator")?);
    let year = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).year() + 1;
    let text = format!(
        "# Digests of keys; the keys themselves are shown once, when they are issued.\nagents:\n  - id: first\n    agent: assistant\n    user: me@{tenant}\n    expires: {year}-01-31\n    sha256: {}\noperators:\n  - id: me\n    user: operator@{tenant}\n    teams: [operators]\n    roles: [security]\n    expires: {year}-01-31\n    sha256: {}\n",
        Digest::of(agent.as_bytes()),
        Digest::of(operator.as_bytes()),
        tenant = "example",
    );
    write_all(folder, [("keys.yaml", text.as_str())])?;
    private(&state.join("operator.key"), &operator)?;
    Ok(Keys { agent })
}

/// Writes files.
pub(super) fn write_all<'a>(folder: &Path, files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(), Failure> {
    for (name, text) in files {
        let path = folder.join(name);
        let at = |error| Failure::Io(path.display().to_string(), error);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(at)?;
        }
        std::fs::write(&path, text).map_err(at)?;
    }
    Ok(())
}

/// Writes a file that only its owner can read.
pub(super) fn private(path: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::Io(path.display().to_string(), error))
}

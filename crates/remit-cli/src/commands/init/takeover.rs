//! Taking over an MCP client's configuration: its servers become upstreams, secrets move into files
//! that only their owner can read, and the client is pointed at Remit. It can be undone.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use remit_core::ids::UpstreamId;
use remit_core::registry::Definition;
use remit_server::upstream::Connection;
use serde_json::{Value, json};

use crate::commands::init::propose::propose;
use crate::commands::init::{Keys, private, secrets, write_all};
use crate::commands::{agents, tools};
use crate::terminal::{Failure, Outcome, block_on, say, table};
use crate::{folder, upstreams};

/// A client's configuration, read and found fit to be taken over.
pub(super) struct Client {
    file: PathBuf,
    text: String,
    config: Value,
    ids: Vec<(UpstreamId, Value)>,
}

/// Reads a client's configuration. Whatever is wrong with it is said here, before anything is written.
pub(super) fn read(file: &Path) -> Result<Client, Failure> {
    let said = |text: String| Failure::said(format!("{}: {text}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| Failure::Io(file.display().to_string(), error))?;
    let config = remit_core::json::parse(text.as_bytes()).map_err(|error| said(error.to_string()))?;
    let servers = config["mcpServers"].as_object().ok_or_else(|| said("it has no `mcpServers`".into()))?;
    if servers.is_empty() {
        return Err(said("its `mcpServers` names no server".into()));
    }
    let mut ids: Vec<(UpstreamId, Value)> = Vec::new();
    for (name, server) in servers {
        let id = slug(name)?;
        if ids.iter().any(|(known, _)| *known == id) {
            return Err(said(format!("two servers would both be called `{id}`")));
        }
        if server["url"].is_string() == server["command"].is_string() {
            return Err(said(format!("server `{name}` needs either `url` or `command`")));
        }
        if let Some(place) = secrets::stuck(server) {
            return Err(said(format!(
                "server `{name}` has what looks like a secret in {place}, and upstreams/ belongs into git: hand it over in `env` or `headers` if the server takes it there, or leave this server out and describe it by hand; nothing was changed"
            )));
        }
        if secrets::movable(server).len() > 1 {
            let why = "has several secrets, and an upstream has one credential: describe it by hand in upstreams/";
            return Err(said(format!("server `{name}` {why}")));
        }
        ids.push((id, server.clone()));
    }
    if backup_of(file).exists() {
        let backup = backup_of(file);
        return Err(said(format!("`{}` is there already; undo that first with `remit init --undo`", backup.display())));
    }
    Ok(Client { file: file.to_owned(), text, config, ids })
}

impl Client {
    /// Makes upstreams of its servers.
    pub(super) fn take_over(&self, folder: &Path, accept: bool) -> Result<(), Failure> {
        for (id, server) in &self.ids {
            let text = upstream(folder, id, server)?;
            write_all(folder, [(format!("upstreams/{id}.yaml").as_str(), text.as_str())])?;
        }
        let grants = "agent: assistant\nowner: team:operators\nstage: supervised\nexpires: 2030-01-31\nread:\n  - tools: [\"*\"]\n    labels_up_to: internal\nwrite: none\ntrigger: none\nexpose: none\napprove: none\n";
        write_all(folder, [("remits/assistant.yaml", grants)])?;
        discover(folder, accept)
    }

    /// Writes what its file will say, and what it said, beside it. Nothing of it has an effect yet.
    pub(super) fn point_at_remit(self, gateway: &str, keys: &Keys) -> Result<Pointed, Failure> {
        let Self { file, text, mut config, .. } = self;
        config["mcpServers"] = json!({"remit": {
            "type": "http", "url": format!("{gateway}/mcp"),
            "headers": {"Authorization": format!("Bearer {}", keys.agent)},
        }});
        let pointed = Pointed { file, done: false };
        private(&backup_of(&pointed.file), &text)?;
        // It holds the agent's key.
        private(&pointed.rewritten(), &format!("{config:#}\n"))?;
        Ok(pointed)
    }
}

/// A client's file, about to point at Remit.
pub(super) struct Pointed {
    file: PathBuf,
    done: bool,
}

impl Pointed {
    fn rewritten(&self) -> PathBuf {
        beside(&self.file, ".with-remit")
    }

    /// Has it point there.
    pub(super) fn take_effect(mut self) -> Result<(), Failure> {
        std::fs::rename(self.rewritten(), &self.file)
            .map_err(|error| Failure::Io(self.file.display().to_string(), error))?;
        self.done = true;
        let file = self.file.display();
        say(format!("`{file}` now points at Remit; `remit init --undo {file}` gives it back.\n"))
    }
}

impl Drop for Pointed {
    fn drop(&mut self) {
        if !self.done {
            // The client's own file is as it was; these two mean nothing to anybody.
            let _ = std::fs::remove_file(self.rewritten());
            let _ = std::fs::remove_file(backup_of(&self.file));
        }
    }
}

fn slug(name: &str) -> Result<UpstreamId, Failure> {
    let text: String =
        name.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    UpstreamId::parse(text.trim_matches('-')).map_err(|error| Failure::said(error.to_string()))
}

/// The file of one upstream. Its secret goes into a file of its own.
fn upstream(folder: &Path, id: &UpstreamId, server: &Value) -> Result<String, Failure> {
    let quoted = |text: &str| Value::String(text.to_owned()).to_string();
    let mut out = format!("upstream: {id}\nowner: team:operators\n");
    let secrets = secrets::movable(server);
    if let Some(url) = server["url"].as_str() {
        out.push_str(&format!("url: {}\n", quoted(url)));
    } else {
        let rest = server["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let argv: Vec<_> = server["command"].as_str().into_iter().chain(rest).map(quoted).collect();
        // Where the client would have started it, as far as that can be known.
        let here = std::env::current_dir().map_err(|error| Failure::Io("this folder".into(), error))?;
        let here = quoted(&here.display().to_string());
        out.push_str(&format!("command: [{}]\ncwd: {here}\npass_env: [PATH, HOME]\n", argv.join(", ")));
        let plain = server["env"].as_object().into_iter().flatten();
        let plain = plain.filter(|(name, _)| !secrets.iter().any(|(secret, _)| secret == &name.as_str()));
        let plain: String =
            plain.map(|(name, value)| format!("  {name}: {}\n", quoted(value.as_str().unwrap_or_default()))).collect();
        if !plain.is_empty() {
            out.push_str(&format!("env:\n{plain}"));
        }
    }
    if let Some((name, value)) = secrets.first() {
        let (prefix, value) = match value.split_once(' ').filter(|_| server["url"].is_string()) {
            Some((scheme, rest)) => (format!("{scheme} "), rest),
            None => (String::new(), *value),
        };
        private(&folder::state_of(folder).join(format!("{id}.secret")), value)?;
        let slot = if server["url"].is_string() {
            format!("header: {name}\n  prefix: {}", quoted(&prefix))
        } else {
            format!("env: {name}")
        };
        out.push_str(&format!("credential:\n  {slot}\n  from: file:.remit/{id}.secret\n"));
    }
    out.push_str("timeout: 60s\n");
    Ok(out)
}

/// Asks each server for its tools and writes down what they probably do, for a person to confirm.
fn discover(folder: &Path, accept: bool) -> Result<(), Failure> {
    let config = folder::load(folder)?;
    let references = upstreams::references(&config.upstreams, folder);
    for spec in upstreams::specs(&config.upstreams, folder) {
        let id = spec.id.clone();
        let secret = references.read(&id).map_err(|error| Failure::said(error.to_string()))?;
        let listed = block_on(async {
            let connection = Connection::new(spec);
            let listed = connection.list(secret.as_ref()).await;
            connection.shutdown().await;
            listed
        })?;
        let listing = match listed {
            Ok(listing) => listing,
            Err(error) => {
                say(format!(
                    "{id} could not be asked for its tools ({error}); classify them later with `remit tools`"
                ))?;
                continue;
            }
        };
        let mut rows = Vec::new();
        let mut text = String::from(
            "\n# Proposed from names and from the server's own hints, for which nobody vouches.\n# What stands in force here can be called; a line that is commented out cannot.\ntools:\n",
        );
        for definition in &listing.tools {
            let name = definition["name"].as_str().unwrap_or_default();
            let proposal = propose(definition);
            let (class, risk) = (proposal.class.as_str(), proposal.risk.as_str());
            let line = format!(
                "  {}: {{ class: {class}, risk: {risk}, reversible: {} }}",
                Value::String(name.to_owned()),
                proposal.reversible
            );
            text.push_str(&if accept { format!("{line}\n") } else { format!("  #{}\n", &line[1..]) });
            rows.push(vec![format!("{id}/{name}"), class.to_owned(), risk.to_owned(), proposal.because.to_owned()]);
            if accept {
                let name =
                    remit_core::ids::ToolName::join(&id, name).map_err(|error| Failure::said(error.to_string()))?;
                tools::pin_down(folder, &name, Definition::new(definition.clone()), "remit init --accept-proposals")?;
            }
        }
        if !accept {
            text = text.replace("tools:\n", "# tools:\n").replace("  #", "#  ");
        }
        let path = folder.join(format!("upstreams/{id}.yaml"));
        let before = std::fs::read_to_string(&path).map_err(|error| Failure::Io(path.display().to_string(), error))?;
        agents::replace(&path, &format!("{before}{text}"))?;
        say(table(&["TOOL", "PROPOSED", "RISK", "BECAUSE"], rows))?;
    }
    if !accept {
        say(
            "\nNothing of this is in force. Uncomment what you agree with in upstreams/, start the gateway, and run `remit tools approve UPSTREAM/*`.\n",
        )?;
    }
    Ok(())
}

fn backup_of(file: &Path) -> PathBuf {
    beside(file, ".before-remit")
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Gives a client its servers back. What else somebody has changed in its file since stays as it is.
pub(super) fn undo(file: &Path) -> Outcome {
    let (backup, shown) = (backup_of(file), file.display());
    if !backup.exists() {
        return Err(Failure::said(format!("`{shown}` was not taken over: there is no `{}`", backup.display())));
    }
    let io = |path: &Path| {
        let path = path.display().to_string();
        move |error| Failure::Io(path, error)
    };
    let read = |path: &Path| {
        let bytes = std::fs::read(path).map_err(io(path))?;
        remit_core::json::parse(&bytes).map_err(|error| Failure::said(format!("{}: {error}", path.display())))
    };
    let (before, mut now) = (read(&backup)?, read(file)?);
    let added = now["mcpServers"].as_object().into_iter().flat_map(|servers| servers.keys());
    let added = added.filter(|name| *name != "remit").map(String::as_str).collect::<Vec<_>>().join(", ");
    if !added.is_empty() {
        return Err(Failure::said(format!(
            "`{shown}` has servers that came later ({added}), which this would take away: write them into `{}`, take them out of `{shown}`, and undo again",
            backup.display()
        )));
    }
    now["mcpServers"] = before["mcpServers"].clone();
    if now == before {
        std::fs::rename(&backup, file).map_err(io(&backup))?;
        say(format!("`{shown}` is as it was"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let new = beside(file, ".with-its-servers");
    private(&new, &format!("{now:#}\n"))?;
    std::fs::rename(&new, file).map_err(io(&new))?;
    std::fs::remove_file(&backup).map_err(io(&backup))?;
    say(format!("`{shown}` has its servers back; what else was changed in it since stays"))?;
    Ok(ExitCode::SUCCESS)
}

//! Taking over an MCP client's configuration: its servers become upstreams, secrets move into files
//! that only their owner can read, and the client is pointed at Remit. It can be undone.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use remit_core::ids::UpstreamId;
use remit_core::registry::Definition;
use remit_server::upstream::Connection;
use serde_json::{Value, json};

use crate::commands::init::propose::propose;
use crate::commands::init::{Keys, private, write_all};
use crate::commands::{Failure, Outcome, agents, block_on, say, table, tools};
use crate::{boot, upstreams};

/// Takes over.
pub(super) fn take_over(folder: &Path, file: &Path, accept: bool, keys: &Keys) -> Result<(), Failure> {
    let at = |error| Failure::Io(file.display().to_string(), error);
    let text = std::fs::read_to_string(file).map_err(at)?;
    let config = remit_core::json::parse(text.as_bytes())
        .map_err(|error| Failure::said(format!("{}: {error}", file.display())))?;
    let servers = config["mcpServers"].as_object().filter(|servers| !servers.is_empty());
    let servers = servers.ok_or_else(|| Failure::said(format!("`{}` has no `mcpServers`", file.display())))?;
    let mut ids = Vec::new();
    for (name, server) in servers {
        let id = slug(name)?;
        if ids.contains(&id) {
            return Err(Failure::said(format!("two servers would both be called `{id}`")));
        }
        let text = upstream(folder, &id, server)?;
        write_all(folder, [(format!("upstreams/{id}.yaml").as_str(), text.as_str())])?;
        ids.push(id);
    }
    let grants = "agent: assistant\nowner: team:operators\nstage: supervised\nexpires: 2030-01-31\nread:\n  - tools: [\"*\"]\n    labels_up_to: internal\nwrite: none\ntrigger: none\nexpose: none\napprove: none\n";
    write_all(folder, [("remits/assistant.yaml", grants)])?;
    discover(folder, accept)?;
    point_at_remit(folder, file, &text, config, keys)
}

fn slug(name: &str) -> Result<UpstreamId, Failure> {
    let text: String =
        name.to_ascii_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    UpstreamId::parse(text.trim_matches('-')).map_err(|error| Failure::said(error.to_string()))
}

/// Words in the name of a variable that say its value is a secret.
const SECRET: [&str; 6] = ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"];

/// The file of one upstream. A secret goes into a file of its own; the client's copy is what the backup keeps.
fn upstream(folder: &Path, id: &UpstreamId, server: &Value) -> Result<String, Failure> {
    let quoted = |text: &str| Value::String(text.to_owned()).to_string();
    let mut out = format!("upstream: {id}\nowner: team:operators\n");
    let secret = |value: &str| {
        let path = boot::state_of(folder).join(format!("{id}.secret"));
        private(&path, value).map(|()| format!("file:.remit/{id}.secret"))
    };
    let mut credentials = 0;
    if let Some(url) = server["url"].as_str() {
        out.push_str(&format!("url: {}\n", quoted(url)));
        for (name, value) in server["headers"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            let (prefix, value) = value.split_once(' ').map_or(("", value), |(scheme, rest)| (scheme, rest));
            let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix} ") };
            credentials += 1;
            let from = secret(value)?;
            out.push_str(&format!("credential:\n  header: {name}\n  prefix: {}\n  from: {from}\n", quoted(&prefix)));
        }
    } else {
        let command = server["command"]
            .as_str()
            .ok_or_else(|| Failure::said(format!("server `{id}` has neither `url` nor `command`")))?;
        let rest = server["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let argv: Vec<_> = std::iter::once(command).chain(rest).map(quoted).collect();
        out.push_str(&format!("command: [{}]\npass_env: [PATH, HOME]\n", argv.join(", ")));
        let mut plain = String::new();
        for (name, value) in server["env"].as_object().into_iter().flatten() {
            let value = value.as_str().unwrap_or_default();
            if SECRET.iter().any(|word| name.to_ascii_uppercase().contains(word)) {
                credentials += 1;
                let from = secret(value)?;
                out.push_str(&format!("credential:\n  env: {name}\n  from: {from}\n"));
            } else {
                plain.push_str(&format!("  {name}: {}\n", quoted(value)));
            }
        }
        if !plain.is_empty() {
            out.push_str(&format!("env:\n{plain}"));
        }
    }
    if credentials > 1 {
        return Err(Failure::said(format!(
            "server `{id}` has several secrets; an upstream has one credential: describe it by hand in upstreams/"
        )));
    }
    out.push_str("timeout: 60s\n");
    Ok(out)
}

/// Asks each server for its tools and writes down what they probably do, for a person to confirm.
fn discover(folder: &Path, accept: bool) -> Result<(), Failure> {
    let config = boot::load(folder)?;
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
    let mut name = file.as_os_str().to_owned();
    name.push(".before-remit");
    PathBuf::from(name)
}

fn point_at_remit(folder: &Path, file: &Path, text: &str, mut config: Value, keys: &Keys) -> Result<(), Failure> {
    let backup = backup_of(file);
    if backup.exists() {
        return Err(Failure::said(format!(
            "`{}` is there already; undo that first with `remit init --undo`",
            backup.display()
        )));
    }
    private(&backup, text)?;
    let url = format!("{}/mcp", boot::url_of(folder)?);
    config["mcpServers"] = json!({"remit": {
        "type": "http", "url": url, "headers": {"Authorization": format!("Bearer {}", keys.agent)},
    }});
    agents::replace(file, &format!("{config:#}\n"))?;
    say(format!("`{}` now points at Remit; `remit init --undo {}` gives it back.\n", file.display(), file.display()))
}

/// Gives a client its configuration back.
pub(super) fn undo(file: &Path) -> Outcome {
    let backup = backup_of(file);
    std::fs::rename(&backup, file).map_err(|error| Failure::Io(backup.display().to_string(), error))?;
    say(format!("`{}` is as it was", file.display()))?;
    Ok(ExitCode::SUCCESS)
}

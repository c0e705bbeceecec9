//! One upstream's file, as it may be used.

use std::path::PathBuf;

use remit_core::authority::Fault;
use remit_core::authority::remit::Locus;
use remit_core::ids::{TeamId, ToolName, UpstreamId};
use remit_core::registry::Tool;

use crate::at::At;
use crate::facet::Environments;
use crate::pins::Pins;
use crate::report::Report;
use crate::upstream::file::{CredentialFile, ShowAsWord, UpstreamFile};
use crate::upstream::surface::Surface;
use crate::upstream::tool::Classifier;
use crate::upstream::{
    Credential, CredentialSlot, CredentialSource, ShowAs, ToolStanding, ToolState, Upstream, UpstreamTransport,
};

const TIMEOUT_MS: u64 = 30_000;
const RESTARTS_PER_MINUTE: u32 = 5;

/// What one file came to: the upstream, and each of its tools with the place where it stands.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Its name and where it stands, also when the rest is not in order.
    pub id: Option<(UpstreamId, Locus)>,
    pub upstream: Option<Upstream>,
    pub tools: Vec<(Tool, Locus)>,
    pub states: Vec<ToolState>,
    pub warnings: Vec<Fault>,
}

pub(crate) fn check<'p>(
    file: At<UpstreamFile>,
    pins: impl FnOnce(&UpstreamId) -> Option<&'p Pins>,
    environments: &Environments,
    report: &mut Report<'_>,
) -> Checked {
    let mut checked = Checked::default();
    let transport = transport(&file, report);
    let owner = file.owner.as_ref().and_then(|owner| team(owner, report));
    let timeout_ms = file.timeout.as_ref().and_then(|at| report.length_ms(at)).unwrap_or(TIMEOUT_MS);
    let credential = file.credential.as_ref().and_then(|at| credential(at, file.url.is_some(), report));
    let show_as = match file.show_as {
        Some(ShowAsWord::Bare) => ShowAs::Bare,
        Some(ShowAsWord::Prefix) | None => ShowAs::Prefix,
    };
    let Some(id) = report.id(&file.upstream, UpstreamId::parse) else { return checked };
    let pins = pins(&id);
    let named = credential.as_ref().map(|credential| credential.source.to_string());
    let owner_of_all = owner.clone();
    let classifier =
        Classifier { id: &id, owner: owner_of_all, timeout_ms, show_as, environments, file: &file, credential: named };
    classifier.check_shared(report);
    for (name, tool) in file.tools.iter() {
        if name.contains('/') {
            report.fault(
                name,
                "a tool's own name has no slash",
                "MCP resources and prompts are classified under `resources:` and `prompts:`",
            );
            continue;
        }
        let Some(full) = report.id(&name.clone().map(|own| format!("{id}/{own}")), ToolName::parse) else { continue };
        let pin = pins.and_then(|pins| pins.tools.get(&**name));
        let standing = if pin.is_some() { ToolStanding::Callable } else { ToolStanding::Unpinned };
        checked.state(&full, standing, report.locus(name));
        let definition = pin.map(|pin| &pin.definition);
        if let Some(tool) = classifier.tool(name, full, tool, definition, report) {
            checked.tools.push((tool, report.locus(name)));
        }
    }
    checked.surfaces(&classifier, report);
    for own in pins.iter().flat_map(|pins| pins.tools.keys()) {
        if !file.tools.iter().any(|(name, _)| **name == *own)
            && let Ok(full) = ToolName::join(&id, own)
        {
            checked.state(&full, ToolStanding::Unclassified, report.locus(&file.upstream));
        }
    }
    checked.upstream =
        transport.map(|transport| Upstream { id: id.clone(), owner, transport, credential, timeout_ms, show_as });
    checked.id = Some((id, report.locus(&file.upstream)));
    checked
}

impl Checked {
    /// What a server offers besides tools: each is classified as one tool.
    fn surfaces(&mut self, classifier: &Classifier<'_>, report: &mut Report<'_>) {
        for surface in Surface::ALL {
            let classified = match surface {
                Surface::Resources => &classifier.file.resources,
                Surface::Prompts => &classifier.file.prompts,
                Surface::Completion => &classifier.file.completion,
            };
            let Some(classified) = classified else { continue };
            let Ok(full) = ToolName::join(classifier.id, surface.method()) else { continue };
            self.state(&full, ToolStanding::Callable, report.locus(classified));
            if let Some(tool) = classifier.tool(classified, full, classified, Some(&surface.definition()), report) {
                self.tools.push((tool, report.locus(classified)));
            }
        }
    }

    fn state(&mut self, name: &ToolName, standing: ToolStanding, locus: Locus) {
        let warning = match standing {
            ToolStanding::Callable => None,
            ToolStanding::Unpinned => Some((
                format!("`{name}` cannot be called: its definition is not approved"),
                format!("review it with `remit tools diff {name}`"),
            )),
            ToolStanding::Unclassified => Some((
                format!("`{name}` cannot be called: it is approved, but not classified"),
                format!("say under `tools: {}:` what it does to the world", name.own()),
            )),
        };
        if let Some((message, help)) = warning {
            self.warnings.push(Fault { locus: locus.clone(), message, help: Some(help) });
        }
        self.states.push(ToolState { name: name.clone(), standing, locus });
    }
}

/// Reads `team:finance`.
pub(crate) fn team(at: &At<String>, report: &mut Report<'_>) -> Option<TeamId> {
    match at.strip_prefix("team:") {
        Some(team) => report.id(&at.clone().map(|_| team.to_owned()), TeamId::parse),
        None => report.read(at, |_| None, "a team", &format!("write `team:{}`", **at)),
    }
}

fn transport(file: &At<UpstreamFile>, report: &mut Report<'_>) -> Option<UpstreamTransport> {
    match (&file.url, &file.command) {
        (None, None) => {
            report.fault(
                file,
                "nothing says how to reach this upstream",
                "add `url: https://…` or `command: [program, argument]`",
            );
            None
        }
        (Some(_), Some(command)) => {
            report.fault(command, "`url` and `command` exclude each other", "keep one of them");
            None
        }
        (Some(url), None) => {
            let needs_command = "only a `command` has this; remove it, or use `command` instead of `url`";
            let mut misplaced = |name: &str, at: Option<At<()>>| {
                if let Some(at) = at {
                    report.fault(&at, format!("`{name}` means nothing for a `url`"), needs_command);
                }
            };
            misplaced("env", file.env.as_ref().map(At::place));
            misplaced("pass_env", file.pass_env.as_ref().map(At::place));
            misplaced("cwd", file.cwd.as_ref().map(At::place));
            misplaced("memory", file.memory.as_ref().map(At::place));
            misplaced("restarts", file.restarts.as_ref().map(At::place));
            self::url(url, report).map(|url| UpstreamTransport::Http { url })
        }
        (None, Some(command)) => stdio(file, command, report),
    }
}

fn stdio(file: &UpstreamFile, command: &At<Vec<At<String>>>, report: &mut Report<'_>) -> Option<UpstreamTransport> {
    if command.first().is_none_or(|program| program.is_empty()) {
        report.fault(command, "the command names no program", "write `[program, argument]`");
        return None;
    }
    if command.iter().any(|part| part.contains('\0')) {
        report.fault(command, "a command cannot hold a null character", "remove it");
    }
    let mut env: Vec<(String, String)> = Vec::new();
    for (name, value) in file.env.iter().flat_map(|env| env.iter()) {
        env.extend(variable(name, report).map(|name| (name, (**value).clone())));
    }
    let pass_env = file.pass_env.iter().flat_map(|names| names.iter());
    let pass_env: Vec<String> = pass_env.filter_map(|name| variable(name, report)).collect();
    let memory = "an amount of memory";
    Some(UpstreamTransport::Stdio {
        argv: command.iter().map(|part| (**part).clone()).collect(),
        env,
        pass_env,
        cwd: file.cwd.as_ref().map(|cwd| PathBuf::from(&**cwd)),
        memory_bytes_max: file
            .memory
            .as_ref()
            .and_then(|at| report.read(at, crate::quantity::bytes, memory, "write `512 MiB` or `2 GiB`")),
        restarts_per_minute: file
            .restarts
            .as_ref()
            .and_then(|at| report.read(at, crate::quantity::per_minute, "a rate", "write `5 per minute`"))
            .unwrap_or(RESTARTS_PER_MINUTE),
    })
}

/// The name of an environment variable.
fn variable(at: &At<String>, report: &mut Report<'_>) -> Option<String> {
    let shaped = |text: &str| {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        (plain && text.bytes().next().is_some_and(|b| !b.is_ascii_digit())).then(|| text.to_owned())
    };
    report.read(at, shaped, "the name of an environment variable", "use A-Z a-z 0-9 _, not beginning with a digit")
}

fn credential(file: &At<CredentialFile>, over_http: bool, report: &mut Report<'_>) -> Option<Credential> {
    let slot = match (&file.header, &file.env) {
        (Some(header), None) if over_http => {
            let token = |text: &str| {
                let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b));
                (plain && !text.is_empty()).then(|| text.to_owned())
            };
            let name = report.read(header, token, "the name of a header", "write `Authorization`");
            let prefix = file.prefix.as_ref().map(|prefix| (**prefix).clone()).unwrap_or_default();
            if let Some(at) = file.prefix.as_ref().filter(|prefix| !prefix.bytes().all(|b| (b' '..=b'~').contains(&b)))
            {
                report.fault(at, "a header holds printable ASCII only", "write `\"Bearer \"`");
            }
            name.map(|name| CredentialSlot::Header { name, prefix })
        }
        (None, Some(env)) if !over_http => {
            if let Some(prefix) = &file.prefix {
                report.fault(prefix, "`prefix` means nothing for `env`", "remove it");
            }
            variable(env, report).map(|name| CredentialSlot::Env { name })
        }
        _ => {
            let help = if over_http {
                "write `{header: Authorization, prefix: \"Bearer \", from: …}`"
            } else {
                "write `{env: NAME, from: …}`"
            };
            report.fault(file, "the credential needs exactly one place that this upstream has", help);
            None
        }
    };
    let source = source(&file.from, report);
    Some(Credential { slot: slot?, source: source? })
}

/// Where a credential is found.
pub(crate) fn source(from: &At<String>, report: &mut Report<'_>) -> Option<CredentialSource> {
    let help = "write `env:NAME`, `file:/run/secrets/name` or `file:.remit/name`; the secret itself never stands in a file that belongs into git";
    // The text is not repeated: somebody may have pasted the secret itself.
    match from.split_once(':') {
        Some(("env", name)) => variable(&from.clone().map(|_| name.to_owned()), report).map(CredentialSource::Env),
        Some(("file", path)) if !path.is_empty() => Some(CredentialSource::File(PathBuf::from(path))),
        _ => {
            report.fault(from, "this says not where the credential is found", help);
            None
        }
    }
}

/// An address over HTTP. Credentials in it would end up in logs, so they are refused.
pub(crate) fn url(at: &At<String>, report: &mut Report<'_>) -> Option<String> {
    let (scheme, rest) = at.split_once("://").unwrap_or(("", at));
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(authority, |(h, _)| h);
    let printable = at.bytes().all(|b| (b'!'..=b'~').contains(&b) && !matches!(b, b'#' | b'\\' | b'"' | b'<' | b'>'));
    if authority.contains('@') {
        report.fault(at, "an address must not hold a user or password", "use `credential:`");
        return None;
    }
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let shaped = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')),
    };
    if !matches!(scheme, "http" | "https") || host.is_empty() || !shaped || !printable {
        return report.read(at, |_| None, "an address", "write `https://host/path`");
    }
    let address = bracketed.unwrap_or(host).parse::<std::net::IpAddr>();
    let loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    if scheme == "http" && !loopback {
        report.fault(
            at,
            "plain HTTP would carry credentials and data in the open",
            "use `https://`; `http://` is for this machine only",
        );
        return None;
    }
    Some((**at).clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        let accepted = |text: &str| {
            let file: At<At<String>> = crate::yaml::read("u.yaml", &format!("\"{text}\"")).expect("text");
            url(&file, &mut Report::new("u.yaml", &mut Vec::new())).is_some()
        };
        for good in ["https://a.example/mcp?x=1", "http://localhost:8080", "http://127.0.0.1/", "http://[::1]:8080/mcp"]
        {
            assert!(accepted(good), "{good}");
        }
        for bad in [
            "http://a.example",
            "http://127.0.0.1.a.example",
            "http://localhost.a.example",
            "http://0.0.0.0",
            "a.example",
            "ftp://a.example",
            "https://",
            "https://:443",
            "https://a.example:99999",
            "https://me@a.example",
            "https://a.example/#x",
            "https://a.example/ x",
            "http://[::1].a.example",
            "http://localhost@a.example",
        ] {
            assert!(!accepted(bad), "{bad}");
        }
    }
}

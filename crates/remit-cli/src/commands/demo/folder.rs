//! The demo's configuration folder: `examples/support-desk`, with keys of its own.

use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use remit_core::ids::Digest;
use remit_evidence::writer::Sign as _;
use remit_server::keys::Ed25519;

use crate::commands::agents;
use crate::commands::demo::UPSTREAM_TOKEN;
use crate::sample;
use crate::terminal::Failure;

/// What the demo has made.
pub struct Furnished {
    /// The agent's key.
    pub agent_key: String,
    /// Bob's key.
    pub operator_key: String,
    /// Where it all is.
    pub folder: PathBuf,
}

/// The files of `examples/support-desk`, as they were when this program was built.
const FILES: [(&str, &str); 8] = [
    ("remit.yaml", include_str!("../../../../../examples/support-desk/remit.yaml")),
    ("upstreams/business.yaml", include_str!("../../../../../examples/support-desk/upstreams/business.yaml")),
    ("upstreams/files.yaml", include_str!("../../../../../examples/support-desk/upstreams/files.yaml")),
    ("remits/support-bot.yaml", include_str!("../../../../../examples/support-desk/remits/support-bot.yaml")),
    ("remits/everyone.yaml", include_str!("../../../../../examples/support-desk/remits/everyone.yaml")),
    ("guardrails/data.cedar", include_str!("../../../../../examples/support-desk/guardrails/data.cedar")),
    ("guardrails/money.cedar", include_str!("../../../../../examples/support-desk/guardrails/money.cedar")),
    ("files/refund-policy.md", include_str!("../../../../../examples/support-desk/files/refund-policy.md")),
];

/// Writes the folder anew, with an upstream at this URL.
pub fn write(folder: &Path, business: &str) -> Result<Furnished, Failure> {
    let at = |path: &Path| {
        let path = path.display().to_string();
        move |error| Failure::Io(path, error)
    };
    if folder.exists() {
        // Only a folder that an earlier demo made is swept away.
        if !folder.join(".remit/demo").exists() {
            return Err(Failure::said(format!("`{}` is there already and was not made by a demo", folder.display())));
        }
        std::fs::remove_dir_all(folder).map_err(at(folder))?;
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join(".remit")).map_err(at(folder))?;
    private(&folder.join(".remit/demo"), "made by `remit demo`\n")?;
    private(&folder.join(".remit/business.token"), UPSTREAM_TOKEN)?;
    let remit = std::env::current_exe().map_err(at(Path::new("this program")))?;
    let pins =
        ["business", "files"].map(|sample| (format!("pins/{sample}.json"), sample::pins(sample).unwrap_or_default()));
    let files = FILES.map(|(name, text)| (name.to_owned(), text.to_owned()));
    for (name, text) in files.into_iter().chain(pins) {
        let text = text
            .replace("http://127.0.0.1:7431", business)
            .replace("[remit, sample,", &format!("[{:?}, sample,", remit.display().to_string()));
        // Nobody wants to watch a held call wait for its whole time.
        let text = if name == "remit.yaml" { format!("{text}\nwait:\n  hold: 1s\n") } else { text };
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(at(parent))?;
        }
        std::fs::write(&path, text).map_err(at(&path))?;
    }
    let (agent_key, operator_key) = (agents::fresh_key("rk_agent")?, agents::fresh_key("rk_operator")?);
    let keys = format!(
        "agents:\n  - id: demo-agent\n    agent: support-bot\n    user: ada@acme.example\n    expires: 2030-01-01\n    sha256: {}\n\
         operators:\n  - id: bob\n    user: bob@acme.example\n    teams: [finance]\n    roles: [approver, operator, auditor]\n    expires: 2030-01-01\n    sha256: {}\n",
        Digest::of(agent_key.as_bytes()),
        Digest::of(operator_key.as_bytes()),
    );
    let path = folder.join("keys.yaml");
    std::fs::write(&path, keys).map_err(at(&path))?;
    private(&folder.join(".remit/operator.key"), &operator_key)?;
    Ok(Furnished { agent_key, operator_key, folder: folder.to_owned() })
}

fn private(path: &Path, text: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| Failure::Io(path.display().to_string(), error))
}

impl Furnished {
    /// The public key under which the gateway delegates its writers' keys.
    pub fn gateway_key(&self) -> Result<[u8; 32], Failure> {
        let key = Ed25519::in_file(&self.folder.join(".remit/gateway.key"));
        key.map(|key| key.public_key()).map_err(|error| Failure::said(error.to_string()))
    }
}

//! The parts of the folder that nobody compares in their own terms. Whoever adds a key to `remit.yaml` or to a remit
//! finds each change of it listed as a weakening, until the comparison knows it or it is named here as harmless.

use remit_core::authority::remit::Holder;
use remit_core::authority::weakening::Section;
use remit_core::ids::AgentId;
use remit_core::json::canonical;
use serde_json::Value;

use crate::each::each;
use crate::folder::Folder;

/// Keys of `remit.yaml` that the comparison understands.
const COMPARED: [&str; 9] =
    ["tenant", "authentication", "calendar", "approvals", "limits", "people", "changes", "break_glass", "risk"];
/// Keys of `remit.yaml` about this machine, and about where people are told and sign in. They grant nothing.
/// `sign_in` is not among them, nor above: whoever names another party, or another certificate for it, decides who is
/// believed to be whom. There is no smaller or larger of that, so each change of it needs people.
const HARMLESS: [&str; 14] = [
    "listen",
    "tls",
    "plaintext",
    "store",
    "allowed_hosts",
    "allowed_origins",
    "ledger",
    "records",
    "retention",
    "environments",
    "runs",
    "wait",
    "console",
    "notify",
];
/// Keys of a remit that the comparison understands.
const OF_REMITS: [&str; 16] = [
    "agent",
    "user",
    "team",
    "workflow",
    "owner",
    "stage",
    "expires",
    "mode",
    "read",
    "write",
    "trigger",
    "approve",
    "expose",
    "limits",
    "cost",
    "may_request",
];

/// All of them, in the order of the files. The folder has been read without a fault.
pub(crate) fn of(folder: &Folder) -> Vec<Section> {
    let texts = folder.texts().filter(|(name, _)| *name == "remit.yaml" || name.starts_with("remits/"));
    each(texts, of_file).concat()
}

fn of_file(name: &str, text: &str) -> Vec<Section> {
    let remit = name != "remit.yaml";
    let Ok(read) = crate::yaml::read::<Value>(name, text) else { return Vec::new() };
    let value = read.into_value();
    let agent = value.get("agent").and_then(Value::as_str).and_then(|id| AgentId::parse(id).ok());
    let holder = agent.filter(|_| remit).map(Holder::Agent);
    let known = |key: &str| {
        if remit { OF_REMITS.contains(&key) } else { COMPARED.contains(&key) || HARMLESS.contains(&key) }
    };
    let unknown = value.as_object().into_iter().flatten().filter(|(key, _)| !known(key));
    let section = |(key, says): (&String, &Value)| Section {
        holder: holder.clone(),
        place: format!("{name}: {key}"),
        says: canonical(says),
    };
    unknown.map(section).collect()
}

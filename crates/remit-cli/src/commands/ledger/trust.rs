//! The first trust document of a gateway: what its auditors hold. Made offline from the folder's own keys.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remit_config::settings::Settings;
use remit_core::ids::Digest;
use remit_evidence::record::Kind;
use remit_evidence::trust::Trust;
use remit_evidence::writer::Sign as _;
use remit_server::keys::Ed25519;
use serde_json::json;

use super::Place;
use crate::boot;
use crate::terminal::Failure;

/// The document of this folder, with a final line break.
pub fn document(folder: &Path) -> Result<String, Failure> {
    of(folder, &boot::load(folder)?.settings)
}

/// The document of a folder whose settings have been read.
pub fn of(folder: &Path, settings: &Settings) -> Result<String, Failure> {
    let place = Place { folder, settings };
    let root = place.keys().join("gateway.key");
    if !root.exists() {
        return Err(Failure::said(format!("`{}` is missing: the gateway has no key yet", root.display())));
    }
    let root = Ed25519::in_file(&root).map_err(|error| Failure::said(error.to_string()))?;
    let root = Digest::from_bytes(root.public_key()).to_string();
    let ledger = &place.settings.ledger;
    let timestamper = ledger.timestamps.as_ref().map(|timestamps| crate::ledger::timestamper(timestamps, folder));
    let timestampers = timestamper
        .transpose()?
        .into_iter()
        .map(|timestamper| json!({"name": timestamper.name, "certificate": STANDARD.encode(timestamper.certificate)}));
    let accept = Kind::ALL.into_iter().map(Kind::predicate_type);
    let document = json!({
        "v": 1,
        "version": 1,
        "tenant": place.settings.tenant.as_str(),
        "policy": place.policy()?,
        "signers": [root],
        "roots": [{"key": root, "log": ledger.origin, "from": 0}],
        "revoked": [],
        "accept": accept.collect::<Vec<_>>(),
        "require": {
            "log_algorithms": ["ed25519", "ml-dsa-44"],
            "witnesses": ledger.quorum,
            "tree_size": 2,
            "skew_s": 300,
        },
        "approvers": [],
        "timestampers": timestampers.collect::<Vec<_>>(),
    });
    let text = format!("{document}\n");
    // What a verifier refuses is not handed out.
    Trust::parse(text.as_bytes()).map_err(|error| Failure::said(error.to_string()))?;
    Ok(text)
}

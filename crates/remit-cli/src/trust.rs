//! The trust document of a gateway: what its auditors hold. Made offline from the folder's own keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use remit_app::ports::{RecordFilter, Store};
use remit_core::ids::Digest;
use remit_evidence::dsse::keyid;
use remit_evidence::log::policy::Policy;
use remit_evidence::log::vkey::{Algorithm, VerifierKey};
use remit_evidence::record::Kind;
use remit_evidence::trust::{self, TRUST_TYPE, Trust};
use remit_evidence::writer::Sign as _;
use remit_server::keys::Ed25519;
use serde_json::json;

use crate::ledger;
use crate::log_keys::LogKeys;
use crate::logs::Logs;
use crate::place::Place;
use crate::terminal::Failure;

/// The document of these logs, and the key that may sign the next one.
pub fn of(logs: &Logs<'_>, place: &Place<'_>) -> Result<(String, Ed25519), Failure> {
    let root = root(place)?;
    let key = Digest::from_bytes(root.public_key()).to_string();
    let all = logs.all()?;
    let timestamper =
        place.settings.ledger.timestamps.as_ref().map(|timestamps| ledger::timestamper(timestamps, place.folder));
    let timestampers = timestamper
        .transpose()?
        .into_iter()
        .map(|timestamper| json!({"name": timestamper.name, "certificate": STANDARD.encode(timestamper.certificate)}));
    let accept = Kind::ALL.into_iter().map(Kind::predicate_type);
    let roots = all.iter().map(|log| json!({"key": key, "log": log.origin, "from": 0}));
    let ended = all
        .iter()
        .filter_map(|log| log.ended.as_ref())
        .map(|head| json!({"log": head.origin, "size": head.edge.size(), "root": head.edge.root().to_string()}));
    let revoked = logs.revoked().iter().map(|(key, from)| json!({"key": key.to_string(), "from": from}));
    let document = json!({
        "v": 1,
        // Each news makes a newer one.
        "version": 1 + logs.news(),
        "tenant": place.settings.tenant.as_str(),
        "policy": policy(logs, place, false)?,
        "signers": [key],
        "roots": roots.collect::<Vec<_>>(),
        "revoked": [],
        "ended": ended.collect::<Vec<_>>(),
        "revoked_logs": revoked.collect::<Vec<_>>(),
        "accept": accept.collect::<Vec<_>>(),
        "require": {
            "log_algorithms": ["ed25519", "ml-dsa-44"],
            "witnesses": place.settings.ledger.quorum,
            "tree_size": 2,
            "skew_s": 300,
        },
        "approvers": [],
        "timestampers": timestampers.collect::<Vec<_>>(),
    });
    let text = format!("{document}\n");
    // What a verifier refuses is not handed out.
    Trust::parse(text.as_bytes()).map_err(|error| Failure::said(error.to_string()))?;
    Ok((text, root))
}

/// The document for whoever holds an older one.
pub fn signed(document: &str, root: &Ed25519) -> String {
    let signature = root.sign(&trust::signed(document.as_bytes()));
    let signature = json!({"keyid": keyid(&root.public_key()), "sig": STANDARD.encode(signature)});
    json!({"payload": STANDARD.encode(document), "payloadType": TRUST_TYPE, "signatures": [signature]}).to_string()
}

/// The gateway's own key, if there is one: looking makes none.
pub fn root(place: &Place<'_>) -> Result<Ed25519, Failure> {
    let root = place.keys().join("gateway.key");
    if !root.exists() {
        return Err(Failure::said(format!("`{}` is missing: the gateway has no key yet", root.display())));
    }
    Ed25519::in_file(&root).map_err(|error| Failure::said(error.to_string()))
}

/// The gateway's own key where it has vouched for records already; none before the first record. Who verifies them holds
/// this key, so no other may go on.
pub async fn vouching(place: &Place<'_>, store: &dyn Store) -> Result<Option<Ed25519>, Failure> {
    let filter = RecordFilter { kind: Some(Kind::Key), limit: 1, ..RecordFilter::default() };
    let keys = store.records(&filter).await.map_err(|error| Failure::said(error.to_string()))?;
    let Some(first) = keys.first() else { return Ok(None) };
    let file = place.keys().join("gateway.key");
    let wrong = |what: &str| {
        Failure::said(format!(
            "`{}` {what} the key that vouches for the records in the store: put that back from a backup. If it is lost \
             for ever, begin anew: move the store, the ledger's files and its guard away together, and give your \
             auditors the new key; the old records verify under the old one",
            file.display()
        ))
    };
    if !file.exists() {
        return Err(wrong("is missing, and it is"));
    }
    let root = Ed25519::in_file(&file).map_err(|error| Failure::said(error.to_string()))?;
    if keyid(&root.public_key()) == first.writer { Ok(Some(root)) } else { Err(wrong("is not")) }
}

/// The keys of the logs, their witnesses and what is enough of them, as a policy file (C2SP tlog-policy); with
/// places, it says where the keys are that sign now.
pub fn policy(logs: &Logs<'_>, place: &Place<'_>, places: bool) -> Result<String, Failure> {
    let mut policy = String::new();
    for log in logs.all()? {
        let state = if log.ended.is_some() { ", which has ended" } else { ", and what is enough to believe it" };
        policy.push_str(&format!("# The log `{}`{state}.\n", log.origin));
        let kept = LogKeys::of(place.settings, place.folder, &log.origin).places();
        for (key, kept) in log.keys.iter().zip(kept) {
            if places && log.ended.is_none() {
                policy.push_str(&format!("# {}: {kept}\n", algorithm(key)));
            }
            policy.push_str(&format!("log {key}\n"));
        }
    }
    let witnesses = ledger::witness_keys(place.settings)?;
    for (at, (key, witness)) in witnesses.iter().zip(&place.settings.ledger.witnesses).enumerate() {
        policy.push_str(&format!("witness w{} {key} {}\n", at + 1, witness.url));
    }
    if witnesses.is_empty() {
        policy.push_str("quorum none\n");
    } else {
        let names: Vec<String> = (1..=witnesses.len()).map(|at| format!("w{at}")).collect();
        policy.push_str(&format!("group witnesses {} {}\n", place.settings.ledger.quorum, names.join(" ")));
        policy.push_str("quorum witnesses\n");
    }
    // What an auditor cannot read is not printed.
    Policy::parse(policy.as_bytes()).map_err(|error| Failure::said(format!("the policy: {error}")))?;
    Ok(policy)
}

/// How a key signs, in a word.
pub fn algorithm(key: &VerifierKey) -> &'static str {
    match key.algorithm() {
        Algorithm::Ed25519 => "Ed25519",
        Algorithm::Ed25519Cosignature => "Ed25519 cosignature",
        Algorithm::MlDsa44 => "ML-DSA-44",
    }
}

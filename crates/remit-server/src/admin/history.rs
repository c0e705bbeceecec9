//! Which authorities were in force, and how an agent has fared under them.

use axum::response::Response;
use remit_app::change::Occasion;
use remit_app::history::{Entry, FileChange, differences};
use remit_core::ids::{AgentId, Digest};
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::accept::malformed;
use crate::admin::asked::{Answer, Asked};
use crate::admin::changes::taken;
use crate::admin::unavailable;
use crate::edge::Edge;

/// How many are listed, unless fewer are asked for; and at most.
const LISTED: usize = 50;
const LISTED_MAX: usize = 500;

/// `GET /admin/v1/snapshots?limit=`: the newest first, each with what changed.
pub(super) async fn list(Asked { edge, query, .. }: Asked) -> Answer {
    let limit = query.number("limit").unwrap_or(LISTED).min(LISTED_MAX);
    let entries = edge.gate.history(limit).await.map_err(unavailable)?;
    let mut shown = Vec::with_capacity(entries.len());
    for entry in &entries {
        shown.push(entry_shown(&edge, entry).await?);
    }
    Ok(json!({"in_force": edge.gate.snapshot().digest().to_string(), "snapshots": shown}))
}

/// `GET /admin/v1/snapshots/{digest}`: its texts, and what is different from the authority in force.
pub(super) async fn show(Asked { edge, id: digest, .. }: Asked) -> Answer {
    let (digest, texts) = texts(&edge, &digest).await?;
    let in_force = edge.gate.snapshot().digest();
    let now = edge.gate.texts_in_force(in_force).await.map_err(unavailable)?;
    let files = now.map_or(Value::Null, |now| files_shown(&differences(&now, &texts)));
    Ok(json!({
        "snapshot": digest.to_string(),
        "in_force": digest == in_force,
        "texts": remit_core::json::parse(texts.as_bytes()).unwrap_or_default(),
        "against_in_force": files,
    }))
}

/// `POST /admin/v1/snapshots/{digest}/restore`: puts its texts forward again, as any change.
pub(super) async fn restore(Asked { edge, by, id: digest, .. }: Asked) -> Result<Response, Refusal> {
    let (_, texts) = texts(&edge, &digest).await?;
    Ok(taken(&edge, edge.authorities().put(&by.approver.id, &texts, Occasion::Rollback).await))
}

/// `GET /admin/v1/agents/{id}/standing`: how the agent has fared since its remit last changed.
pub(super) async fn standing(Asked { edge, id, .. }: Asked) -> Answer {
    let agent = AgentId::parse(&id).map_err(malformed)?;
    let snapshot = edge.gate.snapshot();
    let tally = edge.gate.standing(&agent).await.map_err(unavailable)?;
    if snapshot.remit(&agent).is_none() && tally.classes.is_empty() && tally.halts == 0 {
        return Err(Refusal::new(Code::RecordUnknown, format!("no remit is for `{agent}`, and no record tells of it")));
    }
    let classes = tally.classes.iter().map(|(class, counts)| {
        json!({
            "class": class.as_str(), "calls": counts.allowed, "refusals": counts.denied, "holds": counts.asked,
            "approvals": counts.approvals, "denials": counts.denials, "unknown": counts.unknown,
            "undos": counts.undos, "objections": counts.objections,
        })
    });
    Ok(json!({
        "agent": agent.as_str(),
        "stage": snapshot.remit(&agent).map(|remit| remit.stage.as_str()),
        "since": tally.since,
        "whole": tally.whole,
        "halts": tally.halts,
        "incidents": tally.incidents,
        "classes": classes.collect::<Vec<_>>(),
    }))
}

pub(crate) async fn texts(edge: &Edge, digest: &str) -> Result<(Digest, String), Refusal> {
    let unknown =
        || Refusal::new(Code::RecordUnknown, "no authority of this digest was in force, or its texts are deleted");
    let digest = Digest::from_hex(digest).ok_or_else(unknown)?;
    let texts = edge.gate.texts_in_force(digest).await.map_err(unavailable)?;
    Ok((digest, texts.ok_or_else(unknown)?))
}

async fn entry_shown(edge: &Edge, entry: &Entry) -> Result<Value, Refusal> {
    let change = match entry.change.as_deref().and_then(|id| remit_core::ids::ChangeId::parse(id).ok()) {
        Some(id) => edge.gate.ports().store.change(&id).await.map_err(unavailable)?,
        None => None,
    };
    Ok(json!({
        "snapshot": entry.digest.to_string(),
        "time": entry.time,
        "by": entry.by,
        "record": entry.record,
        "change": change.as_ref().map(|change| super::changes::shown(edge, change)),
        "files": files_shown(&entry.files),
    }))
}

/// Lines that came and went, with their numbers.
pub(super) fn files_shown(files: &[FileChange]) -> Value {
    let lines = |lines: &[(usize, String)]| {
        lines.iter().map(|(at, text)| json!({"line": at, "text": text})).collect::<Vec<_>>()
    };
    files
        .iter()
        .map(|file| {
            json!({
                "file": file.name, "kind": file.kind, "removed": lines(&file.removed), "added": lines(&file.added),
            })
        })
        .collect()
}

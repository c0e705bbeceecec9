//! One record, in words and as it was signed.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use remit_app::ports::RecordFilter;
use remit_core::budget::Unit;
use remit_core::ids::RecordId;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use remit_evidence::writer::SignedRecord;
use serde_json::Value;

use super::decided::{Read, money, short};
use super::moment::Moment;
use super::page::{Page, Place, answer};
use super::plain::{Plain, coded, line, lines};
use super::tag::Tag;
use crate::admin::unavailable;
use crate::edge::Edge;

#[derive(Template)]
#[template(path = "record.html")]
struct RecordPage {
    page: Page,
    id: String,
    kind: &'static str,
    tag: Tag,
    words: Plain,
    at: Option<Moment>,
    exact: Plain,
    run: String,
    /// What it says, member by member, in words first.
    facts: Vec<(&'static str, Plain)>,
    refusal: Option<Refused>,
    budgets: Vec<Counted>,
    beside: Vec<(Plain, Plain)>,
    related: Vec<Related>,
    statement: Plain,
    digest: String,
    digest_short: String,
    writer: Plain,
    seq: u64,
    place: Option<u64>,
    signature: Plain,
}

struct Refused {
    code: Plain,
    reason: Plain,
    remedy: Plain,
}

/// A budget as it stood.
struct Counted {
    key: Plain,
    settled: String,
    reserved: String,
    limit: String,
}

struct Related {
    id: String,
    relation: Plain,
    tag: Tag,
    words: Plain,
    at: Option<Moment>,
}

/// `GET /console/records/{id}`.
pub(super) async fn record(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(shown(&edge, &id, &headers).await)
}

async fn shown(edge: &Edge, id: &str, headers: &HeaderMap) -> Result<RecordPage, Refusal> {
    let (_, page) = Page::visit(edge, headers, Deed::Look, Place::Ledger, "Record").await?;
    let unknown = || Refusal::new(Code::RecordUnknown, "there is no such record");
    let id = RecordId::parse(id).map_err(|_| unknown())?;
    let (store, now) = (&edge.gate.ports().store, edge.gate.ports().clock.now());
    let record = store.record(&id).await.map_err(unavailable)?.ok_or_else(unknown)?;
    let places = store.places(std::slice::from_ref(&id)).await.map_err(unavailable)?;
    let read = Read::of(&record);
    let pretty = |value: &Value| lines(&serde_json::to_string_pretty(value).unwrap_or_default());
    let refusal = read.said.get("refusal").map(|_| Refused {
        code: line(read.text("/refusal/code")),
        reason: coded(read.text("/refusal/reason")),
        remedy: coded(read.text("/refusal/remedy")),
    });
    Ok(RecordPage {
        page,
        id: record.id.to_string(),
        kind: record.kind.as_str(),
        tag: read.tag(record.kind),
        words: read.line(record.kind),
        at: read.at.map(|at| Moment::new(at, now)),
        exact: line(&record.time),
        run: record.run.as_ref().map(ToString::to_string).unwrap_or_default(),
        facts: facts(&read),
        refusal,
        budgets: counted(&read),
        beside: read.beside.iter().map(|(name, value)| (line(name), pretty(value))).collect(),
        related: related(edge, &record, &read, now).await?,
        statement: pretty(&read.said),
        digest: record.digest.to_string(),
        digest_short: short(&record.digest.to_string()).to_owned(),
        writer: line(short(&record.writer)),
        seq: record.seq,
        place: places.first().copied().flatten().map(|at| edge.prover.as_ref().map_or(at, |prover| prover.leaf(at))),
        signature: line(&record.envelope.to_json().to_string()),
    })
}

/// What nearly every reader wants first. The rest is in the statement below.
fn facts(read: &Read) -> Vec<(&'static str, Plain)> {
    let list = |pointer: &str| {
        let words = read.said.pointer(pointer).and_then(Value::as_array);
        words.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
    };
    let via = list("/agent/via");
    let reversible = read.said.pointer("/tool/reversible").and_then(Value::as_bool);
    let tool = match reversible {
        None => read.text("/tool/name").to_owned(),
        Some(reversible) => format!(
            "{} ({}, {} risk, {})",
            read.text("/tool/name"),
            read.text("/tool/class"),
            read.text("/tool/risk"),
            if reversible { "can be undone" } else { "cannot be undone" }
        ),
    };
    let said = [
        ("Agent", read.text("/agent/id").to_owned()),
        ("Delegated by", via),
        ("Owned by", read.text("/agent/owner").to_owned()),
        ("Workflow", read.text("/agent/workflow").to_owned()),
        ("Tool", tool),
        ("Costs", money(read.cost())),
        ("Asks for", list("/asks")),
        ("Approvals used", list("/approvals")),
        ("Determined by", list("/policy/determining")),
        ("Snapshot", read.text("/policy/snapshot").to_owned()),
        ("Labels then", list("/facts/run/labels")),
        ("Warnings", list("/warnings")),
        ("Rule", read.text("/rule").to_owned()),
        ("Choice", read.text("/choice").to_owned()),
        ("Assurance", assurance(read.text("/assurance")).to_owned()),
        ("Result", read.text("/result/state").to_owned()),
        ("Target", read.text("/target").to_owned()),
        ("By", read.text("/by").to_owned()),
    ];
    said.into_iter().filter(|(_, text)| !text.is_empty()).map(|(name, text)| (name, line(&text))).collect()
}

/// How sure one can be that it was this person. The two must never look alike.
fn assurance(word: &str) -> &str {
    match word {
        "operator_attested" => "vouched for by this gateway's sign-in only, not signed by the person",
        "passkey" => "signed by the person's own passkey",
        other => other,
    }
}

fn counted(read: &Read) -> Vec<Counted> {
    let budgets = read.said.pointer("/facts/budgets").and_then(Value::as_array);
    let shown = budgets.into_iter().flatten().map(|budget| {
        let key = budget.get("key").and_then(Value::as_str).unwrap_or_default();
        // The unit is the last part of a key but one.
        let unit = key.rsplit('/').nth(1);
        let amount = |name: &str| {
            let amount = budget.get(name).and_then(Value::as_u64).unwrap_or(0);
            if unit == Some(Unit::MicroUsd.as_str()) { Unit::MicroUsd.show(amount) } else { amount.to_string() }
        };
        Counted { key: line(key), settled: amount("settled"), reserved: amount("reserved"), limit: amount("limit") }
    });
    shown.collect()
}

/// Records of the same run that refer to this one, or that it refers to.
async fn related(
    edge: &Edge,
    record: &SignedRecord,
    read: &Read,
    now: jiff::Timestamp,
) -> Result<Vec<Related>, Refusal> {
    let Some(run) = &record.run else { return Ok(Vec::new()) };
    let filter = RecordFilter { run: Some(run.clone()), ..RecordFilter::default() };
    let own = record.digest.to_string();
    let mut found = Vec::new();
    for other in edge.gate.ports().store.records(&filter).await.map_err(unavailable)? {
        let digest = other.digest.to_string();
        let told = Read::of(&other);
        let relation = match read.links().find(|(_, to)| *to == digest) {
            Some((relation, _)) => format!("its {relation}"),
            None if told.links().any(|(_, to)| to == own) => format!("then: {}", other.kind.as_str()),
            None => continue,
        };
        found.push(Related {
            id: other.id.to_string(),
            relation: line(&relation),
            tag: told.tag(other.kind),
            words: told.line(other.kind),
            at: told.at.map(|at| Moment::new(at, now)),
        });
    }
    Ok(found)
}

//! History: what was in force, since when, on whose word, what changed from one to the next, and the way back.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use remit_app::change::Occasion;
use remit_app::history::differences;
use remit_app::ports::listing::Latest;
use remit_core::steering::Deed;
use remit_core::verdict::Refusal;
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use serde::Deserialize;
use serde_json::Value;

use super::changes::after;
use super::decided::{Read, short};
use super::lines::File;
use super::moment::Moment;
use super::page::{Page, Place, answer, link, onward};
use super::plain::{Plain, line};
use crate::admin::history::texts;
use crate::admin::{operator, unavailable};
use crate::edge::Edge;

/// How many snapshots one page shows. Each is compared with the one before, text by text.
const SHOWN: usize = 20;
/// How far back the lines are looked for with which an authority came into force.
const BACK: usize = 500;

/// What the list was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    before: Option<u64>,
}

/// An authority that came into force.
struct Entry {
    record: String,
    at: Option<Moment>,
    by: Plain,
    /// The change that people approved, when it rests on one.
    change: String,
    digest: String,
    digest_short: String,
    in_force: bool,
    changed: Changed,
}

/// How its files differ from those before it.
enum Changed {
    /// They are the same: a restart.
    Nothing,
    /// These files, each with what became of it.
    Files(Vec<(&'static str, Plain)>),
    /// Nothing came before.
    First,
    /// Nobody can say: the texts are not kept.
    Unknown,
}

#[derive(Template)]
#[template(path = "history.html")]
struct History {
    page: Page,
    entries: Vec<Entry>,
    newest: Option<String>,
    older: Option<String>,
}

#[derive(Template)]
#[template(path = "snapshot.html")]
struct One {
    page: Page,
    digest: String,
    in_force: bool,
    /// Since when, on whose word, resting on which change; for the last time it came into force.
    came: Option<(Option<Moment>, Plain, Option<String>)>,
    /// With which lines it came.
    with: Vec<File>,
    /// What putting it into force again would change.
    against: Option<Vec<File>>,
    restores: bool,
}

/// `GET /console/history?before=`.
pub(super) async fn history(State(edge): State<Arc<Edge>>, Query(wish): Query<Wish>, headers: HeaderMap) -> Response {
    answer(listed(&edge, &wish, &headers).await)
}

async fn listed(edge: &Edge, wish: &Wish, headers: &HeaderMap) -> Result<History, Refusal> {
    let (_, page) = Page::visit(edge, headers, Deed::Look, Place::History, "History").await?;
    let (store, now) = (&edge.gate.ports().store, edge.gate.ports().clock.now());
    // One more than is shown, to compare the last one with.
    let asked = Latest { kind: Some(Kind::Policy), before: wish.before, limit: SHOWN + 1, ..Latest::default() };
    let sheet = store.latest(&asked).await.map_err(unavailable)?;
    let more = sheet.items.len() > SHOWN || sheet.older.is_some();
    let older =
        if more { store.latest(&Latest { limit: SHOWN, ..asked }).await.map_err(unavailable)?.older } else { None };
    let path = |before: &str| link(Place::History.path(), &[("before", before)]);
    let in_force = edge.gate.snapshot().digest().to_string();
    Ok(History {
        page,
        entries: entries(&sheet.items, now, more, &in_force),
        newest: wish.before.map(|_| path("")),
        older: older.map(|place| path(&place.to_string())),
    })
}

/// Of the records of one page, those by which something came into force. Votes and proposals are among them.
fn entries(records: &[SignedRecord], now: Timestamp, more: bool, in_force: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (at, record) in records.iter().take(SHOWN).enumerate() {
        let read = Read::of(record);
        let digest = read.text("/snapshot");
        if digest.is_empty() {
            continue;
        }
        let before = records.iter().skip(at + 1).map(Read::of).find(|read| !read.text("/snapshot").is_empty());
        entries.push(Entry {
            record: record.id.to_string(),
            at: read.at.map(|at| Moment::new(at, now)),
            by: by(read.text("/by")),
            change: read.text("/change").to_owned(),
            digest: digest.to_owned(),
            digest_short: short(digest).to_owned(),
            in_force: digest == in_force && !entries.iter().any(|entry| entry.in_force),
            changed: match before {
                Some(before) => changed(&before, &read),
                None if more => Changed::Unknown,
                None => Changed::First,
            },
        });
    }
    entries
}

/// On what occasion a snapshot came into force.
fn by(word: &str) -> Plain {
    line(match word {
        "start" => "the start of the gateway",
        "reload" => "a reload of the folder",
        "change" => "people, who agreed to a change",
        "rollback" => "somebody, who brought it back",
        other => other,
    })
}

fn changed(before: &Read, now: &Read) -> Changed {
    if before.text("/snapshot") == now.text("/snapshot") {
        return Changed::Nothing;
    }
    let (Some(old), Some(new)) = (files(before), files(now)) else { return Changed::Unknown };
    let mut out = Vec::new();
    for (name, text) in &new {
        match old.get(name) {
            None => out.push(("new", line(name))),
            Some(known) if known != text => out.push(("changed", line(name))),
            Some(_) => {}
        }
    }
    out.extend(old.keys().filter(|name| !new.contains_key(*name)).map(|name| ("gone", line(name))));
    Changed::Files(out)
}

/// The texts of a snapshot by name, while they are kept. They stand beside the record as a value.
fn files(read: &Read) -> Option<BTreeMap<String, Value>> {
    let files = read.value("sources")?.as_object()?;
    Some(files.iter().map(|(name, text)| (name.clone(), text.clone())).collect())
}

/// `GET /console/history/{digest}`.
pub(super) async fn snapshot(
    State(edge): State<Arc<Edge>>,
    Path(digest): Path<String>,
    headers: HeaderMap,
) -> Response {
    answer(shown(&edge, &digest, &headers).await)
}

async fn shown(edge: &Edge, digest: &str, headers: &HeaderMap) -> Result<One, Refusal> {
    let (person, page) = Page::visit(edge, headers, Deed::Look, Place::History, "Snapshot").await?;
    let (digest, sources) = texts(edge, digest).await?;
    let now = edge.gate.ports().clock.now();
    let in_force = edge.gate.snapshot().digest();
    let entry = edge.gate.history(BACK).await.map_err(unavailable)?.into_iter().find(|entry| entry.digest == digest);
    let against = edge.gate.texts_in_force(in_force).await.map_err(unavailable)?;
    let shown = |files: &[remit_app::history::FileChange]| files.iter().map(File::of).collect::<Vec<_>>();
    Ok(One {
        page: Page { title: line(&format!("Snapshot {}", short(&digest.to_string()))), ..page },
        came: entry
            .as_ref()
            .map(|entry| (entry.time.parse().ok().map(|at| Moment::new(at, now)), by(&entry.by), entry.change.clone())),
        with: entry.map(|entry| shown(&entry.files)).unwrap_or_default(),
        against: against.filter(|_| in_force != digest).map(|now| shown(&differences(&now, &sources))),
        in_force: in_force == digest,
        digest: digest.to_string(),
        restores: person.may(Deed::Reload),
    })
}

/// `POST /console/history/{digest}/restore`: puts its texts forward again, as any change.
pub(super) async fn restore(State(edge): State<Arc<Edge>>, Path(digest): Path<String>, headers: HeaderMap) -> Response {
    let restored = async {
        let by = operator(&edge, &headers, Deed::Reload).await?;
        let sources = texts(&edge, &digest).await?.1;
        after(edge.authorities().put(&by.approver.id, &sources, Occasion::Rollback).await)
    };
    onward(restored.await)
}

//! Authority: the bounds of the organisation, its approval rules, and which snapshot is in force since when.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use remit_app::ports::listing::Latest;
use remit_core::authority::guardrail::Bound;
use remit_core::steering::Deed;
use remit_core::verdict::Refusal;
use remit_evidence::record::Kind;
use remit_evidence::writer::SignedRecord;
use serde::Deserialize;
use serde_json::Value;

use super::decided::{Read, short};
use super::moment::Moment;
use super::page::{Page, Place, answer, link};
use super::plain::{Plain, line, lines};
use super::tag::Tag;
use super::words;
use crate::admin::unavailable;
use crate::edge::Edge;

/// How many snapshots one page shows. Each is compared with the one before, text by text.
const SHOWN: usize = 20;

/// What the page was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    q: String,
    before: Option<u64>,
}

/// A guardrail, as a reader sees it.
pub(super) struct Guardrail {
    pub name: Plain,
    pub mode: Tag,
    pub reason: Plain,
    pub remedy: Option<Plain>,
    pub rules: Plain,
    pub text: Plain,
}

struct Rule {
    id: Plain,
    words: Plain,
}

/// A snapshot that came into force.
struct Entry {
    record: String,
    at: Option<Moment>,
    by: Plain,
    digest: String,
    in_force: bool,
    remits: u64,
    tools: u64,
    changed: Changed,
}

/// How a snapshot's files differ from those before it.
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
#[template(path = "authority.html")]
struct Authority {
    page: Page,
    wish: Wish,
    digest: String,
    since: Option<Moment>,
    by: Plain,
    remits: usize,
    tools: usize,
    guardrails: Vec<Guardrail>,
    rules: Vec<Rule>,
    limits: Vec<String>,
    history: Vec<Entry>,
    newest: Option<String>,
    older: Option<String>,
}

impl Guardrail {
    /// What there is to say about one.
    pub(super) fn of(bound: &Bound<'_>) -> Self {
        let rules: Vec<_> = bound.rules().iter().map(ToString::to_string).collect();
        Self {
            name: line(&bound.name()),
            mode: words::mode(bound.mode()),
            reason: line(bound.reason()),
            remedy: bound.remedy().map(line),
            rules: line(&rules.join(", ")),
            text: lines(&bound.text()),
        }
    }
}

/// `GET /console/authority?q=&before=`.
pub(super) async fn authority(State(edge): State<Arc<Edge>>, Query(wish): Query<Wish>, headers: HeaderMap) -> Response {
    answer(shown(&edge, wish, &headers).await)
}

async fn shown(edge: &Edge, wish: Wish, headers: &HeaderMap) -> Result<Authority, Refusal> {
    let (_, page) = Page::visit(edge, headers, Deed::Look, Place::Authority, "Authority").await?;
    let snapshot = edge.gate.snapshot();
    let now = edge.gate.ports().clock.now();
    let store = &edge.gate.ports().store;
    let newest = Latest { kind: Some(Kind::Policy), limit: 1, ..Latest::default() };
    let newest = store.latest(&newest).await.map_err(unavailable)?.items.pop();
    // One more than is shown, to compare the last one with.
    let asked = Latest { kind: Some(Kind::Policy), before: wish.before, limit: SHOWN + 1, ..Latest::default() };
    let sheet = store.latest(&asked).await.map_err(unavailable)?;
    let (last, of_newest) = (newest.as_ref().map(Read::of), newest.as_ref().map(|record| record.id.clone()));
    let more = sheet.items.len() > SHOWN || sheet.older.is_some();
    let history = entries(&sheet.items, now, more, |record| of_newest.as_ref() == Some(&record.id));
    let place = if more { place_of_last(edge, &wish).await? } else { None };
    let path = |before: &str| link(Place::Authority.path(), &[("q", &wish.q), ("before", before)]);
    let q = wish.q.trim().to_lowercase();
    let wanted = |bound: &Bound<'_>| {
        [bound.name(), bound.text(), bound.reason().to_owned()].iter().any(|text| text.to_lowercase().contains(&q))
    };
    Ok(Authority {
        page,
        digest: snapshot.digest().to_string(),
        since: last.as_ref().and_then(|read| read.at).map(|at| Moment::new(at, now)),
        by: last.as_ref().map(by).unwrap_or_default(),
        remits: snapshot.remits().count(),
        tools: snapshot.registry().tools().len(),
        guardrails: snapshot.bounds().filter(wanted).map(|bound| Guardrail::of(&bound)).collect(),
        rules: snapshot
            .all_rules()
            .map(|rule| Rule { id: line(rule.id.as_str()), words: line(&words::rule(rule)) })
            .collect(),
        limits: snapshot.limits().iter().map(words::limit).collect(),
        history,
        newest: wish.before.map(|_| path("")),
        older: place.map(|place| path(&place.to_string())),
        wish,
    })
}

/// Where the next page begins: behind the last one that is shown.
async fn place_of_last(edge: &Edge, wish: &Wish) -> Result<Option<u64>, Refusal> {
    let asked = Latest { kind: Some(Kind::Policy), before: wish.before, limit: SHOWN, ..Latest::default() };
    Ok(edge.gate.ports().store.latest(&asked).await.map_err(unavailable)?.older)
}

fn entries(
    records: &[SignedRecord],
    now: Timestamp,
    more: bool,
    in_force: impl Fn(&SignedRecord) -> bool,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (at, record) in records.iter().take(SHOWN).enumerate() {
        let (read, before) = (Read::of(record), records.get(at + 1).map(Read::of));
        let number = |name: &str| read.said.get(name).and_then(Value::as_u64).unwrap_or(0);
        entries.push(Entry {
            record: record.id.to_string(),
            at: read.at.map(|at| Moment::new(at, now)),
            by: by(&read),
            digest: short(read.text("/snapshot")).to_owned(),
            in_force: in_force(record),
            remits: number("remits"),
            tools: number("tools"),
            changed: match before {
                Some(before) => changed(&before, &read),
                None if more => Changed::Unknown,
                None => Changed::First,
            },
        });
    }
    entries
}

/// Who put a snapshot into force.
fn by(read: &Read) -> Plain {
    match read.text("/by") {
        "start" => line("the start of the gateway"),
        "reload" => line("a reload of the folder"),
        other => line(other),
    }
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

//! Tools: what can be called, how the organisation has classified it, and whether it is still served as approved.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::HeaderMap;
use remit_core::authority::remit::{Grant, Remit};
use remit_core::halt::{Halt, HaltTarget};
use remit_core::ids::ToolName;
use remit_core::registry::{Class, Risk, Tool, diff};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use remit_core::{Caller, Snapshot};
use serde::Deserialize;
use serde_json::Value;

use super::authority::Guardrail;
use super::diff::Change;
use super::dress::escaped;
use super::page::{Page, Place, answer, link};
use super::plain::{Plain, head, line, lines};
use super::tag::Tag;
use super::words;
use crate::admin::unavailable;
use crate::edge::Edge;

/// How many tools one page shows.
const SHOWN: usize = 150;
/// How much of a definition is shown, in characters.
const DEFINITION_CHARS_MAX: usize = 40_000;

/// What the list was asked for.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wish {
    q: String,
    class: String,
    risk: String,
    state: String,
    from: usize,
}

struct Row {
    path: String,
    name: Plain,
    owner: Plain,
    class: String,
    risk: Option<Tag>,
    irreversible: bool,
    state: Tag,
    halted: bool,
}

#[derive(Template)]
#[template(path = "tools.html")]
struct Tools {
    page: Page,
    wish: Wish,
    rows: Vec<Row>,
    changed: usize,
    fresh: usize,
    newer: Option<String>,
    older: Option<String>,
}

/// A remit that covers the tool, and the grants in it that do.
struct May {
    holder: Plain,
    path: Option<String>,
    sentences: Vec<Plain>,
    mode: Tag,
}

#[derive(Template)]
#[template(path = "tool.html")]
struct One {
    page: Page,
    state: Tag,
    word: &'static str,
    halted: bool,
    halt: Option<String>,
    halt_upstream: Option<String>,
    known: Option<Known>,
    pin: String,
    served_pin: Option<String>,
    changes: Vec<Change>,
    definition: Plain,
    definition_cut: usize,
    name: Plain,
}

/// What the organisation says about a tool.
struct Known {
    public: Plain,
    owner: Plain,
    class: &'static str,
    means: &'static str,
    risk: Tag,
    reversible: bool,
    labels: Plain,
    timeout: String,
    credential: Option<Plain>,
    may: Vec<May>,
    guardrails: Vec<Guardrail>,
    calls: String,
}

/// Where the page of a tool is.
pub(super) fn path(name: &str) -> String {
    format!("{}/{}", Place::Tools.path(), escaped(name))
}

/// `GET /console/tools?q=&class=&risk=&state=`.
pub(super) async fn tools(State(edge): State<Arc<Edge>>, Query(wish): Query<Wish>, headers: HeaderMap) -> Response {
    answer(listed(&edge, wish, &headers).await)
}

/// `GET /console/tools/{upstream}/{tool}`; the tool's own name may have slashes.
pub(super) async fn tool(State(edge): State<Arc<Edge>>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    answer(found(&edge, &name, &headers).await)
}

async fn listed(edge: &Edge, wish: Wish, headers: &HeaderMap) -> Result<Tools, Refusal> {
    let (_, page) = Page::visit(edge, headers, Deed::Look, Place::Tools, "Tools").await?;
    let (snapshot, halts) = (edge.gate.snapshot(), halts(edge).await?);
    let report = edge.fleet.report(&snapshot);
    let text = |row: &Value, member: &str| row[member].as_str().unwrap_or_default().to_owned();
    let count = |state: &str| report.iter().filter(|row| row["state"] == state).count();
    let (changed, fresh) = (count("changed"), count("new"));
    let q = wish.q.trim();
    let says = |row: &Value, member: &str, asked: &str| asked.is_empty() || row[member] == asked;
    let wanted: Vec<_> = report
        .iter()
        .filter(|row| text(row, "tool").contains(q) || text(row, "owner").contains(q))
        .filter(|row| {
            says(row, "class", &wish.class) && says(row, "risk", &wish.risk) && says(row, "state", &wish.state)
        })
        .collect();
    let rows = wanted.iter().skip(wish.from).take(SHOWN).map(|row| {
        let name = text(row, "tool");
        let tool = ToolName::parse(&name).ok().and_then(|name| snapshot.registry().tool(&name).cloned());
        Row {
            path: path(&name),
            name: line(&name),
            owner: line(&text(row, "owner")),
            class: text(row, "class"),
            risk: Risk::parse(&text(row, "risk")).map(Tag::risk),
            irreversible: row["reversible"] == false,
            state: state(&text(row, "state")).1,
            halted: tool.is_some_and(|tool| is_halted(&halts, &tool)),
        }
    });
    let rows = rows.collect();
    let path = |from: usize| {
        let from = if from == 0 { String::new() } else { from.to_string() };
        let filters =
            [("q", q), ("class", &*wish.class), ("risk", &wish.risk), ("state", &wish.state), ("from", &from)];
        link(Place::Tools.path(), &filters)
    };
    let newer = (wish.from > 0).then(|| path(wish.from.saturating_sub(SHOWN)));
    let next = wish.from.saturating_add(SHOWN);
    let older = (wanted.len() > next).then(|| path(next));
    Ok(Tools { page, rows, changed, fresh, newer, older, wish })
}

async fn found(edge: &Edge, name: &str, headers: &HeaderMap) -> Result<One, Refusal> {
    let (person, page) = Page::visit(edge, headers, Deed::Look, Place::Tools, name).await?;
    let unknown = || Refusal::new(Code::ToolUnknown, "no upstream serves this tool, and none was approved");
    let name = ToolName::parse(name).map_err(|_| unknown())?;
    let snapshot = edge.gate.snapshot();
    let report = edge.fleet.report(&snapshot);
    let row = report.into_iter().find(|row| row["tool"] == name.as_str()).ok_or_else(unknown)?;
    let (word, state) = state(row["state"].as_str().unwrap_or_default());
    let tool = snapshot.registry().tool(&name);
    let served = row.get("served").filter(|served| served.is_object());
    let halts = halts(edge).await?;
    let changes = match (tool, served) {
        (Some(tool), Some(served)) => diff(tool.definition.json(), served).iter().map(Change::of).collect(),
        _ => Vec::new(),
    };
    let definition = tool.map(|tool| tool.definition.json()).or(served);
    let definition = definition.and_then(|json| serde_json::to_string_pretty(json).ok()).unwrap_or_default();
    let (shown, definition_cut) = head(&definition, DEFINITION_CHARS_MAX);
    let may_halt = person.may(Deed::Halt) && tool.is_some();
    let stop = |target: &str| may_halt.then(|| link("/console/halts/new", &[("target", target)]));
    let digest = |json: &Value| remit_core::registry::Definition::new(json.clone()).digest().to_string();
    Ok(One {
        page,
        state,
        word,
        halted: tool.is_some_and(|tool| is_halted(&halts, tool)),
        halt: stop(&format!("tool:{name}")),
        halt_upstream: stop(&format!("upstream:{}", name.upstream())),
        pin: row["pin"].as_str().unwrap_or_default().to_owned(),
        served_pin: served.filter(|_| word == "changed").map(digest),
        changes,
        definition: lines(shown),
        definition_cut,
        known: tool.map(|tool| known(&snapshot, tool)),
        name: line(name.as_str()),
    })
}

fn known(snapshot: &Snapshot, tool: &Arc<Tool>) -> Known {
    let labels: Vec<_> = tool.labels.words().collect();
    Known {
        public: line(&tool.public),
        owner: line(tool.owner.as_ref().map_or("", |owner| owner.as_str())),
        class: tool.class.as_str(),
        means: words::class(tool.class),
        risk: Tag::risk(tool.risk),
        reversible: tool.reversible,
        labels: line(&labels.join(", ")),
        timeout: format!("{} ms", tool.timeout_ms),
        credential: tool.credential.as_ref().map(|credential| line(credential)),
        may: snapshot.remits().filter_map(|remit| may(snapshot, remit, tool)).collect(),
        guardrails: snapshot.bounds().filter(|bound| bound.concerns(tool)).map(|bound| Guardrail::of(&bound)).collect(),
        calls: link(Place::Calls.path(), &[("tool", tool.name.as_str())]),
    }
}

/// What a remit says about a tool, when it covers it.
fn may(snapshot: &Snapshot, remit: &Remit, tool: &Tool) -> Option<May> {
    use remit_core::authority::remit::{Holder, Mode};
    let covers = |grant: &&Grant| {
        grant.class == tool.class
            && grant.tools.iter().any(|pattern| pattern.covers(&tool.name))
            && grant.labels_up_to.is_none_or(|level| tool.labels.sensitivity <= level)
    };
    let sentences: Vec<_> = remit.grants.iter().filter(covers).map(|grant| line(&words::grant(grant))).collect();
    let (held, path) = match &remit.holder {
        Holder::Agent(id) => {
            let caller = Caller::agent(snapshot.tenant().clone(), id.clone());
            (snapshot.holds(&caller, tool), Some(format!("{}/{id}", Place::Agents.path())))
        }
        _ => (!sentences.is_empty() || remit.mode == Mode::Observe, None),
    };
    held.then(|| May { holder: line(&words::holder(&remit.holder)), path, sentences, mode: words::mode(remit.mode) })
}

async fn halts(edge: &Edge) -> Result<Vec<Halt>, Refusal> {
    edge.gate.ports().store.halts().await.map_err(unavailable)
}

fn is_halted(halts: &[Halt], tool: &Tool) -> bool {
    halts.iter().any(|halt| match &halt.target {
        HaltTarget::Tenant => true,
        HaltTarget::Tool(name) => tool.name == *name,
        HaltTarget::Upstream(id) => tool.name.upstream() == id.as_str(),
        HaltTarget::Class(class) => tool.class == *class,
        HaltTarget::Agent(_) | HaltTarget::Run(_) => false,
    })
}

/// The state of a pin: the word, and how it looks.
fn state(word: &str) -> (&'static str, Tag) {
    match word {
        "callable" => ("callable", Tag::good("as approved")),
        "changed" => ("changed", Tag::bad("changed")),
        "missing" => ("missing", Tag::wait("not served")),
        "unseen" => ("unseen", Tag::plain("not looked at yet")),
        "new" => ("new", Tag::wait("not approved")),
        _ => ("", Tag::plain(word)),
    }
}

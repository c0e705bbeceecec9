//! What waits for people: what this person may answer first, then what others have to.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use remit_app::ports::listing::{Lapse, Sheet, Waiting};
use remit_app::question::Question;
use remit_core::approval::Approver;
use remit_core::ids::{AgentId, RuleId, ToolName};
use remit_core::registry::Risk;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;

use super::{open_to, values};
use crate::admin::unavailable;
use crate::console::calls::known;
use crate::console::changes;
use crate::console::decided::money;
use crate::console::moment::Moment;
use crate::console::page::{Page, Place, answer, link};
use crate::console::plain::{Plain, line};
use crate::console::tag::Tag;
use crate::edge::Edge;
use crate::identify::Operator;

/// How many questions each list shows.
const SHOWN: usize = 50;

/// What the page was asked for, as its URL says it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::console) struct Wish {
    agent: String,
    tool: String,
    rule: String,
    /// `mine` or `others`; both when empty.
    show: String,
    after: String,
}

#[derive(Template)]
#[template(path = "waiting.html")]
struct WaitingPage {
    page: Page,
    wish: Wish,
    agents: Vec<String>,
    tools: Vec<String>,
    lists: Vec<List>,
    first: Option<String>,
    /// The change of the authority that waits for this person's vote.
    change: Option<String>,
    /// How many calls wait to be looked at, for whoever looks.
    reviews: u64,
}

/// One of the two lists.
struct List {
    id: &'static str,
    title: &'static str,
    nothing: &'static str,
    rows: Vec<Row>,
    older: Option<String>,
}

/// One question, as a row.
struct Row {
    id: String,
    tool: Plain,
    risk: Option<Tag>,
    irreversible: bool,
    agent: Plain,
    user: Option<Plain>,
    resource: Plain,
    arguments: Plain,
    cost: String,
    needs: Vec<(Plain, String)>,
    asked: Moment,
    lapses: Moment,
}

/// `GET /console?agent=&tool=&rule=&show=&after=`.
pub(in crate::console) async fn waiting(
    State(edge): State<Arc<Edge>>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Response {
    answer(listed(&edge, wish, &headers).await)
}

async fn listed(edge: &Edge, wish: Wish, headers: &HeaderMap) -> Result<WaitingPage, Refusal> {
    let (person, mut page) = Page::visit(edge, headers, Deed::Look, Place::Waiting, "What waits").await?;
    let now = edge.gate.ports().clock.now();
    let asked = filters(&wish, now)?;
    let (mine, others) = (wish.show != "others", wish.show != "mine");
    let mut lists = Vec::new();
    if mine && person.may(Deed::Vote) {
        let own = edge.gate.rules_of(&person.approver);
        let rules =
            asked.rules.clone().map_or(own.clone(), |named| named.into_iter().filter(|r| own.contains(r)).collect());
        let sheet = found(edge, Waiting { rules: Some(rules), ..asked.clone() }).await?;
        let list = list("mine", edge, &wish, sheet, now, |q| !open_to(edge, &person.approver, q).is_empty());
        page.unread = list.rows.len();
        lists.push(list);
    }
    if others {
        let sheet = found(edge, asked).await?;
        let votes = person.may(Deed::Vote);
        lists.push(list("others", edge, &wish, sheet, now, |q| !votes || !for_them(edge, &person.approver, q)));
    }
    let (agents, tools) = known(edge);
    let first = (!wish.after.is_empty()).then(|| path(&wish, &wish.show, ""));
    let (change, reviews) = beside(edge, &person, now).await?;
    Ok(WaitingPage { page, wish, agents, tools, lists, first, change, reviews })
}

/// What else waits for this person, and has a page of its own.
async fn beside(edge: &Edge, person: &Operator, now: Timestamp) -> Result<(Option<String>, u64), Refusal> {
    let store = &edge.gate.ports().store;
    let mut change = None;
    if person.may(Deed::Change) {
        let newest = store.changes(1).await.map_err(unavailable)?;
        let theirs = newest.iter().find(|change| edge.gate.may_vote_on(&person.approver.id, change, now).is_ok());
        change = theirs.map(|change| changes::path(&change.id));
    }
    let reviews = if person.may(Deed::Review) { store.backlog().await.map_err(unavailable)?.waiting } else { 0 };
    Ok((change, reviews))
}

fn for_them(edge: &Edge, approver: &Approver, question: &Question) -> bool {
    !open_to(edge, approver, question).is_empty()
}

async fn found(edge: &Edge, asked: Waiting) -> Result<Sheet<Question, Lapse>, Refusal> {
    edge.gate.ports().store.waiting(&asked).await.map_err(unavailable)
}

fn list(
    id: &'static str,
    edge: &Edge,
    wish: &Wish,
    sheet: Sheet<Question, Lapse>,
    now: Timestamp,
    belongs: impl Fn(&Question) -> bool,
) -> List {
    let (title, nothing) = match id {
        "mine" => ("For you", "Nothing waits for you."),
        _ => ("For others", "Nothing else waits."),
    };
    let rows = sheet.items.iter().filter(|question| belongs(question)).map(|question| row(edge, question, now));
    let older = sheet.older.map(|after| path(wish, id, &after.to_string()));
    List { id, title, nothing, rows: rows.collect(), older }
}

fn row(edge: &Edge, question: &Question, now: Timestamp) -> Row {
    let snapshot = edge.gate.snapshot();
    let tool = ToolName::parse(&question.tool).ok().and_then(|name| snapshot.registry().tool(&name).cloned());
    let needs = question.rules.iter().map(|rule| {
        let have = question.yes(&rule.id);
        (line(rule.id.as_str()), format!("{have} of {}", rule.quorum))
    });
    Row {
        id: question.id.to_string(),
        tool: line(&question.tool),
        risk: tool.as_ref().map(|tool| tool.risk).filter(|risk| *risk >= Risk::High).map(Tag::risk),
        irreversible: tool.is_some_and(|tool| !tool.reversible),
        agent: line(question.agent.as_str()),
        user: question.user.as_ref().map(|user| line(user.as_str())),
        resource: line(&question.resource),
        arguments: values::summary(&question.arguments),
        cost: money(question.cost),
        needs: needs.collect(),
        asked: Moment::new(question.asked_at, now),
        lapses: Moment::new(question.expires_at, now),
    }
}

fn filters(wish: &Wish, now: Timestamp) -> Result<Waiting, Refusal> {
    let malformed = |error: String| Refusal::new(Code::Malformed, error);
    let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let agent = said(&wish.agent).map(|id| AgentId::parse(&id)).transpose().map_err(|e| malformed(e.to_string()))?;
    let rule = said(&wish.rule).map(|id| RuleId::parse(&id)).transpose().map_err(|e| malformed(e.to_string()))?;
    let after = said(&wish.after).map(|text| Lapse::parse(&text).ok_or("`after` is no place in the list"));
    let after = after.transpose().map_err(|error| malformed(error.to_owned()))?;
    Ok(Waiting { now, agent, tool: said(&wish.tool), rules: rule.map(|rule| vec![rule]), after, limit: SHOWN })
}

fn path(wish: &Wish, show: &str, after: &str) -> String {
    let filters =
        [("agent", &*wish.agent), ("tool", &wish.tool), ("rule", &wish.rule), ("show", show), ("after", after)];
    link(Place::Waiting.path(), &filters)
}

//! Changes of the authority that protect less: what waits for people, what each would do, in words and in lines, and the
//! votes on it.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use http::HeaderMap;
use jiff::Timestamp;
use remit_app::change::{Change, ChangeState, NotChanged, Taken};
use remit_app::history::{FileChange, differences};
use remit_core::approval::Factor;
use remit_core::authority::remit::Holder;
use remit_core::ids::{AgentId, ChangeId};
use remit_core::steering::Deed;
use remit_core::verdict::Refusal;
use serde::Deserialize;
use serde_json::json;

use super::door::login::to_confirm;
use super::lines::File;
use super::moment::Moment;
use super::page::{Page, Place, answer, form, onward};
use super::plain::{Plain, coded, line, lines};
use super::standing::Standing;
use super::tag::Tag;
use crate::admin::changes::{LISTED, cast, refusal_of, unknown};
use crate::admin::{ballot, operator, unavailable};
use crate::edge::Edge;

/// Beside how many agents' wider remits it stands how they have fared.
const STANDINGS_MAX: usize = 3;

/// One change, in the list and at the head of its page.
struct Row {
    id: String,
    state: Tag,
    open: bool,
    what: Vec<Plain>,
    by: Option<Plain>,
    at: Moment,
    lapses: Moment,
    approved: usize,
    needed: u32,
}

/// A person's vote.
struct Vote {
    by: Plain,
    choice: Tag,
    proof: &'static str,
    reason: Plain,
    at: Moment,
}

#[derive(Template)]
#[template(path = "changes.html")]
struct Changes {
    page: Page,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "change.html")]
struct One {
    page: Page,
    row: Row,
    in_force: bool,
    /// Whether the folder does not say it: it came from a page, or from what was in force once.
    record: String,
    digest: String,
    base: String,
    files: Option<Vec<File>>,
    standings: Vec<Standing>,
    votes: Vec<Vote>,
    /// Why this person has no vote; none when they have one.
    no_vote: Option<Plain>,
    signed: bool,
    /// The party whose word a vote takes, when it has not given it just now.
    confirm: Option<String>,
}

/// `GET /console/changes`.
pub(super) async fn changes(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let listed = async {
        let (_, page) = Page::visit(&edge, &headers, Deed::Look, Place::Changes, "Changes").await?;
        let (store, now) = (&edge.gate.ports().store, edge.gate.ports().clock.now());
        let changes = store.changes(LISTED).await.map_err(unavailable)?;
        Ok(Changes { page, rows: changes.iter().map(|change| Row::of(change, now)).collect() })
    };
    answer(listed.await)
}

/// `GET /console/changes/{id}`.
pub(super) async fn change(State(edge): State<Arc<Edge>>, Path(id): Path<String>, headers: HeaderMap) -> Response {
    answer(shown(&edge, &id, &headers).await)
}

async fn shown(edge: &Edge, id: &str, headers: &HeaderMap) -> Result<One, Refusal> {
    let (person, page) = Page::visit(edge, headers, Deed::Look, Place::Changes, "Change").await?;
    let id = ChangeId::parse(id).map_err(|_| unknown())?;
    let (store, now) = (&edge.gate.ports().store, edge.gate.ports().clock.now());
    let change = store.change(&id).await.map_err(unavailable)?.ok_or_else(unknown)?;
    let before = edge.gate.texts_in_force(change.base).await.map_err(unavailable)?;
    let files = match (before, edge.gate.texts_of(&id).await) {
        (Some(before), Ok(after)) => Some(differences(&before, &after)),
        _ => None,
    };
    let row = Row::of(&change, now);
    let standings =
        if row.open { standings(edge, files.as_deref().unwrap_or_default(), now).await? } else { Vec::new() };
    let no_vote = if person.may(Deed::Change) {
        edge.gate.may_vote_on(&person.approver.id, &change, now).err().map(|error| coded(&error.to_string()))
    } else {
        Some(line("your roles let you look, not vote on changes"))
    };
    let least = edge.gate.steering().needed.factor;
    Ok(One {
        page,
        in_force: edge.gate.snapshot().digest() == change.digest,
        row,
        record: change.record.to_string(),
        digest: change.digest.to_string(),
        base: change.base.to_string(),
        files: files.map(|files| files.iter().map(File::of).collect()),
        standings,
        votes: change.votes.iter().map(|vote| voted(vote, now)).collect(),
        no_vote,
        signed: least == Some(Factor::Passkey),
        confirm: if least == Some(Factor::Oidc) { to_confirm(edge, person.approver.factor) } else { None },
    })
}

/// How the agents have fared whose remits the change touches.
async fn standings(edge: &Edge, files: &[FileChange], now: Timestamp) -> Result<Vec<Standing>, Refusal> {
    let snapshot = edge.gate.snapshot();
    let touched = snapshot.remits().filter(|remit| files.iter().any(|file| file.name == remit.locus.file));
    let agents: Vec<AgentId> = touched
        .filter_map(|remit| match &remit.holder {
            Holder::Agent(id) => Some(id.clone()),
            _ => None,
        })
        .take(STANDINGS_MAX)
        .collect();
    let mut out = Vec::with_capacity(agents.len());
    for agent in agents {
        out.push(Standing::of(edge, &agent, now).await?);
    }
    Ok(out)
}

fn voted(vote: &remit_app::change::ChangeVote, now: Timestamp) -> Vote {
    Vote {
        by: line(vote.by.as_str()),
        choice: if vote.approve { Tag::good("approve") } else { Tag::bad("refuse") },
        proof: vote.factor.as_str(),
        reason: lines(&vote.reason),
        at: Moment::new(vote.at, now),
    }
}

impl Row {
    fn of(change: &Change, now: Timestamp) -> Self {
        let state = change.state(now);
        let word = state.as_str().replace('_', " ");
        Self {
            id: change.id.to_string(),
            state: match state {
                ChangeState::Open => Tag::wait("waits"),
                ChangeState::Ended(remit_app::change::Ended::InForce) => Tag::good(&word),
                ChangeState::Ended(remit_app::change::Ended::Refused) => Tag::bad(&word),
                ChangeState::Ended(_) | ChangeState::Lapsed => Tag::plain(&word),
            },
            open: state == ChangeState::Open,
            what: change.weakens.iter().map(|weakens| coded(&weakens.what)).collect(),
            by: change.by.as_ref().map(|by| line(by.as_str())),
            at: Moment::new(change.at, now),
            lapses: Moment::new(change.expires_at, now),
            approved: change.votes.iter().filter(|vote| vote.approve).count(),
            needed: change.needed,
        }
    }
}

/// What the form says. Who votes comes from the credential: a field that names somebody is one too many.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fields {
    /// Checked before anybody gets here.
    #[serde(default, rename = "csrf")]
    _csrf: String,
    choice: String,
    #[serde(default)]
    reason: String,
}

/// `POST /console/changes/{id}/votes`.
pub(super) async fn vote(
    State(edge): State<Arc<Edge>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    taken: Result<Form<Fields>, FormRejection>,
) -> Response {
    let voted = async {
        let voter = operator(&edge, &headers, Deed::Change).await?;
        let Fields { choice, reason, .. } = form(taken)?;
        let body = json!({"choice": choice, "reason": reason.replace("\r\n", "\n")});
        let ballot = ballot::on_change(&edge.settings, &id, &body)?;
        let change = cast(&edge, &voter, ballot).await.map_err(|error| refusal_of(&error))?;
        Ok(path(&change.id))
    };
    onward(voted.await)
}

/// Where a change stands.
pub(super) fn path(id: &ChangeId) -> String {
    format!("{}/{id}", Place::Changes.path())
}

/// Where to go after an authority was put forward.
pub(super) fn after(taken: Result<Taken, NotChanged>) -> Result<String, Refusal> {
    match taken {
        Ok(Taken::Pending(change)) => Ok(path(&change.id)),
        Ok(Taken::InForce(_)) => Ok(Place::History.path().to_owned()),
        Err(error) => Err(refusal_of(&error)),
    }
}

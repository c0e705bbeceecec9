//! One's own account: passkeys, password, sessions. Nobody changes another's here.

pub(crate) mod registration;

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Form, Router};
use http::HeaderMap;
use jiff::SignedDuration;
use remit_app::people::{AccountChange, Password, Session, SessionId};
use remit_core::ids::{Digest, OperatorId};
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;
use serde_json::json;

use super::door::login::{self, Shown, shown as shown_provider, to_confirm};
use super::door::secrets::Secrets;
use super::door::{Answered, json_answer, not_changed, passkeys_here, password};
use super::moment::Moment;
use super::page::{Page, Place, answer, form, onward, refused};
use super::plain::{Plain, line};
use crate::admin::{operator, unavailable};
use crate::edge::Edge;
use crate::identify::{Came, Operator};

/// How long after signing in one may change how one signs in: a session that was taken over later may not.
const FRESH: SignedDuration = SignedDuration::from_mins(15);

/// The paths.
pub(super) fn routes() -> Router<Arc<Edge>> {
    Router::new()
        .route("/console/account", get(show))
        .route("/console/account/password", post(set_password))
        .route("/console/account/passkeys", post(add))
        .route("/console/account/passkeys/challenge", post(challenge))
        .route("/console/account/passkeys/remove", post(remove))
        .route("/console/account/sessions/end", post(end))
        .route("/console/account/login", post(link))
        .route("/console/account/login/remove", post(unlink))
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage {
    page: Page,
    /// Whether they came with a key, so that there is nothing to change here.
    by_key: bool,
    /// Whether they proved themselves just now.
    fresh: bool,
    /// Who can vouch for them anew.
    confirm: Option<String>,
    has_password: bool,
    passkeys: Vec<PasskeyShown>,
    sessions: Vec<SessionShown>,
    /// Whether passkeys can be made at this address, and where else.
    here: bool,
    elsewhere: Option<String>,
    /// Their login with another party: which one, and what they are called there.
    login: Option<(Plain, Plain)>,
    /// The other party that can be asked, if there is one.
    provider: Option<Shown>,
    done: Option<&'static str>,
}

struct PasskeyShown {
    /// SHA-256 of the credential's id.
    id: String,
    label: Plain,
    added: Moment,
    used: Option<Moment>,
}

struct SessionShown {
    id: String,
    device: Plain,
    factor: &'static str,
    since: Moment,
    seen: Moment,
    this: bool,
}

#[derive(Deserialize)]
struct Way {
    done: Option<String>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

#[derive(Deserialize)]
struct NewPassword {
    current: String,
    code: String,
    password: String,
    again: String,
}

/// Somebody who has signed in, and their session.
async fn visitor(edge: &Edge, headers: &HeaderMap) -> Result<(Operator, Session), Refusal> {
    let person = operator(edge, headers, Deed::Account).await?;
    let Came::Session(id) = person.came else {
        let refusal =
            Refusal::new(Code::Malformed, "you came with a key or from a terminal, and this is done in a browser");
        return Err(refusal.with_remedy("Sign in to the console for this."));
    };
    let session = edge.gate.ports().store.session(&id).await.map_err(unavailable)?;
    let session = session.ok_or_else(|| Refusal::new(Code::Unauthenticated, "you are signed out"))?;
    Ok((person, session))
}

/// As [`visitor`], for what decides who can act as them from now on.
pub(super) async fn fresh_visitor(edge: &Edge, headers: &HeaderMap) -> Result<(Operator, Session), Refusal> {
    let (person, session) = visitor(edge, headers).await?;
    if is_fresh(edge, &session) {
        return Ok((person, session));
    }
    Err(stale())
}

/// Whether they proved themselves just now. A session that another party vouched for may begin with a word that is
/// hours old: whoever sits down at an open browser gets one by a click.
fn is_fresh(edge: &Edge, session: &Session) -> bool {
    session.proved_at.is_some_and(|at| at.duration_until(edge.gate.ports().clock.now()) < FRESH)
}

/// `GET /console/account`.
async fn show(State(edge): State<Arc<Edge>>, Query(way): Query<Way>, headers: HeaderMap) -> Response {
    answer(shown(&edge, way.done.as_deref(), &headers).await)
}

async fn shown(edge: &Edge, done: Option<&str>, headers: &HeaderMap) -> Result<AccountPage, Refusal> {
    let (person, mut page) = Page::visit(edge, headers, Deed::Account, Place::People, "How you sign in").await?;
    page.here = None;
    let (store, now) = (&edge.gate.ports().store, edge.gate.ports().clock.now());
    let me = &person.approver.id;
    let account = store.account(me).await.map_err(unavailable)?;
    let sessions = store.sessions(me).await.map_err(unavailable)?;
    let this = match person.came {
        Came::Session(id) => Some(id),
        Came::Key | Came::Terminal => None,
    };
    let fresh = sessions.iter().any(|session| Some(session.id) == this && is_fresh(edge, session));
    let idle = edge.settings.console.idle;
    let live = sessions.iter().filter(|s| now < s.expires_at && s.seen_at.duration_until(now) < idle);
    let sessions = live.map(|session| SessionShown {
        id: session.id.0.to_string(),
        device: line(&session.device),
        factor: session.factor.as_str(),
        since: Moment::new(session.created_at, now),
        seen: Moment::new(session.seen_at, now),
        this: Some(session.id) == this,
    });
    let (here, elsewhere) = passkeys_here(edge, headers);
    let passkeys = account.iter().flat_map(|account| &account.passkeys).map(|passkey| PasskeyShown {
        id: Digest::of(&passkey.id).to_string(),
        label: line(&passkey.label),
        added: Moment::new(passkey.added_at, now),
        used: passkey.used_at.map(|used| Moment::new(used, now)),
    });
    let linked = account.as_ref().is_some_and(|account| account.login.is_some());
    Ok(AccountPage {
        page,
        by_key: this.is_none(),
        fresh,
        confirm: if linked { to_confirm(edge, person.approver.factor) } else { None },
        has_password: account.as_ref().is_some_and(|account| account.password.is_some()),
        passkeys: passkeys.collect(),
        sessions: sessions.collect(),
        here,
        elsewhere,
        login: account.as_ref().and_then(|a| a.login.as_ref()).map(|login| (line(&login.issuer), line(&login.subject))),
        provider: shown_provider(edge, headers),
        done: match done {
            Some("password") => Some("The password was changed, and all your other sessions have ended."),
            Some("added") => Some("The passkey was added."),
            Some("removed") => Some("The passkey was removed, and all your other sessions have ended."),
            Some("login") => Some("You can sign in with this login from now on."),
            Some("unlinked") => Some("The login is yours no more, and all your other sessions have ended."),
            Some("ended") => Some("The session has ended."),
            _ => None,
        },
    })
}

/// `POST /console/account/password`.
async fn set_password(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
    taken: Result<Form<NewPassword>, FormRejection>,
) -> Response {
    let set = async {
        let (person, session) = fresh_visitor(&edge, &headers).await?;
        let new = form(taken)?;
        let me = &person.approver.id;
        let (store, now) = (&edge.gate.ports().store, edge.gate.ports().clock.now());
        let wrong = |why: &str| Refusal::new(Code::InputInvalid, why).with_remedy("Nothing was changed.");
        let theirs = store.account(me).await.map_err(unavailable)?.and_then(|account| account.password);
        let theirs = theirs.ok_or_else(|| wrong("you have no password; an invitation gives you one"))?;
        if store.attempt(me, now).await.map_err(unavailable)?.is_some() {
            return Err(wrong("several wrong passwords came in a row, so none is looked at for a while"));
        }
        if new.current.len() > password::BYTES_MAX || !password::is(new.current, Some(theirs.phc.clone())).await? {
            return Err(wrong("the present password is wrong"));
        }
        let secret = Secrets::of(&edge).open(me.as_str().as_bytes(), &theirs.totp);
        let step = secret.and_then(|secret| password::step(&secret, &new.code, now));
        let step =
            step.filter(|step| *step > theirs.step).ok_or_else(|| wrong("the code is wrong, or was used already"))?;
        if new.password != new.again {
            return Err(wrong("the two new passwords differ"));
        }
        if let Some(why) = password::unfit(&new.password, me.as_str()) {
            return Err(wrong(why.trim_end_matches('.')));
        }
        let salt = edge.gate.ports().entropy.bytes().first_chunk::<16>().copied().unwrap_or_default();
        let phc = password::kept(new.password, salt).await?;
        let password = Password { phc, totp: theirs.totp, step };
        let change = AccountChange::PasswordSet { password, invitation: None, keeps: Some(session.id) };
        edge.gate.change_account(me, me, change).await.map_err(not_changed)?;
        Ok("/console/account?done=password".to_owned())
    };
    onward(set.await)
}

/// Which challenges are for a new passkey in this session.
fn purpose(session: &Session) -> Vec<u8> {
    [b"session ", &session.id.0.as_bytes()[..]].concat()
}

/// `POST /console/account/passkeys/challenge`.
async fn challenge(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let asked = async {
        let (person, session) = fresh_visitor(&edge, &headers).await?;
        registration::options(&edge, &person.approver.id, &purpose(&session)).await
    };
    json_answer(asked.await)
}

/// `POST /console/account/passkeys`.
async fn add(State(edge): State<Arc<Edge>>, request: Request) -> Response {
    let (parts, raw) = request.into_parts();
    let added = async {
        let (person, session) = fresh_visitor(&edge, &parts.headers).await?;
        let answered = Answered::read(&edge, raw, &purpose(&session)).await?;
        registration::add(&edge, &person.approver.id, &answered, None).await?;
        Ok(json!({"next": "/console/account?done=added"}))
    };
    json_answer(added.await)
}

/// `POST /console/account/passkeys/remove`.
async fn remove(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
    taken: Result<Form<Named>, FormRejection>,
) -> Response {
    let removed = async {
        let (person, session) = fresh_visitor(&edge, &headers).await?;
        let (me, named) = (&person.approver.id, form(taken)?);
        let account = edge.gate.ports().store.account(me).await.map_err(unavailable)?;
        let account = account.ok_or_else(|| Refusal::new(Code::Conflict, "there is no such passkey"))?;
        if account.password.is_none() && account.login.is_none() && account.passkeys.len() == 1 {
            let refusal = Refusal::new(Code::Conflict, "without this passkey you could not sign in any more");
            return Err(refusal.with_remedy("Add another one first."));
        }
        let found = account.passkeys.into_iter().find(|passkey| Digest::of(&passkey.id).to_string() == named.id);
        let found = found.ok_or_else(|| Refusal::new(Code::Conflict, "there is no such passkey"))?;
        let change = AccountChange::PasskeyRemoved { id: found.id, keeps: Some(session.id) };
        edge.gate.change_account(me, me, change).await.map_err(not_changed)?;
        Ok("/console/account?done=removed".to_owned())
    };
    onward(removed.await)
}

/// Whose session this is, if it is one still, and a fresh one: it was, when they were sent for a login.
pub(super) async fn still(edge: &Edge, id: &SessionId) -> Result<OperatorId, Refusal> {
    let session = edge.gate.session(id, edge.settings.console.idle, true).await.map_err(unavailable)?;
    let session = session.filter(|session| is_fresh(edge, session) && edge.person(&session.operator).is_some());
    session.map(|session| session.operator).ok_or_else(stale)
}

fn stale() -> Refusal {
    Refusal::new(Code::PolicyNoPermit, "you proved yourself a while ago, and this decides who can act as you").with_remedy(
        "Sign out and in again, or confirm who you are at `/console/account`, and do it within a quarter of an hour.",
    )
}

/// `POST /console/account/login`: off to the other party, whose word for them counts from then on.
async fn link(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let sent = async {
        let (_, session) = fresh_visitor(&edge, &headers).await?;
        login::link(&edge, &headers, session.id).await
    };
    sent.await.unwrap_or_else(|refusal| refused(&refusal))
}

/// `POST /console/account/login/remove`.
async fn unlink(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let removed = async {
        let (person, session) = fresh_visitor(&edge, &headers).await?;
        let me = &person.approver.id;
        let account = edge.gate.ports().store.account(me).await.map_err(unavailable)?;
        if account.is_none_or(|account| account.password.is_none() && account.passkeys.is_empty()) {
            let refusal = Refusal::new(Code::Conflict, "without this login you could not sign in any more");
            return Err(refusal.with_remedy("Add a passkey first."));
        }
        let change = AccountChange::LoginRemoved { keeps: Some(session.id) };
        edge.gate.change_account(me, me, change).await.map_err(not_changed)?;
        Ok("/console/account?done=unlinked".to_owned())
    };
    onward(removed.await)
}

/// `POST /console/account/sessions/end`.
async fn end(State(edge): State<Arc<Edge>>, headers: HeaderMap, taken: Result<Form<Named>, FormRejection>) -> Response {
    let ended = async {
        let (person, _) = visitor(&edge, &headers).await?;
        let named = form(taken)?;
        let id = Digest::from_hex(&named.id).map(SessionId);
        let id = id.ok_or_else(|| Refusal::new(Code::Malformed, "there is no such session"))?;
        let store = &edge.gate.ports().store;
        let session = store.session(&id).await.map_err(unavailable)?;
        if session.is_some_and(|session| session.operator == person.approver.id) {
            store.end_session(&id).await.map_err(unavailable)?;
        }
        Ok("/console/account?done=ended".to_owned())
    };
    onward(ended.await)
}

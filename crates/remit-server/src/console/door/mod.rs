//! The door: how somebody becomes a person here. By password and code, by a passkey, or by another party's word; and,
//! for the first time, by an invitation. Every wrong way in gets the same answer, after the same work.

pub(crate) mod addresses;
mod challenge;
pub(crate) mod credential;
mod invitation;
pub(crate) mod login;
mod passkey;
pub(crate) mod password;
mod qr;
pub(crate) mod secrets;
pub(crate) mod terminal;

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{get, post};
use axum::{Extension, Form, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{SET_COOKIE, USER_AGENT};
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use remit_app::intent::CommitError;
use remit_app::people::{Proof, Session, SessionId, SignIn};
use remit_core::approval::Factor;
use remit_core::ids::OperatorId;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;

pub(crate) use challenge::{Answered, asked, json_answer, not_proven};
pub(crate) use invitation::not_changed;

use super::page::{Page, form, refused, rendered};
use crate::admin::unavailable;
use crate::edge::Edge;
use crate::visit;
use addresses::Peer;
use secrets::Secrets;

/// What everybody reads who did not get in.
const WRONG: &str = "That did not work. The name, the password or the code is wrong, or the code was used already; \
                     after several wrong ones in a row nothing is looked at for a while.";

/// The paths of the door.
pub(super) fn routes() -> Router<Arc<Edge>> {
    Router::new()
        .route("/console/sign-in", get(show).post(sign_in))
        .route("/console/sign-in/challenge", post(passkey::challenge))
        .route("/console/sign-in/passkey", post(passkey::sign_in))
        .route("/console/sign-in/oidc", post(login::leave))
        .route(login::BACK, get(login::back))
        .route("/console/sign-out", post(sign_out))
        .route("/console/invitation/{token}", get(invitation::show).post(invitation::password))
        .route("/console/invitation/{token}/challenge", post(invitation::challenge))
        .route("/console/invitation/{token}/passkey", post(invitation::passkey))
        .route("/console/invitation/{token}/oidc", post(login::accept))
}

#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignInPage {
    page: Page,
    /// Where to go afterwards.
    next: String,
    /// What went wrong.
    wrong: Option<&'static str>,
    /// What went well before.
    well: Option<&'static str>,
    /// Where passkeys work, when that is not here.
    elsewhere: Option<String>,
    /// Whether there can be passkeys.
    passkeys: bool,
    /// The other party, if there is one.
    provider: Option<login::Shown>,
}

/// A page that asks for another one itself: what follows is our own doing, and brings the cookie along.
#[derive(Template)]
#[template(path = "doorstep.html")]
struct Doorstep {
    page: Page,
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Way {
    next: Option<String>,
    done: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Entry {
    name: String,
    password: String,
    code: String,
    next: Option<String>,
}

/// `GET /console/sign-in?next=`.
async fn show(State(edge): State<Arc<Edge>>, Query(way): Query<Way>, headers: HeaderMap) -> Response {
    let next = local(way.next.as_deref());
    // A link in a mail brings no cookie, as we told the browser; one more step of our own does.
    if headers.get("sec-fetch-site").is_some_and(|site| site == "cross-site") && way.next.is_some() {
        return rendered(StatusCode::OK, &Doorstep { page: Page::bare("One moment"), next });
    }
    if visit::token(&headers).is_some() && edge.operator(&headers).await.is_ok() {
        return Redirect::to(&next).into_response();
    }
    let well = match way.done.as_deref() {
        Some("passkey") => Some("The passkey was added. Sign in with it."),
        Some("out") => Some("You are signed out."),
        _ => None,
    };
    door(&edge, &headers, StatusCode::OK, next, None, well)
}

fn door(
    edge: &Edge,
    headers: &HeaderMap,
    status: StatusCode,
    next: String,
    wrong: Option<&'static str>,
    well: Option<&'static str>,
) -> Response {
    let (passkeys, elsewhere) = passkeys_here(edge, headers);
    let provider = login::shown(edge, headers);
    rendered(status, &SignInPage { page: Page::bare("Sign in"), next, wrong, well, elsewhere, passkeys, provider })
}

/// Whether passkeys can be used on a page at this address; and where, when there is another.
pub(crate) fn passkeys_here(edge: &Edge, headers: &HeaderMap) -> (bool, Option<String>) {
    let settings = &edge.settings.console;
    let host = headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name);
    // Without a Host (HTTP/2) the connection was routed by its name; the browser will say if that was wrong.
    if settings.has_passkeys_at(name) || (host.is_empty() && settings.rp_id.is_some()) {
        return (true, None);
    }
    (false, settings.home().map(|origin| format!("{origin}/console/sign-in")))
}

/// `POST /console/sign-in`.
async fn sign_in(
    State(edge): State<Arc<Edge>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    taken: Result<Form<Entry>, FormRejection>,
) -> Response {
    let entry = match form(taken) {
        Ok(entry) => entry,
        Err(refusal) => return refused(&refusal),
    };
    let next = local(entry.next.as_deref());
    match from_here(&edge, peer, by_password(&edge, &headers, &entry)).await {
        Ok(Some(token)) => entered(&edge, &token, &next),
        Ok(None) => door(&edge, &headers, StatusCode::UNAUTHORIZED, next, Some(WRONG), None),
        Err(refusal) => refused(&refusal),
    }
}

/// An attempt to come in, as long as its address has not failed too often.
async fn from_here<T>(
    edge: &Edge,
    peer: Option<Extension<Peer>>,
    attempt: impl Future<Output = Result<Option<T>, Refusal>>,
) -> Result<Option<T>, Refusal> {
    let Some(Extension(peer)) = peer else { return attempt.await };
    if !edge.addresses.may_try(peer, edge.gate.ports().clock.now()) {
        tracing::info!(address = %peer.0, "too many attempts failed from one address; none is looked at for a while");
        return Ok(None);
    }
    let came = attempt.await;
    if matches!(came, Ok(Some(_))) {
        edge.addresses.came_in(peer);
    }
    came
}

/// The token of a new session; `None` for every way in which an entry can be wrong.
async fn by_password(edge: &Edge, headers: &HeaderMap, entry: &Entry) -> Result<Option<String>, Refusal> {
    if entry.password.len() > password::BYTES_MAX || entry.code.len() > 16 {
        return Ok(None);
    }
    let (store, now) = (&edge.gate.ports().store, edge.gate.ports().clock.now());
    // Somebody has to stand for nobody, so that looking for them is the same work.
    let named = OperatorId::parse(entry.name.trim()).ok();
    let id = named.clone().or_else(|| OperatorId::parse("nobody").ok());
    let id = id.ok_or_else(|| Refusal::new(Code::Internal, "nobody has no name"))?;
    let known = named.is_some() && edge.person(&id).is_some();
    let account = store.account(&id).await.map_err(unavailable)?.filter(|_| known);
    let waits = store.attempt(&id, now).await.map_err(unavailable)?;
    let theirs = account.and_then(|account| account.password);
    let secret = theirs.as_ref().and_then(|theirs| Secrets::of(edge).open(id.as_str().as_bytes(), &theirs.totp));
    let right = password::is(entry.password.clone(), theirs.map(|theirs| theirs.phc)).await?;
    let step = password::step(secret.as_deref().unwrap_or_default(), &entry.code, now).filter(|_| secret.is_some());
    let (true, Some(step), None) = (right && known, step, waits) else {
        tracing::info!(waits = waits.is_some(), "somebody did not get in by password");
        return Ok(None);
    };
    open(edge, headers, &id, Arrival::now(edge, headers, Factor::Password, Proof::Password { step })).await
}

/// How somebody came in.
struct Arrival {
    factor: Factor,
    /// When they proved it, as far as anybody says.
    proved_at: Option<Timestamp>,
    proof: Proof,
    /// A session of the same browser, which ends.
    replaces: Option<SessionId>,
}

impl Arrival {
    /// By a proof of this moment.
    fn now(edge: &Edge, headers: &HeaderMap, factor: Factor, proof: Proof) -> Self {
        let proved_at = Some(edge.gate.ports().clock.now());
        Self { factor, proved_at, proof, replaces: visit::token(headers).map(visit::id) }
    }
}

/// Opens a session under a token that did not exist before: none that was known to anybody goes on.
async fn open(edge: &Edge, headers: &HeaderMap, id: &OperatorId, arrival: Arrival) -> Result<Option<String>, Refusal> {
    // A cookie in the clear is for this machine only.
    if !edge.settings.console.secure && !edge.settings.loopback {
        let refusal = Refusal::new(Code::Malformed, "nobody signs in over a connection that others can read");
        return Err(
            refusal.with_remedy("Say in remit.yaml where browsers find the gateway: `console: {url: \"https://…\"}`.")
        );
    }
    let Arrival { factor, proved_at, proof, replaces } = arrival;
    let now = edge.gate.ports().clock.now();
    let token = URL_SAFE_NO_PAD.encode(edge.gate.ports().entropy.bytes());
    let session = Session {
        id: visit::id(&token),
        operator: id.clone(),
        factor,
        proved_at,
        created_at: now,
        seen_at: now,
        expires_at: now.checked_add(edge.settings.console.session).unwrap_or(Timestamp::MIN),
        device: device(headers),
    };
    match edge.gate.ports().store.sign_in(SignIn { session, proof, replaces }).await {
        Ok(()) => {
            tracing::info!(operator = %id, factor = factor.as_str(), "somebody signed in");
            Ok(Some(token))
        }
        Err(CommitError::Conflict(why)) => {
            tracing::info!(why, "somebody did not get in");
            Ok(None)
        }
        Err(CommitError::Unavailable(error)) => Err(unavailable(error)),
    }
}

/// On they go, with the cookie.
fn entered(edge: &Edge, token: &str, next: &str) -> Response {
    with_cookie(Redirect::to(next).into_response(), &visit::cookie(&edge.settings.console, token))
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    match HeaderValue::from_str(cookie) {
        Ok(value) => {
            response.headers_mut().append(SET_COOKIE, value);
            response
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// `POST /console/sign-out`.
async fn sign_out(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    if let Some(token) = visit::token(&headers)
        && let Err(error) = edge.gate.ports().store.end_session(&visit::id(token)).await
    {
        return refused(&unavailable(error));
    }
    let response = Redirect::to("/console/sign-in?done=out").into_response();
    with_cookie(response, &visit::no_cookie(&edge.settings.console))
}

/// Where to go afterwards: a page of the console and nothing else, whatever was asked for.
fn local(next: Option<&str>) -> String {
    let ours = next.filter(|next| {
        let rest = next.strip_prefix("/console");
        let page = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']));
        let plain = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let door = ["/console/sign-", "/console/invitation", "/console/live", "/console/assets"];
        page && plain && !next.contains("//") && next.len() <= 2048 && !door.iter().any(|door| next.starts_with(door))
    });
    ours.unwrap_or("/console").to_owned()
}

/// Browser and system in a few words of ours: what the browser says of itself is not kept.
fn device(headers: &HeaderMap) -> String {
    let said = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let word = |words: &[(&str, &'static str)], otherwise: &'static str| {
        words.iter().find(|(sign, _)| said.contains(sign)).map_or(otherwise, |(_, word)| *word)
    };
    let browsers =
        [("Edg/", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("CriOS/", "Chrome"), ("Safari/", "Safari")];
    let systems = [
        ("Windows", "Windows"),
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ];
    format!("{} on {}", word(&browsers, "a browser"), word(&systems, "some system"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_on_stays_in_the_console() {
        for good in ["/console", "/console/calls?agent=bot&page=2", "/console/questions/q_1", "/console?x=%2F%2Fevil"] {
            assert_eq!(local(Some(good)), good);
        }
        for bad in [
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "/consoles",
            "/console@evil.example",
            "/console.evil.example",
            "/console//evil.example",
            "/console/\\evil",
            "/console/\r\nSet-Cookie: a=b",
            "/console/\tevil",
            "/console/sign-in?next=/console",
            "/console/sign-out",
            "/admin/v1/reload",
            " /console",
            "",
        ] {
            assert_eq!(local(Some(bad)), "/console", "{bad}");
        }
        assert_eq!(local(None), "/console");
    }

    #[test]
    fn a_device_is_a_few_words_of_ours() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(USER_AGENT, text.parse().expect("header"));
            device(&headers)
        };
        assert_eq!(of("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), "Firefox on Linux");
        assert_eq!(of("<script>alert(1)</script>"), "a browser on some system");
    }
}

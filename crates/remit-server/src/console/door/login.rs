//! Signing in with another party: there, and back. What has to come back is sealed into a cookie of its own, which the
//! browser brings along although the request comes from elsewhere; the session's cookie it does not bring, so nothing
//! that is signed in takes part in what comes back.
//!
//! INVARIANT (one way there, one way back): an answer counts for the browser that was sent, for the purpose it was sent
//! for, within five minutes, once.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use axum::{Extension, Form};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{COOKIE, HOST};
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use remit_app::people::{AccountChange, Proof, SessionId, Spent};
use remit_core::approval::Factor;
use remit_core::ids::{Digest, OperatorId};
use remit_core::json;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

use super::addresses::Peer;
use super::secrets::Secrets;
use super::{Arrival, Doorstep, door, from_here, invitation, local, not_changed, open, with_cookie};
use crate::admin::unavailable;
use crate::console::account;
use crate::console::page::{Page, form, refused, rendered};
use crate::edge::{ConsoleSettings, Edge};
use crate::oidc::{Back, Chances, Failure, Oidc, Proven};
use crate::visit;

/// Where the other party sends people back to.
pub const BACK: &str = "/console/sign-in/oidc/callback";
/// How long somebody may take there.
const LASTS: SignedDuration = SignedDuration::from_mins(5);
/// For whom the cookie is sealed.
const OWNER: &[u8] = b"oidc";

const NOT_THERE: &str = "The other party cannot be asked at the moment. Try again soon, or sign in another way.";
const NOT_PROVEN: &str = "That did not work: the other party has not said who you are, or not in time. Try again.";
const NOBODY: &str = "The other party knows you, and nobody here is linked to that login. Ask whoever is responsible for \
                      security to invite you.";

/// What somebody was sent for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Errand {
    /// To come in; or, signed in already, to prove themselves anew.
    Enter { anew: bool, replaces: Option<SessionId> },
    /// To take an invitation, by the SHA-256 of its token.
    Accept { invitation: Digest },
    /// To make a login theirs.
    Link { session: SessionId },
}

/// What has to come back.
#[derive(Clone, Debug)]
struct Sent {
    errand: Errand,
    chances: Chances,
    at: Timestamp,
    next: String,
}

#[derive(Deserialize)]
pub(super) struct Wish {
    next: Option<String>,
    /// Whether they have to prove themselves again.
    anew: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Came {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// A provider, as the pages show it.
pub(crate) struct Shown {
    pub label: String,
    /// Where people have to be to be sent there, when that is not here.
    pub elsewhere: Option<String>,
}

/// The provider, if there is one.
pub(crate) fn shown(edge: &Edge, headers: &HeaderMap) -> Option<Shown> {
    let oidc = edge.oidc()?;
    let back = &oidc.settings().redirect_uri;
    let home = back.strip_suffix(BACK).unwrap_or(back);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let here = host.is_empty() || home.split_once("://").is_some_and(|(_, there)| there == host);
    let elsewhere = (!here).then(|| format!("{home}/console/sign-in"));
    Some(Shown { label: oidc.settings().label.clone(), elsewhere })
}

/// Whom somebody has to ask for a word of this moment, so that a vote counts that takes one.
pub(crate) fn to_confirm(edge: &Edge, factor: Factor) -> Option<String> {
    edge.oidc().filter(|_| factor < Factor::Oidc).map(|oidc| oidc.settings().label.clone())
}

/// `POST /console/sign-in/oidc`: off to the provider.
pub(super) async fn leave(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
    wish: Result<Form<Wish>, FormRejection>,
) -> Response {
    let wish = match form(wish) {
        Ok(wish) => wish,
        Err(refusal) => return refused(&refusal),
    };
    let next = local(wish.next.as_deref());
    let replaces = visit::token(&headers).map(visit::id);
    let errand = Errand::Enter { anew: wish.anew.is_some(), replaces };
    match send(&edge, &headers, errand, next.clone()).await {
        Ok(response) => response,
        Err(Stopped::There(_)) => door(&edge, &headers, StatusCode::SERVICE_UNAVAILABLE, next, Some(NOT_THERE), None),
        Err(Stopped::Here(refusal)) => refused(&refusal),
    }
}

/// `POST /console/invitation/{token}/oidc`: whoever comes back from there is who was invited.
pub(super) async fn accept(State(edge): State<Arc<Edge>>, Path(token): Path<String>, headers: HeaderMap) -> Response {
    let sent = async {
        let found = invitation::find(&edge, &token).await.map_err(Stopped::Here)?;
        send(&edge, &headers, Errand::Accept { invitation: found.token }, "/console/account?done=login".into()).await
    };
    sent.await.unwrap_or_else(|stopped| refused(&stopped.refusal()))
}

/// Sends somebody who has just signed in, so that a login becomes theirs.
pub(crate) async fn link(edge: &Edge, headers: &HeaderMap, session: SessionId) -> Result<Response, Refusal> {
    let sent = send(edge, headers, Errand::Link { session }, "/console/account?done=login".into());
    sent.await.map_err(|stopped| stopped.refusal())
}

/// Why nobody is sent, or nobody comes in.
enum Stopped {
    There(Failure),
    Here(Refusal),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Here(refusal)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        tracing::warn!(%failure, "signing in with another party did not work");
        Self::There(failure)
    }
}

impl Stopped {
    fn refusal(self) -> Refusal {
        match self {
            Self::Here(refusal) => refusal,
            Self::There(Failure::Provider(_)) => {
                Refusal::new(Code::UpstreamUnavailable, "the other party cannot be asked at the moment")
                    .with_remedy("Try again soon, or use another way. The gateway's log says what is wrong.")
            }
            Self::There(Failure::Answer(_)) => {
                Refusal::new(Code::Malformed, "the other party has not said who you are, or not in time")
                    .with_remedy("Nothing was changed. Begin again.")
            }
        }
    }
}

fn none() -> Refusal {
    Refusal::new(Code::Malformed, "nobody signs in with another party here")
}

async fn send(edge: &Edge, headers: &HeaderMap, errand: Errand, next: String) -> Result<Response, Stopped> {
    let oidc = edge.oidc().ok_or_else(none)?;
    if let Some(there) = shown(edge, headers).and_then(|shown| shown.elsewhere) {
        let refusal = Refusal::new(Code::Malformed, "from this address nobody finds the way back");
        return Err(refusal.with_remedy(format!("Begin at {there}.")).into());
    }
    let ports = edge.gate.ports();
    let chance = || URL_SAFE_NO_PAD.encode(ports.entropy.bytes());
    let chances = Chances { state: chance(), nonce: chance(), verifier: chance() };
    let anew = matches!(errand, Errand::Enter { anew: true, .. });
    let way = oidc.way(&chances, anew).await?;
    let sent = Sent { errand, chances, at: ports.clock.now(), next };
    let sealed = Secrets::of(edge).seal(OWNER, sent.written().as_bytes());
    let sealed = sealed.ok_or_else(|| Refusal::new(Code::Internal, "nobody could be sent"))?;
    // A page, and no redirection: our own policy lets a form lead nowhere else.
    let page = rendered(StatusCode::OK, &Doorstep { page: Page::bare("One moment"), next: way });
    Ok(with_cookie(page, &cookie(&edge.settings.console, &URL_SAFE_NO_PAD.encode(sealed), LASTS)))
}

/// `GET /console/sign-in/oidc/callback`: back from the provider.
pub(super) async fn back(
    State(edge): State<Arc<Edge>>,
    peer: Option<Extension<Peer>>,
    headers: HeaderMap,
    came: Result<Query<Came>, QueryRejection>,
) -> Response {
    let none = cookie(&edge.settings.console, "", SignedDuration::ZERO);
    let now = edge.gate.ports().clock.now();
    let came = came.ok().map(|Query(came)| came);
    let sent = came.as_ref().and_then(|came| expected(&edge, &headers, came, now));
    let (Some(came), Some(sent)) = (came, sent) else {
        tracing::info!("an answer of another party came to nobody who was sent, or too late");
        let page = door(&edge, &headers, StatusCode::BAD_REQUEST, local(None), Some(NOT_PROVEN), None);
        return with_cookie(page, &none);
    };
    // How it ended is carried past the count of attempts, which only knows whether somebody came in.
    let (mut looked_at, mut stopped) = (false, None);
    let attempt = async {
        looked_at = true;
        match arrived(&edge, &headers, &came, &sent, now).await {
            Ok(token) => Ok(token),
            Err(why) => {
                stopped = Some(why);
                Ok(None)
            }
        }
    };
    let token = from_here(&edge, peer, attempt).await.ok().flatten();
    let response = match (token, stopped) {
        (Some(token), _) => {
            let page = rendered(StatusCode::OK, &Doorstep { page: Page::bare("One moment"), next: sent.next });
            match token {
                Token::New(token) => with_cookie(page, &visit::cookie(&edge.settings.console, &token)),
                Token::Same => page,
            }
        }
        (None, None) if !looked_at => {
            door(&edge, &headers, StatusCode::TOO_MANY_REQUESTS, sent.next, Some(NOT_PROVEN), None)
        }
        (None, Some(Stopped::Here(refusal))) => refused(&refusal),
        (None, Some(other)) if !matches!(sent.errand, Errand::Enter { .. }) => refused(&other.refusal()),
        (None, Some(Stopped::There(Failure::Provider(_)))) => {
            door(&edge, &headers, StatusCode::SERVICE_UNAVAILABLE, sent.next, Some(NOT_THERE), None)
        }
        (None, Some(Stopped::There(Failure::Answer(_)))) => {
            door(&edge, &headers, StatusCode::UNAUTHORIZED, sent.next, Some(NOT_PROVEN), None)
        }
        (None, None) => door(&edge, &headers, StatusCode::FORBIDDEN, sent.next, Some(NOBODY), None),
    };
    with_cookie(response, &none)
}

/// The session that goes on after somebody came back.
enum Token {
    New(String),
    Same,
}

/// Whether this browser was sent for this, and lately enough.
fn expected(edge: &Edge, headers: &HeaderMap, came: &Came, now: Timestamp) -> Option<Sent> {
    let sealed = URL_SAFE_NO_PAD.decode(carried(headers, &edge.settings.console)?).ok()?;
    let sent = Sent::read(&Secrets::of(edge).open(OWNER, &sealed)?)?;
    let age = sent.at.duration_until(now);
    let state = came.state.as_deref().unwrap_or_default();
    let ours = verify_slices_are_equal(state.as_bytes(), sent.chances.state.as_bytes()).is_ok();
    (ours && !age.is_negative() && age < LASTS).then_some(sent)
}

/// Does what they were sent for; nothing when nobody here is meant.
async fn arrived(
    edge: &Edge,
    headers: &HeaderMap,
    came: &Came,
    sent: &Sent,
    now: Timestamp,
) -> Result<Option<Token>, Stopped> {
    let oidc = edge.oidc().ok_or_else(none)?;
    let proven = proven(&oidc, came, sent, now).await?;
    let (login, until) = (oidc.login(&proven), sent.at.checked_add(LASTS).unwrap_or(now));
    let spent = |what: &str| {
        let challenge = Digest::of(format!("oidc {what} {}", sent.chances.state).as_bytes());
        Spent { challenge, until }
    };
    let store = &edge.gate.ports().store;
    let added = |invitation, keeps| {
        let (login, spent) = (login.clone(), spent("login"));
        AccountChange::LoginAdded { login, invitation, spent, keeps }
    };
    let (who, replaces) = match &sent.errand {
        Errand::Link { session } => {
            let me = account::still(edge, session).await?;
            edge.gate.change_account(&me, &me, added(None, Some(*session))).await.map_err(not_changed)?;
            return Ok(Some(Token::Same));
        }
        Errand::Accept { invitation } => {
            let found = store.invitation(invitation).await.map_err(unavailable)?;
            let found = found.filter(|found| now < found.expires_at && edge.person(&found.operator).is_some());
            let found = found.ok_or_else(invitation::gone)?;
            edge.gate
                .change_account(&found.operator, &found.operator, added(Some(*invitation), None))
                .await
                .map_err(not_changed)?;
            (found.operator, None)
        }
        Errand::Enter { replaces, .. } => {
            let whose = store.whose_login(&login).await.map_err(unavailable)?;
            let Some(whose) = whose.filter(|whose: &OperatorId| edge.person(whose).is_some()) else {
                tracing::info!(issuer = login.issuer, "somebody whom another party knows is nobody here");
                return Ok(None);
            };
            (whose, *replaces)
        }
    };
    let proof = Proof::Login { login, spent: spent("session") };
    let arrival = Arrival { factor: Factor::Oidc, proved_at: proven.proved_at, proof, replaces };
    let token = open(edge, headers, &who, arrival).await?;
    // What was answered before opens nothing a second time.
    token.map(Token::New).map(Some).ok_or(Stopped::There(Failure::Answer("it was answered before")))
}

async fn proven(oidc: &Oidc, came: &Came, sent: &Sent, now: Timestamp) -> Result<Proven, Failure> {
    if let Some(error) = &came.error {
        let said: String = error.chars().filter(char::is_ascii_graphic).take(64).collect();
        tracing::info!(error = said, "the other party sent somebody back without a word for them");
        return Err(Failure::Answer("the provider refused"));
    }
    let code = came.code.as_deref().filter(|code| !code.is_empty() && code.len() <= 4096);
    let code = code.ok_or(Failure::Answer("no code came back"))?;
    let since = matches!(sent.errand, Errand::Enter { anew: true, .. }).then_some(sent.at);
    oidc.proven(&Back { code, iss: came.iss.as_deref() }, &sent.chances, since, now).await
}

impl Sent {
    fn written(&self) -> String {
        let (kind, of, anew) = match &self.errand {
            Errand::Enter { anew, replaces } => ("enter", replaces.map(|id| id.0.to_string()), *anew),
            Errand::Accept { invitation } => ("accept", Some(invitation.to_string()), false),
            Errand::Link { session } => ("link", Some(session.0.to_string()), false),
        };
        let Chances { state, nonce, verifier } = &self.chances;
        json!({
            "errand": kind, "of": of, "anew": anew, "state": state, "nonce": nonce, "verifier": verifier,
            "at": self.at.as_millisecond(), "next": self.next,
        })
        .to_string()
    }

    fn read(text: &[u8]) -> Option<Self> {
        let said = json::parse(text).ok()?;
        let text = |name: &str| said.get(name).and_then(Value::as_str);
        let of = text("of").map(|of| Digest::from_hex(of).ok_or(())).transpose().ok()?;
        let errand = match text("errand")? {
            "enter" => Errand::Enter { anew: said.get("anew")?.as_bool()?, replaces: of.map(SessionId) },
            "accept" => Errand::Accept { invitation: of? },
            "link" => Errand::Link { session: SessionId(of?) },
            _ => return None,
        };
        let own = |name: &str| text(name).map(str::to_owned);
        let chances = Chances { state: own("state")?, nonce: own("nonce")?, verifier: own("verifier")? };
        let at = Timestamp::from_millisecond(said.get("at")?.as_i64()?).ok()?;
        Some(Self { errand, chances, at, next: own("next")? })
    }
}

fn name(settings: &ConsoleSettings) -> &'static str {
    if settings.secure { "__Host-remit-sent" } else { "remit-sent" }
}

/// It comes along on the way back, which begins elsewhere: so not `Strict`, as that of the session.
fn cookie(settings: &ConsoleSettings, value: &str, lasts: SignedDuration) -> String {
    let secure = if settings.secure { "; Secure" } else { "" };
    format!("{}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={}{secure}", name(settings), lasts.as_secs())
}

/// What it holds. Two of them are none.
fn carried(headers: &HeaderMap, settings: &ConsoleSettings) -> Option<String> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';'));
    let mut ours = all.filter_map(|one| one.trim().strip_prefix(name(settings))?.strip_prefix('='));
    let sealed = ours.next()?;
    ours.next().is_none().then(|| sealed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_is_read_as_it_was_written() {
        let chances = Chances { state: "s".into(), nonce: "n".into(), verifier: "v".into() };
        let id = SessionId(Digest::of(b"a session"));
        for errand in [
            Errand::Enter { anew: true, replaces: Some(id) },
            Errand::Enter { anew: false, replaces: None },
            Errand::Accept { invitation: id.0 },
            Errand::Link { session: id },
        ] {
            let at = Timestamp::from_second(1_800_000_000).expect("time");
            let sent = Sent { errand: errand.clone(), chances: chances.clone(), at, next: "/console".into() };
            let read = Sent::read(sent.written().as_bytes()).expect("read");
            assert_eq!((read.errand, read.at, read.chances.verifier), (errand, at, "v".to_owned()));
        }
        assert!(Sent::read(b"{}").is_none() && Sent::read(b"").is_none());
    }

    #[test]
    fn a_planted_cookie_brings_nobody_back() {
        let settings = ConsoleSettings { secure: true, ..ConsoleSettings::default() };
        let carried = |line: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, line.parse().expect("header"));
            carried(&headers, &settings)
        };
        assert_eq!(carried("a=b; __Host-remit-sent=x; __Host-remit=y").as_deref(), Some("x"));
        assert_eq!(carried("remit-sent=x"), None, "without the prefix a sister domain may set it");
        assert_eq!(carried("__Host-remit-sent=x; __Host-remit-sent=y"), None);
        let set = cookie(&settings, "x", LASTS);
        assert_eq!(set, "__Host-remit-sent=x; Path=/; HttpOnly; SameSite=Lax; Max-Age=300; Secure");
    }
}

//! The command line signs in, in the manner of RFC 8628: it shows a short code, somebody who has signed in here types the
//! code and says yes, and a session of its own is handed to the command line. Whatever they signed in by, the terminal
//! needs to know nothing of it.
//!
//! INVARIANT (nobody is talked into it by a link): no address carries the code. Whoever says yes has typed what their
//! own terminal shows, has signed in just now, and reads what they let in.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use askama::Template;
use axum::extract::rejection::FormRejection;
use axum::extract::{Query, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Form, Router, middleware};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use remit_app::intent::CommitError;
use remit_app::people::{Proof, Session, SignIn, Spent};
use remit_core::ids::Digest;
use remit_core::steering::Deed;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;
use serde_json::{Value, json};

use super::addresses::Peer;
use super::json_answer;
use crate::accept::{self, only, text};
use crate::admin::unavailable;
use crate::console::account::fresh_visitor;
use crate::console::moment::Moment;
use crate::console::page::{Page, Place, answer, form, onward, rendered};
use crate::console::plain::{Plain, line};
use crate::edge::Edge;
use crate::gateway::http::guard;
use crate::visit;

/// How long a code may be typed.
const LASTS: SignedDuration = SignedDuration::from_mins(10);
/// How long the terminal is signed in.
const SESSION: SignedDuration = SignedDuration::from_hours(1);
/// How often it may ask, in seconds.
const INTERVAL_SECS: i64 = 1;
/// Most terminals that wait at once; further ones are sent away.
const WAITING_MAX: usize = 1_000;
/// No letter that makes a word, and none that looks like another (RFC 8628, 6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const CODE_CHARS: usize = 8;

/// Terminals that wait for somebody, until the next start.
#[derive(Debug, Default)]
pub(crate) struct Terminals(Mutex<Vec<Waiting>>);

#[derive(Clone, Debug)]
struct Waiting {
    /// SHA-256 of what the terminal alone knows.
    device: Digest,
    code: String,
    from: Option<IpAddr>,
    at: Timestamp,
    state: Said,
}

/// What somebody said of it.
#[derive(Clone, Debug)]
enum Said {
    Nothing,
    No,
    /// The session of whoever said so.
    Yes(Box<Session>),
}

impl Terminals {
    fn open(&self, now: Timestamp) -> Option<std::sync::MutexGuard<'_, Vec<Waiting>>> {
        let mut waiting = self.0.lock().ok()?;
        waiting.retain(|one| one.at.duration_until(now) < LASTS);
        Some(waiting)
    }

    fn begin(&self, one: Waiting, now: Timestamp) -> bool {
        let Some(mut waiting) = self.open(now) else { return false };
        let room = waiting.len() < WAITING_MAX && !waiting.iter().any(|other| other.code == one.code);
        if room {
            waiting.push(one);
        }
        room
    }

    fn find(&self, code: &str, now: Timestamp) -> Option<Waiting> {
        let undecided = |one: &&Waiting| one.code == code && matches!(one.state, Said::Nothing);
        self.open(now)?.iter().find(undecided).cloned()
    }

    /// What somebody says counts once.
    fn say(&self, code: &str, said: Said, now: Timestamp) -> bool {
        let Some(mut waiting) = self.open(now) else { return false };
        let undecided = |one: &&mut Waiting| one.code == code && matches!(one.state, Said::Nothing);
        waiting.iter_mut().find(undecided).map(|one| one.state = said).is_some()
    }

    /// What was said of it. Once it was said, it waits no more.
    fn ask(&self, device: &Digest, now: Timestamp) -> Option<Said> {
        let mut waiting = self.open(now)?;
        let at = waiting.iter().position(|one| one.device == *device)?;
        match waiting.get(at)?.state {
            Said::Nothing => Some(Said::Nothing),
            Said::No | Said::Yes(_) => Some(waiting.swap_remove(at).state),
        }
    }
}

/// The paths that terminals ask. No browser is spoken to here, and no cookie counts.
pub(crate) fn routes(edge: Arc<Edge>) -> Router {
    Router::new()
        .route("/v1/terminals", post(begin))
        .route("/v1/terminals/session", post(ask))
        .route("/v1/terminals/session/end", post(end))
        .layer(middleware::from_fn_with_state(edge.clone(), guard))
        .with_state(edge)
}

/// The pages on which people say yes.
pub(in crate::console) fn pages() -> Router<Arc<Edge>> {
    Router::new().route("/console/terminal", get(show).post(say)).route("/console/terminal/look", post(look))
}

/// `POST /v1/terminals`: a terminal would like to be let in.
async fn begin(State(edge): State<Arc<Edge>>, peer: Option<Extension<Peer>>, request: Request) -> Response {
    let begun = async {
        only(&accept::object(request.into_body(), edge.settings.body_bytes_max).await?, &[])?;
        let (ports, now) = (edge.gate.ports(), edge.gate.ports().clock.now());
        let busy = || Refusal::new(Code::StoreUnavailable, "too many terminals wait to be let in");
        if peer.is_some_and(|Extension(peer)| !edge.terminal_addresses.may_try(peer, now)) {
            return Err(busy().with_remedy("Wait a few minutes."));
        }
        let secret = URL_SAFE_NO_PAD.encode(ports.entropy.bytes());
        let code = code(&ports.entropy.bytes());
        let from = peer.map(|Extension(peer)| peer.0);
        let one =
            Waiting { device: Digest::of(secret.as_bytes()), code: code.clone(), from, at: now, state: Said::Nothing };
        if !edge.terminals.begin(one, now) {
            return Err(busy().with_remedy("Try again in a moment."));
        }
        Ok(json!({
            "device_code": secret, "user_code": shown(&code), "verification_uri": format!("{}/console/terminal", edge.home()),
            "expires_in": LASTS.as_secs(), "interval": INTERVAL_SECS,
        }))
    };
    json_answer(begun.await)
}

/// `POST /v1/terminals/session`: `{"device_code"}`. Whether somebody has said yes; the token then, this once.
async fn ask(State(edge): State<Arc<Edge>>, peer: Option<Extension<Peer>>, request: Request) -> Response {
    let asked = async {
        let asked = accept::object(request.into_body(), edge.settings.body_bytes_max).await?;
        only(&asked, &["device_code"])?;
        let secret = text(&asked, "device_code")?.unwrap_or_default().to_owned();
        let now = edge.gate.ports().clock.now();
        let device = Digest::of(secret.as_bytes());
        match edge.terminals.ask(&device, now) {
            None => Err(Refusal::new(Code::RecordUnknown, "this terminal waits no more").with_remedy("Begin again.")),
            Some(Said::Nothing) => Ok(json!({"state": "waiting"})),
            Some(Said::No) => Ok(json!({"state": "refused"})),
            Some(Said::Yes(by)) => {
                let handed = handed(&edge, *by, device, peer, now).await?;
                if let Some(Extension(peer)) = peer {
                    edge.addresses.came_in(peer);
                }
                Ok(handed)
            }
        }
    };
    json_answer(asked.await)
}

/// A session for the terminal, worth what that of whoever said yes is worth.
async fn handed(
    edge: &Edge,
    by: Session,
    device: Digest,
    peer: Option<Extension<Peer>>,
    now: Timestamp,
) -> Result<Value, Refusal> {
    if edge.person(&by.operator).is_none() {
        return Err(Refusal::new(Code::Unauthenticated, "whoever said yes was sent away since"));
    }
    let token = visit::terminal_token(&edge.gate.ports().entropy.bytes());
    let lasts = SESSION.min(edge.settings.console.session);
    let from = peer.map_or(String::new(), |Extension(peer)| format!(" at {}", peer.0));
    let session = Session {
        id: visit::id(&token),
        created_at: now,
        seen_at: now,
        expires_at: now.checked_add(lasts).unwrap_or(now),
        device: format!("the command line{from}"),
        ..by.clone()
    };
    let until = now.checked_add(LASTS).unwrap_or(now);
    let answer = json!({
        "state": "signed_in", "token": token, "operator": session.operator.as_str(),
        "factor": session.factor.as_str(), "expires_at": session.expires_at.to_string(),
    });
    let proof = Proof::Handed { by: by.id, spent: Spent { challenge: device, until } };
    match edge.gate.ports().store.sign_in(SignIn { session, proof, replaces: None }).await {
        Ok(()) => {
            tracing::info!(operator = %by.operator, "a terminal was let in");
            Ok(answer)
        }
        Err(CommitError::Conflict(_)) => {
            Err(Refusal::new(Code::Unauthenticated, "whoever said yes has signed out since")
                .with_remedy("Begin again."))
        }
        Err(CommitError::Unavailable(error)) => Err(unavailable(error)),
    }
}

/// `POST /v1/terminals/session/end`: the terminal signs out.
async fn end(State(edge): State<Arc<Edge>>, headers: HeaderMap) -> Response {
    let ended = async {
        let token =
            visit::terminal(&headers).ok_or_else(|| Refusal::new(Code::Unauthenticated, "no terminal speaks"))?;
        edge.gate.ports().store.end_session(&visit::id(token)).await.map_err(unavailable)?;
        Ok(json!({"state": "signed_out"}))
    };
    json_answer(ended.await)
}

#[derive(Template)]
#[template(path = "terminal.html")]
struct TerminalPage {
    page: Page,
    /// The terminal that was named, and is looked at.
    named: Option<Named>,
    done: Option<&'static str>,
    /// Whether a code was typed that no terminal shows.
    mistyped: bool,
}

struct Named {
    code: String,
    from: Plain,
    asked: Moment,
    until: Moment,
}

#[derive(Deserialize)]
struct Way {
    done: Option<String>,
}

#[derive(Deserialize)]
struct Typed {
    code: String,
}

#[derive(Deserialize)]
struct Choice {
    code: String,
    choice: String,
}

/// `GET /console/terminal`.
async fn show(State(edge): State<Arc<Edge>>, Query(way): Query<Way>, headers: HeaderMap) -> Response {
    let shown = async {
        let (_, mut page) = Page::visit(&edge, &headers, Deed::Account, Place::People, TITLE).await?;
        page.alone = true;
        let done = match way.done.as_deref() {
            Some("in") => Some("The terminal is let in. You can close this page."),
            Some("refused") => Some("The terminal was refused."),
            _ => None,
        };
        Ok(TerminalPage { page, named: None, done, mistyped: false })
    };
    answer(shown.await)
}

const TITLE: &str = "Sign in a terminal";

/// `POST /console/terminal/look`: what would be let in.
async fn look(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
    typed: Result<Form<Typed>, FormRejection>,
) -> Response {
    let looked = async {
        fresh_visitor(&edge, &headers).await?;
        let (_, mut page) = Page::visit(&edge, &headers, Deed::Account, Place::People, TITLE).await?;
        page.alone = true;
        let now = edge.gate.ports().clock.now();
        let Some(found) = edge.terminals.find(&letters(&form(typed)?.code), now) else {
            return Ok(TerminalPage { page, named: None, done: None, mistyped: true });
        };
        let named = Named {
            code: shown(&found.code),
            from: line(&found.from.map_or_else(|| "an unknown address".to_owned(), |from| from.to_string())),
            asked: Moment::new(found.at, now),
            until: Moment::new(now.checked_add(SESSION.min(edge.settings.console.session)).unwrap_or(now), now),
        };
        Ok(TerminalPage { page, named: Some(named), done: None, mistyped: false })
    };
    match looked.await {
        Ok(page) if page.mistyped => rendered(StatusCode::NOT_FOUND, &page),
        made => answer(made),
    }
}

/// `POST /console/terminal`: yes or no.
async fn say(
    State(edge): State<Arc<Edge>>,
    headers: HeaderMap,
    chosen: Result<Form<Choice>, FormRejection>,
) -> Response {
    let said = async {
        let (_, session) = fresh_visitor(&edge, &headers).await?;
        let Choice { code, choice } = form(chosen)?;
        let (said, done) = match choice.as_str() {
            "let_in" => (Said::Yes(Box::new(session)), "in"),
            "refuse" => (Said::No, "refused"),
            _ => return Err(Refusal::new(Code::Malformed, "the choice must be let_in or refuse")),
        };
        if !edge.terminals.say(&letters(&code), said, edge.gate.ports().clock.now()) {
            return Err(unknown());
        }
        Ok(format!("/console/terminal?done={done}"))
    };
    onward(said.await)
}

fn unknown() -> Refusal {
    Refusal::new(Code::RecordUnknown, "no terminal waits with this code")
        .with_remedy("Run `remit login` again, and type what it shows.")
}

/// As many letters as make it, each as likely as any other.
fn code(chance: &[u8; 32]) -> String {
    // 240 is the last multiple of 20: bytes beyond it would favour some letters.
    let fair = chance.iter().filter(|byte| **byte < 240).take(CODE_CHARS);
    fair.filter_map(|byte| LETTERS.get(usize::from(*byte) % LETTERS.len())).map(|letter| char::from(*letter)).collect()
}

/// In two halves, as it is read out.
fn shown(code: &str) -> String {
    let (one, other) = code.split_at_checked(code.len() / 2).unwrap_or((code, ""));
    format!("{one}-{other}")
}

/// What was typed, without what is only there to be read.
fn letters(typed: &str) -> String {
    typed.chars().take(64).filter(char::is_ascii_alphabetic).map(|letter| letter.to_ascii_uppercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_typed_as_people_type() {
        let code = code(&std::array::from_fn(|at| u8::try_from(at * 7).expect("a byte")));
        assert_eq!((code.len(), shown(&code).len()), (CODE_CHARS, CODE_CHARS + 1));
        for typed in [shown(&code), code.to_lowercase(), format!(" {} ", shown(&code).replace('-', " "))] {
            assert_eq!(letters(&typed), code);
        }
    }

    #[test]
    fn a_terminal_is_told_once_and_not_too_late() {
        let (terminals, now) = (Terminals::default(), Timestamp::UNIX_EPOCH);
        let later = |secs| now.checked_add(SignedDuration::from_secs(secs)).expect("time");
        let one =
            Waiting { device: Digest::of(b"d"), code: "BCDFGHJK".into(), from: None, at: now, state: Said::Nothing };
        assert!(terminals.begin(one.clone(), now));
        assert!(!terminals.begin(Waiting { device: Digest::of(b"e"), ..one.clone() }, now), "one code, one terminal");
        assert!(matches!(terminals.ask(&one.device, now), Some(Said::Nothing)));
        assert!(terminals.say("BCDFGHJK", Said::No, later(599)) && !terminals.say("BCDFGHJK", Said::No, later(599)));
        assert!(terminals.find("BCDFGHJK", later(599)).is_none());
        assert!(matches!(terminals.ask(&one.device, later(599)), Some(Said::No)));
        assert!(terminals.ask(&one.device, later(599)).is_none());
        assert!(terminals.begin(one.clone(), now) && terminals.find("BCDFGHJK", later(600)).is_none());
        assert!(terminals.ask(&one.device, later(600)).is_none());
    }
}

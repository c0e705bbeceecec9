//! An invitation: whoever holds its link chooses how they sign in, once.

use std::sync::Arc;

use askama::Template;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderMap, StatusCode};
use remit_app::intent::CommitError;
use remit_app::people::{AccountChange, Invitation, Password, Proof};
use remit_core::approval::Factor;
use remit_core::ids::Digest;
use remit_core::verdict::{Code, Refusal};
use serde::Deserialize;
use serde_json::json;

use super::login::{Shown, shown};
use super::qr::Qr;
use super::secrets::Secrets;
use super::{Answered, Arrival, entered, json_answer, open, passkeys_here, password as passwords};
use crate::admin::unavailable;
use crate::console::account::registration;
use crate::console::dress::escaped;
use crate::console::moment::Moment;
use crate::console::page::{Page, form, refused, rendered};
use crate::edge::Edge;

#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage {
    page: Page,
    name: String,
    token: String,
    until: Moment,
    /// The secret of the codes, as people type it, and as an app reads it.
    secret: String,
    uri: String,
    /// The same as a picture.
    qr: Option<Qr>,
    /// The secret as the form carries it back.
    sealed: String,
    wrong: Option<&'static str>,
    passkeys: bool,
    elsewhere: Option<String>,
    provider: Option<Shown>,
}

#[derive(Deserialize)]
pub(super) struct Chosen {
    password: String,
    again: String,
    code: String,
    sealed: String,
}

/// The invitation behind a link, while it invites somebody who is somebody here.
pub(super) async fn find(edge: &Edge, token: &str) -> Result<Invitation, Refusal> {
    if token.len() != 43 {
        return Err(gone());
    }
    let found = edge.gate.ports().store.invitation(&Digest::of(token.as_bytes())).await.map_err(unavailable)?;
    let now = edge.gate.ports().clock.now();
    let found = found.filter(|invitation| now < invitation.expires_at && edge.person(&invitation.operator).is_some());
    found.ok_or_else(gone)
}

/// One answer for every way in which an invitation can be none.
pub(super) fn gone() -> Refusal {
    Refusal::new(Code::RecordUnknown, "this invitation was used already, has expired, or was replaced by a newer one")
        .with_remedy("Ask whoever invited you for another one.")
}

/// `GET /console/invitation/{token}`.
pub(super) async fn show(State(edge): State<Arc<Edge>>, Path(token): Path<String>, headers: HeaderMap) -> Response {
    match find(&edge, &token).await {
        Ok(invitation) => {
            let chance = edge.gate.ports().entropy.bytes();
            let secret = chance.get(..passwords::SECRET_BYTES).unwrap_or_default();
            page(&edge, &headers, &token, &invitation, secret, None)
        }
        Err(refusal) => refused(&refusal),
    }
}

fn page(
    edge: &Edge,
    headers: &HeaderMap,
    token: &str,
    invitation: &Invitation,
    secret: &[u8],
    wrong: Option<&'static str>,
) -> Response {
    let Some(sealed) = Secrets::of(edge).seal(invitation.token.as_bytes(), secret) else {
        return refused(&Refusal::new(Code::Internal, "the page could not be made"));
    };
    let (text, snapshot) = (passwords::base32(secret), edge.gate.snapshot());
    let tenant = snapshot.tenant().as_str();
    let name = invitation.operator.to_string();
    let (passkeys, elsewhere) = passkeys_here(edge, headers);
    let elsewhere = elsewhere.map(|there| there.replace("/console/sign-in", &format!("/console/invitation/{token}")));
    let uri = format!("otpauth://totp/Remit%20{tenant}:{}?secret={text}&issuer=Remit%20{tenant}", escaped(&name));
    let shown = InvitationPage {
        page: Page::bare("Welcome"),
        qr: Qr::of(&uri),
        uri,
        name,
        token: token.to_owned(),
        until: Moment::new(invitation.expires_at, edge.gate.ports().clock.now()),
        secret: text,
        sealed: URL_SAFE_NO_PAD.encode(sealed),
        wrong,
        passkeys,
        elsewhere,
        provider: shown(edge, headers).map(|there| Shown {
            elsewhere: there
                .elsewhere
                .map(|there| there.replace("/console/sign-in", &format!("/console/invitation/{token}"))),
            ..there
        }),
    };
    rendered(if wrong.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }, &shown)
}

/// `POST /console/invitation/{token}`: a password, and a code that shows that the other half arrived.
pub(super) async fn password(
    State(edge): State<Arc<Edge>>,
    Path(token): Path<String>,
    headers: HeaderMap,
    taken: Result<Form<Chosen>, FormRejection>,
) -> Response {
    match chosen(&edge, &token, &headers, taken).await {
        Ok(response) => response,
        Err(refusal) => refused(&refusal),
    }
}

async fn chosen(
    edge: &Edge,
    token: &str,
    headers: &HeaderMap,
    taken: Result<Form<Chosen>, FormRejection>,
) -> Result<Response, Refusal> {
    let chosen = form(taken)?;
    let invitation = find(edge, token).await?;
    let (operator, secrets) = (invitation.operator.clone(), Secrets::of(edge));
    let sealed = URL_SAFE_NO_PAD.decode(&chosen.sealed).unwrap_or_default();
    let secret = secrets.open(invitation.token.as_bytes(), &sealed);
    let secret = secret.ok_or_else(|| {
        Refusal::new(Code::Malformed, "the page has grown old").with_remedy("Open the invitation again.")
    })?;
    let step = passwords::step(&secret, &chosen.code, edge.gate.ports().clock.now());
    let wrong = match step {
        _ if chosen.password != chosen.again => Some("The two passwords differ."),
        None => Some("The code is not the one your app shows now."),
        Some(_) => passwords::unfit(&chosen.password, operator.as_str()),
    };
    let (None, Some(step)) = (wrong, step) else {
        return Ok(page(edge, headers, token, &invitation, &secret, wrong));
    };
    let salt = edge.gate.ports().entropy.bytes();
    let salt = salt.first_chunk::<16>().copied().unwrap_or_default();
    let phc = passwords::kept(chosen.password, salt).await?;
    let totp = secrets.seal(operator.as_str().as_bytes(), &secret);
    let totp = totp.ok_or_else(|| Refusal::new(Code::Internal, "the secret could not be sealed"))?;
    // The code counts for the sign-in that follows, and then no more.
    let password = Password { phc, totp, step: step.saturating_sub(1) };
    let change = AccountChange::PasswordSet { password, invitation: Some(invitation.token), keeps: None };
    edge.gate.change_account(&operator, &operator, change).await.map_err(not_changed)?;
    let arrival = Arrival::now(edge, headers, Factor::Password, Proof::Password { step });
    let token = open(edge, headers, &operator, arrival).await?;
    let token = token.ok_or_else(|| Refusal::new(Code::Conflict, "you are set up; sign in now"))?;
    Ok(entered(edge, &token, "/console"))
}

/// `POST /console/invitation/{token}/challenge`.
pub(super) async fn challenge(State(edge): State<Arc<Edge>>, Path(token): Path<String>) -> Response {
    let asked = async {
        let invitation = find(&edge, &token).await?;
        registration::options(&edge, &invitation.operator, &purpose(&invitation)).await
    };
    json_answer(asked.await)
}

/// `POST /console/invitation/{token}/passkey`.
pub(super) async fn passkey(State(edge): State<Arc<Edge>>, Path(token): Path<String>, request: Request) -> Response {
    let added = async {
        let invitation = find(&edge, &token).await?;
        let answered = Answered::read(&edge, request.into_body(), &purpose(&invitation)).await?;
        registration::add(&edge, &invitation.operator, &answered, Some(invitation.token)).await?;
        Ok(json!({"next": "/console/sign-in?done=passkey"}))
    };
    json_answer(added.await)
}

fn purpose(invitation: &Invitation) -> Vec<u8> {
    [b"invitation ", &invitation.token.as_bytes()[..]].concat()
}

/// Why an account stayed as it was.
pub(crate) fn not_changed(error: CommitError) -> Refusal {
    match error {
        CommitError::Unavailable(error) => unavailable(error),
        CommitError::Conflict("invitation") => {
            Refusal::new(Code::Conflict, "the invitation was used already").with_remedy("Ask for another one.")
        }
        CommitError::Conflict("passkey") => {
            Refusal::new(Code::Conflict, "this passkey is known already, is not theirs, or is one too many")
                .with_remedy("Look at the list of passkeys again.")
        }
        CommitError::Conflict("login") => {
            Refusal::new(Code::Conflict, "this login is another person's, or there is none")
                .with_remedy("A login with another party is one person's. Take it from the other one first.")
        }
        CommitError::Conflict("challenge") => {
            Refusal::new(Code::Conflict, "this answer was given already").with_remedy("Try again.")
        }
        CommitError::Conflict(_) => {
            Refusal::new(Code::Conflict, "they were never invited").with_remedy("Invite them first.")
        }
    }
}

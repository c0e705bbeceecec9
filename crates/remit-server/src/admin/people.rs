//! People: who they are, how they sign in, and how they are let in or sent out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use remit_app::people::{Account, AccountChange, Invitation, Login};
use remit_core::ids::{Digest, OperatorId};
use remit_core::verdict::{Code, Refusal};
use serde_json::{Value, json};

use crate::accept::{malformed, text};
use crate::admin::asked::{Answer, Asked};
use crate::admin::unavailable;
use crate::console::not_changed;
use crate::edge::Edge;
use crate::identify::{Came, Operator};

/// How long an invitation invites.
const INVITATION_LASTS: SignedDuration = SignedDuration::from_hours(24);

/// `GET /admin/v1/people`.
pub(super) async fn list(Asked { edge, .. }: Asked) -> Answer {
    let accounts = edge.gate.ports().store.accounts().await.map_err(unavailable)?;
    let mut people: Vec<_> = edge.people().into_iter().collect();
    people.sort_by(|(a, _), (b, _)| a.cmp(b));
    let people = people.iter().map(|(id, person)| {
        let account = accounts.iter().find(|account| account.operator == *id);
        let passkeys = account.iter().flat_map(|account| &account.passkeys).map(|passkey| {
            json!({
                "credential": Digest::of(&passkey.id).to_string(), "label": passkey.label,
                "added_at": passkey.added_at.to_string(), "used_at": passkey.used_at.map(|at| at.to_string()),
            })
        });
        json!({
            "id": id.as_str(),
            "user": person.user.as_ref().map(ToString::to_string),
            "teams": person.teams.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "roles": person.roles.iter().map(|role| role.as_str()).collect::<Vec<_>>(),
            "password": account.is_some_and(|account| account.password.is_some()),
            "passkeys": passkeys.collect::<Vec<_>>(),
            "login": account.and_then(|account| account.login.as_ref()).map(|login| {
                json!({"issuer": login.issuer, "subject": login.subject})
            }),
            "signed_in_at": account.and_then(|account| account.signed_in_at).map(|at| at.to_string()),
        })
    });
    Ok(json!({"people": people.collect::<Vec<_>>()}))
}

/// `POST /admin/v1/people/{id}/invitations`: answers with the one link that invites them, and never again.
pub(super) async fn invite(Asked { edge, by, id, body, .. }: Asked) -> Answer {
    body.object().await?;
    let id = person(&edge, &id)?;
    let (url, expires_at) = invited(&edge, &by, &id).await?;
    Ok(json!({"person": id.as_str(), "invitation": url, "expires_at": expires_at.to_string()}))
}

/// Invites somebody: how they signed in before is gone. The link is in no record and no log.
pub(crate) async fn invited(edge: &Edge, by: &Operator, id: &OperatorId) -> Result<(String, Timestamp), Refusal> {
    not_themselves(edge, by, id).await?;
    let ports = edge.gate.ports();
    let token = URL_SAFE_NO_PAD.encode(ports.entropy.bytes());
    // To the second: people read it.
    let now = ports.clock.now();
    let now = jiff::Timestamp::from_second(now.as_second()).unwrap_or(now);
    let expires_at = now.checked_add(INVITATION_LASTS).unwrap_or(now);
    let (digest, inviter) = (Digest::of(token.as_bytes()), by.approver.id.clone());
    let invitation = Invitation { token: digest, operator: id.clone(), by: inviter, expires_at };
    let change = AccountChange::Invited(invitation);
    edge.gate.change_account(id, &by.approver.id, change).await.map_err(not_changed)?;
    tracing::warn!(operator = %id, by = %by.approver.id, "somebody was invited; how they signed in before is gone");
    // Where a passkey can be made, if there is such an address.
    Ok((format!("{}/console/invitation/{token}", edge.home()), expires_at))
}

/// Whoever has taken over a session could otherwise make it theirs for good.
async fn not_themselves(edge: &Edge, by: &Operator, id: &OperatorId) -> Result<(), Refusal> {
    let account = edge.gate.ports().store.account(id).await.map_err(unavailable)?;
    let set_up =
        |account: &Account| account.password.is_some() || account.login.is_some() || !account.passkeys.is_empty();
    if by.approver.id == *id && by.came != Came::Key && account.as_ref().is_some_and(set_up) {
        let refusal = Refusal::new(Code::PolicyNoPermit, "nobody signed in invites themselves over their own account");
        return Err(refusal.with_remedy("Change it on your own page, or ask somebody else to invite you."));
    }
    Ok(())
}

/// `POST /admin/v1/people/{id}/login`: `{"issuer", "subject"}`. Whoever signs in there so is this person from now on, and
/// how they signed in before is gone, as by an invitation.
pub(super) async fn give_login(Asked { edge, by, id, body, .. }: Asked) -> Answer {
    let asked = body.only(&["issuer", "subject"]).await?;
    let said = |name: &str| {
        let said = text(&asked, name)?.filter(|text| !text.is_empty() && text.len() <= 512 && text.is_ascii());
        said.map(str::to_owned).ok_or_else(|| malformed(format!("`{name}` must be a text")))
    };
    let login = Login { issuer: said("issuer")?, subject: said("subject")? };
    let id = person(&edge, &id)?;
    not_themselves(&edge, &by, &id).await?;
    let configured = edge.oidc().is_some_and(|oidc| oidc.settings().issuer == login.issuer);
    let change = AccountChange::LoginGiven(login);
    edge.gate.change_account(&id, &by.approver.id, change).await.map_err(not_changed)?;
    tracing::warn!(operator = %id, by = %by.approver.id, "a login was given; how they signed in before is gone");
    Ok(json!({"person": id.as_str(), "configured": configured}))
}

/// `POST /admin/v1/people/{id}/login/remove`: no login with another party is theirs; all their sessions end.
pub(super) async fn remove_login(Asked { edge, by, id, body, .. }: Asked) -> Answer {
    body.object().await?;
    let id = OperatorId::parse(&id).map_err(|_| unknown())?;
    let change = AccountChange::LoginRemoved { keeps: None };
    edge.gate.change_account(&id, &by.approver.id, change).await.map_err(not_changed)?;
    Ok(json!({"person": id.as_str()}))
}

/// `POST /admin/v1/people/{id}/sessions/end`.
pub(super) async fn sign_out(Asked { edge, by, id, body, .. }: Asked) -> Answer {
    body.object().await?;
    signed_out(&edge, &by, &id).await?;
    Ok(json!({"signed_out": id}))
}

/// Ends all sessions of somebody, also of one who was taken out of keys.yaml.
pub(crate) async fn signed_out(edge: &Edge, by: &Operator, id: &str) -> Result<(), Refusal> {
    let id = OperatorId::parse(id).map_err(|_| unknown())?;
    if edge.person(&id).is_none() && edge.gate.ports().store.account(&id).await.map_err(unavailable)?.is_none() {
        return Err(unknown());
    }
    let change = AccountChange::SignedOut { keeps: None };
    edge.gate.change_account(&id, &by.approver.id, change).await.map_err(not_changed)
}

/// `POST /admin/v1/people/{id}/passkeys/remove`: `{"credential"}`, the SHA-256 that the list shows.
pub(super) async fn remove_passkey(Asked { edge, by, id, body, .. }: Asked) -> Answer {
    let asked = body.object().await?;
    let credential = asked.get("credential").and_then(Value::as_str).and_then(Digest::from_hex);
    let credential = credential.ok_or_else(|| malformed("`credential` must be a SHA-256"))?;
    removed(&edge, &by, &id, &credential).await?;
    Ok(json!({"removed": credential.to_string(), "person": id}))
}

/// Removes the passkey whose credential id has this digest; all their sessions end.
pub(crate) async fn removed(edge: &Edge, by: &Operator, id: &str, credential: &Digest) -> Result<(), Refusal> {
    let id = OperatorId::parse(id).map_err(|_| unknown())?;
    let account = edge.gate.ports().store.account(&id).await.map_err(unavailable)?;
    let mut passkeys = account.into_iter().flat_map(|account| account.passkeys);
    let found = passkeys.find(|passkey| Digest::of(&passkey.id) == *credential).ok_or_else(|| {
        Refusal::new(Code::RecordUnknown, "they have no such passkey").with_remedy("`remit people` lists them.")
    })?;
    let change = AccountChange::PasskeyRemoved { id: found.id, keeps: None };
    edge.gate.change_account(&id, &by.approver.id, change).await.map_err(not_changed)
}

/// A person of keys.yaml. Nobody else can be invited.
pub(crate) fn person(edge: &Edge, id: &str) -> Result<OperatorId, Refusal> {
    let id = OperatorId::parse(id).map_err(|_| unknown())?;
    edge.person(&id).map(|_| id).ok_or_else(unknown)
}

fn unknown() -> Refusal {
    Refusal::new(Code::RecordUnknown, "there is no such person")
        .with_remedy("People stand under `operators:` in keys.yaml.")
}

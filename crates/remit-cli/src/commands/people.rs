//! `remit people`: who steers the gateway, how they sign in, and how they are let in or sent out.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::Access;
use crate::terminal::{Failure, Outcome, say, table, text, visible};

/// List the people who steer the gateway; invite them to the console, link their logins, sign them out.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct People {
    #[command(subcommand)]
    verb: Option<Verb>,
    #[command(flatten)]
    access: Access,
}

#[derive(Subcommand)]
enum Verb {
    /// List them.
    List(Reach),
    /// Invite somebody to choose how they sign in. How they signed in before is gone at once.
    Invite(Whom),
    /// Say which login with another party is somebody's. How they signed in before is gone at once.
    Link(Link),
    /// Take somebody's login with another party away; all their sessions end.
    Unlink(Whom),
    /// End all sessions of somebody.
    SignOut(Whom),
    /// Remove a passkey of somebody, by the credential that the list shows; all their sessions end.
    RemovePasskey(Passkey),
}

#[derive(Args)]
struct Reach {
    #[command(flatten)]
    access: Access,
}

#[derive(Args)]
struct Whom {
    /// The person, as keys.yaml names them.
    id: String,
    #[command(flatten)]
    access: Access,
}

#[derive(Args)]
struct Link {
    /// The person, as keys.yaml names them.
    id: String,
    /// The party, letter for letter as in `sign_in` of remit.yaml; by default the one that stands there.
    #[arg(long)]
    issuer: Option<String>,
    /// What it calls them: `sub` of its tokens, which no address of mail is.
    #[arg(long)]
    subject: String,
    #[command(flatten)]
    access: Access,
}

#[derive(Args)]
struct Passkey {
    /// The person, as keys.yaml names them.
    id: String,
    /// The credential, or the beginning of it.
    credential: String,
    #[command(flatten)]
    access: Access,
}

impl People {
    /// Runs the verb.
    pub fn run(self, folder: &Path) -> Outcome {
        match self.verb {
            None => list(&self.access, folder)?,
            Some(Verb::List(Reach { access })) => list(&access, folder)?,
            Some(Verb::Invite(Whom { id, access })) => {
                let answer = access.open(folder)?.post(&path(&id, "invitations"), &json!({}))?;
                say(format!(
                    "{id} is invited until {}. Give them this link over a channel on which you know them; it works once:\n{}",
                    text(&answer["expires_at"]),
                    text(&answer["invitation"])
                ))?;
            }
            Some(Verb::Link(Link { id, issuer, subject, access })) => {
                let configured = || crate::folder::load(folder).ok().and_then(|config| config.settings.oidc);
                let issuer = issuer.or_else(|| configured().map(|oidc| oidc.issuer));
                let issuer = issuer.ok_or_else(|| Failure::said("say which party, with --issuer"))?;
                let body = json!({"issuer": issuer, "subject": subject});
                let answer = access.open(folder)?.post(&path(&id, "login"), &body)?;
                say(format!("{id} is whoever {issuer} calls {subject}; how they signed in before is gone"))?;
                if answer["configured"] != true {
                    say("the gateway asks another party, or none: until `sign_in` names this one, nobody comes in so")?;
                }
            }
            Some(Verb::Unlink(Whom { id, access })) => {
                access.open(folder)?.post(&path(&id, "login/remove"), &json!({}))?;
                say(format!("the login is taken away, and {id} is signed out everywhere"))?;
            }
            Some(Verb::SignOut(Whom { id, access })) => {
                access.open(folder)?.post(&path(&id, "sessions/end"), &json!({}))?;
                say(format!("{id} is signed out everywhere"))?;
            }
            Some(Verb::RemovePasskey(Passkey { id, credential, access })) => {
                let gateway = access.open(folder)?;
                let credential = whole(&gateway.get("/admin/v1/people")?, &id, &credential);
                let body = json!({"credential": credential});
                gateway.post(&path(&id, "passkeys/remove"), &body)?;
                say(format!("the passkey is removed, and {id} is signed out everywhere"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A person's place in the API. Their name may hold what separates the parts of a path.
fn path(id: &str, what: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let id: String =
        id.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    format!("/admin/v1/people/{id}/{what}")
}

/// The one credential of this person that begins so; what is no beginning of one is left as it is.
fn whole(people: &Value, id: &str, begins: &str) -> String {
    let person = people["people"].as_array().into_iter().flatten().find(|person| person["id"] == id);
    let passkeys = person.and_then(|person| person["passkeys"].as_array()).into_iter().flatten();
    let mut found = passkeys.filter_map(|one| one["credential"].as_str()).filter(|one| one.starts_with(begins));
    match (found.next(), found.next()) {
        (Some(one), None) if begins.len() >= 8 => one.to_owned(),
        _ => begins.to_owned(),
    }
}

fn list(access: &Access, folder: &Path) -> Result<(), Failure> {
    let gateway = access.open(folder)?;
    let people = gateway.get("/admin/v1/people")?["people"].as_array().cloned().unwrap_or_default();
    let words = |value: &Value| {
        let words = value.as_array().into_iter().flatten().map(text);
        words.collect::<Vec<_>>().join(", ")
    };
    let rows = people.iter().map(|person| {
        let passkeys = person["passkeys"].as_array().into_iter().flatten().map(|one| {
            let credential: String = text(&one["credential"]).chars().take(12).collect();
            format!("{} ({credential})", text(&one["label"]))
        });
        let password = (person["password"] == true).then(|| "password and code".to_owned());
        let login = person["login"]["issuer"].as_str().map(|issuer| format!("login at {}", visible(issuer)));
        let ways: Vec<_> = password.into_iter().chain(login).chain(passkeys).collect();
        let ways = if ways.is_empty() { "cannot sign in".to_owned() } else { ways.join("\n") };
        vec![text(&person["id"]), words(&person["roles"]), words(&person["teams"]), ways, text(&person["signed_in_at"])]
    });
    say(table(&["PERSON", "ROLES", "TEAMS", "SIGNS IN BY", "SIGNED IN"], rows).to_string())
}

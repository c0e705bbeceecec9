//! `remit people`: who steers the gateway, how they sign in, and how they are let in or sent out.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::client::Access;
use crate::terminal::{Outcome, say, table, text};

/// List the people who steer the gateway; invite them to the console, sign them out, remove their passkeys.
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
                let answer = access.open(folder)?.post(&format!("/admin/v1/people/{id}/invitations"), &json!({}))?;
                say(format!(
                    "{id} is invited until {}. Give them this link over a channel on which you know them; it works once:\n{}",
                    text(&answer["expires_at"]),
                    text(&answer["invitation"])
                ))?;
            }
            Some(Verb::SignOut(Whom { id, access })) => {
                access.open(folder)?.post(&format!("/admin/v1/people/{id}/sessions/end"), &json!({}))?;
                say(format!("{id} is signed out everywhere"))?;
            }
            Some(Verb::RemovePasskey(Passkey { id, credential, access })) => {
                let gateway = access.open(folder)?;
                let credential = whole(&gateway.get("/admin/v1/people")?, &id, &credential);
                let body = json!({"credential": credential});
                gateway.post(&format!("/admin/v1/people/{id}/passkeys/remove"), &body)?;
                say(format!("the passkey is removed, and {id} is signed out everywhere"))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
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

fn list(access: &Access, folder: &Path) -> Result<(), crate::terminal::Failure> {
    let gateway = access.open(folder)?;
    let people = gateway.get("/admin/v1/people")?["people"].as_array().cloned().unwrap_or_default();
    let words = |value: &Value| {
        let words = value.as_array().into_iter().flatten().filter_map(Value::as_str);
        words.collect::<Vec<_>>().join(", ")
    };
    let rows = people.iter().map(|person| {
        let passkeys = person["passkeys"].as_array().into_iter().flatten().map(|one| {
            let credential: String = text(&one["credential"]).chars().take(12).collect();
            format!("{} ({credential})", text(&one["label"]))
        });
        let password = (person["password"] == true).then(|| "password and code".to_owned());
        let ways: Vec<_> = password.into_iter().chain(passkeys).collect();
        let ways = if ways.is_empty() { "cannot sign in".to_owned() } else { ways.join("\n") };
        vec![text(&person["id"]), words(&person["roles"]), words(&person["teams"]), ways, text(&person["signed_in_at"])]
    });
    say(table(&["PERSON", "ROLES", "TEAMS", "SIGNS IN BY", "SIGNED IN"], rows).to_string())
}

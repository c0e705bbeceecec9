//! `keys.yaml`, as it may be used.

use std::collections::HashSet;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use remit_core::identity::MayDeclare;
use remit_core::ids::{AgentId, Digest, OperatorId, TeamId, UserId};

use crate::at::{At, WordOr};
use crate::keys::file::{AgentKeyFile, KeysFile, MayDeclareFile, OperatorKeyFile, RoleWord};
use crate::keys::{AgentKey, KeyProof, Keys, OperatorKey, Role};
use crate::report::Report;

pub(crate) fn check(file: At<KeysFile>, zone: &TimeZone, report: &mut Report<'_>) -> Keys {
    let file = file.into_value();
    let mut seen = Seen::default();
    let agents = file.agents.iter().filter_map(|key| agent(key, zone, &mut seen, report)).collect();
    // An operator may have the name of an agent's key: they are never looked up together.
    seen.names.clear();
    let operators = file.operators.iter().filter_map(|key| operator(key, zone, &mut seen, report)).collect();
    Keys { agents, operators }
}

/// Names and digests that were met before.
#[derive(Default)]
struct Seen {
    names: HashSet<String>,
    digests: HashSet<Digest>,
}

fn agent(key: &AgentKeyFile, zone: &TimeZone, seen: &mut Seen, report: &mut Report<'_>) -> Option<AgentKey> {
    let id = report.id(&key.id, OperatorId::parse);
    let agent = report.id(&key.agent, AgentId::parse);
    let user = key.user.as_ref().map(|user| report.id(user, UserId::parse));
    let may_declare = key.may_declare.as_ref().map_or(Some(MayDeclare::Nobody), |at| may_declare(at, report));
    if let (Some(at), Some(_)) = (&key.may_declare, &key.user)
        && may_declare != Some(MayDeclare::Nobody)
    {
        report.fault(at, "a key with a fixed `user` opens runs for nobody else", "remove `user` or `may_declare`");
    }
    named(&key.id, seen, report);
    let (sha256, expires) = proof(&key.sha256, &key.expires, zone, seen, report)?;
    Some(AgentKey {
        id: id?.as_str().to_owned(),
        agent: agent?,
        user: match user {
            Some(user) => Some(user?),
            None => None,
        },
        may_declare: may_declare?,
        sha256,
        expires,
        revoked: key.revoked,
    })
}

fn operator(key: &OperatorKeyFile, zone: &TimeZone, seen: &mut Seen, report: &mut Report<'_>) -> Option<OperatorKey> {
    let id = report.id(&key.id, OperatorId::parse);
    let user = key.user.as_ref().map(|user| report.id(user, UserId::parse));
    let teams = key.teams.iter().filter_map(|team| report.id(team, TeamId::parse)).collect();
    if key.roles.is_empty() {
        report.fault(&key.id, "an operator without a role can do nothing", "add `roles: [viewer]`, or remove the key");
    }
    let email = key.email.as_ref().and_then(|at| crate::settings::notify::address(at, report));
    named(&key.id, seen, report);
    let proof = match (&key.sha256, &key.expires) {
        (None, None) => None,
        (Some(sha256), Some(expires)) => {
            let (sha256, expires) = proof(sha256, expires, zone, seen, report)?;
            Some(KeyProof { sha256, expires })
        }
        (Some(at), None) => {
            report.fault(at, "a key without an end", "add `expires:`");
            return None;
        }
        (None, Some(at)) => {
            report.fault(at, "an end without a key", "add `sha256:`, or remove `expires` if they only sign in");
            return None;
        }
    };
    let mut roles: Vec<_> = key.roles.iter().map(|role| role.role()).collect();
    roles.sort_unstable();
    roles.dedup();
    Some(OperatorKey {
        id: id?,
        user: match user {
            Some(user) => Some(user?),
            None => None,
        },
        teams,
        roles,
        email,
        proof,
        revoked: key.revoked,
    })
}

/// Each entry has a name of its own.
fn named(id: &At<String>, seen: &mut Seen, report: &mut Report<'_>) {
    if !seen.names.insert((**id).clone()) {
        report.fault(id, format!("another key is called `{}` already", **id), "give each key a name of its own");
    }
}

/// What makes a key one: a digest of its own, and an end.
fn proof(
    sha256: &At<String>,
    expires: &At<String>,
    zone: &TimeZone,
    seen: &mut Seen,
    report: &mut Report<'_>,
) -> Option<(Digest, Timestamp)> {
    let help = "write 64 lower-case hex digits: the output of `printf %s \"$KEY\" | sha256sum`";
    // The text is not repeated: somebody may have pasted the key itself.
    let digest = Digest::from_hex(sha256);
    match digest {
        None => report.fault(sha256, "this is not a SHA-256 digest", help),
        Some(digest) if !seen.digests.insert(digest) => {
            report.fault(sha256, "another key has this digest already", "make a new key for each agent and person");
        }
        Some(_) => {}
    }
    let expires = report.moment(expires, zone);
    Some((digest?, expires?))
}

fn may_declare(at: &At<MayDeclareFile>, report: &mut Report<'_>) -> Option<MayDeclare> {
    match &at.0 {
        WordOr::Word(word) if word == "none" => Some(MayDeclare::Nobody),
        WordOr::Word(word) if word == "any" => Some(MayDeclare::Anybody),
        WordOr::Word(word) => {
            report.fault(at, format!("unknown word `{word}`"), "write `none`, `any`, or a list of users");
            None
        }
        WordOr::List(users) => {
            Some(MayDeclare::These(users.iter().filter_map(|user| report.id(user, UserId::parse)).collect()))
        }
    }
}

impl RoleWord {
    const fn role(self) -> Role {
        match self {
            Self::Viewer => Role::Viewer,
            Self::Approver => Role::Approver,
            Self::Operator => Role::Operator,
            Self::Security => Role::Security,
            Self::Owner => Role::Owner,
            Self::Auditor => Role::Auditor,
        }
    }
}

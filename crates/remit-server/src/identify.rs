//! Identify: from a credential to a caller. Keys are stored as SHA-256 digests of 256-bit random
//! texts, so a look-up by digest needs no further protection against guessing or timing.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use remit_app::people::{Session, SessionId};
use remit_app::ports::Roster;
use remit_core::Caller;
use remit_core::approval::{Approver, Factor};
use remit_core::identity::MayDeclare;
use remit_core::ids::{AgentId, Digest, OperatorId, TeamId, TenantId, UserId};
use remit_core::steering::{self, Deed, Role};

/// The keys in force.
#[derive(Default)]
pub struct Keyring {
    /// Agents' keys, by digest.
    pub agents: HashMap<Digest, AgentKey>,
    /// Operators' keys, by digest.
    pub operators: HashMap<Digest, OperatorKey>,
    /// The people who steer the gateway, for those who sign in. Teams and roles are looked up here at each
    /// request: whoever lost a role has lost it, and whoever is not here is nobody.
    pub people: HashMap<OperatorId, Person>,
    /// The agent for whom requests without a credential count. Loopback only; the configuration sees to that.
    pub anonymous: Option<AgentId>,
}

/// A key of an agent.
#[derive(Clone, Debug)]
pub struct AgentKey {
    /// Names the key in logs.
    pub id: String,
    /// The agent it proves.
    pub agent: AgentId,
    /// The user it proves, when it is bound to one.
    pub user: Option<UserId>,
    /// For whom it may open runs.
    pub may_declare: MayDeclare,
    /// From this moment on it proves nothing.
    pub expires: Timestamp,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A key of a person who steers the gateway.
#[derive(Clone, Debug)]
pub struct OperatorKey {
    /// The person, as approval rules know them.
    pub approver: Approver,
    /// What they may do.
    pub roles: Vec<Role>,
    /// From this moment on it proves nothing.
    pub expires: Timestamp,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A person who steers the gateway.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user they are when acting through an agent.
    pub user: Option<UserId>,
    /// Their teams.
    pub teams: Vec<TeamId>,
    /// What they may do.
    pub roles: Vec<Role>,
    /// When their key ends, if they have one.
    pub key_expires: Option<Timestamp>,
}

/// How an operator came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// With a key in the request.
    Key,
    /// With a session that they had signed in for.
    Session(SessionId),
    /// With the session of a terminal that they let in. It decides nothing about how they sign in.
    Terminal,
}

/// A proven caller.
#[derive(Clone, Debug)]
pub struct Identified {
    /// Which key.
    pub key_id: String,
    /// Who calls.
    pub caller: Caller,
    /// For whom this key may open runs.
    pub may_declare: MayDeclare,
}

/// A proven operator.
#[derive(Clone, Debug)]
pub struct Operator {
    /// The person, as approval rules know them.
    pub approver: Approver,
    /// What they may do.
    pub roles: Vec<Role>,
    /// How they came.
    pub came: Came,
    /// What each form of theirs gives back as `csrf`: empty for whoever came with a key, which no browser sends
    /// by itself.
    pub csrf: String,
}

impl Operator {
    /// Whether their roles let them do this.
    #[must_use]
    pub fn may(&self, deed: Deed) -> bool {
        steering::allows(&self.approver.id, &self.roles, deed)
    }
}

impl Keyring {
    /// Which agent, for whom.
    ///
    /// # Errors
    /// Why not, for the log only.
    pub fn agent(&self, headers: &HeaderMap, tenant: &TenantId, now: Timestamp) -> Result<Identified, &'static str> {
        let Some(digest) = bearer(headers)? else {
            let agent = self.anonymous.clone().ok_or("no credential")?;
            let caller = Caller::agent(tenant.clone(), agent);
            return Ok(Identified { key_id: "anonymous".into(), caller, may_declare: MayDeclare::Nobody });
        };
        let key = self.agents.get(&digest).ok_or("unknown key")?;
        in_force(key.revoked, key.expires, now)?;
        let caller = Caller::agent(tenant.clone(), key.agent.clone());
        let caller = key.user.clone().map_or(caller.clone(), |user| caller.for_user(user));
        Ok(Identified { key_id: key.id.clone(), caller, may_declare: key.may_declare.clone() })
    }

    /// Which operator.
    ///
    /// # Errors
    /// Why not, for the log only.
    pub fn operator(&self, headers: &HeaderMap, now: Timestamp) -> Result<Operator, &'static str> {
        let digest = bearer(headers)?.ok_or("no credential")?;
        let key = self.operators.get(&digest).ok_or("unknown key")?;
        in_force(key.revoked, key.expires, now)?;
        let (approver, roles) = (key.approver.clone(), key.roles.clone());
        Ok(Operator { approver, roles, came: Came::Key, csrf: String::new() })
    }

    /// Which operator, by their session, which is worth `factor` now.
    ///
    /// # Errors
    /// When they are nobody here any more.
    pub fn visitor(
        &self,
        session: &Session,
        factor: Factor,
        came: Came,
        csrf: String,
    ) -> Result<Operator, &'static str> {
        let person = self.people.get(&session.operator).ok_or("signed in, and sent away since")?;
        let approver =
            Approver { id: session.operator.clone(), user: person.user.clone(), teams: person.teams.clone(), factor };
        Ok(Operator { approver, roles: person.roles.clone(), came, csrf })
    }
}

/// The people who steer, as the configuration in force has them.
pub(crate) struct Steering(pub Arc<ArcSwap<Keyring>>);

impl Roster for Steering {
    fn person(&self, id: &OperatorId) -> Option<Approver> {
        self.0.load().people.get(id).map(|person| known(id, person))
    }

    fn people(&self) -> Vec<Approver> {
        let ring = self.0.load();
        let mut people: Vec<_> = ring.people.iter().map(|(id, person)| known(id, person)).collect();
        people.sort_by(|a, b| a.id.cmp(&b.id));
        people
    }
}

/// Somebody who is known, and has proved nothing.
fn known(id: &OperatorId, person: &Person) -> Approver {
    Approver { id: id.clone(), user: person.user.clone(), teams: person.teams.clone(), factor: Factor::Key }
}

fn in_force(revoked: bool, expires: Timestamp, now: Timestamp) -> Result<(), &'static str> {
    match (revoked, expires <= now) {
        (true, _) => Err("revoked key"),
        (_, true) => Err("expired key"),
        (false, false) => Ok(()),
    }
}

/// The digest of the bearer token. Two `Authorization` headers are one too many.
fn bearer(headers: &HeaderMap) -> Result<Option<Digest>, &'static str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err("two credentials");
    }
    let text = value.to_str().map_err(|_| "malformed credential")?;
    let (scheme, token) = text.split_once(' ').ok_or("malformed credential")?;
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || token.len() > 4096 {
        return Err("malformed credential");
    }
    Ok(Some(Digest::of(token.trim().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().expect("header"));
        }
        headers
    }

    #[test]
    fn only_a_key_in_force_proves_anything() {
        let at = |text: &str| text.parse::<Timestamp>().expect("time");
        let key = |revoked| AgentKey {
            id: "k".into(),
            agent: AgentId::parse("bot").expect("id"),
            user: None,
            may_declare: MayDeclare::Nobody,
            expires: at("2027-01-01T00:00:00Z"),
            revoked,
        };
        let tenant = TenantId::parse("acme").expect("id");
        let agents = HashMap::from([(Digest::of(b"good"), key(false)), (Digest::of(b"revoked"), key(true))]);
        let ring = Keyring { agents, ..Keyring::default() };
        let (now, later) = (at("2026-11-21T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        let why = |values: &[&str], now| ring.agent(&headers(values), &tenant, now).map(|i| i.key_id);
        assert_eq!(why(&["Bearer good"], now), Ok("k".into()));
        assert_eq!(why(&["bearer good"], now), Ok("k".into()));
        assert_eq!(why(&["Bearer good"], later), Err("expired key"));
        assert_eq!(why(&["Bearer revoked"], now), Err("revoked key"));
        assert_eq!(why(&["Bearer other"], now), Err("unknown key"));
        assert_eq!(why(&["Basic good"], now), Err("malformed credential"));
        assert_eq!(why(&["Bearer good", "Bearer good"], now), Err("two credentials"));
        assert_eq!(why(&[], now), Err("no credential"));
    }
}

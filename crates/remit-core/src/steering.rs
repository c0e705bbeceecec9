//! What people may do to the gateway itself, decided by the same engine as what agents may do.
//!
//! Roles are given in `keys.yaml`; what a role may do is a Cedar policy, `steering.cedar`. Approval
//! rules decide besides whose vote counts: the deed `vote` only lets a person come to the ballot box.

use std::str::FromStr;
use std::sync::LazyLock;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
};

use crate::ids::OperatorId;

/// What a person is to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Looks.
    Viewer,
    /// Answers questions that a rule entitles them to.
    Approver,
    /// Halts, resumes, reloads.
    Operator,
    /// Changes what protects the organisation.
    Security,
    /// Answers for agents or tools of their teams.
    Owner,
    /// Reads the evidence.
    Auditor,
}

/// Something a person does to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Deed {
    /// Look at what waits, runs, agents, tools, budgets, halts.
    Look,
    /// Change how they themselves sign in.
    Account,
    /// Take evidence out: bundles, records with their disclosures.
    Evidence,
    /// Answer a question, or ask one back.
    Vote,
    /// Let somebody vote in their place for a while.
    Delegate,
    /// Stop something.
    Halt,
    /// Lift a halt.
    Resume,
    /// Put the configuration folder into force.
    Reload,
    /// Ask upstreams anew what they serve.
    Survey,
    /// Close a run.
    CloseRun,
    /// Take a grant back.
    Revoke,
    /// Use authority that was declared for emergencies.
    BreakGlass,
    /// Review what was done in an emergency, or went through before anybody looked.
    Review,
    /// Propose a change of a remit.
    Propose,
    /// Invite people, end their sessions, remove their passkeys.
    People,
    /// Order and lift holds, and erase.
    Erase,
    /// Say yes or no to a change that protects less.
    Change,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] =
        [Self::Viewer, Self::Approver, Self::Operator, Self::Security, Self::Owner, Self::Auditor];

    /// The word used in files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Approver => "approver",
            Self::Operator => "operator",
            Self::Security => "security",
            Self::Owner => "owner",
            Self::Auditor => "auditor",
        }
    }
}

impl Deed {
    /// All deeds.
    pub const ALL: [Self; 17] = [
        Self::Look,
        Self::Account,
        Self::Evidence,
        Self::Vote,
        Self::Delegate,
        Self::Halt,
        Self::Resume,
        Self::Reload,
        Self::Survey,
        Self::CloseRun,
        Self::Revoke,
        Self::BreakGlass,
        Self::Review,
        Self::Propose,
        Self::People,
        Self::Erase,
        Self::Change,
    ];

    /// The word used in policies and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Look => "look",
            Self::Account => "account",
            Self::Evidence => "evidence",
            Self::Vote => "vote",
            Self::Delegate => "delegate",
            Self::Halt => "halt",
            Self::Resume => "resume",
            Self::Reload => "reload",
            Self::Survey => "survey",
            Self::CloseRun => "close_run",
            Self::Revoke => "revoke",
            Self::BreakGlass => "break_glass",
            Self::Review => "review",
            Self::Propose => "propose",
            Self::People => "people",
            Self::Erase => "erase",
            Self::Change => "change",
        }
    }
}

static POLICIES: LazyLock<Option<PolicySet>> = LazyLock::new(|| include_str!("steering.cedar").parse().ok());

/// Whether a person with these roles may do this. What cannot be decided is not allowed.
#[must_use]
pub fn allows(person: &OperatorId, roles: &[Role], deed: Deed) -> bool {
    decided(person, roles, deed).unwrap_or(false)
}

fn decided(person: &OperatorId, roles: &[Role], deed: Deed) -> Option<bool> {
    if roles.is_empty() {
        return Some(false);
    }
    let policies = (*POLICIES).as_ref()?;
    let principal = uid("Operator", person.as_str())?;
    let held = roles.iter().map(|role| uid("Role", role.as_str())).collect::<Option<_>>()?;
    let entities = Entities::from_entities([Entity::new_no_attrs(principal.clone(), held)], None).ok()?;
    let (deed, gateway) = (uid("Action", deed.as_str())?, uid("Gateway", "this")?);
    let request = Request::new(principal, deed, gateway, Context::empty(), None).ok()?;
    let response = Authorizer::new().is_authorized(&request, policies, &entities);
    let failed = response.diagnostics().errors().next().is_some();
    Some(!failed && response.decision() == Decision::Allow)
}

fn uid(kind: &str, id: &str) -> Option<EntityUid> {
    Some(EntityUid::from_type_name_and_id(EntityTypeName::from_str(kind).ok()?, EntityId::new(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table, so that a change of the policy is seen as one.
    #[test]
    fn who_may_do_what() {
        let bob = OperatorId::parse("bob").expect("id");
        let may = |role| {
            let deeds = Deed::ALL.into_iter().filter(|deed| allows(&bob, &[role], *deed));
            deeds.map(Deed::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(may(Role::Viewer), "look account");
        assert_eq!(may(Role::Approver), "look account vote delegate");
        assert_eq!(may(Role::Owner), "look account vote delegate halt revoke propose");
        assert_eq!(may(Role::Operator), "look account halt resume reload survey close_run revoke break_glass propose");
        assert_eq!(may(Role::Auditor), "look account evidence");
        assert_eq!(may(Role::Security), Deed::ALL.map(Deed::as_str).join(" "));
    }

    #[test]
    fn nobody_without_a_role_may_anything() {
        let bob = OperatorId::parse("bob").expect("id");
        assert!(Deed::ALL.into_iter().all(|deed| !allows(&bob, &[], deed)));
    }
}

//! Who steers the gateway and who calls it. A key that is replaced could be anybody's, so for a person whose
//! word counts another key is a weakening, and not a matter of routine.

use std::collections::BTreeSet;

use super::{Part, Weakening};
use crate::approval::Factor;
use crate::authority::remit::Holder;
use crate::ids::{AgentId, Digest, OperatorId, TeamId, UserId};
use crate::steering::Role;
use crate::unsealed::Unsealed;

/// Who steers, who calls, and how many people a weakening needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Steering {
    /// The people, as `keys.yaml` lists them.
    pub people: Vec<Steerer>,
    /// The keys of agents.
    pub keys: Vec<CallerKey>,
    /// The agent for whom calls without a credential count.
    pub anonymous: Option<AgentId>,
    /// How many people a change needs.
    pub needed: Needed,
    /// What becomes of calls whose records the log does not take.
    pub unsealed: Unsealed,
    /// Parts of the folder that this comparison does not understand. Any change of one is listed.
    pub sections: Vec<Section>,
}

/// A part of the folder that is compared as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// The remit it belongs to; none for what is the organisation's.
    pub holder: Option<Holder>,
    /// Its name: `remit.yaml: break_glass`.
    pub place: String,
    /// What it says, in one canonical form.
    pub says: String,
}

/// How many different people with the role `security` must approve a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed {
    /// That protects less. At least one.
    pub weakening: u32,
    /// That lets a remit grow, and nothing else. None means that whoever changes the folder may.
    pub widening: u32,
    /// The least proof of who votes on a change that counts. With [`Factor::Passkey`] the vote itself must be signed.
    pub factor: Option<Factor>,
}

/// A person who steers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Steerer {
    /// The person, as the folder names them.
    pub id: OperatorId,
    /// Which user they are. Two entries of one user are one person.
    pub user: Option<UserId>,
    /// Their teams, for approval rules.
    pub teams: Vec<TeamId>,
    /// What they may do.
    pub roles: Vec<Role>,
    /// The digest of their key, when they have one.
    pub sha256: Option<Digest>,
    /// Whether it was withdrawn.
    pub revoked: bool,
}

/// A key of an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerKey {
    /// Its name.
    pub id: String,
    /// The agent it proves.
    pub agent: AgentId,
    /// The digest of its text.
    pub sha256: Digest,
    /// For whom it works and may open runs, in words that differ when that differs.
    pub works_for: String,
    /// Whether it was withdrawn.
    pub revoked: bool,
}

impl Default for Needed {
    fn default() -> Self {
        Self { weakening: 2, widening: 1, factor: None }
    }
}

impl Steerer {
    /// Whether they change what protects the organisation.
    #[must_use]
    pub fn is_security(&self) -> bool {
        self.roles.contains(&Role::Security) && !self.revoked
    }
}

impl Steering {
    /// Which person an operator is, as far as changes go: their user, so that nobody is two people. Where one
    /// person is enough, an operator without a user is one, too. `None` for anybody who has no say.
    #[must_use]
    pub fn person(&self, operator: &OperatorId) -> Option<&str> {
        let steerer = self.people.iter().find(|steerer| steerer.id == *operator && steerer.is_security())?;
        match &steerer.user {
            Some(user) => Some(user.as_str()),
            None if self.needed.weakening <= 1 => Some(steerer.id.as_str()),
            None => None,
        }
    }

    /// How many different people have a say.
    #[must_use]
    pub fn people_with_a_say(&self) -> usize {
        let each = self.people.iter().filter_map(|steerer| self.person(&steerer.id));
        each.collect::<BTreeSet<_>>().len()
    }

    /// How many must approve these weakenings; zero when nobody has to.
    ///
    /// Too few people to do so can name further ones, and do nothing else: else the rule could never be
    /// satisfied by an organisation that began with one person.
    ///
    /// # Errors
    /// How many people are needed, and how many there are.
    pub fn must_approve(&self, weakenings: &[Weakening], after: &Self) -> Result<u32, (u32, usize)> {
        let needed = match weakenings {
            [] => 0,
            all if all.iter().all(|weakening| weakening.widens.is_some()) => self.needed.widening,
            _ => self.needed.weakening.max(1),
        };
        let there = self.people_with_a_say();
        if needed as usize <= there {
            return Ok(needed);
        }
        let naming = weakenings.iter().all(|weakening| weakening.code == "steering.security_named");
        if naming && after.people_with_a_say() <= needed as usize {
            return Ok(u32::try_from(there).unwrap_or(needed));
        }
        Err((needed, there))
    }
}

pub(super) fn compare(old: &Steering, new: &Steering, out: &mut Vec<Weakening>) {
    let mut add = |code, what: String| out.push(Weakening::new(code, what));
    if new.anonymous.is_some() && new.anonymous != old.anonymous {
        add("keys.anonymous", "calls without a credential would count".to_owned());
    }
    if new.needed.weakening < old.needed.weakening {
        let (from, to) = (old.needed.weakening, new.needed.weakening);
        add("changes.people_lowered", format!("weakening would need {to} instead of {from} people"));
    }
    if new.needed.widening < old.needed.widening {
        let (from, to) = (old.needed.widening, new.needed.widening);
        add("changes.widening_lowered", format!("widening a remit would need {to} instead of {from} people"));
    }
    if new.unsealed.within_secs > old.unsealed.within_secs || new.unsealed.then > old.unsealed.then {
        let [from, to] = [old, new].map(|stand| stand.unsealed);
        let words = |unsealed: Unsealed| format!("`{}` after {} s", unsealed.then.as_str(), unsealed.within_secs);
        let what = format!("while records wait for the log, {} would hold instead of {}", words(to), words(from));
        add("ledger.unsealed_loosened", what);
    }
    if new.needed.factor < old.needed.factor {
        let word = |factor: Option<Factor>| factor.map_or("anything", Factor::as_str);
        let (from, to) = (word(old.needed.factor), word(new.needed.factor));
        add("changes.factor_lowered", format!("votes on changes would need {to} instead of {from}"));
    }
    let (there, left, needed) = (old.people_with_a_say(), new.people_with_a_say(), new.needed.weakening as usize);
    if left < there && left < needed {
        let what = format!("{left} people with a say would be left, and {needed} are needed");
        add("steering.security_lost", what);
    }
    for person in new.people.iter().filter(|person| !person.revoked) {
        match old.people.iter().find(|was| was.id == person.id) {
            Some(was) if !was.revoked => changed(was, person, &mut add),
            // Whoever was sent away had nothing: coming back is as being named.
            Some(_) => named(person, " again", &mut add),
            None => named(person, "", &mut add),
        }
    }
    for section in new.sections.iter().filter(|section| !old.sections.contains(section)) {
        out.push(section.changed("would say something else"));
    }
    let gone = |section: &&Section| !new.sections.iter().any(|now| now.place == section.place);
    out.extend(old.sections.iter().filter(gone).map(|section| section.changed("would be gone")));
    for key in new.keys.iter().filter(|key| !key.revoked) {
        let known = old.keys.iter().any(|was| {
            was.sha256 == key.sha256 && was.agent == key.agent && was.works_for == key.works_for && !was.revoked
        });
        if !known {
            let what = format!("the key `{}` would prove agent `{}`, {}", key.id, key.agent, key.works_for);
            out.push(Weakening::widening("key.added", &Holder::Agent(key.agent.clone()), Part::Whole, what));
        }
    }
}

impl Section {
    fn changed(&self, how: &str) -> Weakening {
        let what = format!("`{}` {how}", self.place);
        match &self.holder {
            Some(holder) => Weakening::widening("remit.section_changed", holder, Part::Whole, what),
            None => Weakening::new("settings.changed", what),
        }
    }
}

/// Everybody may look who is listed at all; only what goes beyond is a weakening.
fn beyond_looking(roles: &[Role]) -> impl Iterator<Item = &Role> {
    roles.iter().filter(|role| **role != Role::Viewer)
}

fn named(person: &Steerer, again: &str, add: &mut impl FnMut(&'static str, String)) {
    if person.is_security() {
        add("steering.security_named", format!("`{}` would have the role security{again}", person.id));
    } else if beyond_looking(&person.roles).next().is_some() {
        let roles: Vec<_> = person.roles.iter().map(|role| role.as_str()).collect();
        add("steering.role_given", format!("`{}` would be {}{again}", person.id, roles.join(" and ")));
    }
}

fn changed(was: &Steerer, person: &Steerer, add: &mut impl FnMut(&'static str, String)) {
    let id = &person.id;
    if person.is_security() && !was.roles.contains(&Role::Security) {
        add("steering.security_named", format!("`{id}` would have the role security"));
    }
    for role in beyond_looking(&person.roles).filter(|role| **role != Role::Security && !was.roles.contains(role)) {
        add("steering.role_given", format!("`{id}` would have the role {}", role.as_str()));
    }
    if beyond_looking(&person.roles).next().is_none() {
        return;
    }
    if person.sha256.is_some() && person.sha256 != was.sha256 {
        add("steering.key_changed", format!("another key would prove `{id}`"));
    }
    if person.user != was.user {
        add("steering.user_changed", format!("`{id}` would be another user"));
    }
    for team in person.teams.iter().filter(|team| !was.teams.contains(team)) {
        add("steering.team_given", format!("`{id}` would vote for team `{team}`"));
    }
}

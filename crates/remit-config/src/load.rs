//! The whole folder, as the gateway runs on it.

use std::collections::BTreeMap;

use remit_core::Snapshot;
use remit_core::authority::guardrail::GuardrailFile;
use remit_core::authority::remit::{Locus, Remit};
use remit_core::authority::weakening::{CallerKey, Section, Stand, Steerer, Steering, Weakening, weakenings};
use remit_core::authority::{Fault, Sources, compile};
use remit_core::identity::MayDeclare;
use remit_core::ids::ToolName;
use remit_core::registry::{Registry, Tool};
use serde::de::DeserializeOwned;

use crate::at::At;
use crate::each::each;
use crate::folder::Folder;
use crate::keys::{self, Keys};
use crate::pins::Pins;
use crate::remit::{Condition, relocate};
use crate::report::Report;
use crate::sections;
use crate::settings::{self, Authentication, Organisation, Settings};
use crate::upstream::{self, Checked, ToolState, Upstream};

/// Everything a folder says, checked.
#[derive(Debug)]
pub struct Config {
    /// What the gateway runs with.
    pub settings: Settings,
    /// The systems behind the gate, sorted by the names of their files.
    pub upstreams: Vec<Upstream>,
    /// Every tool that a file speaks of, whether it can be called or not, sorted by name.
    pub tools: Vec<ToolState>,
    /// The approved definitions, by file.
    pub pins: Vec<Pins>,
    /// Who may call, and who may steer.
    pub keys: Keys,
    /// The compiled authority.
    pub snapshot: Snapshot,
    /// The texts it was read from; see [`Folder::sources`].
    pub sources: String,
    /// Parts of the folder whose changes nothing compares but as they are written.
    pub sections: Vec<Section>,
    /// What is odd, but stops nothing.
    pub warnings: Vec<Fault>,
}

impl Config {
    /// Who steers and who calls, as far as a change of it may protect less.
    #[must_use]
    pub fn steering(&self) -> Steering {
        let people = self.keys.operators.iter().map(|key| Steerer {
            id: key.id.clone(),
            user: key.user.clone(),
            teams: key.teams.clone(),
            roles: key.roles.clone(),
            sha256: key.proof.as_ref().map(|proof| proof.sha256),
            revoked: key.revoked,
        });
        let keys = self.keys.agents.iter().map(|key| {
            let opens = match &key.may_declare {
                MayDeclare::Nobody => "opens runs for nobody else".to_owned(),
                MayDeclare::Anybody => "opens runs for everybody".to_owned(),
                MayDeclare::These(users) => {
                    let mut users: Vec<_> = users.iter().map(ToString::to_string).collect();
                    users.sort();
                    format!("opens runs for {}", users.join(", "))
                }
            };
            let works_for = match &key.user {
                Some(user) => format!("works for {user}, {opens}"),
                None => opens,
            };
            CallerKey {
                id: key.id.clone(),
                agent: key.agent.clone(),
                sha256: key.sha256,
                works_for,
                revoked: key.revoked,
            }
        });
        let anonymous = match &self.settings.authentication {
            Authentication::Keys => None,
            Authentication::Anonymous(agent) => Some(agent.clone()),
        };
        let (people, keys, sections) = (people.collect(), keys.collect(), self.sections.clone());
        let unsealed = self.settings.ledger.unsealed;
        Steering { people, keys, anonymous, needed: self.settings.changes, unsealed, sections }
    }

    /// What this configuration protects less well than another one that is in force.
    #[must_use]
    pub fn weakenings(&self, in_force: &Self) -> Vec<Weakening> {
        let (old, new) = (in_force.steering(), self.steering());
        let stand = |snapshot, steering| Stand { snapshot, steering };
        weakenings(stand(&in_force.snapshot, &old), stand(&self.snapshot, &new))
    }
}

/// Reads, checks and compiles a folder. Scenarios are no authority and are not looked at; see
/// [`crate::scenarios`].
///
/// # Errors
/// Every fault of every file, in the order of the files. Where the form of one file is wrong, only
/// its first fault is known, and what would follow from it elsewhere is not reported.
pub fn load(folder: &Folder) -> Result<Config, Vec<Fault>> {
    let mut loader = Loader::default();
    let (settings, organisation) = loader.settings(folder);
    let keys = loader.keys(folder, &organisation, settings.as_ref());
    // Whether remits and guardrails can be held against tools and rules without faults that only
    // follow from others.
    let rules_are_whole = loader.faults.iter().all(|fault| fault.locus.file != "remit.yaml");
    let before = loader.faults.len();
    let pins = loader.pins(folder);
    let (upstreams, tools) = loader.upstreams(folder, &pins, &organisation);
    let registry = loader.registry(tools);
    let tools_are_whole = loader.faults.len() == before;
    let remits = loader.remits(folder, &organisation);
    let grants = remits.iter().flat_map(|remit| &remit.grants);
    let conditions: Vec<_> =
        grants.filter_map(|grant| Condition::of(grant, folder.text(&grant.locus.file).unwrap_or_default())).collect();
    let guardrails = folder.inside("guardrails");
    let guardrails = guardrails.map(|(name, text)| GuardrailFile { name: name.into(), text: text.into() }).collect();
    let snapshot = match (&settings, rules_are_whole && tools_are_whole) {
        (Some(settings), true) => loader.compile(
            Sources {
                tenant: settings.tenant.clone(),
                calendar: organisation.calendar,
                rules: organisation.rules,
                limits: organisation.limits,
                people: organisation.people,
                break_glass: organisation.break_glass,
                remits,
                guardrails,
                tiers: organisation.tiers,
                registry,
                digest: folder.digest(),
            },
            &conditions,
        ),
        _ => None,
    };
    let Loader { mut faults, warnings, mut states, .. } = loader;
    states.sort_by(|a, b| a.name.cmp(&b.name));
    match (settings, snapshot) {
        (Some(settings), Some(snapshot)) if faults.is_empty() => {
            let pins = pins.into_values().collect();
            let (sources, sections) = (folder.sources(), sections::of(folder));
            Ok(Config { settings, upstreams, tools: states, pins, keys, snapshot, sources, sections, warnings })
        }
        _ => {
            let place = |fault: &Fault| (fault.locus.file.clone(), fault.locus.line, fault.locus.column);
            faults.sort_by_key(place);
            Err(faults)
        }
    }
}

/// What was found so far.
#[derive(Default)]
struct Loader {
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
    states: Vec<ToolState>,
}

impl Loader {
    fn read<T: DeserializeOwned>(&mut self, file: &str, text: &str) -> Option<At<T>> {
        crate::yaml::read(file, text).map_err(|fault| self.faults.push(*fault)).ok()
    }

    fn settings(&mut self, folder: &Folder) -> (Option<Settings>, Organisation) {
        const FILE: &str = "remit.yaml";
        let Some(text) = folder.text(FILE) else {
            self.faults.push(whole(FILE, "the file is missing", "write one, or let `remit init` do it"));
            return (None, Organisation::default());
        };
        let Some(file) = self.read(FILE, text) else { return (None, Organisation::default()) };
        settings::check(file, &mut Report::new(FILE, &mut self.faults), &mut Report::new(FILE, &mut self.warnings))
    }

    fn keys(&mut self, folder: &Folder, organisation: &Organisation, settings: Option<&Settings>) -> Keys {
        const FILE: &str = "keys.yaml";
        let file = folder.text(FILE).map(|text| self.read(FILE, text));
        let known = file.is_some();
        let keys = file
            .flatten()
            .map(|file| keys::check(file, &organisation.calendar.zone, &mut Report::new(FILE, &mut self.faults)));
        let keys = keys.unwrap_or_default();
        if !known && settings.is_some_and(|settings| settings.authentication == Authentication::Keys) {
            let message = "the file is missing, so nobody can call or steer";
            self.warnings.push(whole(FILE, message, "write one, or let `remit agents key` do it"));
        }
        keys
    }

    fn pins(&mut self, folder: &Folder) -> BTreeMap<String, Pins> {
        let mut pins = BTreeMap::new();
        for parsed in each(folder.inside("pins"), Pins::parse) {
            match parsed {
                Ok(found) => {
                    pins.insert(found.upstream.to_string(), found);
                }
                Err(fault) => self.faults.push(*fault),
            }
        }
        pins
    }

    fn upstreams(
        &mut self,
        folder: &Folder,
        pins: &BTreeMap<String, Pins>,
        organisation: &Organisation,
    ) -> (Vec<Upstream>, Vec<(Tool, Locus)>) {
        let mut upstreams: Vec<Upstream> = Vec::new();
        let mut tools = Vec::new();
        let mut named = Vec::new();
        let pinned = |id: &remit_core::ids::UpstreamId| pins.get(id.as_str());
        let checked = each(folder.inside("upstreams"), |file, text| {
            checked(file, text, |typed, report| upstream::check(typed, pinned, &organisation.environments, report))
        });
        for (checked, faults) in checked {
            self.faults.extend(faults);
            let Some(Checked { id, upstream, tools: found, states, warnings }) = checked else { continue };
            self.warnings.extend(warnings);
            let Some((id, locus)) = id else { continue };
            if named.contains(&id) {
                let message = format!("another file is about the upstream `{id}` already");
                self.faults.push(Fault { locus, message, help: Some("one file per upstream".into()) });
                continue;
            }
            named.push(id);
            upstreams.extend(upstream);
            tools.extend(found);
            self.states.extend(states);
        }
        for pins in pins.values().filter(|pins| !named.contains(&pins.upstream)) {
            let message = format!("no file in upstreams/ is about `{}`", pins.upstream);
            self.warnings.push(whole(&pins.file_name(), &message, "remove these pins, or describe the upstream"));
        }
        (upstreams, tools)
    }

    fn registry(&mut self, tools: Vec<(Tool, Locus)>) -> Registry {
        let places: BTreeMap<ToolName, Locus> =
            tools.iter().map(|(tool, at)| (tool.name.clone(), at.clone())).collect();
        Registry::new(tools.into_iter().map(|(tool, _)| tool)).unwrap_or_else(|collision| {
            let locus = places.get(&collision.1).cloned().unwrap_or_default();
            let help = Some("use `show_as: prefix` for one of the upstreams".to_owned());
            self.faults.push(Fault { locus, message: collision.to_string(), help });
            Registry::default()
        })
    }

    fn remits(&mut self, folder: &Folder, organisation: &Organisation) -> Vec<Remit> {
        let Organisation { calendar, environments, .. } = organisation;
        let remits = each(folder.inside("remits"), |file, text| {
            checked(file, text, |typed, report| crate::remit::check(&typed, text, &calendar.zone, environments, report))
        });
        let mut found = Vec::new();
        for (remit, faults) in remits {
            self.faults.extend(faults);
            found.extend(remit.flatten());
        }
        found
    }

    fn compile(&mut self, sources: Sources, conditions: &[Condition<'_>]) -> Option<Snapshot> {
        match compile(sources) {
            Ok((snapshot, warnings)) => {
                self.warnings.extend(warnings);
                Some(snapshot)
            }
            Err(mut faults) => {
                relocate(&mut faults, conditions);
                self.faults.extend(faults);
                None
            }
        }
    }
}

/// One file, read and checked, with its faults.
fn checked<T: DeserializeOwned, C>(
    file: &str,
    text: &str,
    check: impl FnOnce(At<T>, &mut Report<'_>) -> C,
) -> (Option<C>, Vec<Fault>) {
    let mut faults = Vec::new();
    let checked = match crate::yaml::read(file, text) {
        Ok(typed) => Some(check(typed, &mut Report::new(file, &mut faults))),
        Err(fault) => {
            faults.push(*fault);
            None
        }
    };
    (checked, faults)
}

fn whole(file: &str, message: &str, help: &str) -> Fault {
    let locus = Locus { file: file.to_owned(), line: 0, column: 0 };
    Fault { locus, message: message.to_owned(), help: Some(help.to_owned()) }
}
